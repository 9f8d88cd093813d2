import type { LabStack } from '../stack.ts';
import type { Fault } from './fault.ts';
import { answers, becomes, compose, edit, recreate, restore, up } from './tools.ts';

const FILE = 'docker-compose.yml';
const REDIS_PING = '["CMD-SHELL", "redis-cli ping | grep -q PONG"]';

async function healed(stack: LabStack): Promise<void> {
  restore(stack, FILE);
  await up(stack);
}

const others = (...names: string[]): string[] => ['backend', 'db', 'nginx', 'redis', 'worker'].filter((name) => !names.includes(name));

/** Who starts when, and whether a healthcheck says what is so. */
export const startOrderFaults: Fault[] = [
  {
    id: 'started-too-early',
    title: 'the backend was started before the database, did not wait, and nothing starts it again',
    inject: async (stack) => {
      edit(
        stack,
        FILE,
        '    restart: unless-stopped\n    depends_on:\n      db: { condition: service_healthy }',
        '    restart: "no"\n    depends_on:\n      db: { condition: service_started }',
      );
      await compose(stack, 'stop', '-t', '1', 'db');
      await compose(stack, 'up', '-d', '--no-deps', 'backend');
      await becomes(stack, 'backend', 'exited', (now) => now.Status === 'exited');
      await compose(stack, 'up', '-d', 'db');
      await becomes(stack, 'db', 'healthy', (now) => now.Health?.Status === 'healthy');
    },
    heal: healed,
    expect: { root: 'backend/start-order', code: 'start-order/too-early', innocents: others('backend'), remedy: /service_healthy/ },
  },
  {
    id: 'job-failed',
    title: 'a job that nginx waits for ends with 3',
    inject: async (stack) => {
      const seed = `  seed:\n    image: ${stack.project}-backend\n    pull_policy: never\n    entrypoint: ["sh", "-c", "echo seeding; exit 3"]\n    restart: "no"\n\n`;
      edit(stack, FILE, '  backend:\n    build', `${seed}  backend:\n    build`);
      edit(
        stack,
        FILE,
        '    depends_on:\n      backend: { condition: service_healthy }',
        '    depends_on:\n      seed: { condition: service_completed_successfully }\n      backend: { condition: service_healthy }',
      );
      await compose(stack, 'rm', '-sfv', 'nginx');
      await stack.compose('up', '-d', 'nginx');
      await becomes(stack, 'nginx', 'created', (now) => now.Status === 'created');
    },
    heal: async (stack) => {
      await compose(stack, 'rm', '-sfv', 'seed');
      await healed(stack);
    },
    expect: { root: 'seed/container', code: 'container/job-failed', innocents: others(), remedy: /docker compose logs .*seed/ },
  },
  {
    id: 'probe-times-out',
    title: 'the probe of the backend takes longer than its healthcheck gives it; the app is well',
    inject: async (stack) => {
      edit(
        stack,
        FILE,
        '["CMD", "python", "-m", "app.probe"]\n      interval: 2s\n      timeout: 5s\n      retries: 3\n      start_period: 30s\n      start_interval: 1s',
        '["CMD", "sleep", "20"]\n      interval: 1s\n      timeout: 1s\n      retries: 2',
      );
      await recreate(stack, 'backend');
      await becomes(stack, 'backend', 'unhealthy', (now) => now.Health?.Status === 'unhealthy');
      await answers(stack, '/health', 200);
    },
    heal: healed,
    expect: { root: 'backend/healthcheck', code: 'healthcheck/timed-out', innocents: others('backend'), remedy: /timeout/ },
  },
  {
    id: 'healthy-though-refused',
    title: 'Redis wants a password, and its healthcheck passes on the refusal',
    inject: async (stack) => {
      edit(stack, FILE, 'redis://redis:6379/0', 'redis://:open-sesame@redis:6379/0');
      edit(stack, FILE, REDIS_PING, '["CMD", "redis-cli", "ping"]');
      edit(
        stack,
        FILE,
        '    image: redis:8.4.0-alpine\n',
        '    image: redis:8.4.0-alpine\n    command: redis-server --requirepass open-sesame\n',
      );
      await up(stack);
    },
    heal: healed,
    expect: {
      root: 'redis/healthcheck',
      code: 'healthcheck/passes-on-error',
      status: 'warn',
      innocents: others('redis'),
      remedy: /grep -q PONG/,
    },
  },
  {
    id: 'healthcheck-arguments-lost',
    title: 'CMD-SHELL is given a list of words, and takes the first',
    inject: async (stack) => {
      edit(
        stack,
        FILE,
        '["CMD", "pg_isready", "-h", "127.0.0.1", "-U", "shootout", "-d", "shootout"]',
        '["CMD-SHELL", "pg_isready", "-U", "shootout"]',
      );
      await up(stack);
    },
    heal: healed,
    expect: { root: 'db/healthcheck', code: 'healthcheck/arguments-dropped', status: 'warn', innocents: others('db'), remedy: /CMD/ },
  },
];
