import { writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { readPlainly } from '../../src/gather/compose-plain.ts';
import { createVault } from '../../src/gather/vault.ts';
import { folderOf, placeIn } from './project-folder.ts';

const read = async (files: Record<string, string>, env: Record<string, string> = {}, profiles: string[] = []) => {
  const folder = folderOf(files);
  // Those in folders of their own are included or extended.
  const names = Object.keys(files).filter((name) => /^[^/]+\.ya?ml$/.test(name));
  const found = await readPlainly(placeIn(folder, names, { profiles }), env, createVault());
  return JSON.parse(JSON.stringify(found).replaceAll(folder, '/DIR')) as typeof found;
};
const service = async (yaml: string, env: Record<string, string> = {}) => (await read({ 'compose.yaml': yaml }, env)).services![0]!;

test('short forms and long forms', async () => {
  const { services } = await read({
    'compose.yaml': `
services:
  web:
    build: ./web
    command: npm run "dev server"
    environment: [A=1, B, C=x=y]
    ports: ["8000:80", "127.0.0.1:8443:443", "3000", "53:53/udp", "[::1]:81:81", "7000-7001:9000-9001"]
    volumes: [./src:/app:ro, data:/data, /anon, ~/x:/y]
    depends_on: [db]
    networks: [back]
  db:
    build: {context: db, dockerfile: Dockerfile.dev}
    image: postgres:16
    environment: {POSTGRES_PASSWORD: hunter2, N: 1}
    volumes: [{type: bind, source: ./init, target: /init, read_only: true}]
    depends_on: {kv: {condition: service_healthy}}
    healthcheck: {test: pg_isready, interval: 5s}
    deploy: {replicas: 0}
    restart: always
    container_name: the-db
  kv: {image: redis}
volumes: {data: }
networks: {back: {name: shared}}
`,
  });
  const [db, , web] = services!;
  expect(web).toMatchObject({
    name: 'web',
    build: { context: '/DIR/web', dockerfile: 'Dockerfile' },
    command: ['npm', 'run', 'dev server'],
    environment: { A: '1', C: 'x=y' },
    ports: [
      { containerPort: 80, hostPort: 8000, hostIp: '', protocol: 'tcp' },
      { containerPort: 443, hostPort: 8443, hostIp: '127.0.0.1', protocol: 'tcp' },
      { containerPort: 3000, hostPort: 0, hostIp: '', protocol: 'tcp' },
      { containerPort: 53, hostPort: 53, hostIp: '', protocol: 'udp' },
      { containerPort: 81, hostPort: 81, hostIp: '::1', protocol: 'tcp' },
      { containerPort: 9000, hostPort: 7000, hostIp: '', protocol: 'tcp' },
      { containerPort: 9001, hostPort: 7001, hostIp: '', protocol: 'tcp' },
    ],
    mounts: [
      { type: 'bind', source: '/DIR/src', destination: '/app', readOnly: true },
      { type: 'volume', source: 'shop_data', destination: '/data', readOnly: false },
      { type: 'volume', source: '', destination: '/anon', readOnly: false },
      { type: 'bind', source: `${homedir()}/x`, destination: '/y', readOnly: false },
    ],
    dependsOn: { db: 'service_started' },
    networks: ['shared'],
  });
  expect(db).toMatchObject({
    build: { context: '/DIR/db', dockerfile: 'Dockerfile.dev' },
    environment: { POSTGRES_PASSWORD: expect.stringMatching(/^‹secret:/), N: '1' },
    mounts: [{ type: 'bind', source: '/DIR/init', destination: '/init', readOnly: true }],
    dependsOn: { kv: 'service_healthy' },
    healthcheck: { test: ['CMD-SHELL', 'pg_isready'], intervalMs: 5_000 },
    networks: ['shop_default'],
    replicas: 0,
    restart: 'always',
    containerName: 'the-db',
  });
});

describe('variables', () => {
  test('of the shell, then of .env; anchors; a literal dollar', async () => {
    const { services, unsetVariables, blanks } = await read(
      {
        'compose.yaml':
          'x-e: &e {A: $A}\nservices:\n  web:\n    image: x:${TAG:-1}\n    environment: {<<: *e, B: "${B}", C: $$C, D: "${GONE}"}\n',
        '.env': 'A=env\nB=env\n',
      },
      { A: 'shell' },
    );
    expect(services![0]).toMatchObject({ image: 'x:1', environment: { A: 'shell', B: 'env', C: '$C', D: '' } });
    expect(unsetVariables).toEqual([{ variable: 'GONE', file: 'compose.yaml', line: 5 }]);
    expect(blanks).toEqual([{ variable: 'GONE', service: 'web', key: 'D' }]);
  });

  test('a required one that is missing', async () => {
    expect(await read({ 'compose.yaml': 'services:\n  web:\n    environment:\n      A: ${NEEDED:?set it}\n' })).toMatchObject({
      services: null,
      error: {
        kind: 'required-variable',
        variable: 'NEEDED',
        file: 'compose.yaml',
        line: 4,
        message: 'required variable NEEDED is missing a value: set it',
      },
    });
  });

  test('of env files, under those of the service', async () => {
    const yaml = 'services:\n  web:\n    image: x\n    env_file: [a.env, {path: gone.env, required: false}]\n    environment: {B: own}\n';
    expect((await read({ 'compose.yaml': yaml, 'a.env': 'A=1\nB=2\n' })).services![0]!.environment).toEqual({ A: '1', B: 'own' });
  });

  test('an env file that is missing', async () => {
    expect((await read({ 'compose.yaml': 'services:\n  web:\n    env_file: gone.env\n' })).error).toMatchObject({
      kind: 'env-file-missing',
      message: 'env file gone.env not found',
    });
  });
});

describe('several files', () => {
  const merged = async (base: string, over: string) =>
    (
      await read({ 'a.yaml': `services:\n  a: {image: x}\n  b: {image: x}\n  web: ${base}\n`, 'b.yaml': `services:\n  web: ${over}\n` })
    ).services!.at(-1)!;
  test('commands are replaced', async () => expect((await merged('{image: x, command: [a, b]}', '{command: [c]}')).command).toEqual(['c']));
  test('environments are joined, whatever their form', async () =>
    expect((await merged('{image: x, environment: [A=1, B=1]}', '{environment: {B: 2}}')).environment).toEqual({ A: '1', B: '2' }));
  test('ports are added', async () =>
    expect((await merged('{image: x, ports: ["1:1"]}', '{ports: ["2:2"]}')).ports.map((each) => each.hostPort)).toEqual([1, 2]));
  test('mounts of one target are replaced', async () =>
    expect((await merged('{image: x, volumes: ["./a:/x", "./b:/y"]}', '{volumes: ["./c:/x"]}')).mounts.map((each) => each.source)).toEqual([
      '/DIR/c',
      '/DIR/b',
    ]));
  test('dependencies are joined, whatever their form', async () =>
    expect((await merged('{image: x, depends_on: [a]}', '{depends_on: {b: {condition: service_healthy}}}')).dependsOn).toEqual({
      a: 'service_started',
      b: 'service_healthy',
    }));
  test('an image is replaced', async () => expect((await merged('{image: a}', '{image: b}')).image).toBe('b'));
});

test('profiles', async () => {
  expect(
    (await read({ 'compose.yaml': 'services: {a: {image: x, profiles: [dev]}, b: {image: x}}' }, {}, [])).services!.map(
      (each) => each.active,
    ),
  ).toEqual([false, true]);
  expect((await read({ 'compose.yaml': 'services: {a: {image: x, profiles: [dev]}}' }, {}, ['dev'])).services![0]!.active).toBe(true);
});

describe('parts of other files', () => {
  test('extends: of this file, of another one, and of one that extends; paths are of the file that names them', async () => {
    const { services } = await read({
      'compose.yaml':
        'services:\n  a: {extends: {file: parts/base.txt, service: web}, environment: {B: own}, ports: ["2:2"]}\n  b: {extends: a, command: go}\nvolumes: {data: }\n',
      'parts/base.txt':
        'services:\n  root: {env_file: x.env, build: ../src}\n  web: {extends: root, environment: {A: 1, B: 1}, ports: ["1:1"], volumes: ["./d:/d", "data:/e"]}\n',
      'parts/x.env': 'C=3\n',
    });
    expect(services![0]).toMatchObject({
      build: { context: '/DIR/src' },
      environment: { A: '1', B: 'own', C: '3' },
      mounts: [{ source: '/DIR/parts/d' }, { source: 'shop_data' }],
    });
    expect(services![0]!.ports.map((each) => each.hostPort)).toEqual([1, 2]);
    expect(services![1]).toMatchObject({ command: ['go'], environment: { B: 'own', C: '3' } });
  });

  test('include: with its own folder, its own .env, and an override', async () => {
    const { services } = await read({
      'compose.yaml':
        'include: [db/c.txt, {path: [web/c.txt, web/o.txt], env_file: web/e.env}]\nservices: {app: {image: app, depends_on: [db]}}\n',
      'db/c.txt': 'services: {db: {image: "postgres:${TAG}", volumes: ["./init:/init"]}}\n',
      'db/.env': 'TAG=16\n',
      'web/c.txt': 'services: {web: {image: "nginx:${TAG:-x}"}}\n',
      'web/o.txt': 'services: {web: {environment: {A: "1"}}}\n',
      'web/e.env': 'TAG=1.27\n',
    });
    expect(services).toMatchObject([
      { name: 'app', image: 'app' },
      { name: 'db', image: 'postgres:16', mounts: [{ source: '/DIR/db/init' }] },
      { name: 'web', image: 'nginx:1.27', environment: { A: '1' } },
    ]);
  });

  test('a build that is a folder takes an override', async () =>
    expect(
      (await read({ 'a.yaml': 'services: {w: {build: ./x}}', 'b.yaml': 'services: {w: {build: {dockerfile: D}}}' })).services![0]!.build,
    ).toEqual({ context: '/DIR/x', dockerfile: 'D' }));

  test.each<[string, Record<string, string>, object]>([
    ['a circle of includes', { 'compose.yaml': 'include: [compose.yaml]\n' }, { kind: 'schema', file: 'compose.yaml' }],
    [
      'a circle of extends',
      { 'compose.yaml': 'services:\n  a: {extends: b}\n  b: {extends: a}\n' },
      { kind: 'schema', message: 'extends leads in a circle' },
    ],
    [
      'a file to extend that is not there',
      { 'compose.yaml': 'services: {a: {extends: {file: gone.yaml, service: x}}}\n' },
      { kind: 'other', message: 'gone.yaml cannot be read (ENOENT)' },
    ],
    [
      'an include that is not there',
      { 'compose.yaml': 'include: [gone.yaml]\n' },
      { kind: 'other', message: 'gone.yaml cannot be read (ENOENT)' },
    ],
    [
      'a base that is not there',
      { 'compose.yaml': 'services:\n  a: {extends: b}\n' },
      { kind: 'schema', message: 'extends names service "b", which is not there' },
    ],
  ])('%s', async (_, files, error) => expect((await read(files)).error).toMatchObject(error));
});

test('what is shared is waited for; aliases, links and exposed ports are kept; drives of Windows are no volumes', async () => {
  const { services } = await read({
    'compose.yaml':
      'services:\n  a: {image: x, network_mode: "service:b", links: ["c:cache", d], volumes: [\'C:\\x:/x:ro\']}\n  b: {image: x, expose: [80, "81/tcp", 9-10]}\n  c: {image: x, networks: {back: {aliases: [kv]}}}\n  d: {image: x}\nnetworks: {back: }\n',
  });
  expect(services![0]).toMatchObject({
    dependsOn: { b: 'service_started', c: 'service_started', d: 'service_started' },
    links: { cache: 'c' },
    mounts: [{ type: 'bind', source: 'C:\\x', destination: '/x', readOnly: true }],
  });
  expect(services![1]!.exposed).toEqual([80, 81]);
  expect(services![2]!.aliases).toEqual(['kv']);
});

test('host network', async () =>
  expect(await service('services: {a: {image: x, network_mode: host}}')).toMatchObject({ networkMode: 'host', networks: [] }));

test.each([
  ['a tab', 'services:\n\ta: 1\n', { kind: 'syntax', line: 2 }],
  ['a list', '- a\n', { kind: 'syntax', line: null, message: 'the top level is no mapping' }],
  ['nothing', '', { kind: 'syntax', line: null }],
  ['a key twice', 'services: {}\nservices: {}\n', { kind: 'syntax', line: 2 }],
])('%s is an error with its place', async (_, yaml, error) => {
  expect(await read({ 'compose.yaml': yaml })).toMatchObject({ services: null, error: { file: 'compose.yaml', ...error } });
});

test.each([
  ['a service that is nothing', 'services: {a: }'],
  ['services that are a word', 'services: x'],
  [
    'ports that are a word',
    'services: {a: {ports: x, volumes: 1, environment: 7, depends_on: y, networks: z, profiles: w, command: 1, build: 3}}',
  ],
  [
    'a bomb of aliases',
    `a: &a [x,x,x,x,x,x,x,x,x]\n${'bcdefg'
      .split('')
      .map((name, index) => `${name}: &${name} [${Array(9).fill(`*${'abcdef'[index]}`).join(',')}]`)
      .join('\n')}\n`,
  ],
])('%s is no crash', async (_, yaml) => {
  const found = await read({ 'compose.yaml': yaml });
  expect(found.services !== null || found.error !== null).toBe(true);
});

describe('what no reader takes', () => {
  test('bytes that are no UTF-8', async () => {
    const folder = folderOf({});
    writeFileSync(join(folder, 'compose.yaml'), Buffer.from('services:\n  a:\n    image: caf\xe9\n', 'latin1'));
    const found = await readPlainly(placeIn(folder, ['compose.yaml']), {}, createVault());
    expect(found.error).toMatchObject({ kind: 'syntax', line: 3, message: 'it is not in UTF-8' });
  });

  test('aliases of aliases of aliases', async () => {
    const rows = Array.from({ length: 8 }, (_, index) => `x-${index + 1}: &a${index + 1} [${Array(9).fill(`*a${index}`).join(',')}]`);
    const yaml = `x-0: &a0 [lol]\n${rows.join('\n')}\nservices:\n  a: {image: x, labels: *a8}\n`;
    expect((await read({ 'compose.yaml': yaml })).error).toMatchObject({ kind: 'syntax', line: 11 });
  });

  test('a file of megabytes', async () => {
    const yaml = `services:\n  a: {image: x}\n#${'x'.repeat(1_000_000)}\n`;
    await expect(read({ 'compose.yaml': yaml })).rejects.toThrow(
      'compose.yaml has 1.0 MB, which is too much to be read without the Compose CLI',
    );
  });
});

test.each<[string, string, object]>([
  [
    'a dependency on nobody',
    'services:\n  a:\n    image: x\n    depends_on: [b]\n',
    { message: 'service "a" depends on undefined service "b": invalid compose project', line: 4 },
  ],
  [
    'a network of nobody',
    'services:\n  a:\n    image: x\n    networks: [b]\n',
    { message: 'service "a" refers to undefined network b: invalid compose project', line: 4 },
  ],
  [
    'a volume of nobody',
    'services:\n  a:\n    image: x\n    volumes: ["bb:/b"]\n',
    { message: 'service "a" refers to undefined volume bb: invalid compose project', line: 4 },
  ],
  [
    'a service of nothing',
    'services:\n  a:\n    command: x\n',
    { message: 'service "a" has neither an image nor a build context specified: invalid compose project', line: 2 },
  ],
  [
    'services that wait for each other',
    'services:\n  a: {image: x, depends_on: [b]}\n  b: {image: x, depends_on: [a]}\n',
    { message: 'dependency cycle detected: a -> b -> a', line: 2 },
  ],
])('%s: Compose would not begin either', async (_, yaml, error) => {
  expect(await read({ 'compose.yaml': yaml })).toMatchObject({ services: null, error: { kind: 'schema', file: 'compose.yaml', ...error } });
});
