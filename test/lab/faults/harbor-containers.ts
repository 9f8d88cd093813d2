import { renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { until } from '../run.ts';
import type { Fault } from './fault.ts';
import { answers, becomes, changed, compose, docker, edit, logs, restore, send, state, up } from './tools.ts';

const change = changed('harbor');
const FILE = 'docker-compose.yml';
const STATUS = '/office/status';

/** Containers of harbor that do not run, or not as they should. */
export const harborContainerFaults: Fault[] = [
  {
    id: 'harbor-store-stopped',
    title: 'Postgres is stopped; nothing has a healthcheck that would tell',
    stack: 'harbor',
    inject: async (stack) => {
      await compose(stack, 'stop', '-t', '2', 'primary');
      await answers(stack, STATUS, 500);
    },
    heal: (stack) => up(stack),
    expect: {
      root: 'primary/container',
      code: 'container/exited',
      innocents: ['api', 'edge', 'jobs', 'pantry', 'schema'],
      remedy: /docker compose (up -d|start) primary/,
    },
  },
  {
    id: 'harbor-cache-paused',
    title: 'Redis is paused: the API accepts requests and waits',
    stack: 'harbor',
    inject: async (stack) => {
      await compose(stack, 'pause', 'pantry');
      await answers(stack, STATUS, 500);
    },
    heal: async (stack) => {
      await compose(stack, 'unpause', 'pantry');
      await up(stack);
    },
    expect: {
      root: 'pantry/container',
      code: 'container/paused',
      innocents: ['api', 'edge', 'jobs', 'primary', 'schema'],
      remedy: /docker compose unpause pantry/,
    },
  },
  {
    id: 'harbor-replica-stopped',
    title: 'one of the two replicas of the API has ended; the site still answers',
    stack: 'harbor',
    inject: async (stack) => {
      await docker(stack, 'stop', '-t', '1', `${stack.project}-api-2`);
    },
    heal: (stack) => up(stack),
    expect: {
      root: 'api/container',
      code: 'container/exited',
      innocents: ['edge', 'jobs', 'pantry', 'primary', 'schema'],
      remedy: /docker compose (up -d|start) api/,
    },
  },
  {
    id: 'harbor-jobs-stopped',
    title: 'the crew is ashore: ships arrive in the stream and nobody moors them',
    stack: 'harbor',
    inject: async (stack) => {
      await compose(stack, 'stop', '-t', '2', 'jobs');
      for (const ship of ['Beagle', 'Fram', 'Discovery']) await send(stack, '/office/berths', { ship });
    },
    heal: (stack) => up(stack),
    expect: {
      root: 'jobs/container',
      code: 'container/exited',
      innocents: ['api', 'edge', 'pantry', 'primary', 'schema'],
      remedy: /docker compose (up -d|start) jobs/,
    },
  },
  change({
    id: 'harbor-jobs-no-module',
    title: 'the command of the worker names a module that is not there',
    edits: [[FILE, '"harbor.jobs"', '"harbor.job"']],
    recreate: ['jobs'],
    until: (stack) => becomes(stack, 'jobs', 'restarting', (now) => now.restarts >= 2),
    expect: {
      root: 'jobs/startup',
      code: 'startup/module-missing',
      innocents: ['api', 'edge', 'pantry', 'primary', 'schema'],
      remedy: /Correct the command/,
    },
  }),
  change({
    id: 'harbor-api-no-program',
    title: 'the command of the API starts a program that the image has not',
    edits: [[FILE, 'command: ["python", "-m", "harbor.api"]', 'command: ["gunicorn", "harbor.api:app"]']],
    until: async (stack) => {
      await stack.compose('up', '-d', '--no-deps', 'api');
      await becomes(stack, 'api', 'refused by Docker', (now) => now.Error !== '');
    },
    expect: {
      root: 'api/container',
      code: 'container/command-not-found',
      innocents: ['edge', 'jobs', 'pantry', 'primary', 'schema'],
      remedy: /docker compose (build|up)|command/,
    },
  }),
  change({
    id: 'harbor-api-oom',
    title: 'the memory limit of the API is below what its interpreter needs',
    edits: [[FILE, '      replicas: 2\n', '      replicas: 2\n      resources: { limits: { memory: 18M } }\n']],
    until: async (stack) => {
      await stack.compose('up', '-d', '--no-deps', 'api');
      await becomes(stack, 'api', 'killed', (now) => now.OOMKilled || now.ExitCode === 137);
    },
    expect: {
      root: 'api/container',
      code: 'container/oom-killed',
      innocents: ['edge', 'jobs', 'pantry', 'primary', 'schema'],
      remedy: /mem_limit|memory|docker stats/,
    },
  }),
  {
    id: 'harbor-migration-fails',
    title: 'a new migration is wrong; after a fresh start nobody comes up who waits for it',
    stack: 'harbor',
    inject: async (stack) => {
      writeFileSync(join(stack.dir, 'app/schema/2_tides.sql'), 'alter table tides add column height int;\n');
      await compose(stack, 'rm', '-sfv', 'api', 'jobs', 'schema');
      await stack.compose('up', '-d', 'api', 'jobs');
      await becomes(stack, 'schema', 'ended', (now) => now.Status === 'exited' && now.ExitCode === 1);
    },
    heal: async (stack) => {
      rmSync(join(stack.dir, 'app/schema/2_tides.sql'), { force: true });
      await up(stack);
    },
    expect: {
      root: 'schema/container',
      code: 'container/job-failed',
      innocents: ['api', 'edge', 'jobs', 'pantry', 'primary'],
      remedy: /docker compose logs/,
    },
  },
  change({
    id: 'harbor-probe-without-program',
    title: 'a healthcheck was added that calls curl, which the slim image has not',
    edits: [
      [
        FILE,
        '    expose: ["7000"]\n',
        '    expose: ["7000"]\n    healthcheck: { test: ["CMD", "curl", "-f", "http://localhost:7000/status"], interval: 1s, retries: 2 }\n',
      ],
    ],
    recreate: ['api'],
    until: (stack) => becomes(stack, 'api', 'unhealthy', (now) => now.Health?.Status === 'unhealthy'),
    expect: {
      root: 'api/container',
      code: 'container/healthcheck-broken',
      innocents: ['edge', 'jobs', 'pantry', 'primary', 'schema'],
      remedy: /program that the image has/,
    },
  }),
  change({
    id: 'harbor-cache-config-unreadable',
    title: "Redis' configuration does not parse, so it ends at every start",
    edits: [['cache/redis.conf', 'appendonly yes', 'append_only yes']],
    restart: ['pantry'],
    until: (stack) => becomes(stack, 'pantry', 'restarting', (now) => now.restarts >= 2),
    expect: {
      root: 'pantry/container',
      code: 'container/restarting',
      innocents: ['api', 'edge', 'jobs', 'primary', 'schema'],
      remedy: /docker compose logs/,
    },
  }),
  change({
    id: 'harbor-cache-volume-read-only',
    title: "Redis' volume is mounted read-only, and it may not start without its append-only file",
    edits: [[FILE, 'pantry-data:/data', 'pantry-data:/data:ro']],
    recreate: ['pantry'],
    until: (stack) => becomes(stack, 'pantry', 'restarting', (now) => now.restarts >= 2),
    expect: {
      root: 'pantry/container',
      code: 'container/restarting',
      innocents: ['api', 'edge', 'jobs', 'primary', 'schema'],
      remedy: /docker compose logs/,
    },
  }),
  {
    id: 'harbor-edge-config-became-folder',
    title: 'the file with the nginx configuration was gone when its container was made: Docker put a folder there',
    stack: 'harbor',
    inject: async (stack) => {
      rmSync(join(stack.dir, 'edge/nginx.conf'));
      await stack.compose('up', '-d', '--no-deps', '--force-recreate', 'edge');
      await until('edge to fail', async () => (await state(stack, 'edge')).Error !== '' || /nginx.conf/.test(await logs(stack, 'edge')));
    },
    heal: async (stack) => {
      rmSync(join(stack.dir, 'edge/nginx.conf'), { recursive: true, force: true });
      restore(stack, 'edge');
      await up(stack, '--force-recreate', 'edge');
    },
    expect: {
      root: 'edge/mounts',
      code: 'mounts/file-became-folder',
      innocents: ['api', 'jobs', 'pantry', 'primary', 'schema'],
      remedy: /docker compose up -d|nginx\.conf|path/,
    },
  },
  {
    id: 'harbor-secret-file-gone',
    title: 'the file of the secret is gone, and the worker was restarted',
    stack: 'harbor',
    inject: async (stack) => {
      const file = join(stack.dir, 'secrets/store_password.txt');
      renameSync(file, `${file}.away`);
      await stack.compose('restart', '-t', '1', 'jobs');
      await becomes(stack, 'jobs', 'refused', (now) => now.Error !== '');
    },
    heal: async (stack) => {
      // The very file: the others hold it, and would not see a new one.
      const file = join(stack.dir, 'secrets/store_password.txt');
      renameSync(`${file}.away`, file);
      await up(stack);
    },
    expect: {
      root: 'jobs/container',
      code: 'container/mount-failed',
      innocents: ['api', 'edge', 'pantry', 'primary', 'schema'],
      remedy: /docker compose up -d/,
    },
  },
  {
    id: 'harbor-env-file-gone',
    title: 'app.env was not copied from its example; Compose refuses the whole project',
    stack: 'harbor',
    inject: async (stack) => {
      rmSync(join(stack.dir, 'app.env'));
      await until('compose to refuse', async () => (await stack.compose('config', '-q')).code !== 0);
    },
    heal: async (stack) => {
      restore(stack, 'app.env');
      await compose(stack, 'config', '-q');
    },
    expect: {
      root: 'compose',
      code: 'compose/env-file-missing',
      innocents: ['api', 'edge', 'jobs', 'pantry', 'primary', 'schema'],
      remedy: /example/,
    },
  },
  {
    id: 'harbor-password-changed-not-applied',
    title: "Redis' password was changed in .env and its container only restarted",
    stack: 'harbor',
    inject: async (stack) => {
      edit(stack, '.env', /PANTRY_PASSWORD=.*/, 'PANTRY_PASSWORD=another-one');
      await compose(stack, 'restart', '-t', '2', 'pantry');
      await answers(stack, STATUS, 200);
    },
    heal: async (stack) => {
      restore(stack, '.env');
      await up(stack);
    },
    expect: {
      root: 'pantry/compose',
      code: ['compose/config-drift', 'compose/env-drift'],
      innocents: ['api', 'edge', 'jobs', 'primary', 'schema'],
      remedy: /docker compose up -d/,
    },
  },
];
