import { describe, expect, test } from 'vitest';
import { checks } from '../../src/checks/index.ts';
import { faults } from '../lab/faults.ts';
import { groundRows } from './ground.ts';

const codes = new Set(checks.flatMap((check) => Object.keys(check.findings).map((reason) => `${check.id}/${reason}`)));
const injected = new Set(faults.flatMap(({ expect: { code } }) => [code].flat()));

describe('the first half of the catalogue', () => {
  test('has each row once', () => expect(new Set(groundRows.map(({ id }) => id)).size).toBe(groundRows.length));

  test.each(groundRows.map((row) => [row.id, row] as const))('%s', (_, row) => {
    for (const code of row.codes) expect(codes).toContain(code);
    if (row.codes.length === 0) expect(row.why).toMatch(/^\S.{20,}\.$/);
    else expect(row.seen, 'how it was tried').toBeDefined();
    if (row.seen === 'lab')
      expect(
        row.codes.filter((code) => injected.has(code)),
        'injected into a real stack',
      ).not.toEqual([]);
  });
});
