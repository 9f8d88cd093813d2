/** Stacks that are well, each in its own way: any `fail` is a false alarm, and "could not look" is no answer either. */
import { afterAll, describe, expect, test } from 'vitest';
import { isChosen, shapeOf, wished } from '../accuracy/choice.ts';
import { healthyVariants, optionsOf } from '../lab/healthy.ts';
import { startStack } from '../lab/stack.ts';
import { labForTests } from '../lab/for-tests.ts';
import { diagnosis, doctor, failures } from './doctor.ts';

/** A fixed third; `npm run accuracy` takes all. `VARIANTS=id,id` names others, `VARIANTS=all` is all. */
const choice = wished(process.env['VARIANTS']);
const chosen = healthyVariants.filter((variant) => isChosen(variant.id, shapeOf(variant), choice));
const engine = await labForTests();

describe.skipIf(!engine)('a healthy stack', () => {
  afterAll(() => engine?.close());

  test.for(chosen)('$id: $title', { timeout: 300_000 }, async (variant) => {
    const stack = await startStack(engine!, optionsOf(variant));
    try {
      await variant.after?.(stack);
      const { report, code } = await diagnosis(stack);
      expect(failures(report)).toEqual([]);
      expect(report.rootCauses).toEqual([]);
      expect(code).toBe(0);
      expect(JSON.stringify(report)).not.toContain(stack.password);

      const text = await doctor(stack, []);
      expect(text.code).toBe(0);
      expect(text.stdout).not.toContain(stack.password);
    } finally {
      await stack.down();
    }
  });
});
