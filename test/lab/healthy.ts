import { editFile as edit } from './edit-file.ts';
import { compose, edit as editStack, enqueue } from './faults/tools.ts';
import { granaryVariants } from './healthy-granary.ts';
import { harborVariants } from './healthy-harbor.ts';
import { orchardVariants } from './healthy-orchard.ts';
import { traps } from './healthy-traps.ts';
import type { HealthyVariant } from './healthy-variant.ts';
import { until } from './run.ts';
import type { StackOptions } from './stack.ts';
import { beside } from './owner.ts';

const FILE = 'docker-compose.yml';

/** What `startStack` is given for it. */
export const optionsOf = ({ stack = 'shootout', options }: HealthyVariant): StackOptions => ({ ...options, fixture: stack });

const SEED = `  seed:
    build:
      context: ./backend
      dockerfile: Dockerfile.dev
    entrypoint: ["python", "-m", "app.migrate"]
    command: []
    volumes:
      - ./backend:/app
    environment: *app-environment
    restart: "no"
    depends_on:
      db: { condition: service_healthy }

`;

export const healthyVariants: HealthyVariant[] = [
  { id: 'reference', title: 'the fixture as it is', options: {} },
  {
    id: 'redis-password',
    title: 'Redis with a password that everybody knows',
    options: {
      edit: (dir) =>
        edit(
          dir,
          FILE,
          ['redis://redis:6379/0', 'redis://:open-sesame@redis:6379/0'],
          ['    image: redis:8.4.0-alpine\n', '    image: redis:8.4.0-alpine\n    command: redis-server --requirepass open-sesame\n'],
          ['redis-cli ping', 'redis-cli -a open-sesame --no-auth-warning ping'],
        ),
    },
  },
  {
    id: 'ports-unpublished',
    title: 'Postgres, Redis and the backend publish no port',
    options: {
      edit: (dir) =>
        edit(
          dir,
          FILE,
          ...['BACKEND', 'DB', 'REDIS'].map((name): [RegExp, string] => [new RegExp(` {4}ports:\\n {6}- .*${name}_PORT.*\\n`), '']),
        ),
    },
  },
  {
    id: 'two-workers',
    title: 'two workers share the queue',
    options: { up: ['--wait', '--scale', 'worker=2'] },
  },
  {
    id: 'one-shot-finished',
    title: 'a one-shot service has exited with 0 and others waited for that',
    options: {
      edit: (dir) =>
        edit(
          dir,
          FILE,
          ['  backend:\n', `${SEED}  backend:\n`],
          [/( {4}restart: unless-stopped\n {4}depends_on:\n)/, '$1      seed: { condition: service_completed_successfully }\n'],
        ),
      // `--wait` takes a service that ends for a failure.
      up: [],
    },
    after: async (stack) => {
      await compose(stack, 'up', '-d', '--wait', 'nginx', 'worker');
    },
  },
  {
    id: 'no-healthchecks',
    title: 'no service has a healthcheck',
    options: {
      edit: (dir) => edit(dir, FILE, [/ {4}healthcheck:\n(?: {6}.*\n)+/g, ''], [/service_healthy/g, 'service_started']),
      up: [],
    },
    after: async (stack) => {
      // Without them nobody waits: the first starts may fail, and the restart policy mends it.
      await until(
        'the stack to work',
        async () => {
          const answer = await enqueue(stack);
          if (answer.status === 0 || answer.status === 502) await compose(stack, 'up', '-d');
          return answer.status === 202;
        },
        60_000,
        500,
      );
    },
  },
  {
    id: 'build-container-stopped',
    title: 'the build-only service ran once, exited with 0 and lies there',
    options: {},
    after: async (stack) => {
      // In the foreground: `wait` finds nothing when the build is quicker than it.
      await compose(stack, '--profile', 'build', 'up', 'astro');
    },
  },
  {
    id: 'build-container-sleeps',
    title: 'the build-only service sleeps for ever, to be used with exec',
    options: {
      edit: (dir) => edit(dir, FILE, ['    profiles: [build]\n', '    command: ["sleep", "infinity"]\n']),
    },
  },
  {
    id: 'database-restarted',
    title: "Postgres was restarted a moment ago; its log and the backend's tell of it (FA-18, FA-24)",
    options: {},
    after: async (stack) => {
      await compose(stack, 'restart', 'db');
      await compose(stack, 'up', '-d', '--wait');
    },
  },
  {
    id: 'compose-notes',
    title: 'Compose has notes to make: an obsolete attribute (FA-10), a volume that it did not make itself (FA-11)',
    options: { edit: (dir) => edit(dir, FILE, ['services:\n', 'version: "3.8"\nservices:\n']) },
    after: async (stack) => {
      await compose(stack, 'down', '-v', '-t', '1');
      await stack.docker('volume', 'create', ...beside(stack), `${stack.project}_postgres-data`);
      await compose(stack, 'up', '-d', '--wait');
    },
  },
  {
    id: 'comment-edited',
    title: 'a comment in the compose file changed; nothing to recreate',
    options: {},
    after: async (stack) => editStack(stack, FILE, 'services:\n', '# The order does not matter.\nservices:\n'),
  },
  ...traps,
  ...harborVariants,
  ...orchardVariants,
  ...granaryVariants,
];
