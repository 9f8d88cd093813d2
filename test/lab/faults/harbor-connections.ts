import { until } from '../run.ts';
import type { LabStack } from '../stack.ts';
import type { Fault } from './fault.ts';
import {
  answers,
  becomes,
  changed,
  compose,
  docker,
  edit,
  foreign,
  get,
  logs,
  portTaken,
  removeForeign,
  restore,
  send,
  settled,
  up,
} from './tools.ts';

const change = changed('harbor');
const FILE = 'docker-compose.yml';
const STATUS = '/office/status';
const API = '    expose: ["7000"]\n';

/** A variable of the API alone; the others go on with the env file's. */
const ofApi = (name: string, value: string): [string, string, string] => [FILE, API, `${API}    environment: { ${name}: "${value}" }\n`];

const fails = (stack: LabStack): Promise<void> => answers(stack, STATUS, 500);
const silent = (stack: LabStack): Promise<unknown> =>
  until('the edge to fail', async () => [0, 502, 504].includes((await get(stack, STATUS)).status), 30_000);
const rest = (...guilty: string[]): string[] =>
  ['api', 'edge', 'jobs', 'pantry', 'primary', 'schema'].filter((service) => !guilty.includes(service));

const addresses = async (stack: LabStack): Promise<string[]> => {
  const ids = (await stack.compose('ps', '-q', 'api')).stdout.split('\n').filter(Boolean);
  const network = `{{(index .NetworkSettings.Networks "${stack.project}_inside").IPAddress}}`;
  return (await docker(stack, 'inspect', '--format', network, ...ids)).trim().split('\n');
};

/** All of harbor runs, but somebody cannot use somebody. */
export const harborConnectionFaults: Fault[] = [
  {
    id: 'harbor-secret-changed',
    title: 'the password in the secret file was changed after the volume was made',
    stack: 'harbor',
    inject: async (stack) => {
      edit(stack, 'secrets/store_password.txt', /^.*$/, 'a-new-secret-of-today');
      await answers(stack, STATUS, 500, 'InvalidPassword');
    },
    heal: async (stack) => {
      restore(stack, 'secrets');
      await up(stack);
    },
    expect: { root: 'primary/postgres', code: 'postgres/password-volume-mismatch', innocents: rest('primary'), remedy: /ALTER ROLE/i },
  },
  change({
    id: 'harbor-store-user-unknown',
    title: 'the API logs in as a role that was never made',
    edits: [ofApi('STORE_USER', 'harbormaster')],
    recreate: ['api'],
    until: fails,
    expect: {
      root: 'primary/postgres',
      code: 'postgres/role-missing',
      innocents: rest('primary', 'api'),
      remedy: /STORE_USER|POSTGRES_USER|CREATE ROLE/i,
    },
  }),
  change({
    id: 'harbor-store-database-unknown',
    title: 'the API asks for a database that was never made',
    edits: [ofApi('STORE_NAME', 'berth')],
    recreate: ['api'],
    until: fails,
    expect: {
      root: 'primary/postgres',
      code: 'postgres/database-missing',
      innocents: rest('primary', 'api'),
      remedy: /createdb|CREATE DATABASE|STORE_NAME/i,
    },
  }),
  change({
    id: 'harbor-store-host-typo',
    title: 'STORE_HOST of the API has a typing error',
    edits: [ofApi('STORE_HOST', 'primery')],
    recreate: ['api'],
    until: fails,
    expect: { root: 'api/network', code: 'network/unknown-host', innocents: rest('api'), remedy: /docker compose up -d api/ },
  }),
  change({
    id: 'harbor-store-localhost',
    title: 'STORE_HOST of the API is localhost',
    edits: [ofApi('STORE_HOST', 'localhost')],
    recreate: ['api'],
    until: fails,
    expect: { root: 'api/network', code: 'network/localhost-in-container', innocents: rest('api'), remedy: /docker compose up -d api/ },
  }),
  change({
    id: 'harbor-store-port',
    title: 'STORE_PORT of the API is the one that Postgres had on the host once',
    edits: [ofApi('STORE_PORT', '5433')],
    recreate: ['api'],
    until: fails,
    expect: { root: 'api/network', code: 'network/refused', innocents: rest('api'), remedy: /docker compose (up -d|exec)|port/ },
  }),
  change({
    id: 'harbor-cache-wrong-password',
    title: 'the API has another password for Redis than Redis',
    edits: [ofApi('CACHE_URL', 'redis://:open-sesame@pantry:6379/2')],
    recreate: ['api'],
    until: fails,
    expect: { root: 'pantry/redis', code: 'redis/wrong-password', innocents: rest('pantry', 'api'), remedy: /docker compose up -d api/ },
  }),
  change({
    id: 'harbor-cache-no-password',
    title: "the API's Redis URL has no password, and Redis wants one",
    edits: [ofApi('CACHE_URL', 'redis://pantry:6379/2')],
    recreate: ['api'],
    until: fails,
    expect: { root: 'pantry/redis', code: 'redis/auth-required', innocents: rest('pantry', 'api'), remedy: /docker compose up -d api/ },
  }),
  change({
    id: 'harbor-cache-no-such-database',
    title: 'the API wants Redis database 9 of 4',
    edits: [ofApi('CACHE_URL', 'redis://:$${PANTRY_PASSWORD}@pantry:6379/9')],
    recreate: ['api'],
    until: fails,
    expect: { root: 'pantry/redis', code: 'redis/database-out-of-range', innocents: rest('pantry', 'api'), remedy: /databases|\/0|index/ },
  }),
  change({
    id: 'harbor-jobs-other-database',
    title: 'the crew reads Redis database 1, ships arrive in database 2',
    edits: [
      [
        FILE,
        /(command: \["python", "-m", "harbor.jobs"\]\n)/,
        '$1    environment: { CACHE_URL: "redis://:$${PANTRY_PASSWORD}@pantry:6379/1" }\n',
      ],
    ],
    recreate: ['jobs'],
    until: async (stack) => {
      for (const ship of ['Beagle', 'Fram', 'Discovery']) await send(stack, '/office/berths', { ship });
      await until('the crew to wait', async () => (await logs(stack, 'jobs')).includes('waits at'));
    },
    expect: { root: 'jobs/worker', code: 'worker/other-queue', innocents: rest('jobs'), remedy: /docker compose up -d .*jobs/ },
  }),
  change({
    id: 'harbor-store-on-other-network',
    title: 'Postgres was moved to the outer network alone; its clients live in the inner one',
    edits: [[FILE, /(primary-data:\/var\/lib\/postgresql\n {4}networks: \[)inside/, '$1outside']],
    recreate: ['primary'],
    until: fails,
    expect: {
      root: 'api/network',
      code: 'network/no-common-network',
      innocents: ['edge', 'pantry', 'schema'],
      remedy: /networks/,
    },
  }),
  change({
    id: 'harbor-edge-outside-only',
    title: 'the edge has lost the inner network, where the API lives',
    edits: [[FILE, 'networks: [outside, inside]', 'networks: [outside]']],
    recreate: ['edge'],
    until: (stack) => becomes(stack, 'edge', 'restarting', (now) => now.restarts >= 1),
    expect: {
      root: 'edge/network',
      code: 'network/no-common-network',
      innocents: rest('edge'),
      remedy: /networks/,
    },
  }),
  {
    id: 'harbor-stale-upstream',
    title: 'both replicas have new addresses and the edge still calls the old ones',
    stack: 'harbor',
    inject: async (stack) => {
      const before = await addresses(stack);
      await compose(stack, 'rm', '-sfv', 'api');
      const taken: string[] = [];
      for (let tenant = 1; tenant <= 14 && !before.every((each) => taken.includes(each)); tenant++) {
        const at = ['--network', `${stack.project}_inside`, '--entrypoint', 'sleep', `${stack.project}-jobs`, '1000000'];
        const id = await foreign(stack, `tenant-${tenant}`, ...at);
        taken.push((await docker(stack, 'inspect', '--format', '{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}', id)).trim());
      }
      await compose(stack, 'up', '-d', '--no-deps', 'api');
      await silent(stack);
    },
    heal: async (stack) => {
      await removeForeign(stack);
      await compose(stack, 'restart', '-t', '1', 'edge');
      await up(stack);
    },
    expect: {
      root: 'edge/proxy',
      code: 'proxy/stale-upstream',
      innocents: rest('edge'),
      remedy: /nginx -s reload|docker compose restart edge/,
    },
  },
  change({
    id: 'harbor-upstream-port',
    title: 'the edge passes requests to port 7001; the API listens on 7000',
    edits: [['edge/nginx.conf', 'server api:7000', 'server api:7001']],
    restart: ['edge'],
    until: async (stack) => {
      await silent(stack);
      await settled(stack, 'edge');
    },
    expect: {
      root: 'edge/network',
      code: ['network/refused', 'proxy/bad-gateway'],
      innocents: rest('edge'),
      remedy: /port|proxy_pass|docker compose/,
    },
  }),
  change({
    id: 'harbor-upstream-typo',
    title: 'the upstream of the edge names a service that is not there',
    edits: [['edge/nginx.conf', 'server api:7000', 'server app:7000']],
    restart: ['edge'],
    until: (stack) => becomes(stack, 'edge', 'restarting', (now) => now.restarts >= 1),
    expect: { root: 'edge/proxy', code: 'proxy/upstream-not-found', innocents: rest('edge'), remedy: /docker compose config --services/ },
  }),
  change({
    id: 'harbor-edge-config-invalid',
    title: 'the nginx configuration on disk has an error; the next restart will fail',
    edits: [['edge/nginx.conf', 'keepalive 4;', 'keepalive 4']],
    until: async (stack) => {
      await until('nginx -t to fail', async () => (await stack.exec('edge', ['nginx', '-t'])).code !== 0);
    },
    expect: { root: 'edge/proxy', code: 'proxy/config-invalid', innocents: rest('edge'), remedy: /nginx -t/ },
  }),
  change({
    id: 'harbor-edge-other-port',
    title: 'nginx listens on 8081 since an edit; 8080 is published',
    edits: [['edge/nginx.conf', /8080 default_server/g, '8081 default_server']],
    restart: ['edge'],
    until: (stack) => settled(stack, 'edge'),
    expect: { root: 'edge/ports', code: 'ports/wrong-container-port', innocents: rest('edge'), remedy: /8080|ports/ },
  }),
  change({
    id: 'harbor-api-loopback',
    title: 'the API listens on 127.0.0.1 of its containers; nothing of it is published',
    edits: [ofApi('LISTEN', '127.0.0.1')],
    recreate: ['api'],
    until: async (stack) => {
      await silent(stack);
      await settled(stack, 'api');
    },
    expect: { root: 'api/ports', code: 'ports/loopback-only', innocents: rest('api'), remedy: /0\.0\.0\.0/ },
  }),
  {
    id: 'harbor-edge-port-taken',
    title: "another project's container holds the edge's host port",
    stack: 'harbor',
    ...portTaken({ service: 'edge', hostPort: 'edge', port: 80, image: 'jobs' }),
    expect: { root: 'edge/ports', code: 'ports/taken', innocents: rest('edge'), remedy: /docker (stop|ps|rm)|_PORT|ports/ },
  },
];
