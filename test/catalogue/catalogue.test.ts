/** What docs/findings.md promises is so: codes exist, what was seen in the lab is in the lab, every trap has its test. */
import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, expect, test } from 'vitest';
import { checks } from '../../src/checks/index.ts';
import { faults } from '../lab/faults.ts';
import { findingsPage } from './findings-page.ts';
import { rows } from './rows.ts';
import { traps } from './traps.ts';

const ROOT = resolve(import.meta.dirname, '../..');
const codes = new Set(checks.flatMap((check) => Object.keys(check.findings).map((reason) => `${check.id}/${reason}`)));
const injected = new Set(faults.flatMap(({ expect: expected }) => [expected.code].flat()));

describe('the catalogue', () => {
  test('names each failure once', () => expect(rows.map(({ id }) => id).filter((id, at, all) => all.indexOf(id) !== at)).toEqual([]));

  test('speaks of codes that exist', () =>
    expect(rows.flatMap((row) => row.codes.filter((code) => !codes.has(code)).map((code) => `${row.id}: ${code}`))).toEqual([]));

  test('says how a covered failure was seen, and why another is not covered', () =>
    expect(rows.filter((row) => (row.codes.length > 0 ? !row.seen : !/^\S.{20,}$/.test(row.why ?? ''))).map(({ id }) => id)).toEqual([]));

  test('claims the lab only for codes that the lab injects', () =>
    expect(rows.filter(({ seen, codes: own }) => seen === 'lab' && !own.some((code) => injected.has(code))).map(({ id }) => id)).toEqual(
      [],
    ));
});

test('every trap has a test that carries its number, or a word why not', () => {
  const tests = readdirSync(join(ROOT, 'test'), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts') && !name.startsWith('catalogue'))
    .map((name) => readFileSync(join(ROOT, 'test', name), 'utf8'))
    .join('\n');
  expect(traps.filter(({ id, why }) => !why && !new RegExp(`\\b${id}\\b`).test(tests)).map(({ id }) => id)).toEqual([]);
});

test('docs/findings.md is what the code says (`npm run docs` writes it)', () =>
  expect(readFileSync(join(ROOT, 'docs/findings.md'), 'utf8')).toBe(findingsPage()));
