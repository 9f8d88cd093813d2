/** Faults of the lab's table, injected into a running stack: is the one cause found, and nobody else blamed? */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { isChosen, shapeOf, wished } from '../accuracy/choice.ts';
import { faults } from '../lab/faults.ts';
import { byShape } from '../lab/shapes.ts';
import { startStack, type LabStack } from '../lab/stack.ts';
import { labForTests } from '../lab/for-tests.ts';
import { diagnosis } from './doctor.ts';

/** A fixed third; `npm run accuracy` takes all. `FAULTS=id,id` names others, `FAULTS=all` is all. */
const choice = wished(process.env['FAULTS']);
const chosen = faults.filter((fault) => isChosen(fault.id, shapeOf(fault), choice));
const engine = await labForTests();

afterAll(() => engine?.close(), 120_000);

describe.skipIf(!engine).for(byShape(chosen))('a fault in a stack of the shape %s', ([shape, broken]) => {
  let stack: LabStack;
  beforeAll(async () => {
    stack = await startStack(engine!, { fixture: shape });
  }, 600_000);
  afterAll(() => stack?.down(), 120_000);

  test.for(broken)('$id: $title', { timeout: 240_000 }, async (fault) => {
    // One that could not be injected has broken something all the same.
    try {
      await fault.inject(stack);
      const { report, code } = await diagnosis(stack);
      const { root, innocents, remedy } = fault.expect;
      const codes = [fault.expect.code].flat();
      const told = JSON.stringify(
        report.rootCauses.map(({ id, code: found, summary, explains }) => ({ id, found, summary, explains })),
        null,
        1,
      );
      const red = report.checks
        .filter(({ status }) => status !== 'pass' && status !== 'skip')
        .map((check) => `${check.id} ${check.status} ${check.code ?? check.reason} ← ${check.causedBy ?? check.blockedBy ?? '?'}`);
      const context = `${told}\n${red.join('\n')}`;

      if (fault.expect.status === 'warn') {
        const warned = report.checks.find(({ id }) => id === root);
        expect(warned?.status, context).toBe('warn');
        expect(codes, context).toContain(warned?.code);
        expect(code, context).toBe(0);
        return;
      }
      expect(report.rootCauses[0]?.id, context).toBe(root);
      expect(codes, context).toContain(report.rootCauses[0]?.code);
      expect(
        report.rootCauses.map(({ service }) => service).filter((service) => service !== null && innocents.includes(service)),
        context,
      ).toEqual([]);
      expect(report.rootCauses, context).toHaveLength(1);
      expect(code, context).toBe(1);
      const steps = report.rootCauses[0]!.remedy?.steps ?? [];
      expect(steps.map(({ text, command }) => `${text} ${command ?? ''}`).join('\n'), context).toMatch(remedy);
      expect(steps[0]?.effect, 'a step that loses data is never the first').not.toBe('destructive');
      expect(JSON.stringify(report)).not.toContain(stack.password);
    } finally {
      await fault.heal(stack);
    }
  });
});
