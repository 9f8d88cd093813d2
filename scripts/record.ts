/**
 * Makes `fixtures/recordings/`: the facts of really broken (and three healthy) stacks, and beside each the diagnosis they must give.
 * `npm run record [-- <fault>…]` after a change to what is gathered, `npm run record -- --judge` after a change to how it is judged, with no
 * engine; read the diff before committing it.
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { openEngine } from '../test/lab/engine.ts';
import { faults } from '../test/lab/faults.ts';
import { healthyVariants, optionsOf } from '../test/lab/healthy.ts';
import { byShape } from '../test/lab/shapes.ts';
import { startStack, type LabStack } from '../test/lab/stack.ts';
import { expectationOf } from '../test/recording/expectation.ts';

const CLI = fileURLToPath(new URL('../dist/cli.cjs', import.meta.url));
const FOLDER = fileURLToPath(new URL('../fixtures/recordings/', import.meta.url));
const HEALTHY = ['reference', 'redis-password', 'two-workers', 'no-healthchecks'];

const wanted = process.argv.slice(2);
const isWanted = (id: string) => wanted.length === 0 || wanted.includes(id);

const record = (stack: LabStack, name: string): void => {
  const file = `${FOLDER}${name}.json`;
  rmSync(file, { force: true });
  const { status, stderr } = spawnSync(process.execPath, [CLI, 'record', file], {
    cwd: stack.dir,
    env: { ...process.env, ...stack.env },
    encoding: 'utf8',
  });
  const text = readFileSync(file, 'utf8');
  if (text.includes(stack.password)) throw new Error(`${name}: the recording holds a password`);
  writeFileSync(file, neutral(text, stack));
  expect(name);
  console.log(`${name}: exit ${status} ${stderr.trim()}`);
};

/** Nothing of the machine that recorded: its folders, its socket. */
const neutral = (text: string, stack: LabStack): string =>
  text
    .replaceAll(stack.dir, `/src/${stack.shape}`)
    .replaceAll(stack.engine.dockerHost, 'unix:///var/run/docker.sock')
    .replaceAll(/(?<=")\/[^"]*(?=\/volumes\/[^"/]+\/_data")/g, '/var/lib/docker');

mkdirSync(FOLDER, { recursive: true });
const expect = (name: string): void =>
  writeFileSync(`${FOLDER}${name}.expected.json`, `${JSON.stringify(expectationOf(`${FOLDER}${name}.json`), null, 2)}\n`);

if (wanted.includes('--judge')) {
  for (const file of readdirSync(FOLDER)) {
    const name = /^(.+)(?<!\.expected)\.json$/.exec(file)?.[1];
    if (name) expect(name);
  }
  process.exit(0);
}
const engine = await openEngine({ onProgress: (text) => console.error(`lab: ${text}`) });
try {
  for (const variant of healthyVariants.filter(({ id }) => HEALTHY.includes(id) && isWanted(`healthy-${id}`))) {
    const stack = await startStack(engine, optionsOf(variant));
    try {
      await variant.after?.(stack);
      record(stack, `healthy-${variant.id}`);
    } finally {
      await stack.down();
    }
  }
  for (const [shape, broken] of byShape(faults.filter(({ id }) => isWanted(id)))) {
    const stack = await startStack(engine, { fixture: shape });
    try {
      for (const fault of broken) {
        await fault.inject(stack);
        try {
          record(stack, fault.id);
        } finally {
          await fault.heal(stack);
        }
      }
    } finally {
      await stack.down();
    }
  }
} finally {
  await engine.close();
}
