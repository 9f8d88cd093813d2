import { createServer } from 'node:http';
import net, { createServer as createNetServer } from 'node:net';
import fc from 'fast-check';
import { expect, onTestFinished, test, vi } from 'vitest';
import { dialTcp } from '../../src/gather/dial.ts';
import { gatherRabbitmq } from '../../src/gather/rabbitmq.ts';
import { askManagement } from '../../src/gather/rabbitmq-management.ts';
import { askRabbitmq, probeRabbitmq, type RabbitmqLogin } from '../../src/gather/rabbitmq-session.ts';
import { createVault } from '../../src/gather/vault.ts';
import type { Vantage } from '../../src/gather/vantage.ts';
import { makeConnection, makeService, makeStack } from '../checks/make.ts';
import { closedPort, gatheringOf, limitsOf, listen, start } from './loopback.ts';
import { method, serveRabbitmq, type RabbitmqBehaviour } from './rabbitmq-server.ts';

const at = (port: number): Vantage => ({
  view: { kind: 'published', address: `127.0.0.1:${port}` },
  host: '127.0.0.1',
  port,
  dial: dialTcp('127.0.0.1', port),
});

const login = (parts: Partial<RabbitmqLogin> = {}): RabbitmqLogin => ({
  user: 'courier',
  password: 'open-sesame',
  vhost: '/',
  tls: false,
  queues: [],
  ...parts,
});

const ask = (port: number, parts: Partial<RabbitmqLogin> = {}, ms = 2_000) => askRabbitmq(at(port), login(parts), limitsOf(ms));

test('a login to a virtual host, and who answers', async () => {
  const connect = net.connect;
  const server = await serveRabbitmq({ vhosts: ['/', 'orders/eu'] });
  const { trial, answer } = await ask(server.port, { vhost: 'orders/eu' });
  expect(trial).toMatchObject({ layer: 'done', outcome: 'ok' });
  expect(answer?.server).toEqual({ product: 'RabbitMQ', version: '4.1.0', cluster: 'rabbit@post' });
  expect(server.logins).toEqual(['courier open-sesame orders/eu']);
  expect(net.connect).toBe(connect);
  await vi.waitFor(() => expect(server.open()).toBe(0));
});

test('queues are looked at and never made', async () => {
  const server = await serveRabbitmq({ queues: { parcels: [3, 0], mail: [0, 2] } });
  const { answer } = await ask(server.port, { queues: ['parcels', 'nowhere', 'mail'] });
  expect(answer?.queues).toEqual([
    { name: 'parcels', vhost: '/', messages: 3, consumers: 0 },
    { name: 'mail', vhost: '/', messages: 0, consumers: 2 },
  ]);
  expect(server.methods.filter((each) => each.startsWith('50.'))).toEqual(['50.10 passive', '50.10 passive', '50.10 passive']);
});

test('a login is rejected', async () => {
  const server = await serveRabbitmq();
  expect((await ask(server.port, { password: 'no' })).trial).toMatchObject({
    layer: 'login',
    outcome: 'rejected',
    code: '403',
    text: expect.stringContaining('ACCESS_REFUSED') as string,
  });
});

test('a virtual host is not there', async () => {
  const server = await serveRabbitmq();
  expect((await ask(server.port, { vhost: 'orders' })).trial).toMatchObject({
    layer: 'login',
    outcome: 'rejected',
    code: '530',
    text: 'NOT_ALLOWED - vhost orders not found',
  });
});

test('refused is told at once and by its own name', async () => {
  expect((await ask(await closedPort())).trial).toMatchObject({ layer: 'tcp', outcome: 'refused', code: 'ECONNREFUSED' });
});

test('a silent server costs one limit', async () => {
  const server = await listen(() => {});
  const { trial } = await ask(server.port, {}, 300);
  expect(trial).toMatchObject({ layer: 'protocol', outcome: 'timeout' });
  expect(trial.ms).toBeLessThan(1_000);
  await vi.waitFor(() => expect(server.open()).toBe(0));
});

test('a server that greets and falls silent', async () => {
  const server = await listen((socket) => socket.once('data', () => socket.write(method(0, 10, 10).subarray(0, 9))));
  expect((await ask(server.port, {}, 300)).trial).toMatchObject({ layer: 'login', outcome: 'timeout' });
});

test('a connection that is closed without a word', async () => {
  const server = await listen((socket) => socket.once('data', () => socket.end()));
  expect((await ask(server.port)).trial).toMatchObject({ layer: 'protocol', outcome: 'reset' });
});

test.each([
  ['HTTP', 'HTTP/1.1 400 Bad Request\r\n\r\n'],
  ['another version of AMQP', 'AMQP\0\x01\0\0'],
  ['MySQL', '\x4a\0\0\0\x0a8.0.30\0'],
  ['rubbish', '\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff'],
  ['a frame of another kind', method(0, 10, 30).toString('latin1')],
])('%s is not AMQP', async (_name, bytes) => {
  const server = await listen((socket) => socket.once('data', () => socket.write(Buffer.from(bytes, 'latin1'))));
  expect((await ask(server.port, {}, 1_000)).trial).toMatchObject({ layer: 'protocol', outcome: 'failed' });
  expect(await probeRabbitmq(at(server.port), limitsOf(1_000))).toMatchObject({ layer: 'protocol', outcome: 'failed' });
});

test.each([
  ['a frame that says it is endless', Buffer.from('\x01\0\0\xff\xff\xff\xff\0\x0a\0\x0a', 'latin1')],
  ['a greeting without its end', method(0, 10, 10, Buffer.from('\0\x09\0\0\xff\xff'))],
])('%s ends the try and nothing else', async (_name, bytes) => {
  const server = await listen((socket) => socket.once('data', () => socket.write(bytes)));
  expect((await ask(server.port, {}, 500)).trial.outcome).not.toBe('ok');
  await vi.waitFor(() => expect(server.open()).toBe(0));
});

test('whatever follows a good beginning, the try ends and nothing is thrown', async () => {
  const begin = method(0, 10, 10).subarray(0, 11);
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ maxLength: 200 }), async (rest) => {
      const server = createNetServer((socket) => {
        socket.on('error', () => {});
        socket.once('data', () => socket.end(Buffer.concat([begin, rest])));
      });
      const port = await start(server);
      const { trial } = await ask(port, {}, 300);
      server.close();
      expect(trial.outcome).not.toBe('ok');
    }),
    { numRuns: 40, seed: 7 },
  );
});

test('TLS to a server that has none', async () => {
  const server = await listen((socket) => socket.once('data', () => socket.end('AMQP\0\0\x09\x01')));
  expect((await ask(server.port, { tls: true }, 1_000)).trial).toMatchObject({ layer: 'tls' });
});

const serveJson = async (answers: Record<string, unknown>, status = 200) => {
  const asked: (string | undefined)[] = [];
  const server = createServer((request, response) => {
    asked.push(`${request.url} ${Buffer.from((request.headers.authorization ?? '').replace('Basic ', ''), 'base64').toString()}`);
    const key = Object.keys(answers).find((each) => request.url?.startsWith(each));
    response.writeHead(status, { 'content-type': 'application/json' });
    response.end(JSON.stringify(key === undefined ? null : answers[key]));
  });
  const port = await start(server);
  onTestFinished(() => void server.close());
  return { port, asked };
};

const NODES = [{ name: 'rabbit@post', mem_alarm: false, disk_free_alarm: true }];
const QUEUES = [{ name: 'parcels', vhost: '/', messages_ready: 4, consumers: 0 }];

test('the management interface tells of alarms and queues', async () => {
  const server = await serveJson({ '/api/nodes': NODES, '/api/queues': QUEUES });
  expect(await askManagement(at(server.port), { user: 'courier', password: 'open-sesame' }, limitsOf())).toEqual({
    alarms: ['disk'],
    queues: [{ name: 'parcels', vhost: '/', messages: 4, consumers: 0 }],
  });
  expect(server.asked.every((each) => each?.endsWith('courier:open-sesame'))).toBe(true);
});

test.each<[string, Record<string, unknown>, number]>([
  ['not for these credentials', { '/api/nodes': { error: 'not_authorised' } }, 401],
  ['something else in JSON', { '/api/nodes': { hello: 1 } }, 200],
])('the management interface tells nothing: %s', async (_name, answers, status) => {
  const server = await serveJson(answers, status);
  expect(await askManagement(at(server.port), { user: 'u', password: 'p' }, limitsOf())).toBeNull();
});

test('the management interface is silent, or not there', async () => {
  const silent = await listen(() => {});
  expect(await askManagement(at(silent.port), { user: 'u', password: 'p' }, limitsOf(300))).toBeNull();
  expect(await askManagement(at(await closedPort()), { user: 'u', password: 'p' }, limitsOf(300))).toBeNull();
});

const gather = async (behaviour: RabbitmqBehaviour, clientEnv: Record<string, string> = {}, user: string | null = 'courier') => {
  const server = await serveRabbitmq(behaviour);
  const vault = createVault();
  const service = makeService({
    name: 'post',
    role: 'rabbitmq',
    containers: [{ networkMode: 'host', networks: [], env: { RABBITMQ_NODE_PORT: String(server.port) } }],
  });
  const client = makeService({ name: 'app', containers: [{ state: { status: 'exited' }, env: clientEnv }] });
  const password = user === null ? null : vault.mark('open-sesame');
  const words = { to: 'post', kind: 'amqp' as const, host: 'post', port: server.port, user, password, database: null };
  const stack = makeStack({ services: [service, client], connections: [makeConnection(words)] });
  return { server, fact: await gatherRabbitmq(service, gatheringOf(stack, { vault })) };
};

test('without the management interface, queues that clients name are looked at', async () => {
  const { fact } = await gather({ queues: { parcels: [2, 0] } }, { JOB_QUEUE_NAME: 'parcels', QUEUE_SIZE: '9' });
  expect(fact.queues).toEqual([{ name: 'parcels', vhost: '/', messages: 2, consumers: 0 }]);
  expect(fact.attempts).toMatchObject([{ client: 'app', user: 'courier', database: '/', cluster: 'rabbit@post' }]);
});

test('an address without a user is guest', async () => {
  const { server, fact } = await gather({ user: 'guest', password: 'guest' }, {}, null);
  expect(server.logins).toEqual(['guest guest /']);
  expect(fact.attempts).toMatchObject([{ user: 'guest', trial: { outcome: 'ok' } }]);
});
