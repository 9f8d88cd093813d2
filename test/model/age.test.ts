import { describe, expect, test } from 'vitest';
import { isStarting } from '../../src/model/age.ts';
import type { Container } from '../../src/model/stack.ts';
import { makeContainer, makeService, NOW } from '../checks/make.ts';

const ago = (seconds: number): string => new Date(Date.parse(NOW) - seconds * 1000).toISOString();
const healthcheck = { test: ['CMD', 'probe'], intervalMs: 2_000, timeoutMs: 1_000, retries: 3, startPeriodMs: 30_000 };
const up = (
  seconds: number,
  health: 'starting' | 'healthy' | 'unhealthy' | null,
  check: Container['healthcheck'] = healthcheck,
): Container => {
  const made = makeContainer({
    healthcheck: health === null ? null : check,
    health: health === null ? null : { status: health, failingStreak: 0, log: [] },
  });
  return { ...made, state: { ...made.state, status: 'running', startedAt: ago(seconds) } };
};

describe('a service is still starting', () => {
  test.for<[string, Container[], boolean]>([
    ['within its start period', [up(20, 'starting')], true],
    ['after its start period', [up(31, 'starting')], false],
    ['with no start period, in its first seconds', [up(5, 'starting', { ...healthcheck, startPeriodMs: 0 })], true],
    ['with no start period, later', [up(15, 'starting', { ...healthcheck, startPeriodMs: 0 })], false],
    ['without a healthcheck, in its first seconds', [up(5, null)], true],
    ['without a healthcheck, later', [up(11, null)], false],
    ['healthy at once', [up(2, 'healthy')], false],
    ['unhealthy', [up(2, 'unhealthy')], false],
    ['one replica of two', [up(2, 'starting'), up(60, 'healthy')], false],
    ['restarted by Docker', [{ ...up(2, 'starting'), state: { ...up(2, 'starting').state, restartCount: 1 } }], false],
    ['nothing runs', [], false],
  ])('%s', ([, containers, expected]) => {
    expect(isStarting(makeService({ containers }), NOW)).toBe(expected);
  });
});
