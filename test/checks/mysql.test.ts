import { describe, expect, it } from 'vitest';
import { mysql } from '../../src/checks/mysql.ts';
import type { LogLine, MysqlAttempt, MysqlFact, Trial } from '../../src/model/facts.ts';
import type { Container } from '../../src/model/stack.ts';
import { ADDRESS, findingsOf, listening, logLine, OK, PUBLISHED, reasonsOf, stopped } from './attempts.ts';
import { fact, gap, makeService, makeStack, NOW } from './make.ts';

const SECRET = '‹secret:00000001›';

const attempt = (trial: Trial, parts: Partial<MysqlAttempt> = {}): MysqlAttempt => ({
  client: 'shop',
  source: 'env DATABASE_URL',
  host: 'ledger',
  port: 3306,
  user: 'shop',
  database: 'shop',
  password: SECRET,
  tls: false,
  view: ADDRESS,
  trial,
  identity: null,
  ...parts,
});

type Server = NonNullable<MysqlFact['server']>;

const server = (parts: Partial<Server> = {}): Server => ({
  version: '11.8.3-MariaDB',
  readOnly: false,
  maxConnections: 151,
  startedAt: '2026-11-23T06:50:00.000Z',
  sessions: [],
  blockers: [],
  ...parts,
});

interface Case extends Partial<Omit<MysqlFact, 'attempts'>> {
  env?: Record<string, string>;
  health?: Container['health'];
  startedAt?: string;
  /** Another MySQL in the stack. */
  other?: boolean;
  /** Ports on which something listens inside; `undefined`: could not look. */
  listens?: number[];
}

const judge = (attempts: MysqlAttempt[], { env = {}, health = null, startedAt, other = false, listens, ...known }: Case = {}) => {
  const service = makeService({
    name: 'ledger',
    role: 'mysql',
    containers: [{ env, health, state: { startedAt: startedAt ?? '2026-11-23T06:50:00.000Z' } }],
  });
  const shop = makeService({ name: 'shop', role: 'http', containers: [{ networks: [{ ip: '172.18.0.5' }] }] });
  const source = makeService({ name: 'ledger-source', role: 'mysql', containers: [{ networks: [{ ip: '172.18.0.7' }] }] });
  return mysql.evaluate({
    service,
    stack: makeStack({ services: [service, shop, ...(other ? [source] : [])] }),
    facts: {
      mysql: fact({ server: server(), accounts: null, databases: null, serverLog: [], ...known, attempts }),
      inside: listening(listens),
    },
    peers: {},
    now: NOW,
  });
};

const says = (code: number, text: string): Trial => stopped('login', 'rejected', String(code), text);
const DENIED = says(1045, "Access denied for user 'shop'@'172.18.0.5' (using password: YES)");
const REFUSED = stopped('tcp', 'refused', 'ECONNREFUSED');

describe('what is found', () => {
  const cases: [string, MysqlAttempt[], Case, string[]][] = [
    ['a wrong password', [attempt(DENIED)], {}, ['auth-rejected']],
    [
      'a wrong password, of a user that the list of accounts has',
      [attempt(DENIED)],
      { accounts: [{ user: 'shop', host: '%' }] },
      ['auth-rejected'],
    ],
    ['a user that the list of accounts has not', [attempt(DENIED)], { accounts: [{ user: 'root', host: '%' }] }, ['user-missing']],
    ['a user for localhost alone', [attempt(DENIED)], { accounts: [{ user: 'shop', host: 'localhost' }] }, ['host-not-allowed']],
    [
      'a user for another address',
      [attempt(DENIED)],
      {
        accounts: [
          { user: 'shop', host: '192.0.2.1' },
          { user: 'shop', host: '10.%' },
        ],
      },
      ['host-not-allowed'],
    ],
    [
      'a wrong password, of a user for this network',
      [attempt(DENIED)],
      { accounts: [{ user: 'shop', host: '172.18.%' }] },
      ['auth-rejected'],
    ],
    [
      'a wrong password, of a user for a name',
      [attempt(DENIED)],
      { accounts: [{ user: 'shop', host: 'shop.p_default' }] },
      ['auth-rejected'],
    ],
    ['no account for this host at all', [attempt(says(1130, "Host '172.18.0.5' is not allowed to connect"))], {}, ['host-not-allowed']],
    ['shut out', [attempt(says(1129, "Host '172.18.0.5' is blocked because of many connection errors"))], {}, ['host-blocked']],
    [
      'the password that the container itself declares',
      [attempt(DENIED)],
      { env: { MYSQL_USER: 'shop', MYSQL_PASSWORD: SECRET } },
      ['password-volume-mismatch'],
    ],
    [
      'the same for root',
      [attempt(DENIED, { user: 'root' })],
      { env: { MARIADB_ROOT_PASSWORD: SECRET }, accounts: null },
      ['password-volume-mismatch'],
    ],
    [
      'a declared user that the data does not know',
      [attempt(DENIED)],
      { env: { MYSQL_USER: 'shop', MYSQL_PASSWORD: SECRET }, accounts: [{ user: 'root', host: '%' }] },
      ['password-volume-mismatch'],
    ],
    ['no such database', [attempt(says(1049, "Unknown database 'shop'"))], {}, ['database-missing']],
    ['one it may not know of', [attempt(says(1044, 'Access denied'))], { databases: ['mysql', 'other'] }, ['database-missing']],
    ['one it has no rights on', [attempt(says(1044, 'Access denied'))], { databases: ['Shop'] }, ['database-denied']],
    ['the same, where the list is not known', [attempt(says(1044, 'Access denied'))], {}, ['database-denied']],
    ['out of connections', [attempt(says(1040, 'Too many connections'))], {}, ['too-many-clients']],
    ["out of the user's own", [attempt(says(1203, 'User shop already has more than 5 active connections'))], {}, ['too-many-clients']],
    ['a full disk', [attempt(stopped('query', 'failed', '1021', 'Disk full (/tmp/#sql)'))], {}, ['disk-full']],
    [
      'a full disk under another number',
      [attempt(stopped('query', 'failed', '3', 'Error writing file (OS errno 28 - No space left on device)'))],
      {},
      ['disk-full'],
    ],
    ['read-only', [attempt(OK)], { server: server({ readOnly: true }) }, ['read-only']],
    ['an old way to log in', [attempt(says(1251, 'Client does not support authentication protocol'))], {}, ['auth-plugin']],
    ['TLS demanded', [attempt(says(3159, 'Connections using insecure transport are prohibited'))], {}, ['tls-required']],
    ['TLS where there is none', [attempt(stopped('tls', 'rejected', '', 'the server does not support TLS'))], {}, ['tls-required']],
    [
      'a sleeper that holds a lock',
      [attempt(OK)],
      { server: server({ blockers: [{ id: 7, address: '172.18.0.5', user: 'shop', command: 'Sleep', seconds: 40, blocked: 2 }] }) },
      ['blocked-sessions'],
    ],
    ['something else on the port', [attempt(stopped('protocol', 'failed', '', "the answer is not MySQL's"))], {}, ['not-mysql']],
    [
      'silence on a port where others speak no MySQL either',
      [attempt(stopped('protocol', 'timeout', 'ETIMEDOUT'), { client: 'old', port: 33_060 }), attempt(OK)],
      {},
      ['not-mysql'],
    ],
    ['another error', [attempt(says(1820, 'You must reset your password'))], {}, ['error']],
    ['refused', [attempt(REFUSED)], {}, ['refused']],
    ['refused, where it listens on no port: a socket file', [attempt(REFUSED, { client: 'ledger' })], { listens: [] }, ['skip']],
    ['silent', [attempt(stopped('protocol', 'timeout', 'ETIMEDOUT'))], {}, ['no-answer']],
    [
      'a probe that takes a rejection for an answer',
      [attempt(OK)],
      { health: healthOf("mysqladmin: connect to server at 'localhost' failed\nerror: 'Access denied for user 'root'@'localhost'") },
      ['probe-blind'],
    ],
  ];
  it.each(cases)('%s', (_, attempts, state, expected) => expect(reasonsOf(judge(attempts, state))).toEqual(expected));

  it('its first start, which nobody can reach yet', () => {
    expect(
      reasonsOf(judge([attempt(REFUSED)], { serverLog: lines(FIRST_START.slice(0, 4)), startedAt: '2026-11-23T06:59:55.000Z' })),
    ).toEqual(['starting-up']);
    // The temporary server says that it is ready, on port 0.
    expect(reasonsOf(judge([attempt(REFUSED)], { serverLog: lines(FIRST_START.slice(0, 4)) }))).toEqual(['starting-up:fail']);
    expect(reasonsOf(judge([attempt(REFUSED)], { serverLog: lines(FIRST_START) }))).toEqual(['refused']);
  });

  it('two users that are told the same are two things, two clients of one user are one', () => {
    const verdict = judge([attempt(DENIED), attempt(DENIED, { client: 'jobs' }), attempt(DENIED, { client: 'cron', user: 'cron' })]);
    expect(findingsOf(verdict).map(({ message }) => message)).toEqual([
      'ledger rejects the password that shop and jobs use for user "shop"',
      'ledger rejects the password that cron uses for user "cron"',
    ]);
  });

  it('one volume with other passwords is one finding, however many of them are tried', () => {
    const env = { MYSQL_USER: 'shop', MYSQL_PASSWORD: SECRET, MYSQL_ROOT_PASSWORD: SECRET };
    const verdict = judge([attempt(DENIED), attempt(DENIED, { client: 'ledger', user: 'root' })], { env });
    expect(findingsOf(verdict).map(({ message }) => message)).toEqual([
      'ledger rejects its own declared passwords for users "shop" and "root", which shop uses; its data was initialised with other ones',
    ]);
  });

  it('says who holds the connections', () => {
    const sessions = [{ address: '172.18.0.5', user: 'shop', database: 'shop', command: 'Sleep', count: 140, oldestSeconds: 9 }];
    const verdict = judge([attempt(says(1040, 'Too many connections'))], { server: server({ sessions }) });
    expect(findingsOf(verdict)[0]!.message).toBe('ledger has no connection left for shop: shop holds 140 of 151');
  });

  it('points elsewhere when nobody comes through', () => {
    expect(findingsOf(judge([attempt(REFUSED)]))[0]!.suspects).toContainEqual({ service: 'shop', check: 'network' });
  });
});

describe('what is healthy', () => {
  const cases: [string, MysqlAttempt[], Case][] = [
    ['answers', [attempt(OK)], {}],
    ['a replica beside its source', [attempt(OK)], { server: server({ readOnly: true }), other: true }],
    [
      'a busy session that holds others up',
      [attempt(OK)],
      { server: server({ blockers: [{ id: 7, address: null, user: 'shop', command: 'Query', seconds: 40, blocked: 2 }] }) },
    ],
    ['another server on the published port', [attempt(OK), attempt(DENIED, { client: 'ledger', view: PUBLISHED })], {}],
    ['a name that did not resolve', [attempt(stopped('name', 'not-found', 'ENOTFOUND'), { client: 'old' }), attempt(OK)], {}],
    ['a probe whose log-in is good', [attempt(OK)], { health: healthOf('mysqld is alive') }],
    [
      'a rejected probe that failed for it',
      [attempt(OK)],
      { health: { ...healthOf("Access denied for user 'root'@'localhost'"), status: 'unhealthy' } },
    ],
    ['nobody has words to try', [attempt({ ...OK, layer: 'protocol' }, { client: 'ledger', user: '' })], {}],
  ];
  it.each(cases)('%s', (_, attempts, state) => expect(judge(attempts, state)).toMatchObject({ findings: [] }));

  it("words of the container's own that harm nobody are a warning", () => {
    expect(reasonsOf(judge([attempt(OK), attempt(DENIED, { client: 'ledger', user: 'root' })]))).toEqual(['auth-rejected:warn']);
  });
});

describe('what cannot be seen', () => {
  it('no fact', () =>
    expect(
      mysql.evaluate({
        service: makeService(),
        stack: makeStack(),
        facts: { mysql: gap('no way in'), inside: gap('no way in') },
        peers: {},
        now: NOW,
      }),
    ).toEqual({ cannotLook: 'no way in' }));
  it('no tries', () => expect(reasonsOf(judge([]))).toEqual(['cannotLook']));
  it('a way of authentication that the doctor does not speak', () =>
    expect(reasonsOf(judge([attempt(stopped('login', 'no-tool', '', 'it asks for auth_gssapi_client'))]))).toEqual(['cannotLook']));
});

function healthOf(output: string): NonNullable<Container['health']> {
  return { status: 'healthy', failingStreak: 0, log: [{ exitCode: 0, output, start: NOW, end: NOW }] };
}

function lines(texts: string[]): LogLine[] {
  return texts.map((text) => logLine(text));
}

const FIRST_START = [
  '2026-11-23 06:59:51+00:00 [Note] [Entrypoint]: Initializing database files',
  '2026-11-23 06:59:53+00:00 [Note] [Entrypoint]: Starting temporary server',
  '2026-11-23 06:59:54 0 [Note] mariadbd: ready for connections.',
  "Version: '11.8.3-MariaDB'  socket: '/run/mysqld/mysqld.sock'  port: 0  Debian n/a",
  '2026-11-23 06:59:57+00:00 [Note] [Entrypoint]: Stopping temporary server',
  '2026-11-23 06:59:59 0 [Note] mariadbd: ready for connections.',
  "Version: '11.8.3-MariaDB'  socket: '/run/mysqld/mysqld.sock'  port: 3306  Debian n/a",
];
