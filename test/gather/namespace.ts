/** A process with mounts and a network of its own, as a container has them, without any engine. For root on Linux. */
import { execFile, spawn, spawnSync } from 'node:child_process';
import { setMaxListeners } from 'node:events';
import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { EngineClient, ExecResult } from '../../src/gather/engine-client.ts';
import { CannotLook, type Gathering } from '../../src/gather/gathering.ts';
import { createVault } from '../../src/gather/vault.ts';
import type { Container, Service, Stack } from '../../src/model/stack.ts';

export const canUnshare =
  process.platform === 'linux' &&
  process.getuid?.() === 0 &&
  spawnSync('unshare', ['-mn', 'true']).status === 0 &&
  spawnSync('nsenter', ['--version']).status === 0;

const ID = 'c0ffee0123456789'.repeat(4);

export interface Box {
  /** Everything lies below; the paths are the same inside and outside. */
  folder: string;
  container: Container;
  stop(): void;
}

/** `binds`: host folder → folder in the container, both relative to the box. The program runs once all is mounted, and says `ready`. */
export const startBox = async (binds: Record<string, string>, program = ['sh', '-c', 'echo ready; exec sleep 60']): Promise<Box> => {
  const folder = realpathSync(mkdtempSync('/var/tmp/box-'));
  mkdirSync(join(folder, 'containers', ID), { recursive: true });
  for (const name of ['hostname', `containers/${ID}/hostname`]) writeFileSync(join(folder, name), 'box\n');
  const mounts = [[`containers/${ID}/hostname`, 'hostname'], ...Object.entries(binds)];
  for (const path of Object.entries(binds).flat()) mkdirSync(join(folder, path), { recursive: true });
  const script = [...mounts.map(([from, to]) => `mount --bind "${join(folder, from!)}" "${join(folder, to!)}"`), 'exec "$@"'].join(' && ');
  const child = spawn('unshare', ['-mn', '--propagation', 'private', 'sh', '-c', script, 'sh', ...program], {
    stdio: ['ignore', 'pipe', 'inherit'],
    detached: true,
  });
  await new Promise<void>((resolve, reject) => {
    child.stdout.on('data', (chunk: Buffer) => chunk.includes('ready') && resolve());
    child.once('exit', (code) => reject(new Error(`the box ended with ${code}`)));
  });
  return {
    folder,
    container: containerOf({
      state: { ...STATE, pid: child.pid! },
      workingDir: join(folder, 'app'),
      command: program,
      mounts: Object.entries(binds).map(([from, to]) => ({
        type: 'bind',
        name: null,
        source: join(folder, from),
        destination: join(folder, to),
        readOnly: false,
      })),
      compose: { ...COMPOSE, workingDir: folder },
    }),
    stop: () => {
      // With its children: it leads a process group.
      if (child.exitCode === null && child.signalCode === null) process.kill(-child.pid!, 'SIGKILL');
      rmSync(folder, { recursive: true, force: true });
    },
  };
};

const STATE: Container['state'] = {
  status: 'running',
  exitCode: 0,
  error: '',
  oomKilled: false,
  startedAt: new Date().toISOString(),
  finishedAt: null,
  restartCount: 0,
  pid: 0,
};
const COMPOSE: Container['compose'] = {
  project: 'box',
  workingDir: '',
  configFiles: [],
  environmentFiles: [],
  configHash: '',
  version: '',
  dependsOn: {},
};

export const containerOf = (more: Partial<Container>): Container => ({
  id: ID,
  name: 'box-app-1',
  service: 'app',
  number: 1,
  oneOff: false,
  image: 'app',
  imageId: 'sha256:0',
  createdAt: STATE.startedAt!,
  state: STATE,
  health: null,
  healthcheck: null,
  env: {},
  entrypoint: [],
  command: [],
  workingDir: '',
  user: '',
  mounts: [],
  ports: [],
  portBindings: [],
  exposedPorts: [],
  networks: [],
  networkMode: 'default',
  extraHosts: [],
  restartPolicy: 'no',
  memoryLimit: 0,
  shmSize: 0,
  readOnlyRoot: false,
  tty: false,
  logDriver: 'json-file',
  compose: COMPOSE,
  ...more,
});

export const serviceOf = (container: Container, more: Partial<Service> = {}): Service => ({
  name: container.service,
  role: 'http',
  roleReason: '',
  spec: null,
  containers: [container],
  ...more,
});

const unreachable = () => Promise.reject(new Error('no engine was to be asked'));

/** Runs commands with the namespaces of the box, as the engine would; counts them. */
export const engineOf = (box?: Box): EngineClient & { commands: string[][] } => {
  const commands: string[][] = [];
  const exec = (_: string, command: string[], { timeoutMs = 2_000 } = {}): Promise<ExecResult> => {
    commands.push(command);
    if (!box) return unreachable();
    return new Promise((resolve) => {
      execFile(
        'nsenter',
        ['-t', String(box.container.state.pid), '-m', '-n', ...command],
        { timeout: timeoutMs, cwd: '/' },
        (error, stdout, stderr) => resolve({ exitCode: error ? (typeof error.code === 'number' ? error.code : null) : 0, stdout, stderr }),
      );
    });
  };
  return {
    host: 'unix:///box.sock',
    calls: () => commands.length,
    get: unreachable,
    events: unreachable,
    logs: () => Promise.resolve([]),
    exec,
    execStream: unreachable,
    readFile: unreachable,
    readTree: unreachable,
    close: () => {},
    commands,
    ping: unreachable,
  } as EngineClient & { commands: string[][] };
};

type Gather = (service: Service, given: Gathering) => Promise<unknown>;

/** Many tries listen to the one signal of a run. */
const signalOfRun = (): AbortSignal => {
  const signal = AbortSignal.timeout(30_000);
  setMaxListeners(0, signal);
  return signal;
};

/** The facts that are asked for come from the gatherers given. */
export const gatheringOf = (
  engine: EngineClient,
  services: Service[],
  gatherers: Record<string, Gather> = {},
  stack: Partial<Stack> = {},
): Gathering => {
  const known = new Map<string, Promise<unknown>>();
  const given: Gathering = {
    engine,
    vault: createVault(),
    stack: {
      project: 'box',
      workingDir: services[0]?.containers[0]?.compose.workingDir ?? '',
      composeFiles: [],
      services,
      connections: [],
      oneOffs: [],
      ...stack,
    },
    signal: signalOfRun(),
    startedAt: new Date().toISOString(),
    settings: {},
    fact: ((name: string, service: Service) => {
      const key = `${name} ${service.name}`;
      const gather = gatherers[name];
      const fact =
        known.get(key) ??
        (gather ? gather(service, given) : Promise.reject(new CannotLook('not asked in this test'))).then(
          (value) => ({ ok: true, value, ms: 0 }),
          (error: Error) => ({ ok: false, reason: error.message, timedOut: false, ms: 0 }),
        );
      known.set(key, fact);
      return fact;
    }) as Gathering['fact'],
  };
  return given;
};
