import { until } from '../run.ts';
import type { LabStack } from '../stack.ts';
import type { Fault } from './fault.ts';
import { answers, compose, docker, edit, enqueue, logs, recreate, redisCli, restore, up } from './tools.ts';

const others = ['backend', 'db', 'nginx', 'worker'];

const jobsAreRefused = (stack: LabStack): Promise<unknown> =>
  until('jobs to be refused', async () => (await enqueue(stack)).status === 500);

/** Redis runs, but the app cannot use it. */
export const redisFaults: Fault[] = [
  {
    id: 'redis-password',
    title: 'Redis wants a password and REDIS_URL has none',
    inject: async (stack) => {
      await redisCli(stack, 'config', 'set', 'requirepass', 'set-by-hand');
      await answers(stack, '/health', 503, 'Authentication');
    },
    heal: async (stack) => {
      await redisCli(stack, '--no-auth-warning', '-a', 'set-by-hand', 'config', 'set', 'requirepass', '');
      await up(stack);
    },
    expect: { root: 'redis/redis', code: 'redis/auth-required', innocents: others, remedy: /redis:\/\/:/ },
  },
  {
    id: 'redis-cannot-save',
    title: 'Redis cannot write its snapshot, so it refuses writes',
    inject: async (stack) => {
      await stack.exec('redis', ['sh', '-c', 'chown root /data && chmod 755 /data']);
      await redisCli(stack, 'bgsave');
      await until('the snapshot to fail', async () => (await redisCli(stack, 'info', 'persistence')).includes('last_bgsave_status:err'));
      await jobsAreRefused(stack);
    },
    heal: async (stack) => {
      await stack.exec('redis', ['sh', '-c', 'chown redis /data']);
      await redisCli(stack, 'bgsave');
      await until('a snapshot', async () => (await redisCli(stack, 'info', 'persistence')).includes('last_bgsave_status:ok'));
      await up(stack);
    },
    expect: { root: 'redis/redis', code: 'redis/cannot-persist', innocents: others, remedy: /\/data|BGSAVE/i },
  },
  {
    id: 'redis-out-of-memory',
    title: 'Redis has reached maxmemory and may evict nothing',
    inject: async (stack) => {
      await redisCli(stack, 'eval', "redis.call('set', 'cache:waveform', string.rep('x', 3000000))", '0');
      await redisCli(stack, 'config', 'set', 'maxmemory', '2mb');
      await jobsAreRefused(stack);
    },
    heal: async (stack) => {
      await redisCli(stack, 'config', 'set', 'maxmemory', '0');
      await redisCli(stack, 'del', 'cache:waveform');
      await up(stack);
    },
    expect: { root: 'redis/redis', code: 'redis/out-of-memory', innocents: others, remedy: /maxmemory/ },
  },
  {
    id: 'redis-tls-url',
    title: 'REDIS_URL demands TLS of a Redis that has none',
    inject: async (stack) => {
      edit(stack, 'docker-compose.yml', '  REDIS_URL: redis://', '  REDIS_URL: rediss://');
      await recreate(stack, 'backend');
      await recreate(stack, 'worker');
      await answers(stack, '/health', 503);
    },
    heal: async (stack) => {
      restore(stack, 'docker-compose.yml');
      await up(stack);
    },
    expect: { root: 'redis/redis', code: 'redis/tls-mismatch', innocents: ['db', 'nginx'], remedy: /redis:\/\// },
  },
  {
    id: 'worker-other-redis',
    title: 'the worker waits at a second Redis, where nobody puts anything',
    inject: async (stack) => {
      const image = (await docker(stack, 'inspect', '--format', '{{.Config.Image}}', await stack.containerId('redis'))).trim();
      edit(
        stack,
        'docker-compose.yml',
        '  # Build-only:',
        `  jobs:\n    image: ${image}\n    pull_policy: never\n    stop_grace_period: 1s\n\n  # Build-only:`,
      );
      edit(stack, 'docker-compose.yml', '      PYTHONPATH:', '      REDIS_URL: redis://jobs:6379/0\n      PYTHONPATH:');
      await compose(stack, 'up', '-d', '--no-deps', 'jobs');
      await recreate(stack, 'worker');
      await enqueue(stack);
      await until('the worker to wait', async () => (await logs(stack, 'worker')).includes('listening'));
    },
    heal: async (stack) => {
      await compose(stack, 'rm', '-sfv', 'jobs');
      restore(stack, 'docker-compose.yml');
      await recreate(stack, 'worker');
      await up(stack);
    },
    expect: {
      root: 'worker/worker',
      code: 'worker/other-queue',
      innocents: ['backend', 'db', 'jobs', 'nginx', 'redis'],
      remedy: /docker compose up -d backend worker/,
    },
  },
  {
    id: 'worker-unknown-task',
    title: 'a job names a task that the worker does not have; it is dropped',
    inject: async (stack) => {
      await redisCli(stack, 'lpush', 'taskiq', '{"task_name": "normalise", "args": []}');
      await until('the worker to drop it', async () => (await logs(stack, 'worker')).includes('is not found'));
    },
    heal: async (stack) => {
      await recreate(stack, 'worker');
      await up(stack);
    },
    expect: {
      root: 'worker/worker',
      code: 'worker/task-unknown',
      innocents: ['backend', 'db', 'nginx', 'redis'],
      remedy: /Name the module/,
    },
  },
  {
    id: 'redis-replica',
    title: 'Redis has become a read-only replica of something else',
    inject: async (stack) => {
      await redisCli(stack, 'replicaof', '127.0.0.1', '1');
      await jobsAreRefused(stack);
    },
    heal: async (stack) => {
      await redisCli(stack, 'replicaof', 'no', 'one');
      await up(stack);
    },
    expect: { root: 'redis/redis', code: 'redis/read-only-replica', innocents: others, remedy: /REPLICAOF NO ONE/i },
  },
];
