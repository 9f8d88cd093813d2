import type { LabEngine } from './engine.ts';
import { faults } from './faults.ts';
import { assertHealthy } from './faults/healthy-check.ts';
import { healthyVariants, optionsOf } from './healthy.ts';
import { byShape } from './shapes.ts';
import { startStack } from './stack.ts';

/** Injects and heals every fault (or the named ones), and starts every healthy variant. True when all of it works. */
export async function verifyLab(engine: LabEngine, only: string[], say: (text: string) => void): Promise<boolean> {
  const isWanted = ({ id }: { id: string }): boolean => only.length === 0 || only.includes(id);
  let good = true;
  const timed = async (name: string, work: () => Promise<unknown>): Promise<boolean> => {
    const start = Date.now();
    const problem = await work().then(
      () => undefined,
      (error: Error) => error.message,
    );
    if (problem !== undefined) good = false;
    say(
      `${problem === undefined ? 'ok ' : 'BAD'} ${String(Date.now() - start).padStart(6)} ms  ${name}${problem === undefined ? '' : `: ${problem}`}`,
    );
    return problem === undefined;
  };
  for (const [shape, wanted] of byShape(faults.filter(isWanted))) {
    let stack = await startStack(engine, { fixture: shape });
    for (const fault of wanted) {
      const injected = await timed(`inject ${fault.id}`, () => fault.inject(stack));
      const healed = await timed(`heal   ${fault.id}`, async () => {
        await fault.heal(stack);
        await assertHealthy(stack);
      });
      if (injected && healed) continue;
      await stack.down();
      stack = await startStack(engine, { fixture: shape });
    }
    await stack.down();
  }
  for (const variant of healthyVariants.filter(isWanted)) {
    await timed(`healthy ${variant.id}`, async () => {
      const stack = await startStack(engine, optionsOf(variant));
      try {
        await variant.after?.(stack);
      } finally {
        await stack.down();
      }
    });
  }
  return good;
}
