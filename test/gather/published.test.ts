import { createServer } from 'node:http';
import { networkInterfaces } from 'node:os';
import { expect, onTestFinished, test } from 'vitest';
import { gatherHttp } from '../../src/gather/http.ts';
import type { Gathering } from '../../src/gather/gathering.ts';
import { gatherMongodb } from '../../src/gather/mongodb.ts';
import { gatherMysql } from '../../src/gather/mysql.ts';
import { gatherPostgres } from '../../src/gather/postgres.ts';
import { gatherPublished } from '../../src/gather/published.ts';
import { gatherRabbitmq } from '../../src/gather/rabbitmq.ts';
import { gatherRedis } from '../../src/gather/redis.ts';
import { createVault } from '../../src/gather/vault.ts';
import { spokenBy, type PortMapping, type Role, type Service } from '../../src/model/stack.ts';
import { makeConnection, makePort, makeService, makeStack } from '../checks/make.ts';
import { closedPort, gatheringOf, listen, start } from './loopback.ts';
import { serveMongodb } from './mongodb-server.ts';
import { serveMysql } from './mysql-server.ts';
import { servePostgres } from './postgres-server.ts';
import { serveRabbitmq } from './rabbitmq-server.ts';
import { INFO, serveRedis } from './redis-server.ts';

/** A service that listens on this machine (`network_mode: host`) at one port, and is published at others. */
const serviceOf = (role: Role, containerPort: number, ports: Partial<PortMapping>[], command: string[] = []): Service =>
  makeService({
    name: 'it',
    role,
    containers: [
      {
        networkMode: 'host',
        networks: [],
        env: { PGPORT: String(containerPort) },
        command,
        exposedPorts: [containerPort],
        ports: ports.map((each) => makePort({ containerPort, hostIp: '127.0.0.1', ...each })),
      },
    ],
  });

/** The gatherers of the protocols answer for their facts, as in a run. */
const look = async (service: Service, port: number) => {
  const vault = createVault();
  const client = makeService({ name: 'app', containers: [{ state: { status: 'exited' } }] });
  const words = { to: 'it', host: 'it', port, user: 'app', password: vault.mark('open-sesame'), database: 'app' };
  const kind = spokenBy(service.role);
  const connections = kind === null || kind === 'redis' ? [] : [makeConnection({ ...words, kind })];
  const gatherers = {
    postgres: gatherPostgres,
    redis: gatherRedis,
    mysql: gatherMysql,
    rabbitmq: gatherRabbitmq,
    mongodb: gatherMongodb,
    http: gatherHttp,
  };
  const plain = gatheringOf(makeStack({ services: [service, client], connections }), { vault });
  const given: Gathering = {
    ...plain,
    fact: (async (name: keyof typeof gatherers, asked: Service) => ({
      ok: true,
      ms: 1,
      value: await gatherers[name](asked, plain),
    })) as unknown as Gathering['fact'],
  };
  const { ports } = await gatherPublished(service, given);
  return ports.map(({ mapping, trial, server, proof }) => ({ port: mapping.hostPort, outcome: trial.outcome, server, proof }));
};

test('Postgres: the same server by its start time', async () => {
  const server = await servePostgres();
  expect(await look(serviceOf('postgres', server.port, [{ hostPort: server.port }]), server.port)).toEqual([
    { port: server.port, outcome: 'ok', server: 'same', proof: 'address 172.18.0.2, started 2026-11-23T06:00:00.000Z' },
  ]);
});

test('Postgres: another one', async () => {
  const server = await servePostgres();
  const other = await servePostgres({ address: '127.0.0.1', startedAt: '2026-01-01T00:00:00.000Z' });
  const [port] = await look(serviceOf('postgres', server.port, [{ hostPort: other.port }]), server.port);
  expect(port).toMatchObject({ outcome: 'ok', server: 'other', proof: expect.stringContaining('started 2026-01-01T00:00:00.000Z') });
});

test('Postgres: a login that is rejected on the port says nothing about who rejects it', async () => {
  const server = await servePostgres();
  const other = await servePostgres({ password: 'of somebody else' });
  expect(await look(serviceOf('postgres', server.port, [{ hostPort: other.port }]), server.port)).toMatchObject([
    { outcome: 'rejected', server: 'unknown' },
  ]);
});

test('Redis: by run_id', async () => {
  const server = await serveRedis();
  const other = await serveRedis(([name]) => (name === 'INFO' ? INFO.replace('0123456789abcdef', 'fedcba9876543210') : undefined));
  const command = ['redis-server', '--port', String(server.port)];
  expect(await look(serviceOf('redis', server.port, [{ hostPort: server.port }], command), server.port)).toMatchObject([
    { server: 'same' },
  ]);
  expect(await look(serviceOf('redis', server.port, [{ hostPort: other.port }], command), server.port)).toMatchObject([
    { server: 'other', proof: expect.stringContaining('fedcba9876543210') },
  ]);
});

test('MongoDB: by the number that it drew at its start', async () => {
  const server = await serveMongodb({ users: { 'app.app': 'open-sesame' } });
  const other = await serveMongodb({ users: { 'app.app': 'of somebody else' } });
  const old = await serveMongodb({ hello: { topologyVersion: undefined } });
  const at = (hostPort: number) =>
    look(serviceOf('mongodb', server.port, [{ hostPort }], ['mongod', '--port', String(server.port)]), server.port);
  expect(await at(server.port)).toMatchObject([
    { outcome: 'ok', server: 'same', proof: expect.stringMatching(/^process [0-9a-f]{24}$/) as string },
  ]);
  // It is told before any login, to those who are rejected too.
  expect(await at(other.port)).toMatchObject([{ server: 'other' }]);
  expect(await at(old.port)).toMatchObject([{ server: 'unknown' }]);
});

const serveHttp = async (body: () => string, program = 'uvicorn'): Promise<number> => {
  const server = createServer((_request, response) => response.setHeader('server', program).end(body()));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return start(server);
};

test('HTTP: the same bytes, another program, a page that changes', async () => {
  let count = 0;
  const [api, nginx, counter] = [
    await serveHttp(() => 'ok'),
    await serveHttp(() => 'ok', 'nginx/1.29'),
    await serveHttp(() => `${count++}`),
  ];
  expect(await look(serviceOf('http', api, [{ hostPort: api }]), api)).toMatchObject([{ outcome: 'ok', server: 'same' }]);
  expect(await look(serviceOf('http', api, [{ hostPort: nginx }]), api)).toMatchObject([{ outcome: 'ok', server: 'other' }]);
  expect(await look(serviceOf('http', counter, [{ hostPort: counter }]), counter)).toMatchObject([{ outcome: 'ok', server: 'unknown' }]);
});

test('a port that nobody listens on, and one that closes at once', async () => {
  const closing = await listen((socket) => socket.end());
  const closed = await closedPort();
  const service = serviceOf('unknown', 7000, [{ hostPort: closed }, { hostPort: closing.port }]);
  expect((await look(service, 7000)).map((each) => each.outcome)).toEqual(['refused', 'reset']);
});

test('of an unknown protocol only the connection is tried, with not a byte sent', async () => {
  let received = 0;
  const server = await listen((socket) => socket.on('data', (chunk: Buffer) => (received += chunk.length)));
  expect(await look(serviceOf('worker', 7000, [{ hostPort: server.port }]), 7000)).toMatchObject([{ outcome: 'ok', server: 'unknown' }]);
  expect([server.taken(), received]).toEqual([1, 0]);
});

test('UDP is not asked; "every interface" is this machine', async () => {
  const server = await listen(() => {});
  const ports = [
    { hostPort: server.port, hostIp: '' },
    { hostPort: server.port, protocol: 'udp' as const },
    { hostPort: server.port, hostIp: '0.0.0.0' },
  ];
  expect((await look(serviceOf('unknown', 7000, ports), 7000)).map((each) => each.outcome)).toEqual(['ok', 'ok']);
});

const hasIpv6 = Object.values(networkInterfaces()).some((each) => each?.some(({ address }) => address === '::1'));

test.skipIf(!hasIpv6)('the IPv6 side of a mapping is asked on its own', async () => {
  const server = await listen(() => {}, '::1');
  expect(await look(serviceOf('unknown', 7000, [{ hostPort: server.port, hostIp: '::' }]), 7000)).toMatchObject([{ outcome: 'ok' }]);
});

test("the loopback of another machine's engine cannot be asked", async () => {
  const service = serviceOf('unknown', 7000, [{ hostPort: 1, hostIp: '127.0.0.1' }]);
  const remote = gatheringOf(makeStack({ services: [service] }));
  const elsewhere = { ...remote, engine: { ...remote.engine, host: 'tcp://192.0.2.1:2375' } };
  expect(await gatherPublished(service, elsewhere)).toEqual({ ports: [] });
});

const ROW = { version: '8.4.0', hostname: 'a1b2', port: 3306, readOnly: 0, most: 151, now: Date.parse('2026-11-23T07:00:00Z') / 1000 };

test('MySQL: the same server by its host name and start', async () => {
  const server = await serveMysql();
  expect(await look(serviceOf('mysql', server.port, [{ hostPort: server.port }]), server.port)).toEqual([
    { port: server.port, outcome: 'ok', server: 'same', proof: 'host name 4f1c, started 2026-11-23T06:00:00.000Z' },
  ]);
});

test('MySQL: another one', async () => {
  const [mine, its] = [await serveMysql(), await serveMysql({ answers: { 'select @@version': [ROW] } })];
  expect(await look(serviceOf('mysql', mine.port, [{ hostPort: its.port }]), mine.port)).toMatchObject([{ server: 'other' }]);
});

test('RabbitMQ: it answers; of two with one name nobody can tell', async () => {
  const server = await serveRabbitmq({ user: 'app', vhosts: ['app'] });
  expect(await look(serviceOf('rabbitmq', server.port, [{ hostPort: server.port }]), server.port)).toMatchObject([
    { outcome: 'ok', server: 'unknown', proof: 'cluster rabbit@post' },
  ]);
});
