import { describe, expect, it } from 'vitest';
import { compose } from '../../src/checks/compose.ts';
import type { ProjectFact } from '../../src/model/facts.ts';
import type { Service, Stack } from '../../src/model/stack.ts';
import { ask, fact, findingsOf, gap, inShort, makeConnection, makeContainer, makeService, makeStack } from './make.ts';

const made = (services: Service[], parts: Partial<Stack> = {}): Stack => makeStack({ services, ...parts });

const project = (stack: Stack, parts: Partial<ProjectFact> = {}): ProjectFact => ({
  name: 'p',
  workingDir: '/src/p',
  files: ['docker-compose.yml'],
  loadedBy: 'compose',
  services: stack.services.flatMap((service) => service.spec ?? []),
  error: null,
  unsetVariables: [],
  changedAt: null,
  blanks: [],
  ...parts,
});

const look = (stack: Stack, parts: Partial<ProjectFact> = {}) =>
  ask(compose, {
    stack,
    facts: {
      project: fact(project(stack, parts)),
      containers: fact([...stack.services.flatMap((each) => each.containers), ...stack.oneOffs]),
    },
  });

const short = (stack: Stack, parts: Partial<ProjectFact> = {}): string => inShort(compose, look(stack, parts));

const app = makeService({ name: 'app' });
const db = makeService({ name: 'db', role: 'postgres', containers: [{ env: { POSTGRES_PASSWORD: '' } }] });

const error = (kind: NonNullable<ProjectFact['error']>['kind'], message: string, variable: string | null = null): Partial<ProjectFact> => ({
  services: null,
  error: { kind, message, variable, file: 'docker-compose.yml', line: 12 },
});

describe('compose: does it load?', () => {
  it.each<[string, Partial<ProjectFact>, string]>([
    ['it does', {}, 'pass'],
    ['a tab', error('syntax', 'found character that cannot start any token'), 'fail invalid'],
    ['an unknown key', error('schema', "additional properties 'prots' not allowed"), 'fail invalid'],
    ['an undefined volume', error('other', 'service "db" refers to undefined volume data'), 'fail invalid'],
    [
      'a required variable',
      error('required-variable', 'required variable DB_PASSWORD is missing a value', 'DB_PASSWORD'),
      'fail required-variable',
    ],
    ['an env file', error('env-file-missing', 'env file /src/p/.env.local not found'), 'fail env-file-missing'],
  ])('%s', (_, parts, expected) => {
    expect(short(made([app]), parts)).toBe(expected);
  });

  it('says where', () => {
    const [finding] = findingsOf(look(made([app]), error('syntax', 'found character that cannot start any token')));
    expect(finding.message).toContain('docker-compose.yml:12');
    expect(finding.values).toMatchObject({ file: 'docker-compose.yml', line: '12' });
  });

  it('names the required variable', () => {
    const [finding] = findingsOf(
      look(made([app]), error('required-variable', 'required variable DB_PASSWORD is missing a value', 'DB_PASSWORD')),
    );
    expect(finding.values).toMatchObject({ variable: 'DB_PASSWORD' });
  });
});

describe('compose: unset variables', () => {
  it('leaves to its service a piece of a value that only looks like a variable', () => {
    const stack = made([app]);
    const piece = { variable: 'word', file: '.env', line: 2 };
    const altered = [{ ...piece, how: 'dollar' as const, service: 'app', key: 'PASSWORD' }];
    expect(short(stack, { unsetVariables: [piece] })).toBe('warn variable-unset');
    expect(short(stack, { unsetVariables: [piece], altered })).toBe('pass');
  });

  const unset = (...variables: string[]) => variables.map((variable, index) => ({ variable, file: 'docker-compose.yml', line: 7 + index }));
  const login = makeConnection({ source: 'env DATABASE_URL' });

  it.each<[string, Stack, Partial<ProjectFact>, string]>([
    [
      'a blank that nobody minds',
      made([app]),
      { unsetVariables: unset('LOG_LEVEL'), blanks: [{ variable: 'LOG_LEVEL', service: 'app', key: 'LOG_LEVEL' }] },
      'warn variable-unset',
    ],
    [
      'the key of some outside service, in an app that runs',
      made([app]),
      { unsetVariables: unset('SENTRY_TOKEN'), blanks: [{ variable: 'SENTRY_TOKEN', service: 'app', key: 'SENTRY_TOKEN' }] },
      'warn variable-unset',
    ],
    [
      'the password that the server is set up with',
      made([db]),
      { unsetVariables: unset('DB_PW'), blanks: [{ variable: 'DB_PW', service: 'db', key: 'POSTGRES_PASSWORD' }] },
      'fail variable-unset',
    ],
    [
      'the password in the URL that the app logs in with',
      made([app, db], { connections: [login] }),
      { unsetVariables: unset('DB_PASSWORD'), blanks: [{ variable: 'DB_PASSWORD', service: 'app', key: 'DATABASE_URL' }] },
      'fail variable-unset',
    ],
    [
      'the password beside the host',
      made([app, db], { connections: [makeConnection({ source: 'env DB_HOST' })] }),
      { unsetVariables: unset('PW'), blanks: [{ variable: 'PW', service: 'app', key: 'DB_PASSWORD' }] },
      'fail variable-unset',
    ],
    [
      'the secret of an app that does not run',
      made([makeService({ name: 'app', containers: [{ state: { status: 'exited', exitCode: 1 } }] })]),
      { unsetVariables: unset('SECRET_KEY'), blanks: [{ variable: 'SECRET_KEY', service: 'app', key: 'SECRET_KEY' }] },
      'fail variable-unset',
    ],
    [
      'the secret of a service behind a profile',
      made([makeService({ name: 'app', spec: { active: false, profiles: ['x'] }, containers: [] })]),
      { unsetVariables: unset('SECRET_KEY'), blanks: [{ variable: 'SECRET_KEY', service: 'app', key: 'SECRET_KEY' }] },
      'warn variable-unset',
    ],
    ['FA-40 a blank by design leaves no warning of Compose', made([makeService({ spec: { environment: { FOO: '' } } })]), {}, 'pass'],
  ])('%s', (_, stack, parts, expected) => {
    expect(short(stack, parts)).toBe(expected);
  });

  it('is one finding for all, the one that hurts first, each with its place', () => {
    const verdict = look(made([app, db]), {
      unsetVariables: unset('LOG_LEVEL', 'DB_PW'),
      blanks: [
        { variable: 'LOG_LEVEL', service: 'app', key: 'LOG_LEVEL' },
        { variable: 'DB_PW', service: 'db', key: 'POSTGRES_PASSWORD' },
      ],
    });
    const [finding, ...others] = findingsOf(verdict);
    expect(others).toEqual([]);
    expect(finding.values).toMatchObject({ variable: 'DB_PW', file: 'docker-compose.yml', line: '8' });
    expect(finding.message).toContain('db.POSTGRES_PASSWORD');
    expect(finding.evidence.map((each) => each.source)).toEqual(['docker-compose.yml:8', 'docker-compose.yml:7']);
  });
});

describe('compose: what was left behind', () => {
  const job = (parts: object = {}) =>
    makeContainer({ name: 'p-app-run-1f2e3d', service: 'app', oneOff: true, state: { startedAt: '2026-11-23T02:00:00.000Z' }, ...parts });

  it.each<[string, Stack, string]>([
    ['FA-22 a one-off with a command of its own', made([app], { oneOffs: [job({ command: ['sh'] })] }), 'pass'],
    ['FA-22 a one-off of a moment ago', made([app], { oneOffs: [job({ state: {} })] }), 'pass'],
    [
      'FA-22 a one-off that has ended',
      made([app], { oneOffs: [job({ state: { status: 'exited', startedAt: '2026-11-23T02:00:00.000Z' } })] }),
      'pass',
    ],
    ['a one-off that does the work of its service for hours', made([app], { oneOffs: [job()] }), 'warn one-off-left'],
    ['a container with a name like any other', made([makeService({ containers: [{ name: 'cafe_app' }] })]), 'pass'],
    [
      'a container that Compose had taken out of the way',
      made([makeService({ containers: [{ name: '3f1b2c4d5e6f_p-app-1' }] })]),
      'warn half-recreated',
    ],
  ])('%s', (_, stack, expected) => {
    expect(short(stack)).toBe(expected);
  });
});

describe('compose: profiles', () => {
  const behind = makeService({ name: 'db', spec: { active: false, profiles: ['dev'] }, containers: [] });
  const needs = (parts: object = {}) => makeService({ name: 'api', spec: { dependsOn: { db: 'service_started' }, ...parts } });

  it.each<[string, Service[], string]>([
    ['FA-5 a service behind a profile that nobody needs', [app, behind], 'pass'],
    ['one that is needed, if it is there', [needs({ optional: ['db'] }), behind], 'pass'],
    ['one that is needed by another that is not active', [needs({ active: false, profiles: ['dev'] }), behind], 'pass'],
    ['one that is needed', [needs(), behind], 'fail profile-inactive'],
  ])('%s', (_, services, expected) => {
    expect(short(made(services))).toBe(expected);
  });
});

describe('compose: is it up?', () => {
  const none = (name: string, parts = {}) => makeService({ name, containers: [], ...parts });
  const stopped = (name: string, exitCode: number, finishedAt: string, state = {}) =>
    makeService({ name, containers: [{ state: { status: 'exited', exitCode, finishedAt, ...state } }] });

  it.each<[string, Service[], string]>([
    ['no container at all', [none('app'), none('db')], 'fail not-up'],
    [
      'FA-5 nothing that should run',
      [none('app', { spec: { active: false, profiles: ['x'] } }), none('db', { spec: { replicas: 0 } })],
      'pass',
    ],
    ['FA-1 only a builder', [none('build', { role: 'build-only' })], 'pass'],
    ['one is missing: the matter of that service', [app, none('db')], 'pass'],
    ['all stopped together', [stopped('app', 143, '2026-11-23T06:00:00Z'), stopped('db', 0, '2026-11-23T06:00:08Z')], 'fail not-up'],
    [
      'FA-4 killed after the grace period',
      [stopped('app', 137, '2026-11-23T06:00:10Z'), stopped('db', 0, '2026-11-23T06:00:00Z')],
      'fail not-up',
    ],
    ['all at an end, an hour apart', [stopped('app', 143, '2026-11-23T05:00:00Z'), stopped('db', 0, '2026-11-23T06:00:00Z')], 'pass'],
    ['one ended with an error', [stopped('app', 1, '2026-11-23T06:00:00Z'), stopped('db', 0, '2026-11-23T06:00:00Z')], 'pass'],
    [
      'one was killed for its memory',
      [stopped('app', 137, '2026-11-23T06:00:00Z', { oomKilled: true }), stopped('db', 0, '2026-11-23T06:00:00Z')],
      'pass',
    ],
    ['the only service is stopped: its own matter', [stopped('app', 143, '2026-11-23T06:00:00Z')], 'pass'],
  ])('%s', (_, services, expected) => {
    expect(short(made(services))).toBe(expected);
  });

  it('a forgotten one-off does not make it up', () => {
    expect(short(made([none('app')], { oneOffs: [makeContainer({ name: 'p-app-run-1', oneOff: true })] }))).toBe('fail not-up');
  });

  it('blocks what would be asked of each service', () => {
    expect(compose.findings['not-up']!.blocks).toBe(true);
  });
});

describe('compose: whose containers are they?', () => {
  const of = (workingDir: string, name = 'app', parts = {}) => makeService({ name, containers: [{ compose: { workingDir, ...parts } }] });
  const orphan = (parts = {}) => makeService({ name: 'old', spec: null, containers: [parts] });

  it.each<[string, Stack, string]>([
    ['ours', made([of('/src/p')]), 'pass'],
    ['two folders', made([of('/src/p'), of('/other/p', 'db')]), 'warn name-collision'],
    ['all of another folder', made([of('/other/p')]), 'warn name-collision'],
    ['the same folder by a symbolic link', made([of('/home/me/src/p')]), 'pass'],
    ['the same folder, as macOS writes it', made([of('/private/src/p')]), 'pass'],
    ['the same folder, as Docker Desktop writes it', made([of('/run/desktop/mnt/host/src/p/')]), 'pass'],
    ['an orphan', made([app, orphan()]), 'warn orphans'],
    ['an orphan that is stopped', made([app, orphan({ state: { status: 'exited' } })]), 'warn orphans'],
    [
      'of a compose file that was not read now',
      made([app, orphan({ compose: { configFiles: ['/src/p/docker-compose.yml', '/src/p/extra.yml'] } })]),
      'pass',
    ],
    ['not an orphan but of another folder', made([app, orphan({ compose: { workingDir: '/elsewhere/q' } })]), 'warn name-collision'],
    ['FA-22 a one-off', made([app], { oneOffs: [makeContainer({ service: 'gone', oneOff: true })] }), 'pass'],
  ])('%s', (_, stack, expected) => {
    expect(short(stack)).toBe(expected);
  });

  it('cannot tell orphans when the files do not load', () => {
    expect(short(made([app, orphan()]), error('syntax', 'bad'))).toBe('fail invalid');
    expect(short(made([app, orphan()]), { services: null, loadedBy: 'labels' })).toBe('pass');
  });
});

describe('compose: could not look', () => {
  it('says why', () => {
    const stack = made([app]);
    expect(ask(compose, { stack, facts: { project: gap('config took too long'), containers: fact([]) } })).toMatchObject({
      findings: [{ reason: 'not-up' }],
    });
    expect(ask(compose, { stack, facts: { project: gap('config took too long'), containers: fact(app.containers) } })).toEqual({
      cannotLook: 'config took too long',
    });
    expect(ask(compose, { stack, facts: { project: fact(project(stack)), containers: gap('engine went away') } })).toEqual({
      cannotLook: 'engine went away',
    });
  });
});
