import { existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { isAlive, withLock } from './cache.ts';
import { undoOnExit } from './cleanup.ts';
import { isDebian } from './debian.ts';
import { ownEngine, ownEngineAnswers, startOwnEngine, stopOwnEngine } from './own-engine.ts';
import { type Release, roomOf } from './releases.ts';
import { run } from './run.ts';

/** No engine can be had here; the message says why. Tests show it as skipped, and fail under `CI=true`. */
export class LabUnavailable extends Error {
  override name = 'LabUnavailable';
}

export interface LabEngine {
  dockerHost: string;
  /** Path or name of the docker CLI; `docker compose` works with `env`. */
  docker: string;
  env: Record<string, string>;
  /** Which of the lab's own engines it is; `null`: one that the machine had. */
  owned: Release | null;
  close(): Promise<void>;
}

export interface EngineOptions {
  onProgress?: (text: string) => void;
  /** The lab's own engine goes on running after this process, until `stopEngine`. */
  keep?: boolean;
  /** One that must be the lab's own. Default: what `STACK_DOCTOR_LAB_ENGINE` says (`older`, `own`), else the machine's, else the newer. */
  release?: Release;
}

const usersDir = (release: Release): string => join(roomOf(release), 'users');
const keepFile = (release: Release): string => join(roomOf(release), 'keep');

const wished = (): Release =>
  process.env['STACK_DOCTOR_LAB_ENGINE'] === 'older' || process.env['DOCKER_HOST'] === ownEngine('older').env['DOCKER_HOST']
    ? 'older'
    : 'newer';

/** The machine's Docker Engine if it has one that works with Compose v2; otherwise the lab's own. */
export async function openEngine(options: EngineOptions = {}): Promise<LabEngine> {
  const release = options.release ?? wished();
  const found = options.release ? undefined : await machineEngine();
  if (found) return found;
  if (process.platform !== 'linux' || process.getuid?.() !== 0 || !isDebian()) {
    throw new LabUnavailable('no Docker Engine with Compose v2 answers, and an own one needs root on Debian');
  }
  try {
    await withLock('engine', 900_000, async () => {
      if (!(await ownEngineAnswers(release))) {
        rmSync(usersDir(release), { recursive: true, force: true });
        rmSync(keepFile(release), { force: true });
        await startOwnEngine(release, options.onProgress ?? (() => {}));
      }
      mkdirSync(usersDir(release), { recursive: true });
      writeFileSync(join(usersDir(release), String(process.pid)), '');
      if (options.keep) writeFileSync(keepFile(release), '');
    });
  } catch (error) {
    throw new LabUnavailable(`the lab's engine does not start: ${(error as Error).message.split('\n')[0]}`);
  }
  const forget = undoOnExit(() => leave(release));
  const close = async (): Promise<void> => {
    forget();
    await leave(release);
  };
  return { ...ownLabEngine(release), close };
}

/** The engine that {@link openEngine} would give, if it runs already. Nothing is started. */
export async function peekEngine(): Promise<LabEngine | undefined> {
  return (await machineEngine()) ?? (await peekOwnEngine(wished()));
}

/** The lab's own engine of that release, if it runs already. */
export async function peekOwnEngine(release: Release): Promise<LabEngine | undefined> {
  return (await ownEngineAnswers(release)) ? ownLabEngine(release) : undefined;
}

function ownLabEngine(release: Release): LabEngine {
  const { socket, docker, env } = ownEngine(release);
  return { dockerHost: `unix://${socket}`, docker, env, owned: release, close: async () => {} };
}

/** Stops an engine of the lab's own, whoever started it. An engine of the machine is never stopped. */
export async function stopEngine(release: Release): Promise<void> {
  await withLock('engine', 60_000, async () => {
    rmSync(keepFile(release), { force: true });
    await stopOwnEngine(release);
  });
}

/** The last process that uses the own engine turns out the light, unless the engine was asked to stay. */
async function leave(release: Release): Promise<void> {
  const folder = usersDir(release);
  await withLock('engine', 60_000, async () => {
    rmSync(join(folder, String(process.pid)), { force: true });
    const users = existsSync(folder) ? readdirSync(folder) : [];
    const gone = users.filter((pid) => !isAlive(Number(pid)));
    for (const pid of gone) rmSync(join(folder, pid), { force: true });
    if (!existsSync(keepFile(release)) && gone.length === users.length) await stopOwnEngine(release);
  });
}

async function machineEngine(): Promise<LabEngine | undefined> {
  // The variables that `npm run lab -- up` prints must not make a stranger of the lab's own engine.
  const isOwn = (['newer', 'older'] as const).some((release) => process.env['DOCKER_HOST'] === ownEngine(release).env['DOCKER_HOST']);
  if (isOwn || ['own', 'older'].includes(process.env['STACK_DOCTOR_LAB_ENGINE'] ?? '')) return undefined;
  const ask = (...args: string[]) => run('docker', args, { timeoutMs: 10_000 }).catch(() => undefined);
  const [server, compose] = await Promise.all([ask('version', '--format', '{{.Server.Version}}'), ask('compose', 'version', '--short')]);
  if (server?.code !== 0 || compose?.code !== 0) return undefined;
  const context = await ask('context', 'inspect', '--format', '{{.Endpoints.docker.Host}}');
  const dockerHost = process.env['DOCKER_HOST'] || context?.stdout.trim() || 'unix:///var/run/docker.sock';
  return { dockerHost, docker: 'docker', env: { DOCKER_HOST: dockerHost }, owned: null, close: async () => {} };
}
