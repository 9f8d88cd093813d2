import { expect, test } from 'vitest';
import { assembleStack } from '../../src/model/assemble.ts';
import type { ServiceSetting } from '../../src/model/config.ts';
import type { NginxFact } from '../../src/model/facts.ts';
import type { Container } from '../../src/model/stack.ts';
import { makeContainer, makeSpec } from '../checks/make.ts';

const nginx = (upstreams: Partial<NginxFact['upstreams'][number]>[]): NginxFact => ({
  container: 'p-edge-1',
  files: [],
  roots: [],
  listens: [80],
  upstreams: upstreams.map((each) => ({
    host: 'api',
    port: 8000,
    scheme: 'http',
    location: '/',
    at: 'default.conf:3',
    literal: true,
    ...each,
  })),
  test: null,
  proxied: [],
  upstreamErrors: [],
});
const project = (services: Parameters<typeof makeSpec>[0][] | null) => ({
  name: 'p',
  workingDir: '/src/p',
  files: ['compose.yaml'],
  services: services?.map((each) => makeSpec(each)) ?? null,
});

test('what is declared and what runs are one, sorted by name', () => {
  const stack = assembleStack({
    project: project([{ name: 'web' }, { name: 'db', image: 'postgres:16' }]),
    containers: [makeContainer({ service: 'web' }), makeContainer({ service: 'old' })],
    proxies: {},
  });
  expect(stack.services.map((each) => [each.name, each.spec !== null, each.containers.length])).toEqual([
    ['db', true, 0],
    ['old', false, 1],
    ['web', true, 1],
  ]);
  expect(stack.services[0]).toMatchObject({ role: 'postgres', roleReason: 'image postgres:16' });
});

test('containers of `run` are apart', () => {
  const stack = assembleStack({
    project: project([{ name: 'web' }]),
    containers: [makeContainer({ service: 'web' }), makeContainer({ service: 'web', name: 'p-web-run-1', oneOff: true })],
    proxies: {},
  });
  expect(stack.services[0]!.containers.map((each) => each.name)).toEqual(['p-web-1']);
  expect(stack.oneOffs.map((each) => each.name)).toEqual(['p-web-run-1']);
});

test('files that do not load leave what runs, and where it was started', () => {
  const stack = assembleStack({
    project: { ...project(null), workingDir: '' },
    containers: [makeContainer({ service: 'web' })],
    proxies: {},
  });
  expect(stack).toMatchObject({ workingDir: '/src/p', services: [{ name: 'web', spec: null }] });
});

test('how others wait for a service says what it is, by the files or by the labels', () => {
  const roleOf = (stack: ReturnType<typeof assembleStack>) => stack.services.find((each) => each.name === 'job')!.role;
  expect(
    roleOf(
      assembleStack({
        project: project([{ name: 'job' }, { name: 'app', dependsOn: { job: 'service_completed_successfully' } }]),
        containers: [],
        proxies: {},
      }),
    ),
  ).toBe('one-shot');
  expect(
    roleOf(
      assembleStack({
        project: project(null),
        containers: [
          makeContainer({ service: 'job' }),
          makeContainer({ service: 'app', compose: { dependsOn: { job: 'service_completed_successfully' } } }),
        ],
        proxies: {},
      }),
    ),
  ).toBe('one-shot');
});

test("a proxy's upstreams are connections, each address once, known by any of its names", () => {
  const stack = assembleStack({
    project: project([{ name: 'edge' }, { name: 'api' }]),
    containers: [
      makeContainer({ service: 'edge', image: 'nginx' }),
      makeContainer({ service: 'api', networks: [{ names: ['api', 'backend'] }] }),
    ],
    proxies: { edge: nginx([{}, { location: '/x' }, { host: 'backend', port: 9000 }, { host: 'example.com', port: 443 }]) },
  });
  expect(stack.connections.map((each) => `${each.from}→${each.to} ${each.kind} ${each.host}:${each.port} ${each.source}`)).toEqual([
    'edge→api http api:8000 default.conf:3',
    'edge→api http backend:9000 default.conf:3',
    'edge→null http example.com:443 default.conf:3',
  ]);
});

test('a socket file is a connection to who should make it; one that nobody shares is none', () => {
  const volume = (source: string, destination: string) => ({ type: 'volume' as const, name: source, source, destination, readOnly: false });
  const stack = assembleStack({
    project: project(null),
    containers: [
      makeContainer({ service: 'edge', command: ['nginx'], mounts: [volume('p_run', '/run/app')] }),
      makeContainer({ service: 'api', command: ['php-fpm'], mounts: [volume('p_run', '/sockets')] }),
    ],
    proxies: {
      edge: nginx([
        { host: 'unix:/run/app/api.sock', port: 0 },
        { host: 'unix:/run/php/fpm.sock', port: 0, scheme: 'fastcgi' },
        { host: 'unix:/run/seen.sock', port: 0, heldBy: 'api' },
      ]),
    },
  });
  expect(stack.connections.map(({ to, kind, host, url }) => [to, kind, host, url])).toEqual([
    ['api', 'socket', 'unix:/run/app/api.sock', 'unix:/run/app/api.sock'],
    ['api', 'socket', 'unix:/run/seen.sock', 'unix:/run/seen.sock'],
  ]);
  expect(stack.services.map(({ role }) => role)).toEqual(['unknown', 'nginx']);
});

test('nothing at all is an empty stack', () => {
  expect(assembleStack({ project: project([]), containers: [], proxies: {} })).toMatchObject({
    services: [],
    connections: [],
    oneOffs: [],
  });
});

test('a service that nothing else tells of, and that a proxy passes requests to, answers HTTP', () => {
  const parts = {
    project: project([
      { name: 'api', image: 'acme/thing' },
      { name: 'edge', image: 'nginx' },
    ]),
    containers: [],
  };
  const role = (proxies: Parameters<typeof assembleStack>[0]['proxies']) =>
    assembleStack({ ...parts, proxies }).services.find(({ name }) => name === 'api')!.role;
  expect(role({})).toBe('unknown');
  expect(role({ edge: nginx([{ host: 'api', port: 3000 }]) })).toBe('http');
});

test('what a shared image exposes is the port of the service that publishes it', () => {
  const build = { context: '/src/p/app', dockerfile: 'Dockerfile' };
  const made = (service: string, command: string[], portBindings: Container['portBindings'] = []) =>
    makeContainer({ service, image: `p-${service}`, imageId: service, command, exposedPorts: [4000], portBindings });
  const published = [{ containerPort: 4000, protocol: 'tcp', hostIp: '', hostPort: 4000 } as const];
  const roles = (...containers: ReturnType<typeof made>[]) =>
    assembleStack({ project: project(containers.map(({ service }) => ({ name: service, build }))), containers, proxies: {} }).services.map(
      ({ name, role }) => `${name} ${role}`,
    );
  expect(roles(made('press', ['node', 'press.js']), made('server', ['node', 'index.js'], published))).toEqual([
    'press unknown',
    'server http',
  ]);
  // Twice the same program is twice a server; and a port that nobody publishes is nobody's until somebody asks there.
  expect(roles(made('blue', ['node', 'index.js']), made('green', ['node', 'index.js'], published))).toEqual(['blue http', 'green http']);
  expect(roles(made('api', ['node', 'index.js']), made('other', ['node', 'other.js']))).toEqual(['api unknown', 'other unknown']);
});

test('who is asked by FastCGI does not answer HTTP', () => {
  const upstreams = [
    { host: 'shop', port: 9000, scheme: 'fastcgi' },
    { host: 'api', port: 8000 },
  ];
  const stack = assembleStack({
    project: project([{ name: 'edge' }, { name: 'shop' }, { name: 'api' }]),
    containers: [],
    proxies: { edge: nginx(upstreams) },
  });
  expect(stack.connections.map(({ to, kind }) => `${to} ${kind}`)).toEqual(['api http', 'shop tcp']);
  expect(stack.services.map(({ name, role }) => `${name} ${role}`)).toEqual(['api http', 'edge unknown', 'shop unknown']);
});

const told = (setting: Partial<ServiceSetting>): ServiceSetting => ({
  role: null,
  healthPath: null,
  url: null,
  credentials: null,
  place: { line: 1, column: 1 },
  credentialsPlace: null,
  ...setting,
});

test('a variable that doctor.yaml names is how its client uses the service, whatever its name tells; one that holds no address is none', () => {
  const containers = [
    makeContainer({ service: 'app', env: { STORE: 'postgresql://shop:‹secret:0a1b2c3d›@10.1.2.3:6543/orders', NOTE: 'hello' } }),
    makeContainer({ service: 'ledger' }),
  ];
  const connectionsWith = (credentials: ServiceSetting['credentials']) =>
    assembleStack({ project: project(null), containers, proxies: {}, settings: { ledger: told({ credentials }) } })
      .connections.filter(({ source }) => source === 'env STORE' || source === 'env NOTE')
      .map(({ from, to, host, port, user, password, database }) => [from, to, host, port, user, password, database]);
  expect(connectionsWith(null)).toEqual([['app', null, '10.1.2.3', 6543, 'shop', '‹secret:0a1b2c3d›', 'orders']]);
  expect(connectionsWith({ service: 'app', variable: 'STORE' })).toEqual([
    ['app', 'ledger', '10.1.2.3', 6543, 'shop', '‹secret:0a1b2c3d›', 'orders'],
  ]);
  expect(connectionsWith({ service: 'app', variable: 'NOTE' })).toEqual(connectionsWith(null));
  expect(connectionsWith({ service: 'nobody', variable: 'STORE' })).toEqual(connectionsWith(null));
});

test('a role that doctor.yaml tells comes before the one that the image has', () => {
  const stack = assembleStack({
    project: project([{ name: 'db', image: 'postgres:16' }]),
    containers: [],
    proxies: {},
    settings: { db: told({ role: 'mysql' }) },
  });
  expect(stack.services).toMatchObject([{ role: 'mysql', roleReason: 'doctor.yaml says so' }]);
});
