import { describe, expect, it } from 'vitest';
import { rabbitmq } from '../../src/checks/rabbitmq.ts';
import type { RabbitmqAttempt, RabbitmqFact, Trial } from '../../src/model/facts.ts';
import type { Role } from '../../src/model/stack.ts';
import { ADDRESS, findingsOf, logLine, OK, PUBLISHED, reasonsOf, stopped } from './attempts.ts';
import { fact, gap, makeConnection, makeService, makeStack, NOW } from './make.ts';

const SECRET = '‹secret:00000001›';

const attempt = (trial: Trial, parts: Partial<RabbitmqAttempt> = {}): RabbitmqAttempt => ({
  client: 'shop',
  source: 'env AMQP_URL',
  host: 'post',
  port: 5672,
  user: 'courier',
  database: '/',
  password: SECRET,
  tls: false,
  view: ADDRESS,
  trial,
  cluster: null,
  ...parts,
});

interface Case extends Partial<Omit<RabbitmqFact, 'attempts' | 'serverLog'>> {
  env?: Record<string, string>;
  startedAt?: string;
  log?: string[];
  /** The role of the client called `packer`. */
  packer?: Role;
}

const judge = (attempts: RabbitmqAttempt[], { env = {}, startedAt, log = [], packer = 'worker', ...known }: Case = {}) => {
  const service = makeService({
    name: 'post',
    role: 'rabbitmq',
    containers: [{ env, state: { startedAt: startedAt ?? '2026-11-23T06:50:00.000Z' } }],
  });
  const client = makeService({ name: 'packer', role: packer });
  return rabbitmq.evaluate({
    service,
    stack: makeStack({
      services: [service, client],
      connections: [makeConnection({ from: 'packer', to: 'post', kind: 'amqp', host: 'post', port: 5672 })],
    }),
    facts: {
      rabbitmq: fact({
        server: { product: 'RabbitMQ', version: '4.1.0', cluster: 'rabbit@post' },
        alarms: [],
        alarmsFrom: 'management interface of post',
        queues: [],
        ...known,
        serverLog: log.map((text) => logLine(text)),
        attempts,
      }),
    },
    peers: {},
    now: NOW,
  });
};

const says = (code: number, text: string): Trial => stopped('login', 'rejected', String(code), text);
const DENIED = says(403, 'ACCESS_REFUSED - Login was refused using authentication mechanism PLAIN. For details see the broker logfile.');
const REFUSED = stopped('tcp', 'refused', 'ECONNREFUSED');
const waiting = { name: 'parcels', vhost: '/', messages: 3, consumers: 0 };

const START = ['2026-11-23 06:59:56 [info] <0.254.0>  Starting RabbitMQ 4.1.0 on Erlang 27.3 [jit]', '  node           : rabbit@post'];
const STARTED = '2026-11-23 07:00:02 [info] <0.600.0> Server startup complete; 5 plugins started.';

describe('what is found', () => {
  const cases: [string, RabbitmqAttempt[], Case, string[]][] = [
    ['a wrong password', [attempt(DENIED)], {}, ['auth-rejected']],
    [
      'guest from elsewhere',
      [attempt(DENIED, { user: 'guest' })],
      { log: ["[error] <0.8.0> PLAIN login refused: user 'guest' can only connect via localhost"] },
      ['guest-remote'],
    ],
    [
      'guest where there is none',
      [attempt(DENIED, { user: 'guest' })],
      { log: ["[error] <0.8.0> PLAIN login refused: user 'guest' - invalid credentials"] },
      ['auth-rejected'],
    ],
    [
      'the credentials that the container itself declares',
      [attempt(DENIED)],
      { env: { RABBITMQ_DEFAULT_USER: 'courier', RABBITMQ_DEFAULT_PASS: SECRET } },
      ['password-volume-mismatch'],
    ],
    ['no such virtual host', [attempt(says(530, 'NOT_ALLOWED - vhost orders not found'))], {}, ['vhost-missing']],
    ['no rights on it', [attempt(says(530, "NOT_ALLOWED - access to vhost 'orders' refused for user 'courier'"))], {}, ['vhost-denied']],
    [
      'out of connections',
      [attempt(says(530, "NOT_ALLOWED - access to vhost '/' refused: connection limit (2) is reached"))],
      {},
      ['too-many-connections'],
    ],
    ['a memory alarm', [attempt(OK)], { alarms: ['memory'] }, ['resource-alarm']],
    ['nobody takes what waits', [attempt(OK)], { queues: [waiting] }, ['no-consumer']],
    ['the same, where nothing names the consumer a worker', [attempt(OK)], { queues: [waiting], packer: 'unknown' }, ['no-consumer']],
    ['TLS to a plain port', [attempt(stopped('tls', 'failed', 'ERR_SSL_WRONG_VERSION_NUMBER'), { tls: true })], {}, ['tls-required']],
    ['HTTP on the port', [attempt(stopped('protocol', 'failed', '', 'the answer is not AMQP 0-9-1: "HTTP/1.1 400"'))], {}, ['not-amqp']],
    [
      'silence on a port beside the one that speaks',
      [attempt(stopped('protocol', 'timeout', 'ETIMEDOUT'), { client: 'old', port: 15_672 }), attempt(OK)],
      {},
      ['not-amqp'],
    ],
    ['another reply', [attempt(says(504, 'CHANNEL_ERROR - unexpected'))], {}, ['error']],
    ['refused', [attempt(REFUSED)], {}, ['refused']],
    ['silent', [attempt(stopped('protocol', 'timeout', 'ETIMEDOUT'))], {}, ['no-answer']],
    ['refused, in the middle of its start', [attempt(REFUSED)], { log: START, startedAt: '2026-11-23T06:59:55.000Z' }, ['starting-up']],
    ['a start that does not end', [attempt(REFUSED)], { log: START }, ['starting-up:fail']],
    ['refused after its start', [attempt(REFUSED)], { log: [...START, STARTED] }, ['refused']],
  ];
  it.each(cases)('%s', (_, attempts, state, expected) => expect(reasonsOf(judge(attempts, state))).toEqual(expected));

  it('the log is quoted for a login, and for nothing else', () => {
    const log = ["[error] PLAIN login refused: user 'courier' - invalid credentials"];
    const quoted = (trial: Trial) => findingsOf(judge([attempt(trial)], { log }))[0]!.evidence.some(({ source }) => source === 'post log');
    expect(quoted(DENIED)).toBe(true);
    expect(quoted(says(530, 'NOT_ALLOWED - vhost orders not found'))).toBe(false);
  });

  it('two virtual hosts that are missing are two things', () => {
    const missing = (database: string) => attempt(says(530, `NOT_ALLOWED - vhost ${database} not found`), { database });
    expect(findingsOf(judge([missing('a'), missing('b')])).map(({ values }) => values!['vhost'])).toEqual(['a', 'b']);
  });

  it('points to the worker, of which the messages wait', () => {
    const [finding] = findingsOf(judge([attempt(OK)], { queues: [waiting] }));
    expect(finding!.suspects).toEqual([{ service: 'packer' }]);
    expect(finding!.message).toBe('3 messages wait in "parcels" of post, and nobody consumes it; packer should');
  });
});

describe('what is healthy', () => {
  const cases: [string, RabbitmqAttempt[], Case][] = [
    ['answers', [attempt(OK)], {}],
    ['alarms that nobody could learn', [attempt(OK)], { alarms: null }],
    ['an empty queue without a consumer', [attempt(OK)], { queues: [{ ...waiting, messages: 0 }] }],
    ['a queue that is consumed', [attempt(OK)], { queues: [{ ...waiting, consumers: 1 }] }],
    ['a queue beside one that is consumed', [attempt(OK)], { queues: [waiting, { ...waiting, name: 'mail', consumers: 1 }] }],
    ['dead letters', [attempt(OK)], { queues: [{ ...waiting, name: 'parcels.dead-letter' }] }],
    ['a stack without a worker', [attempt(OK)], { queues: [waiting], packer: 'http' }],
    ['a server that has just come up', [attempt(OK)], { queues: [waiting], startedAt: '2026-11-23T06:59:50.000Z' }],
    ['another server on the published port', [attempt(OK), attempt(DENIED, { client: 'post', view: PUBLISHED })], {}],
    ['nobody has words to try', [attempt({ ...OK, layer: 'protocol' }, { client: 'post', user: '' })], {}],
  ];
  it.each(cases)('%s', (_, attempts, state) => expect(judge(attempts, state)).toMatchObject({ findings: [] }));
});

describe('what cannot be seen', () => {
  it('no fact', () =>
    expect(
      rabbitmq.evaluate({ service: makeService(), stack: makeStack(), facts: { rabbitmq: gap('no way in') }, peers: {}, now: NOW }),
    ).toEqual({ cannotLook: 'no way in' }));
  it('no tries', () => expect(reasonsOf(judge([]))).toEqual(['cannotLook']));
});

describe('a worker that reads another queue', () => {
  const look = (told: string, queues: RabbitmqFact['queues']) => {
    const clients = [
      makeService({ name: 'packer', role: 'unknown', containers: [{ env: { PARCEL_QUEUE: told } }] }),
      makeService({ name: 'shop', role: 'http', containers: [{ env: { PARCEL_QUEUE: 'parcels' } }] }),
    ];
    const service = makeService({ name: 'post', role: 'rabbitmq', containers: [{ state: { startedAt: '2026-11-23T06:50:00.000Z' } }] });
    return rabbitmq.evaluate({
      service,
      stack: makeStack({
        services: [service, ...clients],
        connections: clients.map(({ name }) => makeConnection({ from: name, to: 'post', kind: 'amqp', host: 'post', port: 5672 })),
      }),
      facts: {
        rabbitmq: fact({
          server: { product: 'RabbitMQ', version: '4.1.0', cluster: 'rabbit@post' },
          alarms: [],
          alarmsFrom: 'management interface of post',
          queues,
          serverLog: [],
          attempts: [attempt(OK)],
        }),
      },
      peers: {},
      now: NOW,
    });
  };
  const idle = { name: 'parcel', vhost: '/', messages: 0, consumers: 1 };

  it('is told another name by the variable that names the queue for others', () => {
    const [finding] = findingsOf(look('parcel', [idle, waiting]));
    expect(finding).toMatchObject({ reason: 'no-consumer', values: { queue: 'parcels', target: 'packer' } });
    expect(finding!.evidence.map(({ text }) => text)).toContain('parcel');
  });

  it('is nobody where all are told the same, or where its own queue is not the one it consumes', () => {
    expect(reasonsOf(look('parcels', [idle, waiting]))).toEqual([]);
    expect(reasonsOf(look('letters', [idle, waiting]))).toEqual([]);
  });
});

it('asks first whether a client misses the setting that would name its virtual host', () => {
  const unknown = (database: string) =>
    findingsOf(judge([attempt(says(530, `NOT_ALLOWED - vhost ${database} not found`), { database })]))[0]!.suspects;
  expect(unknown('/')).toEqual([{ service: 'shop', code: 'startup/setting-missing' }]);
  expect(unknown('orders')).toBeUndefined();
});
