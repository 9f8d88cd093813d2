/** Stacks that are well, each in its own way: any `fail` is a false alarm, and "could not look" is no answer either. */
import { afterAll, describe, expect, test } from 'vitest';
import { healthyVariants, optionsOf } from '../lab/healthy.ts';
import { startStack } from '../lab/stack.ts';
import { labForTests } from '../lab/for-tests.ts';
import { diagnosis, doctor, failures } from './doctor.ts';

const only = process.env['VARIANTS']?.split(',');
const engine = await labForTests();

describe.skipIf(!engine)('a healthy stack', () => {
  afterAll(() => engine?.close());

  test.for(healthyVariants.filter(({ id }) => !only || only.includes(id)))('$id: $title', { timeout: 300_000 }, async (variant) => {
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
