import { describe, expect, it } from 'vitest';
import { network } from '../../src/checks/network.ts';
import type { Fact, Listener, NetworkFact, ReachFact, Trial } from '../../src/model/facts.ts';
import type { Connection, Service } from '../../src/model/stack.ts';
import { ask, fact, findingsOf, gap, inShort, makeAttachment, makeConnection, makePort, makeService, makeStack } from './make.ts';

const trial = (parts: Partial<Trial> = {}): Trial => ({ layer: 'done', outcome: 'ok', code: '', text: '', ms: 1, ...parts });
const ok = trial();
const noName = trial({ layer: 'name', outcome: 'not-found', code: 'EAI_AGAIN', text: 'Temporary failure in name resolution' });
const refused = trial({ layer: 'tcp', outcome: 'refused', code: 'ECONNREFUSED', text: 'Connection refused' });
const silent = trial({ layer: 'tcp', outcome: 'timeout', code: 'ETIMEDOUT', text: 'no answer within 2000 ms' });
const noTool = trial({ layer: 'name', outcome: 'no-tool', text: 'no way in' });

const listener = (port: number, address = '0.0.0.0'): Listener => ({ family: 4, address, port });

const service = (
  name: string,
  parts: Parameters<typeof makeService>[0] = {},
  container: NonNullable<Parameters<typeof makeService>[0]>['containers'] = [{}],
): Service => makeService({ ...parts, name, containers: container });

const app = service('app');
const db = service('db', { role: 'postgres' }, [{ networks: [{ ip: '172.18.0.5' }] }]);

interface Scene {
  client?: Service;
  others?: Service[];
  connections?: Partial<Connection>[];
  /** The same port, asked from the host. */
  fromHost?: Trial;
  /** Of the first connection's host and port. `null`: no try was made. */
  seen?: Trial | null;
  /** Of all of them. */
  everywhere?: boolean;
  view?: ReachFact['targets'][number]['view'];
  addresses?: string[];
  listeners?: Listener[];
  peers?: Record<string, Listener[]>;
  log?: string[];
  networks?: Partial<NetworkFact>[];
}

const look = ({
  client = app,
  others = [db],
  connections = [{}],
  seen = null,
  everywhere = false,
  fromHost,
  view = { kind: 'inside', service: 'app', network: null },
  addresses,
  listeners,
  peers = {},
  log = [],
  networks = [],
}: Scene) => {
  const all = connections.map((each) => makeConnection(each));
  const facts: Record<string, Fact<unknown>> = {
    logs: fact({ container: 'p-app-1', since: null, lines: log.map((text) => ({ time: null, stream: 'stderr', text })) }),
    networks: fact(networks),
  };
  if (seen)
    facts['reach'] = fact({
      container: 'p-app-1',
      targets: (everywhere ? all : all.slice(0, 1)).map(({ host, port }) => ({
        host,
        port,
        addresses: addresses ?? null,
        trial: seen,
        view,
        ...(fromHost ? { fromHost } : {}),
      })),
    });
  if (listeners) facts['inside'] = fact({ container: 'p-app-1', listeners });
  return ask(network, {
    stack: makeStack({ services: [client, ...others], connections: all }),
    service: client.name,
    facts,
    peers: Object.fromEntries(
      others.map((each) => [each.name, { inside: peers[each.name] ? fact({ listeners: peers[each.name] }) : gap('not seen') }]),
    ),
  });
};

const short = (scene: Scene): string => inShort(network, look(scene));

const state = (status: 'exited' | 'paused' | 'created' | 'restarting') =>
  service('db', { role: 'postgres' }, [{ state: { status }, networks: [{ ip: '' }] }]);
/** Docker restarted it a second ago. */
const again = (name: string, loops: boolean): Service =>
  service(name, {}, [{ createdAt: '2026-11-23T06:59:00Z', state: { restartCount: 5, startedAt: '2026-11-23T06:59:59Z', loops } }]);
const down = service('app', {}, [{ state: { status: 'restarting', exitCode: 1 } }]);

describe('network: what is as it should be', () => {
  it.each<[string, Scene, string]>([
    ['reaches it', { seen: ok }, 'pass'],
    ['a login that fails is another matter', { seen: trial({ layer: 'login', outcome: 'rejected', code: '28P01' }) }, 'pass'],
    [
      'FA-37 an outside host that does not resolve',
      { others: [], connections: [{ to: null, host: 'db.example.com' }], seen: noName },
      'pass',
    ],
    ['FA-37 host.docker.internal', { others: [], connections: [{ to: null, host: 'host.docker.internal' }], seen: noName }, 'pass'],
    ['FA-37 an address outside that refuses', { others: [], connections: [{ to: null, host: '10.1.2.3' }], seen: refused }, 'pass'],
    ['itself', { connections: [{}, { from: 'app', to: 'app', host: 'app', kind: 'http' }], seen: ok }, 'pass'],
    [
      'a server beside it in its own container',
      { connections: [{ to: null, host: 'localhost' }], seen: ok, listeners: [listener(5432, '127.0.0.1')] },
      'pass',
    ],
    [
      'localhost on the network of the host',
      {
        client: service('app', {}, [{ networkMode: 'host', networks: [] }]),
        connections: [{ to: null, host: '127.0.0.1' }],
        listeners: [],
        seen: null,
      },
      'pass',
    ],
    [
      "a browser's address",
      {
        connections: [{ to: null, host: 'localhost', port: 8000, kind: 'http', source: 'env PUBLIC_API_URL' }],
        listeners: [],
        seen: refused,
      },
      'pass',
    ],
    [
      'FA-5 an optional service behind a profile',
      {
        others: [service('jaeger', { spec: { active: false, profiles: ['tracing'] } }, [])],
        connections: [{ to: 'jaeger', host: 'jaeger', port: 4317, kind: 'tcp' }],
        seen: noName,
      },
      'pass',
    ],
    [
      'a name in extra_hosts',
      { client: service('app', {}, [{ extraHosts: ['db:10.0.0.7'] }]), others: [], connections: [{ to: null }], seen: noName },
      'pass',
    ],
    [
      'FA-20 replicas share a name',
      {
        others: [service('db', {}, [{ networks: [{ ip: '172.18.0.5' }] }, { networks: [{ ip: '172.18.0.6' }] }])],
        seen: ok,
        addresses: ['172.18.0.5', '172.18.0.6'],
      },
      'pass',
    ],
    ['the client has no container', { client: service('app', {}, []) }, 'skip'],
  ])('%s', (_, scene, expected) => {
    expect(short(scene)).toBe(expected);
  });

  it('is asked of clients alone', () => {
    const stack = makeStack({
      services: [app, db],
      connections: [makeConnection({ from: 'db', to: 'app', kind: 'depends-on', port: 0 }), makeConnection()],
    });
    expect(network.appliesTo(app, stack)).toBe(true);
    expect(network.appliesTo(db, stack)).toBe(false);
  });
});

describe('network: the name', () => {
  const typo = { connections: [{ to: null, host: 'postgres' }] };
  const refusedName = ['psycopg.OperationalError: could not translate host name "postgres" to address: Name or service not known'];

  it.each<[string, Scene, string]>([
    ['that nothing has', { ...typo, seen: noName }, 'fail unknown-host'],
    ['that nothing has, of a client that keeps ending', { ...typo, client: down, log: refusedName }, 'fail unknown-host'],
    ['that nothing has, of a client that keeps ending without a word', { ...typo, client: down }, 'fail unknown-host'],
    [
      'that nothing has, of a client that ends for another reason',
      { ...typo, client: down, log: ["ModuleNotFoundError: No module named 'x'"] },
      'skip',
    ],
    [
      'that nothing has, of a client that was stopped',
      { ...typo, client: service('app', {}, [{ state: { status: 'exited', exitCode: 143 } }]) },
      'skip',
    ],
    [
      'that a stranger on the network may have',
      { ...typo, client: down, networks: [{ id: 'net-p_default', members: [{ container: 'stranger', ip: '172.18.0.9' }] }] },
      'skip',
    ],
    ['that nothing has, and the stack has no such store', { ...typo, others: [], client: down }, 'skip'],
    [
      'that could not be asked for, of a client caught between two ends',
      {
        ...typo,
        client: again('app', true),
        seen: trial({ layer: 'tcp', outcome: 'failed' }),
        log: ["ModuleNotFoundError: No module named 'x'"],
      },
      'skip',
    ],
    [
      'that nothing has, of a client that has recovered from earlier ends',
      { ...typo, client: again('app', false), seen: noName },
      'fail unknown-host',
    ],
    ['that resolves all the same (another project on a shared network)', { ...typo, seen: ok }, 'pass'],
    ['that nothing has, and no tool to ask: the log tells', { ...typo, seen: noTool, log: refusedName }, 'fail unknown-host'],
    ['that could not be asked for', { seen: noTool }, 'cannot look'],
    ['of a service that ended', { others: [state('exited')], seen: noName }, 'fail dependency-stopped'],
    ['of a service that never started', { others: [state('created')], seen: noName }, 'fail dependency-stopped'],
    ['of a service that is paused', { others: [state('paused')], seen: silent }, 'fail dependency-stopped'],
    ['of a service that ended, with no way to try', { others: [state('exited')] }, 'fail dependency-stopped'],
    ['of a service without a container', { others: [service('db', {}, [])], seen: noName }, 'fail dependency-stopped'],
    [
      'of a service behind a profile that the client asks for',
      { others: [service('db', { spec: { active: false, profiles: ['x'] } }, [])], seen: noName, log: ['getaddrinfo ENOTFOUND db'] },
      'fail dependency-stopped',
    ],
    ['of a service that ended, asked for by one that ended too: its own matter', { client: down, others: [state('exited')] }, 'skip'],
    ['of a service that runs', { seen: noName }, 'fail dns-fault'],
    [
      'of a service that keeps ending, of a client that does too',
      { client: again('app', true), others: [again('db', true)], seen: noName },
      'skip',
    ],
    [
      'of a service that keeps ending',
      {
        others: [again('db', true)],
        seen: noName,
      },
      'fail dependency-stopped',
    ],
    ['of a service that has recovered from earlier ends', { others: [again('db', false)], seen: noName }, 'fail dns-fault'],
    ['that nothing has, on a host that is offline', { ...typo, seen: trial({ layer: 'name', outcome: 'timeout' }) }, 'fail unknown-host'],
  ])('%s', (_, scene, expected) => {
    expect(short(scene)).toBe(expected);
  });

  it('finds the service that was meant by its role', () => {
    const [finding] = findingsOf(look({ ...typo, seen: noName }));
    expect(finding.message).toContain('the postgres service is "db"');
    expect(finding.values).toMatchObject({ client: 'app', host: 'postgres', nearest: 'db', target: 'db', variable: 'DATABASE_URL' });
  });

  it('finds the service that was meant by its letters', () => {
    const [finding] = findingsOf(
      look({ others: [service('backend')], connections: [{ to: null, host: 'backnd', kind: 'tcp' }], seen: noName }),
    );
    expect(finding.values).toMatchObject({ nearest: 'backend' });
  });

  it('suspects the stopped service, not the network', () => {
    const [finding] = findingsOf(look({ others: [state('exited')], seen: noName }));
    expect(finding.suspects?.every((each) => each.service === 'db')).toBe(true);
    expect(finding.message).toContain('db is exited');
  });

  it('does not depend on how the resolver words it', () => {
    for (const code of ['EAI_AGAIN', 'ENOTFOUND'])
      expect(short({ others: [state('exited')], seen: { ...noName, code } })).toBe('fail dependency-stopped');
  });
});

describe('network: localhost', () => {
  const local = (parts: Partial<Connection> = {}): Scene => ({ connections: [{ to: null, host: 'localhost', ...parts }] });

  it.each<[string, Scene, string]>([
    ['where nothing listens', { ...local(), listeners: [listener(8000)], seen: refused }, 'fail localhost-in-container'],
    ['where nothing listens, with no try', { ...local({ host: '127.0.0.1' }), listeners: [listener(8000)] }, 'fail localhost-in-container'],
    ['refused, with no look at the listeners', { ...local({ host: '::1' }), seen: refused }, 'fail localhost-in-container'],
    [
      'of a client that keeps ending, by its log',
      {
        ...local(),
        client: down,
        log: [
          "Multiple exceptions: [Errno 111] Connect call failed ('::1', 5432, 0, 0), [Errno 111] Connect call failed ('127.0.0.1', 5432)",
        ],
      },
      'fail localhost-in-container',
    ],
    ['of a client that keeps ending without a word', { ...local(), client: down }, 'fail localhost-in-container'],
    ['of a client that ends for another reason', { ...local(), client: down, log: ["ModuleNotFoundError: No module named 'x'"] }, 'skip'],
    [
      'of a client in whose network another container lives',
      { ...local(), client: down, others: [db, service('side', {}, [{ networkMode: 'service:app', networks: [] }])] },
      'skip',
    ],
    [
      'for a web address that the client uses, by its log',
      { ...local({ kind: 'http', port: 8000 }), listeners: [], log: ['Error: connect ECONNREFUSED 127.0.0.1:8000'] },
      'fail localhost-in-container',
    ],
    [
      "nginx's upstream: the matter of proxy",
      {
        ...local({ kind: 'http', port: 8000, source: '/etc/nginx/conf.d/default.conf:3' }),
        listeners: [],
        log: ['connect ECONNREFUSED 127.0.0.1:8000'],
      },
      'pass',
    ],
  ])('%s', (_, scene, expected) => {
    expect(short(scene)).toBe(expected);
  });

  it('names the service that was meant', () => {
    expect(findingsOf(look({ ...local(), listeners: [] }))[0].values).toMatchObject({ target: 'db', host: 'localhost', port: '5432' });
  });
});

describe('network: the networks', () => {
  const on = (name: string, names: string[], networkName: string, rest = {}) =>
    service(name, {}, [{ networks: [{ network: networkName, names, ip: '172.20.0.9' }], ...rest }]);

  it.each<[string, Scene, string]>([
    ['have none in common', { others: [on('db', ['db'], 'p_back')], seen: noName }, 'fail no-common-network'],
    ['have none in common, with no way to try', { others: [on('db', ['db'], 'p_back')] }, 'fail no-common-network'],
    [
      'have none in common, of a client that keeps ending',
      { client: down, others: [on('db', ['db'], 'p_back')] },
      'fail no-common-network',
    ],
    [
      'have one of the same name and another id',
      { others: [service('db', {}, [{ networks: [{ networkId: 'other', names: ['db'] }] }])], seen: noName },
      'fail no-common-network',
    ],
    [
      'know it under another name',
      {
        others: [service('db', {}, [{ networks: [{ names: ['db'] }, { network: 'p_back', names: ['pg'] }] }])],
        connections: [{ host: 'pg' }],
        seen: noName,
      },
      'fail no-common-network',
    ],
    [
      'are joined through the container whose network the client uses',
      { client: service('app', {}, [{ networkMode: 'container:id-p-vpn-1', networks: [] }]), others: [db, service('vpn')], seen: ok },
      'pass',
    ],
    [
      'are joined that way, and nobody can try',
      { client: service('app', {}, [{ networkMode: 'container:id-p-vpn-1', networks: [] }]), others: [db, service('vpn')] },
      'cannot look',
    ],
    [
      'are not: the target lives on the host',
      { others: [service('db', {}, [{ networkMode: 'host', networks: [] }])], seen: noName },
      'fail no-common-network',
    ],
    [
      'do not matter to the host mode of the client',
      { client: service('app', {}, [{ networkMode: 'host', networks: [] }]), seen: noName },
      'fail host-mode',
    ],
    [
      'are the default bridge',
      { client: service('app', {}, [{ networkMode: 'bridge', networks: [makeAttachment({ network: 'bridge' })] }]), seen: noName },
      'fail host-mode',
    ],
    [
      'are a bridge that is not the default one, as Podman says it',
      { client: service('app', {}, [{ networkMode: 'bridge', networks: [makeAttachment({ network: 'p_default' })] }]), seen: noName },
      'fail dns-fault',
    ],
    [
      'know no names, but /etc/hosts does',
      { client: service('app', {}, [{ networkMode: 'host', networks: [], extraHosts: ['db:127.0.0.1'] }]), seen: ok },
      'pass',
    ],
    [
      'have no id yet, before the first start',
      { client: service('app', {}, [{ state: { status: 'created' }, networks: [{ networkId: '' }] }]) },
      'skip',
    ],
  ])('%s', (_, scene, expected) => {
    expect(short(scene)).toBe(expected);
  });

  it('takes one container without a network for one fault', () => {
    const off = service('db', {}, [{ networks: [], networkMode: 'p_default' }]);
    const suspects = (name: string) =>
      findingsOf(
        look({
          client: service(name),
          others: [off, service(name === 'app' ? 'worker' : 'app')],
          connections: [{ from: name }, { from: name === 'app' ? 'worker' : 'app' }],
          seen: noName,
        }),
      )[0].suspects;
    expect(suspects('app')).toEqual([{ service: 'db', code: 'network/no-common-network' }]);
    expect(suspects('worker')).toEqual([
      { service: 'db', code: 'network/no-common-network' },
      { service: 'app', code: 'network/no-common-network' },
    ]);
    const [own] = findingsOf(look({ client: service('app', {}, [{ networks: [], networkMode: 'p_default' }]), seen: noName }));
    expect(own.suspects).toBeUndefined();
    expect(own.message).toContain('app (on no network)');
  });

  it('takes a client that misses everybody for one fault', () => {
    const connections = [{}, { to: 'cache', host: 'cache', port: 6379, kind: 'redis' as const }];
    const [finding, ...more] = findingsOf(look({ client: on('app', ['app'], 'p_front'), others: [db, service('cache')], connections }));
    expect(more).toEqual([]);
    expect(finding.message).toContain('the same goes for cache');
  });

  it('names the networks of both', () => {
    const [finding] = findingsOf(look({ others: [on('db', ['db'], 'p_back')], seen: noName }));
    expect(finding.message).toMatch(/p_default.*p_back/);
    expect(finding.values).toMatchObject({ network: 'p_back', target: 'db' });
  });

  it.each<[string, Scene, string]>([
    ['of two services', { others: [db, on('old', ['old', 'db'], 'p_default')], seen: ok }, 'fail duplicate-alias'],
    [
      'of an orphan',
      { others: [db, makeService({ name: 'old', spec: null, containers: [{ networks: [{ names: ['db'] }] }] })], seen: ok },
      'fail duplicate-alias',
    ],
    [
      'of a container that ended',
      { others: [db, on('old', ['old', 'db'], 'p_default', { state: { status: 'exited' } })], seen: ok },
      'pass',
    ],
    [
      'of a container in the network namespace of the first',
      { others: [db, service('probe', {}, [{ networkMode: 'container:id-db', networks: [] }])], seen: ok },
      'pass',
    ],
    ['on a network that the client is not on', { others: [db, on('old', ['old', 'db'], 'p_far')], seen: ok }, 'pass'],
    [
      'of like services under a common alias',
      {
        others: [on('api1', ['api1', 'api'], 'p_default'), on('api2', ['api2', 'api'], 'p_default')],
        connections: [{ to: 'api1', host: 'api', kind: 'http', port: 80 }],
        seen: ok,
      },
      'pass',
    ],
    [
      'of a container that is not of the project',
      {
        seen: ok,
        addresses: ['172.18.0.5', '172.18.0.77'],
        networks: [{ id: 'net-p_default', members: [{ container: 'squatter', ip: '172.18.0.77/16' }] }],
      },
      'fail duplicate-alias',
    ],
    [
      'of nobody: IPv4 and IPv6 of one',
      {
        seen: ok,
        addresses: ['172.18.0.5', 'fd00::5'],
        networks: [{ id: 'net-p_default', members: [{ container: 'p-db-1', ip: '172.18.0.5' }] }],
      },
      'pass',
    ],
  ])('a name %s', (_, scene, expected) => {
    expect(short(scene)).toBe(expected);
  });
});

describe('network: the port', () => {
  const published = service('db', { role: 'postgres' }, [
    { portBindings: [makePort({ hostPort: 5433, containerPort: 5432 })], ports: [makePort({ hostPort: 5433, containerPort: 5432 })] },
  ]);
  const hostPort: Scene = { others: [published], connections: [{ port: 5433 }] };

  it.each<[string, Scene, string]>([
    ['of the host', { ...hostPort, seen: refused }, 'fail host-port-inside'],
    ['of the host, by the listeners', { ...hostPort, client: down, peers: { db: [listener(5432)] } }, 'fail host-port-inside'],
    [
      'of the host, on which the target listens too',
      { ...hostPort, seen: refused, peers: { db: [listener(5432), listener(5433)] } },
      'fail refused',
    ],
    ['of the host, with no proof', hostPort, 'cannot look'],
    ['refused', { seen: refused }, 'fail refused'],
    ['silent', { seen: silent }, 'fail timeout'],
    ['silent to the host as well', { seen: silent, fromHost: silent }, 'fail timeout'],
    ['silent, while it answers the host', { seen: silent, fromHost: ok }, 'fail traffic-dropped'],
    [
      'silent, while it answers the host, and leaves connections waiting',
      { seen: silent, fromHost: ok, peers: { db: [{ ...listener(5432, '0.0.0.0'), waiting: 3 }] } },
      'fail timeout',
    ],
    ['with no route', { seen: { ...silent, outcome: 'unreachable', code: 'EHOSTUNREACH' } }, 'fail timeout'],
  ])('%s', (_, scene, expected) => {
    expect(short(scene)).toBe(expected);
  });

  it('takes traffic that is dropped to everybody for one fault', () => {
    const connections = [{}, { to: 'cache', host: 'cache', port: 6379, kind: 'redis' as const }];
    const [finding, ...more] = findingsOf(
      look({ others: [db, service('cache')], connections, seen: silent, fromHost: ok, everywhere: true }),
    );
    expect(more).toEqual([]);
    expect(finding.reason).toBe('traffic-dropped');
    expect(finding.message).toContain('the same goes for cache');
  });

  it('shows what the target listens on, and suspects it', () => {
    const [finding] = findingsOf(look({ seen: refused, peers: { db: [listener(5432, '127.0.0.1')] } }));
    expect(finding.suspects).toEqual([{ service: 'db' }]);
    expect(finding.evidence.at(-1)!.text).toBe('127.0.0.1:5432');
  });

  it('gives both ports', () => {
    expect(findingsOf(look({ ...hostPort, seen: refused }))[0].values).toMatchObject({
      port: '5433',
      hostPort: '5433',
      containerPort: '5432',
      target: 'db',
    });
  });
});

describe('network: the URL', () => {
  const malformed = { connections: [{ malformed: 'its password holds "@" unescaped' }] };

  it.each<[string, Scene, string]>([
    ['that some clients can read', { ...malformed, seen: ok }, 'warn malformed-url'],
    ['that this client could read, as its session proves', { ...malformed, seen: ok, view: { kind: 'server' } }, 'pass'],
    [
      'that this client cannot read',
      { ...malformed, seen: ok, log: ['could not translate host name "ss@db" to address'] },
      'fail malformed-url',
    ],
    [
      'that this client cannot read, by the port',
      { ...malformed, seen: ok, log: ["ValueError: invalid literal for int() with base 10: 'p'"] },
      'fail malformed-url',
    ],
    ['of a client that keeps ending', { ...malformed, client: down }, 'fail malformed-url'],
  ])('%s', (_, scene, expected) => {
    expect(short(scene)).toBe(expected);
  });
});

describe('network: could not look', () => {
  it.each<[string, Scene, string]>([
    [
      'at one of two: it is not a pass',
      { connections: [{}, { host: 'cache', to: 'cache', port: 6379, kind: 'redis' }], others: [db, service('cache')], seen: ok },
      'cannot look',
    ],
    [
      'at one of two, and the other is broken',
      { connections: [{}, { host: 'cache', to: 'cache', port: 6379, kind: 'redis' }], others: [db, service('cache')], seen: refused },
      'fail refused',
    ],
    ['FA-21 for want of a tool', { seen: noTool }, 'cannot look'],
  ])('%s', (_, scene, expected) => {
    expect(short(scene)).toBe(expected);
  });

  it('is asked of clients that do not run', () => {
    expect(network.after).not.toContain('container');
  });
});

describe('network: one mistake told to several', () => {
  it('the first of them stands for all', () => {
    const others = [db, service('zebra')];
    const typos = ['app', 'zebra'].map((from) => ({ from, to: null, host: 'dbb' }));
    const told = (name: string) =>
      findingsOf(look({ client: service(name), others: name === 'app' ? others : [db, app], connections: typos, seen: noName }));
    expect(told('app')[0]?.suspects).toBeUndefined();
    expect(told('zebra')[0]?.suspects).toEqual([{ service: 'app', code: 'network/unknown-host' }]);
  });

  it('a client that keeps ending was refused by a target that listens elsewhere', () => {
    const given: Scene = { client: down, connections: [{ port: 54_333 }], log: ['ConnectionRefusedError: [Errno 111] Connection refused'] };
    expect(short({ ...given, peers: { db: [listener(5433)] } })).toBe('fail refused');
    expect(findingsOf(look({ ...given, peers: { db: [listener(5433)] } }))[0]?.message).toContain('; it listens on port 5433');
    expect(short({ ...given, peers: { db: [listener(54_333)] } })).toBe('skip');
    expect(short(given)).toBe('skip');
  });
});
