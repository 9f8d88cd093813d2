/** One session at a Postgres server: log in as a client would, ask who answers, leave. Read-only. */
import type { EventEmitter } from 'node:events';
import type { Duplex } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import type { ClientConfig, Client as PgClient, QueryConfig } from 'pg';
import type { PostgresAttempt, PostgresFact, Trial } from '../model/facts.ts';
import { plain } from '../model/plain.ts';
import type { Attempt } from './attempts.ts';
import { asSocket } from './dial.ts';
import { rootsOf } from './lock-waits.ts';
import { TryStopped, firstBytes, tryOut, type Limits, type Progress } from './trial.ts';
import type { Vantage } from './vantage.ts';

export type PostgresServer = NonNullable<PostgresFact['server']>;

export interface PostgresAnswer {
  identity: NonNullable<PostgresAttempt['identity']>;
  server: PostgresServer;
}

export interface PostgresLogin {
  user: string;
  /** Revealed; `null` when none is known. */
  password: string | null;
  database: string;
  tls: boolean;
  /** Start-up options that the client sends (`-c search_path=app`). */
  options?: string;
  /** Also ask who is connected and who waits for whom. */
  wantSessions: () => boolean;
  /** Asked of the server once it let us in; what the server will not tell takes nothing away from the login. */
  inquire?: Inquiry;
}

/** One statement at a time: the server itself refuses a second one behind a semicolon. */
export type Inquiry = (
  query: (sql: string, values: unknown[]) => Promise<Record<string, string | null>[]>,
  database: string,
) => Promise<void>;

const APPLICATION = 'stack-doctor';
/** How long a server may take to close after the goodbye. */
const GOODBYE_MS = 100;

/** Errors: `CannotLook`. */
export const askPostgres = async (
  vantage: Vantage,
  login: PostgresLogin,
  limits: Limits,
): Promise<{ trial: Trial; answer: PostgresAnswer | null }> => {
  let answer: PostgresAnswer | null = null;
  const { default: Client } = await loadClient();
  const trial = await tryOut(limits, async (at, limit) => {
    const stream = await vantage.dial(at, limit);
    const client = buildClient(Client, {
      host: vantage.host,
      port: vantage.port,
      user: login.user,
      database: login.database,
      // A function also keeps pg from reading ~/.pgpass. SASLprep maps the soft hyphen to nothing: so the server gets to judge the empty
      // password, which pg itself would refuse to send.
      password: () => login.password || '\u00ad',
      application_name: APPLICATION,
      ...(login.options !== undefined && { options: login.options }),
      ssl: login.tls ? { rejectUnauthorized: false } : false,
      stream: () => connected(stream),
    });
    try {
      await logIn(client, stream, login.tls, at);
      at.layer = 'query';
      const said = await client.query(IDENTITY);
      answer = readIdentity(said.rows[0] ?? {});
      at.layer = 'done';
      if (login.wantSessions()) Object.assign(answer.server, await askSessionsTwice(client, limits));
      await login.inquire?.(async (sql, values) => (await client.query(extended(sql, values))).rows as Row[], login.database);
      await Promise.race([client.end(), delay(GOODBYE_MS, null, { ref: false })]);
    } catch (error) {
      throw postgresFailure(error, at, login);
    }
  });
  return { trial, answer };
};

/** `queryMode` is missing in the types of pg. */
const extended = (text: string, values: unknown[]): QueryConfig => ({ text, values, queryMode: 'extended' }) as QueryConfig;

const loadClient = () => {
  // Without it pg on Node 20 starts up the whole of fetch only to learn that this is not Cloudflare.
  (globalThis as { navigator?: unknown }).navigator ??= { userAgent: 'Node.js' };
  return import('pg/lib/client.js');
};

/**
 * pg fills what is missing from the user's PG* variables, down to PGOPTIONS and PGSSLNEGOTIATION. It reads them while the client is made,
 * and only then.
 */
const buildClient = (Client: typeof PgClient, config: ClientConfig): PgClient => {
  const own = Object.entries(process.env).filter(([name]) => /^PG/i.test(name));
  for (const [name] of own) delete process.env[name];
  try {
    return new Client(config);
  } finally {
    for (const [name, value] of own) process.env[name] = value;
  }
};

/** pg connects by itself; this stream is connected already. */
const connected = (stream: Duplex): Duplex =>
  Object.assign(asSocket(stream), {
    connect() {
      process.nextTick(() => stream.emit('connect'));
      return stream;
    },
  });

const logIn = async (client: PgClient, stream: Duplex, tls: boolean, at: Progress): Promise<void> => {
  client.on('error', () => {});
  const { connection } = client as unknown as { connection: EventEmitter };
  connection.on('sslconnect', () => (at.layer = 'protocol'));
  connection.once('message', () => (at.layer = 'login'));
  const done = client.connect();
  if (tls) at.layer = 'tls';
  // Thrown in the stream's event, it ends the stream with this error (see `guarded`).
  stream.prependOnceListener('data', (chunk: Buffer) => {
    if (!isPostgres(chunk, tls)) throw notPostgres(chunk);
  });
  await done;
};

/**
 * A first answer is one letter and a length (or the one letter on TLS). pg would wait for the rest of whatever length the bytes of another
 * protocol spell.
 */
const isPostgres = (chunk: Buffer, tls: boolean): boolean => {
  const letter = String.fromCharCode(chunk[0] ?? 0);
  if (tls && chunk.length === 1) return 'SN'.includes(letter);
  if (!(tls ? 'SNE' : 'RENv').includes(letter)) return false;
  return chunk.length < 5 || chunk.readInt32BE(1) < 65_536;
};

export const notPostgres = (chunk: Buffer): TryStopped =>
  new TryStopped({
    layer: 'protocol',
    outcome: 'failed',
    code: '',
    text: `the answer is not Postgres's: ${JSON.stringify(plain(chunk.toString('latin1', 0, 80)))}`,
  });

const postgresFailure = (thrown: unknown, at: Progress, login: PostgresLogin): unknown => {
  if (thrown instanceof TryStopped) return thrown;
  const error = thrown as { severity?: string; code?: string; message: string; detail?: string };
  const stopped = (layer: Trial['layer'], outcome: Trial['outcome'], code: string, text: string) =>
    new TryStopped({ layer, outcome, code, text });
  if (error.severity !== undefined) {
    const detail = error.detail ? ` (${error.detail})` : '';
    const missing = login.password === null && error.code === '28P01' ? '; no password was given' : '';
    const text = `${error.message}${detail}${missing}`;
    return at.layer === 'query' ? stopped('query', 'failed', error.code ?? '', text) : stopped('login', 'rejected', error.code ?? '', text);
  }
  if (/does not support SSL/.test(error.message)) return stopped('tls', 'rejected', '', 'the server does not support TLS');
  if (/establishing an SSL connection/.test(error.message)) return stopped('tls', 'failed', '', error.message);
  if (/^Connection terminated/.test(error.message)) {
    const when = at.layer === 'protocol' ? 'without an answer' : at.layer === 'query' ? 'instead of answering' : 'during the login';
    return stopped(at.layer, 'reset', '', `the server closed the connection ${when}`);
  }
  return thrown;
};

/** Everything as text: nothing in an answer is parsed before it is looked at. */
const IDENTITY = `
select host(inet_server_addr()) as address, inet_server_port()::text as port,
  to_char(pg_postmaster_start_time() at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') as started,
  current_setting('server_version') as version, pg_is_in_recovery()::text as recovery,
  current_setting('default_transaction_read_only') as read_only, current_setting('max_connections') as most`;

type Row = Record<string, string | null>;

const readIdentity = (row: Row): PostgresAnswer => {
  const startedAt = short(row['started']);
  return {
    identity: { address: row['address'] ? short(row['address']) : null, port: row['port'] ? toNumber(row['port']) : null, startedAt },
    server: {
      version: short(row['version']),
      inRecovery: row['recovery'] === 'true',
      readOnly: row['read_only'] === 'on',
      maxConnections: toNumber(row['most']),
      sessions: [],
      startedAt,
      blockers: [],
    },
  };
};

/** One round trip. \`backend_type\` came with Postgres 10; an older server keeps its sessions to itself. */
const SESSIONS = `
begin transaction read only;
set local statement_timeout = '1s';
select host(client_addr) as address, coalesce(application_name, '') as application, coalesce(usename::text, '') as "user",
  coalesce(state, 'unknown') as state, count(*)::text as count,
  coalesce(max(extract(epoch from clock_timestamp() - coalesce(state_change, backend_start))), 0)::text as oldest
from pg_stat_activity
where backend_type = 'client backend' and pid <> pg_backend_pid() and application_name is distinct from '${APPLICATION}'
group by 1, 2, 3, 4 order by count(*) desc limit 200;
with waiting as (select pid, unnest(pg_blocking_pids(pid)) as blocker from pg_stat_activity where wait_event_type = 'Lock')
select waiting.pid::text as pid, waiting.blocker::text as blocker, host(a.client_addr) as address,
  coalesce(a.application_name, '') as application, coalesce(a.state, 'unknown') as state,
  coalesce(extract(epoch from clock_timestamp() - coalesce(a.xact_start, a.state_change)), 0)::text as seconds
from waiting left join pg_stat_activity a on a.pid = waiting.blocker limit 1000;
rollback`;

/**
 * A forgotten transaction holds its locks whether or not somebody waits at this moment. Where one stays open, a second look a little later
 * sees whom it stops: the health checks of the stack, and our own requests to its services.
 */
const askSessionsTwice = async (client: PgClient, limits: Limits): ReturnType<typeof askSessions> => {
  const first = await askSessions(client, limits);
  if (!first || first.blockers.length > 0 || !first.sessions.some(staysOpen)) return first;
  await delay(AGAIN_MS);
  return askSessions(client, limits);
};

const AGAIN_MS = 400;

const staysOpen = ({ state, oldestSeconds }: PostgresServer['sessions'][number]): boolean =>
  (state.startsWith('idle in transaction') && oldestSeconds >= 1) || (state === 'active' && oldestSeconds >= 5);

const askSessions = async (client: PgClient, { vault }: Limits): Promise<Pick<PostgresServer, 'sessions' | 'blockers'> | null> => {
  const results = (await client.query(SESSIONS).catch((error: { severity?: string }) => {
    // The server would rather not say; the login stands.
    if (error.severity !== undefined) return null;
    throw error;
  })) as unknown as { rows: Row[] }[] | null;
  if (!results) return null;
  const text = (value: string | null | undefined) => short(vault.maskText(value ?? ''));
  return {
    sessions: (results[2]?.rows ?? []).map((row) => ({
      address: row['address'] ? text(row['address']) : null,
      application: text(row['application']),
      user: text(row['user']),
      state: text(row['state']),
      count: toNumber(row['count']),
      oldestSeconds: toNumber(row['oldest']),
    })),
    blockers: rootsOf(
      (results[3]?.rows ?? []).map((row) => ({
        waiter: toNumber(row['pid']),
        blocker: toNumber(row['blocker']),
        address: row['address'] ? text(row['address']) : null,
        application: text(row['application']),
        state: text(row['state']),
        seconds: toNumber(row['seconds']),
      })),
    ).map(({ blocker, address, application, state, seconds, blocked }) => ({
      pid: blocker,
      address,
      application,
      state,
      seconds,
      blocked,
    })),
  };
};

const short = (value: string | null | undefined): string => plain((value ?? '').slice(0, 200));

const toNumber = (value: string | null | undefined): number => {
  const number = Math.round(Number(value));
  return Number.isFinite(number) ? number : 0;
};

/**
 * Only whether Postgres is there, where no words to log in with are known. The server answers one letter and logs nothing, which a bare
 * connection or a made-up user would make it do.
 */
export const probePostgres = (vantage: Vantage, limits: Limits): Promise<Trial> =>
  tryOut(limits, async (at, limit) => {
    const stream = await vantage.dial(at, limit);
    at.layer = 'protocol';
    // SSLRequest: length 8, code 80877103.
    stream.write(Buffer.from([0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f]));
    const chunk = await firstBytes(stream);
    if (!isPostgres(chunk, true)) throw notPostgres(chunk);
  });

/** Also of one that was made at a pooler. */
export const toFact = ({ credentials, view, trial, answer }: Attempt<PostgresAnswer>): PostgresAttempt => {
  const { client, source, host, port, user, password, database } = credentials;
  return {
    client,
    source,
    host,
    port,
    user: user ?? '',
    database: database ?? user ?? '',
    password,
    view,
    trial,
    identity: answer?.identity ?? null,
  };
};
