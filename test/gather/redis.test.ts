import { expect, test, vi } from 'vitest';
import { dialTcp } from '../../src/gather/dial.ts';
import { TRY_MS } from '../../src/gather/gathering.ts';
import { gatherRedis } from '../../src/gather/redis.ts';
import { askRedis, type RedisLogin } from '../../src/gather/redis-session.ts';
import { createVault } from '../../src/gather/vault.ts';
import type { Vantage } from '../../src/gather/vantage.ts';
import type { Connection } from '../../src/model/stack.ts';
import { makeConnection, makePort, makeService, makeStack } from '../checks/make.ts';
import { closedPort, gatheringOf, limitsOf, listen } from './loopback.ts';
import { INFO, serveRedis, type Reply } from './redis-server.ts';

const at = (port: number): Vantage => ({
  view: { kind: 'published', address: `127.0.0.1:${port}` },
  host: '127.0.0.1',
  port,
  dial: dialTcp('127.0.0.1', port),
});

const login = (parts: Partial<RedisLogin> = {}): RedisLogin => ({
  user: null,
  password: null,
  database: 0,
  tls: false,
  wantSessions: () => false,
  ...parts,
});

const ask = (port: number, parts: Partial<RedisLogin> = {}, ms = 2_000) => askRedis(at(port), login(parts), limitsOf(ms));

test('PONG, and what INFO tells', async () => {
  const server = await serveRedis();
  const { trial, answer } = await ask(server.port);
  expect(trial).toMatchObject({ layer: 'done', outcome: 'ok' });
  expect(answer).toMatchObject({
    runId: '0123456789abcdef',
    server: {
      version: '8.4.0',
      role: 'master',
      masterHost: null,
      loading: false,
      lastSaveOk: true,
      lastAofWriteOk: true,
      clients: 3,
      maxClients: 10_000,
    },
  });
  await vi.waitFor(() => expect(server.open()).toBe(0));
});

test('only commands that change nothing are sent', async () => {
  const server = await serveRedis(([name = '']) => (name === 'INFO' ? `${INFO}db0:keys=2,expires=0\r\n` : undefined));
  await ask(server.port, { wantSessions: () => true });
  const names = new Set(server.asked.map(([name]) => name));
  expect([...names].toSorted()).toEqual(['CLIENT', 'INFO', 'PING', 'SCAN', 'SELECT']);
});

test.each<[string, Reply, object]>([
  ['no password given', { error: 'NOAUTH Authentication required.' }, { layer: 'login', outcome: 'rejected', code: 'NOAUTH' }],
  ['still loading', { error: 'LOADING Redis is loading the dataset in memory' }, { layer: 'query', outcome: 'failed', code: 'LOADING' }],
  ['cannot save', { error: 'MISCONF Redis is configured to save RDB snapshots' }, { layer: 'query', outcome: 'failed', code: 'MISCONF' }],
  [
    'out of memory',
    { error: "OOM command not allowed when used memory > 'maxmemory'." },
    { layer: 'query', outcome: 'failed', code: 'OOM' },
  ],
])('PING is answered with an error: %s', async (_name, reply, expected) => {
  const server = await serveRedis(([name]) => (name === 'PING' ? reply : undefined));
  const { trial, answer } = await ask(server.port);
  expect(trial).toMatchObject({ ...expected, text: (reply as { error: string }).error });
  // It tells about itself all the same.
  expect(answer?.runId).toBe('0123456789abcdef');
});

test.each([
  ['a wrong password', 'WRONGPASS invalid username-password pair or user is disabled.', 'WRONGPASS'],
  [
    'a password where none is set',
    'ERR AUTH <password> called without any password configured for the default user. Are you sure your configuration is correct?',
    'ERR',
  ],
  ['the same from an older server', 'ERR Client sent AUTH, but no password is set', 'ERR'],
])('AUTH is rejected: %s', async (_name, error, code) => {
  const warn = vi.spyOn(console, 'warn');
  const server = await serveRedis(([name]) => (name === 'AUTH' ? { error } : undefined));
  const { trial } = await ask(server.port, { password: 'open-sesame' });
  expect(trial).toMatchObject({ layer: 'login', outcome: 'rejected', code, text: error });
  expect(warn).not.toHaveBeenCalled();
  warn.mockRestore();
});

test('user and password are given as one client would', async () => {
  const server = await serveRedis();
  await ask(server.port, { user: 'jobs', password: 'open-sesame', database: 3 });
  expect(server.asked.slice(0, 3)).toEqual([['AUTH', 'jobs', 'open-sesame'], ['SELECT', '3'], ['PING']]);
});

test('a database that the server does not have', async () => {
  const server = await serveRedis(([name]) => (name === 'SELECT' ? { error: 'ERR DB index is out of range' } : undefined));
  expect((await ask(server.port, { database: 99 })).trial).toMatchObject({
    layer: 'query',
    outcome: 'failed',
    code: 'ERR',
    text: 'ERR DB index is out of range',
  });
});

test.each([
  ['DENIED Redis is running in protected mode because protected mode is enabled', 'DENIED'],
  ['ERR max number of clients reached', 'ERR'],
])('what a server says unasked before it closes: %s', async (words, code) => {
  const server = await listen((socket) => socket.end(`-${words}\r\n`));
  expect((await ask(server.port)).trial).toMatchObject({ layer: 'login', outcome: 'rejected', code, text: words });
});

test('refused is told at once and by its own name', async () => {
  const { trial } = await ask(await closedPort());
  expect(trial).toMatchObject({ layer: 'tcp', outcome: 'refused', code: 'ECONNREFUSED' });
  expect(trial.ms).toBeLessThan(1_000);
});

test('a silent server costs one limit, connection and question together', async () => {
  const server = await listen(() => {});
  const { trial } = await ask(server.port, { password: 'x', wantSessions: () => true }, 300);
  expect(trial).toMatchObject({ layer: 'protocol', outcome: 'timeout' });
  expect(trial.ms).toBeLessThan(1_000);
  await vi.waitFor(() => expect(server.open()).toBe(0));
});

test('a connection that is closed without a word', async () => {
  const server = await listen((socket) => socket.once('data', () => socket.end()));
  expect((await ask(server.port)).trial).toMatchObject({ layer: 'protocol', outcome: 'reset' });
});

test.each([
  ['HTTP', 'HTTP/1.1 400 Bad Request\r\n\r\n'],
  ['Postgres', 'EFATAL\0\0'],
  ['binary rubbish', '\x00\x01\x02'],
])('%s is not Redis', async (_name, bytes) => {
  const server = await listen((socket) => socket.once('data', () => socket.write(Buffer.from(bytes, 'latin1'))));
  expect((await ask(server.port, {}, 1_000)).trial).toMatchObject({ layer: 'protocol', outcome: 'failed' });
});

test('TLS to a server that has none', async () => {
  const server = await serveRedis();
  expect((await ask(server.port, { tls: true }, 500)).trial).toMatchObject({ layer: 'tls' });
});

test('sessions, with what each does last, and without our own', async () => {
  const list = [
    'id=3 addr=172.18.0.5:41234 laddr=172.18.0.2:6379 name=worker age=600 idle=3 flags=b db=1 cmd=brpop user=default',
    'id=4 addr=172.18.0.6:41235 name= age=600 idle=9 flags=N db=0 cmd=GET',
    'id=5 addr=172.18.0.1:41236 name=stack-doctor age=0 idle=0 flags=N db=0 cmd=client|list',
    'id=6 addr=172.18.0.1:41237 name= age=0 idle=0 flags=N db=0 cmd=ping',
    'rubbish',
  ].join('\n');
  const server = await serveRedis(([name, second]) => (name === 'CLIENT' && second === 'LIST' ? list : undefined));
  const { answer } = await ask(server.port, { wantSessions: () => true });
  expect(answer?.server.sessions).toEqual([
    { address: '172.18.0.5:41234', database: 1, command: 'brpop', idleSeconds: 3, blocked: true, name: 'worker' },
    { address: '172.18.0.6:41235', database: 0, command: 'get', idleSeconds: 9, blocked: false, name: '' },
  ]);
});

/** A keyspace with one list and one stream in database 0; the list grows from look to look. */
const serveQueues = (clients: string) => {
  let length = 5;
  return serveRedis(([name, second, ...rest]) => {
    if (name === 'INFO') return `${INFO}db0:keys=2,expires=0\r\n`;
    if (name === 'CLIENT' && second === 'LIST') return clients;
    if (name === 'SCAN') return ['0', rest.includes('list') ? ['jobs'] : ['events']];
    if (name === 'LLEN') return length++;
    if (name === 'XLEN') return 7;
    if (name === 'XINFO')
      return [['name', 'mailers', 'consumers', 0, 'pending', 2, 'last-delivered-id', '1-0', 'entries-read', 3, 'lag', 4]];
    return undefined;
  });
};

test('a list that nobody waits on is looked at twice', async () => {
  const server = await serveQueues('');
  const { answer } = await ask(server.port, { wantSessions: () => true });
  expect(answer?.server.queues).toEqual([
    { key: 'jobs', database: 0, type: 'list', length: 5, lengthLater: 6, groups: [] },
    {
      key: 'events',
      database: 0,
      type: 'stream',
      length: 7,
      lengthLater: 7,
      groups: [{ name: 'mailers', consumers: 0, pending: 2, lag: 4 }],
    },
  ]);
});

test('one that somebody waits on is not waited for', async () => {
  const server = await serveQueues('id=3 addr=172.18.0.5:41234 name= age=600 idle=3 flags=b db=0 cmd=brpop');
  const { answer } = await ask(server.port, { wantSessions: () => true });
  expect(answer?.server.queues[0]).toMatchObject({ key: 'jobs', length: 5, lengthLater: 5 });
});

test('a server that will not tell (an ACL) is healthy all the same', async () => {
  const server = await serveRedis(([name]) =>
    name === 'PING' ? undefined : { error: 'NOPERM this user has no permissions to run the command' },
  );
  const { trial, answer } = await ask(server.port, { wantSessions: () => true });
  expect([trial.outcome, answer]).toEqual(['ok', null]);
});

const stackWith = (port: number, connections: Partial<Connection>[], command: string[] = [], published: number | null = null) => {
  const cache = makeService({
    name: 'cache',
    role: 'redis',
    containers: [
      {
        networkMode: 'host',
        networks: [],
        command: ['redis-server', '--port', String(port), ...command],
        ports: published === null ? [] : [makePort({ containerPort: port, hostIp: '127.0.0.1', hostPort: published })],
      },
    ],
  });
  const clients = [...new Set(connections.map((each) => each.from!))].map((name) =>
    makeService({ name, containers: [{ state: { status: 'exited' } }] }),
  );
  const toCache = { to: 'cache', host: 'cache', kind: 'redis', port, source: 'env REDIS_URL' } as const;
  return {
    cache,
    stack: makeStack({ services: [cache, ...clients], connections: connections.map((each) => makeConnection({ ...toCache, ...each })) }),
  };
};

test('clients that say the same share one connection; the published port is compared by run_id', async () => {
  const server = await serveRedis();
  const { cache, stack } = stackWith(
    server.port,
    [{ from: 'backend' }, { from: 'worker', database: '0' }, { from: 'jobs', database: '2' }],
    [],
    server.port,
  );
  const fact = await gatherRedis(cache, gatheringOf(stack));
  expect(fact.attempts.map(({ client, database, view, trial }) => [client, database, view.kind, trial.outcome])).toEqual([
    ['backend', 0, 'address', 'ok'],
    ['worker', 0, 'address', 'ok'],
    ['jobs', 2, 'address', 'ok'],
    ['cache', 0, 'published', 'ok'],
  ]);
  // `null` and `0` are the same database.
  expect(server.taken()).toBe(3);
  expect(fact.attempts.at(-1)?.runId).toBe(fact.server?.runId);
});

test("the server's own password is tried where a client's is not taken, and tells about the server", async () => {
  const vault = createVault();
  const server = await serveRedis(([name, password]) => {
    if (name !== 'AUTH') return undefined;
    return password === 'right' ? 'OK' : { error: 'WRONGPASS invalid username-password pair or user is disabled.' };
  });
  const command = ['--requirepass', vault.mark('right')];
  const { cache, stack } = stackWith(server.port, [{ from: 'backend', password: vault.mark('wrong') }], command);
  const fact = await gatherRedis(cache, gatheringOf(stack, { vault }));
  expect(fact.attempts.map(({ client, source, trial }) => [client, source, trial.code])).toEqual([
    ['backend', 'env REDIS_URL', 'WRONGPASS'],
    ['cache', 'command --requirepass', ''],
  ]);
  expect(fact.server?.version).toBe('8.4.0');
});

test('many clients of a silent server cost one limit', async () => {
  const server = await listen(() => {});
  const { cache, stack } = stackWith(
    server.port,
    ['a', 'b', 'c', 'd'].map((from, index) => ({ from, database: String(index) })),
  );
  const began = performance.now();
  const fact = await gatherRedis(cache, gatheringOf(stack));
  expect(performance.now() - began).toBeLessThan(TRY_MS * 1.75);
  expect([server.taken(), fact.attempts.map((each) => each.trial.outcome)]).toEqual([1, ['timeout', 'timeout', 'timeout', 'timeout']]);
});
