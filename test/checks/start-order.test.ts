import { describe, expect, it } from 'vitest';
import { startOrder } from '../../src/checks/start-order.ts';
import type { Container, Healthcheck, Service, ServiceSpec } from '../../src/model/stack.ts';
import { logOf } from './attempts.ts';
import { ask, fact, findingsOf, gap, inShort, makeConnection, makeService, makeStack } from './make.ts';

type Parts = Omit<Partial<Container>, 'state' | 'compose'> & {
  state?: Partial<Container['state']>;
  compose?: Partial<Container['compose']>;
};

/** `db` began at 06:50:00. */
const dbIs = (parts: Parts = {}): Service => makeService({ name: 'db', role: 'postgres', containers: [parts] });
const probe = (test: string[], parts: Partial<Healthcheck> = {}): Healthcheck => ({
  test,
  intervalMs: 2_000,
  timeoutMs: 1_000,
  retries: 3,
  startPeriodMs: 0,
  ...parts,
});
const healthy = { status: 'healthy' as const, failingStreak: 0, log: [] };

const ended = (parts: Parts = {}): Parts => ({
  ...parts,
  state: { status: 'exited', exitCode: 1, finishedAt: '2026-11-23T06:50:03.000Z', ...parts.state },
});
const waits = (condition: string) => ({ compose: { dependsOn: { db: condition as 'service_started' } } });
const REFUSED = "ConnectionRefusedError: [Errno 111] Connect call failed ('172.18.0.5', 5432)";
const STARTING = 'asyncpg.exceptions.CannotConnectNowError: the database system is starting up';

const look = (
  container: Parts,
  log: string[] = [],
  { db = dbIs(), others = [], listeners }: { db?: Service; others?: Service[]; listeners?: object[] } = {},
) => {
  const app = makeService({ containers: [container] });
  return ask(startOrder, {
    stack: makeStack({ services: [app, db, ...others], connections: [makeConnection()] }),
    service: 'app',
    facts: {
      containers: fact([]),
      logs: fact({ container: 'p-app-1', since: null, lines: log.map((text) => ({ time: null, stream: 'stderr', text })) }),
      ...(listeners ? { inside: fact({ container: 'p-app-1', listeners }) } : {}),
    },
  });
};

const short = (...given: Parameters<typeof look>): string => inShort(startOrder, look(...given));

const WAITING = Array.from({ length: 4 }, () => 'Waiting for postgres:5432 to be up...');

/** The log names a host, and what the service depends on has another name. */
const overName = (host: string): string => {
  const depends = makeConnection({ kind: 'depends-on', host: 'db', port: 0, source: 'depends_on' });
  return inShort(
    startOrder,
    ask(startOrder, {
      stack: makeStack({ services: [makeService({ containers: [ended(waits('service_started'))] }), dbIs()], connections: [depends] }),
      service: 'app',
      facts: { containers: fact([]), logs: fact(logOf('p-app-1', [`Error: getaddrinfo ENOTFOUND ${host}`])) },
    }),
  );
};

it('start-order: a name that nobody has is no matter of waiting', () => {
  expect(overName('dbb')).toBe('pass');
  expect(overName('db')).toBe('fail too-early');
});

describe('start-order: in order', () => {
  it.each<[string, Parameters<typeof look>]>([
    ['it runs', [{}]],
    ['it ended over something else', [ended(), ['ValueError: no such setting']]],
    ['it ended long after the other began', [ended({ state: { finishedAt: '2026-11-23T06:58:00.000Z' } }), [REFUSED]]],
    ['it ended, and the other does not run', [ended(), [REFUSED], { db: dbIs({ state: { status: 'exited' } }) }]],
    [
      'it waited for a healthcheck over the network',
      [ended(waits('service_healthy')), [STARTING], { db: dbIs({ healthcheck: probe(['CMD', 'pg_isready', '-h', '127.0.0.1']) }) }],
    ],
    ['it was stopped', [ended({ state: { exitCode: 143 } }), [REFUSED]]],
    ['it is started again by Docker', [ended({ state: { status: 'restarting' } }), [REFUSED]]],
    [
      'it was created by itself, later',
      [
        { ...waits('service_healthy'), state: { status: 'created' }, createdAt: '2026-11-23T06:58:00.000Z' },
        [],
        { db: dbIs({ health: healthy, healthcheck: probe(['CMD', 'true']) }) },
      ],
    ],
    [
      'it was created, and the other is not healthy',
      [
        { ...waits('service_healthy'), state: { status: 'created' } },
        [],
        { db: dbIs({ health: { ...healthy, status: 'unhealthy' }, healthcheck: probe(['CMD', 'true']) }) },
      ],
    ],
    [
      'it was created, and a job that it waits for failed, whatever took its time beside',
      [
        { compose: { dependsOn: { db: 'service_healthy', schema: 'service_completed_successfully' } }, state: { status: 'created' } },
        [],
        {
          db: dbIs({ health: healthy, healthcheck: probe(['CMD', 'true']) }),
          others: [makeService({ name: 'schema', containers: [{ state: { status: 'exited', exitCode: 1 } }] })],
        },
      ],
    ],
    [
      'Compose gave up over another that Docker could not start',
      [
        { ...waits('service_healthy'), state: { status: 'created' } },
        [],
        {
          db: dbIs({ health: healthy, healthcheck: probe(['CMD', 'true']) }),
          others: [makeService({ name: 'mail', containers: [{ state: { status: 'created', error: 'no such user' } }] })],
        },
      ],
    ],
    ['it has just begun to wait', [{ state: { startedAt: '2026-11-23T06:59:50.000Z' } }, WAITING, { listeners: [] }]],
    ['it waited, and serves now', [{}, WAITING, { listeners: [{ family: 4, address: '0.0.0.0', port: 80 }] }]],
    ['it waits for jobs', [{}, ['Started', 'Listening on queue', 'Ready'], { listeners: [] }]],
  ])('%s', (_, given) => {
    expect(short(...given)).toBe('pass');
  });

  it('could not look', () => {
    expect(
      inShort(
        startOrder,
        ask(startOrder, { stack: makeStack({ services: [makeService()] }), service: 'app', facts: { logs: gap('no log') } }),
      ),
    ).toBe('cannot look');
  });
});

describe('start-order: out of order', () => {
  it.each<[string, Parameters<typeof look>, string]>([
    ['no depends_on at all', [ended(), [REFUSED]], 'fail too-early'],
    ['a depends_on that waits for the start alone', [ended(waits('service_started')), [STARTING]], 'fail too-early'],
    ['the other was started later still', [ended({ state: { finishedAt: '2026-11-23T06:49:30.000Z' } }), [REFUSED]], 'fail too-early'],
    [
      'a healthcheck over the socket file',
      [ended(waits('service_healthy')), [REFUSED], { db: dbIs({ healthcheck: probe(['CMD-SHELL', 'pg_isready -U app']) }) }],
      'fail healthy-too-early',
    ],
    [
      'the other was too slow',
      [
        { ...waits('service_healthy'), state: { status: 'created' } },
        [],
        { db: dbIs({ health: healthy, healthcheck: probe(['CMD', 'true']) }) },
      ],
      'fail gave-up-waiting',
    ],
    ['a script that waits', [{}, WAITING, { listeners: [] }], 'fail waits-in-vain'],
  ])('%s', (_, given, expected) => {
    expect(short(...given)).toBe(expected);
  });

  it('says whom it did not wait for, and how long that had been up', () => {
    const [finding] = findingsOf(look(ended(), [REFUSED]));
    expect(finding.message).toBe('app ended 3 s after the start of db, and did not wait until that was ready');
    expect(finding.values).toMatchObject({ target: 'db' });
  });
});

describe('start-order: before it runs', () => {
  const before = (
    command: string[] | null,
    parts: Partial<ServiceSpec> = {},
    connections = [makeConnection()],
    db = makeService({ name: 'db', containers: [] }),
  ) =>
    inShort(
      startOrder,
      ask(startOrder, {
        stack: makeStack({ services: [makeService({ containers: [], spec: parts }), db], connections }),
        service: 'app',
        facts: { making: fact({ command, lines: { 'depends_on db': { file: 'compose.yaml', line: 12 } } }) },
      }),
    );
  const plain = { dependsOn: { db: 'service_started' as const } };
  it.each<[string, string, string]>([
    ['a migration', before(['alembic', 'upgrade', 'head'], plain), 'warn not-awaited'],
    ['a migration before the server', before(['sh', '-c', 'alembic upgrade head && uvicorn app:app'], plain), 'warn not-awaited'],
    ['no word of the database at all', before(['python', 'manage.py', 'migrate'], {}), 'warn not-awaited'],
    ['a server, which may try again', before(['uvicorn', 'app:app'], plain), 'skip'],
    ['a script that waits', before(['sh', '-c', 'until pg_isready -h db; do sleep 1; done; alembic upgrade head'], plain), 'skip'],
    ['a database that is waited for', before(['alembic', 'upgrade', 'head'], { dependsOn: { db: 'service_healthy' } }), 'skip'],
    ['Docker starts it again', before(['alembic', 'upgrade', 'head'], { ...plain, restart: 'on-failure' }), 'skip'],
    ['an entry point that nobody has read', before(null, plain), 'skip'],
    [
      'a database of somebody else',
      before(['alembic', 'upgrade', 'head'], plain, [makeConnection({ to: null, host: 'db.example.com' })]),
      'skip',
    ],
    ['a database that runs already', before(['alembic', 'upgrade', 'head'], plain, [makeConnection()], dbIs()), 'skip'],
  ])('%s', (_, found, expected) => expect(found).toBe(expected));
});
