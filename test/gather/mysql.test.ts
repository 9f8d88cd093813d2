import { createServer } from 'node:net';
import fc from 'fast-check';
import { expect, test, vi } from 'vitest';
import { dialTcp } from '../../src/gather/dial.ts';
import { gatherMysql } from '../../src/gather/mysql.ts';
import { askMysql, probeMysql, type MysqlLogin } from '../../src/gather/mysql-session.ts';
import { createVault } from '../../src/gather/vault.ts';
import type { Vantage } from '../../src/gather/vantage.ts';
import { makeConnection, makeService, makeStack } from '../checks/make.ts';
import { closedPort, gatheringOf, limitsOf, listen, start } from './loopback.ts';
import { serveMysql, type MysqlBehaviour } from './mysql-server.ts';

const at = (port: number): Vantage => ({
  view: { kind: 'published', address: `127.0.0.1:${port}` },
  host: '127.0.0.1',
  port,
  dial: dialTcp('127.0.0.1', port),
});

const login = (parts: Partial<MysqlLogin> = {}): MysqlLogin => ({
  user: 'shop',
  password: 'open-sesame',
  database: 'shop',
  tls: false,
  wantSessions: () => false,
  wantAccounts: () => false,
  ...parts,
});

const ask = (port: number, parts: Partial<MysqlLogin> = {}, ms = 2_000) => askMysql(at(port), login(parts), limitsOf(ms));

test('a login, and who answers', async () => {
  const server = await serveMysql();
  const { trial, answer } = await ask(server.port);
  expect(trial).toMatchObject({ layer: 'done', outcome: 'ok' });
  expect(answer).toMatchObject({
    identity: { hostname: '4f1c', port: 3306, startedAt: '2026-11-23T06:00:00.000Z' },
    server: { version: '11.8.3-MariaDB', readOnly: false, maxConnections: 151, sessions: [] },
    accounts: null,
  });
  expect(server.logins).toEqual([{ user: 'shop', database: 'shop' }]);
  await vi.waitFor(() => expect(server.open()).toBe(0));
});

test('only questions that change nothing are asked', async () => {
  const server = await serveMysql({ answers: { 'show processlist': [session({ Command: 'Query', Time: 9 })] } });
  await ask(server.port, { wantSessions: () => true, wantAccounts: () => true });
  expect(server.asked.length).toBeGreaterThan(4);
  expect(server.asked.filter((sql) => !/^(select|show) /.test(sql))).toEqual([]);
});

test.each([
  [1045, "Access denied for user 'shop'@'172.18.0.5' (using password: YES)"],
  [1049, "Unknown database 'shop'"],
  [1040, 'Too many connections'],
])('a login is rejected: %s', async (code, message) => {
  const server = await serveMysql({ refuse: () => ({ code, message }) });
  expect((await ask(server.port)).trial).toMatchObject({ layer: 'login', outcome: 'rejected', code: String(code), text: message });
});

test('sessions are grouped, and our own is left out', async () => {
  const rows = [
    session({ Id: 7 }),
    session({ Id: 8 }),
    session({ Id: 9, Time: 40 }),
    session({ Id: 10, Host: 'localhost', User: 'root', db: null }),
    session({ Id: 1, User: 'system user', Host: '', Command: 'Daemon' }),
  ];
  const server = await serveMysql({ answers: { 'show processlist': rows } });
  const { answer } = await ask(server.port, { wantSessions: () => true });
  expect(answer!.server.sessions).toEqual([
    { address: '172.18.0.5', user: 'shop', database: 'shop', command: 'Sleep', count: 2, oldestSeconds: 40 },
    { address: null, user: 'root', database: '', command: 'Sleep', count: 1, oldestSeconds: 3 },
  ]);
  expect(server.asked.some((sql) => sql.includes('lock_waits'))).toBe(false);
});

test('where a statement lasts, it is asked who waits for whom', async () => {
  const server = await serveMysql({
    answers: {
      'show processlist': [session({ Id: 8, Command: 'Query', Time: 9 }), session({ Id: 9, Time: 40 })],
      'select r.trx_mysql_thread_id': [{ waiter: 8, blocker: 9, seconds: 40 }],
    },
  });
  const { answer } = await ask(server.port, { wantSessions: () => true });
  expect(answer!.server.blockers).toEqual([{ id: 9, address: '172.18.0.5', user: 'shop', command: 'Sleep', seconds: 40, blocked: 1 }]);
});

test('what the login may not see is no failure', async () => {
  const server = await serveMysql({ answers: { 'show processlist': 1227, 'select user, host': 1142, 'show databases': 1227 } });
  const { trial, answer } = await ask(server.port, { wantSessions: () => true, wantAccounts: () => true });
  expect(trial.outcome).toBe('ok');
  expect(answer).toMatchObject({ accounts: null, databases: null, server: { sessions: [] } });
});

test('refused is told at once and by its own name', async () => {
  const { trial } = await ask(await closedPort());
  expect(trial).toMatchObject({ layer: 'tcp', outcome: 'refused', code: 'ECONNREFUSED' });
});

test('a silent server costs one limit', async () => {
  const server = await listen(() => {});
  const { trial } = await ask(server.port, {}, 300);
  expect(trial).toMatchObject({ layer: 'protocol', outcome: 'timeout' });
  expect(trial.ms).toBeLessThan(1_000);
  await vi.waitFor(() => expect(server.open()).toBe(0));
});

test('a connection that is closed without a word', async () => {
  const server = await listen((socket) => socket.end());
  expect((await ask(server.port)).trial).toMatchObject({ layer: 'protocol', outcome: 'reset' });
});

test.each([
  ['HTTP', 'HTTP/1.1 400 Bad Request\r\n\r\n'],
  ['SMTP', '220 mail ESMTP\r\n'],
  ['AMQP', 'AMQP\0\0\x09\x01'],
  ['rubbish', '\xff\xff\xff\xff\xff\xff\xff\xff'],
  ['a packet of another kind', '\x05\0\0\0\x01abcd'],
  ['a length without an end', '\xff\xff\xff\0\x0a8.0'],
])('%s is not MySQL', async (_name, bytes) => {
  const server = await listen((socket) => socket.write(Buffer.from(bytes, 'latin1')));
  expect((await ask(server.port, {}, 1_000)).trial).toMatchObject({ layer: 'protocol', outcome: 'failed' });
  expect(await probeMysql(at(server.port), limitsOf(1_000))).toMatchObject({ layer: 'protocol', outcome: 'failed' });
});

test('a greeting that ends in the middle', async () => {
  const server = await listen((socket) => socket.end(Buffer.from('\x4a\0\0\0\x0a8.0.3', 'latin1')));
  expect((await ask(server.port, {}, 1_000)).trial).toMatchObject({ layer: 'login', outcome: 'reset' });
});

test('whatever follows a good beginning, the try ends and nothing is thrown', async () => {
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ maxLength: 200 }), fc.boolean(), async (rest, greets) => {
      const server = createServer((socket) => {
        socket.on('error', () => {});
        if (!greets) return socket.end(Buffer.concat([Buffer.from([rest.length + 1, 0, 0, 0, 10]), rest]));
        socket.write(GREETING);
        return socket.once('data', () => socket.end(Buffer.concat([Buffer.from([rest.length, 0, 0, 2]), rest])));
      });
      const port = await start(server);
      const { trial } = await ask(port, {}, 300);
      server.close();
      expect(trial.outcome).not.toBe('ok');
    }),
    { numRuns: 60, seed: 7 },
  );
});

test('TLS to a server that has none', async () => {
  const server = await serveMysql();
  expect((await ask(server.port, { tls: true }, 1_000)).trial).toMatchObject({ layer: 'tls', outcome: 'rejected' });
});

test('a way of authentication that is not spoken here is nobody’s fault', async () => {
  const server = await listen((socket) => {
    socket.write(GREETING);
    // AuthSwitchRequest.
    socket.once('data', () => socket.write(packet(2, Buffer.from('\xfeauth_gssapi_client\0nonce\0', 'latin1'))));
  });
  expect((await ask(server.port, {}, 1_000)).trial).toMatchObject({ layer: 'login', outcome: 'no-tool' });
});

const gather = async (behaviour: MysqlBehaviour, env: Record<string, string> = {}, user = 'shop') => {
  const server = await serveMysql(behaviour);
  const vault = createVault();
  const service = makeService({
    name: 'ledger',
    role: 'mysql',
    containers: [{ networkMode: 'host', networks: [], env: { MYSQL_TCP_PORT: String(server.port), ...env } }],
  });
  const client = makeService({ name: 'app', containers: [{ state: { status: 'exited' } }] });
  const words = {
    to: 'ledger',
    kind: 'mysql' as const,
    host: 'ledger',
    port: server.port,
    user,
    password: vault.mark('x1y2'),
    database: 'shop',
  };
  const stack = makeStack({ services: [service, client], connections: [makeConnection(words)] });
  return { server, fact: await gatherMysql(service, gatheringOf(stack, { vault })) };
};

test('a healthy server is asked with the words of its clients alone', async () => {
  const { server, fact } = await gather({}, { MYSQL_ROOT_PASSWORD: 'r00t' });
  expect(server.logins).toEqual([{ user: 'shop', database: 'shop' }]);
  expect(fact).toMatchObject({ accounts: null, databases: null, serverLog: [] });
  expect(fact.attempts.map(({ client, trial }) => [client, trial.outcome])).toEqual([['app', 'ok']]);
});

test('a client that is rejected has the accounts looked at, with the words of the server', async () => {
  const { fact } = await gather(
    {
      refuse: ({ user }) => (user === 'shop' ? { code: 1045, message: 'Access denied' } : null),
      answers: { 'select user, host': [{ User: 'root', Host: '%' }], 'show databases': [{ Database: 'orders' }] },
    },
    { MYSQL_ROOT_PASSWORD: 'r00t' },
  );
  expect(fact.accounts).toEqual([{ user: 'root', host: '%' }]);
  expect(fact.databases).toEqual(['orders']);
  expect(fact.attempts.map(({ client, trial }) => [client, trial.code])).toEqual([
    ['app', '1045'],
    ['ledger', ''],
  ]);
});

test('root may be for its own container alone, and is then not heard', async () => {
  const refuse = () => ({ code: 1045, message: 'Access denied' });
  const { fact } = await gather({ refuse }, { MYSQL_ROOT_PASSWORD: 'r00t', MYSQL_ROOT_HOST: 'localhost' });
  expect(fact.attempts.map(({ client }) => client)).toEqual(['app']);
});

function session(parts: Record<string, string | number | null>): Record<string, string | number | null> {
  return { Id: 8, User: 'shop', Host: '172.18.0.5:41234', db: 'shop', Command: 'Sleep', Time: 3, State: '', Info: null, ...parts };
}

function packet(number: number, body: Buffer): Buffer {
  return Buffer.concat([Buffer.from([body.length & 0xff, body.length >> 8, 0, number]), body]);
}

/** Protocol 10, version, connection, salt, capabilities (4.1, secure, plugins), charset, status, the rest of the salt, the plugin. */
const GREETING = packet(
  0,
  Buffer.from(
    '\x0a11.8.3\0\x07\0\0\0abcdefgh\0\x00\x82\x21\x02\0\x08\0\x15\0\0\0\0\0\0\0\0\0\0ijklmnopqrst\0mysql_native_password\0',
    'latin1',
  ),
);
