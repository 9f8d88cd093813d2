/** From a folder and an engine to what a container would be made of. */
import { chmodSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { gatherMaking } from '../../src/gather/making.ts';
import { createVault } from '../../src/gather/vault.ts';
import type { MakingFact } from '../../src/model/facts.ts';
import { roleOf } from '../../src/model/roles.ts';
import { readPlainly } from '../../src/gather/compose-plain.ts';
import { fact, makeService, makeStack } from '../checks/make.ts';
import { folderOf, placeIn } from './project-folder.ts';
import { smallEngine } from './small-engine.ts';

interface World {
  up?: boolean;
  images?: string[];
  volumes?: object[];
  /** Rows of `GET /containers/json`. */
  containers?: object[];
  executable?: string[];
}

const makingOf = async (name: string, files: Record<string, string>, world: World = {}): Promise<MakingFact | null> => {
  const folder = folderOf(files);
  for (const file of world.executable ?? []) chmodSync(join(folder, file), 0o755);
  const vault = createVault();
  const { services, error } = await readPlainly(placeIn(folder, ['compose.yaml']), {}, vault);
  if (!services) throw new Error(error?.message);
  const { client } = await smallEngine({
    answer: ({ url = '' }, response) => {
      const image = /\/images\/([^/]+)\/json/.exec(url)?.[1];
      const here = image === undefined || (world.images ?? []).includes(decodeURIComponent(image));
      response.writeHead(here ? 200 : 404, { 'content-type': 'application/json' });
      response.end(
        JSON.stringify(here ? (url.includes('/containers/json') ? (world.containers ?? []) : {}) : { message: 'no such image' }),
      );
    },
  });
  const facts: Record<string, unknown> = {
    project: { name: 'shop', workingDir: folder, files: ['compose.yaml'], services },
    engine: { state: world.up === false ? 'refused' : 'ok', elsewhere: null },
    volumes: world.volumes ?? [],
  };
  const spec = services.find((each) => each.name === name)!;
  const service = { ...makeService({ name, containers: [] }), spec, role: roleOf({ spec, containers: [], awaitedAs: [] }).role };
  const given = {
    engine: client,
    vault,
    stack: makeStack(),
    signal: new AbortController().signal,
    startedAt: '',
    settings: {},
    fact: async (key: string) => fact(facts[key]),
  };
  const found = await gatherMaking(service, given);
  return JSON.parse(JSON.stringify(found).replaceAll(folder, '/DIR')) as MakingFact | null;
};

const compose = (service: string, more = '') => ({ 'compose.yaml': `services:\n  app:\n${service.replace(/^/gm, '    ')}\n${more}` });

test('what a Dockerfile copies, and what is left out of its context', async () => {
  const files = {
    ...compose('build: ./api'),
    'api/Dockerfile': 'FROM python:3.12\nCOPY app.py gone.txt /app/\nCOPY dist /app/dist\n',
    'api/app.py': '',
    'api/dist/x': '',
    'api/.dockerignore': 'node_modules\ndist\n',
  };
  expect((await makingOf('app', files))!.build).toMatchObject({
    file: 'api/Dockerfile',
    missing: [
      { line: 2, source: 'gone.txt' },
      { line: 3, source: 'dist', ignoredAt: { file: 'api/.dockerignore', line: 2 } },
    ],
  });
});

test('no build of this machine: a URL', async () => {
  expect((await makingOf('app', compose('build: https://example.com/x.git')))!.build).toBeNull();
});

test('a Dockerfile in the compose file has the lines of that file', async () => {
  const inline = 'build:\n  context: api\n  dockerfile_inline: |\n    FROM python:3.12-slim\n\n    COPY gone.txt here.txt /app/\n';
  const rest = '    COPY start.sh $$DIR/other.sh /app/\n    ENTRYPOINT ["/app/start.sh"]\nhealthcheck: {test: curl -f http://localhost}';
  const files = { ...compose(inline + rest), 'api/here.txt': '', 'api/start.sh': '#!/bin/sh\r\n' };
  const found = (await makingOf('app', files))!;
  expect(found.build).toEqual({
    context: '/DIR/api',
    contextExists: true,
    dockerfile: 'Dockerfile',
    dockerfileExists: true,
    file: 'compose.yaml',
    missing: [{ line: 8, source: 'gone.txt' }],
  });
  expect(found.script).toMatchObject({ path: '/app/start.sh', windowsLineEnds: true, at: { file: 'compose.yaml', line: 10 } });
  expect(found.probe).toMatchObject({ program: 'curl', base: 'python:3.12-slim', at: { file: 'compose.yaml', line: 11 } });
});

test('a Dockerfile in the compose file: on one line, by an anchor, of a folder that is not there', async () => {
  const oneLine = await makingOf('app', compose('build:\n  dockerfile_inline: "FROM x\\nCOPY compose.yaml /c"'));
  expect(oneLine!.build).toMatchObject({ dockerfileExists: true, missing: [] });
  const anchor = 'x-file: &file |\n  FROM x\n  COPY gone /g\n';
  const byAnchor = await makingOf('app', {
    'compose.yaml': `${anchor}services:\n  app:\n    build: {context: ., dockerfile_inline: *file}\n`,
  });
  expect(byAnchor!.build).toMatchObject({ file: 'compose.yaml', missing: [{ line: 3, source: 'gone' }] });
  const nowhere = await makingOf('app', compose('build:\n  context: no\n  dockerfile_inline: FROM x'));
  expect(nowhere!.build).toMatchObject({ contextExists: false, missing: [] });
});

test('the first script: line ends, permissions, first line', async () => {
  const dockerfile = 'FROM python:3.12\nCOPY start.sh /start.sh\nENTRYPOINT ["/start.sh"]\n';
  const script = async (text: string, more = '', world: World = {}) =>
    (await makingOf('app', { ...compose('build: .'), Dockerfile: dockerfile + more, 'start.sh': text }, world))!.script;
  expect(await script('#!/bin/sh\r\nexit\r\n')).toMatchObject({
    windowsLineEnds: true,
    lacksPermission: true,
    at: { file: 'Dockerfile', line: 3 },
  });
  expect(await script('#!/bin/sh\nexit\n', '', { executable: ['start.sh'] })).toMatchObject({
    windowsLineEnds: false,
    lacksPermission: false,
  });
  expect(await script('echo\n', '', { executable: ['start.sh'] })).toMatchObject({ lacksShebang: true });
  expect(await script('#!/bin/sh\n', 'RUN chmod +x /start.sh\n')).toMatchObject({ lacksPermission: false });
  expect(await script('#!/bin/sh\r\n', "RUN sed -i 's/\\r$//' /start.sh\n")).toMatchObject({ windowsLineEnds: false });
  // An image that is here was made of files that may have been others.
  expect(await script('#!/bin/sh\r\n', '', { images: ['shop-app'] })).toBeNull();
});

test('a script that is mounted is as it is on the host; one that a shell is given needs no permission', async () => {
  const files = { ...compose('image: alpine\nentrypoint: [/run.sh]\nvolumes: [./run.sh:/run.sh]'), 'run.sh': '#!/bin/sh\n' };
  expect((await makingOf('app', files))!.script).toMatchObject({ hostPath: '/DIR/run.sh', from: 'mount', lacksPermission: true });
  const given = { ...compose('image: alpine\nentrypoint: [sh, /run.sh]\nvolumes: [./run.sh:/run.sh]'), 'run.sh': 'exit\n' };
  expect((await makingOf('app', given))!.script).toMatchObject({ lacksPermission: false, lacksShebang: false });
});

test('sources of mounts and secrets, with their lines', async () => {
  const files = compose(
    'image: x\nvolumes:\n  - ./here:/here\n  - ./gone.conf:/etc/gone.conf\n  - {type: bind, source: ./no, target: /no, bind: {create_host_path: false}}\nsecrets: [key]',
    'secrets:\n  key: {file: ./key.txt}\n',
  );
  const { sources } = (await makingOf('app', { ...files, 'here/x': '' }))!;
  expect(sources!.map(({ source, kind, isMade, at }) => `${source} ${kind} ${isMade} ${at?.line}`)).toEqual([
    '/DIR/here folder true 5',
    '/DIR/gone.conf missing true 6',
    '/DIR/no missing false 7',
    '/DIR/key.txt missing false 10',
  ]);
});

test('a healthcheck with a tool that the image lacks', async () => {
  const probe = async (check: string, image = 'image: python:3.12-slim') =>
    (await makingOf('app', compose(`${image}\nhealthcheck: {test: ${check}}`)))!.probe;
  expect(await probe('curl -f http://localhost || exit 1')).toMatchObject({ program: 'curl', base: 'python:3.12-slim', at: { line: 4 } });
  expect(await probe('[CMD, curl, -f, http://localhost]')).toMatchObject({ program: 'curl' });
  expect(await probe('curl -f http://localhost || wget -q http://localhost')).toBeNull();
  expect(await probe('[CMD, python, -c, "1"]')).toBeNull();
  expect(await probe('curl -f http://localhost', 'image: example/python:3.12-slim')).toBeNull();
  expect(await probe('[NONE]')).toBeNull();
});

test('an engine that does not answer is not asked', async () => {
  const found = (await makingOf('app', compose('image: x\nvolumes: [data:/data]', 'volumes: {data: }\n'), { up: false }))!;
  expect(found).toMatchObject({ image: { ref: 'x', here: null }, newVolumes: null, twins: [] });
});

test('volumes: new ones, those of the former name, those that run elsewhere', async () => {
  const files = compose(
    'image: postgres:16\nvolumes: [data:/var/lib/postgresql/data, own:/own]',
    'volumes: {data: , own: {name: the-own}}\n',
  );
  const old = { name: 'shop-old_data', composeName: 'data', project: 'shop-old', createdAt: '2026-01-01T00:00:00Z', anonymous: false };
  const found = (await makingOf('app', files, { volumes: [old, { ...old, name: 'zoo_data', project: 'zoo' }] }))!;
  expect(found).toMatchObject({
    newVolumes: ['shop_data', 'the-own'],
    twins: [{ volume: 'shop_data', other: 'shop-old_data', project: 'shop-old' }],
  });

  const row = (project: string) => ({
    Names: [`/${project}-db-1`],
    State: 'running',
    Labels: { 'com.docker.compose.project': project },
    Mounts: [{ Type: 'volume', Name: 'the-own', Destination: '/own' }],
  });
  expect((await makingOf('app', files, { containers: [row('shop-two'), row('shop')] }))!.sharers).toEqual([
    { volume: 'the-own', destination: '/own', container: 'shop-two-db-1', project: 'shop-two' },
  ]);
});
