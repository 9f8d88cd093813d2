import { describe, expect, it } from 'vitest';
import { healthcheck } from '../../src/checks/healthcheck.ts';
import { ask, fact, gap, inShort, makeService, makeStack, NOW } from './make.ts';

const short = (test: string[], exitCode: number, output: string, status: 'healthy' | 'unhealthy' = 'healthy'): string => {
  const service = makeService({
    containers: [
      {
        healthcheck: { test, intervalMs: 1_000, timeoutMs: 1_000, retries: 3, startPeriodMs: 0 },
        health: { status, failingStreak: 0, log: [{ exitCode, output, start: NOW, end: NOW }] },
      },
    ],
  });
  return inShort(
    healthcheck,
    ask(healthcheck, { stack: makeStack({ services: [service] }), service: 'app', facts: { containers: fact(service.containers) } }),
  );
};

const PING = ['CMD', 'redis-cli', 'ping'];

describe('healthcheck', () => {
  it.each<[string, Parameters<typeof short>, string]>([
    ['a pong', [PING, 0, 'PONG\n'], 'pass'],
    ['an error that it fails on', [PING, 1, 'NOAUTH Authentication required.', 'unhealthy'], 'pass'],
    ['a page that speaks of errors', [['CMD', 'curl', 'x'], 0, '{"errors":"LOADING no"}'], 'pass'],
    ['one line for the shell', [['CMD-SHELL', 'pg_isready -U x'], 0, ''], 'pass'],
    ['an error that it passes on', [PING, 0, 'NOAUTH Authentication required.'], 'warn passes-on-error'],
    [
      'the same with MySQL',
      [['CMD', 'mysqladmin', 'ping'], 0, "mysqladmin: error: 'Access denied for user 'root'@'localhost''"],
      'warn passes-on-error',
    ],
    ['words behind the line for the shell', [['CMD-SHELL', 'pg_isready', '-U', 'x'], 0, ''], 'warn arguments-dropped'],
    ['a probe that takes too long', [PING, -1, 'Health check exceeded timeout (1s)', 'unhealthy'], 'fail timed-out'],
    ['a probe that took too long once', [PING, -1, 'Health check exceeded timeout (1s)'], 'pass'],
  ])('%s', (_, given, expected) => {
    expect(short(...given)).toBe(expected);
  });

  it('of a container that does not run it says nothing', () => {
    const service = makeService({
      containers: [{ state: { status: 'exited' }, healthcheck: { test: PING, intervalMs: 1, timeoutMs: 1, retries: 1, startPeriodMs: 0 } }],
    });
    const facts = { containers: fact(service.containers) };
    expect(inShort(healthcheck, ask(healthcheck, { stack: makeStack({ services: [service] }), service: 'app', facts }))).toBe('skip');
    expect(
      inShort(
        healthcheck,
        ask(healthcheck, { stack: makeStack({ services: [service] }), service: 'app', facts: { containers: gap('x') } }),
      ),
    ).toBe('cannot look');
  });
});

describe('healthcheck: before it runs', () => {
  const look = (making: object | null) =>
    ask(healthcheck, {
      stack: makeStack({ services: [makeService({ containers: [] })] }),
      service: 'app',
      facts: { containers: fact([]), making: fact(making) },
    });
  it.each<[string, object | null, string]>([
    ['a tool that the image may have', { probe: null }, 'skip'],
    ['nothing known', null, 'skip'],
    [
      'a tool that it cannot have',
      { probe: { program: 'curl', base: 'python:3.12-slim', at: { file: 'compose.yaml', line: 9 } } },
      'fail tool-missing',
    ],
  ])('%s', (_, making, expected) => expect(inShort(healthcheck, look(making))).toBe(expected));
});
