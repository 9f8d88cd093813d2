import type { Fault } from './fault.ts';
import { answers, becomes, compose, docker, edit, enqueue, recreate, redisCli, restore, up } from './tools.ts';
import { until } from '../run.ts';

/** A container that does not run, or not as it should. */
export const containerFaults: Fault[] = [
  {
    id: 'db-stopped',
    title: 'somebody stopped Postgres',
    inject: async (stack) => {
      await compose(stack, 'stop', 'db');
      await answers(stack, '/health', 503);
    },
    heal: (stack) => up(stack),
    expect: {
      root: 'db/container',
      code: 'container/exited',
      innocents: ['backend', 'worker', 'nginx', 'redis'],
      remedy: /docker compose (up -d|start) db/,
    },
  },
  {
    id: 'db-paused',
    title: 'Postgres is paused: its name resolves, its port opens, nothing answers',
    inject: async (stack) => {
      await compose(stack, 'pause', 'db');
      await answers(stack, '/health', 503);
    },
    heal: async (stack) => {
      await compose(stack, 'unpause', 'db');
      await up(stack);
    },
    expect: {
      root: 'db/container',
      code: 'container/paused',
      innocents: ['backend', 'worker', 'nginx', 'redis'],
      remedy: /docker compose unpause db/,
    },
  },
  {
    id: 'redis-stopped',
    title: 'somebody stopped Redis',
    inject: async (stack) => {
      await compose(stack, 'stop', 'redis');
      await answers(stack, '/health', 503);
    },
    heal: (stack) => up(stack),
    expect: {
      root: 'redis/container',
      code: 'container/exited',
      innocents: ['backend', 'worker', 'nginx', 'db'],
      remedy: /docker compose (up -d|start) redis/,
    },
  },
  {
    id: 'redis-paused',
    title: 'Redis is paused',
    inject: async (stack) => {
      await compose(stack, 'pause', 'redis');
      await answers(stack, '/health', 503);
    },
    heal: async (stack) => {
      await compose(stack, 'unpause', 'redis');
      await up(stack);
    },
    expect: {
      root: 'redis/container',
      code: 'container/paused',
      innocents: ['backend', 'worker', 'nginx', 'db'],
      remedy: /docker compose unpause redis/,
    },
  },
  {
    id: 'worker-stopped',
    title: 'the worker is stopped and the queue grows, while the site is green',
    inject: async (stack) => {
      await compose(stack, 'stop', 'worker');
      for (let job = 0; job < 5; job++) await enqueue(stack);
      await until('jobs to wait', async () => Number(await redisCli(stack, 'llen', 'taskiq')) >= 5);
    },
    heal: (stack) => up(stack),
    expect: {
      root: 'worker/container',
      code: ['container/exited', 'worker/no-consumer'],
      innocents: ['backend', 'db', 'nginx', 'redis'],
      remedy: /docker compose (up -d|start) worker/,
    },
  },
  {
    id: 'worker-crash-loop',
    title: 'the worker imports a module that is not there, and restarts for ever',
    inject: async (stack) => {
      edit(stack, 'backend/app/worker.py', 'import asyncio', 'import asyncio\nimport resampler');
      await compose(stack, 'restart', 'worker');
      await becomes(stack, 'worker', 'restarting', (now) => now.restarts >= 2);
    },
    heal: async (stack) => {
      restore(stack, 'backend');
      await recreate(stack, 'worker');
      await up(stack);
    },
    expect: {
      root: 'worker/startup',
      code: 'startup/module-missing',
      innocents: ['backend', 'db', 'nginx', 'redis'],
      remedy: /docker compose up -d --build worker/,
    },
  },
  {
    id: 'migration-fails',
    title: 'a migration is wrong, so the entrypoint ends before the app starts',
    inject: async (stack) => {
      edit(stack, 'backend/migrations/002_demo.sql', /$/, 'alter table amplifiers add column brand text;\n');
      await compose(
        stack,
        'exec',
        '-T',
        'db',
        'psql',
        '-U',
        'shootout',
        '-qc',
        "delete from schema_migrations where name = '002_demo.sql'",
      );
      await compose(stack, 'restart', 'backend');
      await becomes(stack, 'backend', 'restarting', (now) => now.restarts >= 2);
    },
    heal: async (stack) => {
      restore(stack, 'backend');
      await recreate(stack, 'backend');
      await up(stack);
    },
    expect: {
      root: 'backend/migrations',
      code: 'migrations/failed',
      innocents: ['db', 'nginx', 'redis', 'worker'],
      remedy: /Correct the migration/,
    },
  },
  {
    id: 'backend-oom-killed',
    title: 'the backend needs more memory than its limit and is killed',
    inject: async (stack) => {
      edit(stack, 'docker-compose.yml', '      ASTRO_DIST:', '      TAKES_IN_MEMORY: "64"\n      ASTRO_DIST:');
      edit(
        stack,
        'docker-compose.yml',
        '    restart: unless-stopped',
        '    mem_limit: 128m\n    memswap_limit: 128m\n    command: uvicorn app.main:app --host 0.0.0.0\n    restart: "no"',
      );
      edit(
        stack,
        'backend/app/main.py',
        'app = FastAPI',
        'import os\n\ntakes = [os.urandom(8_000_000) for _ in range(int(os.environ.get("TAKES_IN_MEMORY", 0)))]\napp = FastAPI',
      );
      await recreate(stack, 'backend');
      await becomes(stack, 'backend', 'killed for its memory', (now) => now.Status === 'exited' && now.OOMKilled);
    },
    heal: async (stack) => {
      restore(stack, 'docker-compose.yml', 'backend');
      await up(stack);
    },
    expect: {
      root: 'backend/container',
      code: 'container/oom-killed',
      innocents: ['db', 'nginx', 'redis', 'worker'],
      remedy: /mem_limit|memory/,
    },
  },
  {
    id: 'healthcheck-missing-binary',
    title: 'the healthcheck calls curl, which the slim image has not; the app is well',
    inject: async (stack) => {
      edit(stack, 'docker-compose.yml', '["CMD", "python", "-m", "app.probe"]', '["CMD", "curl", "-f", "http://localhost:8000/health"]');
      edit(stack, 'docker-compose.yml', 'start_period: 30s\n      start_interval: 1s\n    restart', 'start_period: 1s\n    restart');
      await recreate(stack, 'backend');
      await becomes(stack, 'backend', 'unhealthy', (now) => now.Health?.Status === 'unhealthy');
      await answers(stack, '/health', 200);
    },
    heal: async (stack) => {
      restore(stack, 'docker-compose.yml');
      await up(stack);
    },
    expect: {
      root: 'backend/container',
      code: 'container/healthcheck-broken',
      innocents: ['db', 'nginx', 'redis', 'worker'],
      remedy: /docker compose up -d backend/,
    },
  },
  {
    id: 'worker-never-started',
    title: 'the worker was created and never started',
    inject: async (stack) => {
      await compose(stack, 'rm', '-sfv', 'worker');
      await compose(stack, 'create', 'worker');
      await becomes(stack, 'worker', 'created', (now) => now.Status === 'created');
    },
    heal: (stack) => up(stack),
    expect: {
      root: 'worker/container',
      code: 'container/dependency-failed',
      innocents: ['backend', 'db', 'nginx', 'redis'],
      remedy: /docker compose (up -d|start)/,
    },
  },
  {
    id: 'worker-missing',
    title: 'the worker has no container at all',
    inject: async (stack) => {
      await compose(stack, 'rm', '-sfv', 'worker');
      await docker(stack, 'ps');
    },
    heal: (stack) => up(stack),
    expect: {
      root: 'worker/container',
      code: 'container/missing',
      innocents: ['backend', 'db', 'nginx', 'redis'],
      remedy: /docker compose up -d/,
    },
  },
];
