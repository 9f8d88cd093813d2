import { cpSync, mkdirSync, mkdtempSync, realpathSync, renameSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { gatherSource } from '../../src/gather/source.ts';
import type { Container } from '../../src/model/stack.ts';
import { canUnshare, containerOf, engineOf, gatheringOf, serviceOf, startBox, type Box } from './namespace.ts';

const open: (() => void)[] = [];
afterEach(() => {
  for (const close of open.splice(0)) close();
});

const startApp = async (more: Partial<Container> = {}): Promise<Box> => {
  const box = await startBox({ backend: 'app' });
  open.push(() => box.stop());
  writeFileSync(join(box.folder, 'backend', 'main.py'), 'app = 1\n');
  return { ...box, container: { ...box.container, ...more } };
};

const look = async (box: Box, engine = engineOf()) => ({
  fact: await gatherSource(serviceOf(box.container), gatheringOf(engine, [serviceOf(box.container)])),
  engine,
});

describe.skipIf(!canUnshare)('the source that a container runs from a bind mount', () => {
  it('is one folder, seen without any command', async () => {
    const box = await startApp();
    const { fact, engine } = await look(box);
    const inode = statSync(join(box.folder, 'backend')).ino;
    expect(fact.mounts).toMatchObject([
      {
        hostPath: join(box.folder, 'backend'),
        destination: join(box.folder, 'app'),
        host: { exists: true, empty: false, inode },
        inside: { inode, entries: 1, readable: true },
        sample: { file: 'main.py', same: true },
        shadowedBy: [],
      },
    ]);
    expect(engine.commands).toEqual([]);
  });

  it.each([
    [
      'deleted and made anew',
      (folder: string) => (
        cpSync(folder, `${folder}.new`, { recursive: true }),
        rmSync(folder, { recursive: true }),
        renameSync(`${folder}.new`, folder)
      ),
    ],
    [
      'renamed and made anew',
      (folder: string) => (
        renameSync(folder, `${folder}.old`),
        cpSync(`${folder}.old`, folder, { recursive: true }),
        writeFileSync(join(folder, 'main.py'), 'app = 2\n')
      ),
    ],
  ])('is another folder once it is %s', async (_, change) => {
    const box = await startApp();
    const before = statSync(join(box.folder, 'backend')).ino;
    change(join(box.folder, 'backend'));
    const [mount] = (await look(box)).fact.mounts;
    expect(mount?.inside?.inode).toBe(before);
    expect(mount?.host.inode).not.toBe(before);
    expect(mount?.sample?.same).toBe(false);
  });

  it('may be gone', async () => {
    const box = await startApp({ command: ['python', '-m', 'main'] });
    rmSync(join(box.folder, 'backend'), { recursive: true });
    expect((await look(box)).fact.mounts).toMatchObject([{ host: { exists: false }, sample: null }]);
  });

  it('compares what lies under a volume, which hides it', async () => {
    const box = await startApp();
    mkdirSync(join(box.folder, 'backend', 'lib'));
    mkdirSync(join(box.folder, 'backend', 'node_modules'));
    for (const file of ['lib/tool.py', 'node_modules/x.js']) writeFileSync(join(box.folder, 'backend', file), 'x');
    const volume = (name: string) => ({
      type: 'volume' as const,
      name: 'v',
      source: 'v',
      destination: join(box.folder, 'app', name),
      readOnly: false,
    });
    box.container.mounts.push(volume('lib'), volume('node_modules'));
    const [mount] = (await look(box)).fact.mounts;
    // In this box no volume is mounted, so the file is the same: what matters is which one is looked at.
    expect(mount).toMatchObject({ shadowedBy: [join(box.folder, 'app', 'lib')], sample: { file: 'lib/tool.py', same: true } });
  });

  it('takes the newest source file, not what is made from it', async () => {
    const box = await startApp();
    for (const file of ['old.py', '.venv/new.py', 'node_modules/a/new.js', 'dist/new.js', 'readme.md']) {
      mkdirSync(join(box.folder, 'backend', file, '..'), { recursive: true });
      writeFileSync(join(box.folder, 'backend', file), 'x');
    }
    utimesSync(join(box.folder, 'backend', 'old.py'), 1, 1);
    expect((await look(box)).fact.mounts[0]?.sample?.file).toBe('main.py');
  });

  it('may be closed to the user of the app', async () => {
    const box = await startBox({ backend: 'app' }, [
      'setpriv',
      '--reuid',
      '12345',
      '--clear-groups',
      'sh',
      '-c',
      'echo ready; exec sleep 60',
    ]);
    open.push(() => box.stop());
    writeFileSync(join(box.folder, 'backend', 'main.py'), 'x');
    expect((await look(box)).fact.mounts[0]?.inside?.readable).toBe(true);
    const { chmodSync } = await import('node:fs');
    chmodSync(join(box.folder, 'backend'), 0o700);
    expect((await look(box)).fact.mounts[0]?.inside?.readable).toBe(false);
  });

  it('is compared by commands where the process id means nothing here', async () => {
    const box = await startApp();
    const abroad: Box = { ...box, container: { ...box.container, state: { ...box.container.state, pid: process.pid } } };
    const same = await look(abroad, engineOf(box));
    expect(same.fact.mounts[0]).toMatchObject({ inside: { entries: 1, readable: true }, sample: { same: true } });
    renameSync(join(box.folder, 'backend'), join(box.folder, 'old'));
    cpSync(join(box.folder, 'old'), join(box.folder, 'backend'), { recursive: true });
    writeFileSync(join(box.folder, 'backend', 'main.py'), 'app = 2\n');
    expect((await look(abroad, engineOf(box))).fact.mounts[0]).toMatchObject({ sample: { same: false } });
  });
});

describe('mounts that hold no source', () => {
  const at = (destination: string, more: Partial<Container>, files: string[] = []) => {
    const source = realpathSync(mkdtempSync(join(tmpdir(), 'mount-')));
    open.push(() => rmSync(source, { recursive: true, force: true }));
    for (const file of files) writeFileSync(join(source, file), 'x');
    const container = containerOf({
      workingDir: '/app',
      mounts: [{ type: 'bind', name: null, source, destination, readOnly: false }],
      compose: { ...containerOf({}).compose, workingDir: source },
      ...more,
    });
    const engine = {
      ...engineOf(),
      exec: () => Promise.resolve({ exitCode: 127, stdout: 'OCI runtime exec failed: executable file not found', stderr: '' }),
    };
    return (role: 'http' | 'redis' = 'http') => {
      const service = serviceOf(container, { role });
      return gatherSource(service, gatheringOf(engine, [service])).then(({ mounts }) => mounts.map((mount) => mount.destination));
    };
  };

  it.each<[string, string, Partial<Container>, string[], string[]]>([
    ['an empty folder for uploads', '/app/uploads', { command: ['node', 'server.js'] }, [], []],
    ['settings', '/etc/app', { command: ['node', 'server.js'] }, ['a.js'], []],
    ['a folder that nothing refers to', '/templates', { command: ['node', 'server.js'] }, ['a.js'], []],
    ['the data of a program that is no script', '/app', { command: ['/bin/prometheus'] }, ['data.db'], []],
    ['source below the working folder', '/app/src', { command: ['node', 'server.js'] }, ['a.js'], ['/app/src']],
    ['an empty working folder of a script', '/app', { command: ['node', 'server.js'] }, [], ['/app']],
    [
      'a folder on the path of the interpreter',
      '/pipeline',
      { command: ['python', 'x.py'], env: { PYTHONPATH: '/app:/pipeline' } },
      ['a.py'],
      ['/pipeline'],
    ],
    ['a folder that the command names', '/srv/tool', { command: ['python', '/srv/tool/run.py'] }, ['run.py'], ['/srv/tool']],
    ['everything, where the working folder is the root', '/', { command: ['node', 'server.js'], workingDir: '/' }, ['a.js'], []],
  ])('%s', async (_, destination, more, files, expected) => expect(await at(destination, more, files)()).toEqual(expected));

  it('the data of redis', async () =>
    expect(await at('/data', { workingDir: '/data', command: ['redis-server'] }, ['a.lua'])('redis')).toEqual([]));

  it('cannot be told where the files are not on this machine', async () => {
    const container = containerOf({
      workingDir: '/app',
      command: ['node', 'x.js'],
      mounts: [{ type: 'bind', name: null, source: '/nowhere', destination: '/app', readOnly: false }],
    });
    const engine = { ...engineOf(), host: 'tcp://10.0.0.1:2375' };
    await expect(gatherSource(serviceOf(container), gatheringOf(engine, [serviceOf(container)]))).rejects.toThrow(/not on this machine/);
  });
});
