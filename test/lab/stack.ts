import { randomBytes, randomInt } from 'node:crypto';
import { cpSync, mkdtempSync, readFileSync, readdirSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { undoOnExit } from './cleanup.ts';
import type { LabEngine } from './engine.ts';
import { ensureImages } from './images.ts';
import { imagesOf, labOverride } from './override.ts';
import { ownerOf } from './owner.ts';
import { type StackShape, shapes } from './shapes.ts';
import { type RunOptions, type RunResult, must, run } from './run.ts';
import { STACK_FOLDER, removeProject } from './remove.ts';

const FIXTURES = fileURLToPath(new URL('../../fixtures/', import.meta.url));

export interface LabStack {
  engine: LabEngine;
  /** The folder with docker-compose.yml and .env: run `doctor` here. */
  dir: string;
  /** The same folder as it was when the stack started; faults are healed from it. */
  pristine: string;
  project: string;
  shape: StackShape;
  /** Published on 127.0.0.1, by the name that the fixture's `.env.example` gives each: `NGINX_PORT` is `nginx`. */
  ports: Record<string, number>;
  /** Begins every secret of the stack. */
  password: string;
  /** Whose it is; see `owner.ts`. */
  owner: string;
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
  fixture?: StackShape;
  /** Changes the copy of the fixture before it starts. */
  edit?: (dir: string) => void | Promise<void>;
  /** Arguments of `docker compose up -d`; default: `--wait` for everything that stays. */
  up?: string[];
  /** The stack stays after this process. */
  keep?: boolean;
  onProgress?: (text: string) => void;
}

interface Identity {
  project: string;
  shape: StackShape;
  ports: LabStack['ports'];
  password: string;
  owner: string;
}

/** Copies the fixture to a new folder, starts it on free ports and waits until it is healthy. */
export async function startStack(engine: LabEngine, options: StackOptions = {}): Promise<LabStack> {
  const shape = options.fixture ?? 'shootout';
  const source = join(FIXTURES, shape);
  const images = await ensureImages(engine, imagesOf(source), options.onProgress);
  const root = realpathSync(mkdtempSync(STACK_FOLDER));
  const dir = join(root, shape);
  const own = ignoredFiles(source);
  cpSync(source, dir, { recursive: true, filter: (path) => !own.includes(path) && basename(path) !== '__pycache__' });
  const project = `${options.name ?? shape}-${randomBytes(3).toString('hex')}`;
  const identity: Identity = {
    project,
    shape,
    ports: await freePorts(portNames(dir)),
    password: randomBytes(9).toString('hex'),
    owner: ownerOf({ keep: options.keep ?? false }),
  };
  writeFileSync(join(root, 'lab.json'), JSON.stringify(identity));
  fillExamples(dir, identity);
  const stack = attachStack(engine, root);
  const forget = undoOnExit(() => stack.down());
  const down = async (): Promise<void> => {
    forget();
    await removeProject(engine, project);
    rmSync(root, { recursive: true, force: true });
  };
  try {
    await options.edit?.(dir);
    const override = await labOverride(engine, images, dir, project, identity.owner);
    writeFileSync(join(dir, 'docker-compose.lab.yml'), override);
    cpSync(dir, stack.pristine, { recursive: true });
    options.onProgress?.(`starting the stack ${project}`);
    const wait = images.real ? '600' : '90';
    await mustCompose(
      stack,
      ['up', '-d', ...(options.up ?? ['--wait', '--wait-timeout', wait, ...shapes[shape].stays])],
      images.real ? 900_000 : 120_000,
    );
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
  const dir = join(root, identity.shape);
  const env: LabStack['env'] = { ...engine.env };
  const declared = readFileSync(join(dir, '.env.example'), 'utf8').match(/^\w+(?==)/gm) ?? ([] as string[]);
  for (const name of Object.keys(process.env)) {
    if (declared.includes(name) || /^(COMPOSE_|PG|REDIS|MYSQL|MARIADB|RABBITMQ|DOCKER_CONTEXT$)/.test(name)) env[name] = undefined;
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

const EXAMPLE = /\.example$/;

const examplesOf = (dir: string): string[] =>
  readdirSync(dir, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && EXAMPLE.test(entry.name))
    .map((entry) => join(entry.parentPath, entry.name));

/** What a person working in the fixture's own folder made of its examples. */
const ignoredFiles = (dir: string): string[] => examplesOf(dir).map((file) => file.replace(EXAMPLE, ''));

const portsIn = (text: string): [string, string][] =>
  [...text.matchAll(/^(\w+)_PORT=(\d+)$/gm)].map(([, name = '', port = '']) => [name.toLowerCase(), port]);

const portNames = (dir: string): string[] => portsIn(readFileSync(join(dir, '.env.example'), 'utf8')).map(([name]) => name);

/** `.env` and every other file that has an example beside it: free ports, real secrets. */
function fillExamples(dir: string, { project, ports, password }: Identity): void {
  const usual = portsIn(readFileSync(join(dir, '.env.example'), 'utf8'));
  for (const file of examplesOf(dir)) {
    let text = readFileSync(file, 'utf8').replaceAll('change-me', password);
    if (basename(file) === '.env.example') {
      for (const [name, port] of usual) text = text.replaceAll(new RegExp(`(?<=[=:])${port}$`, 'gm'), String(ports[name]));
      text = `COMPOSE_PROJECT_NAME=${project}\nCOMPOSE_FILE=docker-compose.yml:docker-compose.lab.yml\n${text}`;
    }
    writeFileSync(file.replace(EXAMPLE, ''), text);
  }
}

/** Below the range that outgoing connections take theirs from. */
async function freePorts(names: string[]): Promise<LabStack['ports']> {
  const found = new Map<number, string>();
  while (found.size < names.length) {
    const port = randomInt(20_000, 32_000);
    if (!found.has(port) && (await isFree(port))) found.set(port, names[found.size]!);
  }
  return Object.fromEntries([...found].map(([port, name]) => [name, port]));
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}
