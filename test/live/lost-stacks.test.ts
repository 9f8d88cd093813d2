import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { labForTests } from '../lab/for-tests.ts';
import { EXTRA, OWNER, ownerOf } from '../lab/owner.ts';
import { STACK_FOLDER, removeProject } from '../lab/remove.ts';
import { must } from '../lab/run.ts';
import { removeLostStacks } from '../lab/sweep.ts';

const engine = await labForTests();
const docker = (...args: string[]): Promise<string> => must(engine!.docker, args, { env: engine!.env });

/** The id of a process that has ended. */
const DEAD = String(spawnSync('true').pid);
const project = (name: string): string => `lost-stacks-${process.pid}-${name}`;

const create = (kind: 'network' | 'volume', name: string, owner: string, of = 'com.docker.compose.project'): Promise<string> =>
  docker(kind, 'create', '--label', `${of}=${project(name)}`, '--label', `${OWNER}=${owner}`, `${project(name)}-${kind}`);

const isThere = async (kind: 'network' | 'volume', name: string): Promise<boolean> =>
  (await docker(kind, 'ls', '--format', '{{.Name}}')).split('\n').includes(`${project(name)}-${kind}`);

const folders: string[] = [];
const folderOf = (name: string, owner: string): string => {
  const root = mkdtempSync(STACK_FOLDER);
  folders.push(root);
  writeFileSync(join(root, 'lab.json'), JSON.stringify({ project: project(name), owner }));
  return root;
};

describe.skipIf(!engine)('stacks of processes that died', () => {
  afterAll(async () => {
    for (const name of ['volume', 'network', 'beside', 'reused', 'alive', 'starting', 'kept']) await removeProject(engine!, project(name));
    for (const root of folders) rmSync(root, { recursive: true, force: true });
    await engine?.close();
  });

  it('are removed when all that is left of one is a volume, a network, or what lay beside it', async () => {
    await create('volume', 'volume', DEAD);
    await create('network', 'network', DEAD);
    await create('volume', 'beside', DEAD, EXTRA);
    await create('volume', 'reused', `${process.pid}@1`);
    await removeLostStacks(engine!);
    expect(await isThere('volume', 'volume')).toBe(false);
    expect(await isThere('network', 'network')).toBe(false);
    expect(await isThere('volume', 'beside')).toBe(false);
    // The id of this process, of one that began before.
    expect(await isThere('volume', 'reused')).toBe(false);
  });

  it('are removed with their folders, also where nothing had been started', async () => {
    await create('volume', 'volume', DEAD);
    const withVolume = folderOf('volume', DEAD);
    const alone = folderOf('nothing', DEAD);
    await removeLostStacks(engine!);
    expect(existsSync(withVolume)).toBe(false);
    expect(existsSync(alone)).toBe(false);
  });

  it('are left alone while their process lives, before they have a container too', async () => {
    await create('volume', 'alive', ownerOf({ keep: false }));
    await create('network', 'starting', ownerOf({ keep: true }));
    const folder = folderOf('alive', ownerOf({ keep: false }));
    await removeLostStacks(engine!);
    expect(await isThere('volume', 'alive')).toBe(true);
    expect(await isThere('network', 'starting')).toBe(true);
    expect(existsSync(folder)).toBe(true);
  });

  it('are removed when one was kept for a person who took its containers down', async () => {
    await create('volume', 'kept', `kept by ${DEAD}`);
    await removeLostStacks(engine!);
    expect(await isThere('volume', 'kept')).toBe(false);
  });
});
