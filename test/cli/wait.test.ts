import { describe, expect, test, vi } from 'vitest';
import type { Report } from '../../src/model/report.ts';
import { untilFinal } from '../../src/wait.ts';
import { check, oneCause, report } from '../render/reports.ts';

const green = () => report([check('store/postgres', 'pass'), check('api/container', 'pass')]);
const red = (lasting: boolean) =>
  report([check('store/postgres', 'fail'), check('api/container', 'pass')], [{ ...oneCause.rootCauses[0]!, lasting }]);

const waitFor = async (reports: Report[], { waitMs = 60_000, strict = false, signal = new AbortController().signal } = {}) => {
  vi.useFakeTimers();
  const again: string[][] = [];
  let looks = 0;
  try {
    const done = untilFinal(async () => ({ report: reports[Math.min(looks++, reports.length - 1)]! }), {
      waitMs,
      strict,
      signal,
      onAgain: (failing) => again.push(failing),
    });
    await vi.advanceTimersByTimeAsync(100_000);
    return { ...(await done), again };
  } finally {
    vi.useRealTimers();
  }
};

describe('--wait', () => {
  test('ends at once where nothing fails', async () => {
    const { report: last, again } = await waitFor([green()]);
    expect(last.waited).toEqual({
      looks: 1,
      elapsedMs: 0,
      ready: [
        { service: 'api', afterMs: 0 },
        { service: 'store', afterMs: 0 },
      ],
    });
    expect(again).toEqual([]);
  });

  test('goes on while something has only just started, though nothing fails', async () => {
    const starting = report([{ ...check('api/http-health', 'warn'), starting: true }, check('store/postgres', 'pass')]);
    const { report: last, again } = await waitFor([starting, green()]);
    expect(last.waited).toMatchObject({
      looks: 2,
      ready: [
        { service: 'api', afterMs: 1_000 },
        { service: 'store', afterMs: 0 },
      ],
    });
    expect(again).toEqual([['api/http-health']]);
  });

  test('goes on while a healthcheck has not spoken', async () => {
    const unknown = green();
    unknown.stack.services = unknown.stack.services.map((each) => (each.name === 'api' ? { ...each, health: 'starting' } : each));
    const { report: last, again } = await waitFor([unknown, green()]);
    expect(last.waited).toMatchObject({ looks: 2, ready: [{ service: 'api', afterMs: 1_000 }, { afterMs: 0 }] });
    expect(again).toEqual([['api/container']]);
  });

  test('ends where a healthcheck has not spoken, and the service itself has', async () => {
    const answers = green();
    answers.stack.services = answers.stack.services.map((each) => (each.name === 'store' ? { ...each, health: 'starting' } : each));
    expect((await waitFor([answers])).report.waited?.looks).toBe(1);
  });

  test('what is still starting when the time is up is no failure', async () => {
    const starting = report([{ ...check('api/http-health', 'warn'), starting: true }]);
    expect((await waitFor([starting], { waitMs: 2_500 })).report.waited).toMatchObject({ looks: 3, ready: [{ afterMs: null }] });
  });

  test('goes on while something fails, and tells how long each service took', async () => {
    const { report: last, again } = await waitFor([red(false), red(false), green()]);
    expect(last.waited).toMatchObject({
      looks: 3,
      ready: [
        { service: 'api', afterMs: 0 },
        { service: 'store', afterMs: 2_000 },
      ],
    });
    expect(again).toEqual([['store/postgres'], ['store/postgres']]);
  });

  test('does not wait for what waiting cannot mend, seen twice in a row', async () => {
    const { report: last } = await waitFor([red(true)]);
    expect(last.waited).toMatchObject({ looks: 2, ready: [{ service: 'api' }, { service: 'store', afterMs: null }] });
  });

  test('once is not believed', async () => {
    const { report: last } = await waitFor([red(true), red(false), red(true), green()]);
    expect(last.waited?.looks).toBe(4);
  });

  test('ends when the time is up', async () => {
    const { report: last } = await waitFor([red(false)], { waitMs: 4_500 });
    expect(last.waited?.looks).toBe(5);
  });

  test('ends when it is interrupted', async () => {
    const controller = new AbortController();
    controller.abort();
    expect((await waitFor([red(false)], { signal: controller.signal })).report.waited?.looks).toBe(1);
  });

  test('a warning is waited for where warnings fail', async () => {
    const warned = report([check('store/postgres', 'warn')]);
    expect((await waitFor([warned, green()])).report.waited?.looks).toBe(1);
    const { report: last, again } = await waitFor([warned, green()], { strict: true });
    expect(last.waited?.looks).toBe(2);
    expect(again).toEqual([['store/postgres']]);
  });

  test('a service that falls ill again is not ready', async () => {
    const { report: last } = await waitFor([green(), green()].map((each, index) => (index === 0 ? red(false) : each)));
    expect(last.waited?.ready).toContainEqual({ service: 'store', afterMs: 1_000 });
  });
});
