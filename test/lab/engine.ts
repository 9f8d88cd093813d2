import { existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { isAlive, runDir, withLock } from './cache.ts';
import { undoOnExit } from './cleanup.ts';
import { isDebian } from './debian.ts';
import { ownEngine, ownEngineAnswers, startOwnEngine, stopOwnEngine } from './own-engine.ts';
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
  /** The engine is the lab's own, not one the machine had. */
  owned: boolean;
  close(): Promise<void>;
}

export interface EngineOptions {
  onProgress?: (text: string) => void;
  /** The lab's own engine goes on running after this process, until `stopEngine`. */
  keep?: boolean;
}

const usersDir = (): string => join(runDir(), 'users');
const keepFile = (): string => join(runDir(), 'keep');

/** The machine's Docker Engine if it has one that works with Compose v2; otherwise the lab's own. */
export async function openEngine(options: EngineOptions = {}): Promise<LabEngine> {
  const found = await machineEngine();
  if (found) return found;
  if (process.platform !== 'linux' || process.getuid?.() !== 0 || !isDebian()) {
    throw new LabUnavailable('no Docker Engine with Compose v2 answers, and an own one needs root on Debian');
  }
  try {
    await withLock('engine', 900_000, async () => {
      if (!(await ownEngineAnswers())) {
        rmSync(usersDir(), { recursive: true, force: true });
        rmSync(keepFile(), { force: true });
        await startOwnEngine(options.onProgress ?? (() => {}));
      }
      mkdirSync(usersDir(), { recursive: true });
      writeFileSync(join(usersDir(), String(process.pid)), '');
      if (options.keep) writeFileSync(keepFile(), '');
    });
  } catch (error) {
    throw new LabUnavailable(`the lab's engine does not start: ${(error as Error).message.split('\n')[0]}`);
  }
  const forget = undoOnExit(leave);
  const close = async (): Promise<void> => {
    forget();
    await leave();
  };
  return { ...ownLabEngine(), close };
}

/** The engine that {@link openEngine} would give, if it runs already. Nothing is started. */
export async function peekEngine(): Promise<LabEngine | undefined> {
  return (await machineEngine()) ?? ((await ownEngineAnswers()) ? ownLabEngine() : undefined);
}

function ownLabEngine(): LabEngine {
  const { socket, docker, env } = ownEngine();
  return { dockerHost: `unix://${socket}`, docker, env, owned: true, close: async () => {} };
}

/** Stops the lab's own engine, whoever started it. An engine of the machine is never stopped. */
export async function stopEngine(): Promise<void> {
  await withLock('engine', 60_000, async () => {
    rmSync(keepFile(), { force: true });
    await stopOwnEngine();
  });
}

/** The last process that uses the own engine turns out the light, unless the engine was asked to stay. */
async function leave(): Promise<void> {
  await withLock('engine', 60_000, async () => {
    rmSync(join(usersDir(), String(process.pid)), { force: true });
    const users = existsSync(usersDir()) ? readdirSync(usersDir()) : [];
    const gone = users.filter((pid) => !isAlive(Number(pid)));
    for (const pid of gone) rmSync(join(usersDir(), pid), { force: true });
    if (!existsSync(keepFile()) && gone.length === users.length) await stopOwnEngine();
  });
}

async function machineEngine(): Promise<LabEngine | undefined> {
  // The variables that `npm run lab -- up` prints must not make a stranger of the lab's own engine.
  const isOwn = process.env['DOCKER_HOST'] === ownEngine().env['DOCKER_HOST'];
  if (isOwn || process.env['STACK_DOCTOR_LAB_ENGINE'] === 'own') return undefined;
  const ask = (...args: string[]) => run('docker', args, { timeoutMs: 10_000 }).catch(() => undefined);
  const [server, compose] = await Promise.all([ask('version', '--format', '{{.Server.Version}}'), ask('compose', 'version', '--short')]);
  if (server?.code !== 0 || compose?.code !== 0) return undefined;
  const context = await ask('context', 'inspect', '--format', '{{.Endpoints.docker.Host}}');
  const dockerHost = process.env['DOCKER_HOST'] || context?.stdout.trim() || 'unix:///var/run/docker.sock';
  return { dockerHost, docker: 'docker', env: { DOCKER_HOST: dockerHost }, owned: false, close: async () => {} };
}
