import { expect, test } from 'vitest';
import { placesOf } from '../../src/gather/variable-places.ts';
import { folderOf, placeIn } from './project-folder.ts';

const YAML = `
# \${DB_PASSWORD} in a comment
x-env: &env
  DATABASE_URL: postgres://shop:\${DB_PASSWORD}@db/shop
services:
  db:
    image: postgres:\${TAG}
    environment:
      POSTGRES_PASSWORD: \${DB_PASSWORD}
      LITERAL: $$DB_PASSWORD
      OTHER: \${DB_PASSWORD_FILE:-x}
  api:
    environment:
      <<: *env
      PLAIN: x
  worker:
    environment:
      - TOKEN=$DB_PASSWORD
      - INHERITED
  web:
    image: nginx
`;

test('lines and the keys left blank, also through anchors and in lists', async () => {
  const folder = folderOf({ 'compose.yaml': YAML });
  expect(await placesOf(['DB_PASSWORD', 'TAG', 'ELSEWHERE'], placeIn(folder, ['compose.yaml']))).toEqual({
    lines: [
      { variable: 'DB_PASSWORD', file: 'compose.yaml', line: 4 },
      { variable: 'TAG', file: 'compose.yaml', line: 7 },
      { variable: 'ELSEWHERE', file: 'compose.yaml', line: null },
    ],
    blanks: [
      { variable: 'DB_PASSWORD', service: 'db', key: 'POSTGRES_PASSWORD' },
      { variable: 'DB_PASSWORD', service: 'api', key: 'DATABASE_URL' },
      { variable: 'DB_PASSWORD', service: 'worker', key: 'TOKEN' },
    ],
  });
});

test('every file that uses it', async () => {
  const folder = folderOf({ 'compose.yaml': 'services: {}\n', 'compose.override.yaml': 'services:\n  db:\n    environment: {A: $X}\n' });
  expect(await placesOf(['X'], placeIn(folder, ['compose.yaml', 'compose.override.yaml']))).toEqual({
    lines: [{ variable: 'X', file: 'compose.override.yaml', line: 3 }],
    blanks: [{ variable: 'X', service: 'db', key: 'A' }],
  });
});

test.each([
  ['no YAML', '\t{{{ $X'],
  ['no mapping', '- $X'],
  ['nothing', ''],
  ['odd services', 'services: [a, $X]'],
  ['odd environment', 'services: {a: {environment: $X}}'],
  ['an alias to nowhere', 'services: {a: *gone, b: $X}'],
])('%s is no crash', async (_, text) => {
  const folder = folderOf({ 'compose.yaml': text });
  const { lines, blanks } = await placesOf(['X'], placeIn(folder, ['compose.yaml', 'gone.yaml']));
  expect(lines.map((each) => each.variable)).toEqual(['X']);
  expect(blanks).toEqual([]);
});
