import { expect, test } from 'vitest';
import { exitCode } from '../../src/render/exit-code.ts';
import { check, report } from './reports.ts';
import type { Status } from '../../src/model/check.ts';

const of = (...statuses: Status[]) => report(statuses.map((status, index) => check(`s${index}/container`, status)));
const calm = { strict: false, signal: null };

test.each<[string, Status[], number, number]>([
  ['all pass', ['pass', 'pass'], 0, 0],
  ['nothing applies', ['skip'], 0, 0],
  ['a warning', ['pass', 'warn'], 0, 1],
  ['a failure', ['pass', 'fail'], 1, 1],
  ['a failure beside what could not be seen', ['fail', 'error', 'blocked'], 1, 1],
  ['could not look', ['pass', 'error'], 3, 3],
  ['could not look, beside a warning', ['warn', 'error'], 3, 1],
  ['not asked, though nothing fails', ['pass', 'blocked'], 3, 3],
])('%s', (_, statuses, code, strictCode) => {
  expect(exitCode(of(...statuses), calm)).toBe(code);
  expect(exitCode(of(...statuses), { ...calm, strict: true })).toBe(strictCode);
});

test.each([
  ['SIGINT', 130],
  ['SIGTERM', 143],
] as const)('%s outweighs what was found', (signal, code) => {
  expect(exitCode(of('pass'), { strict: false, signal })).toBe(code);
  expect(exitCode(of('fail'), { strict: true, signal })).toBe(code);
});
