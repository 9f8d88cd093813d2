import { randomBytes, randomInt } from 'node:crypto';
import { cpSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { undoOnExit } from './cleanup.ts';
import type { LabEngine } from './engine.ts';
import { ensureImages } from './images.ts';
import { imagesOf, labOverride } from './override.ts';
import { type RunOptions, type RunResult, must, run } from './run.ts';
import { removeProject } from './sweep.ts';

const FIXTURES = fileURLToPath(new URL('../../fixtures/', import.meta.url));

export interface LabStack {
  engine: LabEngine;
  /** The folder with docker-compose.yml and .env: run `doctor` here. */
  dir: string;
  /** The same folder as it was when the stack started; faults are healed from it. */
  pristine: string;
  project: string;
  ports: Record<'nginx' | 'backend' | 'db' | 'redis', number>;
  password: string;
  /** For child processes: where the engine is, and nothing of the caller's that would change the stack. */
  env: Record<string, string | undefined>;
  compose(...args: string[]): Promise<RunResult>;
  docker(...args: string[]): Promise<RunResult>;
  /** Runs a program in a service's container; exit codes are the caller's business. */
  exec(service: string, command: string[], options?: RunOptions): Promise<RunResult>;
  containerId(service: string): Promise<string>;
  down(): Promise<void>;
}

export interface StackOptions {
  /** Starts the Compose project's name; a random part follows. Default: the fixture's name. */
  name?: string;
  fixture?: 'shootout';
  /** Changes the copy of the fixture before it starts. */
  edit?: (dir: string) => void | Promise<void>;
  /** Arguments of `docker compose up -d`; default: `--wait` for everything. */
  up?: string[];
  /** The stack stays after this process. */
  keep?: boolean;
  onProgress?: (text: string) => void;
}

interface Identity {
  project: string;
  ports: LabStack['ports'];
  password: string;
}

/** Copies the fixture to a new folder, starts it on free ports and waits until it is healthy. */
export async function startStack(engine: LabEngine, options: StackOptions = {}): Promise<LabStack> {
  const fixture = options.fixture ?? 'shootout';
  const images = await ensureImages(engine, imagesOf(join(FIXTURES, fixture)), options.onProgress);
  const root = realpathSync(mkdtempSync(join(tmpdir(), 'stack-doctor-lab-')));
  const dir = join(root, fixture);
  cpSync(join(FIXTURES, fixture), dir, { recursive: true, filter: (path) => !['.env', '__pycache__'].includes(basename(path)) });
  const project = `${options.name ?? fixture}-${randomBytes(3).toString('hex')}`;
  const identity: Identity = { project, ports: await freePorts(), password: randomBytes(9).toString('hex') };
  writeFileSync(join(root, 'lab.json'), JSON.stringify(identity));
  writeFileSync(join(dir, '.env'), dotEnv(identity));
  const stack = attachStack(engine, root);
  const forget = undoOnExit(() => stack.down());
  const down = async (): Promise<void> => {
    forget();
    await removeProject(engine, project);
    rmSync(root, { recursive: true, force: true });
  };
  try {
    await options.edit?.(dir);
    const override = await labOverride(engine, images, dir, project, options.keep ? 'kept' : String(process.pid));
    writeFileSync(join(dir, 'docker-compose.lab.yml'), override);
    cpSync(dir, stack.pristine, { recursive: true });
    options.onProgress?.(`starting the stack ${project}`);
    const wait = images.real ? '600' : '90';
    await mustCompose(stack, ['up', '-d', ...(options.up ?? ['--wait', '--wait-timeout', wait])], images.real ? 900_000 : 120_000);
  } catch (error) {
    const logs = await stack.compose('logs', '--tail', '15').catch(() => undefined);
    await down();
    throw new Error(`the stack does not start: ${(error as Error).message}\n${logs?.stdout ?? ''}`, { cause: error });
  }
  if (options.keep) forget();
  return { ...stack, down };
}

/** A stack that another process started, by the folder it lives in (the parent of `dir`). */
export function attachStack(engine: LabEngine, root: string): LabStack {
  const identity = JSON.parse(readFileSync(join(root, 'lab.json'), 'utf8')) as Identity;
  const dir = join(root, 'shootout');
  const env: LabStack['env'] = { ...engine.env };
  for (const name of Object.keys(process.env)) {
    if (/^(COMPOSE_|PG|REDIS|DB_PASSWORD$|PUBLIC_API_URL$|DOCKER_CONTEXT$)|_PORT$/.test(name)) env[name] = undefined;
  }
  const stack: LabStack = {
    engine,
    dir,
    pristine: join(root, 'pristine'),
    env,
    ...identity,
    compose: (...args) => run(engine.docker, ['compose', '--progress', 'plain', ...args], { cwd: dir, env, timeoutMs: 120_000 }),
    docker: (...args) => run(engine.docker, args, { cwd: dir, env }),
    exec: async (service, command, options) =>
      run(engine.docker, ['exec', '-i', await stack.containerId(service), ...command], { env, timeoutMs: 20_000, ...options }),
    containerId: async (service) => {
      const labels = { project: identity.project, service, oneoff: 'False' };
      const filters = Object.entries(labels).flatMap(([key, value]) => ['--filter', `label=com.docker.compose.${key}=${value}`]);
      const ids = await must(engine.docker, ['ps', '-a', '--no-trunc', '-q', ...filters], { env });
      const id = ids.trim().split('\n')[0];
      if (!id) throw new Error(`no container of ${service} in ${identity.project}`);
      return id;
    },
    down: async () => {
      await removeProject(engine, identity.project);
      rmSync(root, { recursive: true, force: true });
    },
  };
  return stack;
}

async function mustCompose(stack: LabStack, args: string[], timeoutMs: number): Promise<void> {
  await must(stack.engine.docker, ['compose', '--progress', 'plain', ...args], { cwd: stack.dir, env: stack.env, timeoutMs });
}

function dotEnv({ project, ports, password }: Identity): string {
  return [
    `COMPOSE_PROJECT_NAME=${project}`,
    'COMPOSE_FILE=docker-compose.yml:docker-compose.lab.yml',
    `DB_PASSWORD=${password}`,
    ...Object.entries(ports).map(([name, port]) => `${name.toUpperCase()}_PORT=${port}`),
    `PUBLIC_API_URL=http://localhost:${ports.nginx}`,
    'LOG_LEVEL=info',
    '',
  ].join('\n');
}

/** Below the range that outgoing connections take theirs from. */
async function freePorts(): Promise<LabStack['ports']> {
  const found = new Set<number>();
  while (found.size < 4) {
    const port = randomInt(20_000, 32_000);
    if (await isFree(port)) found.add(port);
  }
  const [nginx = 0, backend = 0, db = 0, redis = 0] = found;
  return { nginx, backend, db, redis };
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}
