/** One session at a MySQL or MariaDB server: log in as a client would, ask who answers, leave. Read-only. */
import { setTimeout as delay } from 'node:timers/promises';
import type { Connection, QueryError } from 'mysql2';
import type { MysqlAttempt, MysqlFact, Trial } from '../model/facts.ts';
import { plain, wordOf } from '../model/plain.ts';
import { asSocket } from './dial.ts';
import { rootsOf } from './lock-waits.ts';
import { TryStopped, firstBytes, tryOut, unreadable, type Limits, type Progress } from './trial.ts';
import type { Vantage } from './vantage.ts';

export type MysqlServer = NonNullable<MysqlFact['server']>;

export interface MysqlAnswer {
  identity: NonNullable<MysqlAttempt['identity']>;
  server: MysqlServer;
  /** `null`: not asked, or not for this login to see. */
  accounts: MysqlFact['accounts'];
  databases: MysqlFact['databases'];
}

export interface MysqlLogin {
  user: string;
  /** Revealed; `null` when none is known. */
  password: string | null;
  database: string | null;
  tls: boolean;
  /** Also ask who is connected and who waits for whom. */
  wantSessions: () => boolean;
  /** Also ask which accounts and databases there are: once somebody was rejected. */
  wantAccounts: () => boolean;
  /** Asked of the server once it let us in; what the server will not tell takes nothing away from the login. */
  inquire?: MysqlInquiry;
}

export type MysqlInquiry = (query: (sql: string, values: string[]) => Promise<Record<string, string | null>[]>) => Promise<void>;

/** How long a server may take to close after the goodbye. */
const GOODBYE_MS = 100;
const MOST_SESSIONS = 200;
const MOST_NAMES = 500;

/** Errors: `CannotLook`. */
export const askMysql = async (
  vantage: Vantage,
  login: MysqlLogin,
  limits: Limits,
): Promise<{ trial: Trial; answer: MysqlAnswer | null }> => {
  let answer: MysqlAnswer | null = null;
  const { createConnection } = await import('mysql2');
  const trial = await tryOut(limits, async (at, limit) => {
    const stream = await vantage.dial(at, limit);
    at.layer = 'protocol';
    // Thrown in the stream's event, it ends the stream with this error (see `guarded`).
    stream.prependOnceListener('data', (chunk: Buffer) => {
      if (!isMysql(chunk)) throw notMysql(chunk);
      at.layer = 'login';
    });
    const connection = createConnection({
      host: vantage.host,
      port: vantage.port,
      user: login.user,
      password: login.password ?? '',
      ...(login.database === null ? {} : { database: login.database }),
      ...(login.tls ? { ssl: { rejectUnauthorized: false } } : {}),
      connectAttributes: { program_name: 'stack-doctor' },
      stream: asSocket(stream),
      disableEval: true,
      dateStrings: true,
    });
    connection.on('error', () => {});
    try {
      await loggedIn(connection);
      at.layer = 'query';
      answer = await readIdentity(connection);
      at.layer = 'done';
      if (login.wantSessions()) Object.assign(answer.server, await askSessions(connection, limits));
      if (login.wantAccounts()) Object.assign(answer, await askAccounts(connection, limits));
      await login
        .inquire?.(async (sql, values) => (await ask(connection, sql, values)).map(inWords))
        .catch((error: QueryError) => {
          if (typeof error.errno !== 'number') throw error;
        });
      await Promise.race([new Promise((resolve) => connection.end(resolve)), delay(GOODBYE_MS, null, { ref: false })]);
    } catch (error) {
      throw unreadable(error, at) ?? mysqlFailure(error, at);
    } finally {
      connection.destroy();
    }
  });
  return { trial, answer };
};

const loggedIn = (connection: Connection): Promise<void> =>
  new Promise((resolve, reject) => connection.connect((error) => (error ? reject(error) : resolve())));

type Row = Record<string, unknown>;

const inWords = (row: Row): Record<string, string | null> =>
  Object.fromEntries(Object.entries(row).map(([name, value]) => [name, value === null ? null : wordOf(value)]));

const ask = (connection: Connection, sql: string, values: string[] = []): Promise<Row[]> =>
  new Promise((resolve, reject) =>
    connection.query({ sql, values, timeout: 1_000 }, (error, rows) =>
      error ? reject(error) : resolve(Array.isArray(rows) ? (rows as Row[]) : []),
    ),
  );

/** What the login may not see is no fault. */
const askQuietly = (connection: Connection, sql: string): Promise<Row[] | null> =>
  ask(connection, sql).catch((error: QueryError) => {
    if (typeof error.errno === 'number') return null;
    throw error;
  });

/** The server speaks first: a packet's length, number 0, then version 10 of the protocol, or an error. */
export const isMysql = (chunk: Buffer): boolean => {
  if (chunk.length < 5) return chunk.length === 0 || (chunk[0]! > 0 && (chunk[3] ?? 0) === 0);
  const length = chunk.readUIntLE(0, 3);
  return chunk[3] === 0 && length > 4 && length < 4_096 && (chunk[4] === 10 || chunk[4] === 0xff);
};

const notMysql = (chunk: Buffer): TryStopped =>
  new TryStopped({
    layer: 'protocol',
    outcome: 'failed',
    code: '',
    text: `the answer is not MySQL's: ${JSON.stringify(plain(chunk.toString('latin1', 0, 80)))}`,
  });

const mysqlFailure = (thrown: unknown, at: Progress): unknown => {
  if (thrown instanceof TryStopped) return thrown;
  const error = thrown as { code?: string; errno?: number; sqlState?: string; message: string };
  const stopped = (layer: Trial['layer'], outcome: Trial['outcome'], code: string, text: string) =>
    new TryStopped({ layer, outcome, code, text });
  if (typeof error.errno === 'number' && error.errno > 0 && /^(ER_|\d)/.test(error.code ?? '')) {
    const layer = at.layer === 'query' ? 'query' : 'login';
    return stopped(layer, layer === 'query' ? 'failed' : 'rejected', String(error.errno), error.message);
  }
  if (error.code === 'HANDSHAKE_NO_SSL_SUPPORT') return stopped('tls', 'rejected', '', 'the server does not support TLS');
  const plugin = /unknown plugin (\S+?)\./.exec(error.message)?.[1];
  if (plugin ?? error.code === 'MYSQL_CLEAR_PASSWORD_NOT_ENABLED')
    return stopped(
      'login',
      'no-tool',
      '',
      `it asks for authentication by ${plugin ?? 'a password in the clear'}, which the doctor does not speak`,
    );
  if (error.code === 'PROTOCOL_CONNECTION_LOST') {
    const when = at.layer === 'protocol' ? 'without an answer' : at.layer === 'query' ? 'instead of answering' : 'during the login';
    return stopped(at.layer, 'reset', '', `the server closed the connection ${when}`);
  }
  return thrown;
};

const readIdentity = async (connection: Connection): Promise<MysqlAnswer> => {
  const [[row = {}], [uptime = {}]] = await Promise.all([
    ask(
      connection,
      'select @@version as version, @@hostname as hostname, @@port as port, @@global.read_only as readOnly, @@max_connections as most, unix_timestamp() as now',
    ),
    ask(connection, "show global status like 'Uptime'"),
  ]);
  const startedAt = new Date((toNumber(row['now']) - toNumber(uptime['Value'])) * 1_000).toISOString();
  return {
    identity: { hostname: short(row['hostname']), port: toNumber(row['port']) || null, startedAt },
    server: {
      version: short(row['version']),
      readOnly: !/^(0|OFF)$/i.test(short(row['readOnly'])),
      maxConnections: toNumber(row['most']),
      startedAt,
      sessions: [],
      blockers: [],
    },
    accounts: null,
    databases: null,
  };
};

/** A user without the PROCESS privilege sees its own sessions, which are the app's. */
const askSessions = async (connection: Connection, { vault }: Limits): Promise<Partial<MysqlServer>> => {
  const own = connection.threadId;
  const rows = ((await askQuietly(connection, 'show processlist')) ?? []).filter(
    (row) =>
      toNumber(row['Id']) !== own &&
      !/^(daemon|binlog dump.*|slave_.*)$/i.test(short(row['Command'])) &&
      short(row['User']) !== 'system user',
  );
  const text = (value: unknown) => short(vault.maskText(wordOf(value)));
  const groups = new Map<string, MysqlServer['sessions'][number]>();
  for (const row of rows) {
    const address = addressOf(row['Host']);
    const session = { address, user: text(row['User']), database: text(row['db']), command: text(row['Command']) };
    const key = JSON.stringify(session);
    const known = groups.get(key) ?? { ...session, count: 0, oldestSeconds: 0 };
    groups.set(key, { ...known, count: known.count + 1, oldestSeconds: Math.max(known.oldestSeconds, toNumber(row['Time'])) });
  }
  const sessions = [...groups.values()].toSorted((a, b) => b.count - a.count).slice(0, MOST_SESSIONS);
  return { sessions, blockers: sessions.some(isStuck) ? await askBlockers(connection, rows, text) : [] };
};

/** At work on one statement for a while: it may wait for somebody. */
export const isStuck = ({ command, oldestSeconds }: MysqlServer['sessions'][number]): boolean =>
  /^(query|execute)$/i.test(command) && oldestSeconds >= 1;

/** InnoDB tells who waits for whom: MySQL from 8.0 on and MariaDB in tables of their own. */
const WAITS = {
  mariadb:
    'information_schema.innodb_lock_waits w join information_schema.innodb_trx r on r.trx_id = w.requesting_trx_id join information_schema.innodb_trx b on b.trx_id = w.blocking_trx_id',
  mysql:
    'performance_schema.data_lock_waits w join information_schema.innodb_trx r on r.trx_id = w.requesting_engine_transaction_id join information_schema.innodb_trx b on b.trx_id = w.blocking_engine_transaction_id',
};

const askBlockers = async (connection: Connection, sessions: Row[], text: (value: unknown) => string): Promise<MysqlServer['blockers']> => {
  const question = (from: string) =>
    `select r.trx_mysql_thread_id as waiter, b.trx_mysql_thread_id as blocker, timestampdiff(second, b.trx_started, now()) as seconds from ${from} limit 1000`;
  const rows = (await askQuietly(connection, question(WAITS.mysql))) ?? (await askQuietly(connection, question(WAITS.mariadb))) ?? [];
  const waits = rows.map((row) => ({
    waiter: toNumber(row['waiter']),
    blocker: toNumber(row['blocker']),
    seconds: toNumber(row['seconds']),
  }));
  return rootsOf(waits).map(({ blocker, seconds, blocked }) => {
    const session = sessions.find((row) => toNumber(row['Id']) === blocker) ?? {};
    return {
      id: blocker,
      address: addressOf(session['Host']),
      user: text(session['User']),
      command: text(session['Command']),
      seconds,
      blocked,
    };
  });
};

const askAccounts = async (connection: Connection, { vault }: Limits): Promise<Pick<MysqlAnswer, 'accounts' | 'databases'>> => {
  const [accounts, databases] = await Promise.all([
    askQuietly(connection, 'select user, host from mysql.user'),
    askQuietly(connection, 'show databases'),
  ]);
  const text = (value: unknown) => short(vault.maskText(wordOf(value)));
  const field = (row: Row, name: string) => text(row[name] ?? row[name.toUpperCase()] ?? row[name[0]!.toUpperCase() + name.slice(1)]);
  return {
    accounts: accounts && accounts.slice(0, MOST_NAMES).map((row) => ({ user: field(row, 'user'), host: field(row, 'host') })),
    databases: databases && databases.map((row) => field(row, 'database')).slice(0, MOST_NAMES),
  };
};

/** `172.18.0.5:41234`; `localhost` is the socket. */
const addressOf = (host: unknown): string | null => {
  const address = wordOf(host).replace(/:\d+$/, '');
  return address === '' || address === 'localhost' ? null : address.slice(0, 100);
};

const short = (value: unknown): string => plain(wordOf(value).slice(0, 200));

const toNumber = (value: unknown): number => {
  const number = Math.round(Number(value));
  return Number.isFinite(number) ? number : 0;
};

/** Only whether MySQL is there, where no words to log in with are known: it greets whoever comes. */
export const probeMysql = (vantage: Vantage, limits: Limits): Promise<Trial> =>
  tryOut(limits, async (at, limit) => {
    const stream = await vantage.dial(at, limit);
    at.layer = 'protocol';
    const chunk = await firstBytes(stream);
    if (!isMysql(chunk)) throw notMysql(chunk);
  });
