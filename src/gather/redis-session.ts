/** One connection to a Redis server: give the client's words, ask whether it takes work, look at its queues, leave. Read-only. */
import type { Duplex } from 'node:stream';
import type { Redis, RedisOptions } from 'ioredis';
import type { RedisFact, Trial } from '../model/facts.ts';
import { plain } from '../model/plain.ts';
import { asSocket, secure } from './dial.ts';
import { queuesOf, type RedisQueue } from './redis-queues.ts';
import { TryStopped, tryOut, type Limits, type Progress } from './trial.ts';
import type { Vantage } from './vantage.ts';
import type { Vault } from './vault.ts';

export type RedisServer = NonNullable<RedisFact['server']>;

export interface RedisAnswer {
  runId: string;
  server: RedisServer;
}

export interface RedisLogin {
  user: string | null;
  /** Revealed; `null` when none is given. */
  password: string | null;
  database: number;
  tls: boolean;
  /** Also ask who is connected and what waits in its queues. */
  wantSessions: () => boolean;
  /** Asked of the server once it let us in. */
  inquire?: (call: (command: readonly string[]) => Promise<unknown>) => Promise<void>;
}

/** For this connection alone, so that it can be told from the clients'. */
const NAME = 'stack-doctor';
const MOST_SESSIONS = 200;

/** Errors: `CannotLook`. */
export const askRedis = async (
  vantage: Vantage,
  login: RedisLogin,
  limits: Limits,
): Promise<{ trial: Trial; answer: RedisAnswer | null }> => {
  let answer: RedisAnswer | null = null;
  const { Redis } = await import('ioredis');
  const trial = await tryOut(limits, async (at, limit) => {
    const opened = await vantage.dial(at, limit);
    const stream = login.tls ? await secure(opened, vantage.host, at, limit) : opened;
    at.layer = 'protocol';
    // What a server says unasked (`-DENIED …`, `-ERR max number of clients reached`) is an answer to no command, and ioredis drops it.
    let greeting = '';
    stream.once('data', (chunk: Buffer) => {
      greeting = chunk.toString('latin1', 0, 500);
      at.layer = 'login';
    });
    // Of an error of the stream ioredis says only that the connection is closed.
    let broken: Error | null = null;
    stream.once('error', (error) => (broken = error));
    const redis = new Redis(optionsFor(stream));
    redis.on('error', () => {});
    try {
      await redis.connect();
      await introduce(redis, login);
      const [ping, info] = await Promise.allSettled([redis.call('PING'), redis.call('INFO'), redis.call('CLIENT', 'SETNAME', NAME)]);
      if (info.status === 'fulfilled') answer = readInfo(parseInfo(String(info.value)), limits.vault);
      if (ping.status === 'rejected') throw ping.reason;
      at.layer = 'done';
      await login.inquire?.(([name = '', ...words]) => redis.call(name, ...words));
      if (answer && login.wantSessions()) Object.assign(answer.server, await askSessions(redis, answer.server, limits.vault));
    } catch (error) {
      throw redisFailure(broken ?? error, at, greeting);
    } finally {
      redis.disconnect();
      stream.destroy();
    }
  });
  return { trial, answer };
};

/**
 * Nothing is left for ioredis to resolve, retry or log in with: it would warn on the console about a needless password, and hide the reply.
 */
const optionsFor = (stream: Duplex): RedisOptions => ({
  Connector: connectorOf(stream),
  lazyConnect: true,
  retryStrategy: () => null,
  maxRetriesPerRequest: null,
  enableReadyCheck: false,
  enableOfflineQueue: false,
  disableClientInfo: true,
  keepAlive: 0,
});

/** ioredis makes it with `new`; a function that returns an object serves as well as a class. */
const connectorOf = (stream: Duplex): NonNullable<RedisOptions['Connector']> =>
  function () {
    return { connect: () => Promise.resolve(asSocket(stream)), disconnect: () => stream.destroy(), check: () => true };
  } as unknown as NonNullable<RedisOptions['Connector']>;

const introduce = async (redis: Redis, { user, password, database }: RedisLogin): Promise<void> => {
  if (password !== null) await redis.call('AUTH', ...(user === null ? [password] : [user, password]));
  if (database !== 0) await redis.call('SELECT', String(database));
};

/** Of the login, whichever command meets them. */
const LOGIN_ERRORS = /^(NOAUTH|WRONGPASS|DENIED|ERR AUTH |ERR Client sent AUTH|ERR invalid password|ERR max number of clients)/;

const redisFailure = (thrown: unknown, at: Progress, greeting: string): unknown => {
  if (thrown instanceof TryStopped) return thrown;
  const error = thrown as Error & { code?: string };
  const unasked = /^-([^\r\n]+)/.exec(greeting)?.[1];
  const reply = error.name === 'ReplyError' ? error.message : isClosed(error) ? unasked : undefined;
  const stopped = (layer: Trial['layer'], outcome: Trial['outcome'], code: string, text: string) =>
    new TryStopped({ layer, outcome, code, text });
  if (reply !== undefined) {
    const code = /^[A-Z]+\b/.exec(reply)?.[0] ?? 'ERR';
    return LOGIN_ERRORS.test(reply) ? stopped('login', 'rejected', code, reply) : stopped('query', 'failed', code, reply);
  }
  if (error.name === 'ParserError')
    return stopped('protocol', 'failed', '', `the answer is not Redis's: ${JSON.stringify(plain(greeting.slice(0, 80)))}`);
  if (isClosed(error)) {
    return stopped(
      at.layer,
      'reset',
      '',
      `the server closed the connection ${at.layer === 'protocol' ? 'without an answer' : 'instead of answering'}`,
    );
  }
  return thrown;
};

const isClosed = (error: Error): boolean => /Connection is closed|Stream isn't writeable|Command aborted/.test(error.message);

type Info = Map<string, string>;

const parseInfo = (text: string): Info =>
  new Map(
    text.split(/\r?\n/).flatMap((line) => {
      const at = line.indexOf(':');
      return at > 0 && !line.startsWith('#') ? [[line.slice(0, at), line.slice(at + 1)] as const] : [];
    }),
  );

const readInfo = (info: Info, vault: Vault): RedisAnswer => {
  const text = (key: string) => short(info.get(key), vault);
  const number = (key: string) => toNumber(info.get(key));
  const keyspace = [...info].flatMap(([key, value]) => {
    const database = /^db(\d+)$/.exec(key)?.[1];
    return database ? [[database, toNumber(/keys=(\d+)/.exec(value)?.[1])] as const] : [];
  });
  return {
    runId: text('run_id'),
    server: {
      version: text(info.has('valkey_version') ? 'valkey_version' : 'redis_version'),
      runId: text('run_id'),
      role: text('role'),
      masterHost: info.has('master_host') ? text('master_host') : null,
      masterLinkUp: info.has('master_link_status') ? text('master_link_status') === 'up' : null,
      loading: text('loading') === '1',
      usedMemory: number('used_memory'),
      maxMemory: number('maxmemory'),
      maxMemoryPolicy: text('maxmemory_policy'),
      // Absent where there is nothing to save.
      lastSaveOk: info.get('rdb_last_bgsave_status') !== 'err',
      lastAofWriteOk: info.get('aof_last_write_status') !== 'err',
      clients: number('connected_clients'),
      maxClients: number('maxclients'),
      keyspace: Object.fromEntries(keyspace.slice(0, 64)),
      sessions: [],
      queues: [],
    },
  };
};

const askSessions = async (redis: Redis, server: RedisServer, vault: Vault): Promise<Partial<RedisServer>> => {
  const [list, most] = await Promise.all([
    redis.call('CLIENT', 'LIST').catch(() => ''),
    // INFO tells it from Redis 7 on.
    server.maxClients === 0 ? redis.call('CONFIG', 'GET', 'maxclients').catch(() => []) : [],
  ]);
  const sessions = parseClients(String(list), vault);
  const queues: RedisQueue[] = await queuesOf(redis, server.keyspace, sessions, vault).catch(() => []);
  return {
    sessions: sessions.slice(0, MOST_SESSIONS),
    queues,
    ...(Array.isArray(most) && most[1] ? { maxClients: toNumber(String(most[1])) } : {}),
  };
};

/** `id=3 addr=172.18.0.5:41234 … name= db=0 cmd=brpop idle=3 flags=b …`, a line per client. */
const parseClients = (list: string, vault: Vault): RedisServer['sessions'] =>
  list.split('\n').flatMap((line) => {
    const fields = new Map(line.split(' ').map((each) => [each.slice(0, each.indexOf('=')), each.slice(each.indexOf('=') + 1)]));
    const command = fields.get('cmd') ?? '';
    if (!fields.has('addr') || fields.get('name') === NAME || isPassing(command, toNumber(fields.get('age')))) return [];
    return [
      {
        address: short(fields.get('addr'), vault),
        database: toNumber(fields.get('db')),
        command: short(command, vault).toLowerCase(),
        idleSeconds: toNumber(fields.get('idle')),
        blocked: fields.get('flags')?.includes('b') ?? false,
        name: short(fields.get('name'), vault),
      },
    ];
  });

/** Just come, and only looking: a healthcheck, or our own other connection before it has its name. */
const isPassing = (command: string, ageSeconds: number): boolean =>
  ageSeconds <= 2 && /^(null|ping|info|auth|select|hello)$/i.test(command);

const short = (value: string | undefined, vault: Vault): string => plain(vault.maskText((value ?? '').slice(0, 20_000))).slice(0, 200);

const toNumber = (value: string | undefined): number => {
  const number = Number(value);
  return Number.isFinite(number) ? number : 0;
};
