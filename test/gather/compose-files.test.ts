import { symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { findProject, interpolate, readDotEnv, shownPath, type ProjectOptions } from '../../src/gather/compose-files.ts';
import { UsageError } from '../../src/model/usage-error.ts';
import { folderOf } from './project-folder.ts';

const MINIMAL = 'services: {x: {image: a}}\n';

const find = async (files: Record<string, string>, options: Partial<ProjectOptions> & { from?: string } = {}) => {
  const folder = folderOf(files);
  const { from = '', ...rest } = options;
  const place = await findProject({
    files: [],
    projectName: null,
    projectDirectory: null,
    profiles: [],
    envFiles: [],
    env: {},
    cwd: `${folder}/${from}`.replace(/\/$/, ''),
    ...rest,
  });
  const short = (path: string) => path.replace(`${folder}/`, '').replace(folder, '.');
  return { ...place, workingDir: short(place.workingDir), files: place.files.map(short), envFiles: place.envFiles.map(short) };
};

describe('which files', () => {
  // The order and the rules were taken from `docker compose config` 2.40.3, run in folders like these.
  test.each([
    [['compose.yaml', 'compose.yml', 'docker-compose.yml', 'docker-compose.yaml'], 'compose.yaml'],
    [['compose.yml', 'docker-compose.yml', 'docker-compose.yaml'], 'compose.yml'],
    [['docker-compose.yml', 'docker-compose.yaml'], 'docker-compose.yml'],
    [['docker-compose.yaml'], 'docker-compose.yaml'],
  ])('of %j it is %s', async (names, expected) => {
    expect((await find(Object.fromEntries(names.map((name) => [name, MINIMAL])))).files).toEqual([expected]);
  });

  test.each([
    ['docker-compose.yml', ['docker-compose.override.yml'], 'docker-compose.override.yml'],
    ['compose.yaml', ['compose.override.yml', 'compose.override.yaml'], 'compose.override.yml'],
    ['docker-compose.yml', ['compose.override.yml', 'docker-compose.override.yml'], 'compose.override.yml'],
  ])('%s with %j: one override goes with it', async (base, overrides, expected) => {
    expect((await find(Object.fromEntries([base, ...overrides].map((name) => [name, MINIMAL])))).files).toEqual([base, expected]);
  });

  test('from a folder below', async () => {
    expect(await find({ 'compose.yaml': MINIMAL, 'a/b/keep': '' }, { from: 'a/b' })).toMatchObject({
      files: ['compose.yaml'],
      workingDir: '.',
    });
  });

  test('a folder of that name is none', async () => {
    expect((await find({ 'compose.yaml/keep': '', 'compose.yml': MINIMAL })).files).toEqual(['compose.yml']);
  });

  test('-f, relative to where one stands; no override goes with it', async () => {
    expect(
      await find({ 'a/one.yml': MINIMAL, 'two.yml': MINIMAL, 'a/compose.override.yml': MINIMAL }, { files: ['a/one.yml', 'two.yml'] }),
    ).toMatchObject({ files: ['a/one.yml', 'two.yml'], workingDir: 'a', name: 'a' });
  });

  test.each([
    ['COMPOSE_FILE of the shell', {}, { COMPOSE_FILE: 'a.yml:b/b.yml' }],
    ['COMPOSE_FILE of .env', { '.env': 'COMPOSE_FILE=a.yml:b/b.yml\n' }, {}],
    ['another separator', { '.env': 'COMPOSE_FILE=a.yml,b/b.yml\nCOMPOSE_PATH_SEPARATOR=,\n' }, {}],
  ])('%s', async (_, files, env) => {
    expect(await find({ 'a.yml': MINIMAL, 'b/b.yml': MINIMAL, 'compose.yaml': MINIMAL, ...files }, { env })).toMatchObject({
      files: ['a.yml', 'b/b.yml'],
      workingDir: '.',
    });
  });

  test('-f beats COMPOSE_FILE; the shell beats .env', async () => {
    const files = { 'a.yml': MINIMAL, 'b.yml': MINIMAL, 'c.yml': MINIMAL, '.env': 'COMPOSE_FILE=c.yml' };
    expect((await find(files, { files: ['a.yml'], env: { COMPOSE_FILE: 'b.yml' } })).files).toEqual(['a.yml']);
    expect((await find(files, { env: { COMPOSE_FILE: 'b.yml' } })).files).toEqual(['b.yml']);
  });

  test('the project stands where its first file is, also by COMPOSE_FILE', async () => {
    expect(await find({ 'extra/more.yaml': MINIMAL, '.env': 'COMPOSE_FILE=extra/more.yaml' })).toMatchObject({
      workingDir: 'extra',
      name: 'extra',
    });
  });

  test('COMPOSE_FILE in the .env of a folder above is not read', async () => {
    expect(
      (await find({ 'compose.yaml': MINIMAL, 'other.yaml': MINIMAL, '.env': 'COMPOSE_FILE=other.yaml', 'sub/keep': '' }, { from: 'sub' }))
        .files,
    ).toEqual(['compose.yaml']);
  });

  test('--project-directory', async () => {
    expect(await find({ 'shop/compose.yaml': MINIMAL }, { projectDirectory: 'shop' })).toMatchObject({
      files: ['shop/compose.yaml'],
      workingDir: 'shop',
      name: 'shop',
    });
    expect(await find({ 'shop/keep': '', 'x/a.yml': MINIMAL }, { projectDirectory: 'shop', files: ['x/a.yml'] })).toMatchObject({
      files: ['x/a.yml'],
      workingDir: 'shop',
      name: 'shop',
    });
  });
});

describe('which name', () => {
  const FILE = { 'My.Shop_1/compose.yaml': MINIMAL };
  test('that of the folder, as Compose writes it', async () => expect((await find(FILE, { from: 'My.Shop_1' })).name).toBe('myshop_1'));
  test('that of a file of JSON', async () => {
    const json = JSON.stringify({ services: { x: { image: 'a' } }, name: 'shop' });
    expect((await find({ 'here/compose.yaml': json }, { from: 'here' })).name).toBe('shop');
  });
  test.each([
    ['name:', 'name: shop\n', 'shop'],
    ['name: in quotes', 'name: "shop" # really\n', 'shop'],
    ['name: of a variable', 'name: $APP\n', 'fromenv'],
    ['name: with a default', 'name: ${OTHER:-shop}-x\n', 'shop-x'],
    ['a name of something else', 'services: {x: {image: a}}\nnetworks:\n  back:\n    name: shop\n', 'here'],
  ])('%s', async (_, head, expected) =>
    expect(
      (
        await find(
          {
            'here/compose.yaml': `${head}${MINIMAL.replace('services', head.includes('services') ? 'x-s' : 'services')}`,
            'here/.env': 'APP=fromenv',
          },
          { from: 'here' },
        )
      ).name,
    ).toBe(expected),
  );

  test('the last file that has one', async () => {
    expect((await find({ 'compose.yaml': `name: one\n${MINIMAL}`, 'compose.override.yaml': `name: two\n${MINIMAL}` })).name).toBe('two');
  });

  test('-p beats the shell, which beats .env, which beats name:', async () => {
    const files = { 'compose.yaml': `name: inside\n${MINIMAL}`, '.env': 'COMPOSE_PROJECT_NAME=dotenv' };
    expect((await find(files)).name).toBe('dotenv');
    expect((await find(files, { env: { COMPOSE_PROJECT_NAME: 'shell' } })).name).toBe('shell');
    expect((await find(files, { env: { COMPOSE_PROJECT_NAME: 'shell' }, projectName: 'flag' })).name).toBe('flag');
  });

  test('the .env where one stands beats that of the project, and both go to Compose', async () => {
    const files = { 'compose.yaml': MINIMAL, '.env': 'COMPOSE_PROJECT_NAME=top', 'sub/.env': 'COMPOSE_PROJECT_NAME=sub' };
    expect(await find(files, { from: 'sub' })).toMatchObject({ name: 'sub', envFiles: ['.env', 'sub/.env'] });
    expect(await find({ 'compose.yaml': MINIMAL, '.env': 'COMPOSE_PROJECT_NAME=top', 'sub/keep': '' }, { from: 'sub' })).toMatchObject({
      name: 'top',
      envFiles: [],
    });
  });

  test.each([
    ['--env-file', { envFiles: ['x.env'] }],
    ['COMPOSE_ENV_FILES', { env: { COMPOSE_ENV_FILES: 'x.env' } }],
  ])('%s takes the place of .env', async (_, options) => {
    expect(
      await find({ 'compose.yaml': MINIMAL, '.env': 'COMPOSE_PROJECT_NAME=no', 'x.env': 'COMPOSE_PROJECT_NAME=yes' }, options),
    ).toMatchObject({ name: 'yes', envFiles: ['x.env'] });
  });

  test('a running project needs no files', async () => {
    expect(await find({ keep: '' }, { projectName: 'shop' })).toMatchObject({ name: 'shop', files: [] });
  });
});

test.each([
  [{ profiles: ['a'] }, ['a']],
  [{ env: { COMPOSE_PROFILES: 'b,c' } }, ['b', 'c']],
  [{ profiles: ['a'], env: { COMPOSE_PROFILES: 'b' } }, ['a']],
  [{}, ['d']],
])('profiles of %j are %j', async (options, expected) => {
  expect((await find({ 'compose.yaml': MINIMAL, '.env': 'COMPOSE_PROFILES=d' }, options)).profiles).toEqual(expected);
});

describe('what is wrong is one line', () => {
  test.each([
    [
      'no project',
      { keep: '' },
      {},
      /^no compose file in .* or any folder above it: go to a project's folder, name a file with -f, or a running project with -p$/,
    ],
    ['a file that is not there', { keep: '' }, { files: ['nope.yml'] }, /nope\.yml: there is no such file$/],
    ['a folder', { 'x/keep': '' }, { files: ['x'] }, /x: it is a folder$/],
    ['a file of COMPOSE_FILE', { keep: '' }, { env: { COMPOSE_FILE: 'gone.yml' } }, /gone\.yml: there is no such file$/],
  ] as [string, Record<string, string>, Partial<ProjectOptions>, RegExp][])('%s', async (_, files, options, message) => {
    await expect(find(files, options)).rejects.toThrow(UsageError);
    await expect(find(files, options)).rejects.toThrow(message);
  });
});

test('.env is read as Compose reads it', async () => {
  const text = [
    'A=1',
    'export B=two words',
    "C='single $x # no comment'",
    'D="double"  # comment',
    'E=ab #cd',
    'F=ab#cd',
    '# G=no',
    'H=',
    '  I = spaced ',
    'J: yaml',
    'K=a=b',
    'L=win\r',
  ].join('\n');
  const folder = folderOf({ '.env': text, 'more.env': 'A=2\n' });
  expect(await readDotEnv([`${folder}/.env`, `${folder}/more.env`, `${folder}/gone.env`])).toEqual({
    A: '2',
    B: 'two words',
    C: 'single $x # no comment',
    D: 'double',
    E: 'ab',
    F: 'ab#cd',
    H: '',
    I: 'spaced',
    J: 'yaml',
    K: 'a=b',
    L: 'win',
  });
});

describe('interpolation', () => {
  const variables = { SET: 'v', EMPTY: '', PORT: '80' };
  test.each([
    ['$SET', 'v'],
    ['${SET}:${PORT}', 'v:80'],
    ['$$SET', '$SET'],
    ['${NONE:-d}', 'd'],
    ['${EMPTY:-d}', 'd'],
    ['${EMPTY-d}', ''],
    ['${NONE-d}', 'd'],
    ['${NONE:-}', ''],
    ['${NONE:-${SET}}', 'v'],
    ['${NONE:-${OTHER:-deep}}x', 'deepx'],
    ['${SET:+yes}${NONE:+no}', 'yes'],
    ['${NONE:-a:b/c?d}', 'a:b/c?d'],
    ['no dollar', 'no dollar'],
    ['5$', '5$'],
    ['$1', '$1'],
  ])('%s → %s', (text, expected) => expect(interpolate(text, variables)).toEqual({ text: expected, unset: [], required: [] }));

  test('what is missing is told', () => {
    expect(interpolate('$NONE ${ALSO} ${A:-${B}}', variables)).toEqual({ text: '  ', unset: ['NONE', 'ALSO', 'B'], required: [] });
    expect(interpolate('${NEEDED:?set it} ${EMPTY:?not empty} ${EMPTY?may be empty}', variables).required).toEqual([
      { variable: 'NEEDED', message: 'set it' },
      { variable: 'EMPTY', message: 'not empty' },
    ]);
  });

  test('hostile text takes no time', () => {
    const started = performance.now();
    for (const part of ['${', '${A:-', '${A:-{', '$', '}']) interpolate(part.repeat(5_000), {});
    expect(performance.now() - started).toBeLessThan(5_000);
  });
});

test('paths inside the project are shown short', () => {
  expect(shownPath('/src/shop/a/compose.yml', '/src/shop')).toBe('a/compose.yml');
  expect(shownPath('/src/shop2/compose.yml', '/src/shop')).toBe('/src/shop2/compose.yml');
  expect(shownPath('compose.yml', '/src/shop')).toBe('compose.yml');
});

test.each<[string, string, RegExp]>([
  ['to itself', 'compose.yaml', /compose\.yaml: its symbolic link leads in a circle$/],
  ['to nothing', 'gone.yaml', /compose\.yaml: it is a symbolic link to nothing$/],
])('a link %s is told, and no project above is taken for it', async (_, target, message) => {
  const folder = folderOf({ 'compose.yml': 'services: {}', 'sub/keep': '' });
  symlinkSync(target, join(folder, 'sub/compose.yaml'));
  await expect(
    findProject({ files: [], projectName: null, projectDirectory: null, profiles: [], envFiles: [], cwd: join(folder, 'sub'), env: {} }),
  ).rejects.toThrow(message);
});
