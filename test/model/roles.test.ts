import { describe, expect, test } from 'vitest';
import { commandsOf } from '../../src/model/command-line.ts';
import { roleOf, type RoleEvidence } from '../../src/model/roles.ts';
import type { Role } from '../../src/model/stack.ts';
import { makeContainer, makePort, makeSpec } from '../checks/make.ts';

type Parts = Parameters<typeof makeContainer>[0] & { awaitedAs?: RoleEvidence['awaitedAs'] };

const of = (image: string, entrypoint: string[], command: string[], { awaitedAs = [], ...parts }: Parts = {}): RoleEvidence => ({
  spec: null,
  containers: [makeContainer({ image, entrypoint, command, ...parts })],
  awaitedAs,
});

const probe = (...test: string[]) => ({ healthcheck: { test, intervalMs: 1, timeoutMs: 1, retries: 3, startPeriodMs: 0 } });
const ended = { state: { status: 'exited' as const, exitCode: 0 } };
const E = 'docker-entrypoint.sh';

/** Images and commands as they are inspected on real machines. */
const TABLE: [Role, string, RoleEvidence][] = [
  ['postgres', 'postgres', of('postgres:18-alpine', [E], ['postgres'])],
  ['postgres', 'with settings', of('postgres:16', [E], ['postgres', '-c', 'max_connections=200'])],
  ['postgres', 'settings alone', of('postgres:16', [E], ['-c', 'wal_level=logical'])],
  ['postgres', 'PostGIS', of('postgis/postgis:16-3.4', [E], ['postgres'])],
  ['postgres', 'Timescale', of('timescale/timescaledb:latest-pg16', [E], ['postgres'])],
  ['postgres', 'Timescale HA', of('timescale/timescaledb-ha:pg16', ['/docker-entrypoint.sh'], ['postgres'])],
  ['postgres', 'pgvector by digest', of('pgvector/pgvector@sha256:0123', [E], ['postgres'])],
  [
    'postgres',
    'Bitnami',
    of('bitnami/postgresql:16', ['/opt/bitnami/scripts/postgresql/entrypoint.sh'], ['/opt/bitnami/scripts/postgresql/run.sh']),
  ],
  ['postgres', 'Supabase', of('supabase/postgres:15.1', [E], ['postgres', '-D', '/etc/postgresql'])],
  ['postgres', 'a registry with a port', of('registry.local:5000/team/postgres:16', [E], ['postgres'])],
  ['postgres', 'own image', of('shop-db', [E], ['postgres'])],
  [
    'postgres',
    'own image of a shell script',
    of('shop-db', ['/bin/sh', '-c'], ['chown -R postgres /data && exec gosu postgres postgres -D /data']),
  ],
  ['postgres', 'known by its probe', of('shop-store', ['/start'], [], probe('CMD-SHELL', 'pg_isready -U app'))],
  ['worker', 'an entry point that is told to be one', of('shop-app', ['./run.sh'], ['worker'], { exposedPorts: [9000] })],
  ['http', 'an entry point that is told to serve', of('shop-app', ['./run.sh'], ['serve'], { exposedPorts: [9000] })],
  ['unknown', 'exporter', of('prometheuscommunity/postgres-exporter', ['/bin/postgres_exporter'], [], { exposedPorts: [9187] })],
  ['http', 'PostgREST', of('postgrest/postgrest', [], ['postgrest'], { exposedPorts: [3000] })],
  ['http', 'pgAdmin', of('dpage/pgadmin4', ['/entrypoint.sh'], [], { exposedPorts: [443, 80] })],
  ['http', 'Adminer', of('adminer:4', ['entrypoint.sh'], ['php', '-S', '[::]:8080', '-t', '/var/www/html'], { exposedPorts: [8080] })],
  ['http', 'pgweb', of('sosedoff/pgweb', ['/usr/bin/pgweb', '--bind=0.0.0.0', '--listen=8081'], [], { exposedPorts: [8081] })],
  [
    'pooler',
    'PgBouncer',
    of('edoburu/pgbouncer', ['/entrypoint.sh'], ['/usr/bin/pgbouncer', '/etc/pgbouncer/pgbouncer.ini'], {
      exposedPorts: [5432],
      ...probe('CMD', 'pg_isready', '-h', 'localhost'),
    }),
  ],
  ['one-shot', 'a dump by the server image', of('postgres:16', [E], ['pg_dump', '-h', 'db', '-U', 'postgres', 'shop'])],
  [
    'one-shot',
    'psql with user postgres',
    of('postgres:16', [E], ['sh', '-c', 'until pg_isready -h db -U postgres; do sleep 1; done; psql -h db -U postgres -f /seed.sql']),
  ],
  ['unknown', 'backups by a timer', of('prodrigestivill/postgres-backup-local', ['/init.sh'], [])],
  ['unknown', 'backups in a loop', of('postgres:16', [E], ['sh', '-c', 'while true; do ./dump.sh; sleep 86400; done'])],

  ['redis', 'redis', of('redis:8.4.0-alpine', [E], ['redis-server'])],
  ['redis', 'flags alone', of('redis:7', [E], ['--appendonly', 'yes'])],
  ['redis', 'by a shell', of('redis:7', [E], ['sh', '-c', 'redis-server --requirepass "$REDIS_PASSWORD"'])],
  ['redis', 'stack', of('redis/redis-stack:latest', ['/entrypoint.sh'], [], { exposedPorts: [6379, 8001] })],
  ['redis', 'stack server', of('redis/redis-stack-server', ['/entrypoint.sh'], [])],
  ['redis', 'Valkey', of('valkey/valkey:8', [E], ['valkey-server'])],
  ['redis', 'KeyDB', of('eqalpha/keydb', [E], ['keydb-server', '/etc/keydb/keydb.conf'])],
  ['redis', 'Dragonfly', of('docker.dragonflydb.io/dragonflydb/dragonfly', ['entrypoint.sh'], ['dragonfly', '--logtostderr'])],
  ['redis', 'Bitnami', of('bitnami/redis:7.2', ['/opt/bitnami/scripts/redis/entrypoint.sh'], ['/opt/bitnami/scripts/redis/run.sh'])],
  ['unknown', 'sentinel', of('redis:7', [E], ['redis-server', '/etc/sentinel.conf', '--sentinel'])],
  [
    'http',
    'Redis Commander',
    of('rediscommander/redis-commander', ['/usr/bin/dumb-init', '--'], ['/redis-commander/docker/entrypoint.sh'], { exposedPorts: [8081] }),
  ],
  [
    'http',
    'RedisInsight',
    of('redis/redisinsight', ['./docker-entry.sh', 'node', 'redisinsight/api/dist/src/main'], [], { exposedPorts: [5540] }),
  ],
  ['unknown', 'exporter', of('oliver006/redis_exporter', ['/redis_exporter'], [], { exposedPorts: [9121] })],
  ['one-shot', 'cluster set-up', of('redis:7', [E], ['redis-cli', '--cluster', 'create', 'r1:6379', '--cluster-yes'])],

  ['haproxy', 'HAProxy', of('haproxy:3.2-alpine', [E], ['haproxy', '-f', '/usr/local/etc/haproxy/haproxy.cfg'])],
  ['haproxy', 'HAProxy of its makers', of('haproxytech/haproxy-alpine:3.0', ['/docker-entrypoint.sh'], [])],
  ['haproxy', 'own image', of('shop-edge', [], ['haproxy', '-W', '-db', '-f', '/lb'])],
  ['nginx', 'nginx', of('nginx:alpine', ['/docker-entrypoint.sh'], ['nginx', '-g', 'daemon off;'])],
  ['nginx', 'unprivileged', of('nginxinc/nginx-unprivileged', ['/docker-entrypoint.sh'], ['nginx', '-g', 'daemon off;'])],
  ['nginx', 'OpenResty', of('openresty/openresty:alpine', [], ['/usr/local/openresty/bin/openresty', '-g', 'daemon off;'])],
  [
    'nginx',
    'own image, by a shell',
    of('shop-web', ['/bin/sh', '-c'], ["envsubst < /t > /etc/nginx/nginx.conf && exec nginx -g 'daemon off;'"]),
  ],
  [
    'unknown',
    'exporter',
    of('nginx/nginx-prometheus-exporter:1', ['/usr/bin/nginx-prometheus-exporter'], ['--nginx.scrape-uri=http://nginx/status'], {
      exposedPorts: [9113],
    }),
  ],
  ['http', 'Apache', of('httpd:2.4', [], ['httpd-foreground'], { exposedPorts: [80] })],
  ['http', 'Caddy', of('caddy:2', [], ['caddy', 'run', '--config', '/etc/caddy/Caddyfile'])],
  ['http', 'Traefik', of('traefik:v3', ['/entrypoint.sh'], ['--api.insecure=true', '--providers.docker'], { exposedPorts: [80] })],
  ['http', 'PHP with Apache', of('php:8-apache', ['docker-php-entrypoint'], ['apache2-foreground'], { exposedPorts: [80] })],
  ['unknown', 'PHP-FPM on 9000', of('php:8-fpm', ['docker-php-entrypoint'], ['php-fpm'], { exposedPorts: [9000] })],
  ['unknown', 'ClickHouse on 9000', of('clickhouse/clickhouse-server', ['/entrypoint.sh'], [], { exposedPorts: [8123, 9000] })],
  ['mysql', 'MySQL', of('mysql:8', [E], ['mysqld'], { exposedPorts: [3306, 33060] })],
  ['mongodb', 'Mongo', of('mongo:7', [E], ['mongod'], { exposedPorts: [27017] })],
  ['mysql', 'MariaDB', of('mariadb:11', [E], ['mariadbd'])],
  ['mysql', 'MariaDB with settings', of('mariadb:11', [E], ['--character-set-server=utf8mb4'])],
  ['mysql', 'Percona', of('percona/percona-server:8.4', [E], ['mysqld'])],
  ['mysql', 'an own image, known by its probe', of('shop-db', ['/start'], [], probe('CMD', 'mysqladmin', 'ping', '-h', 'localhost'))],
  [
    'mysql',
    'an own image, known by what sets it up',
    of('shop-db', ['/start'], [], { exposedPorts: [3306], env: { MYSQL_ROOT_PASSWORD: '‹secret:00000001›' } }),
  ],
  ['unknown', 'the port alone', of('shop-db', ['/start'], [], { exposedPorts: [3306] })],
  ['one-shot', 'a dump by the image of the server', of('mysql:8', [E], ['mysqldump', '-h', 'db', 'shop'])],
  ['unknown', 'a backup by the image of the server', of('mariadb:11', [E], ['mariadb-backup', '--backup'])],
  ['unknown', 'a loop around a probe', of('mysql:8', ['sh', '-c'], ['while true; do mysqladmin -h db ping; sleep 5; done'])],
  ['http', 'phpMyAdmin', of('phpmyadmin:5', ['/docker-entrypoint.sh'], ['apache2-foreground'], { exposedPorts: [80] })],
  ['redis', 'Valkey', of('valkey/valkey:8', [E], ['valkey-server'])],
  ['redis', 'KeyDB', of('eqalpha/keydb', [E], ['keydb-server', '/etc/keydb/keydb.conf'])],
  ['redis', 'Dragonfly', of('docker.dragonflydb.io/dragonflydb/dragonfly', ['entrypoint.sh'], ['dragonfly', '--logtostderr'])],
  ['rabbitmq', 'RabbitMQ', of('rabbitmq:3-management', [E], ['rabbitmq-server'], { exposedPorts: [5672, 15672] })],
  [
    'http',
    'MinIO',
    of('minio/minio', ['/usr/bin/docker-entrypoint.sh'], ['server', '/data', '--console-address', ':9001'], { exposedPorts: [9000] }),
  ],
  ['http', 'Keycloak', of('quay.io/keycloak/keycloak:26', ['/opt/keycloak/bin/kc.sh'], ['start-dev'], { exposedPorts: [8080, 8443] })],

  ['http', 'uvicorn', of('shop-api', [], ['uvicorn', 'app.main:app', '--host', '0.0.0.0', '--reload'])],
  ['http', 'uvicorn with workers', of('shop-api', [], ['uvicorn', 'app.main:app', '--workers', '4'])],
  [
    'http',
    'migrations, then uvicorn',
    of('shop-api', ['/app/entrypoint.sh'], ['sh', '-c', 'alembic upgrade head && exec uvicorn app.main:app']),
  ],
  ['http', 'gunicorn with uvicorn workers', of('shop-api', ['tini', '--'], ['gunicorn', '-k', 'uvicorn.workers.UvicornWorker', 'app:app'])],
  ['http', 'by uv', of('shop-api', ['uv', 'run', '--no-dev'], ['uvicorn', 'app:app'])],
  ['http', 'by poetry and a module', of('shop-api', [], ['poetry', 'run', 'python', '-m', 'uvicorn', 'app:app'])],
  ['http', 'Django', of('shop-api', [], ['python', 'manage.py', 'runserver', '0.0.0.0:8000'])],
  [
    'http',
    'Django behind wait-for-it',
    of('shop-api', ['./wait-for-it.sh', 'db:5432', '--'], ['python', 'manage.py', 'runserver', '0.0.0.0:8000']),
  ],
  ['http', 'Flask', of('shop-api', [], ['flask', '--app', 'shop', 'run', '--host=0.0.0.0'])],
  ['http', 'FastAPI', of('shop-api', [], ['fastapi', 'dev', 'app/main.py'])],
  ['http', 'Rails', of('shop', ['./entrypoint.sh'], ['bash', '-c', 'rm -f tmp/pids/server.pid && bundle exec rails s -b 0.0.0.0'])],
  ['http', 'Puma', of('shop', [], ['bundle', 'exec', 'puma', '-C', 'config/puma.rb'])],
  ['http', 'Phoenix', of('shop', [], ['mix', 'phx.server'])],
  ['http', 'Laravel', of('shop', ['docker-php-entrypoint'], ['php', 'artisan', 'serve', '--host=0.0.0.0'])],
  ['http', 'Vite', of('node:22', [E], ['npx', 'vite', '--host', '0.0.0.0'])],
  ['http', 'Vite by yarn', of('node:22', [E], ['yarn', 'vite', '--host'])],
  ['http', 'Next', of('shop-web', [E], ['sh', '-c', 'next build && next start -p 3000'])],
  ['http', 'npm dev script with a port', of('node:22', [E], ['npm', 'run', 'dev'], { portBindings: [makePort({ containerPort: 3000 })] })],
  ['unknown', 'npm dev script with none', of('node:22', [E], ['npm', 'run', 'dev'])],
  ['http', 'node on a port, from a folder called build', of('shop-web', [E], ['node', 'build/index.js'], { exposedPorts: [3000] })],
  ['http', 'dumb-init is no job', of('shop-web', ['dumb-init', '--'], ['node', 'server.js'], { exposedPorts: [8080] })],
  ['http', 'node with --workers is no worker', of('shop-web', [E], ['node', 'server.js', '--workers', '4'], { exposedPorts: [8080] })],
  ['http', 'Go by its exposed port', of('shop-api', ['/app/server'], [], { exposedPorts: [8080] })],
  [
    'http',
    'Java by its probe',
    of('shop-api', ['java', '-jar', 'build/libs/app.jar'], [], probe('CMD-SHELL', 'curl -f http://localhost:8099/health || exit 1')),
  ],
  [
    'http',
    'probe by its own name',
    of('shop-api', ['/srv'], [], { service: 'api', ...probe('CMD', 'wget', '-qO-', 'http://api:7000/up') }),
  ],

  ['worker', 'Celery', of('shop-api', [], ['celery', '-A', 'shop', 'worker', '-l', 'info'])],
  ['worker', 'Celery by a module', of('shop-api', ['python', '-m'], ['celery', '-A', 'shop', 'worker'])],
  [
    'worker',
    'Celery under watchmedo',
    of(
      'shop-api',
      [],
      ['watchmedo', 'auto-restart', '--directory=./', '--pattern=*.py', '--recursive', '--', 'celery', '-A', 'shop', 'worker'],
    ),
  ],
  ['unknown', 'Celery beat', of('shop-api', [], ['celery', '-A', 'shop', 'beat'])],
  ['http', 'Celery flower', of('shop-api', [], ['celery', '-A', 'shop', 'flower', '--port=5555'])],
  ['worker', 'TaskIQ', of('shop-api', [], ['uv', 'run', 'taskiq', 'worker', 'app.tasks:broker'])],
  ['unknown', 'TaskIQ scheduler', of('shop-api', [], ['taskiq', 'scheduler', 'app.tasks:scheduler'])],
  ['worker', 'RQ', of('shop-api', [], ['rq', 'worker', '--url', 'redis://redis'])],
  ['worker', 'ARQ', of('shop-api', [], ['arq', 'app.worker.Settings'])],
  ['worker', 'Dramatiq', of('shop-api', [], ['dramatiq', 'app.tasks'])],
  ['worker', 'Sidekiq', of('shop', [], ['bundle', 'exec', 'sidekiq'])],
  ['worker', 'Laravel queue', of('shop', ['docker-php-entrypoint'], ['php', 'artisan', 'queue:work'])],
  ['worker', 'Symfony Messenger', of('shop', [], ['php', 'bin/console', 'messenger:consume', 'async'])],
  ['worker', 'a module', of('shop-api', ['python', '-m', 'app.worker'], [])],
  ['worker', 'a script', of('shop-api', [E], ['node', 'dist/worker.js'])],
  ['worker', 'an npm script', of('shop-api', [E], ['npm', 'run', 'worker'])],
  ['worker', 'a binary', of('shop-api', ['/app/bin/email-worker'], [])],
  ['worker', 'a name', of('shop-api', ['java', '-jar', 'app.jar'], [], { service: 'mail-worker' })],

  ['build-only', 'waits', of('shop-web', [E], ['sleep', 'infinity'])],
  ['build-only', 'waits by a shell', of('shop-web', [], ['sh', '-c', 'npm ci && tail -f /dev/null'])],
  ['build-only', 'waits in a loop', of('shop-web', [], ['/bin/sh', '-c', 'while true; do sleep 1000; done'])],
  ['build-only', 'a shell on a terminal, ports for later', of('devcontainer', [], ['bash'], { portBindings: [makePort()] })],
  ['build-only', 'Vite build', of('node:22', [E], ['npx', 'vite', 'build'])],
  ['build-only', 'Astro build', of('node:22', [E], ['sh', '-c', 'npm ci && npx astro build'])],
  ['build-only', 'an npm script', of('node:22', [E], ['npm', 'run', 'build'])],
  ['build-only', 'a script that builds', of('node:22', [E], ['node', 'build.mjs'])],
  ['http', 'what was built, and runs', of('shop-web', [E], ['node', 'build'], { exposedPorts: [3000] })],
  ['build-only', 'tsc', of('node:22', [E], ['npx', 'tsc', '-w'])],
  ['unknown', 'sleeps, but is probed', of('shop-web', [], ['sleep', 'infinity'], probe('CMD', 'true'))],

  ['one-shot', 'Alembic', of('shop-api', [], ['alembic', 'upgrade', 'head'])],
  ['one-shot', 'Prisma', of('shop-api', [E], ['npx', 'prisma', 'migrate', 'deploy'])],
  ['one-shot', 'Django', of('shop-api', [], ['python', 'manage.py', 'migrate', '--noinput'])],
  ['one-shot', 'Rails', of('shop', [], ['bin/rails', 'db:prepare'])],
  ['one-shot', 'Flyway', of('flyway/flyway', ['flyway'], ['migrate'])],
  ['one-shot', 'migrate', of('migrate/migrate', ['migrate'], ['-path', '/m', '-database', 'postgres://db/x', 'up'])],
  ['one-shot', 'buckets', of('minio/mc', ['/bin/sh', '-c'], ['mc alias set m http://minio:9000 a b; mc mb m/x; exit 0'])],
  ['one-shot', 'owner of a volume', of('busybox', [], ['sh', '-c', 'chown -R 1000:1000 /data'])],
  ['one-shot', 'a script', of('shop-api', [], ['python', 'scripts/seed.py'])],
  ['one-shot', 'awaited as one', of('shop-api', [], ['./run'], { awaitedAs: ['service_completed_successfully'] })],
  ['one-shot', 'ended well and nobody minds', of('shop-api', [], ['./something'], ended)],

  ['http', 'uvicorn, stopped', of('shop-api', [], ['uvicorn', 'app:app'], ended)],
  ['nginx', 'nginx, stopped', of('nginx:alpine', ['/docker-entrypoint.sh'], ['nginx', '-g', 'daemon off;'], ended)],
  [
    'http',
    'any server with a port, stopped',
    of('shop-api', ['/srv'], [], { ...ended, portBindings: [makePort({ containerPort: 8080 })] }),
  ],
  ['unknown', 'any server that others wait for, stopped', of('shop-api', ['/srv'], [], { ...ended, awaitedAs: ['service_healthy'] })],
  ['unknown', 'any server with an exposed port, stopped', of('shop-api', ['/srv'], [], { ...ended, exposedPorts: [50051] })],
  ['unknown', 'any server that is restarted, stopped', of('shop-api', ['/srv'], [], { ...ended, restartPolicy: 'unless-stopped' })],
  [
    'unknown',
    'temporal, whose image is called auto-setup',
    of('temporalio/auto-setup', ['/etc/temporal/entrypoint.sh'], ['autosetup'], { exposedPorts: [7233] }),
  ],
  ['http', 'Mailpit', of('axllent/mailpit', ['/mailpit'], [], { exposedPorts: [1025, 1110, 8025] })],
  ['http', 'Prometheus', of('prom/prometheus', ['/bin/prometheus'], ['--config.file=/p.yml'], { exposedPorts: [9090] })],
  ['unknown', 'the client of an image that serves', of('wordpress:cli', ['docker-entrypoint.sh'], ['sh', '-c', './x'], {})],
  ['unknown', 'FastCGI', of('nextcloud:29-fpm', ['/entrypoint.sh'], ['php-fpm'], { exposedPorts: [9000] })],
  [
    'mongodb',
    'an own image, known by its probe',
    of('shop-db', ['/start'], [], probe('CMD-SHELL', 'mongosh --eval "db.runCommand(1)" localhost:27017/x')),
  ],
  ['unknown', 'a probe of another MongoDB', of('shop-api', ['/start'], [], probe('CMD-SHELL', 'mongosh mongodb://mongo:27017 --eval 1'))],
  [
    'http',
    'probed by hand, by bash',
    of('shop', ['/start'], [], probe('CMD', 'bash', '-c', 'exec 3<>/dev/tcp/127.0.0.1/9000; echo -e "GET /up HTTP/1.1" >&3')),
  ],
  [
    'unknown',
    'a dump again and again, as a here document',
    of('postgres:16', ['bash', '-c', 'bash -s <<EOF\nwhile /bin/true; do\n  pg_dump -U postgres > /dump\n  sleep 86400\ndone\nEOF'], []),
  ],
  [
    'http',
    'a text on the way is no program',
    of('shop', ['sh', '-c', 'cat > /x <<JSON\n{"celery": "worker"}\nJSON\nexec uvicorn app:app'], []),
  ],
  [
    'one-shot',
    'a script that says its last word',
    of('search', ['bash', '-c'], ['make-certs --out /c; until curl -s https://es01; do sleep 3; done; echo done']),
  ],
  ['http', 'a server with an epilogue', of('shop', ['sh', '-c', "uvicorn app:app; echo 'gone: $?'"], [])],
  ['one-shot', 'a model that is fetched', of('ollama/ollama', ['/bin/sh'], ['-c', 'sleep 3; ollama pull x'], { exposedPorts: [11434] })],
  ['http', 'the studio of Prisma', of('shop', [], ['npx', 'prisma', 'studio'])],
  ['http', 'Storybook by pnpm', of('node:22', [E], ['pnpm', 'storybook', 'dev', '-p', '6006'])],
  ['http', 'Rails behind Thruster', of('shop', [], ['./bin/thrust', './bin/rails', 'server'])],
  ['unknown', 'cron', of('alpine', [], ['crond', '-f'])],
];

test('the table is long enough to mean something', () => expect(TABLE.length).toBeGreaterThan(50));

test.each(TABLE.map(([role, name, evidence]) => [name, evidence.containers[0]!.image, role, evidence] as const))(
  '%s (%s) is %s',
  (_, _image, role, evidence) => {
    const found = roleOf(evidence);
    expect(found.role, found.reason).toBe(role);
    expect(found.reason).not.toBe('');
  },
);

describe('a service that is only declared', () => {
  const declared = (parts: Parameters<typeof makeSpec>[0]) => roleOf({ spec: makeSpec(parts), containers: [], awaitedAs: [] }).role;
  test.each([
    ['image', { image: 'postgres:16' }, 'postgres'],
    ['image and flags', { image: 'redis:7', command: ['--save', ''] }, 'redis'],
    ['a command as one word', { image: 'shop', command: ['uvicorn app.main:app --reload'] }, 'http'],
    ['ports', { image: 'shop', ports: [makePort({ containerPort: 8080 })] }, 'http'],
    ['a UDP port is not the web', { image: 'shop', ports: [makePort({ containerPort: 8080, protocol: 'udp' })] }, 'unknown'],
    [
      'behind a profile, with nothing known',
      { build: { context: '.', dockerfile: 'Dockerfile' }, profiles: ['tools'], active: false },
      'unknown',
    ],
    [
      'a build behind a profile of that name',
      { build: { context: '.', dockerfile: 'Dockerfile' }, profiles: ['build'], active: false },
      'build-only',
    ],
    ['a port that is only exposed', { image: 'shop', exposed: [8080] }, 'http'],
    ['an image that serves, of which something else is started', { image: 'wordpress', entrypoint: ['/x'] }, 'unknown'],
    ['an image of a job', { image: 'flyway/flyway:10', command: ['-q', 'migrate'] }, 'one-shot'],
    ['the same, which stays', { image: 'minio/mc', restart: 'always' }, 'unknown'],
    ['a build with no command', { build: { context: '.', dockerfile: 'Dockerfile' } }, 'unknown'],
  ] as const)('%s', (_, parts, role) => expect(declared(parts as Parameters<typeof makeSpec>[0])).toBe(role));
});

describe('commandsOf', () => {
  test.each([
    [['docker-entrypoint.sh', 'node', 'server.js'], [['node', 'server.js']]],
    [
      ['/bin/sh', '-c', 'a --x && b | tee log; exec c "d e" 2>&1'],
      [['a', '--x'], ['b'], ['tee', 'log'], ['c', 'd e', '2>&1']],
    ],
    [['sh', '-c', 'x || y'], [['x']]],
    [['env', 'A=1', 'B=2', '/usr/bin/app', '--flag'], [['app', '--flag']]],
    [['timeout', '30', 'gosu', 'app', 'serve'], [['serve']]],
    [['bash', '-lc', "sh -c 'sh -c run'"], [['run']]],
    [['uvicorn app:app --reload'], [['uvicorn', 'app:app', '--reload']]],
    [[], []],
    [['sh', '-c'], []],
    [['sh', '-c', "printf 'a\\nb' --x='c d' \"e\\\"f\""], [['printf', 'a\\nb', '--x=c d', 'e"f']]],
    [['/bin/bash'], [['bash']]],
    [['npm', 'run', 'dev', '--', '--host'], [['npm', 'run', 'dev', '--', '--host']]],
  ])('%j', (words, commands) => expect(commandsOf(words)).toEqual(commands));

  test('a command that wraps itself for ever ends', () => {
    expect(commandsOf(Array.from({ length: 5_000 }, () => 'exec')).length).toBeLessThan(2);
    expect(commandsOf(['sh', '-c', 'sh -c '.repeat(5_000)]).length).toBeLessThan(2);
  });
});
