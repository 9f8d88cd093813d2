/** A folder as the container has it: through /proc where this doctor may, else by one command for all folders. */
import { readFileSync, lstatSync, readdirSync, statSync, type Stats } from 'node:fs';
import { realpath } from 'node:fs/promises';
import type { Container } from '../model/stack.ts';
import type { Gathering } from './gathering.ts';
import { CannotLook } from './gathering.ts';
import { mountAt, placeOf } from './mountinfo.ts';
import { ownMounts, type OwnProcess } from './proc.ts';
import { runInside } from './run-inside.ts';

interface InsideFolder {
  inode: number;
  /** At its top. */
  entries: number;
}

/**
 * Where a path of the container is found from here; only root may go there. `missing`: the container has no such path. `null`: not for us, or a
 * symbolic link is in the way (its target would be looked up on the host).
 */
const pathThroughProc = (own: OwnProcess, path: string): { at: string } | 'missing' | null => {
  let at = `${own.folder}/root`;
  try {
    // Even to ask what `root` is takes the permission.
    statSync(`${at}/`);
  } catch {
    return null;
  }
  for (const part of path.split('/').filter(Boolean)) {
    at += `/${part}`;
    try {
      if (lstatSync(at).isSymbolicLink()) return null;
    } catch (error) {
      return ['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '') ? 'missing' : null;
    }
  }
  return { at };
};

export const folderThroughProc = (own: OwnProcess, path: string): (InsideFolder & { stat: Stats }) | 'missing' | null => {
  const found = pathThroughProc(own, path);
  if (found === 'missing' || found === null) return found;
  try {
    const stat = statSync(found.at);
    return { inode: stat.ino, entries: stat.isDirectory() ? readdirSync(found.at).length : 1, stat };
  } catch {
    return null;
  }
};

export const fileThroughProc = (own: OwnProcess, path: string): Buffer | 'missing' | null => {
  const found = pathThroughProc(own, path);
  if (found === 'missing' || found === null) return found;
  try {
    return readFileSync(found.at);
  } catch {
    return null;
  }
};

/**
 * Does the container hold the very folder that is at this path of the host now? The kernel tells everybody, root or not: the same place of the same
 * file system, and not deleted.
 */
export const holdsFolder = async (own: OwnProcess, destination: string, hostPath: string): Promise<boolean> => {
  const held = mountAt(own.mounts, destination);
  const place = placeOf(await realpath(hostPath).catch(() => hostPath), ownMounts());
  return held !== undefined && !held.deleted && place !== null && held.device === place.device && held.root === place.root;
};

/** For each folder a line: whether it can be entered and read, its inode, how many entries it has. */
const LIST = `
for folder; do
  if [ -d "$folder/." ] && [ -r "$folder" ]; then may=yes; else may=no; fi
  set -- $(ls -di "$folder" 2>/dev/null)
  echo "$may \${1:--} $(ls -A "$folder" 2>/dev/null | wc -l)"
done`;

interface ListedFolder {
  readable: boolean;
  inode: number | null;
  entries: number | null;
}

/** In the order of the folders; `null` where no shell is to be had. */
export const listInside = async (container: Container, folders: string[], given: Gathering): Promise<ListedFolder[] | null> => {
  const result = await runInside(container, ['sh', '-c', LIST, 'sh', ...folders], given).catch((error: unknown) => {
    if (error instanceof CannotLook) return null;
    throw error;
  });
  const lines = result?.stdout.trim().split('\n') ?? [];
  if (result?.exitCode !== 0 || lines.length !== folders.length) return null;
  return lines.map((line) => {
    const [may, inode, entries] = line.trim().split(/\s+/);
    return { readable: may === 'yes', inode: toNumber(inode), entries: may === 'yes' ? toNumber(entries) : null };
  });
};

const toNumber = (text: string | undefined): number | null => (text !== undefined && /^\d+$/.test(text) ? Number(text) : null);
