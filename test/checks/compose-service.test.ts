import { describe, expect, it } from 'vitest';
import { composeService } from '../../src/checks/compose-service.ts';
import type { Fact, ImageFact, ProjectFact } from '../../src/model/facts.ts';
import type { Verdict } from '../../src/model/check.ts';
import type { Service, ServiceSpec } from '../../src/model/stack.ts';
import { ask, fact, findingsOf, gap, inShort, makeConnection, makePort, makeService, makeStack } from './make.ts';

interface Extra {
  others?: Service[];
  project?: Partial<ProjectFact>;
  images?: Partial<ImageFact>[];
  connections?: ReturnType<typeof makeConnection>[];
  /** Outcomes of logins of `app` with the URL in DATABASE_URL. */
  login?: 'ok' | 'rejected';
}

const projectOf = (parts: Partial<ProjectFact> = {}): ProjectFact => ({
  name: 'p',
  workingDir: '/src/p',
  files: ['docker-compose.yml'],
  loadedBy: 'compose',
  services: [],
  error: null,
  unsetVariables: [],
  changedAt: null,
  blanks: [],
  ...parts,
});

const loginOf = (outcome: 'ok' | 'rejected' | undefined): Fact<unknown> =>
  outcome
    ? fact({ attempts: [{ client: 'app', source: 'env DATABASE_URL', trial: { layer: outcome === 'ok' ? 'done' : 'login', outcome } }] })
    : gap('not tried');

const look = (service: Service, { others = [], project = {}, images = [], connections = [], login }: Extra = {}) =>
  ask(composeService, {
    stack: makeStack({ services: [service, ...others], connections }),
    service: service.name,
    facts: { project: fact(projectOf(project)), images: fact(images) },
    peers: Object.fromEntries(others.map((each) => [each.name, { postgres: loginOf(login), redis: loginOf(login) }])),
  });

const short = (service: Service, extra: Extra = {}): string => inShort(composeService, look(service, extra));

type Parts = Parameters<typeof makeService>[0];
const service = (spec: NonNullable<Parts>['spec'], container: object = {}, parts: Parts = {}): Service =>
  makeService({ ...parts, spec, containers: [container] });

/** Containers are made at 06:50. */
const BEFORE = '2026-11-23T06:40:00.000Z';
const AFTER = '2026-11-23T06:55:00.000Z';
const LATER = '2026-11-23T06:58:00.000Z';

const MARK_A = '‹secret:aaaaaaaa›';
const MARK_B = '‹secret:bbbbbbbb›';

describe('compose of a service: environment', () => {
  it.each<[string, Service, Extra, string]>([
    ['the same', service({ environment: { A: '1' } }, { env: { A: '1', PATH: '/bin' } }), {}, 'pass'],
    ['another value', service({ environment: { A: '2' } }, { env: { A: '1' } }), {}, 'fail env-drift'],
    [
      'another value of what it connects to',
      service({ environment: { DATABASE_URL: 'postgres://db2/x' } }, { env: { DATABASE_URL: 'postgres://db/x' } }),
      { connections: [makeConnection()] },
      'fail env-drift',
    ],
    ['another secret', service({ environment: { PASSWORD: MARK_A } }, { env: { PASSWORD: MARK_B } }), {}, 'fail env-drift'],
    ['a key that came later', service({ environment: { A: '1' } }), {}, 'fail env-drift'],
    ['FA-40 a blank by design', service({ environment: { FOO: '' } }), {}, 'pass'],
    ['FA-40 a blank that the container has', service({ environment: { FOO: '' } }, { env: { FOO: '' } }), {}, 'pass'],
    ['a blank where there was a value', service({ environment: { FOO: '' } }, { env: { FOO: '1' } }), {}, 'fail env-drift'],
    [
      'a blank that an unset variable left: told elsewhere',
      service({ environment: { A: '' } }, { env: { A: '1' } }),
      { project: { unsetVariables: [{ variable: 'X', file: 'docker-compose.yml', line: 3 }] } },
      'pass',
    ],
    [
      'the same, within a URL',
      service({ environment: { U: 'postgres://u:@db/x' } }, { env: { U: `postgres://u:${MARK_A}@db/x` } }),
      { project: { unsetVariables: [{ variable: 'X', file: 'docker-compose.yml', line: 3 }] } },
      'pass',
    ],
    [
      'another value, while some other variable is unset',
      service({ environment: { A: '1' } }, { env: { A: '22' } }),
      { project: { unsetVariables: [{ variable: 'X', file: 'docker-compose.yml', line: 3 }] } },
      'fail env-drift',
    ],
    [
      'a form that a plain reading does not resolve',
      service({ environment: { A: '${B:+c}' } }, { env: { A: 'c' } }),
      { project: { loadedBy: 'plain' } },
      'pass',
    ],
    ['a key named like a property of every object', service({ environment: { constructor: 'x' } }), {}, 'fail env-drift'],
    [
      'one of several replicas',
      makeService({ spec: { environment: { A: '2' }, replicas: 2 }, containers: [{ env: { A: '2' } }, { env: { A: '1' } }] }),
      {},
      'fail env-drift',
    ],
    [
      'FA-1 of a builder that ended',
      service({ environment: { A: '2' } }, { state: { status: 'exited' } }, { role: 'build-only' }),
      {},
      'pass',
    ],
    [
      'FA-32 of a container that other files made',
      service({ environment: { TOKEN: MARK_A } }, { compose: { configFiles: ['/src/p/docker-compose.yml', '/src/p/dev.yml'] } }),
      {},
      'warn env-drift',
    ],
    [
      'FA-32 of a container made with another --env-file',
      service({ environment: { TOKEN: MARK_A } }, { compose: { environmentFiles: ['/src/p/prod.env'] } }),
      {},
      'warn env-drift',
    ],
    [
      'of a container made with the plain .env',
      service({ environment: { TOKEN: MARK_A } }, { compose: { environmentFiles: ['/src/p/.env'] } }),
      {},
      'fail env-drift',
    ],
    [
      'and a file has changed since it was made',
      service({ environment: { A: '2' } }, { env: { A: '1' } }),
      { project: { changedAt: AFTER } },
      'fail env-drift',
    ],
    [
      'and no file has changed since it was made: its shell had another value',
      service({ environment: { A: '2' } }, { env: { A: '1' } }),
      { project: { changedAt: BEFORE } },
      'warn env-drift',
    ],
    [
      'of a secret, and no file has changed since it was made',
      service({ environment: { PASSWORD: MARK_A } }, { env: { PASSWORD: MARK_B } }),
      { project: { changedAt: BEFORE } },
      'warn env-drift',
    ],
    [
      'of the older of two replicas: a file has changed between the two',
      makeService({
        spec: { environment: { A: '2' }, replicas: 2 },
        containers: [
          { env: { A: '2' }, createdAt: LATER },
          { env: { A: '1' }, createdAt: '2026-11-23T06:50:00.000Z' },
        ],
      }),
      { project: { changedAt: AFTER } },
      'fail env-drift',
    ],
    [
      'of the newer of two replicas: no file has changed since that one was made',
      makeService({
        spec: { environment: { A: '2' }, replicas: 2 },
        containers: [
          { env: { A: '2' }, createdAt: '2026-11-23T06:50:00.000Z' },
          { env: { A: '1' }, createdAt: LATER },
        ],
      }),
      { project: { changedAt: AFTER } },
      'warn env-drift',
    ],
    [
      'FA-32 of a container that other files made, though one has changed',
      service({ environment: { TOKEN: MARK_A } }, { compose: { configFiles: ['/src/p/docker-compose.yml', '/src/p/dev.yml'] } }),
      { project: { changedAt: AFTER } },
      'warn env-drift',
    ],
    ['FA-32 another config hash alone is nothing', service({}, { compose: { configHash: 'other', version: '2.20.0' } }), {}, 'pass'],
  ])('%s', (_, given, extra, expected) => {
    expect(short(given, extra)).toBe(expected);
  });

  it('says why a drift that no edit explains is no alarm', () => {
    const drifted = service({ environment: { A: '2' } }, { env: { A: '1' } });
    const said = '(no file has changed since it was made; a variable of the shell may have)';
    expect(findingsOf(look(drifted, { project: { changedAt: BEFORE } }))[0].message).toContain(said);
    expect(findingsOf(look(drifted, { project: { changedAt: AFTER } }))[0].message).not.toContain(said);
  });

  it('names the keys and shows both values', () => {
    const [finding] = findingsOf(look(service({ environment: { LEVEL: 'debug', OK: '1' } }, { env: { LEVEL: 'info', OK: '1' } })));
    expect(finding.message).toContain('LEVEL');
    expect(finding.message).not.toContain('OK');
    expect(finding.evidence.map((each) => each.text)).toEqual(['info', 'debug']);
    expect(finding.values).toMatchObject({ variable: 'LEVEL' });
  });
});

describe('compose of a service: image', () => {
  const now = (id: string, ref = 'app:latest', createdAt: string | null = null, pulled = true) => ({
    images: [{ ref, id, createdAt, pulled }],
  });
  const built = { build: { context: '.', dockerfile: 'Dockerfile' } };

  it.each<[string, Service, Extra, string]>([
    ['the same', service({ image: 'app' }), now('sha256:app'), 'pass'],
    ['the same, as Podman calls it', service({ image: 'app' }, { image: 'localhost/app:latest' }), now('sha256:app'), 'pass'],
    ['another one of Podman', service({ image: 'app' }, { image: 'localhost/other:latest' }), now('sha256:app'), 'fail image-drift'],
    ['built again, later than the container was made', service(built), now('sha256:new', 'app:latest', AFTER), 'fail image-drift'],
    [
      'built again, whatever the files and whenever they changed',
      service(built),
      { ...now('sha256:new', 'app:latest', AFTER), project: { changedAt: BEFORE } },
      'fail image-drift',
    ],
    [
      'built again, and the container ended',
      service(built, { state: { status: 'exited', exitCode: 1 } }),
      now('sha256:new', 'app:latest', AFTER),
      'fail image-drift',
    ],
    [
      'built again by hand: no registry knows it',
      service({ image: 'app' }),
      now('sha256:new', 'app:latest', AFTER, false),
      'fail image-drift',
    ],
    ['an older build that was tagged again', service(built), now('sha256:old', 'app:latest', BEFORE), 'warn image-drift'],
    ['built, and nobody knows when', service(built), now('sha256:new'), 'warn image-drift'],
    [
      'built again by another service',
      service({ image: 'app' }),
      {
        ...now('sha256:new', 'app:latest', AFTER),
        others: [makeService({ name: 'builder', spec: built, containers: [{ image: 'app:latest' }] })],
      },
      'fail image-drift',
    ],
    [
      'built again, and made from other files',
      service(built, { compose: { configFiles: ['/src/p/docker-compose.yml', '/src/p/dev.yml'] } }),
      now('sha256:new', 'app:latest', AFTER),
      'warn image-drift',
    ],
    ['pulled again, by whomever', service({ image: 'app' }), now('sha256:new', 'app:latest', BEFORE), 'warn image-drift'],
    ['pulled again, and made only lately', service({ image: 'app' }), now('sha256:new', 'app:latest', AFTER), 'warn image-drift'],
    [
      'pulled again, and the container ended',
      service({ image: 'app' }, { state: { status: 'exited', exitCode: 1 } }),
      now('sha256:new', 'app:latest', AFTER),
      'warn image-drift',
    ],
    [
      'FA-33 pinned by digest',
      service({ image: `app@sha256:${'a'.repeat(64)}` }, { image: `app@sha256:${'a'.repeat(64)}` }),
      now('sha256:new', `app@sha256:${'a'.repeat(64)}`),
      'pass',
    ],
    ['gone: nothing to compare with', service({ image: 'app' }), { images: [{ ref: 'app:latest', id: null }] }, 'pass'],
    ['another reference', service({ image: 'postgres:18' }, { image: 'postgres:17' }), {}, 'fail image-drift'],
    [
      'another reference, and a file has changed',
      service({ image: 'postgres:18' }, { image: 'postgres:17' }),
      { project: { changedAt: AFTER } },
      'fail image-drift',
    ],
    [
      'another reference, and no file has changed: its shell had another tag',
      service({ image: 'postgres:18' }, { image: 'postgres:17' }),
      { project: { changedAt: BEFORE } },
      'warn image-drift',
    ],
    ['the same reference in full', service({ image: 'docker.io/library/postgres' }, { image: 'postgres:latest' }), {}, 'pass'],
    ['a registry with a port', service({ image: 'localhost:5000/app' }, { image: 'localhost:5000/app:latest' }), {}, 'pass'],
  ])('%s', (_, given, extra, expected) => {
    expect(short(given, extra)).toBe(expected);
  });
});

describe('compose of a service: mounts', () => {
  const bind = (source: string, destination = '/app', readOnly = false) => ({ type: 'bind' as const, source, destination, readOnly });
  const volume = (source: string, destination = '/data', readOnly = false) => ({ type: 'volume' as const, source, destination, readOnly });
  const has = (...mounts: ReturnType<typeof bind | typeof volume>[]) => ({ mounts: mounts.map((each) => ({ ...each, name: null })) });

  it.each<[string, Service, Extra, string]>([
    ['the same', service({ mounts: [bind('/src/p/app')] }, has(bind('/src/p/app'))), {}, 'pass'],
    ['a slash more', service({ mounts: [bind('/src/p/app/', '/app/')] }, has(bind('/src/p/app'))), {}, 'pass'],
    ['as Docker Desktop writes it', service({ mounts: [bind('/Users/me/app')] }, has(bind('/host_mnt/Users/me/app'))), {}, 'pass'],
    ['on Windows', service({ mounts: [bind('C:\\Users\\me\\app')] }, has(bind('/run/desktop/mnt/host/c/Users/me/app'))), {}, 'pass'],
    [
      'by a symbolic link of the project folder',
      service({ mounts: [bind('/src/p/app')] }, { ...has(bind('/home/me/p/app')), compose: { workingDir: '/home/me/p', configFiles: [] } }),
      {},
      'pass',
    ],
    ['another folder', service({ mounts: [bind('/src/p/dist')] }, has(bind('/src/p/out'))), {}, 'fail mount-drift'],
    ['not mounted', service({ mounts: [bind('/src/p/dist')] }), {}, 'fail mount-drift'],
    [
      'not mounted, and a file has changed',
      service({ mounts: [bind('/src/p/dist')] }),
      { project: { changedAt: AFTER } },
      'fail mount-drift',
    ],
    [
      'not mounted, and no file has changed',
      service({ mounts: [bind('/src/p/dist')] }),
      { project: { changedAt: BEFORE } },
      'warn mount-drift',
    ],
    ['read-only by now', service({ mounts: [bind('/src/p/app', '/app', true)] }, has(bind('/src/p/app'))), {}, 'fail mount-drift'],
    ['a volume where a folder was', service({ mounts: [volume('p_data', '/app')] }, has(bind('/src/p/app'))), {}, 'fail mount-drift'],
    ['the same volume', service({ mounts: [volume('p_data')] }, has(volume('p_data'))), {}, 'pass'],
    ['another volume', service({ mounts: [volume('p_data2')] }, has(volume('p_data'))), {}, 'fail mount-drift'],
    [
      'a volume by its short name, read plainly',
      service({ mounts: [volume('data')] }, has(volume('custom'))),
      { project: { loadedBy: 'plain' } },
      'pass',
    ],
    ['an anonymous volume', service({ mounts: [volume('')] }, has(volume('a'.repeat(64)))), {}, 'pass'],
    ["the image's own volume", service({ mounts: [] }, has(volume('a'.repeat(64)))), {}, 'pass'],
    ['tmpfs is not listed alike', service({ mounts: [{ type: 'tmpfs', source: '', destination: '/tmp', readOnly: false }] }), {}, 'pass'],
  ])('%s', (_, given, extra, expected) => {
    expect(short(given, extra)).toBe(expected);
  });
});

describe('compose of a service: ports and command', () => {
  const port = (hostPort: number, hostIp = '') => makePort({ hostPort, hostIp });

  it.each<[string, Service, Extra, string]>([
    ['the same port', service({ ports: [port(80)] }, { portBindings: [port(80, '0.0.0.0')] }), {}, 'pass'],
    ['another port', service({ ports: [port(81)] }, { portBindings: [port(80)] }), {}, 'fail config-drift'],
    ['another address', service({ ports: [port(80, '127.0.0.1')] }, { portBindings: [port(80)] }), {}, 'fail config-drift'],
    ['a port that came later', service({ ports: [port(80)] }), {}, 'fail config-drift'],
    ['a port that came later, with an edit', service({ ports: [port(80)] }), { project: { changedAt: AFTER } }, 'fail config-drift'],
    ['a port that came later, without an edit', service({ ports: [port(80)] }), { project: { changedAt: BEFORE } }, 'warn config-drift'],
    ['a port that is no more', service({ ports: [] }, { portBindings: [port(80)] }), {}, 'fail config-drift'],
    ['FA-12 any free port', service({ ports: [port(0)] }, { portBindings: [port(32_768)] }), {}, 'pass'],
    [
      'a range over replicas',
      makeService({
        spec: { ports: [port(8000)], replicas: 2 },
        containers: [{ portBindings: [port(8000)] }, { portBindings: [port(8001)] }],
      }),
      {},
      'pass',
    ],
    [
      'in another order',
      service(
        { ports: [port(80), makePort({ containerPort: 443, hostPort: 443 })] },
        { portBindings: [makePort({ containerPort: 443, hostPort: 443 }), port(80)] },
      ),
      {},
      'pass',
    ],
    ["on the host's network", service({ ports: [port(80)] }, { networkMode: 'host' }), {}, 'pass'],
    ['the same command', service({ command: ['serve', '--reload'] }, { command: ['serve', '--reload'] }), {}, 'pass'],
    ['another command', service({ command: ['serve', '--reload'] }, { command: ['serve'] }), {}, 'fail config-drift'],
    ["the image's command", service({ command: null }, { command: ['serve'] }), {}, 'pass'],
    ['an empty command', service({ command: [] }, { command: ['serve'] }), {}, 'pass'],
    ['another entry point', service({ entrypoint: ['/a.sh'] }, { entrypoint: ['/b.sh'] }), {}, 'fail config-drift'],
    [
      'a command read plainly',
      service({ command: ['serve --reload'] }, { command: ['serve', '--reload'] }),
      { project: { loadedBy: 'plain' } },
      'pass',
    ],
  ])('%s', (_, given, extra, expected) => {
    expect(short(given, extra)).toBe(expected);
  });
});

describe('compose of a service: the data path of Postgres', () => {
  const mount = (destination: string) => ({ type: 'volume' as const, source: 'p_data', name: 'p_data', destination, readOnly: false });
  const pg = (env: Record<string, string>, destination: string, status: 'exited' | 'running' = 'exited') =>
    makeService({ name: 'db', role: 'postgres', containers: [{ env, mounts: [mount(destination)], state: { status } }] });

  it.each<[string, Service, string]>([
    ['18 at the old path', pg({ PG_MAJOR: '18' }, '/var/lib/postgresql/data'), 'fail postgres-data-path'],
    [
      '18 at the old path, with its default PGDATA',
      pg({ PG_MAJOR: '18', PGDATA: '/var/lib/postgresql/18/docker' }, '/var/lib/postgresql/data/'),
      'fail postgres-data-path',
    ],
    ['18 at the new path', pg({ PG_MAJOR: '18' }, '/var/lib/postgresql'), 'pass'],
    ['17 at its path', pg({ PG_MAJOR: '17' }, '/var/lib/postgresql/data'), 'pass'],
    ['18 with PGDATA of its own', pg({ PG_MAJOR: '18', PGDATA: '/var/lib/postgresql/data/pgdata' }, '/var/lib/postgresql/data'), 'pass'],
    ['18 at the old path, and it runs', pg({ PG_MAJOR: '18' }, '/var/lib/postgresql/data', 'running'), 'fail postgres-data-path'],
    ['18 at the new path, and it runs', pg({ PG_MAJOR: '18' }, '/var/lib/postgresql', 'running'), 'pass'],
    ['17 at its path, and it runs', pg({ PG_MAJOR: '17' }, '/var/lib/postgresql/data', 'running'), 'pass'],
    [
      '18 by its tag, before the first start',
      makeService({
        name: 'db',
        role: 'postgres',
        spec: { image: 'postgres:18-alpine', mounts: [mount('/var/lib/postgresql/data')] },
        containers: [],
      }),
      'fail postgres-data-path',
    ],
    [
      'another product by its tag',
      makeService({
        name: 'db',
        role: 'postgres',
        spec: { image: 'acme/postgres-ha:18', mounts: [mount('/var/lib/postgresql/data')] },
        containers: [],
      }),
      'skip',
    ],
  ])('%s', (_, given, expected) => {
    expect(short(given)).toBe(expected);
  });
});

describe('compose of a service: credentials before the first start', () => {
  const env = { POSTGRES_USER: 'shop', POSTGRES_PASSWORD: MARK_A, POSTGRES_DB: 'shop' };
  const volume = { type: 'volume' as const, source: 'p_data', destination: '/var/lib/postgresql/data', readOnly: false };
  const before = (spec: Partial<ServiceSpec>, made: object | null, password: string = MARK_B) => {
    const app = makeService({ containers: [] });
    const db = makeService({ name: 'db', role: 'postgres', containers: [], spec: { image: 'postgres:16', environment: env, ...spec } });
    return ask(composeService, {
      stack: makeStack({ services: [app, db], connections: [makeConnection({ user: 'shop', password, database: 'shop' })] }),
      service: 'app',
      facts: { making: fact({ lines: { 'environment DATABASE_URL': { file: 'compose.yaml', line: 5 } } }) },
      peers: { db: { postgres: gap('not asked'), redis: gap('not asked'), making: fact(made) } },
    });
  };
  const fresh = { newVolumes: ['p_data'], twins: [], lines: { 'environment POSTGRES_PASSWORD': { file: 'compose.yaml', line: 12 } } };
  it.each<[string, Verdict, string]>([
    ['the same', before({}, fresh, MARK_A), 'cannot look'],
    ['another password for a database that is yet to be made', before({ mounts: [volume] }, fresh), 'fail credentials-conflict'],
    ['data that is there already', before({ mounts: [volume] }, { ...fresh, newVolumes: [] }), 'warn credentials-conflict'],
    ['an engine that does not say', before({ mounts: [volume] }, { ...fresh, newVolumes: null }), 'warn credentials-conflict'],
    [
      'a script that may make other users',
      before({ mounts: [{ ...volume, type: 'bind', destination: '/docker-entrypoint-initdb.d' }] }, fresh),
      'warn credentials-conflict',
    ],
    [
      'an image of its own',
      before({ image: null, build: { context: '/src/p/db', dockerfile: 'Dockerfile' } }, fresh),
      'warn credentials-conflict',
    ],
  ])('%s', (_, verdict, expected) => expect(inShort(composeService, verdict)).toBe(expected));

  it('names the lines of both sides', () =>
    expect(findingsOf(before({}, fresh))[0].evidence.map(({ source }) => source)).toEqual(['compose.yaml:5', 'compose.yaml:12']));
});

describe('compose of a service: credentials', () => {
  const app = makeService();
  const db = (env: Record<string, string>) => makeService({ name: 'db', role: 'postgres', containers: [{ env }] });
  const shop = { POSTGRES_USER: 'shop', POSTGRES_PASSWORD: MARK_A, POSTGRES_DB: 'shop' };
  const as = (user: string | null, password: string | null, database: string | null = 'shop') => ({
    connections: [makeConnection({ user, password, database })],
  });

  it.each<[string, Service, Extra, string]>([
    ['the same', db(shop), as('shop', MARK_A), 'pass'],
    ['another user', db(shop), as('postgres', MARK_A), 'warn credentials-conflict'],
    ['another password', db(shop), as('shop', MARK_B), 'warn credentials-conflict'],
    ['no password', db(shop), as('shop', null), 'warn credentials-conflict'],
    ['another database', db(shop), as('shop', MARK_A, 'other'), 'warn credentials-conflict'],
    ['the defaults of the image', db({ POSTGRES_PASSWORD: MARK_A }), as('postgres', MARK_A, 'postgres'), 'pass'],
    ['another role that can log in', db(shop), { ...as('app_rw', MARK_B), login: 'ok' }, 'pass'],
    ['another password that the server took', db(shop), { ...as('shop', MARK_B), login: 'ok' }, 'pass'],
    ['another password that it refused', db(shop), { ...as('shop', MARK_B), login: 'rejected' }, 'warn credentials-conflict'],
    ['a password in a file', db({ POSTGRES_USER: 'shop', POSTGRES_PASSWORD_FILE: '/run/secrets/pw' }), as('shop', MARK_B), 'pass'],
    [
      'a user in a file',
      db({ POSTGRES_USER_FILE: '/run/secrets/user', POSTGRES_PASSWORD: MARK_A, POSTGRES_DB: 'shop' }),
      as('shop', MARK_A),
      'pass',
    ],
    ['trust', db({ POSTGRES_USER: 'shop', POSTGRES_HOST_AUTH_METHOD: 'trust' }), as('shop', null), 'pass'],
    ['an image with other variables', db({ POSTGRESQL_USERNAME: 'shop' }), as('postgres', MARK_A), 'pass'],
  ])('%s', (_, server, extra, expected) => {
    expect(short(app, { others: [server], ...extra })).toBe(expected);
  });

  const cache = (command: string[], env: Record<string, string> = {}) =>
    makeService({ name: 'cache', role: 'redis', containers: [{ command, env }] });
  const redis = (password: string | null, user: string | null = null) => ({
    connections: [
      makeConnection({ to: 'cache', kind: 'redis', host: 'cache', port: 6379, source: 'env REDIS_URL', password, user, database: '0' }),
    ],
  });

  it.each<[string, Service, Extra, string]>([
    ['the same', cache(['redis-server', '--requirepass', MARK_A]), redis(MARK_A), 'pass'],
    ['the same, as the default user', cache(['redis-server', '--requirepass', MARK_A]), redis(MARK_A, 'default'), 'pass'],
    ['another', cache(['redis-server', '--requirepass', MARK_A]), redis(MARK_B), 'warn credentials-conflict'],
    ['none given', cache(['redis-server', '--requirepass', MARK_A]), redis(null), 'warn credentials-conflict'],
    ['none wanted', cache(['redis-server']), redis(MARK_A), 'warn credentials-conflict'],
    ['none, none', cache(['redis-server']), redis(null), 'pass'],
    [
      'by a shell, from the environment',
      cache(['sh', '-c', 'exec redis-server --requirepass "$REDIS_PASSWORD"'], { REDIS_PASSWORD: MARK_A }),
      redis(MARK_B),
      'warn credentials-conflict',
    ],
    ['in a configuration file', cache(['redis-server', '/etc/redis.conf']), redis(MARK_A), 'pass'],
    ['in the environment of another image', cache(['/run.sh'], { REDIS_PASSWORD: MARK_A }), redis(MARK_A), 'pass'],
    ['of another user, by ACL', cache(['redis-server', '--requirepass', MARK_A]), redis(MARK_B, 'worker'), 'pass'],
  ])('a Redis password: %s', (_, server, extra, expected) => {
    expect(short(app, { others: [server], ...extra })).toBe(expected);
  });

  it('never shows a password', () => {
    const [finding] = findingsOf(look(app, { others: [db(shop)], ...as('shop', MARK_B) }));
    expect(finding.message).toBe('env DATABASE_URL of app gives db another password than it is set up with');
    expect(JSON.stringify(finding)).not.toContain('secret:');
  });

  it('is told to the client, and the server is innocent', () => {
    expect(short(db(shop), { others: [app], ...as('postgres', MARK_A) })).toBe('pass');
  });
});

describe('compose of a service: values that do not arrive as they are written', () => {
  const db = makeService({ name: 'db', role: 'postgres' });
  const altered = (how: 'dollar' | 'comment' | 'shell', parts: object = {}) => ({
    altered: [{ how, variable: 'DB_PASSWORD', service: 'app', key: 'DATABASE_URL', file: '.env', line: 3, ...parts }],
  });
  const given = (how: 'dollar' | 'comment' | 'shell', login?: 'ok' | 'rejected'): Extra => ({
    others: [db],
    connections: [makeConnection()],
    project: altered(how),
    ...(login ? { login } : {}),
  });

  it.each<[string, Extra, string]>([
    ['of another service', { project: altered('dollar', { service: 'other' }) }, 'pass'],
    ['a dollar, and a login that works', given('dollar', 'ok'), 'warn dollar-in-value'],
    ['a dollar, and a login that is refused', given('dollar', 'rejected'), 'fail dollar-in-value'],
    ['a comment', given('comment', 'rejected'), 'fail comment-in-value'],
    ['the shell, which is often meant', given('shell'), 'warn shell-overrides'],
    ['the shell, and a login that is refused', given('shell', 'rejected'), 'fail shell-overrides'],
  ])('%s', (_, extra, expected) => {
    expect(short(service({}), extra)).toBe(expected);
  });

  it('a name of the whole machine that another project has', () => {
    const none = makeService({ spec: { containerName: 'cache' }, containers: [] });
    const facts = {
      project: fact(projectOf()),
      images: fact([]),
      making: fact({ image: null, build: null, nameTakenBy: { container: 'cache', project: 'other', status: 'running' } }),
    };
    const verdict = ask(composeService, { stack: makeStack({ services: [none] }), service: 'app', facts });
    expect(inShort(composeService, verdict)).toBe('fail name-taken');
    expect(findingsOf(verdict)[0].values).toMatchObject({ container: 'cache', project: 'other' });
  });
});

describe('compose of a service: could not look', () => {
  it.each<[string, ReturnType<typeof look>, string]>([
    ['no container to compare', look(makeService({ containers: [] })), 'skip'],
    [
      'no project',
      ask(composeService, { stack: makeStack({ services: [makeService()] }), service: 'app', facts: { images: fact([]) } }),
      'cannot look',
    ],
    [
      'no images',
      ask(composeService, { stack: makeStack({ services: [makeService()] }), service: 'app', facts: { project: fact(projectOf()) } }),
      'cannot look',
    ],
  ])('%s', (_, verdict, expected) => {
    expect(inShort(composeService, verdict)).toBe(expected);
  });

  it('is not asked where the files did not load', () => {
    expect(composeService.appliesTo(makeService({ spec: null }), makeStack())).toBe(false);
  });
});
