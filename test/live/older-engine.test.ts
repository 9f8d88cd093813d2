/** Docker 20.10 is promised too: the same stack, the same faults, and the very answer that the newer engine gives. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Report } from '../../src/model/report.ts';
import { faultById } from '../lab/faults.ts';
import { labForTests } from '../lab/for-tests.ts';
import { startStack, type LabStack } from '../lab/stack.ts';
import { diagnosis, failures } from './doctor.ts';

/** One of the engine's state, of a mount, of a password, of the network. `STACK_DOCTOR_LAB_ENGINE=older` takes every other live test there. */
const FAULTS = ['db-stopped', 'dist-deleted-and-rebuilt', 'worker-wrong-password', 'backend-disconnected'];

const newer = await labForTests();
const older = await labForTests('older');

describe.skipIf(!newer || !older)('on Docker 20.10', () => {
  const stacks: LabStack[] = [];
  beforeAll(async () => {
    // In turn: the second takes over the images that the first has built.
    for (const engine of [newer!, older!]) stacks.push(await startStack(engine));
  }, 600_000);
  afterAll(async () => {
    await Promise.allSettled(stacks.map((stack) => stack.down()));
    await older?.close();
    await newer?.close();
  }, 120_000);

  test('a healthy stack has no finding, nothing that could not be looked at, and no note', async () => {
    const [ofNewer, ofOlder] = await Promise.all(stacks.map((stack) => diagnosis(stack)));
    expect(ofOlder!.report.stack.engine.version).toMatch(/^20\.10\./);
    expect(ofNewer!.report.stack.engine.version).not.toMatch(/^20\.10\./);
    expect(failures(ofOlder!.report)).toEqual([]);
    expect(ofOlder!.report.counts).toMatchObject({ warn: 0, fail: 0, error: 0, blocked: 0 });
    expect(ofOlder!.report.notes).toEqual([]);
    expect(ofOlder!.code).toBe(0);
    expect(told(ofOlder!.report, stacks[1]!)).toEqual(told(ofNewer!.report, stacks[0]!));
  });

  test.for(FAULTS)('%s', { timeout: 240_000 }, async (id) => {
    const fault = faultById(id);
    try {
      await Promise.all(stacks.map((stack) => fault.inject(stack)));
      const [ofNewer, ofOlder] = await Promise.all(stacks.map((stack) => diagnosis(stack)));
      const context = failures(ofOlder!.report).join('\n');
      expect(
        ofOlder!.report.rootCauses.map((root) => root.id),
        context,
      ).toEqual([fault.expect.root]);
      expect([fault.expect.code].flat(), context).toContain(ofOlder!.report.rootCauses[0]!.code);
      expect(ofOlder!.code).toBe(1);
      expect(told(ofOlder!.report, stacks[1]!)).toEqual(told(ofNewer!.report, stacks[0]!));
    } finally {
      await Promise.all(stacks.map((stack) => fault.heal(stack)));
    }
  });
});

const isOfBoth = (id: string): boolean => !id.endsWith('/behind-proxy');

/**
 * What a person reads of it, without what is each stack's own: names, folders, ports, addresses, times. Of a check whose trouble another
 * one explains only that it is explained: the lab's older engine passes an unknown name on from inside the container, where no name
 * server answers, so a look-up that fails at once on the newer one takes 10 s. An app that waits for it hangs instead of answering 503:
 * what `behind-proxy` makes of its answers is left out for that.
 */
const told = (report: Report, stack: LabStack) => {
  const plain = (text: string): string =>
    Object.entries(stack.ports)
      .reduce((so, [name, port]) => so.replaceAll(String(port), `<${name}>`), text)
      .replaceAll(stack.dir, '<dir>')
      .replaceAll(stack.project, '<project>')
      .replaceAll(/\d+\.\d+\.\d+\.\d+/g, '<ip>')
      .replaceAll(/\d+(\.\d+)? ?(ms|s|seconds?)\b/g, '<time>');
  return {
    roots: report.rootCauses.map(({ id, code, summary, explains, remedy }) => ({
      id,
      code,
      explains: explains.filter(isOfBoth),
      summary: plain(summary),
      steps: remedy?.steps.map(({ text, command }) => plain(command ?? text)),
    })),
    checks: report.checks
      .filter(({ id }) => isOfBoth(id))
      .map(({ id, status, code, causedBy, blockedBy }) => {
        const explained = causedBy !== null;
        return { id, status, explained, code: explained ? null : code, blockedBy };
      }),
    notes: report.notes.map(plain),
  };
};
