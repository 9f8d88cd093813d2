/**
 * `npm run bench [-- --rounds 9 --foreign 40]`, or `-- --explain` for the pure part alone, which needs no engine: what the doctor costs beside what one would run instead, on a real stack of its own.
 * Each round runs every command once, in random order; what counts is the median of the ratios within a round, because a busy machine slows
 * all of them alike. No test: it prints the goals beside the figures, and ends with 0.
 */
import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { cacheDir } from '../test/lab/cache.ts';
import { undoOnExit } from '../test/lab/cleanup.ts';
import { isDebian, SUITE, unpackFrom } from '../test/lab/debian.ts';
import { LabUnavailable, openEngine, type LabEngine } from '../test/lab/engine.ts';
import { must, run } from '../test/lab/run.ts';
import { startStack, type LabStack } from '../test/lab/stack.ts';
import { OWNER, ownerOf } from '../test/lab/owner.ts';
import { removeProject } from '../test/lab/remove.ts';
import { removeLostStacks } from '../test/lab/sweep.ts';
import { benchExplain } from './bench-explain.ts';

const CLI = fileURLToPath(new URL('../dist/cli.cjs', import.meta.url));
const NODE = process.execPath;

interface Command {
  argv: string[];
  cwd: string;
  env: NodeJS.ProcessEnv;
}

interface Cost {
  wallMs: number;
  /** With that of the programs it ran and waited for. */
  cpuMs: number;
  exitCode: number;
}

type Costs = Record<string, Cost[]>;

const print = (text = ''): void => void process.stdout.write(`${text}\n`);
const say = (text: string): void => void process.stderr.write(`bench: ${text}\n`);

/** Node cannot ask what a child has used; bash can. */
const cost = async ({ argv, cwd, env }: Command): Promise<Cost> => {
  const script = `TIMEFORMAT='%3R %3U %3S'; time "$@" >/dev/null 2>&1; exit $?`;
  const { code, stderr } = await run('bash', ['-c', script, 'bash', ...argv], { cwd, env, timeoutMs: 120_000 });
  const [wall = 0, user = 0, system = 0] = stderr.trim().split('\n').at(-1)!.split(' ').map(Number);
  return { wallMs: wall * 1000, cpuMs: (user + system) * 1000, exitCode: code };
};

const rounds = async (count: number, commands: Record<string, Command>): Promise<Costs> => {
  const costs: Costs = Object.fromEntries(Object.keys(commands).map((name) => [name, []]));
  // The first one only warms the caches.
  for (let round = 0; round <= count; round++) {
    for (const name of shuffled(Object.keys(commands))) {
      const each = await cost(commands[name]!);
      if (round > 0) costs[name]!.push(each);
    }
  }
  return costs;
};

const shuffled = <T>(all: T[]): T[] =>
  all
    .map((each) => ({ each, at: Math.random() }))
    .toSorted((a, b) => a.at - b.at)
    .map(({ each }) => each);

/** The most memory that the program itself held at once, as the kernel saw it, in megabytes. */
const peak = ({ argv, cwd, env }: Command): Promise<number> =>
  new Promise((resolve, reject) => {
    const child = spawn(argv[0]!, argv.slice(1), { cwd, env, stdio: 'ignore' });
    let most = 0;
    const look = (): void => {
      try {
        const kilobytes = /^VmHWM:\s+(\d+)/m.exec(readFileSync(`/proc/${child.pid}/status`, 'utf8'))?.[1];
        most = Math.max(most, Number(kilobytes ?? 0) / 1024);
      } catch {
        // It has ended.
      }
    };
    const timer = setInterval(look, 2);
    child.once('error', reject);
    child.once('exit', () => {
      clearInterval(timer);
      resolve(most);
    });
  });

const peaks = async (count: number, command: Command): Promise<number> => {
  const seen: number[] = [];
  for (let round = 0; round < count; round++) seen.push(await peak(command));
  return median(seen);
};

const median = (numbers: number[]): number => {
  const sorted = numbers.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
};

const wallOf = (costs: Costs, name: string): number => median(costs[name]!.map(({ wallMs }) => wallMs));

const ratio = (costs: Costs, name: string, to: string, of: 'wallMs' | 'cpuMs' = 'wallMs'): number =>
  median(costs[name]!.map((each, round) => each[of] / costs[to]![round]![of]));

/** What a person would type from a runbook, one after another. The last one is the app's own way to its database. */
const CONNECT = `import asyncio, asyncpg, os
asyncio.run(asyncpg.connect(os.environ['DATABASE_URL'].replace('+asyncpg', '')))`;

const RUNBOOK = `
docker compose ps
docker compose logs --tail 100 backend
docker compose logs --tail 100 db
docker compose exec -T backend ls -la /app
docker compose exec -T backend stat /app/app/main.py
docker compose exec -T backend cat /app/app/main.py
docker compose exec -T nginx ls -la /usr/share/nginx/html/
docker compose exec -T backend python -c "$CONNECT"
ls -la astro/dist`;

/** The same ground in goss's words; what only the container knows, by commands. goss runs all of it at once. */
const gossFile = async (stack: LabStack): Promise<string> => {
  const [backend, nginx, redis] = await Promise.all(['backend', 'nginx', 'redis'].map((service) => stack.containerId(service)));
  const { ports } = stack;
  const url = (path: string, port: number) => `http://127.0.0.1:${port}${path}`;
  const command = (exec: string) => ({ exec, 'exit-status': 0, timeout: 10_000 });
  return JSON.stringify({
    addr: Object.fromEntries(Object.values(ports).map((port) => [`tcp://127.0.0.1:${port}`, { reachable: true, timeout: 2_000 }])),
    http: Object.fromEntries(
      [url('/', ports.nginx!), url('/health', ports.nginx!), url('/health', ports.backend!)].map((each) => [each, { status: 200 }]),
    ),
    file: { [join(stack.dir, 'astro/dist/index.html')]: { exists: true } },
    command: {
      services: command('docker compose ps'),
      html: command(`docker exec ${nginx} ls /usr/share/nginx/html/index.html`),
      code: command(`docker exec ${backend} ls /app/app/main.py`),
      redis: command(`docker exec ${redis} redis-cli ping`),
      database: command(`docker exec ${backend} python -c "$CONNECT"`),
    },
  });
};

const findGoss = async (): Promise<string | null> => {
  if ((await run('goss', ['--version']).catch(() => null))?.code === 0) return 'goss';
  if (!isDebian()) return null;
  const folder = join(cacheDir(), 'goss');
  try {
    await unpackFrom(SUITE, ['goss'], folder);
    return join(folder, 'usr/bin/goss');
  } catch (error) {
    say(`goss cannot be had: ${(error as Error).message.split('\n')[0]}`);
    return null;
  }
};

/** Takes every connection, and never says a word. */
const SILENT = `import socket
server = socket.create_server(('0.0.0.0', 8000), backlog=64)
kept = []
while True: kept.append(server.accept())`;

const imageOf = async (stack: LabStack, service: string): Promise<string> =>
  (await must(stack.engine.docker, ['inspect', '-f', '{{.Image}}', await stack.containerId(service)], { env: stack.env })).trim();

const labels = { [OWNER]: ownerOf({ keep: false }) };

/** Starts a project, and takes it down after the work. */
const withProject = async <T>(
  engine: LabEngine,
  name: string,
  services: Record<string, object>,
  work: (dir: string) => Promise<T>,
): Promise<T> => {
  const dir = mkdtempSync(join(tmpdir(), 'stack-doctor-bench-'));
  const project = `${name}-${process.pid}`;
  const down = async (): Promise<void> => {
    await removeProject(engine, project);
    rmSync(dir, { recursive: true, force: true });
  };
  const forget = undoOnExit(down);
  try {
    // JSON is YAML.
    writeFileSync(
      join(dir, 'compose.yaml'),
      `name: ${project}\nservices: ${JSON.stringify(services)}\nnetworks: ${JSON.stringify({ default: { labels } })}\n`,
    );
    await must(engine.docker, ['compose', 'up', '-d'], { cwd: dir, env: engine.env, timeoutMs: 600_000 });
    return await work(dir);
  } finally {
    forget();
    await down();
  }
};

const silentServices = (image: string, count: number): Record<string, object> =>
  Object.fromEntries(
    Array.from({ length: count }, (_, index) => [
      `silent${index + 1}`,
      {
        image,
        pull_policy: 'never',
        entrypoint: ['python3', '-c', SILENT],
        ports: ['127.0.0.1::8000'],
        stop_grace_period: '0s',
        labels,
      },
    ]),
  );

const foreignServices = (image: string, count: number): Record<string, object> => ({
  foreign: {
    image,
    pull_policy: 'never',
    entrypoint: ['sleep', 'infinity'],
    network_mode: 'none',
    scale: count,
    stop_grace_period: '0s',
    labels,
  },
});

interface Line {
  what: string;
  ratio: number;
  /** At most. */
  goal: number;
}

const printLines = (lines: Line[]): void => {
  const width = Math.max(...lines.map(({ what }) => what.length));
  for (const { what, ratio: measured, goal } of lines) {
    print(`${what.padEnd(width)}  ${measured.toFixed(2).padStart(6)}  goal ≤ ${goal.toFixed(2)}  ${measured <= goal ? 'met' : 'NOT met'}`);
  }
};

const printCosts = (costs: Costs): void => {
  const width = Math.max(...Object.keys(costs).map((name) => name.length));
  print(`${''.padEnd(width)}  wall ms     min  CPU ms  exit`);
  for (const [name, all] of Object.entries(costs)) {
    const column = (number: number) => number.toFixed(0).padStart(7);
    const codes = [...new Set(all.map(({ exitCode }) => exitCode))].join(', ');
    print(
      `${name.padEnd(width)}  ${column(wallOf(costs, name))} ${column(Math.min(...all.map(({ wallMs }) => wallMs)))} ${column(median(all.map(({ cpuMs }) => cpuMs)))}  ${codes}`,
    );
  }
};

const bench = async (engine: LabEngine, count: number, foreign: number): Promise<void> => {
  const stack = await startStack(engine, { onProgress: say });
  const goss = await findGoss();
  const files = join(stack.dir, '..', 'bench');
  try {
    mkdirSync(files);
    // Set, Node reads a bundle of certificates at every start, which hides everything else.
    const env: NodeJS.ProcessEnv = { ...process.env, ...stack.env, NODE_EXTRA_CA_CERTS: undefined, CONNECT };
    const at = (argv: string[], cwd = stack.dir): Command => ({ argv, cwd, env });
    const node = at([NODE, '-e', '0']);
    const doctor = at([NODE, CLI, '-q']);
    const commands: Record<string, Command> = {
      node,
      'doctor --version': at([NODE, CLI, '--version']),
      doctor,
      'docker compose ps': at([engine.docker, 'compose', 'ps']),
      runbook: at(['sh', '-c', RUNBOOK]),
    };
    if (goss) {
      writeFileSync(join(files, 'goss.json'), await gossFile(stack));
      commands['goss'] = at([goss, '-g', join(files, 'goss.json'), 'validate']);
    }
    say(`${count} rounds of ${Object.keys(commands).length} commands`);
    const costs = await rounds(count, commands);
    const [doctorMemory, nodeMemory] = [await peaks(3, doctor), await peaks(3, node)];

    const image = await imageOf(stack, 'backend');
    say('ten silent services');
    const silent = await withProject(engine, 'bench-silent-1', silentServices(image, 1), (one) =>
      withProject(engine, 'bench-silent-10', silentServices(image, 10), (ten) =>
        rounds(Math.min(3, count), { one: at([NODE, CLI, '-q'], one), ten: at([NODE, CLI, '-q'], ten) }),
      ),
    );
    say(`${foreign} foreign containers`);
    const crowded = await withProject(engine, 'bench-foreign', foreignServices(image, foreign), () => rounds(count, { node, doctor }));

    print(`\nNode ${process.version}, ${cpus().length} cores, load ${loadavg()[0]!.toFixed(1)}, ${count} rounds\n`);
    printCosts({
      ...costs,
      'doctor, one silent service': silent['one']!,
      'doctor, ten silent services': silent['ten']!,
      [`doctor, ${foreign} foreign containers`]: crowded['doctor']!,
    });
    print(`\npeak memory: doctor ${doctorMemory.toFixed(0)} MB, node ${nodeMemory.toFixed(0)} MB\n`);
    printLines([
      { what: 'doctor --version / node -e 0', ratio: ratio(costs, 'doctor --version', 'node'), goal: 1.25 },
      { what: 'doctor / docker compose ps', ratio: ratio(costs, 'doctor', 'docker compose ps'), goal: 1.25 },
      { what: 'doctor / the runbook, command after command', ratio: ratio(costs, 'doctor', 'runbook'), goal: 0.15 },
      ...(goss ? [{ what: 'doctor / goss asking the same', ratio: ratio(costs, 'doctor', 'goss'), goal: 0.6 }] : []),
      { what: 'memory of doctor / of node', ratio: doctorMemory / nodeMemory, goal: 2 },
      { what: 'ten silent services / one', ratio: ratio(silent, 'ten', 'one'), goal: 1.15 },
      // Each beside `node` of its own rounds: the two were not measured at the same time.
      { what: `${foreign} foreign containers / none`, ratio: ratio(crowded, 'doctor', 'node') / ratio(costs, 'doctor', 'node'), goal: 1.2 },
    ]);
    if (!goss) print('goss: not measured, it is not installed and cannot be had here');
  } finally {
    say('cleaning up');
    await stack.down();
  }
};

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '9' },
    foreign: { type: 'string', default: '40' },
    explain: { type: 'boolean', default: false },
  },
});
if (values.explain) {
  benchExplain(print);
  process.exit(0);
}
try {
  const engine = await openEngine({ onProgress: say });
  try {
    await removeLostStacks(engine);
    await bench(engine, Math.max(1, Number(values.rounds) || 9), Math.max(1, Number(values.foreign) || 40));
  } finally {
    await engine.close();
  }
} catch (error) {
  if (!(error instanceof LabUnavailable)) throw error;
  print(`nothing was measured: ${error.message}`);
}
