import { describe, expect, it } from 'vitest';
import { worker } from '../../src/checks/worker.ts';
import type { Fact, RedisFact } from '../../src/model/facts.ts';
import type { Connection, Role } from '../../src/model/stack.ts';
import { ADDRESS, findingsOf, logLine, logOf, OK, reasonsOf, stopped } from './attempts.ts';
import { fact, gap, makeConnection, makeService, makeStack, NOW } from './make.ts';

type Server = NonNullable<RedisFact['server']>;
type Session = Server['sessions'][number];
type Queue = Server['queues'][number];

const JOBS = '172.18.0.8';
const SHOP = '172.18.0.9';

const session = (address: string, parts: Partial<Session> = {}): Session => ({
  address: `${address}:40100`,
  database: 0,
  command: 'brpop',
  idleSeconds: 3,
  blocked: true,
  name: '',
  ...parts,
});
const list = (parts: Partial<Queue> = {}): Queue => ({
  key: 'jobs',
  database: 0,
  type: 'list',
  length: 3,
  lengthLater: 3,
  groups: [],
  ...parts,
});
const stream = (lag: number | null): Queue => ({
  key: 'events',
  database: 0,
  type: 'stream',
  length: 40,
  lengthLater: 40,
  groups: [{ name: 'g', consumers: 0, pending: 0, lag }],
});

const redisFact = (parts: Partial<Server>, trial = OK): Fact<RedisFact> =>
  fact({
    attempts: [
      {
        client: 'jobs',
        source: 'env REDIS_URL',
        host: 'kv',
        port: 6379,
        user: null,
        password: null,
        database: 0,
        tls: false,
        view: ADDRESS,
        trial,
        runId: 'r',
      },
    ],
    server: {
      version: '8',
      runId: 'r',
      role: 'master',
      masterHost: null,
      masterLinkUp: null,
      loading: false,
      usedMemory: 1,
      maxMemory: 0,
      maxMemoryPolicy: '',
      lastSaveOk: true,
      lastAofWriteOk: true,
      clients: 2,
      maxClients: 100,
      keyspace: {},
      sessions: [],
      queues: [],
      ...parts,
    },
  });

const link = (from: string, database: string | null, to = 'kv'): Connection =>
  makeConnection({ from, to, host: to, port: 6379, kind: 'redis', database, source: 'env REDIS_URL' });

interface Case {
  server?: Partial<Server>;
  redis?: Fact<RedisFact>;
  /** Another Redis of the stack, `other-kv`. */
  other?: Partial<Server>;
  connections?: Connection[];
  command?: string[];
  startedAt?: string;
  log?: string[];
  /** Lines with their times. */
  logged?: [string, string][];
  hostNetwork?: boolean;
  env?: Record<string, string>;
  /** Of the other service, `shop`. */
  shopEnv?: Record<string, string>;
  role?: Role;
}

const judge = (given: Case) => {
  const service = makeService({
    name: 'jobs',
    role: given.role ?? 'worker',
    containers: [
      {
        env: given.env ?? {},
        command: given.command ?? ['python', '-m', 'shop.worker'],
        networks: given.hostNetwork ? [{ ip: '' }] : [{ ip: JOBS }],
        state: { startedAt: given.startedAt ?? '2026-11-23T06:50:00.000Z' },
      },
    ],
  });
  const shop = makeService({ name: 'shop', role: 'http', containers: [{ env: given.shopEnv ?? {}, networks: [{ ip: SHOP }] }] });
  const kv = makeService({ name: 'kv', role: 'redis', containers: [{ networks: [{ ip: '172.18.0.3' }] }] });
  const connections = given.connections ?? [link('jobs', '0'), link('shop', '0')];
  return worker.evaluate({
    service,
    stack: makeStack({
      services: [service, shop, kv, ...(given.other ? [makeService({ name: 'other-kv', role: 'redis' })] : [])],
      connections,
    }),
    facts: { logs: fact(logOf('p-jobs-1', [...(given.log ?? []), ...(given.logged ?? []).map(([time, text]) => logLine(text, time))])) },
    peers: {
      kv: { redis: given.redis ?? redisFact(given.server ?? {}) },
      ...(given.other ? { 'other-kv': { redis: redisFact(given.other) } } : {}),
    },
    now: NOW,
  });
};

describe('what is found', () => {
  const cases: [string, Case, string[]][] = [
    [
      'work waits, and the worker has no session',
      { server: { queues: [list()], sessions: [session(SHOP, { command: 'lpush', blocked: false })] } },
      ['no-consumer'],
    ],
    [
      'a stream group lags, and the worker has no session',
      { server: { queues: [stream(5)], sessions: [session(SHOP, { command: 'xadd', blocked: false })] } },
      ['no-consumer'],
    ],
    [
      'work waits, and the worker only said hello',
      { server: { queues: [list()], sessions: [session(JOBS, { command: 'client|setinfo', blocked: false })] } },
      ['no-consumer'],
    ],
    [
      'nothing waits, and the worker has no session',
      { server: { sessions: [session(SHOP, { command: 'get', blocked: false })] } },
      ['not-connected'],
    ],
    ['nobody at all is connected', {}, ['not-connected']],
    [
      'the worker waits for a queue of another name',
      { server: { queues: [list()], sessions: [session(JOBS)] }, env: { QUEUE: 'job' }, shopEnv: { QUEUE: 'jobs' } },
      ['other-queue'],
    ],
    [
      "the same, with a library's own words around the name",
      {
        server: { queues: [list({ key: 'rq:queue:jobs' })], sessions: [session(JOBS)] },
        env: { RQ_QUEUE: 'job' },
        shopEnv: { RQ_QUEUE: 'jobs' },
      },
      ['other-queue'],
    ],
    [
      'a queue that its own command does not name',
      { server: { queues: [list()], sessions: [session(JOBS)] }, command: ['celery', '-A', 'shop', 'worker', '-Q', 'job,mails'] },
      ['other-queue'],
    ],
    [
      'one that its command names, and it has more than it can take',
      { server: { queues: [list()], sessions: [session(JOBS)] }, command: ['celery', 'worker', '--queues=jobs'] },
      [],
    ],
    [
      'a queue that its command does not name, which somebody else waits for',
      { server: { queues: [list()], sessions: [session(JOBS), session('172.18.0.10')] }, command: ['celery', 'worker', '-Q', 'mails'] },
      [],
    ],
    [
      'a list that is no queue: both are told the same',
      { server: { queues: [list()], sessions: [session(JOBS)] }, env: { QUEUE: 'jobs' }, shopEnv: { QUEUE: 'jobs' } },
      [],
    ],
    [
      'a list that is called as another service is',
      { server: { queues: [list({ key: 'shop:recent' })], sessions: [session(JOBS)] }, env: { NAME: 'jobs' }, shopEnv: { NAME: 'shop' } },
      [],
    ],
    [
      'a queue of another name, that somebody else waits for',
      {
        server: { queues: [list()], sessions: [session(JOBS), session('172.18.0.10')] },
        env: { QUEUE: 'job' },
        shopEnv: { QUEUE: 'jobs' },
      },
      [],
    ],
    [
      'the work lies in another database',
      {
        server: { queues: [list()], keyspace: { 0: 1 }, sessions: [session(JOBS, { database: 1 })] },
        connections: [link('jobs', '1'), link('shop', null)],
      },
      ['other-queue'],
    ],
    [
      "the same, with a session of the doctor on the worker's database",
      {
        server: {
          queues: [list()],
          keyspace: { 0: 1 },
          sessions: [session(JOBS, { database: 1 }), session('172.18.0.1', { database: 1, blocked: false, command: 'ping' })],
        },
        connections: [link('jobs', '1'), link('shop', null)],
      },
      ['other-queue'],
    ],
    [
      'the worker reads an empty database that nobody else uses',
      { server: { sessions: [session(JOBS, { database: 1 })] }, connections: [link('jobs', '1'), link('shop', '0')] },
      ['other-queue:warn'],
    ],
    [
      'the worker reads an empty Redis that nobody else uses',
      { server: { sessions: [session(JOBS)] }, connections: [link('jobs', '0'), link('shop', '0', 'other-kv')] },
      ['other-queue:warn'],
    ],
    [
      'the work lies in another Redis, which the worker does not know of',
      {
        server: { sessions: [session(JOBS)], keyspace: { 0: 2 } },
        other: { queues: [list()], sessions: [session(SHOP, { command: 'lpush', blocked: false })] },
        connections: [link('jobs', '0'), link('shop', '0', 'other-kv')],
      },
      ['other-queue'],
    ],
    [
      'a task that its code does not have (TaskIQ)',
      { server: { sessions: [session(JOBS)] }, log: ['task "shop.mail" is not found. Maybe you forgot to import it?'] },
      ['task-unknown'],
    ],
    [
      'a task that its code does not have (Celery)',
      { server: { sessions: [session(JOBS)] }, log: ["Received unregistered task of type 'shop.mail'."] },
      ['task-unknown'],
    ],
    [
      'the same, an hour ago',
      { server: { sessions: [session(JOBS)] }, logged: [['2026-11-23T06:00:00.000Z', 'task "shop.mail" is not found']] },
      ['task-unknown:warn'],
    ],
    [
      'no broker is set',
      { connections: [], log: ['[ERROR] consumer: Cannot connect to amqp://guest:**@127.0.0.1:5672//: Connection refused.'] },
      ['broker-not-set'],
    ],
    [
      'the queue grows under the eyes of the worker',
      { server: { queues: [list({ length: 3, lengthLater: 9 })], sessions: [session(JOBS, { command: 'lpop', blocked: false })] } },
      ['backlog-growing'],
    ],
  ];
  it.each(cases)('%s', (_, given, expected) => expect(reasonsOf(judge(given))).toEqual(expected));
});

describe('what is healthy', () => {
  const cases: [string, Case][] = [
    ['waiting for work', { server: { sessions: [session(JOBS)] } }],
    [
      'work waits while the worker takes it (FA-39)',
      { server: { queues: [list({ length: 30, lengthLater: 12 })], sessions: [session(JOBS, { command: 'brpop', blocked: false })] } },
    ],
    [
      'busy with a long job: it asks for nothing now',
      { server: { queues: [list()], sessions: [session(JOBS, { command: 'hset', blocked: false, idleSeconds: 600 })] } },
    ],
    ['a list that is no queue, beside a worker that waits', { server: { queues: [list({ key: 'recent' })], sessions: [session(JOBS)] } }],
    ['a stream that was read and is kept', { server: { queues: [stream(0)], sessions: [session(JOBS, { command: 'xreadgroup' })] } }],
    ['just started', { startedAt: '2026-11-23T06:59:58.000Z' }],
    [
      'a cache in one database, the queue in another',
      {
        server: { keyspace: { 0: 5, 1: 2 }, queues: [list({ key: 'recent' })], sessions: [session(JOBS, { database: 1 })] },
        connections: [link('jobs', '1'), link('shop', '0'), link('shop', '1')],
      },
    ],
    [
      'the database is chosen in the code of both',
      {
        server: {
          queues: [list()],
          sessions: [session(JOBS, { database: 2 }), session(SHOP, { database: 2, blocked: false, command: 'lpush' })],
        },
        connections: [link('jobs', '0'), link('shop', '0')],
      },
    ],
    [
      'a cache in another Redis, and a queue with a producer in its own',
      {
        server: { sessions: [session(JOBS)] },
        other: { queues: [list({ key: 'recent' })] },
        connections: [link('jobs', '0'), link('shop', '0'), link('shop', '0', 'other-kv')],
      },
    ],
    [
      'another Redis, whose queue another worker waits at',
      {
        server: { sessions: [session(JOBS)], keyspace: { 0: 2 } },
        other: { queues: [list()], sessions: [session('172.18.0.77')] },
        connections: [link('jobs', '0'), link('shop', '0', 'other-kv')],
      },
    ],
    [
      'a task that was unknown until the code was loaded anew',
      { server: { sessions: [session(JOBS)] }, log: ['task "shop.mail" is not found', 'Reloading...', 'listening'] },
    ],
    ['the only client', { server: { sessions: [session(JOBS)] }, connections: [link('jobs', '0')] }],
    [
      "another worker's queue",
      {
        server: {
          queues: [list({ database: 1 })],
          keyspace: { 0: 0, 1: 1 },
          sessions: [session(JOBS), session('172.18.0.77', { database: 1 })],
        },
        connections: [link('jobs', '0'), link('shop', '0'), link('shop', '1')],
      },
    ],
  ];
  it.each(cases)('%s', (_, given) => expect(reasonsOf(judge(given))).toEqual([]));
});

describe('does not apply, or could not look', () => {
  const cases: [string, Case, string[]][] = [
    ['no Redis', { connections: [makeConnection({ from: 'jobs' })] }, ['skip']],
    ['a queue in RabbitMQ', { connections: [link('jobs', '0'), makeConnection({ from: 'jobs', to: 'mq', kind: 'amqp' })] }, ['skip']],
    ['a scheduler', { command: ['taskiq', 'scheduler', 'app:scheduler'] }, ['skip']],
    ['Celery beat', { command: ['celery', '-A', 'app', 'beat'] }, ['skip']],
    ['Redis let nobody in', { redis: redisFact({}, stopped('login', 'rejected', 'NOAUTH')) }, ['cannotLook']],
    ['CLIENT LIST is denied', { server: { clients: 9 } }, ['cannotLook']],
    ['no fact', { redis: gap('no time left') }, ['cannotLook']],
    ["the host's network", { hostNetwork: true, server: { sessions: [session('172.18.0.1')] } }, ['cannotLook']],
    ['sessions over IPv6', { server: { sessions: [session('[fd00::8]')] } }, ['cannotLook']],
  ];
  it.each(cases)('%s', (_, given, expected) => expect(reasonsOf(judge(given))).toEqual(expected));
});

it('says what waits where, and shows the known error of the log', () => {
  const log = ['starting', 'redis.exceptions.ConnectionError: Error -2 connecting to cache:6379. Name or service not known'];
  const [finding] = findingsOf(
    judge({
      server: { queues: [list({ length: 37, lengthLater: 37 })], sessions: [session(SHOP, { blocked: false, command: 'lpush' })] },
      log,
    }),
  );
  expect(finding?.message).toBe('37 items wait in "jobs" of kv, and jobs is not connected to take them');
  expect(finding?.evidence.map(({ source }) => source)).toEqual(['kv, database 0', 'CLIENT LIST of kv', 'jobs log']);
});

describe('a service that nothing names a worker', () => {
  const elsewhere: Case = {
    role: 'unknown',
    server: { queues: [list()], keyspace: { 0: 1 }, sessions: [session(JOBS, { database: 1, command: 'xreadgroup' })] },
    connections: [link('jobs', '1'), link('shop', null)],
  };

  it('is one when it is blocked in Redis as workers are', () => expect(reasonsOf(judge(elsewhere))).toEqual(['other-queue']));

  it.each<[string, Partial<Session>]>([
    ['says something', { command: 'lpush', blocked: false }],
    ['waits for news, which everybody gets', { command: 'xread' }],
    ['subscribes', { command: 'subscribe', blocked: false }],
  ])('is none when it %s', (_, parts) =>
    expect(judge({ ...elsewhere, server: { ...elsewhere.server, sessions: [session(JOBS, { database: 1, ...parts })] } })).toMatchObject({
      skip: expect.stringContaining('takes work'),
    }),
  );

  it('is none when it is not connected', () => expect(judge({ role: 'unknown', server: { queues: [list()] } })).toHaveProperty('skip'));
});

describe("the worker's own code", () => {
  const trace = (error: string) => [
    'Traceback (most recent call last):',
    '  File "/srv/tasks.py", line 12, in charge',
    '    pick(order)',
    error,
  ];
  const failing = (log: string[]) => findingsOf(judge({ log })).filter(({ reason }) => reason === 'task-error');

  it('fails where it raises the same in the same line again and again', () => {
    const [finding] = failing([...trace("KeyError: 'amount'"), ...trace("KeyError: 'amount'")]);
    expect(finding).toMatchObject({
      message: "jobs fails in its own code: KeyError: 'amount' (/srv/tasks.py:12)",
      values: { file: '/srv/tasks.py:12' },
    });
    expect(finding).not.toHaveProperty('severity');
  });

  it('is a warning where it is once', () => expect(failing(trace("KeyError: 'amount'"))).toMatchObject([{ severity: 'warn' }]));

  it('is innocent of another service that does not answer', () =>
    expect(failing([...trace('ConnectionRefusedError: [Errno 111] Connection refused'), ...trace('ConnectionError: gone')])).toEqual([]));
});
