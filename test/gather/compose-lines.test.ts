import { expect, test } from 'vitest';
import { readComposeLines, type Entry } from '../../src/gather/compose-lines.ts';
import { folderOf } from './project-folder.ts';

const at = async (
  files: Record<string, string>,
  service: string,
  key: string | null,
  fits?: (entry: Entry) => boolean,
  named = ['compose.yaml'],
) => {
  const found = (await readComposeLines(named, folderOf(files))).find(service, key, fits);
  return found && `${found.file}:${found.line}`;
};
const key = (name: string) => (entry: Entry) => entry.key === name;
const text = (part: string) => (entry: Entry) => entry.text?.includes(part) ?? false;

test('a key, an entry of a list, a key of a mapping', async () => {
  const files = {
    'compose.yaml':
      'services:\n  web:\n    image: x\n    ports:\n      - "80:80"\n      - "81:81"\n    environment:\n      A: 1\n      B: 2\n',
  };
  expect(await at(files, 'web', 'image')).toBe('compose.yaml:3');
  expect(await at(files, 'web', 'ports', text('81:'))).toBe('compose.yaml:6');
  expect(await at(files, 'web', 'environment', key('B'))).toBe('compose.yaml:9');
  expect(await at(files, 'web', 'environment', key('C'))).toBe('compose.yaml:7');
  expect(await at(files, 'web', 'volumes')).toBe('compose.yaml:2');
  expect(await at(files, 'db', 'image')).toBeNull();
});

test('the override that says it last', async () => {
  const files = { 'a.yaml': 'services:\n  web:\n    image: x\n    restart: always\n', 'b.yaml': 'services:\n  web:\n\n    image: y\n' };
  expect(await at(files, 'web', 'image', undefined, ['a.yaml', 'b.yaml'])).toBe('b.yaml:4');
  expect(await at(files, 'web', 'restart', undefined, ['a.yaml', 'b.yaml'])).toBe('a.yaml:4');
});

test('include, extends, merge keys and anchors', async () => {
  const files = {
    'compose.yaml':
      'include: [{path: sub/db.yaml}]\nx-base: &base\n  image: x\nservices:\n  web:\n    <<: *base\n    extends: {file: base.yaml, service: app}\n  job:\n    extends: web\n',
    'sub/db.yaml': 'services:\n  db:\n    image: postgres\n',
    'base.yaml': 'services:\n  app:\n    volumes:\n      - ./x:/x\n',
  };
  expect(await at(files, 'db', 'image')).toBe('sub/db.yaml:3');
  expect(await at(files, 'web', 'image')).toBe('compose.yaml:3');
  expect(await at(files, 'web', 'volumes', text(':/x'))).toBe('base.yaml:4');
  expect(await at(files, 'job', 'image')).toBe('compose.yaml:3');
});

test('nothing breaks on a file that is none, on circles, and on what is merged into itself', async () => {
  const files = {
    'compose.yaml': 'include: [compose.yaml, gone.yaml]\nservices:\n  a: {extends: b}\n  b: {extends: a}\n  c: &c\n    <<: *c\n',
    'broken.yaml': 'services:\n\tweb: {',
  };
  expect(await at(files, 'a', 'image')).toBe('compose.yaml:3');
  expect(await at(files, 'c', 'image')).toBe('compose.yaml:5');
  expect(await at(files, 'web', 'image', undefined, ['broken.yaml'])).toBeNull();
});
