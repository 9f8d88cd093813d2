/**
 * `npm run demo`: a healthy stack, then a fault that fools naive tools (a rebuilt `dist` under nginx's mount), the diagnosis, the
 * printed steps carried out, green again. On a real engine; where none can be had, the same from recordings.
 */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { Report } from '../src/model/report.ts';
import { LabUnavailable, openEngine, type LabEngine } from '../test/lab/engine.ts';
import { faultById } from '../test/lab/faults.ts';
import { startStack, type LabStack } from '../test/lab/stack.ts';

const CLI = fileURLToPath(new URL('../dist/cli.cjs', import.meta.url));
const RECORDINGS = fileURLToPath(new URL('../fixtures/recordings/', import.meta.url));
const FAULT = 'dist-deleted-and-rebuilt';

const heading = (text: string): void => console.log(`\n\u001b[1m# ${text}\u001b[0m`);
const shown = (command: string): void => console.log(`\u001b[2m$ ${command}\u001b[0m`);

const doctor = (args: string[], where: { cwd?: string; env?: NodeJS.ProcessEnv }, capture = false): { code: number; stdout: string } => {
  if (!capture) shown(`doctor ${args.join(' ')}`.trim());
  const { status, stdout } = spawnSync(process.execPath, [CLI, ...args], {
    ...where,
    stdio: ['ignore', capture ? 'pipe' : 'inherit', 'inherit'],
    encoding: 'utf8',
  });
  return { code: status ?? 1, stdout: stdout ?? '' };
};

const live = async (engine: LabEngine): Promise<boolean> => {
  const stack = await startStack(engine, { onProgress: (text) => console.error(`lab: ${text}`) });
  const where = { cwd: stack.dir, env: { ...process.env, ...stack.env } };
  try {
    heading('A healthy stack');
    const before = doctor([], where).code === 0;

    heading('Somebody builds the frontend: `rm -rf dist`, then a new dist. The folder is there, and full');
    await faultById(FAULT).inject(stack);
    await naive(stack);

    heading('The doctor');
    const found = doctor([], where).code === 1;
    const report = JSON.parse(doctor(['--json'], where, true).stdout) as Report;

    heading('The steps it printed, carried out');
    for (const step of report.rootCauses[0]?.remedy?.steps ?? []) {
      if (!step.command || step.effect === 'destructive') continue;
      shown(step.command);
      const { stdout } = spawnSync('sh', ['-c', step.command], { ...where, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
      for (const line of stdout.split('\n').slice(0, 6)) if (line) console.log(`  ${line}`);
    }

    shown('docker compose up -d --wait');
    await stack.compose('up', '-d', '--wait', '--wait-timeout', '60');

    heading('And again');
    return doctor([], where).code === 0 && before && found;
  } finally {
    console.error('lab: cleaning up');
    await stack.down();
  }
};

/** What one usually tries first, and what it says. */
const naive = async (stack: LabStack): Promise<void> => {
  shown('docker compose ps');
  const { stdout } = await stack.compose('ps', '--format', 'table {{.Service}}\t{{.Status}}');
  console.log(stdout.trim());
  shown('ls astro/dist');
  console.log(spawnSync('ls', ['astro/dist'], { cwd: stack.dir, encoding: 'utf8' }).stdout.trim());
  shown(`curl -s -o /dev/null -w '%{http_code}' http://127.0.0.1:${stack.ports.nginx}/`);
  console.log((await fetch(`http://127.0.0.1:${stack.ports.nginx}/`)).status);
};

const fromRecordings = (why: string): boolean => {
  console.log(`No engine can be had here (${why}), so the same from recordings of a real one.`);
  heading('A healthy stack');
  const healthy = doctor(['--replay', `${RECORDINGS}healthy-reference.json.gz`], {}).code === 0;
  heading('The dist folder replaced under nginx');
  const broken = doctor(['--replay', `${RECORDINGS}${FAULT}.json.gz`], {}).code === 1;
  return healthy && broken;
};

let engine: LabEngine | null = null;
let right: boolean;
try {
  engine = await openEngine({ onProgress: (text) => console.error(`lab: ${text}`) });
  right = await live(engine);
} catch (error) {
  if (!(error instanceof LabUnavailable)) throw error;
  right = fromRecordings(error.message);
} finally {
  await engine?.close();
}
if (!right) console.error('\nthe demo did not go as it should');
process.exit(right ? 0 : 1);
