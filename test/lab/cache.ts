import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { undoOnExit } from './cleanup.ts';
import { sleep } from './run.ts';

/** Where the lab keeps what is dear to make: packages, the engine's data, its images. Never inside the repository. */
export function cacheDir(): string {
  const base = process.env['XDG_CACHE_HOME'] || join(homedir(), '.cache');
  const dir = process.env['STACK_DOCTOR_LAB_CACHE'] || join(base, 'stack-doctor-lab');
  mkdirSync(dir, { recursive: true });
  return dir;
}

/** Sockets and pids. Short, because the path of a Unix socket may have 107 characters only. */
export function runDir(): string {
  const id = createHash('sha256').update(cacheDir()).digest('hex').slice(0, 8);
  return `/run/stack-doctor-lab-${id}`;
}

export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

export function readPid(file: string): number | undefined {
  try {
    const pid = Number(readFileSync(file, 'utf8').trim());
    return Number.isInteger(pid) && pid > 0 ? pid : undefined;
  } catch {
    return undefined;
  }
}

/** One process at a time. A lock whose owner is dead is taken over. */
export async function withLock<T>(name: string, timeoutMs: number, work: () => Promise<T>): Promise<T> {
  const file = join(cacheDir(), `${name}.lock`);
  const deadline = Date.now() + timeoutMs;
  for (;;) {
    try {
      writeFileSync(file, String(process.pid), { flag: 'wx' });
      break;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
      const owner = readPid(file);
      if (owner !== undefined && !isAlive(owner)) takeAway(file, owner);
      else if (Date.now() > deadline) throw new Error(`another process (${owner ?? 'unknown'}) holds ${file}`, { cause: error });
      else await sleep(200);
    }
  }
  const unlock = async (): Promise<void> => rmSync(file, { force: true });
  const forget = undoOnExit(unlock);
  try {
    return await work();
  } finally {
    forget();
    await unlock();
  }
}

/** Removes a dead owner's lock, but not the one that somebody else took in the meantime. */
function takeAway(file: string, owner: number): void {
  const aside = `${file}.${process.pid}`;
  try {
    renameSync(file, aside);
    if (readPid(aside) === owner) rmSync(aside, { force: true });
    else renameSync(aside, file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
}
