import { expect, test } from 'vitest';
import { alteredValues } from '../../src/gather/altered-values.ts';
import { folderOf, placeIn } from './project-folder.ts';

const YAML = `
services:
  api:
    environment:
      DATABASE_URL: postgres://app:\${DB_PASSWORD}@db/app
      API_TOKEN: "pa$word"
      LABEL: v$VERSION
      MODE: \${MODE}
`;

const told = async (env: string, shell: Record<string, string>, unset: string[]) => {
  const folder = folderOf({ 'compose.yaml': YAML, '.env': env });
  const found = await alteredValues(placeIn(folder, ['compose.yaml']), shell, unset);
  return found.map(({ how, variable, key, file, line }) => `${how} ${variable} → ${key} (${file}:${line})`);
};

test.each<[string, string, Record<string, string>, string[], string[]]>([
  ['nothing', 'DB_PASSWORD=abc\nMODE=dev\n', {}, [], []],
  ['a variable that is not set, and meant', 'DB_PASSWORD=abc\n', {}, ['VERSION', 'MODE'], []],
  ['a dollar in a compose file', 'DB_PASSWORD=abc\n', {}, ['word'], ['dollar word → API_TOKEN (compose.yaml:6)']],
  ['a dollar in .env', 'DB_PASSWORD="ab$cd"\n', {}, ['cd'], ['dollar cd → DATABASE_URL (.env:1)']],
  ['a dollar in single quotes', "DB_PASSWORD='ab$cd'\n", {}, ['word2'], []],
  ['a comment that is one', 'DB_PASSWORD=ab # the old one\n', {}, [], []],
  ['a comment that is none', 'DB_PASSWORD=ab #cd\n', {}, [], ['comment DB_PASSWORD → DATABASE_URL (.env:1)']],
  ['the same in what is no secret', 'MODE=ab #cd\n', {}, [], []],
  ['the shell says the same', 'MODE=dev\n', { MODE: 'dev' }, [], []],
  ['the shell says something else', '\nMODE=dev\n', { MODE: 'prod' }, [], ['shell MODE → MODE (.env:2)']],
  ['the shell says something else of what nobody uses', 'EDITOR=vi\n', { EDITOR: 'ed' }, [], []],
  ["Compose's own", 'COMPOSE_PROFILES=a\n', { COMPOSE_PROFILES: 'b' }, [], []],
  ['no .env line at all', '', { MODE: 'x' }, [], []],
])('%s', async (_, env, shell, unset, expected) => {
  expect(await told(env, shell, unset)).toEqual(expected);
});
