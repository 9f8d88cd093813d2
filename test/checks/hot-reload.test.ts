import { describe, expect, it } from 'vitest';
import { hotReload } from '../../src/checks/hot-reload.ts';
import type { Fact, InsideFact, LogLine, Process, SourceFact } from '../../src/model/facts.ts';
import type { Container, MountSpec, Role } from '../../src/model/stack.ts';
import { findingsOf, logLine, logOf, reasonsOf } from './attempts.ts';
import { fact, gap, makeConnection, makeService, makeStack, NOW } from './make.ts';

const UVICORN = ['uvicorn', 'app.main:app', '--host', '0.0.0.0', '--reload'];
const PID1 = '/usr/bin/python3 /usr/local/bin/uvicorn app.main:app --host 0.0.0.0 --reload';
const TRACKER = '/usr/bin/python3 -c from multiprocessing.resource_tracker import main;main(5)';
const CHILD =
  '/usr/bin/python3 -c from multiprocessing.spawn import spawn_main; spawn_main(tracker_fd=6, pipe_handle=8) --multiprocessing-fork';
const CRASH = [
  "WARNING:  WatchFiles detected changes in 'app/main.py'. Reloading...",
  'Traceback (most recent call last):',
  'File "/usr/lib/python3.12/site-packages/uvicorn/config.py", line 433, in load',
  'File "/code/app/main.py", line 3, in <module>',
  'import nosuchmodule',
  "ModuleNotFoundError: No module named 'nosuchmodule'",
];

type Mount = SourceFact['mounts'][number];

const mount = (parts: Partial<Mount> = {}): Mount => ({
  hostPath: '/src/p/api',
  destination: '/code',
  host: { exists: true, empty: false, inode: 7, bornAt: null },
  inside: { inode: 7, entries: 4, readable: true },
  sample: { file: 'app/main.py', same: true, hostModifiedAt: '2026-11-23T06:40:00.000Z' },
  shadowedBy: [],
  ...parts,
});

const tree = (...commands: string[]): Process[] =>
  commands.map((command, index) => ({ pid: index + 1, parent: index === 0 ? 0 : 1, command }));
const bind: MountSpec = { type: 'bind', source: '/src/p/api', destination: '/code', readOnly: false };

interface Case {
  command?: string[];
  role?: Role;
  mounts?: Mount[];
  containerMounts?: (MountSpec & { name?: string | null })[];
  container?: Partial<Pick<Container, 'workingDir' | 'env'>>;
  startedAt?: string;
  processes?: Process[];
  listening?: boolean;
  deleted?: boolean;
  fsType?: string;
  log?: (string | LogLine)[];
  inotify?: SourceFact['inotify'];
  source?: Fact<SourceFact>;
  inside?: Fact<InsideFact>;
}

const judge = (given: Case) => {
  const containerMounts = (given.containerMounts ?? [bind]).map((each) => ({ name: null, ...each }));
  const container = {
    command: given.command ?? UVICORN,
    workingDir: '/code',
    mounts: containerMounts,
    state: { startedAt: given.startedAt ?? '2026-11-23T06:50:00.000Z' },
    ...given.container,
  };
  const service = makeService({ name: 'api', role: given.role ?? 'http', containers: [container] });
  const processes = given.processes ?? tree(PID1, TRACKER, CHILD);
  const inside: InsideFact = {
    container: 'p-api-1',
    via: 'proc',
    listeners: given.listening === false ? [] : [{ family: 4, address: '0.0.0.0', port: 8000 }],
    peers: [],
    mounts: [
      { destination: '/code', root: '/src/p/api', deleted: given.deleted ?? false, fsType: given.fsType ?? 'ext4', readOnly: false },
    ],
    processes,
    processesKnown: processes.length > 0,
  };
  const stack = makeStack({ services: [service], connections: [makeConnection({ from: 'api', to: 'store' })] });
  const facts = {
    source: given.source ?? fact({ container: 'p-api-1', mounts: given.mounts ?? [mount()], inotify: given.inotify ?? null }),
    inside: given.inside ?? fact(inside),
    logs: fact(logOf('p-api-1', given.log ?? [])),
  };
  return hotReload.evaluate({ service, stack, facts, peers: {}, now: NOW });
};

describe('the file system', () => {
  it.each<[string, Case, boolean]>([
    ['of Linux', {}, false],
    ['of a folder shared by Docker Desktop', { fsType: 'virtiofs' }, false],
    [
      'of Windows, with a reloader that looks for itself',
      { fsType: '9p', container: { env: { WATCHFILES_FORCE_POLLING: 'true' } } },
      false,
    ],
    [
      'of Windows, and the log tells that it looks for itself',
      { fsType: '9p', log: ['Started reloader process [1] using StatReload'] },
      false,
    ],
    ['of Windows', { fsType: '9p' }, true],
    ['of a network share', { fsType: 'nfs4' }, true],
  ])('%s', (_, given, silent) => {
    const verdict = judge(given);
    expect('findings' in verdict && verdict.findings.some(({ reason }) => reason === 'no-events')).toBe(silent);
  });
});

describe('a program that was loaded anew from the folder that is gone', () => {
  const BORN = '2026-11-23T07:00:00.000Z';
  const lost = (entries: number | null): Mount =>
    mount({ host: { exists: true, empty: false, inode: 9, bornAt: BORN }, inside: { inode: 7, entries, readable: true } });
  const reloadAt = (time: string | null): LogLine => logLine('vite.config.js changed, restarting server...', time);

  it.each<[string, Case, boolean]>([
    ['since it was replaced', { mounts: [lost(0)], log: [reloadAt('2026-11-23T07:00:00.120Z')] }, true],
    ['before that', { mounts: [lost(0)], log: [reloadAt('2026-11-23T06:59:59.000Z')] }, false],
    ['at a time that is not known', { mounts: [lost(0)], log: [reloadAt(null)] }, false],
    ['never', { mounts: [lost(0)], log: [logLine('GET / 200', '2026-11-23T07:00:01.000Z')] }, false],
    ['while the old folder still had its files', { mounts: [lost(4)], log: [reloadAt('2026-11-23T07:00:00.120Z')] }, false],
    ['while nobody saw what the old folder holds', { mounts: [lost(null)], log: [reloadAt('2026-11-23T07:00:00.120Z')] }, false],
  ])('%s', (_, given, reloaded) => {
    const [finding] = findingsOf(judge(given));
    expect(finding?.reason).toBe('stale-mount');
    expect(finding?.reloaded ?? false).toBe(reloaded);
    expect(finding?.evidence.some(({ text }) => text.includes('restarting server'))).toBe(reloaded);
  });
});

describe('the mount', () => {
  const cases: [string, Case, string[]][] = [
    [
      'deleted and made anew',
      { mounts: [mount({ host: { exists: true, empty: false, inode: 9, bornAt: null } })], deleted: true },
      ['stale-mount'],
    ],
    ['another folder by its inode', { mounts: [mount({ host: { exists: true, empty: false, inode: 9, bornAt: null } })] }, ['stale-mount']],
    ['gone from the host', { mounts: [mount({ host: { exists: false, empty: true, inode: null, bornAt: null } })] }, ['source-missing']],
    [
      'empty, as Docker makes it for a path that was mistyped',
      {
        mounts: [
          mount({
            host: { exists: true, empty: true, inode: 7, bornAt: NOW },
            inside: { inode: 7, entries: 0, readable: true },
            sample: null,
          }),
        ],
      },
      ['source-missing'],
    ],
    [
      'empty, where a path of the interpreter points',
      {
        mounts: [
          mount(),
          mount({
            hostPath: '/src/p/lib',
            destination: '/lib2',
            host: { exists: true, empty: true, inode: 3, bornAt: null },
            inside: { inode: 3, entries: 0, readable: true },
            sample: null,
          }),
        ],
        container: { env: { PYTHONPATH: '/code:/lib2' } },
      },
      ['source-missing'],
    ],
    ['not readable', { mounts: [mount({ inside: { inode: 7, entries: null, readable: false }, sample: null })] }, ['unreadable']],
    [
      'other bytes',
      { mounts: [mount({ sample: { file: 'app/main.py', same: false, hostModifiedAt: '2026-11-23T06:40:00.000Z' } })] },
      ['content-differs'],
    ],
    [
      'hidden by a volume',
      {
        mounts: [
          mount({ shadowedBy: ['/code/app'], sample: { file: 'app/main.py', same: false, hostModifiedAt: '2026-11-23T06:40:00.000Z' } }),
        ],
      },
      ['shadowed'],
    ],
    [
      'hidden by a volume, and edited a second ago: no edit ever arrives there',
      {
        mounts: [mount({ shadowedBy: ['/code/app'], sample: { file: 'app/main.py', same: false, hostModifiedAt: NOW } })],
      },
      ['shadowed'],
    ],
    [
      'a volume at the very folder that the app runs from',
      {
        containerMounts: [bind, { type: 'volume', source: 'app', destination: '/code/app', readOnly: false }],
        container: { workingDir: '/code/app' },
      },
      ['shadowed'],
    ],
    [
      'an empty folder for uploads',
      {
        mounts: [
          mount(),
          mount({
            hostPath: '/src/p/up',
            destination: '/code/up',
            host: { exists: true, empty: true, inode: 3, bornAt: null },
            inside: { inode: 3, entries: 0, readable: true },
            sample: null,
          }),
        ],
      },
      [],
    ],
    [
      'dependencies laid over the source (FA-31)',
      {
        mounts: [mount({ shadowedBy: ['/code/node_modules', '/code/.venv'] })],
        containerMounts: [bind, { type: 'volume', source: 'x', destination: '/code/node_modules', readOnly: false }],
      },
      [],
    ],
    [
      'saved while it was compared',
      { mounts: [mount({ sample: { file: 'app/main.py', same: false, hostModifiedAt: '2026-11-23T06:59:59.500Z' } })] },
      [],
    ],
  ];
  it.each(cases)('%s', (_, given, expected) => expect(reasonsOf(judge(given))).toEqual(expected));
});

describe('the reloader', () => {
  const node = tree('node /usr/local/bin/nodemon server.js');
  const cases: [string, Case, string[]][] = [
    ['uvicorn and its child', {}, []],
    ['uvicorn whose child is dead', { processes: tree(PID1, TRACKER), log: CRASH }, ['child-dead']],
    ['a dead child that is not collected yet', { processes: tree(PID1, TRACKER, '[python3] <defunct>'), log: CRASH }, ['child-dead']],
    ['a child that was killed, with no word in the log', { processes: tree(PID1, TRACKER) }, ['child-dead']],
    [
      'between two children: saved a second ago',
      {
        processes: tree(PID1, TRACKER),
        mounts: [mount({ sample: { file: 'a.py', same: true, hostModifiedAt: '2026-11-23T06:59:59.000Z' } })],
      },
      [],
    ],
    [
      'between two children: reloading by the log',
      {
        processes: tree(PID1, TRACKER),
        log: [logLine("WARNING:  StatReload detected changes in 'a.py'. Reloading...", '2026-11-23T06:59:59.000Z')],
      },
      [],
    ],
    ['just started', { processes: tree(PID1), startedAt: '2026-11-23T06:59:58.000Z' }, []],
    [
      'an old crash, mended since',
      { log: [...CRASH, "WARNING:  WatchFiles detected changes in 'app/main.py'. Reloading...", 'INFO:     Started server process [31]'] },
      [],
    ],
    ['an error of a request, the child lives', { log: CRASH }, []],
    [
      'node --watch whose app does not parse, an edit ago',
      {
        command: ['node', '--watch', 'server.js'],
        processes: tree('node --watch server.js'),
        startedAt: NOW,
        log: [
          "Change detected in '/code/server.js'",
          "Restarting 'server.js'",
          'file:///code/server.js:38',
          "SyntaxError: Unexpected token '{'",
          "Failed running 'server.js'. Waiting for file changes before restarting...",
        ],
      },
      ['child-dead'],
    ],
    [
      'nodemon whose app crashed',
      {
        command: ['nodemon', 'server.js'],
        processes: node,
        log: [
          '[nodemon] starting `node server.js`',
          '/code/server.js:3',
          "Error: Cannot find module './nope'",
          '[nodemon] app crashed - waiting for file changes before starting...',
        ],
      },
      ['child-dead'],
    ],
    [
      'nodemon below npm, with its app',
      {
        command: ['npm', 'run', 'dev'],
        processes: [
          ...tree('npm run dev', 'sh -c nodemon server.js'),
          { pid: 3, parent: 2, command: 'node /code/node_modules/.bin/nodemon server.js' },
          { pid: 4, parent: 3, command: 'node server.js' },
        ],
      },
      [],
    ],
    [
      'node --watch with its app',
      { command: ['node', '--watch', 'server.js'], processes: tree('node --watch server.js', 'node server.js') },
      [],
    ],
    [
      'a compiler that watches, and starts no app',
      {
        command: ['node', 'node_modules/.bin/tsc', '--watch'],
        role: 'unknown',
        processes: tree('node /code/node_modules/.bin/tsc --watch'),
      },
      [],
    ],
    [
      'vite, which is its own app',
      {
        command: ['vite', 'dev'],
        processes: tree('node /code/node_modules/.bin/vite dev', '/code/node_modules/esbuild/bin/esbuild --service=0.25 --ping'),
      },
      [],
    ],
    [
      'gunicorn, whose workers look like it',
      {
        command: ['gunicorn', 'a:b', '--reload'],
        processes: tree('/usr/bin/python3 gunicorn a:b --reload', '/usr/bin/python3 gunicorn a:b --reload'),
      },
      [],
    ],
    [
      'Django, whose child lives and serves nothing',
      {
        command: ['python', 'manage.py', 'runserver', '0.0.0.0:8000'],
        listening: false,
        processes: tree('python manage.py runserver 0.0.0.0:8000', 'python manage.py runserver 0.0.0.0:8000'),
        log: ['Watching for file changes with StatReloader', 'File "/code/shop/urls.py", line 7', 'SyntaxError: invalid syntax'],
      },
      ['child-dead'],
    ],
    [
      'uvicorn without --reload over mounted source',
      { command: ['uvicorn', 'app.main:app'], processes: tree('/usr/bin/python3 uvicorn app.main:app') },
      ['not-enabled'],
    ],
    [
      'a reloader below the script that starts it',
      {
        command: ['./start.sh'],
        processes: tree('bash ./start.sh', PID1)
          .map((each) => each)
          .concat({ pid: 3, parent: 2, command: CHILD }),
      },
      [],
    ],
    [
      'a worker without reload',
      { role: 'worker', command: ['taskiq', 'worker', 'app:broker'], processes: tree('taskiq worker app:broker') },
      [],
    ],
    ['flask with its variable', { command: ['flask', 'run'], container: { env: { FLASK_DEBUG: '1' } }, processes: tree('flask run') }, []],
    ['a reloader over the source of the image', { mounts: [], containerMounts: [] }, ['no-bind-mount']],
    [
      'a part of the source mounted',
      { mounts: [mount({ destination: '/code/app' })], containerMounts: [{ ...bind, destination: '/code/app' }] },
      [],
    ],
    [
      'no watcher could start',
      { log: ['_rust_notify.WatchfilesRustInternalError: Error creating recommended watcher: Too many open files (os error 24)'] },
      ['watchers-exhausted'],
    ],
    ['no instance left', { inotify: { used: 128, limit: 128 } }, ['watchers-exhausted:warn']],
    ['instances left', { inotify: { used: 12, limit: 128 } }, []],
  ];
  it.each(cases)('%s', (_, given, expected) => expect(reasonsOf(judge(given))).toEqual(expected));

  it('names the error, and the line of the own source', () => {
    const [finding] = findingsOf(judge({ processes: tree(PID1, TRACKER), log: CRASH }));
    expect(finding?.message).toBe(
      "the reloader of api runs and its app does not: ModuleNotFoundError: No module named 'nosuchmodule' (/code/app/main.py:3)",
    );
    expect(finding?.suspects).toEqual([{ service: 'api', check: 'image' }]);
    expect(finding?.values).toEqual({ file: '/code/app/main.py:3' });
  });

  it('suspects the other side where the app died of a connection', () => {
    const log = ['ConnectionRefusedError: [Errno 111] Connect call failed', 'ERROR:    Application startup failed. Exiting.'];
    expect(findingsOf(judge({ processes: tree(PID1, TRACKER), log }))[0]?.suspects).toEqual([
      { service: 'api', check: 'image' },
      { service: 'store' },
    ]);
  });
});

describe('could not look, does not apply', () => {
  it('without the processes (FA-21)', () => expect(reasonsOf(judge({ processes: [] }))).toEqual(['cannotLook']));
  it('without a look inside', () => expect(reasonsOf(judge({ inside: gap('no shell') }))).toEqual(['cannotLook']));
  it('without the source', () => expect(reasonsOf(judge({ source: gap('remote engine') }))).toEqual(['cannotLook']));
  it('but a dead child is seen without the source', () =>
    expect(reasonsOf(judge({ source: gap('remote engine'), processes: tree(PID1, TRACKER) }))).toEqual(['child-dead']));

  const applies = (role: Role, command: string[], mounts: MountSpec[] = [bind]) =>
    hotReload.appliesTo(
      makeService({ role, containers: [{ command, workingDir: '/code', mounts: mounts.map((each) => ({ name: null, ...each })) }] }),
      makeStack(),
    );
  const cases: [string, boolean, boolean][] = [
    ['source run from a bind mount', applies('http', ['python', '-m', 'shop']), true],
    ['a reloader in the image', applies('http', UVICORN, []), true],
    ['a worker over mounted source', applies('worker', ['python', '-m', 'shop.worker']), true],
    [
      'a program of the image with a data folder',
      applies('unknown', ['minio', 'server', '/data'], [{ ...bind, destination: '/data' }]),
      false,
    ],
    ['a database', applies('postgres', ['postgres'], [bind]), false],
    ['a job', applies('one-shot', ['python', 'seed.py']), false],
  ];
  it.each(cases)('%s', (_, actual, expected) => expect(actual).toBe(expected));
});

it('notes that a worker started before the newest edit, and no more', () => {
  const edited = [mount({ sample: { file: 'app/jobs.py', same: true, hostModifiedAt: '2026-11-23T06:55:00.000Z' } })];
  const worker: Case = { role: 'worker', command: ['python', '-m', 'app.jobs'], processes: tree('python -m app.jobs') };
  expect(judge({ ...worker, mounts: edited })).toMatchObject({ findings: [], note: expect.stringContaining('app/jobs.py') });
  expect(judge({ ...worker, mounts: [mount()] })).toEqual({ findings: [] });
  expect(judge({ mounts: edited })).toEqual({ findings: [] });
});
