import { describe, expect, it } from 'vitest';
import { ports } from '../../src/checks/ports.ts';
import type { Fact, Listener, PortOwner, PublishedFact, Trial } from '../../src/model/facts.ts';
import type { PortMapping, Service, ServiceSpec } from '../../src/model/stack.ts';
import { ask, fact, findingsOf, gap, inShort, makeConnection, makePort, makeService, makeStack, NOW } from './make.ts';

const web = makePort({ hostPort: 8080, containerPort: 8000 });

const publishing = (mapping: PortMapping = web, parts: Parameters<typeof makeService>[0] = {}, container = {}): Service =>
  makeService({ ...parts, containers: [{ portBindings: [mapping], ports: [mapping], ...container }] });

const open = (port: number, address = '0.0.0.0'): Listener => ({ family: address.includes(':') ? 6 : 4, address, port });

const trial = (parts: Partial<Trial> = {}): Trial => ({ layer: 'done', outcome: 'ok', code: '', text: '', ms: 1, ...parts });

const tried = (parts: Partial<Trial> = {}, server: PublishedFact['ports'][number]['server'] = 'unknown', mapping = web): PublishedFact => ({
  ports: [{ mapping, trial: trial(parts), server, proof: server === 'other' ? 'another start time' : '' }],
});

const reset = { layer: 'protocol', outcome: 'reset', code: 'ECONNRESET', text: 'read ECONNRESET' } as const;
const refused = { layer: 'tcp', outcome: 'refused', code: 'ECONNREFUSED', text: 'connect ECONNREFUSED' } as const;

interface Seen {
  published?: PublishedFact;
  listeners?: Listener[];
  owners?: PortOwner[];
  others?: Service[];
  connections?: ReturnType<typeof makeConnection>[];
}

const look = (service: Service, { published, listeners, owners = [], others = [], connections = [] }: Seen) => {
  const facts: Record<string, Fact<unknown>> = { portOwners: fact(owners) };
  if (published) facts['published'] = fact(published);
  if (listeners) facts['inside'] = fact({ container: 'p-app-1', listeners });
  return ask(ports, { stack: makeStack({ services: [service, ...others], connections }), service: service.name, facts });
};

const short = (service: Service, seen: Seen): string => inShort(ports, look(service, seen));

describe('ports: reachable', () => {
  it.each<[string, Service, Seen, string]>([
    ['it answers', publishing(), { published: tried({}, 'same'), listeners: [open(8000)] }, 'pass'],
    ['it answers, whoever it is', publishing(), { published: tried(), listeners: [open(8000)] }, 'pass'],
    ['FA-21 it answers, and the inside cannot be seen', publishing(), { published: tried() }, 'pass'],
    ['it listens on IPv6 for both', publishing(), { published: tried(), listeners: [open(8000, '::')] }, 'pass'],
    [
      'FA-12 any free host port',
      publishing(makePort({ hostPort: 0, containerPort: 8000 }), {}, { ports: [makePort({ hostPort: 32768, containerPort: 8000 })] }),
      { published: tried({}, 'same', makePort({ hostPort: 32768, containerPort: 8000 })), listeners: [open(8000)] },
      'pass',
    ],
    [
      'FA-14 bound to one address on purpose',
      publishing({ ...web, hostIp: '127.0.0.1' }),
      { published: tried({}, 'same', { ...web, hostIp: '127.0.0.1' }), listeners: [open(8000)] },
      'pass',
    ],
    [
      'a login that is refused is an answer',
      publishing(),
      { published: tried({ layer: 'login', outcome: 'rejected', code: '28P01' }), listeners: [open(8000)] },
      'pass',
    ],
    [
      'silence after the connection is the matter of others',
      publishing(),
      { published: tried({ layer: 'protocol', outcome: 'timeout' }), listeners: [open(8000)] },
      'pass',
    ],
    ['UDP has no listeners', publishing({ ...web, protocol: 'udp' }), { published: { ports: [] }, listeners: [] }, 'pass'],
    [
      "Docker's DNS server is nobody's program",
      publishing(),
      { published: tried(), listeners: [open(8000), open(43211, '127.0.0.11')] },
      'pass',
    ],
    [
      "on the host's network nothing is published",
      publishing(web, {}, { networkMode: 'host', ports: [] }),
      { published: { ports: [] }, listeners: [open(8000)] },
      'skip',
    ],
    ['not running', publishing(web, {}, { state: { status: 'exited' }, ports: [] }), {}, 'skip'],
  ])('%s', (_, service, seen, expected) => {
    expect(short(service, seen)).toBe(expected);
  });

  it('FA-13 a service that publishes nothing is not asked', () => {
    const service = makeService();
    expect(ports.appliesTo(service, makeStack({ services: [service] }))).toBe(false);
    expect(ports.appliesTo(publishing(), makeStack())).toBe(true);
    expect(ports.appliesTo(makeService({ spec: { ports: [web] }, containers: [] }), makeStack())).toBe(true);
  });
});

describe('ports: the program and its mapping', () => {
  it.each<[string, Service, Seen, string]>([
    ['listens on loopback', publishing(), { published: tried(reset), listeners: [open(8000, '127.0.0.1')] }, 'fail loopback-only'],
    ['listens on IPv6 loopback', publishing(), { published: tried(reset), listeners: [open(8000, '::1')] }, 'fail loopback-only'],
    [
      'listens on both loopbacks',
      publishing(),
      { published: tried(reset), listeners: [open(8000, '::1'), open(8000, '127.0.0.1')] },
      'fail loopback-only',
    ],
    [
      'listens on loopback and on its address',
      publishing(),
      { published: tried(), listeners: [open(8000, '127.0.0.1'), open(8000, '172.18.0.2')] },
      'pass',
    ],
    ['loopback, and the host could not be asked', publishing(), { listeners: [open(8000, '127.0.0.1')] }, 'fail loopback-only'],
    [
      'docker-proxy alone accepts',
      publishing(),
      { published: tried({ layer: 'tcp', outcome: 'ok' }), listeners: [open(8000, '127.0.0.1')] },
      'fail loopback-only',
    ],
    ['listens on another port', publishing(), { published: tried(reset), listeners: [open(3000)] }, 'fail wrong-container-port'],
    [
      'what listens may be of a container in its network namespace',
      publishing(),
      {
        published: tried(reset),
        listeners: [open(9464)],
        others: [makeService({ name: 'metrics', containers: [{ networkMode: 'service:app', networks: [] }] })],
      },
      'fail no-listener',
    ],
    ['listens nowhere', publishing(), { published: tried(reset), listeners: [] }, 'fail no-listener'],
    [
      'only its debugger listens',
      publishing(),
      { published: tried(reset), listeners: [open(5678), open(9229, '127.0.0.1')] },
      'fail no-listener',
    ],
    [
      'only ports of Erlang are open, of a RabbitMQ that stopped',
      publishing(),
      { published: tried(reset), listeners: [open(4369), open(25672)] },
      'fail no-listener',
    ],
    [
      'only a helper on loopback listens',
      publishing(),
      { published: tried(reset), listeners: [open(4444, '127.0.0.1')] },
      'fail no-listener',
    ],
    [
      'FA-16 has just started',
      publishing(web, {}, { state: { startedAt: NOW } }),
      { published: tried(reset), listeners: [] },
      'warn no-listener',
    ],
    [
      'FA-16 is starting, and a helper listens first',
      publishing(web, {}, { health: { status: 'starting', failingStreak: 0, log: [] } }),
      { published: tried(reset), listeners: [open(3000)] },
      'warn no-listener',
    ],
    [
      'is starting, on the port that its command names',
      publishing(web, {}, { command: ['uvicorn', 'app:app', '--port', '3000'], state: { startedAt: NOW } }),
      { published: tried(reset), listeners: [open(3000)] },
      'fail wrong-container-port',
    ],
    [
      'is starting, on the port that its PORT names',
      publishing(web, {}, { env: { PORT: '3000' }, state: { startedAt: NOW } }),
      { published: tried(reset), listeners: [open(3000)] },
      'fail wrong-container-port',
    ],
    [
      'is starting, and its command names another number',
      publishing(web, {}, { command: ['serve', '--workers=30001'], state: { startedAt: NOW } }),
      { published: tried(reset), listeners: [open(3000)] },
      'warn no-listener',
    ],
    [
      'a second port is for the day it is needed',
      makeService({
        containers: [
          {
            portBindings: [web, makePort({ hostPort: 5678, containerPort: 5678 })],
            ports: [web, makePort({ hostPort: 5678, containerPort: 5678 })],
          },
        ],
      }),
      { published: tried({}, 'same'), listeners: [open(8000)] },
      'warn no-listener',
    ],
    ['the port is bound and leads nowhere', publishing(), { published: tried(refused), listeners: [open(8000)] }, 'fail unreachable'],
    ['cut off, and the inside cannot be seen', publishing(), { published: tried(reset) }, 'fail unreachable'],
    ['not bound', publishing(web, {}, { ports: [] }), { published: { ports: [] }, listeners: [open(8000)] }, 'fail not-bound'],
    [
      'FA-30 not listed as bound, and it answers',
      publishing(web, {}, { ports: [] }),
      { published: tried(), listeners: [open(8000)] },
      'pass',
    ],
    ['another server answers', publishing(), { published: tried({}, 'other'), listeners: [open(8000)] }, 'fail other-server'],
    [
      'another server refuses the login',
      publishing(),
      { published: tried({ layer: 'login', outcome: 'rejected' }, 'other'), listeners: [open(8000)] },
      'fail other-server',
    ],
  ])('%s', (_, service, seen, expected) => {
    expect(short(service, seen)).toBe(expected);
  });

  it('names the port that the program listens on', () => {
    const [finding] = findingsOf(look(publishing(), { published: tried(reset), listeners: [open(3000)] }));
    expect(finding.message).toContain('8080→8000');
    expect(finding.message).toContain('3000');
    expect(finding.values).toMatchObject({ port: '8000', hostPort: '8080', containerPort: '3000' });
  });

  it('sets a silent port down to the program', () => {
    const [finding] = findingsOf(look(publishing(), { published: tried(reset), listeners: [] }));
    expect(finding.suspects).toContainEqual({ service: 'app', check: 'hot-reload' });
  });

  it('says the same of IPv4 and IPv6 once', () => {
    const service = makeService({
      containers: [
        {
          portBindings: [web],
          ports: [
            { ...web, hostIp: '0.0.0.0' },
            { ...web, hostIp: '::' },
          ],
        },
      ],
    });
    expect(short(service, { published: tried(reset), listeners: [open(8000, '127.0.0.1')] })).toBe('fail loopback-only');
  });

  it('sees a store on loopback that is not published but used', () => {
    const cache = makeService({ name: 'cache', role: 'redis' });
    const connections = [makeConnection({ to: 'cache', host: 'cache', port: 6379, kind: 'redis' })];
    const stack = makeStack({ services: [cache], connections });
    expect(ports.appliesTo(cache, stack)).toBe(true);
    expect(short(cache, { connections, listeners: [open(6379, '127.0.0.1')] })).toBe('fail loopback-only');
    expect(short(cache, { connections, listeners: [open(6379)] })).toBe('pass');
    expect(short(cache, { connections })).toBe('skip');
  });
});

describe('ports: taken', () => {
  const failed = (error: string) =>
    publishing(
      makePort({ hostPort: 5432, containerPort: 5432 }),
      { name: 'db' },
      { ports: [], state: { status: 'created', error, exitCode: 128 } },
    );
  const byKernel = 'failed to bind host port for 0.0.0.0:5432:172.19.0.3:5432/tcp: address already in use';
  const byDocker = 'Bind for 0.0.0.0:5432 failed: port is already allocated';
  const owner = (parts: Partial<PortOwner>): PortOwner => ({
    port: 5432,
    hostIp: '',
    kind: 'process',
    container: null,
    project: null,
    pid: null,
    command: null,
    ...parts,
  });

  it.each<[string, string, PortOwner[], string]>([
    [
      'by a process',
      byKernel,
      [owner({ pid: 812, command: '/usr/lib/postgresql/16/bin/postgres -D /data' })],
      'process /usr/lib/postgresql/16/bin/postgres (pid 812)',
    ],
    [
      'by a container',
      byDocker,
      [owner({ kind: 'container', container: 'other-db-1', project: 'other' })],
      'container other-db-1 of project other',
    ],
    [
      'FA-38 by one of two listeners',
      byKernel,
      [owner({ hostIp: '10.0.0.1', pid: 1, command: 'one' }), owner({ hostIp: '0.0.0.0', pid: 2, command: 'two' })],
      'process two (pid 2)',
    ],
    ['by somebody whom the host does not name', byKernel, [owner({ kind: 'unknown' })], 'another program'],
    ['by nobody any more', byKernel, [owner({ kind: 'nobody' })], 'free now'],
    ['with no look at the owners', byKernel, [], 'another program'],
    [
      'on Docker Desktop',
      'Ports are not available: exposing port TCP 0.0.0.0:5432 -> 0.0.0.0:0: listen tcp 0.0.0.0:5432: bind: address already in use',
      [owner({ pid: 9, command: 'postgres' })],
      'postgres (pid 9)',
    ],
    ['on IPv6', 'listen tcp6 [::]:5432: bind: address already in use', [owner({ pid: 9, command: 'postgres' })], 'postgres (pid 9)'],
  ])('%s', (_, error, owners, words) => {
    const [finding] = findingsOf(look(failed(error), { owners }));
    expect(finding.reason).toBe('taken');
    expect(finding.message).toContain('port 5432 that db wants');
    expect(finding.message).toContain(words);
    expect(finding.values).toMatchObject({ port: '5432' });
  });

  it('is asked of a container that does not start', () => {
    expect(ports.after).not.toContain('container');
  });

  it('is not what another start error says', () => {
    expect(short(failed('network abc not found'), {})).toBe('skip');
  });
});

describe('ports: could not look', () => {
  it.each<[string, Seen, string]>([
    ['at anything', {}, 'cannot look'],
    ['from the host, with a listener inside', { listeners: [open(8000)] }, 'cannot look'],
    [
      'for want of a tool',
      { published: tried({ layer: 'tcp', outcome: 'no-tool', text: 'the engine is on another machine' }), listeners: [open(8000)] },
      'cannot look',
    ],
  ])('%s', (_, seen, expected) => {
    expect(short(publishing(), seen)).toBe(expected);
  });

  it('gives the reason of the look that failed', () => {
    const service = publishing();
    const facts = { published: gap('no answer within 2 s', true), inside: gap('no shell') };
    expect(ask(ports, { stack: makeStack({ services: [service] }), service: 'app', facts })).toEqual({
      cannotLook: 'no answer within 2 s',
    });
  });
});

describe('ports: before it runs', () => {
  const none = (name: string, ports: Partial<PortMapping>[], parts: Partial<ServiceSpec> = {}) =>
    makeService({ name, containers: [], spec: { ports: ports.map(makePort), ...parts } });
  const before = (own: Service, other: Service, owners: Partial<PortOwner>[] = []) =>
    ask(ports, {
      stack: makeStack({ services: [own, other] }),
      service: own.name,
      facts: {
        making: fact({ lines: { 'ports 8000': { file: 'compose.yaml', line: 7 } } }),
        portOwners: fact(
          owners.map((each) => ({
            port: 8000,
            hostIp: '',
            kind: 'nobody',
            container: null,
            project: null,
            pid: null,
            command: null,
            ...each,
          })),
        ),
      },
    });
  const web = (port: Partial<PortMapping> = {}, parts: Partial<ServiceSpec> = {}) => none('web', [port], parts);
  it.each<[string, Service, string]>([
    ['another port', none('api', [{ hostPort: 8001 }]), 'skip'],
    ['the same port', none('api', [{}]), 'fail published-twice'],
    ['the same port of one address and of all', none('api', [{ hostIp: '127.0.0.1' }]), 'fail published-twice'],
    ['the same number of UDP', none('api', [{ protocol: 'udp' }]), 'skip'],
    ['a range to choose from', none('api', [{ hostPortLast: 8005 }]), 'skip'],
    ['a service that is not active', none('api', [{}], { active: false, profiles: ['tools'] }), 'skip'],
    ['a service without replicas', none('api', [{}], { replicas: 0 }), 'skip'],
    ['a service on the network of the host', none('api', [{}], { networkMode: 'host' }), 'skip'],
  ])('%s', (_, other, expected) => expect(inShort(ports, before(web(), other))).toBe(expected));

  it('two addresses have two ports', () =>
    expect(inShort(ports, before(web({ hostIp: '127.0.0.1' }), none('api', [{ hostIp: '127.0.0.2' }])))).toBe('skip'));

  it('is told once', () => expect(inShort(ports, before(none('api', [{}]), web()))).toBe('skip'));

  it.each<[string, Partial<PortOwner>, string]>([
    ['a container of another worktree', { kind: 'container', container: 'p-feature-web-1', project: 'p-feature' }, 'fail taken'],
    ['a program', { kind: 'process', pid: 7, command: 'python app.py' }, 'fail taken'],
    ['nobody', {}, 'skip'],
    ['somebody on another address', { hostIp: '127.0.0.2', kind: 'process', pid: 7, command: 'python' }, 'skip'],
  ])('held by %s', (_, owner, expected) => expect(inShort(ports, before(web(), none('api', []), [owner]))).toBe(expected));

  it('says who, and where the port is written', () =>
    expect(findingsOf(before(web(), none('api', []), [{ kind: 'process', pid: 7, command: 'python app.py' }]))[0].message).toBe(
      'port 8000 that web wants (compose.yaml:7) is held by process python (pid 7)',
    ));
});
