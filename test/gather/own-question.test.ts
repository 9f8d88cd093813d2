import { createServer } from 'node:http';
import { expect, onTestFinished, test } from 'vitest';
import { gatherOwn } from '../../src/gather/own.ts';
import { askOwn } from '../../src/gather/own-question.ts';
import type { OwnQuestion } from '../../src/model/config.ts';
import type { OwnAnswer } from '../../src/model/config.ts';
import type { PluginContext } from '../../src/model/plugin.ts';
import type { Container } from '../../src/model/stack.ts';
import { makeConnection, makePort, makeService, makeStack } from '../checks/make.ts';
import { closedPort, gatheringOf, listen, localEngine, start } from './loopback.ts';
import { errorMessage, servePostgres } from './postgres-server.ts';
import { serveRedis } from './redis-server.ts';

/** A service whose port is published on loopback, and a client of it. */
const published = (port: number, container: Partial<Container> = {}, url: Parameters<typeof makeConnection>[0] = {}) => {
  const ports = [makePort({ containerPort: port, hostIp: '127.0.0.1', hostPort: port })];
  const service = makeService({ name: 'box', containers: [{ networkMode: 'host', networks: [], ports, ...(container as object) }] });
  const client = makeService({ name: 'api', containers: [{ state: { status: 'exited' } }] });
  const connections = [makeConnection({ from: 'api', to: 'box', host: 'box', port, ...url })];
  return { service, stack: makeStack({ services: [service, client], connections }) };
};

const ask = (question: OwnQuestion, { service, stack }: ReturnType<typeof published>, engine = localEngine()): Promise<OwnAnswer> =>
  askOwn(question, 1_000, service, gatheringOf(stack, { engine }));

const website = async () => {
  const server = createServer((request, response) => response.writeHead(request.url === '/up' ? 200 : 404).end(`path ${request.url}`));
  onTestFinished(() => void server.close());
  return start(server);
};

test('http: status and body of a path, and of an address', async () => {
  const port = await website();
  const http = { kind: 'http', path: '/up', url: null, port, status: [] } as const;
  expect(await ask(http, published(port))).toMatchObject({ failure: null, code: 200, text: 'path /up', cut: false });
  const url = `http://127.0.0.1:${port}/nowhere`;
  const stack = makeStack();
  expect(await askOwn({ ...http, url }, 1_000, null, gatheringOf(stack))).toMatchObject({ asked: `GET ${url}`, code: 404 });
});

test('nobody listens: that is an answer of the stack, not a gap', async () => {
  const port = await closedPort();
  const refused = { failure: expect.stringMatching(/refused/i) as string };
  expect(await ask({ kind: 'http', path: '/', url: null, port, status: [] }, published(port))).toMatchObject(refused);
  expect(await ask({ kind: 'tcp', host: null, port }, published(port))).toMatchObject(refused);
});

test('tcp: a connection, and not a byte', async () => {
  let bytes = 0;
  const server = await listen((socket) => socket.on('data', (chunk: Buffer) => (bytes += chunk.length)));
  expect(await ask({ kind: 'tcp', host: null, port: server.port }, published(server.port))).toMatchObject({ failure: null });
  expect([server.taken(), bytes]).toEqual([1, 0]);
});

const query = (text: string) => ({ kind: 'postgres', query: text, as: null, database: null }) as const;
const QUERY = query('select count(*) from orders');
const atPostgres = (port: number) =>
  published(port, { env: { PGPORT: String(port) } }, { kind: 'postgres', user: 'app', database: 'shop' });

test('postgres: one prepared statement in a read-only transaction, with the words of a client', async () => {
  const server = await servePostgres({ value: (statement) => (statement.startsWith('select count') ? '7' : null) });
  expect(await ask(QUERY, atPostgres(server.port))).toMatchObject({ failure: null, text: '7' });
  expect(server.logins[0]).toMatchObject({ user: 'app', database: 'shop' });
  expect(server.statements).toEqual(['begin transaction read only', 'set local statement_timeout = 800', QUERY.query, 'rollback']);
});

test('postgres: no row, and a server that would not', async () => {
  const empty = await servePostgres();
  expect(await ask(QUERY, atPostgres(empty.port))).toMatchObject({ failure: null, text: null });
  const unwilling = await servePostgres({
    value: (statement) => (statement.startsWith('select') ? errorMessage('42P01', 'relation "orders" does not exist') : null),
  });
  expect(await ask(QUERY, atPostgres(unwilling.port))).toMatchObject({ failure: 'relation "orders" does not exist' });
});

test('postgres: credentials of nobody are not made up', async () => {
  const { service } = published(5432);
  const given = gatheringOf(makeStack({ services: [service] }));
  await expect(askOwn(QUERY, 1_000, service, given)).rejects.toThrow('no credentials of box are known');
  await expect(askOwn({ ...QUERY, as: 'api' }, 1_000, service, given)).rejects.toThrow('with which api uses box');
});

test('redis: one command', async () => {
  const server = await serveRedis(([name]) => (name === 'LLEN' ? 12 : name === 'GET' ? null : undefined));
  const box = published(server.port, { command: ['redis-server', '--port', String(server.port)] }, { kind: 'redis' });
  const redis = { kind: 'redis', as: null, database: 0 } as const;
  expect(await ask({ ...redis, command: ['LLEN', 'jobs'] }, box)).toMatchObject({ failure: null, text: '12' });
  expect(await ask({ ...redis, command: ['GET', 'x'] }, box)).toMatchObject({ failure: null, text: null });
});

test('exec and file: what is said is masked', async () => {
  const engine = {
    ...localEngine(),
    exec: () => Promise.resolve({ exitCode: 3, stdout: 'url postgres://app:hunter22@db/shop\n', stderr: 'odd' }),
    readFile: (_id: string, path: string) => Promise.resolve(path === '/there' ? Buffer.from('password=hunter22') : null),
  };
  const box = published(1);
  const run = await ask({ kind: 'exec', command: ['sh', '-c', 'cat x'], exitCode: 0 }, box, engine);
  expect(run).toMatchObject({ asked: 'exec in p-box-1: cat x', code: 3, aside: 'odd' });
  const file = await ask({ kind: 'file', path: '/there', exists: true }, box, engine);
  expect(`${run.text} ${file.text}`).not.toContain('hunter22');
  expect(await ask({ kind: 'file', path: '/none', exists: true }, box, engine)).toMatchObject({ text: null });
});

const plugin = (gather: (context: PluginContext) => Promise<unknown>, box = published(1)) =>
  gatherOwn(
    { by: 'plugin mine', gather },
    box.service,
    gatheringOf(box.stack, { facts: { logs: { ok: true, value: { lines: [] }, ms: 1 } } }),
  );

test('a plugin looks through its context, and what it gives is data without secrets', async () => {
  const port = await website();
  const gathered = await plugin(async ({ http, tcp, logs, service }) => {
    const [up, open, lines] = [await http('/up', { port }), await tcp(port), await logs()];
    return { name: service.name, up, open, lines, secret: 'redis://:hunter22@cache', gone: undefined, when: new Date(0) };
  }, published(port));
  expect(gathered).toMatchObject({
    name: 'box',
    up: { ok: true, status: 200, body: 'path /up' },
    open: { ok: true },
    lines: [],
    when: '1970-01-01T00:00:00.000Z',
  });
  expect(JSON.stringify(gathered)).not.toContain('hunter22');
});

test('a plugin that throws could not look', async () => {
  await expect(plugin(() => Promise.reject(new Error('no broker')))).rejects.toThrow('plugin mine could not look: no broker');
  await expect(plugin(() => Promise.resolve({ big: 1n }))).rejects.toThrow('plugin mine could not look: ');
  // Not even a promise: what throws at once is no fault of the doctor's either.
  await expect(
    plugin(() => {
      throw new TypeError('undefined is no function');
    }),
  ).rejects.toThrow('plugin mine could not look: undefined is no function');
});

test('a plugin cannot change what others see', async () => {
  const box = published(1);
  await plugin(({ service, stack }) => {
    service.name = 'other';
    stack.services.length = 0;
    return Promise.resolve(null);
  }, box);
  expect([box.service.name, box.stack.services.length]).toEqual(['box', 2]);
});
