import { expect, test } from 'vitest';
import { composeError } from '../../src/gather/compose-error.ts';
import { folderOf, placeIn } from './project-folder.ts';

interface Case {
  name: string;
  yaml: string;
  /** What `docker compose config` 2.40.3 wrote for this file; `DIR` is its folder. */
  stderr: string;
  expected: { kind: string; line: number | null; variable?: string; message?: string; file?: string };
}

const cases: Case[] = [
  {
    name: 'a tab',
    yaml: 'services:\n  web:\n\timage: a\n',
    stderr: 'yaml: line 3: found character that cannot start any token',
    expected: { kind: 'syntax', line: 3 },
  },
  {
    name: 'wrong indentation, whose line Compose does not know',
    yaml: 'services:\n  web:\n    image: a\n   ports: []\n',
    stderr: 'yaml: line 1: did not find expected key',
    expected: { kind: 'syntax', line: 4 },
  },
  {
    name: 'a quote that never ends',
    yaml: 'services:\n  web:\n    image: "a\n    ports: []\n',
    stderr: 'yaml: line 3: found unexpected end of stream',
    expected: { kind: 'syntax', line: 5 },
  },
  {
    name: 'a key twice',
    yaml: 'services:\n  web:\n    image: a\n  web:\n    image: b\n',
    stderr: 'failed to parse DIR/compose.yaml: line 4: mapping key "web" already defined at line 2',
    expected: { kind: 'syntax', line: 4, message: 'failed to parse compose.yaml: line 4: mapping key "web" already defined at line 2' },
  },
  {
    name: 'a key that is not allowed',
    yaml: 'services:\n  web:\n    image: a\n    prots:\n      - 80:80\n',
    stderr: "validating DIR/compose.yaml: services.web additional properties 'prots' not allowed",
    expected: { kind: 'schema', line: 4, message: "validating compose.yaml: services.web additional properties 'prots' not allowed" },
  },
  {
    name: 'the same at the top',
    yaml: '# servces: in a comment\nservces:\n  web:\n    image: a\n',
    stderr: "validating DIR/compose.yaml:  additional properties 'servces' not allowed",
    expected: { kind: 'schema', line: 2 },
  },
  {
    name: 'the same word elsewhere first',
    yaml: 'services:\n  prots:\n    image: a\n  web:\n    image: a\n    prots: 1\n',
    stderr: "validating DIR/compose.yaml: services.web additional properties 'prots' not allowed",
    expected: { kind: 'schema', line: 6 },
  },
  {
    name: 'a wrong type',
    yaml: 'services:\n  db:\n    ports: []\n  web:\n    image: a\n    ports: 80\n',
    stderr: 'validating DIR/compose.yaml: services.web.ports must be a array',
    expected: { kind: 'schema', line: 6 },
  },
  {
    name: 'a wrong condition',
    yaml: 'services:\n  web:\n    image: a\n    depends_on:\n      b:\n        condition: healthy\n',
    stderr:
      "validating DIR/compose.yaml: services.web.depends_on.b.condition value must be one of 'service_started', 'service_healthy', 'service_completed_successfully'",
    expected: { kind: 'schema', line: 6 },
  },
  {
    name: 'a wrong duration',
    yaml: 'services:\n  web:\n    image: a\n    healthcheck:\n      test: [CMD, x]\n      interval: soon\n',
    stderr: 'decoding failed due to the following error(s):\n\n\'services[web].healthcheck.interval\' time: invalid duration "soon"',
    expected: { kind: 'schema', line: 6 },
  },
  {
    name: 'a wrong port',
    yaml: 'services:\n  web:\n    image: a\n    ports: ["eighty:80"]\n',
    stderr: 'Invalid hostPort: eighty',
    expected: { kind: 'schema', line: 4 },
  },
  {
    name: 'an unknown volume',
    yaml: 'services:\n  web:\n    image: a\n    volumes: [data:/x]\n',
    stderr: 'service "web" refers to undefined volume data: invalid compose project',
    expected: { kind: 'schema', line: 4 },
  },
  {
    name: 'an unknown network',
    yaml: 'services:\n  web:\n    image: a\n    networks:\n      - back\n',
    stderr: 'service "web" refers to undefined network back: invalid compose project',
    expected: { kind: 'schema', line: 5 },
  },
  {
    name: 'an unknown service',
    yaml: 'services:\n  web:\n    image: a\n    depends_on:\n      - b\n',
    stderr: 'service "web" depends on undefined service "b": invalid compose project',
    expected: { kind: 'schema', line: 5 },
  },
  {
    name: 'a circle',
    yaml: 'services:\n  a:\n    depends_on: [b]\n  b:\n    depends_on: [a]\n',
    stderr: 'dependency cycle detected: a -> b -> a',
    expected: { kind: 'schema', line: 2 },
  },
  {
    name: 'no image',
    yaml: 'services:\n  web:\n    ports: ["80:80"]\n',
    stderr: 'service "web" has neither an image nor a build context specified: invalid compose project',
    expected: { kind: 'schema', line: 2 },
  },
  {
    name: 'a broken interpolation',
    yaml: 'services:\n  web:\n    image: a:${\n',
    stderr: 'invalid interpolation format for services.web.image.\nYou may need to escape any $ with another $.\na:${',
    expected: { kind: 'schema', line: 3 },
  },
  {
    name: 'a required variable',
    yaml: 'services:\n  web:\n    environment:\n      # ${NEEDED}\n      A: ${NEEDED:?set it}\n',
    stderr: 'error while interpolating services.web.environment.A: required variable NEEDED is missing a value: set it',
    expected: { kind: 'required-variable', line: 5, variable: 'NEEDED' },
  },
  {
    name: 'a missing env file',
    yaml: 'services:\n  web:\n    image: a\n    env_file: missing.env\n',
    stderr: 'env file DIR/missing.env not found: stat DIR/missing.env: no such file or directory',
    expected: { kind: 'env-file-missing', line: 4, message: 'env file missing.env not found' },
  },
  {
    name: 'a missing file to extend',
    yaml: 'services:\n  web:\n    extends: {file: gone.yaml, service: x}\n',
    stderr: 'open DIR/gone.yaml: no such file or directory',
    expected: { kind: 'other', line: 3 },
  },
  { name: 'an empty file', yaml: '', stderr: 'empty compose file', expected: { kind: 'schema', line: null } },
  {
    name: 'warnings before the error',
    yaml: 'services:\n  web:\n    prots: 1\n',
    stderr:
      'time="2026-11-23T11:53:31Z" level=warning msg="The \\"TAG\\" variable is not set. Defaulting to a blank string."\nvalidating DIR/compose.yaml: services.web additional properties \'prots\' not allowed',
    expected: { kind: 'schema', line: 3, message: "validating compose.yaml: services.web additional properties 'prots' not allowed" },
  },
  {
    name: 'nothing said',
    yaml: 'services: {}\n',
    stderr: '',
    expected: { kind: 'other', line: null, message: 'docker compose config failed and said nothing' },
  },
  {
    name: 'words nobody knows',
    yaml: 'services: {}\n',
    stderr: 'the moon is wrong',
    expected: { kind: 'other', line: null, message: 'the moon is wrong' },
  },
];

test.each(cases)('$name', async ({ yaml, stderr, expected }) => {
  const folder = folderOf({ 'compose.yaml': yaml });
  const found = await composeError(stderr.replaceAll('DIR', folder), placeIn(folder, ['compose.yaml']));
  expect(found).toMatchObject({ file: 'compose.yaml', variable: null, ...expected });
  expect(found.message).not.toContain(folder);
});

test('of several files, the one that is broken', async () => {
  const folder = folderOf({
    'compose.yaml': 'services:\n  web:\n    image: a\n',
    'compose.override.yaml': 'services:\n  web:\n\timage: b\n',
  });
  const place = placeIn(folder, ['compose.yaml', 'compose.override.yaml']);
  expect(await composeError('yaml: line 3: found character that cannot start any token', place)).toMatchObject({
    file: 'compose.override.yaml',
    line: 3,
  });
});

test('of several files, the one that has the key', async () => {
  const folder = folderOf({
    'compose.yaml': 'services:\n  web:\n    image: a\n',
    'more.yaml': 'services:\n  web:\n    image: b\n    prots: 1\n',
  });
  const place = placeIn(folder, ['compose.yaml', 'more.yaml']);
  expect(await composeError(`validating ${folder}/more.yaml: services.web additional properties 'prots' not allowed`, place)).toMatchObject(
    { file: 'more.yaml', line: 4 },
  );
});

test('a file that is gone meanwhile is no crash', async () => {
  expect(await composeError('yaml: line 3: oops', placeIn('/nowhere', ['compose.yaml']))).toMatchObject({
    kind: 'syntax',
    file: 'compose.yaml',
    line: 3,
  });
});
