import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { until } from '../run.ts';
import type { Fault } from './fault.ts';
import {
  answers,
  becomes,
  compose,
  docker,
  edit,
  enqueue,
  foreign,
  psql,
  recreate,
  redisCli,
  removeForeign,
  removeVolume,
  restore,
  up,
} from './tools.ts';

/** The files and the containers do not say the same, or the files are wrong. */
export const composeFaults: Fault[] = [
  {
    id: 'env-changed-only-restarted',
    title: '.env was changed and the backend only restarted, which reads no .env',
    inject: async (stack) => {
      edit(stack, '.env', 'LOG_LEVEL=info', 'LOG_LEVEL=debug');
      await compose(stack, 'restart', '-t', '1', 'backend');
      await answers(stack, '/health', 200);
    },
    heal: async (stack) => {
      restore(stack, '.env');
      await up(stack);
    },
    expect: {
      root: 'backend/compose',
      code: ['compose/env-drift', 'compose/config-drift'],
      innocents: ['db', 'nginx', 'redis', 'worker'],
      remedy: /docker compose up -d/,
    },
  },
  {
    id: 'image-rebuilt-not-recreated',
    title: "the backend's image was built anew; the container still runs the old one",
    inject: async (stack) => {
      const context = mkdtempSync(join(tmpdir(), 'stack-doctor-image-'));
      writeFileSync(join(context, 'Dockerfile'), `FROM ${stack.project}-backend\nLABEL build="${Date.now()}"\n`);
      await docker(stack, 'build', '-q', '--network', 'none', '-t', `${stack.project}-backend`, context);
      rmSync(context, { recursive: true });
      await compose(stack, 'restart', '-t', '1', 'backend');
      await answers(stack, '/health', 200);
    },
    heal: async (stack) => {
      const image = await docker(stack, 'inspect', '--format', '{{.Image}}', await stack.containerId('backend'));
      await docker(stack, 'tag', image.trim(), `${stack.project}-backend`);
    },
    expect: {
      root: 'backend/compose',
      code: 'compose/image-drift',
      innocents: ['db', 'nginx', 'redis', 'worker'],
      remedy: /docker compose up -d/,
    },
  },
  {
    id: 'compose-tab',
    title: 'docker-compose.yml has a tab in it; the stack of yesterday still runs',
    inject: async (stack) => {
      edit(stack, 'docker-compose.yml', '  redis:\n', '  redis:\n\tcontainer_name: cache\n');
      await until('compose to refuse the file', async () => (await stack.compose('config', '-q')).code !== 0);
    },
    heal: async (stack) => {
      restore(stack, 'docker-compose.yml');
      await compose(stack, 'config', '-q');
    },
    expect: {
      root: 'compose',
      code: 'compose/invalid',
      innocents: ['backend', 'db', 'nginx', 'redis', 'worker'],
      remedy: /docker compose config/,
    },
  },
  {
    id: 'db-password-unset',
    title: '.env has lost DB_PASSWORD, which the compose file demands',
    inject: async (stack) => {
      edit(stack, '.env', /DB_PASSWORD=.*\n/, '');
      await until('compose to refuse the file', async () => (await stack.compose('config', '-q')).code !== 0);
    },
    heal: async (stack) => {
      restore(stack, '.env');
      await compose(stack, 'config', '-q');
    },
    expect: {
      root: 'compose',
      code: ['compose/variable-unset', 'compose/required-variable'],
      innocents: ['backend', 'db', 'nginx', 'redis', 'worker'],
      remedy: /\.env/,
    },
  },
  {
    id: 'db-password-blank',
    title: 'DB_PASSWORD is not set and not demanded, so a new Postgres gets an empty password and refuses it',
    inject: async (stack) => {
      edit(stack, '.env', /DB_PASSWORD=.*\n/, '');
      edit(stack, 'docker-compose.yml', /\$\{DB_PASSWORD:[^}]*\}/g, '${DB_PASSWORD}');
      await compose(stack, 'rm', '-sfv', 'db');
      await removeVolume(stack, 'postgres-data');
      await compose(stack, 'up', '-d', '--no-deps', 'db');
      await becomes(stack, 'db', 'exited', (now) => now.Status === 'exited');
    },
    heal: async (stack) => {
      restore(stack, '.env', 'docker-compose.yml');
      await up(stack, '--force-recreate');
    },
    expect: { root: 'compose', code: 'compose/variable-unset', innocents: ['backend', 'nginx', 'redis', 'worker'], remedy: /\.env/ },
  },
  {
    id: 'postgres-18-old-data-path',
    title: 'the volume of postgres:18 is mounted at .../data, as it was up to 17',
    inject: async (stack) => {
      edit(stack, 'docker-compose.yml', 'postgres-data:/var/lib/postgresql\n', 'postgres-data:/var/lib/postgresql/data\n');
      // Were it recreated, Compose would hand on what the old container had at the parent folder, and all would be well.
      await compose(stack, 'rm', '-sfv', 'db');
      await compose(stack, 'up', '-d', '--no-deps', 'db');
      await becomes(stack, 'db', 'exited', (now) => now.Status === 'exited');
    },
    heal: async (stack) => {
      await compose(stack, 'rm', '-sfv', 'db');
      restore(stack, 'docker-compose.yml');
      await up(stack);
    },
    expect: {
      root: 'db/compose',
      code: 'compose/postgres-data-path',
      innocents: ['backend', 'nginx', 'redis', 'worker'],
      remedy: /\/var\/lib\/postgresql/,
    },
  },
  {
    id: 'postgres-18-data-outside-volume',
    title: 'as before, but with an image that does not notice: the data lies in an anonymous volume, which `down` forgets',
    inject: async (stack) => {
      edit(stack, 'docker-compose.yml', 'postgres-data:/var/lib/postgresql\n', 'postgres-data:/var/lib/postgresql/data\n');
      edit(stack, 'docker-compose.yml', '      POSTGRES_DB:', '      LAB_MISSES_OLD_MOUNT: "1"\n      POSTGRES_DB:');
      await compose(stack, 'rm', '-sfv', 'db');
      await recreate(stack, 'db');
      await becomes(stack, 'db', 'healthy', (now) => now.Health?.Status === 'healthy');
      await recreate(stack, 'backend');
      await becomes(stack, 'backend', 'healthy', (now) => now.Health?.Status === 'healthy');
    },
    heal: async (stack) => {
      await compose(stack, 'rm', '-sfv', 'db');
      restore(stack, 'docker-compose.yml');
      await up(stack);
    },
    expect: {
      root: 'db/compose',
      code: 'compose/postgres-data-path',
      innocents: ['backend', 'nginx', 'redis', 'worker'],
      remedy: /\/var\/lib\/postgresql/,
    },
  },
  {
    id: 'worker-other-queue',
    title: 'the worker reads Redis database 1, the backend writes to 0: jobs wait for ever',
    inject: async (stack) => {
      edit(stack, 'docker-compose.yml', '      PYTHONPATH:', '      REDIS_URL: redis://redis:6379/1\n      PYTHONPATH:');
      await recreate(stack, 'worker');
      for (let job = 0; job < 3; job++) await enqueue(stack);
      await until('jobs to wait', async () => Number(await redisCli(stack, 'llen', 'taskiq')) >= 3);
    },
    heal: async (stack) => {
      restore(stack, 'docker-compose.yml');
      await up(stack);
    },
    expect: {
      root: 'worker/worker',
      code: 'worker/other-queue',
      innocents: ['backend', 'db', 'nginx', 'redis'],
      remedy: /docker compose up -d .*worker/,
    },
  },
  {
    id: 'password-with-dollar',
    title: 'the backend has its password from a line of .env with a "$" in it, and a piece of it is lost',
    inject: async (stack) => {
      edit(stack, '.env', /$/, 'API_DB_PASSWORD="pa$word"\n');
      await psql(stack, "create role api superuser login password 'pa$word'");
      edit(
        stack,
        'docker-compose.yml',
        '      ASTRO_DIST:',
        '      DATABASE_URL: postgresql+asyncpg://api:${API_DB_PASSWORD}@db:5432/shootout\n      ASTRO_DIST:',
      );
      await compose(stack, 'up', '-d', '--no-deps', 'backend');
      await becomes(stack, 'backend', 'restarting', (now) => now.restarts >= 2);
    },
    heal: async (stack) => {
      restore(stack, '.env', 'docker-compose.yml');
      await up(stack);
      await psql(stack, 'drop role api');
    },
    expect: {
      root: 'backend/compose',
      code: 'compose/dollar-in-value',
      innocents: ['db', 'nginx', 'redis', 'worker'],
      remedy: /single quotes/,
    },
  },
  {
    id: 'profile-of-dependency',
    title: 'the worker waits for a service that is started only with a profile; Compose refuses the project',
    inject: async (stack) => {
      edit(
        stack,
        'docker-compose.yml',
        '      backend: { condition: service_healthy }\n\n  # Build-only',
        '      backend: { condition: service_healthy }\n      astro: { condition: service_started }\n\n  # Build-only',
      );
      await until('compose to refuse the project', async () => (await stack.compose('config', '-q')).code !== 0);
    },
    heal: async (stack) => {
      restore(stack, 'docker-compose.yml');
      await compose(stack, 'config', '-q');
    },
    expect: {
      root: 'compose',
      code: 'compose/profile-inactive',
      innocents: ['backend', 'db', 'nginx', 'redis', 'worker'],
      remedy: /--profile/,
    },
  },
  {
    id: 'container-name-taken',
    title: 'the name that is fixed for the container of the worker is that of another container',
    inject: async (stack) => {
      const name = `${stack.project}-taken`;
      edit(
        stack,
        'docker-compose.yml',
        '    entrypoint: ["python", "-m", "app.worker"]',
        `    container_name: ${name}\n    entrypoint: ["python", "-m", "app.worker"]`,
      );
      const image = (await docker(stack, 'inspect', '--format', '{{.Config.Image}}', await stack.containerId('redis'))).trim();
      await foreign(stack, 'taken', '--label', 'com.docker.compose.project=elsewhere', image);
      await compose(stack, 'rm', '-sfv', 'worker');
    },
    heal: async (stack) => {
      await removeForeign(stack);
      restore(stack, 'docker-compose.yml');
      await up(stack);
    },
    expect: {
      root: 'worker/compose',
      code: 'compose/name-taken',
      innocents: ['backend', 'db', 'nginx', 'redis'],
      remedy: /container_name/,
    },
  },
  {
    id: 'orphan-left',
    title: 'a service was taken out of the compose file, and its container still runs',
    inject: async (stack) => {
      const image = (await docker(stack, 'inspect', '--format', '{{.Config.Image}}', await stack.containerId('redis'))).trim();
      const labels = {
        project: stack.project,
        service: 'cache',
        oneoff: 'False',
        'container-number': '1',
        'project.working_dir': stack.dir,
      };
      const flags = Object.entries(labels).flatMap(([key, value]) => ['--label', `com.docker.compose.${key}=${value}`]);
      await foreign(stack, 'cache-1', ...flags, image);
    },
    heal: (stack) => removeForeign(stack),
    expect: {
      root: 'compose',
      code: 'compose/orphans',
      status: 'warn',
      innocents: ['backend', 'db', 'nginx', 'redis', 'worker'],
      remedy: /--remove-orphans/,
    },
  },
];
