/** Compose itself is the authority: files of every shape must be read as it reads them. */
import { dirname, delimiter } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { readPlainly } from '../../src/gather/compose-plain.ts';
import { gatherProject } from '../../src/gather/project.ts';
import { createVault } from '../../src/gather/vault.ts';
import { folderOf, placeIn } from '../gather/project-folder.ts';
import { labForTests } from '../lab/for-tests.ts';

const engine = await labForTests();
afterAll(() => engine?.close());

/** The lab's own `docker compose` first; it needs no engine to read files. */
const env = { ...process.env, ...engine?.env, PATH: [dirname(engine?.docker ?? ''), process.env['PATH']].join(delimiter) };

/** Files of a project; those that end on `.yaml` and lie at the top are its compose files, in this order. */
type Files = Record<string, string>;

const both = async (files: Files) => {
  const folder = folderOf(files);
  const place = placeIn(
    folder,
    Object.keys(files).filter((name) => /^[^/]+\.yaml$/.test(name)),
  );
  const vault = createVault();
  const own = await readPlainly(place, env, vault);
  const said = await gatherProject(place, env, vault, new AbortController().signal);
  return { own, said };
};

const READ: [string, Files][] = [
  [
    '!reset takes away a key, a whole list, and an entry of a mapping',
    {
      'a.yaml':
        'services:\n  web: {image: x, command: [a], ports: ["1:1"], environment: {A: 1, B: 2}, depends_on: {db: {condition: service_started}}, volumes: ["./a:/a"]}\n  db: {image: y}\n',
      'b.yaml':
        'services:\n  web:\n    command: !reset null\n    ports: !reset []\n    volumes: !reset\n    environment:\n      A: !reset null\n    depends_on: !reset {}\n',
    },
  ],
  [
    '!override puts one thing in the place of another',
    {
      'a.yaml':
        'services:\n  web: {image: x, ports: ["1:1"], environment: {A: 1, B: 2}, build: {context: a, dockerfile: D}}\n  db: {image: y}\n',
      'b.yaml':
        'services:\n  web:\n    ports: !override ["2:2"]\n    environment: !override {C: 3}\n    build: !override\n      context: b\n  db: !override\n    image: z\n',
    },
  ],
  [
    'a whole service or volume reset',
    {
      'a.yaml': 'services:\n  web: {image: x, volumes: ["data:/d"]}\n  gone: {image: y}\nvolumes:\n  data: {name: other}\n',
      'b.yaml': 'services:\n  gone: !reset null\nvolumes:\n  data: !override {name: third}\n',
    },
  ],
  [
    'tags in a file that overrides nothing',
    { 'a.yaml': 'services:\n  web:\n    image: x\n    ports: !reset ["1:1"]\n    environment: !override {A: 1}\n' },
  ],
  [
    '!reset and !override over a service that is extended',
    {
      'a.yaml':
        'services:\n  web:\n    extends: {file: parts/base.yml, service: base}\n    ports: !override ["2:2"]\n    environment:\n      A: !reset null\n      C: 3\n',
      'parts/base.yml': 'services:\n  base: {image: x, ports: ["1:1"], environment: {A: 1, B: 2}}\n',
    },
  ],
  [
    'a reset, then said again by a third file',
    {
      'a.yaml': 'services:\n  web: {image: x, ports: ["1:1"]}\n',
      'b.yaml': 'services:\n  web: {ports: !reset []}\n',
      'c.yaml': 'services:\n  web: {ports: ["3:3"]}\n',
    },
  ],
  [
    'a Dockerfile that stands in the compose file',
    {
      'a.yaml':
        'services:\n  web:\n    build:\n      context: web\n      dockerfile_inline: |\n        FROM alpine\n        COPY x /x\n  api:\n    build:\n      dockerfile_inline: FROM alpine\n',
      'web/x': '',
    },
  ],
  [
    'env files: short, long, not required, raw, one over the other',
    {
      'a.yaml':
        'services:\n  a: {image: x, env_file: one.env}\n  b: {image: x, env_file: [one.env, {path: two.env}, {path: gone.env, required: false}], environment: [C=own]}\n  c:\n    image: x\n    env_file:\n      - path: raw.env\n        format: raw\n',
      'one.env': 'A=1\nB="two words" # said\nC=3\n# no\nexport D=4\nE=\'x # y\'\n',
      'two.env': 'B=other\n',
      'raw.env': 'A="quoted"\nB=x # y\nC=$A\n',
    },
  ],
  [
    'env files with variables in them',
    {
      'a.yaml': 'services:\n  a: {image: x, env_file: [one.env]}\n',
      'one.env': 'A=1\nB=${A}-2\nC=${GONE:-dflt}\nD=\'${A}\'\nE="x\\ny"\nF=$$5\n',
    },
  ],
  [
    'env files of several files are added up',
    {
      'a.yaml': 'services:\n  web: {image: x, env_file: one.env}\n',
      'b.yaml': 'services:\n  web: {env_file: [{path: two.env}]}\n',
      'one.env': 'A=1\nB=1\n',
      'two.env': 'B=2\n',
    },
  ],
  [
    'include with a folder of its own',
    {
      'a.yaml':
        'include:\n  - path: parts/db.yml\n    project_directory: .\n  - path: parts/kv.yml\n    project_directory: other\n    env_file: parts/kv.env\nservices:\n  web: {image: x}\n',
      'parts/db.yml':
        'services:\n  db:\n    image: y\n    build: ./db\n    env_file: db.env\n    volumes: ["./init:/init", "data:/d"]\n    secrets: [pw]\nvolumes: {data: {}}\nsecrets: {pw: {file: ./pw.txt}}\n',
      'parts/kv.yml': 'services:\n  kv: {image: "kv:${TAG}", volumes: [./conf:/conf], configs: [c]}\nconfigs: {c: {file: c.txt}}\n',
      'parts/kv.env': 'TAG=7\n',
      'db.env': 'A=1\n',
      'other/x': '',
      'pw.txt': 'x',
    },
  ],
  [
    'include of what includes',
    {
      'a.yaml': 'include: [one/c.yml]\nservices:\n  web: {image: x}\n',
      'one/c.yml': 'include: [two/c.yml]\nservices:\n  one: {image: "o:${T}", volumes: ["./x:/x"]}\n',
      'one/two/c.yml': 'services:\n  two: {image: "t:${T:-none}", volumes: ["./x:/x"]}\n',
      'one/.env': 'T=1\n',
    },
  ],
  [
    'an override of what is included',
    {
      'a.yaml': 'include: [one/c.yml]\nservices:\n  web: {image: x}\n',
      'b.yaml': 'services:\n  one: {ports: !override ["2:2"], volumes: ["./y:/y"]}\n',
      'one/c.yml': 'services:\n  one: {image: o, ports: ["1:1"], volumes: ["./x:/x"]}\n',
    },
  ],
  [
    'extends of the same file and of another one, with its lists and mappings',
    {
      'a.yaml':
        'services:\n  base: {image: x, depends_on: [db], volumes: ["./a:/a", "data:/d"], networks: [back], ports: ["1:1"], links: [db], profiles: [p]}\n  web:\n    extends: base\n    depends_on: {kv: {condition: service_healthy}}\n    networks: {front: {aliases: [w]}}\n    volumes: ["./b:/a:ro"]\n  far:\n    extends: {file: parts/p.yml, service: leaf}\n  db: {image: y, networks: [back]}\n  kv: {image: z, healthcheck: {test: [CMD, x]}}\nvolumes: {data: {}}\nnetworks: {back: {}, front: {}}\n',
      'parts/p.yml':
        'services:\n  root: {image: r, build: ../src, env_file: r.env, volumes: ["./v:/v", "~/h:/h"]}\n  leaf: {extends: root, command: sh -c "a b", healthcheck: {test: x, interval: 5s}}\n',
      'parts/r.env': 'R=1\n',
    },
  ],
  [
    'an extended service with what names others: volumes_from, network_mode, ipc',
    {
      'a.yaml':
        'services:\n  one: {image: x, network_mode: "service:db", ipc: "service:kv", volumes_from: [db]}\n  two: {extends: one, image: y}\n  db: {image: d}\n  kv: {image: k}\n',
    },
  ],
  [
    'a healthcheck is joined, its test replaced; a disabled one',
    {
      'a.yaml':
        'services:\n  web: {image: x, healthcheck: {test: [CMD, a, b], interval: 5s, retries: 2}}\n  off: {image: x, healthcheck: {test: a}}\n',
      'b.yaml': 'services:\n  web: {healthcheck: {test: [CMD, c], timeout: 1m30s}}\n  off: {healthcheck: {disable: true}}\n',
    },
  ],
  [
    'ports and volumes of both, the same said twice',
    {
      'a.yaml':
        'services:\n  web: {image: x, ports: ["80:80", "127.0.0.1:81:81"], expose: [80], volumes: ["./a:/x", "/anon"], tmpfs: /t}\n',
      'b.yaml':
        'services:\n  web:\n    ports: ["80:80", {target: 81, published: "81", host_ip: 127.0.0.1}, {target: 82, published: 8000-8002}]\n    expose: ["80", "9000"]\n    volumes: [{type: bind, source: ./b, target: /x}, {type: tmpfs, target: /tt}]\n',
    },
  ],
  [
    'deploy, labels and build arguments are joined',
    {
      'a.yaml':
        'services:\n  web: {build: {context: a, args: [A=1], target: t}, deploy: {replicas: 2, resources: {limits: {cpus: "1"}}}, labels: [traefik.http.services.a.loadbalancer.server.port=80]}\n',
      'b.yaml':
        'services:\n  web: {build: {args: {B: 2}}, deploy: {resources: {limits: {memory: 1g}}}, labels: {traefik.enable: "true"}}\n',
    },
  ],
  [
    'secrets and configs of both forms, with one that is replaced',
    {
      'a.yaml':
        'services:\n  web: {image: x, secrets: [a, {source: b, target: other}], configs: [c]}\nsecrets: {a: {file: a.txt}, b: {environment: HOME}}\nconfigs: {c: {content: hi}}\n',
      'b.yaml': 'services:\n  web: {secrets: [a]}\nsecrets: {a: {file: z.txt}}\n',
    },
  ],
  [
    'networks: a list under a mapping, aliases added, external ones, a name',
    {
      'a.yaml': 'services:\n  web: {image: x, networks: [back]}\nnetworks: {back: {}, out: {external: true}, named: {name: n}}\n',
      'b.yaml': 'services:\n  web: {networks: {back: {aliases: [w]}, out: , named: }}\n',
    },
  ],
  [
    'an override that says nothing leaves what was said',
    {
      'a.yaml': 'services:\n  web: {image: x, command: [a], environment: {A: 1}, ports: ["1:1"]}\n',
      'b.yaml': 'services:\n  web: {command: , environment: {A: }, ports: []}\n',
    },
  ],
  [
    'commands and entry points in both spellings, an empty one too',
    {
      'a.yaml':
        'services:\n  a: {image: x, command: "", entrypoint: []}\n  b: {image: x, command: sh -c "echo $$HOME", entrypoint: ["/e", "-x"]}\n',
    },
  ],
  [
    'anchors, merge keys and extension fields under tags',
    {
      'a.yaml': 'x-base: &base\n  image: x\n  ports: ["1:1"]\nservices:\n  a: {<<: *base}\n  b:\n    <<: *base\n    image: y\n',
      'b.yaml': 'x-none: &none !reset []\nservices:\n  a:\n    ports: *none\n  b:\n    ports: !override ["9:9"]\n',
    },
  ],
  ['the name of the project within the files', { 'a.yaml': 'name: shop\nservices:\n  a: {image: "x:${COMPOSE_PROJECT_NAME:-none}"}\n' }],
];

describe.skipIf(!engine)('read as Compose reads it', () => {
  test.each(READ)('%s', async (_, files) => {
    const { own, said } = await both(files);
    expect(said).toMatchObject({ loadedBy: 'compose', error: null });
    expect(own.error).toBeNull();
    expect(own.services).toEqual(said.services);
  });
});

/** What Compose refuses is refused here too: `up` would not begin. */
const REFUSED: [string, Files][] = [
  [
    'a service that an included file has as well',
    { 'a.yaml': 'include: [one/c.yml]\nservices:\n  web: {image: x}\n', 'one/c.yml': 'services:\n  web: {image: y}\n' },
  ],
  ['an env file that is not there', { 'a.yaml': 'services:\n  a: {image: x, env_file: [{path: gone.env}]}\n' }],
  [
    'an env file of an include that is not there',
    { 'a.yaml': 'include: [{path: c.yml, env_file: gone.env}]\nservices:\n  a: {image: x}\n', 'c.yml': 'services: {b: {image: y}}\n' },
  ],
  ['a base that is not there', { 'a.yaml': 'services:\n  a: {extends: b}\n' }],
  ['extends in a circle', { 'a.yaml': 'services:\n  a: {extends: b}\n  b: {extends: a}\n' }],
  [
    'include in a circle',
    { 'a.yaml': 'include: [one/c.yml]\nservices: {a: {image: x}}\n', 'one/c.yml': 'include: [../a.yaml]\nservices: {b: {image: x}}\n' },
  ],
  [
    'a volume reset that is still mounted',
    { 'a.yaml': 'services:\n  a: {image: x, volumes: ["data:/d"]}\nvolumes: {data: {}}\n', 'b.yaml': 'volumes:\n  data: !reset null\n' },
  ],
  ['a dependency on nobody', { 'a.yaml': 'services:\n  a: {image: x, depends_on: [gone]}\n' }],
];

describe.skipIf(!engine)('refused as Compose refuses it', () => {
  test.each(REFUSED)('%s', async (_, files) => {
    const { own, said } = await both(files);
    expect(said).toMatchObject({ loadedBy: 'compose', services: null });
    expect(own.services).toBeNull();
    expect(own.error?.kind).toBe(said.error?.kind);
  });
});
