import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { checks } from '../../src/checks/index.ts';
import { withPicture } from './picture.ts';

const readme = readFileSync(fileURLToPath(new URL('../../README.md', import.meta.url)), 'utf8');

test('the picture is what the program prints (`npm run readme` renews it)', () => {
  expect(readme).toBe(withPicture(readme));
});

test('every check is in the table, and nothing else', () => {
  const listed = [...readme.matchAll(/^\| `([a-z-]+)` \| .*\? \|$/gm)].map((found) => found[1]);
  expect(listed.toSorted()).toEqual([...new Set(checks.map(({ id }) => id))].toSorted());
});
