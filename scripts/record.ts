/**
 * Makes `fixtures/recordings/`: the facts of really broken (and a few healthy) stacks, and beside each the diagnosis they must give.
 * `npm run record [-- <fault>…]` after a change to what is gathered, `npm run record -- --judge` after a change to how it is judged, with no
 * engine; read the diff before committing it.
 */
import { readdirSync } from 'node:fs';
import { openEngine } from '../test/lab/engine.ts';
import { faults } from '../test/lab/faults.ts';
import { healthyVariants, optionsOf } from '../test/lab/healthy.ts';
import { byShape } from '../test/lab/shapes.ts';
import { type LabStack, startStack } from '../test/lab/stack.ts';
import { RECORDINGS, recordStack, writeExpectation } from '../test/recording/record.ts';

const HEALTHY = ['reference', 'redis-password', 'two-workers', 'no-healthchecks', 'granary'];

const wanted = process.argv.slice(2);
const isWanted = (id: string) => wanted.length === 0 || wanted.includes(id);
const record = async (stack: LabStack, name: string): Promise<void> => {
  await recordStack(stack, name);
  console.log(name);
};

if (wanted.includes('--judge')) {
  for (const file of readdirSync(RECORDINGS)) {
    const name = /^(.+)\.json\.gz$/.exec(file)?.[1];
    if (name) await writeExpectation(name);
  }
  process.exit(0);
}
const engine = await openEngine({ onProgress: (text) => console.error(`lab: ${text}`) });
try {
  for (const variant of healthyVariants.filter(({ id }) => HEALTHY.includes(id) && isWanted(`healthy-${id}`))) {
    const stack = await startStack(engine, optionsOf(variant));
    try {
      await variant.after?.(stack);
      await record(stack, `healthy-${variant.id}`);
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
          await record(stack, fault.id);
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
