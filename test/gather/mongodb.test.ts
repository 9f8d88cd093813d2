import { createServer as createNetServer } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import fc from 'fast-check';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { dialTcp } from '../../src/gather/dial.ts';
import { gatherMongodb } from '../../src/gather/mongodb.ts';
import { askMongodb, probeMongodb, type MongodbLogin } from '../../src/gather/mongodb-session.ts';
import { createVault } from '../../src/gather/vault.ts';
import { pairBeside } from '../../src/model/mongodb-answer.ts';
import type { Vantage } from '../../src/gather/vantage.ts';
import type { Connection } from '../../src/model/stack.ts';
import { makeConnection, makeService, makeStack } from '../checks/make.ts';
import { closedPort, gatheringOf, limitsOf, listen, localEngine, start } from './loopback.ts';
import { message, reply, serveMongodb } from './mongodb-server.ts';
import { cert, key } from './test-certificate.ts';

const at = (port: number): Vantage => ({
  view: { kind: 'published', address: `127.0.0.1:${port}` },
  host: '127.0.0.1',
  port,
  dial: dialTcp('127.0.0.1', port),
});

const login = (parts: Partial<MongodbLogin> = {}): MongodbLogin => ({
  user: 'app',
  password: 'open-sesame',
  authSource: 'admin',
  tls: false,
  database: 'shop',
  ...parts,
});

const ask = (port: number, parts: Partial<MongodbLogin> = {}, ms = 2_000) => askMongodb(at(port), login(parts), limitsOf(ms));

test('a login, and who answers', async () => {
  const server = await serveMongodb({ users: { 'admin.app': 'open-sesame' }, rights: [{ db: 'shop', collection: '' }] });
  const { trial, answer } = await ask(server.port);
  expect(trial).toMatchObject({ layer: 'done', outcome: 'ok' });
  expect(answer).toEqual({
    version: '8.0.4',
    hasRights: null,
    node: {
      kind: 'standalone',
      setName: null,
      me: null,
      primary: null,
      hosts: [],
      processId: expect.stringMatching(/^[0-9a-f]{24}$/) as string,
    },
  });
  expect(server.logins).toEqual(['admin.app']);
  await vi.waitFor(() => expect(server.open()).toBe(0));
});

const USERS = { 'admin.app': 'open-sesame' };

test.each<[string, Partial<MongodbLogin>, object]>([
  ['a wrong password', { password: 'no' }, { layer: 'login', outcome: 'rejected', code: '18', text: 'Authentication failed.' }],
  ['a user that is not there', { user: 'nobody' }, { layer: 'login', outcome: 'rejected', code: '18' }],
  ['a user of another database', { authSource: 'shop' }, { layer: 'login', outcome: 'rejected', code: '18' }],
  [
    'no user at all',
    { user: null },
    { layer: 'query', outcome: 'failed', code: '13', text: 'Command listDatabases requires authentication' },
  ],
])('%s', async (_name, parts, trial) => {
  const server = await serveMongodb({ users: USERS });
  const heard = await ask(server.port, parts);
  expect(heard.trial).toMatchObject(trial);
  expect(heard.answer?.node.kind).toBe('standalone');
  expect(server.logins).toEqual([]);
  await vi.waitFor(() => expect(server.open()).toBe(0));
});

test('a server that asks nobody', async () => {
  const server = await serveMongodb();
  expect((await ask(server.port, { user: null })).trial.outcome).toBe('ok');
  expect(server.commands).toEqual(['ismaster', 'listDatabases', 'buildInfo']);
});

test('a password with letters that URLs and SASL treat in their own way', async () => {
  const password = 'pä ss@:/%,=€\u00aa';
  const server = await serveMongodb({ users: { 'admin.app': 'pä ss@:/%,=€a' } });
  expect((await ask(server.port, { password })).trial.outcome).toBe('ok');
});

test.each<[string, Parameters<typeof serveMongodb>[0], boolean | null]>([
  ['rights on the database', { rights: [{ db: 'shop', collection: '' }] }, null],
  ['rights on every database', { rights: [{ db: '', collection: '' }] }, null],
  [
    'a narrow role that may not ask for numbers',
    { rights: [{ db: 'shop', collection: 'orders' }], errors: { dbStats: { code: 13, errmsg: 'no' } } },
    true,
  ],
  ['rights on another database alone', { rights: [{ db: 'other', collection: '' }] }, false],
  ['no right at all', { rights: [] }, false],
  ['no right, where nothing is forbidden', { rights: [], isLocked: false }, null],
  ['a server that does not tell of rights', { rights: [], errors: { connectionStatus: { code: 59, errmsg: 'no such command' } } }, null],
])('%s', async (_name, behaviour, hasRights) => {
  const server = await serveMongodb({ users: USERS, ...behaviour });
  expect((await ask(server.port)).answer?.hasRights).toBe(hasRights);
});

const SET = { setName: 'rs0', setVersion: 1, me: 'mongo:27017', hosts: ['mongo:27017'] };

test.each<[string, object, object]>([
  [
    'the primary of a set',
    { ...SET, isWritablePrimary: true, primary: 'mongo:27017' },
    { kind: 'primary', setName: 'rs0', me: 'mongo:27017', primary: 'mongo:27017' },
  ],
  [
    'a secondary',
    { ...SET, secondary: true, primary: 'other:27017', hosts: ['mongo:27017', 'other:27017'] },
    { kind: 'secondary', hosts: ['mongo:27017', 'other:27017'] },
  ],
  [
    'a set that nobody made',
    { isreplicaset: true, isWritablePrimary: false, info: 'Does not have a valid replica set config' },
    { kind: 'uninitiated', setName: null },
  ],
  ['a member in between', { ...SET, isWritablePrimary: false, secondary: false }, { kind: 'other', setName: 'rs0' }],
  ['a router of shards', { msg: 'isdbgrid', isWritablePrimary: true }, { kind: 'router' }],
])('%s is known before any login', async (_name, hello, node) => {
  const server = await serveMongodb({ users: USERS, hello });
  expect((await ask(server.port, { password: 'no' })).answer?.node).toMatchObject(node);
  expect((await probeMongodb(at(server.port), false, limitsOf())).answer?.node).toMatchObject(node);
});

test.each<[string, number, object]>([
  [
    'too old for the driver',
    7,
    { outcome: 'no-tool', text: expect.stringMatching(/maximum wire version 7.*the doctor requires at least/) as string },
  ],
  ['as old as it takes', 9, { outcome: 'ok' }],
])('a server that is %s', async (_name, maxWireVersion, trial) => {
  const server = await serveMongodb({ hello: { maxWireVersion } });
  expect((await ask(server.port, { user: null })).trial).toMatchObject(trial);
});

test('a server that is too new for the driver', async () => {
  const server = await serveMongodb({ hello: { minWireVersion: 99, maxWireVersion: 99 } });
  expect((await ask(server.port)).trial).toMatchObject({
    outcome: 'no-tool',
    text: expect.stringContaining('minimum wire version 99') as string,
  });
});

test('a server that shuts down', async () => {
  const server = await serveMongodb({ errors: { ismaster: { code: 11_600, errmsg: 'interrupted at shutdown' } } });
  expect((await ask(server.port, { user: null })).trial).toMatchObject({ outcome: 'failed', code: '11600' });
});

describe('what does not speak MongoDB, or not to the end', () => {
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

  test('a server that begins and falls silent', async () => {
    const server = await listen((socket) => socket.once('data', () => socket.write(reply(1, { ok: 1 }).subarray(0, 20))));
    expect((await ask(server.port, {}, 300)).trial).toMatchObject({ layer: 'protocol', outcome: 'timeout' });
  });

  test('a connection that is closed without a word', async () => {
    const server = await listen((socket) => socket.once('data', () => socket.end()));
    expect((await ask(server.port)).trial).toMatchObject({ layer: 'protocol', outcome: 'reset' });
  });

  test.each([
    ['HTTP', 'HTTP/1.1 400 Bad Request\r\n\r\n'],
    ['AMQP', 'AMQP\0\0\x09\x01'],
    ['MySQL', '\x4a\0\0\0\x0a8.0.30-with-a-long-name\0'],
    ['Redis', "-ERR unknown command 'x', with args beginning with\r\n"],
    ['rubbish', '\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff'],
    ['a length of nothing', '\0'.repeat(32)],
  ])('%s', async (_name, bytes) => {
    const server = await listen((socket) => socket.once('data', () => socket.write(Buffer.from(bytes, 'latin1'))));
    expect((await ask(server.port, {}, 1_000)).trial).toMatchObject({
      layer: 'protocol',
      outcome: 'failed',
      text: expect.stringContaining("not MongoDB's") as string,
    });
    expect((await probeMongodb(at(server.port), false, limitsOf(1_000))).trial).toMatchObject({ layer: 'protocol', outcome: 'failed' });
  });

  test('TLS to a server that has none', async () => {
    const server = await serveMongodb();
    expect((await ask(server.port, { tls: true }, 1_000)).trial).toMatchObject({ layer: 'tls' });
  });

  const ends = (bytes: Buffer, at: number, value: number): Buffer => {
    const changed = Buffer.from(bytes);
    changed.writeInt32LE(value, at);
    return changed;
  };
  const good = reply(1, { ok: 1, maxWireVersion: 21, minWireVersion: 0 });

  test('an answer longer than any that was asked for', async () => {
    const server = await listen((socket) => socket.once('data', () => socket.write(ends(good, 0, 47_000_000))));
    expect((await ask(server.port, {}, 3_000)).trial).toMatchObject({ layer: 'protocol', outcome: 'failed' });
  });

  const first: [string, Buffer][] = [
    ['a reply', reply(1, { ok: 1 })],
    ['a message', message(1, { ok: 1 })],
  ];
  test.each(first)('whatever is changed in %s, the try ends and nothing is thrown', async (_name, bytes) => {
    const change = fc.record({ at: fc.nat({ max: bytes.length - 1 }), value: fc.constantFrom(0, 1, 5, 127, 128, 251, 255) });
    await fc.assert(
      fc.asyncProperty(fc.array(change, { minLength: 1, maxLength: 4 }), fc.uint8Array({ maxLength: 60 }), async (changes, rest) => {
        const said = Buffer.concat([bytes, rest]);
        for (const { at: place, value } of changes) said[place] = value;
        const server = createNetServer((socket) => {
          socket.on('error', () => {});
          socket.once('data', () => socket.end(said));
        });
        const port = await start(server);
        const { trial } = await ask(port, {}, 300);
        server.close();
        expect(trial.outcome).not.toBe('ok');
      }),
      { numRuns: 60, seed: 7 },
    );
  });

  test.each<[string, Buffer]>([
    ['a count of documents without end', ends(good, 32, 2 ** 31 - 1)],
    ['a document of nothing', ends(message(1, { ok: 1 }), 21, 0)],
    ['a document of less than nothing', ends(message(1, { ok: 1 }), 21, -5)],
    ['a message of nothing after a good one', Buffer.concat([good, Buffer.alloc(64)])],
  ])('%s does not go round for ever', async (_name, bytes) => {
    const server = await listen((socket) => socket.on('data', () => socket.write(bytes)));
    expect((await ask(server.port, {}, 500)).trial.outcome).not.toBe('ok');
    await vi.waitFor(() => expect(server.open()).toBe(0));
  });

  test.each([
    ['nothing', {}],
    ['words for numbers', { maxWireVersion: 'many', minWireVersion: {}, ok: 1 }],
    ['lists for names', { ok: 1, maxWireVersion: 21, minWireVersion: 0, setName: ['a'], hosts: 'b', me: { c: 1 }, topologyVersion: 'd' }],
    [
      'a conversation that is none',
      { ok: 1, maxWireVersion: 21, minWireVersion: 0, speculativeAuthenticate: { payload: 'x', conversationId: 'y' } },
    ],
    [
      'a conversation with few rounds',
      { ok: 1, maxWireVersion: 21, minWireVersion: 0, speculativeAuthenticate: { payload: Buffer.from('r=nonce,s=AAAA,i=1') } },
    ],
  ])('a hello that says %s', async (_name, hello) => {
    const server = await listen((socket) =>
      socket.on('data', (chunk: Buffer) =>
        socket.write(chunk.readInt32LE(12) === 2004 ? reply(chunk.readInt32LE(4), hello) : message(chunk.readInt32LE(4), hello)),
      ),
    );
    const { trial } = await ask(server.port, {}, 800);
    expect(trial.outcome).not.toBe('ok');
    await vi.waitFor(() => expect(server.open()).toBe(0));
  });
});

interface Given {
  behaviour?: Parameters<typeof serveMongodb>[0];
  env?: Record<string, string>;
  connection?: Partial<Connection>;
  clientEnv?: Record<string, string>;
  log?: string[];
  path?: string;
}

const gather = async ({ behaviour, env = {}, connection = {}, clientEnv = {}, log = [], path }: Given) => {
  const server = await serveMongodb(behaviour);
  const vault = createVault();
  const declared = env['MONGO_INITDB_ROOT_PASSWORD'];
  const service = makeService({
    name: 'store',
    role: 'mongodb',
    containers: [
      {
        networkMode: 'host',
        networks: [],
        command: ['mongod', '--port', String(server.port)],
        env: { ...env, ...(declared && { MONGO_INITDB_ROOT_PASSWORD: vault.mark(declared) }) },
      },
    ],
  });
  const marked = Object.fromEntries(Object.entries(clientEnv).map(([key, value]) => [key, /PASS/.test(key) ? vault.mark(value) : value]));
  const client = makeService({
    name: 'app',
    containers: [{ env: marked, ...(path === undefined ? { state: { status: 'exited' } } : {}) }],
  });
  const engine = {
    ...localEngine(path),
    logs: () => Promise.resolve(log.map((text) => ({ time: null, stream: 'stdout' as const, text }))),
  };
  const words = {
    from: 'app',
    to: 'store',
    kind: 'mongodb' as const,
    host: 'store',
    port: server.port,
    source: 'env MONGO_URL',
    database: 'shop',
    user: 'app',
    password: vault.mark('open-sesame'),
    url: 'mongodb://app:…@store/shop?authSource=admin',
    ...connection,
  };
  const stack = makeStack({ services: [service, client], connections: 'from' in connection ? [] : [makeConnection(words)] });
  return { server, fact: await gatherMongodb(service, gatheringOf(stack, { vault, engine })) };
};

const PLAIN = 'mongodb://app:…@store/shop';

describe('the words of clients', () => {
  test.each<[string, Given, object]>([
    [
      'as the URL tells',
      { behaviour: { users: USERS } },
      { trial: { outcome: 'ok' }, authSources: ['admin'], user: 'app', database: 'shop' },
    ],
    [
      'without authSource the database of the URL is asked, and the right one is found',
      { behaviour: { users: USERS }, connection: { url: PLAIN } },
      { trial: { code: '18' }, authSources: ['shop'], acceptedIn: 'admin' },
    ],
    [
      'without a database either it is admin',
      { behaviour: { users: USERS }, connection: { url: 'mongodb://app:…@store', database: null } },
      { trial: { outcome: 'ok' }, authSources: ['admin'] },
    ],
    [
      'a user of the database itself',
      { behaviour: { users: { 'shop.app': 'open-sesame' } }, connection: { url: PLAIN } },
      { trial: { outcome: 'ok' }, authSources: ['shop'], acceptedIn: null },
    ],
    [
      'authSource is admin, and the user is in the database',
      { behaviour: { users: { 'shop.app': 'open-sesame' } } },
      { trial: { code: '18' }, acceptedIn: 'shop' },
    ],
    [
      'a wrong password is wrong everywhere',
      { behaviour: { users: { 'admin.app': 'x', 'shop.app': 'y' } }, connection: { url: PLAIN } },
      { trial: { code: '18' }, acceptedIn: null },
    ],
    [
      'variables that name no authSource: one that is usual will do',
      { behaviour: { users: { 'shop.app': 'open-sesame' } }, connection: { source: 'env MONGO_HOST', url: 'store:27017' } },
      { trial: { outcome: 'ok' }, authSources: ['admin', 'shop'] },
    ],
    [
      'what stands beside a URL without a user',
      {
        behaviour: { users: USERS },
        connection: { user: null, password: null, url: 'mongodb://store' },
        clientEnv: { ME_CONFIG_MONGODB_ADMINUSERNAME: 'app', ME_CONFIG_MONGODB_ADMINPASSWORD: 'open-sesame' },
      },
      { trial: { outcome: 'ok' }, user: 'app' },
    ],
    [
      'no user, and none is wanted',
      { connection: { user: null, password: null, url: 'mongodb://store' } },
      { trial: { outcome: 'ok' }, user: null, authSources: [] },
    ],
    [
      'no user, and one is wanted',
      { behaviour: { users: USERS }, connection: { user: null, password: null, url: 'mongodb://store' } },
      { trial: { code: '13' }, user: null },
    ],
    [
      'a certificate that only the client has',
      { connection: { url: `${PLAIN}?authMechanism=MONGODB-X509` } },
      { trial: { outcome: 'no-tool', text: expect.stringContaining('MONGODB-X509') as string } },
    ],
    [
      'what the URL says of the set',
      {
        behaviour: { users: USERS, hello: { ...SET, isWritablePrimary: true } },
        connection: { url: `${PLAIN}?authSource=admin&replicaset=rs0&directConnection=true` },
      },
      { trial: { outcome: 'ok' }, options: { replicaSet: 'rs0', directConnection: 'true' }, node: { kind: 'primary' } },
    ],
  ])('%s', async (_name, given, attempt) => {
    const { fact } = await gather(given);
    expect(fact.attempts[0]).toMatchObject({ client: 'app', ...attempt });
  });
});

test('the own words of the server are tried once a client is rejected, and its log is read', async () => {
  const env = { MONGO_INITDB_ROOT_USERNAME: 'root', MONGO_INITDB_ROOT_PASSWORD: 'new-one' };
  const log = ['{"msg":"Failed to authenticate","attr":{"user":"app","db":"admin"}}'];
  const { fact } = await gather({ behaviour: { users: { 'admin.root': 'old-one', 'admin.app': 'x' } }, env, log });
  expect(fact.attempts).toMatchObject([
    { client: 'app', trial: { code: '18' } },
    { client: 'store', source: 'env MONGO_INITDB_ROOT_PASSWORD', user: 'root', trial: { code: '18' }, authSources: ['admin'] },
  ]);
  expect(fact.serverLog.map(({ text }) => text)).toEqual(log);
});

test('a healthy server is asked by its clients alone, and its log is left alone', async () => {
  const { fact, server } = await gather({
    behaviour: { users: USERS },
    env: { MONGO_INITDB_ROOT_USERNAME: 'root', MONGO_INITDB_ROOT_PASSWORD: 'x' },
    log: ['anything'],
  });
  expect(fact).toMatchObject({ attempts: [{ client: 'app', trial: { outcome: 'ok' } }], version: '8.0.4', members: [], serverLog: [] });
  expect(server.logins).toEqual(['admin.app']);
});

test('without clients and words, only the protocol is asked for', async () => {
  const { fact } = await gather({ behaviour: { users: USERS }, connection: { from: 'nobody' } });
  expect(fact.attempts).toMatchObject([{ client: 'store', user: null, trial: { layer: 'protocol', outcome: 'ok' } }]);
});

test('a server that takes TLS alone', async () => {
  const server = createTlsServer({ key, cert }, (socket) => {
    socket.on('error', () => {});
    socket.on('data', (chunk: Buffer) =>
      socket.write(reply(chunk.readInt32LE(4), { ok: 1, maxWireVersion: 21, minWireVersion: 0, ismaster: true })),
    );
  });
  server.on('tlsClientError', () => {});
  const port = await start(server);
  onTestFinished(() => void server.close());
  const { fact } = await gather({ connection: { port } });
  expect(fact.attempts).toMatchObject([
    { trial: { layer: 'tls', outcome: 'rejected', text: expect.stringContaining('answers over TLS') as string } },
  ]);
});

describe('where the set sends its clients', () => {
  const set = (host: string) => ({
    behaviour: { users: USERS, hello: { ...SET, isWritablePrimary: true, hosts: [host] } },
    path: process.env['PATH']!,
  });
  test('a name of the stack is not tried', async () => expect((await gather(set('store:27017'))).fact.members).toEqual([]));
  test('a name with dots is somebody else’s', async () => expect((await gather(set('db.example.com:27017'))).fact.members).toEqual([]));
  test('loopback is tried from the client', async () => {
    const port = await closedPort();
    expect((await gather(set(`127.0.0.1:${port}`))).fact.members).toMatchObject([
      { client: 'app', host: '127.0.0.1', port, trial: { outcome: 'refused' } },
    ]);
  });
  test('loopback is right for a client in the same network namespace', async () => {
    const other = await serveMongodb();
    expect((await gather(set(`localhost:${other.port}`))).fact.members).toMatchObject([{ trial: { outcome: 'ok' } }]);
  });
  test('a client that stays where it is goes nowhere', async () => {
    const given = set('localhost:1');
    expect((await gather({ ...given, connection: { url: `${PLAIN}?authSource=admin&directConnection=true` } })).fact.members).toEqual([]);
  });
});

test('which user and password stand beside a URL that has neither', () => {
  const pair = (user: string, variable: string) => ({ user, password: 'pw', variable });
  expect(pairBeside({ MONGO_USER: 'u', MONGO_PASSWORD: 'pw', DB_USER: 'v', DB_PASSWORD: 'pw' }, [])).toEqual(pair('u', 'MONGO_USER'));
  expect(pairBeside({ DB_USERNAME: 'v', DB_PASS: 'pw' }, [])).toEqual(pair('v', 'DB_USERNAME'));
  expect(pairBeside({ DB_USER: 'v', DB_PASSWORD: 'pw' }, ['pw'])).toBeNull();
  expect(pairBeside({ MONGO_USER: 'u', SMTP_USER: 'w', SMTP_PASSWORD: 'pw' }, [])).toBeNull();
});
