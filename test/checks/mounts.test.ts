import { describe, expect, it } from 'vitest';
import { mounts } from '../../src/checks/mounts.ts';
import type { DeclaredSource, MountsFact } from '../../src/model/facts.ts';
import type { Container, MountSpec, Service } from '../../src/model/stack.ts';
import { ask, fact, findingsOf, gap, inShort, makeService, makeStack } from './make.ts';

type Source = MountsFact['sources'][number];

const source = (parts: Partial<Source> = {}): Source => ({
  destination: '/etc/app/app.conf',
  source: '/src/p/app.conf',
  kind: 'file',
  empty: null,
  uid: 1000,
  mode: '644',
  bornAt: '2026-01-01T00:00:00.000Z',
  untouched: true,
  sameBytes: null,
  ...parts,
});

const bind = (parts: Partial<MountSpec> = {}) => ({
  type: 'bind' as const,
  source: '/src/p/app.conf',
  destination: '/etc/app/app.conf',
  readOnly: false,
  name: null,
  ...parts,
});

interface Given {
  sources?: Source[];
  view?: { root?: string; deleted?: boolean };
  mount?: Partial<MountSpec>;
  container?: Partial<Container>;
  state?: Partial<Container['state']>;
  log?: string[];
  logTime?: string;
  fact?: Partial<MountsFact>;
  volumes?: string[];
}

const serviceOf = (given: Given): Service =>
  makeService({
    containers: [{ mounts: [bind(given.mount)], ...given.container, ...(given.state ? { state: given.state } : {}) }],
  });

const look = (given: Given, service: Service = serviceOf(given), others: Service[] = []) => {
  const [container] = service.containers;
  const destination = given.mount?.destination ?? '/etc/app/app.conf';
  return ask(mounts, {
    stack: makeStack({ services: [service, ...others] }),
    service: service.name,
    facts: {
      mounts: fact({ container: container!.name, sources: given.sources ?? [], twins: [], uid: null, selinux: false, ...given.fact }),
      logs: fact({
        container: container!.name,
        since: null,
        lines: (given.log ?? []).map((text) => ({ time: given.logTime ?? null, stream: 'stderr', text })),
      }),
      images: fact([{ ref: container!.image, id: container!.imageId, volumes: given.volumes ?? [] }]),
      ...(given.view
        ? {
            inside: fact({
              container: container!.name,
              mounts: [{ destination, root: '/src/p/app.conf', deleted: false, fsType: 'ext4', readOnly: false, ...given.view }],
            }),
          }
        : {}),
    },
  });
};

const short = (given: Given, service?: Service, others: Service[] = []): string => inShort(mounts, look(given, service, others));

const folder = (parts: Partial<Source> = {}) =>
  source({ destination: '/data', source: '/src/p/data', kind: 'folder', empty: true, ...parts });
const atStart = '2026-11-23T06:50:00.000Z';
const failing = { status: 'restarting' as const, exitCode: 1 };
const data = { source: '/src/p/data', destination: '/data' };

describe('mounts: what is well, or meant', () => {
  it.each<[string, Given]>([
    ['a file as it was', { sources: [source()], view: {} }],
    ['FA-34 a file that was replaced by one with the same bytes', { sources: [source({ sameBytes: true })], view: { deleted: true } }],
    ['a replaced file that nobody could compare', { sources: [source()], view: { deleted: true } }],
    ['the same file by another path of its file system', { sources: [source()], view: { root: '/p/app.conf' } }],
    ['a folder that is there', { sources: [folder({ empty: false })], mount: data }],
    [
      'a folder that was emptied since',
      { sources: [folder({ bornAt: atStart, uid: 0, untouched: false })], mount: { ...data, readOnly: true } },
    ],
    ['an empty folder for data, made by Docker', { sources: [folder({ bornAt: atStart, uid: 0 })], mount: data }],
    ['an empty folder of old, mounted read-only', { sources: [folder()], mount: { ...data, readOnly: true } }],
    ['a folder with a name like a file, that has something in it', { sources: [source({ kind: 'folder', empty: false })] }],
    ['a folder conf.d', { sources: [folder({ source: '/src/p/conf.d', destination: '/etc/x/conf.d' })] }],
    [
      'a permission that was denied elsewhere',
      { sources: [folder()], mount: data, log: ['cat: /etc/shadow: Permission denied'], state: failing },
    ],
    ['a path that only begins like the mount', { sources: [folder()], mount: data, log: ["open '/database/x': EACCES"], state: failing }],
    [
      'a permission that was denied long ago, of a service that is well',
      {
        sources: [folder({ uid: 0 })],
        mount: data,
        fact: { uid: 999 },
        log: ["EACCES: permission denied, open '/data/x'"],
        logTime: atStart,
      },
    ],
    [
      'the entrypoint of nginx, which leaves alone a file that it may only read',
      {
        sources: [source()],
        mount: { readOnly: true },
        log: ['10-listen-on-ipv6-by-default.sh: info: can not modify /etc/app/app.conf (read-only file system?)'],
        logTime: '2026-11-23T06:59:30.000Z',
      },
    ],
    [
      'the same guess, of a service that fails for another reason',
      {
        sources: [source()],
        mount: { readOnly: true },
        state: failing,
        log: ['10-listen-on-ipv6-by-default.sh: info: can not modify /etc/app/app.conf (read-only file system?)'],
      },
    ],
    [
      'an entrypoint that could not hand over a folder, and went on',
      {
        sources: [folder({ empty: false, uid: 0, mode: '755' })],
        mount: data,
        fact: { uid: 999 },
        log: ["chown: changing ownership of '/data/x': Operation not permitted", 'chmod: /data/x: Operation not permitted'],
        logTime: '2026-11-23T06:59:30.000Z',
      },
    ],
    ['files on another machine', { sources: [] }],
  ])('%s', (_, given) => {
    expect(short(given)).toBe('pass');
  });

  it('could not look', () => {
    const service = serviceOf({});
    expect(
      inShort(mounts, ask(mounts, { stack: makeStack({ services: [service] }), service: 'app', facts: { mounts: gap('no answer') } })),
    ).toBe('cannot look');
  });
});

describe('mounts: what is not', () => {
  it.each<[string, Given, string]>([
    ['an empty folder with the name of a file', { sources: [source({ kind: 'folder', empty: true, uid: 0 })] }, 'fail file-became-folder'],
    [
      'an empty folder that Docker cannot mount on a file',
      {
        sources: [folder({ source: '/src/p/settings', destination: '/etc/settings' })],
        state: {
          status: 'created',
          error:
            'error mounting "/src/p/settings" to rootfs at "/etc/settings": not a directory: Are you trying to mount a directory onto a file (or vice-versa)?',
        },
      },
      'fail file-became-folder',
    ],
    ['a file that was replaced', { sources: [source({ sameBytes: false })], view: { deleted: true } }, 'fail stale-file'],
    ['a file that was renamed', { sources: [source({ sameBytes: false })], view: { root: '/src/p/app.conf.old' } }, 'fail stale-file'],
    [
      'a folder that was deleted',
      { sources: [folder({ empty: false })], mount: data, view: { root: '/src/p/data', deleted: true } },
      'fail stale-folder',
    ],
    [
      'a folder that may only be read, and that Docker made, of a service that is well',
      { sources: [folder({ bornAt: atStart, uid: 0 })], mount: { ...data, readOnly: true } },
      'warn source-made-by-docker',
    ],
    [
      'a folder whose files are missed, and that Docker made',
      {
        sources: [folder({ bornAt: atStart })],
        mount: data,
        state: failing,
        log: ["FileNotFoundError: [Errno 2] No such file or directory: '/data/model.bin'"],
      },
      'fail source-made-by-docker',
    ],
    [
      'owners that it may not change, for want of a capability',
      {
        mount: data,
        state: failing,
        container: { capabilities: { dropped: ['ALL'], added: ['SETUID', 'SETGID'] } },
        log: ['chown: /data/x: Operation not permitted'],
      },
      'fail capability-dropped',
    ],
    [
      'a user that it may not become',
      {
        state: failing,
        container: { capabilities: { dropped: ['SETGID'], added: [] } },
        log: ['error: failed switching to "postgres": operation not permitted'],
      },
      'fail capability-dropped',
    ],
    [
      'owners that it may not change, though nothing was taken from it',
      {
        mount: data,
        state: failing,
        container: { capabilities: { dropped: ['ALL'], added: ['CHOWN'] } },
        log: ['chown: /data/x: Operation not permitted'],
      },
      'fail not-permitted',
    ],
    [
      'a folder of another user',
      {
        sources: [folder({ empty: false, uid: 0, mode: '755' })],
        mount: data,
        state: failing,
        fact: { uid: 999 },
        log: ["PermissionError: [Errno 13] Permission denied: '/data/x'"],
      },
      'fail not-permitted',
    ],
    [
      'the same, of a service that is well',
      {
        sources: [folder({ empty: false, uid: 0, mode: '755' })],
        mount: data,
        fact: { uid: 999 },
        log: ["EACCES: permission denied, open '/data/x'"],
        logTime: '2026-11-23T06:59:30.000Z',
      },
      'warn not-permitted',
    ],
    [
      'SELinux',
      {
        sources: [folder({ empty: false, uid: 999, mode: '755' })],
        mount: data,
        state: failing,
        fact: { uid: 999, selinux: true },
        log: ["Permission denied: '/data/x'"],
      },
      'fail selinux',
    ],
    [
      'a mount that may only be read',
      {
        sources: [folder({ empty: false })],
        mount: { ...data, readOnly: true },
        state: failing,
        log: ["OSError: [Errno 30] Read-only file system: '/data/x'"],
      },
      'fail read-only',
    ],
    [
      'a root that may only be read',
      { container: { readOnlyRoot: true }, state: failing, log: ["EROFS: read-only file system, open '/tmp/x'"] },
      'fail read-only',
    ],
    [
      'a new volume beside an old one',
      { fact: { twins: [{ volume: 'new_pgdata', other: 'old_pgdata', project: 'old', createdAt: '2026-01-01T00:00:00.000Z' }] } },
      'warn other-project-volume',
    ],
  ])('%s', (_, given, expected) => {
    expect(short(given)).toBe(expected);
  });

  it('an anonymous volume where the data lies, and the named one beside it', () => {
    const anonymous = { type: 'volume' as const, source: 'a'.repeat(64), destination: '/var/lib/mysql', readOnly: false, name: null };
    const named = { type: 'volume' as const, source: 'p_data', destination: '/var/lib/mysql-data', readOnly: false, name: 'p_data' };
    const service = (list: object[]) => makeService({ containers: [{ mounts: list as never }] });
    const given = { volumes: ['/var/lib/mysql'] };
    expect(short(given, service([anonymous, named]), [])).toBe('warn data-in-anonymous-volume');
    expect(short(given, service([{ ...named, destination: '/var/lib/mysql' }]), [])).toBe('pass');
    expect(short(given, service([anonymous]), [])).toBe('pass');
    const second = { ...anonymous, destination: '/var/lib/mysql/conf' };
    expect(
      short({ volumes: ['/var/lib/mysql', '/var/lib/mysql/conf'] }, service([second, { ...named, destination: '/var/lib/mysql' }]), []),
    ).toBe('pass');
  });

  it('two servers on one volume: told once', () => {
    const on = (name: string, role: Service['role'], status: 'running' | 'exited' = 'running') =>
      makeService({
        name,
        role,
        containers: [
          {
            mounts: [{ type: 'volume', source: 'p_data', destination: '/var/lib/postgresql', readOnly: false, name: 'p_data' }],
            state: { status },
          },
        ],
      });
    expect(short({}, on('db', 'postgres'), [on('postgres', 'postgres')])).toBe('fail shared-by-databases');
    expect(short({}, on('postgres', 'postgres'), [on('db', 'postgres')])).toBe('pass');
    expect(short({}, on('db', 'postgres'), [on('postgres', 'postgres', 'exited')])).toBe('pass');
    expect(short({}, on('db', 'postgres'), [on('backup', 'worker')])).toBe('pass');
  });

  it('names both sides', () => {
    expect(findingsOf(look({ sources: [source({ kind: 'folder', empty: true })] }))[0].values).toMatchObject({
      hostPath: '/src/p/app.conf',
      path: '/etc/app/app.conf',
    });
  });
});

describe('mounts: before it runs', () => {
  const declared = (parts: Partial<DeclaredSource> = {}): DeclaredSource => ({
    of: 'volume',
    source: '/src/p/app.toml',
    destination: '/app/app.toml',
    kind: 'missing',
    empty: null,
    readOnly: false,
    isMade: true,
    near: true,
    writer: null,
    at: { file: 'compose.yaml', line: 9 },
    ...parts,
  });
  const before = (making: object) =>
    ask(mounts, {
      stack: makeStack({ services: [makeService({ containers: [] })] }),
      service: 'app',
      facts: { making: fact(making) },
    });
  const data = { source: '/src/p/data', destination: '/data' };
  it.each<[string, Partial<DeclaredSource>, string]>([
    ['a file that is there', { kind: 'file' }, 'skip'],
    ['a folder for data, which Docker makes', data, 'skip'],
    ['a folder with something in it', { ...data, kind: 'folder', empty: false }, 'skip'],
    ['an empty folder for data', { ...data, kind: 'folder', empty: true }, 'skip'],
    ['a file that another service makes first', { writer: 'certs' }, 'skip'],
    ['a path of the machine that the engine is on', { near: false, source: '/etc/ssl/cert.pem', destination: '/cert.pem' }, 'skip'],
    ['a file that is not there', {}, 'fail source-missing'],
    ['a folder that Docker may not make', { ...data, isMade: false }, 'fail source-missing'],
    ['a folder that may only be read', { ...data, readOnly: true }, 'warn source-missing'],
    ['a secret', { of: 'secret', source: '/src/p/secret', destination: 'db', isMade: false }, 'fail source-missing'],
    ['an empty folder in the place of a file', { kind: 'folder', empty: true }, 'fail file-became-folder'],
  ])('%s', (_, parts, expected) => expect(inShort(mounts, before({ sources: [declared(parts)] }))).toBe(expected));

  it('says where it is written', () =>
    expect(findingsOf(before({ sources: [declared()] }))[0].message).toBe(
      '/src/p/app.toml, which app mounts at /app/app.toml, does not exist (compose.yaml:9); Docker would make an empty folder there',
    ));

  it('a project that was renamed', () => {
    const twins = [{ volume: 'p_data', other: 'p-old_data', project: 'p-old', createdAt: '2026-01-01T00:00:00.000Z' }];
    expect(inShort(mounts, before({ twins }))).toBe('warn other-project-volume');
  });

  it('another worktree on the same volume', () => {
    const sharers = [{ volume: 'shop-data', destination: '/var/lib/postgresql', container: 'p-feature-db-1', project: 'p-feature' }];
    expect(findingsOf(before({ sharers }))[0]).toMatchObject({
      reason: 'shared-by-databases',
      message: 'app would start on volume shop-data, on which p-feature-db-1 of project p-feature runs',
    });
  });
});
