/** Files of the host: which of them a container sees, and whether this machine is the one that has them. */
import { stat } from 'node:fs/promises';
import { readdirSync, statSync, type Stats } from 'node:fs';
import { join } from 'node:path';
import type { Container, Stack } from '../model/stack.ts';
import type { EngineClient } from './engine-client.ts';
import { isWithin } from './mountinfo.ts';
import { ownProcess, type Identity } from './proc.ts';

/**
 * Do paths that the engine names mean the same here? Not with an engine on another machine, nor for a doctor in a container of its own. A folder
 * that is missing proves nothing then. The project's own folder is the witness.
 */
export const sharesFiles = async (engine: EngineClient, stack: Stack, container: Container): Promise<boolean> => {
  if (!/^(unix|npipe):/.test(engine.host)) return false;
  const witness = container.compose.workingDir || stack.workingDir;
  if (witness === '') return ownProcess(container) !== null;
  return (await statOf(onThisMachine(witness))) !== null;
};

/** The mount that a path of the container lies in. */
export const mountOf = (container: Container, path: string): Container['mounts'][number] | undefined =>
  container.mounts.filter((mount) => isWithin(path, mount.destination)).toSorted((a, b) => b.destination.length - a.destination.length)[0];

/** `null`: in no bind mount. */
export const hostPathOf = (container: Container, path: string): string | null => {
  const mount = mountOf(container, path);
  return mount?.type === 'bind' ? join(onThisMachine(mount.source), path.slice(mount.destination.length)) : null;
};

/** Docker Desktop names the files of the machine as its virtual machine sees them. */
export const onThisMachine = (path: string): string => {
  if (process.platform === 'darwin') return path.replace(/^\/host_mnt(?=\/)/, '');
  if (process.platform === 'win32') return path.replace(/^(?:\/run\/desktop\/mnt\/host|\/host_mnt)?\/([a-z])(?=\/)/i, '$1:');
  return path;
};

/** A file system that does not answer (a network mount) must not hold up the rest. */
const STAT_MS = 1_000;

/** `null`: not there, not for us, or no answer. */
export const statOf = async (path: string): Promise<Stats | null> => {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<null>((resolve) => {
    timer = setTimeout(() => resolve(null), STAT_MS);
  });
  return Promise.race([stat(path).catch(() => null), late]).finally(() => clearTimeout(timer));
};

/** ISO 8601. */
export const modifiedAt = async (path: string): Promise<string | null> => (await statOf(path))?.mtime.toISOString() ?? null;

export interface Entry {
  /** Relative to the folder walked. */
  path: string;
  stat: Stats;
}

export interface Walk {
  files: Entry[];
  folders: Entry[];
  /** Not cut short by a limit. */
  whole: boolean;
}

const MOST_ENTRIES = 5_000;
/** Half a blink; a folder is looked at on the thread that everything else runs on. */
const WALK_MS = 60;

/** Near ones first, by name. Symbolic links to folders are not followed, so that none leads in circles. The folder must have answered a `statOf` before. */
export const walkFolder = (top: string, skip: (name: string) => boolean = () => false): Walk => {
  const walk: Walk = { files: [], folders: [], whole: true };
  const until = performance.now() + WALK_MS;
  const queue = [''];
  let entries = 0;
  for (const folder of queue) {
    for (const entry of listFolder(join(top, folder))) {
      if (++entries > MOST_ENTRIES || performance.now() > until) return { ...walk, whole: false };
      if (skip(entry.name)) continue;
      const path = folder === '' ? entry.name : `${folder}/${entry.name}`;
      const found = statNow(join(top, path));
      if (found?.isDirectory() && !entry.isSymbolicLink()) {
        walk.folders.push({ path, stat: found });
        queue.push(path);
      } else if (found?.isFile()) {
        walk.files.push({ path, stat: found });
      }
    }
  }
  return walk;
};

/** `null`: not there, a circle of links, or not for us. */
export const statNow = (path: string): Stats | null => {
  try {
    return statSync(path);
  } catch {
    return null;
  }
};

/** At the top of a folder; `null`: not for us to read. */
export const entriesOf = (folder: string): number | null => {
  try {
    return readdirSync(folder).length;
  } catch {
    return null;
  }
};

const listFolder = (path: string) => {
  try {
    return readdirSync(path, { withFileTypes: true }).toSorted((a, b) => (a.name < b.name ? -1 : 1));
  } catch {
    return [];
  }
};

const READ = 4;
const WRITE = 2;
const ENTER = 1;

/** By the mode bits, for this identity; for any other user where it is not known. Access lists may say otherwise, so this is never a proof alone. */
export const mayUse = ({ mode, uid, gid }: Stats, identity: Identity | null, want: 'read' | 'write' | 'enter'): boolean => {
  const bit = { read: READ, write: WRITE, enter: ENTER }[want];
  if (identity?.uid === 0) return true;
  if (identity?.uid === uid) return (mode & (bit << 6)) !== 0;
  if (identity?.groups.includes(gid)) return (mode & (bit << 3)) !== 0;
  return (mode & bit) !== 0;
};
