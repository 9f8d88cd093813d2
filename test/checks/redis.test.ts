import { describe, expect, it } from 'vitest';
import { redis } from '../../src/checks/redis.ts';
import type { RedisAttempt, RedisFact, Trial } from '../../src/model/facts.ts';
import { ADDRESS, findingsOf, insideOf, listening, logOf, OK, PUBLISHED, reasonsOf, stopped } from './attempts.ts';
import { fact, gap, makeService, makeStack, NOW } from './make.ts';

const SECRET = '‹secret:00000001›';
const MIB = 1024 * 1024;

const attempt = (trial: Trial, parts: Partial<RedisAttempt> = {}): RedisAttempt => ({
  client: 'shop',
  source: 'env REDIS_URL',
  host: 'kv',
  port: 6379,
  user: null,
  password: null,
  database: 0,
  tls: false,
  view: ADDRESS,
  trial,
  runId: null,
  ...parts,
});

type Server = NonNullable<RedisFact['server']>;

const server = (parts: Partial<Server> = {}): Server => ({
  version: '8.0.6',
  runId: 'r',
  role: 'master',
  masterHost: null,
  masterLinkUp: null,
  loading: false,
  usedMemory: MIB,
  maxMemory: 0,
  maxMemoryPolicy: 'noeviction',
  lastSaveOk: true,
  lastAofWriteOk: true,
  clients: 2,
  maxClients: 10000,
  keyspace: {},
  sessions: [],
  queues: [],
  ...parts,
});

const judge = (
  attempts: RedisAttempt[],
  state: RedisFact['server'] = server(),
  startedAt = '2026-11-23T06:50:00.000Z',
  log: string[] = [],
  listens?: number[],
) => {
  const service = makeService({ name: 'kv', role: 'redis', containers: [{ state: { startedAt } }] });
  const leader = makeService({ name: 'kv-leader', role: 'redis', containers: [{ networks: [{ ip: '172.18.0.7' }] }] });
  return redis.evaluate({
    service,
    stack: makeStack({ services: [service, leader] }),
    facts: { redis: fact({ attempts, server: state }), logs: fact(logOf('p-kv-1', log)), inside: listening(listens) },
    peers: {},
    now: NOW,
  });
};

const reply = (text: string): Trial => stopped('login', 'rejected', text.split(' ')[0], text);

describe('what is found', () => {
  const cases: [string, RedisAttempt[], RedisFact['server'], string[]][] = [
    ['no password given', [attempt(reply('NOAUTH Authentication required.'))], null, ['auth-required']],
    [
      'a wrong one',
      [attempt(reply('WRONGPASS invalid username-password pair or user is disabled.'), { password: SECRET })],
      null,
      ['wrong-password'],
    ],
    ['a wrong one, before Redis 6', [attempt(reply('ERR invalid password'), { password: SECRET })], null, ['wrong-password']],
    [
      'one where none is set',
      [
        attempt(
          reply(
            'ERR AUTH <password> called without any password configured for the default user. Are you sure your configuration is correct?',
          ),
          { password: SECRET },
        ),
      ],
      null,
      ['unexpected-password'],
    ],
    ['loading for ten minutes', [attempt(reply('LOADING Redis is loading the dataset in memory'))], null, ['loading:fail']],
    [
      'MISCONF',
      [attempt(reply('MISCONF Redis is configured to save RDB snapshots, but it is currently unable to persist to disk.'))],
      server({ lastSaveOk: false }),
      ['cannot-persist'],
    ],
    ['a failed append', [attempt(OK)], server({ lastAofWriteOk: false }), ['cannot-persist:fail']],
    ['a failed snapshot while writes are taken', [attempt(OK)], server({ lastSaveOk: false }), ['cannot-persist:warn']],
    ['OOM', [attempt(reply("OOM command not allowed when used memory > 'maxmemory'."))], null, ['out-of-memory']],
    ['memory at its limit', [attempt(OK)], server({ usedMemory: 2 * MIB, maxMemory: MIB }), ['out-of-memory']],
    [
      'a replica of somebody unknown',
      [attempt(OK)],
      server({ role: 'slave', masterHost: '185.12.0.3', masterLinkUp: true }),
      ['read-only-replica'],
    ],
    [
      'a replica in the stack that lost its master',
      [attempt(OK)],
      server({ role: 'slave', masterHost: 'kv-leader', masterLinkUp: false }),
      ['read-only-replica:warn'],
    ],
    ['too many clients', [attempt(reply('ERR max number of clients reached'))], null, ['max-clients']],
    [
      'protected mode',
      [attempt(reply('DENIED Redis is running in protected mode because protected mode is enabled'))],
      null,
      ['protected-mode'],
    ],
    ['a database that is not there', [attempt(reply('ERR DB index is out of range'), { database: 99 })], null, ['database-out-of-range']],
    ['TLS to a plain port', [attempt(stopped('tls', 'timeout', 'ETIMEDOUT'), { tls: true })], null, ['tls-mismatch']],
    ['another error', [attempt(reply("NOPERM User app has no permissions to run the 'ping' command"))], null, ['error']],
    ['something else on the port', [attempt(stopped('protocol', 'failed', '', "the answer is not Redis's"))], null, ['not-redis']],
    ['refused', [attempt(stopped('tcp', 'refused', 'ECONNREFUSED'))], null, ['refused']],
    ['silent', [attempt(stopped('protocol', 'timeout', 'ETIMEDOUT'))], null, ['no-answer']],
  ];
  it.each(cases)('%s', (_, attempts, state, expected) => expect(reasonsOf(judge(attempts, state))).toEqual(expected));

  it('its own words are refused, and it listens on no port: a socket file', () => {
    const own = [attempt(stopped('tcp', 'refused', 'ECONNREFUSED'), { client: 'kv' })];
    expect(reasonsOf(judge(own, null, undefined, [], []))).toEqual(['skip']);
    expect(reasonsOf(judge(own, null, undefined, [], [6380]))).toEqual(['refused']);
  });

  it('loading, just after the start', () => {
    expect(reasonsOf(judge([attempt(reply('LOADING Redis is loading the dataset in memory'))], null, '2026-11-23T06:59:58.000Z'))).toEqual([
      'loading',
    ]);
  });
});

it('tells who is let in while another is turned away', () => {
  const rejected = attempt(stopped('login', 'rejected', 'WRONGPASS', 'invalid username-password pair'));
  const [finding] = findingsOf(judge([rejected, attempt(OK, { client: 'job' })]));
  expect(finding).toMatchObject({ reason: 'wrong-password', spares: ['job'] });
});

describe('what is healthy', () => {
  const cases: [string, RedisAttempt[], RedisFact['server']][] = [
    ['answers', [attempt(OK)], server()],
    ['a cache that is full and evicts', [attempt(OK)], server({ usedMemory: 2 * MIB, maxMemory: MIB, maxMemoryPolicy: 'allkeys-lru' })],
    [
      'a replica of a service of this stack, by name',
      [attempt(OK)],
      server({ role: 'slave', masterHost: 'kv-leader', masterLinkUp: true }),
    ],
    [
      'a replica of a service of this stack, by address',
      [attempt(OK)],
      server({ role: 'slave', masterHost: '172.18.0.7', masterLinkUp: true }),
    ],
    [
      'a password that only the clients know',
      [attempt(OK, { password: SECRET }), attempt(reply('NOAUTH Authentication required.'), { client: 'kv' })],
      server(),
    ],
    [
      'a host port that is not published or not ours (FA-13)',
      [attempt(OK), attempt(stopped('tcp', 'refused'), { client: 'kv', view: PUBLISHED })],
      server(),
    ],
    ['a name that fails for one client', [attempt(OK), attempt(stopped('name', 'not-found'), { client: 'job', host: 'cache' })], server()],
  ];
  it.each(cases)('%s', (_, attempts, state) => expect(reasonsOf(judge(attempts, state))).toEqual([]));
});

describe('could not look', () => {
  const cases: [string, RedisAttempt[]][] = [
    ['no tool (FA-21)', [attempt(stopped('tcp', 'no-tool', '', 'no shell'), { view: insideOf('shop') })]],
    ['a password that nobody here knows', [attempt(reply('NOAUTH Authentication required.'), { client: 'kv' })]],
    ['no try', []],
  ];
  it.each(cases)('%s', (_, attempts) => expect(reasonsOf(judge(attempts, null))).toEqual(['cannotLook']));

  it('a fact that is missing', () => {
    const service = makeService({ name: 'kv', role: 'redis' });
    expect(
      redis.evaluate({
        service,
        stack: makeStack(),
        facts: { redis: gap('no time left'), logs: gap('no time left'), inside: gap('no time left') },
        peers: {},
        now: NOW,
      }),
    ).toEqual({
      cannotLook: 'no time left',
    });
  });
});

it('names all clients that give no password, once, and where it is written', () => {
  const findings = findingsOf(
    judge(
      ['shop', 'job'].map((client) => attempt(reply('NOAUTH Authentication required.'), { client })),
      null,
    ),
  );
  expect(findings.map(({ message }) => message)).toEqual(['kv wants a password, and shop and job give none']);
  expect(findings[0]?.evidence).toContainEqual({ source: 'job: env REDIS_URL', text: 'kv:6379, database 0, no password' });
});

it('says why it cannot save, in the words of its log', () => {
  const misconf = [attempt(reply('MISCONF Redis is configured to save RDB snapshots'))];
  const line = '# Failed opening the temp RDB file temp-23.rdb (in server root dir /data) for saving: Permission denied';
  const [finding] = findingsOf(
    judge(misconf, server({ lastSaveOk: false }), undefined, ['# WARNING Memory overcommit must be enabled!', line]),
  );
  expect(finding?.message).toBe('kv cannot save its data and refuses writes (permission denied)');
  expect(finding?.evidence.at(-1)).toEqual({ source: 'log of p-kv-1', text: line });
  expect(findingsOf(judge(misconf))[0]?.message).toBe('kv cannot save its data and refuses writes');
});
