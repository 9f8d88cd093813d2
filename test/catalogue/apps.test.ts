import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { expect, test } from 'vitest';
import { appRows } from './apps.ts';

const runbook = readFileSync(resolve(import.meta.dirname, '../../RUNBOOK.md'), 'utf8');

test('every code of the catalogue has a section in the runbook', () => {
  const anchors = [...runbook.matchAll(/<!--\s*doctor:\s*([^>]*?)\s*-->/g)].flatMap(([, list]) => list!.split(/[\s,]+/));
  expect(appRows.flatMap(({ codes }) => codes).filter((code) => !anchors.includes(code))).toEqual([]);
});

test('a row is covered, and it is said how it was seen; or it is said why not', () => {
  for (const { id, codes, seen, why } of appRows) expect(codes.length > 0 ? seen : why, id).toBeTruthy();
});

test('each row stands once', () => {
  const ids = appRows.map(({ id }) => id);
  expect(ids.filter((id, index) => ids.indexOf(id) !== index)).toEqual([]);
});
