import { describe, expect, it } from 'vitest';
import { postgres } from '../../src/checks/postgres.ts';
import type { PostgresAttempt, PostgresFact, Trial } from '../../src/model/facts.ts';
import { ADDRESS, findingsOf, insideOf, listening, logLine, logOf, OK, PUBLISHED, reasonsOf, stopped } from './attempts.ts';
import { fact, gap, makeService, makeStack, NOW } from './make.ts';

const SECRET = '‹secret:00000001›';
const OTHER = '‹secret:00000002›';

const attempt = (trial: Trial, parts: Partial<PostgresAttempt> = {}): PostgresAttempt => ({
  client: 'shop',
  source: 'env DATABASE_URL',
  host: 'store',
  port: 5432,
  user: 'owner',
  database: 'shop',
  password: SECRET,
  view: ADDRESS,
  trial,
  identity: null,
  ...parts,
});

const server = (parts: Partial<NonNullable<PostgresFact['server']>> = {}): NonNullable<PostgresFact['server']> => ({
  version: '18.6',
  inRecovery: false,
  readOnly: false,
  maxConnections: 100,
  sessions: [],
  startedAt: NOW,
  blockers: [],
  ...parts,
});

interface Case {
  attempts: PostgresAttempt[];
  server?: PostgresFact['server'];
  log?: string[];
  /** The server's log of this start, with times. */
  own?: [string, string][];
  env?: Record<string, string>;
  startedAt?: string;
  otherPostgres?: boolean;
  /** Where something listens inside; `undefined`: could not look. */
  listens?: (number | string)[];
}

const judge = ({
  attempts,
  server: state = null,
  log = [],
  own = [],
  env = { POSTGRES_USER: 'owner', POSTGRES_PASSWORD: SECRET },
  startedAt = '2026-11-23T06:50:00.000Z',
  otherPostgres = false,
  listens,
}: Case) => {
  const service = makeService({ name: 'store', role: 'postgres', containers: [{ env, state: { startedAt } }] });
  const shop = makeService({ name: 'shop', role: 'http', containers: [{ networks: [{ ip: '172.18.0.9' }] }] });
  const services = [service, shop, ...(otherPostgres ? [makeService({ name: 'primary', role: 'postgres' })] : [])];
  const value: PostgresFact = { attempts, server: state, serverLog: log.map((text) => logLine(text)) };
  return postgres.evaluate({
    service,
    stack: makeStack({ services }),
    facts: {
      inside: listening(listens),
      postgres: fact(value),
      logs: fact(
        logOf(
          'p-store-1',
          own.map(([time, text]) => logLine(text, time)),
        ),
      ),
    },
    peers: {},
    now: NOW,
  });
};

const wrongPassword = stopped('login', 'rejected', '28P01', 'password authentication failed for user "owner"');
const matched = 'DETAIL:  Connection matched file "/var/lib/postgresql/18/docker/pg_hba.conf" line 128: "host all all all scram-sha-256"';
const sql = (code: string, text: string): Trial => stopped('login', 'rejected', code, text);

const SHM = 'ERROR:  could not resize shared memory segment "/PostgreSQL.12" to 1048576 bytes: No space left on device';

describe('what is found', () => {
  const cases: [string, Case, string[]][] = [
    [
      'a client with another password than the declared one',
      { attempts: [attempt(wrongPassword, { password: OTHER }), attempt(OK, { client: 'store' })], log: [matched] },
      ['auth-rejected'],
    ],
    ['the declared password itself is rejected', { attempts: [attempt(wrongPassword)], log: [matched] }, ['password-volume-mismatch']],
    [
      '28P01, and the log tells that the role is missing',
      { attempts: [attempt(wrongPassword)], log: ['DETAIL:  Role "owner" does not exist.'] },
      ['role-missing'],
    ],
    [
      'the same, where the name of the role is masked',
      { attempts: [attempt(wrongPassword)], log: [`DETAIL:  Role "${OTHER}" does not exist.`] },
      ['role-missing'],
    ],
    [
      'another role is missing, as a healthcheck may say (FA-7)',
      { attempts: [attempt(wrongPassword, { password: OTHER })], log: ['FATAL:  role "root" does not exist', matched] },
      ['auth-rejected'],
    ],
    ['28000 with a missing role', { attempts: [attempt(sql('28000', 'role "owner" does not exist'))] }, ['role-missing']],
    [
      'no entry in pg_hba.conf',
      { attempts: [attempt(sql('28000', 'no pg_hba.conf entry for host "172.18.0.9", user "owner", database "shop", no encryption'))] },
      ['no-hba-entry'],
    ],
    ['no such database', { attempts: [attempt(sql('3D000', 'database "shop" does not exist'))] }, ['database-missing']],
    ['no slot left', { attempts: [attempt(sql('53300', 'sorry, too many clients already'))] }, ['too-many-clients']],
    ['no disk left', { attempts: [attempt(sql('53100', 'could not extend file: No space left on device'))] }, ['disk-full']],
    [
      '53100 of /dev/shm',
      { attempts: [attempt(sql('53100', 'could not resize shared memory segment "/PostgreSQL.1" to 8 bytes: No space left on device'))] },
      ['shared-memory-full'],
    ],
    ['/dev/shm was full a moment ago', { attempts: [attempt(OK)], own: [[NOW, SHM]] }, ['shared-memory-full']],
    ['/dev/shm was full an hour ago', { attempts: [attempt(OK)], own: [['2026-11-23T06:00:00.000Z', SHM]] }, ['shared-memory-full:warn']],
    [
      'the disk was full a moment ago',
      { attempts: [attempt(OK)], own: [[NOW, 'ERROR:  could not extend file "base/5/1": No space left on device']] },
      ['disk-full'],
    ],
    [
      'another collation (FA-9: no failure)',
      { attempts: [attempt(OK)], own: [[NOW, 'WARNING:  database "shop" has a collation version mismatch']] },
      ['collation-version'],
    ],
    [
      'starting up',
      { attempts: [attempt(sql('57P03', 'the database system is starting up'))], startedAt: '2026-11-23T06:59:50.000Z' },
      ['starting-up'],
    ],
    ['starting up for ten minutes', { attempts: [attempt(sql('57P03', 'the database system is starting up'))] }, ['starting-up:fail']],
    [
      'cut off once by a restart (FA-24)',
      { attempts: [attempt(sql('57P01', 'terminating connection due to administrator command'))], startedAt: '2026-11-23T06:59:59.000Z' },
      ['starting-up'],
    ],
    ['another SQLSTATE', { attempts: [attempt(sql('42501', 'permission denied for database "shop"'))] }, ['error']],
    [
      'TLS demanded of a server without',
      { attempts: [attempt(stopped('tls', 'rejected', '', 'The server does not support SSL connections'))] },
      ['tls-required'],
    ],
    [
      'no password given',
      { attempts: [attempt(stopped('login', 'failed', '', 'client password must be a string'), { password: null })] },
      ['auth-rejected'],
    ],
    [
      'its own words refused, where it listens on no port at all: a socket file',
      { attempts: [attempt(stopped('tcp', 'refused', 'ECONNREFUSED'), { client: 'store' })], listens: [] },
      ['skip'],
    ],
    [
      'its own words refused, and it listens on its own loopback',
      { attempts: [attempt(stopped('tcp', 'refused', 'ECONNREFUSED'), { client: 'store' })], listens: ['127.0.0.1:5432'] },
      ['refused'],
    ],
    ['a client refused, where it listens on no port at all', { attempts: [attempt(stopped('tcp', 'refused'))], listens: [] }, ['refused']],
    ['refused from everywhere', { attempts: [attempt(stopped('tcp', 'refused', 'ECONNREFUSED'))] }, ['refused']],
    [
      'refused by address, while somebody else says no on the port of the host',
      { attempts: [attempt(stopped('tcp', 'refused', 'ECONNREFUSED')), attempt(wrongPassword, { view: PUBLISHED })] },
      ['refused'],
    ],
    [
      'bound to its own loopback: refused by address, closed by the proxy of the port',
      {
        attempts: [
          attempt(stopped('tcp', 'refused', 'ECONNREFUSED')),
          attempt(stopped('protocol', 'reset'), { client: 'store', view: PUBLISHED }),
        ],
      },
      ['refused'],
    ],
    ['silent', { attempts: [attempt(stopped('protocol', 'timeout', 'ETIMEDOUT'))] }, ['no-answer']],
    [
      'something else on the port',
      { attempts: [attempt(stopped('protocol', 'failed', '', 'HTTP/1.1 400 Bad Request'))] },
      ['not-postgres'],
    ],
    ['a lone standby', { attempts: [attempt(OK)], server: server({ inRecovery: true }) }, ['in-recovery']],
    ['read-only by default', { attempts: [attempt(OK)], server: server({ readOnly: true }) }, ['read-only']],
    [
      'an idle transaction that others wait for',
      {
        attempts: [attempt(OK)],
        server: server({
          blockers: [{ pid: 55, address: '172.18.0.9', application: 'psql', state: 'idle in transaction', seconds: 840, blocked: 2 }],
        }),
      },
      ['blocked-sessions'],
    ],
  ];
  it.each(cases)('%s', (_, given, expected) => expect(reasonsOf(judge(given))).toEqual(expected));
});

describe('what is healthy, or is for another check to say', () => {
  const cases: [string, Case, string[]][] = [
    ['accepted', { attempts: [attempt(OK)], server: server() }, []],
    [
      'the published port is refused or not ours, the address accepts (FA-13)',
      { attempts: [attempt(wrongPassword, { view: PUBLISHED, client: 'store' }), attempt(OK)] },
      [],
    ],
    [
      'a client whose name or port fails on the way, while the server answers others',
      {
        attempts: [
          attempt(stopped('name', 'not-found', 'EAI_AGAIN'), { client: 'job' }),
          attempt(stopped('tcp', 'refused'), { client: 'cron', port: 5433 }),
          attempt(OK),
        ],
      },
      [],
    ],
    [
      'one view of the client is refused, another is accepted',
      { attempts: [attempt(stopped('tcp', 'refused')), attempt(OK, { view: insideOf('shop') })] },
      [],
    ],
    ['a standby beside a primary', { attempts: [attempt(OK)], server: server({ inRecovery: true }), otherPostgres: true }, []],
    [
      'a lock that is waited for, held by work in progress',
      {
        attempts: [attempt(OK)],
        server: server({ blockers: [{ pid: 5, address: null, application: '', state: 'active', seconds: 60, blocked: 3 }] }),
      },
      [],
    ],
    [
      'a short wait',
      {
        attempts: [attempt(OK)],
        server: server({ blockers: [{ pid: 5, address: null, application: '', state: 'idle in transaction', seconds: 0, blocked: 1 }] }),
      },
      [],
    ],
    [
      'declared credentials that nobody uses any more',
      { attempts: [attempt(wrongPassword, { client: 'store' }), attempt(OK, { password: OTHER })], log: [matched] },
      ['password-volume-mismatch:warn'],
    ],
  ];
  it.each(cases)('%s', (_, given, expected) => expect(reasonsOf(judge(given))).toEqual(expected));
});

describe('could not look', () => {
  const cases: [string, Case][] = [
    ['no tool in any image (FA-21)', { attempts: [attempt(stopped('tcp', 'no-tool', '', 'shop has no shell'))] }],
    [
      'one client of two could not be tried',
      {
        attempts: [
          attempt(OK),
          attempt(stopped('tcp', 'no-tool', '', 'no shell'), { client: 'job', password: OTHER, view: insideOf('job') }),
        ],
      },
    ],
    ['no credentials', { attempts: [] }],
    ['only a name that does not resolve', { attempts: [attempt(stopped('name', 'not-found'))] }],
  ];
  it.each(cases)('%s', (_, given) => expect(reasonsOf(judge(given))).toEqual(['cannotLook']));

  it('a fact that is missing', () => {
    const service = makeService({ name: 'store', role: 'postgres' });
    expect(
      postgres.evaluate({
        service,
        stack: makeStack(),
        facts: { postgres: gap('engine went away'), logs: gap('engine went away'), inside: gap('engine went away') },
        peers: {},
        now: NOW,
      }),
    ).toEqual({
      cannotLook: 'engine went away',
    });
  });
});

describe('what is said', () => {
  it('names every client of the same fault once, and compares with what the server declares', () => {
    const attempts = ['shop', 'job'].map((client) => attempt(wrongPassword, { client, password: OTHER }));
    const [finding, ...more] = findingsOf(judge({ attempts, log: [matched] }));
    expect(more).toEqual([]);
    expect(finding?.message).toBe(
      'store rejects the password that shop and job use for user "owner"; it differs from POSTGRES_PASSWORD of store',
    );
    expect(finding?.evidence[0]).toEqual({ source: 'postgres 28P01 from shop', text: 'password authentication failed for user "owner"' });
    expect(finding?.values).toMatchObject({ client: 'shop', target: 'store', user: 'owner', database: 'shop', port: '5432' });
  });

  it('keeps two different databases apart', () => {
    const missing = (database: string, client: string) =>
      attempt(sql('3D000', `database "${database}" does not exist`), { database, client });
    expect(reasonsOf(judge({ attempts: [missing('a', 'shop'), missing('b', 'job')] }))).toEqual(['database-missing', 'database-missing']);
  });

  it('names the service that holds the connections', () => {
    const sessions = [
      { address: '172.18.0.9', application: '', user: 'owner', state: 'idle', count: 97, oldestSeconds: 60 },
      { address: null, application: 'psql', user: 'owner', state: 'active', count: 1, oldestSeconds: 1 },
    ];
    const [finding] = findingsOf(
      judge({ attempts: [attempt(sql('53300', 'sorry, too many clients already'), { client: 'job' })], server: server({ sessions }) }),
    );
    expect(finding?.message).toBe('store has no connection left for job: shop holds 97 of 100');
  });

  it('tells who is let in while another is turned away, where that is not of the moment', () => {
    const first = (attempts: PostgresAttempt[]) => findingsOf(judge({ attempts }))[0];
    const rejected = attempt(wrongPassword, { password: OTHER });
    const job = attempt(OK, { client: 'job', password: OTHER, user: 'job' });
    expect(first([rejected, job, attempt(OK, { client: 'store' })])?.spares).toEqual(['job']);
    expect(first([rejected, attempt(OK, { client: 'store' })])?.spares).toBeUndefined();
    // With other words of its own it comes in; with these it does not.
    expect(first([rejected, attempt(OK, { source: 'env OTHER_URL' })])?.spares).toBeUndefined();
    expect(first([attempt(sql('53300', 'sorry, too many clients already')), job])?.spares).toBeUndefined();
  });

  it('points from an unreachable server to its container and to the client side', () => {
    const [finding] = findingsOf(judge({ attempts: [attempt(stopped('tcp', 'refused', 'ECONNREFUSED'))] }));
    expect(finding?.suspects).toContainEqual({ service: 'shop', check: 'network' });
  });

  it('never shows a mark in a message', () => {
    for (const trial of [wrongPassword, sql('3D000', 'no')]) {
      for (const { message } of findingsOf(judge({ attempts: [attempt(trial, { password: OTHER })] }))) expect(message).not.toContain('‹');
    }
  });
});
