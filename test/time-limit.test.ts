import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, test } from 'vitest';
import { abortedWith, timeLimit } from '../src/time-limit.ts';

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;
const after = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
/** Nobody but the listener knows the signal, as in a gatherer. */
const heard = (signal: AbortSignal): Promise<unknown> =>
  new Promise((resolve) => signal.addEventListener('abort', () => resolve(signal.reason), { once: true }));

test('the time is called over after garbage was collected, too', async () => {
  const parent = new AbortController();
  const over = heard(timeLimit(60, parent.signal));
  await after(10);
  collectGarbage();
  expect(await Promise.race([over, after(3_000)])).toMatchObject({ name: 'TimeoutError' });
});

test('the parent ends it first, with its own reason', async () => {
  const parent = new AbortController();
  const over = heard(timeLimit(60_000, parent.signal));
  await after(10);
  collectGarbage();
  parent.abort('stop');
  expect(await Promise.race([over, after(3_000)])).toBe('stop');
});

test('a parent that has ended', () => {
  const limit = timeLimit(60_000, AbortSignal.abort('long ago'));
  expect([limit.aborted, limit.reason]).toEqual([true, 'long ago']);
});

test('what follows a parent ends alone as well', () => {
  const parent = new AbortController();
  const own = abortedWith(parent.signal);
  own.abort();
  expect([own.signal.aborted, parent.signal.aborted]).toEqual([true, false]);
});

test('a hundred of one parent are no reason for Node to warn', async () => {
  const warnings: string[] = [];
  const hear = ({ name }: Error) => void warnings.push(name);
  process.on('warning', hear);
  const parent = new AbortController();
  const all = Array.from({ length: 100 }, () => timeLimit(60_000, parent.signal));
  await after(20);
  process.off('warning', hear);
  parent.abort();
  expect([warnings, all.every(({ aborted }) => aborted)]).toEqual([[], true]);
});
