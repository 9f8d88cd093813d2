import { expect, onTestFinished, test, vi } from 'vitest';
import { TRY_MS } from '../../src/gather/gathering.ts';
import { gatherPostgres } from '../../src/gather/postgres.ts';
import { rootsOf } from '../../src/gather/lock-waits.ts';
import { askPostgres, probePostgres, type PostgresLogin } from '../../src/gather/postgres-session.ts';
import { dialTcp } from '../../src/gather/dial.ts';
import { createVault } from '../../src/gather/vault.ts';
import type { Vantage } from '../../src/gather/vantage.ts';
import type { Connection } from '../../src/model/stack.ts';
import { makeConnection, makePort, makeService, makeStack } from '../checks/make.ts';
import { closedPort, gatheringOf, limitsOf, listen, localEngine } from './loopback.ts';
import { errorMessage, servePostgres } from './postgres-server.ts';

const at = (port: number, host = '127.0.0.1'): Vantage => ({
  view: { kind: 'published', address: `${host}:${port}` },
  host,
  port,
  dial: dialTcp(host, port),
});

const login = (parts: Partial<PostgresLogin> = {}): PostgresLogin => ({
  user: 'app',
  password: 'open-sesame',
  database: 'app',
  tls: false,
  wantSessions: () => false,
  ...parts,
});

const trialAt = async (port: number, parts: Partial<PostgresLogin> = {}, ms = 2_000) =>
  (await askPostgres(at(port), login(parts), limitsOf(ms))).trial;

test('a login that is accepted tells which server it is', async () => {
  const server = await servePostgres({ password: 'open-sesame' });
  const { trial, answer } = await askPostgres(at(server.port), login(), limitsOf());
  expect(trial).toMatchObject({ layer: 'done', outcome: 'ok', code: '', text: '' });
  expect(answer?.identity).toEqual({ address: '172.18.0.2', port: 5432, startedAt: '2026-11-23T06:00:00.000Z' });
  expect(answer?.server).toMatchObject({ version: '18.1', inRecovery: false, readOnly: false, maxConnections: 100 });
  await vi.waitFor(() => expect(server.open()).toBe(0));
});

test.each([
  ['28P01', 'password authentication failed for user "app"'],
  ['28000', 'role "app" is not permitted to log in'],
  ['3D000', 'database "app" does not exist'],
  ['53300', 'sorry, too many clients already'],
  ['57P03', 'the database system is starting up'],
])('SQLSTATE %s comes through as the server said it', async (code, words) => {
  const server = await servePostgres({ refuse: () => errorMessage(code, words) });
  expect(await trialAt(server.port)).toMatchObject({ layer: 'login', outcome: 'rejected', code, text: words });
});

test('a refused port, an unknown name', async () => {
  expect(await trialAt(await closedPort())).toMatchObject({ layer: 'tcp', outcome: 'refused', code: 'ECONNREFUSED' });
  const nowhere = { ...at(5432, 'no-such-service.invalid') };
  expect((await askPostgres(nowhere, login(), limitsOf())).trial).toMatchObject({ layer: 'name', outcome: 'not-found' });
});

test('a server that takes the connection and stays silent costs one limit', async () => {
  const server = await listen(() => {});
  expect(await trialAt(server.port, {}, 300)).toMatchObject({ layer: 'protocol', outcome: 'timeout' });
  await vi.waitFor(() => expect(server.open()).toBe(0));
});

test('one that falls silent after the login is caught at the question', async () => {
  const server = await listen((socket) => socket.once('data', () => socket.write(Buffer.from('5200000008000000005a0000000549', 'hex'))));
  expect(await trialAt(server.port, {}, 300)).toMatchObject({ layer: 'query', outcome: 'timeout' });
});

test('a connection that is closed without a word', async () => {
  const server = await listen((socket) => socket.once('data', () => socket.end()));
  expect(await trialAt(server.port)).toMatchObject({ layer: 'protocol', outcome: 'reset' });
});

test.each([
  ['HTTP', 'HTTP/1.1 400 Bad Request\r\n\r\n'],
  ['SSH', 'SSH-2.0-OpenSSH_9.2\r\n'],
  ['Redis', '-ERR unknown command\r\n'],
  ['a letter of Postgres with an impossible length', 'R\x7f\xff\xff\xff....'],
  ['binary rubbish', '\x00\x01\x02\x03\x04\x05\x06\x07'],
])('%s is not Postgres', async (_name, bytes) => {
  const server = await listen((socket) => socket.once('data', () => socket.write(Buffer.from(bytes, 'latin1'))));
  expect(await trialAt(server.port, {}, 1_000)).toMatchObject({ layer: 'protocol', outcome: 'failed' });
});

test('messages that no Postgres sends end the try, not the program', async () => {
  // Authentication of a kind that does not exist; a row that nobody asked for.
  for (const hex of ['52000000080000ffff', '52000000080000000044000000060001']) {
    const server = await listen((socket) => socket.once('data', () => socket.write(Buffer.from(hex, 'hex'))));
    const trial = await trialAt(server.port, {}, 500);
    expect(trial.outcome).not.toBe('ok');
  }
});

test('an answer without end does not fill the memory', async () => {
  const notice = Buffer.concat([Buffer.from('4e0000f004', 'hex'), Buffer.alloc(0xf000, 'x')]);
  const server = await listen((socket) => {
    const pour = () => {
      while (!socket.destroyed && socket.write(notice));
    };
    socket.once('data', pour);
    socket.on('drain', pour);
  });
  const trial = await trialAt(server.port, {}, 5_000);
  expect(trial.outcome).toBe('failed');
  expect(trial.text).toContain('longer than');
});

test('a client that wants TLS from a server that has none', async () => {
  const server = await servePostgres();
  expect(await trialAt(server.port, { tls: true })).toMatchObject({ layer: 'tls', outcome: 'rejected' });
});

test("the user's own variables and password file have no say (FA-25)", async () => {
  const settings = {
    PGPASSWORD: 'of-the-user',
    PGUSER: 'somebody',
    PGDATABASE: 'elsewhere',
    PGHOST: 'example.invalid',
    PGPORT: '1',
    PGOPTIONS: '-c search_path=mine',
    PGAPPNAME: 'mine',
    PGSSLMODE: 'require',
    PGSSLNEGOTIATION: 'direct',
    PGCLIENT_ENCODING: 'latin1',
    PGREPLICATION: 'database',
    PGPASSFILE: '/dev/null',
  };
  for (const [name, value] of Object.entries(settings)) vi.stubEnv(name, value);
  onTestFinished(() => void vi.unstubAllEnvs());
  const server = await servePostgres({ password: 'open-sesame' });
  expect((await trialAt(server.port)).outcome).toBe('ok');
  expect(server.logins).toEqual([{ user: 'app', database: 'app', application_name: 'stack-doctor', client_encoding: 'UTF8' }]);
  expect(server.passwords).toEqual(['open-sesame']);
  expect(process.env['PGOPTIONS']).toBe('-c search_path=mine');
});

test('without a password the server still gets to judge, and the text says that none was given', async () => {
  const server = await servePostgres({ password: 'open-sesame' });
  expect(await trialAt(server.port, { password: null })).toMatchObject({
    layer: 'login',
    code: '28P01',
    text: expect.stringContaining('no password was given'),
  });
  expect(server.passwords).not.toContain('of-the-user');
});

test('the knock is answered by Postgres alone, and logs nobody in', async () => {
  const server = await servePostgres();
  expect((await probePostgres(at(server.port), limitsOf())).outcome).toBe('ok');
  expect(server.logins).toEqual([]);
  const other = await listen((socket) => socket.once('data', () => socket.write('HTTP/1.1 400 Bad Request\r\n\r\n')));
  expect(await probePostgres(at(other.port), limitsOf())).toMatchObject({ layer: 'protocol', outcome: 'failed' });
  const closing = await listen((socket) => socket.end());
  expect(await probePostgres(at(closing.port), limitsOf())).toMatchObject({ outcome: 'reset' });
});

test('the root of a queue for a lock is the one that waits for nobody', () => {
  const wait = (waiter: number, blocker: number) => ({
    waiter,
    blocker,
    address: '172.18.0.9',
    application: `app ${blocker}`,
    state: 'idle in transaction',
    seconds: 60,
  });
  expect(rootsOf([wait(2, 1), wait(3, 2), wait(3, 1), wait(4, 3), wait(9, 8)]).map(({ blocker, blocked }) => [blocker, blocked])).toEqual([
    [1, 3],
    [8, 1],
  ]);
  // Two that wait for each other: Postgres resolves it by itself.
  expect(rootsOf([wait(1, 2), wait(2, 1)])).toEqual([]);
});

/**
 * Services whose clients' words are these, and whose server listens on this machine (`network_mode: host`), so that its address is
 * reachable.
 */
const stackWith = (port: number, connections: Partial<Connection>[], env: Record<string, string> = {}, published: number | null = null) => {
  const db = makeService({
    name: 'db',
    role: 'postgres',
    containers: [
      {
        networkMode: 'host',
        networks: [],
        env: { PGPORT: String(port), ...env },
        ports: published === null ? [] : [makePort({ containerPort: port, hostIp: '127.0.0.1', hostPort: published })],
      },
    ],
  });
  const clients = [...new Set(connections.map((each) => each.from ?? 'app'))].map((name) =>
    makeService({ name, containers: [{ state: { status: 'exited' } }] }),
  );
  return {
    db,
    stack: makeStack({ services: [db, ...clients], connections: connections.map((each) => makeConnection({ port, ...each })) }),
  };
};

test('clients with the same words share one session, and the published port is asked who it is', async () => {
  const vault = createVault();
  const server = await servePostgres({ password: 'open-sesame', sessions: [['172.18.0.4', 'uvicorn', 'app', 'idle', '3', '12.4']] });
  const words = { user: 'app', password: vault.mark('open-sesame'), database: 'app' };
  const { db, stack } = stackWith(
    server.port,
    [
      { from: 'backend', ...words },
      { from: 'worker', ...words },
    ],
    { POSTGRES_USER: 'app', POSTGRES_PASSWORD: words.password, POSTGRES_DB: 'app' },
    server.port,
  );
  const fact = await gatherPostgres(db, gatheringOf(stack, { vault }));
  expect(fact.attempts.map(({ client, view, trial }) => [client, view.kind, trial.outcome])).toEqual([
    ['backend', 'address', 'ok'],
    ['worker', 'address', 'ok'],
    ['db', 'published', 'ok'],
  ]);
  expect(server.taken()).toBe(2);
  expect(fact.server?.sessions).toEqual([
    { address: '172.18.0.4', application: 'uvicorn', user: 'app', state: 'idle', count: 3, oldestSeconds: 12 },
  ]);
  expect(fact.serverLog).toEqual([]);
  expect(JSON.stringify(fact)).not.toContain('open-sesame');
});

test("the server's own words are tried beside a client's that differ", async () => {
  const vault = createVault();
  const server = await servePostgres({ password: 'new' });
  const { db, stack } = stackWith(server.port, [{ from: 'backend', user: 'app', password: vault.mark('old'), database: 'app' }], {
    POSTGRES_PASSWORD: vault.mark('new'),
    POSTGRES_USER: 'app',
  });
  const fact = await gatherPostgres(db, gatheringOf(stack, { vault }));
  expect(fact.attempts.map(({ client, source, trial }) => [client, source, trial.outcome, trial.code])).toEqual([
    ['backend', 'env DATABASE_URL', 'rejected', '28P01'],
    ['db', 'env POSTGRES_PASSWORD', 'ok', ''],
  ]);
  expect(fact.server?.version).toBe('18.1');
});

test('the log of the server is read after a rejection, for the DETAIL it tells nobody else', async () => {
  const vault = createVault();
  const server = await servePostgres({ password: 'right' });
  const { db, stack } = stackWith(server.port, [{ user: 'app', password: vault.mark('hunter22'), database: 'app' }]);
  const lines = ['FATAL:  password authentication failed for user "app"', 'DETAIL:  Role "app" does not exist.\u001b[31m', 'hunter22'];
  const engine = { ...localEngine(), logs: async () => lines.map((text) => ({ time: null, stream: 'stderr' as const, text })) };
  const fact = await gatherPostgres(db, gatheringOf(stack, { vault, engine }));
  expect(fact.serverLog.map((line) => line.text)).toEqual([lines[0], 'DETAIL:  Role "app" does not exist.', vault.mark('hunter22')]);
});

test('a silent server is asked once, however many clients it has', async () => {
  const vault = createVault();
  const server = await listen(() => {});
  const clients = ['a', 'b', 'c', 'd', 'e'].map((from) => ({
    from,
    user: from,
    password: vault.mark(`password of ${from}`),
    database: 'app',
  }));
  const { db, stack } = stackWith(server.port, clients, { POSTGRES_PASSWORD: vault.mark('own') });
  const began = performance.now();
  const fact = await gatherPostgres(db, gatheringOf(stack, { vault }));
  expect(server.taken()).toBe(1);
  expect(performance.now() - began).toBeLessThan(TRY_MS * 1.75);
  expect(fact.attempts.map(({ client, trial }) => `${client} ${trial.layer} ${trial.outcome}`)).toEqual(
    ['a', 'b', 'c', 'd', 'e'].map((name) => `${name} protocol timeout`),
  );
});

test('what every ordinary role meets is not asked again, but the own role is tried for its reserved place', async () => {
  const vault = createVault();
  const server = await servePostgres({
    refuse: ({ user }) => (user === 'postgres' ? null : errorMessage('53300', 'sorry, too many clients already')),
  });
  const { db, stack } = stackWith(
    server.port,
    [
      { from: 'a', user: 'a', password: vault.mark('aaaa'), database: 'app' },
      { from: 'b', user: 'b', password: vault.mark('bbbb'), database: 'app' },
    ],
    { POSTGRES_PASSWORD: vault.mark('own') },
  );
  const fact = await gatherPostgres(db, gatheringOf(stack, { vault }));
  expect(server.logins.map((each) => each['user'])).toEqual(['a', 'postgres']);
  expect(fact.attempts.map(({ client, trial }) => [client, trial.code])).toEqual([
    ['a', '53300'],
    ['b', '53300'],
    ['db', ''],
  ]);
  expect(fact.server).not.toBeNull();
});

test('another server on the published port has another identity', async () => {
  const vault = createVault();
  const [server, other] = [await servePostgres(), await servePostgres({ startedAt: '2026-01-01T00:00:00.000Z', address: '127.0.0.1' })];
  const { db, stack } = stackWith(server.port, [{ user: 'app', password: vault.mark('open-sesame'), database: 'app' }], {}, other.port);
  const fact = await gatherPostgres(db, gatheringOf(stack, { vault }));
  expect(fact.attempts.map(({ view, identity }) => [view.kind, identity?.startedAt])).toEqual([
    ['address', '2026-11-23T06:00:00.000Z'],
    ['published', '2026-01-01T00:00:00.000Z'],
  ]);
});

test('where no words are known, only the protocol is asked for', async () => {
  const server = await servePostgres();
  // No user: the client's own settings decide, and a guess would be a false alarm.
  const { db, stack } = stackWith(server.port, [{ user: null }]);
  const fact = await gatherPostgres(db, gatheringOf(stack));
  expect(fact.attempts).toMatchObject([{ client: 'db', user: '', trial: { layer: 'protocol', outcome: 'ok' }, identity: null }]);
  expect(server.logins).toEqual([]);
});

test('a client that reads its password from a file is not tried without one', async () => {
  const server = await servePostgres({ password: 'in the file' });
  const { db, stack } = stackWith(server.port, [{ from: 'app', user: 'app' }]);
  stack.services.find((each) => each.name === 'app')!.containers[0]!.env = { DB_PASSWORD_FILE: '/run/secrets/db' };
  const fact = await gatherPostgres(db, gatheringOf(stack));
  expect(fact.attempts.map((each) => each.client)).toEqual(['db']);
});

test('a refused address is looked at again from inside the client, as the client spells it', async () => {
  const vault = createVault();
  const server = await servePostgres();
  const port = await closedPort();
  const { db, stack } = stackWith(port, [
    { from: 'app', host: 'localhost', port, user: 'app', password: vault.mark('open-sesame'), database: 'app' },
  ]);
  stack.services.find((each) => each.name === 'app')!.containers[0]!.state.status = 'running';
  const refused = await gatherPostgres(db, gatheringOf(stack, { vault }));
  expect(refused.attempts).toMatchObject([
    { client: 'app', view: { kind: 'inside', service: 'app' }, trial: { layer: 'tcp', outcome: 'refused' } },
  ]);
  expect(server.taken()).toBe(0);
});

test('without a running container there is nothing to ask', async () => {
  const db = makeService({ name: 'db', role: 'postgres', containers: [{ state: { status: 'paused' } }] });
  await expect(gatherPostgres(db, gatheringOf(makeStack({ services: [db] })))).rejects.toThrow('db has no running container');
});

test('a run that ends first proves nothing about the server', async () => {
  const server = await listen(() => {});
  const { db, stack } = stackWith(server.port, [{ user: 'app', password: null, database: 'app' }]);
  const signal = AbortSignal.timeout(200);
  await expect(gatherPostgres(db, gatheringOf(stack, { signal }))).rejects.toMatchObject({ name: 'CannotLook', timedOut: true });
});

/** An engine whose containers' addresses this machine cannot reach, as with Docker Desktop. */
const distantEngine = () => ({ ...localEngine(), host: 'tcp://127.0.0.1:2375' });

test('without a way to the address the published port will do', async () => {
  const vault = createVault();
  const server = await servePostgres({ password: 'open-sesame', sessions: [['172.18.0.4', '', 'app', 'idle', '1', '1']] });
  const { db, stack } = stackWith(5432, [{ user: 'app', password: vault.mark('open-sesame'), database: 'app' }], {}, server.port);
  const fact = await gatherPostgres(db, gatheringOf(stack, { vault, engine: distantEngine() }));
  expect(fact.attempts).toMatchObject([{ client: 'app', view: { kind: 'published' }, trial: { outcome: 'ok' } }]);
  expect(fact.server?.sessions).toHaveLength(1);
});

test('but a "no" from there may be that of another server, and is asked for again from inside the client', async () => {
  const vault = createVault();
  const other = await servePostgres({ password: 'of somebody else' });
  const server = await servePostgres({ password: 'open-sesame' });
  const { db, stack } = stackWith(
    server.port,
    [{ host: 'localhost', user: 'app', password: vault.mark('open-sesame'), database: 'app' }],
    {},
    other.port,
  );
  stack.services.find((each) => each.name === 'app')!.containers[0]!.state.status = 'running';
  const fact = await gatherPostgres(db, gatheringOf(stack, { vault, engine: distantEngine() }));
  expect(fact.attempts).toMatchObject([{ client: 'app', view: { kind: 'inside', service: 'app' }, trial: { outcome: 'ok' } }]);
});
