import { mkdirSync, renameSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { becomes, compose, redisCli, up } from './faults/tools.ts';
import type { HealthyVariant } from './healthy-variant.ts';
import { editFile } from './edit-file.ts';

const FILE = 'docker-compose.yml';
const CONF = 'nginx/conf.d/default.conf';

/** A service at the end of the list. */
const added = (dir: string, ...lines: string[]): void =>
  editFile(dir, FILE, [/\nvolumes:\n/, `\n${lines.map((line) => `  ${line}\n`).join('')}\nvolumes:\n`]);

const variant = (id: string, title: string, edit: (dir: string) => void, more: Partial<HealthyVariant> = {}): HealthyVariant => ({
  id,
  title,
  ...more,
  options: { edit, ...more.options },
});

/** The reference stack with what misleads: each has been taken for a fault by somebody's tool. */
export const traps: HealthyVariant[] = [
  {
    id: 'run-one-off',
    title: 'one-off containers of `docker compose run`: one lives, one has failed',
    options: {},
    after: async (stack) => {
      await compose(stack, 'run', '-d', '--no-deps', '--entrypoint', 'sleep', 'worker', '100000');
      await stack.compose('run', '--no-deps', '-T', '--entrypoint', 'python', 'worker', '-c', 'raise SystemExit("no such command")');
    },
  },
  {
    id: 'errors-before-the-start',
    title: "the worker's log is full of errors, all from before its last start",
    options: {},
    after: async (stack) => {
      const lines = [
        'FATAL: password authentication failed',
        'ModuleNotFoundError: No module named app',
        'redis.exceptions.ConnectionError',
      ];
      for (const service of ['worker', 'backend', 'nginx'])
        await stack.exec(service, [
          'sh',
          '-c',
          `for line in ${lines.map((line) => `'ERROR ${line}'`).join(' ')}; do echo "$line" >/proc/1/fd/1; done`,
        ]);
      await compose(stack, 'restart', '-t', '1', 'worker', 'backend', 'nginx');
      await up(stack);
    },
  },
  {
    id: 'restarted-once',
    title: 'the worker ended once and was started again by its restart policy',
    options: {},
    after: async (stack) => {
      await stack.exec('worker', ['sh', '-c', 'kill -TERM 1']);
      await becomes(stack, 'worker', 'restarted', (now) => now.restarts === 1 && now.Status === 'running');
      await up(stack);
    },
  },
  {
    id: 'queue-busy',
    title: 'a long queue, and a worker that is at it',
    options: {},
    after: async (stack) => {
      const job = '{"task_name":"render","args":[1]}';
      await redisCli(stack, 'eval', `for i = 1, 5000 do redis.call('lpush', 'taskiq', '${job}') end`, '0');
    },
  },
  variant('switched-off', 'services that are not to run: behind a profile, scaled to none', (dir) =>
    added(
      dir,
      'mailhog:',
      '  image: redis:8.4.0-alpine',
      '  profiles: [mail]',
      '  ports: ["127.0.0.1:1:1"]',
      'flower:',
      '  image: redis:8.4.0-alpine',
      '  deploy: { replicas: 0 }',
      '  depends_on: [redis]',
    ),
  ),
  variant(
    'one-shot-alone',
    'a service ran once, exited with 0, and nobody waits for it',
    (dir) =>
      added(
        dir,
        'warm-cache:',
        '  image: redis:8.4.0-alpine',
        '  command: redis-cli -h redis set warm 1',
        '  restart: "no"',
        '  depends_on: [redis]',
      ),
    {
      options: { up: [] },
      after: async (stack) => {
        await becomes(stack, 'warm-cache', 'finished', (now) => now.Status === 'exited' && now.ExitCode === 0);
        await compose(stack, 'up', '-d', '--wait', 'nginx', 'worker');
      },
    },
  ),
  variant(
    'profile-container-killed',
    'a service behind a profile slept until somebody stopped it: 137 or 143, and nothing is wrong',
    (dir) => editFile(dir, FILE, ['    profiles: [build]\n', '    profiles: [build]\n    entrypoint: ["sleep", "100000"]\n']),
    {
      after: async (stack) => {
        await compose(stack, '--profile', 'build', 'up', '-d', '--no-deps', 'astro');
        await compose(stack, '--profile', 'build', 'stop', '-t', '1', 'astro');
      },
    },
  ),
  variant(
    'still-starting',
    'a service may take ten minutes to become healthy, and has had one second',
    (dir) =>
      added(
        dir,
        'search:',
        '  image: redis:8.4.0-alpine',
        '  healthcheck:',
        '    test: ["CMD-SHELL", "redis-cli get index-is-built | grep -q yes"]',
        '    interval: 2s',
        '    start_period: 600s',
      ),
    {
      options: { up: [] },
      after: async (stack) => {
        await compose(stack, 'up', '-d', '--wait', 'nginx', 'worker');
      },
    },
  ),
  variant('tmpfs', 'nothing of Redis is kept, and nginx may write to memory only', (dir) =>
    editFile(
      dir,
      FILE,
      ['      - redis-data:/data\n', '      - type: tmpfs\n        target: /data\n'],
      ['  redis-data:\n', ''],
      [
        '    image: nginx:alpine\n',
        '    image: nginx:alpine\n    read_only: true\n    tmpfs: [/var/cache/nginx, /run, /tmp, /var/lib/nginx, /var/log/nginx]\n',
      ],
    ),
  ),
  variant('dist-is-a-link', 'astro/dist is a symbolic link to the release of the day', (dir) => {
    mkdirSync(join(dir, 'astro/releases'));
    renameSync(join(dir, 'astro/dist'), join(dir, 'astro/releases/today'));
    symlinkSync('releases/today', join(dir, 'astro/dist'));
  }),
  variant('other-names', 'a container name of its own, and a network alias that the clients use', (dir) =>
    editFile(
      dir,
      FILE,
      ['@db:5432', '@database.internal:5432'],
      [
        '    image: postgres:18-alpine\n',
        '    image: postgres:18-alpine\n    container_name: ${COMPOSE_PROJECT_NAME}-pg\n    networks: { default: { aliases: [database.internal] } }\n',
      ],
    ),
  ),
  variant('override-file', 'a second compose file changes what the first one says', (dir) => {
    writeFileSync(
      join(dir, 'docker-compose.override.yml'),
      'services:\n  backend:\n    environment:\n      UVICORN_LOG_LEVEL: debug\n  worker:\n    labels: { team: sound }\n',
    );
    editFile(dir, '.env', ['docker-compose.yml:', 'docker-compose.yml:docker-compose.override.yml:']);
  }),
  variant('env-odds', '.env has variables that nobody uses, empty ones, quotes, comments and exports', (dir) => {
    editFile(dir, '.env', [
      /$/,
      '\n# for later\nSMTP_HOST=\nexport UNUSED_TOKEN=\'a $b c\'\nEMPTY_URL=""\nGREETING="it\'s fine" # really\n',
    ]);
    editFile(dir, FILE, ['  PYTHONUNBUFFERED:', '  SMTP_HOST: ${SMTP_HOST:-}\n  SENTRY_DSN: ""\n  PYTHONUNBUFFERED:']);
  }),
  variant('outside-hosts', 'the environment names servers that are not of the stack and cannot be reached from here', (dir) =>
    editFile(dir, FILE, [
      '  PYTHONUNBUFFERED:',
      [
        '  SENTRY_DSN: https://0123456789abcdef@o1.ingest.example.com/1',
        'SMTP_HOST: smtp.example.com',
        'SMTP_PORT: "587"',
        'OTEL_EXPORTER_OTLP_ENDPOINT: http://collector.example.com:4317',
        'ALLOWED_ORIGINS: http://localhost:3000,http://127.0.0.1:3000',
        'PYTHONUNBUFFERED:',
      ].join('\n  '),
    ]),
  ),
  variant('random-port', 'the backend is published on whatever port is free', (dir) =>
    editFile(dir, FILE, [/"127\.0\.0\.1:\$\{BACKEND_PORT:-8000\}:8000"/, '"8000"']),
  ),
  variant('listens-on-ipv6', 'uvicorn listens on [::], which takes both families', (dir) =>
    editFile(dir, FILE, [
      '      dockerfile: Dockerfile.dev\n    ports:',
      '      dockerfile: Dockerfile.dev\n    command: ["uvicorn", "app.main:app", "--host", "::", "--port", "8000", "--reload", "--reload-dir", "app"]\n    ports:',
    ]),
  ),
  variant('other-health-path', 'the backend tells of its health under a name that nobody can guess', (dir) => {
    editFile(dir, 'backend/app/main.py', ['"/health"', '"/internal/vitals"']);
    editFile(dir, 'backend/app/probe.py', ['8000/health', '8000/internal/vitals']);
  }),
  variant('resolver', 'nginx looks up its upstream for each request', (dir) =>
    editFile(
      dir,
      CONF,
      ['server {\n', 'server {\n  resolver 127.0.0.11 valid=5s;\n  set $app http://backend:8000;\n'],
      [/proxy_pass http:\/\/backend:8000;/g, 'proxy_pass $app;'],
    ),
  ),
  variant('upstream-block', 'nginx has an upstream block with keepalive and a second server that is down on purpose', (dir) =>
    editFile(
      dir,
      CONF,
      ['server {\n', 'upstream app {\n  server backend:8000 max_fails=0;\n  server 127.0.0.1:9 down;\n  keepalive 4;\n}\n\nserver {\n'],
      [/http:\/\/backend:8000/g, 'http://app'],
    ),
  ),
  variant('healthcheck-without-user', 'the healthcheck of Postgres names no user, and its log says so every two seconds', (dir) =>
    editFile(dir, FILE, [
      '["CMD", "pg_isready", "-h", "127.0.0.1", "-U", "shootout", "-d", "shootout"]',
      '["CMD", "pg_isready", "-h", "127.0.0.1"]',
    ]),
  ),
  variant('three-backends', 'three backends share one name', (dir) => editFile(dir, FILE, [/ {4}ports:\n {6}- .*BACKEND_PORT.*\n/, '']), {
    options: { up: ['--wait', '--scale', 'backend=3'] },
  }),
];
