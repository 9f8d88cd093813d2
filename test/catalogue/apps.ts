/** The catalogue of real failures, second half: data stores, migrations, proxies, apps, front ends, workers. */
import type { CatalogueRow } from './row.ts';

const lab = (id: string, title: string, ...codes: string[]): CatalogueRow => ({ id, title, codes, seen: 'lab' });
const unit = (id: string, title: string, ...codes: string[]): CatalogueRow => ({ id, title, codes, seen: 'unit' });
const open = (id: string, title: string, why: string): CatalogueRow => ({ id, title, codes: [], why });

export const appRows: CatalogueRow[] = [
  // Postgres
  lab('pg18-volume-old-path', 'Postgres 18 refuses a volume at the old path', 'compose/postgres-data-path'),
  lab('pg-version-mismatch', 'the data is of another major version than the image', 'startup/data-version'),
  lab('pg-password-volume-mismatch', 'the volume was made with another password', 'postgres/password-volume-mismatch'),
  lab('pg-wrong-password', 'a client has another password than the server', 'postgres/auth-rejected', 'compose/credentials-conflict'),
  lab('pg-role-missing', 'the role that a client names does not exist', 'postgres/role-missing'),
  lab('pg-db-missing', 'the database that a client names does not exist', 'postgres/database-missing'),
  lab('pg-init-scripts-partial', 'a script of the first start fails', 'startup/init-script-failed'),
  unit(
    'pg-init-scripts-skipped',
    'scripts of the first start do not run on a volume that has data',
    'migrations/schema-missing',
    'postgres/role-missing',
    'postgres/database-missing',
  ),
  unit('pg-starting', 'the server is starting or recovering', 'postgres/starting-up'),
  lab('pg-too-many-connections', 'every connection is taken', 'postgres/too-many-clients'),
  lab('pg-lock-blocked-migration', 'an idle transaction holds a lock for which others wait', 'postgres/blocked-sessions'),
  lab('pg-schema-missing', 'the migrations were not run on this database', 'migrations/schema-missing'),
  lab('pg-listen-loopback', 'the server listens inside its own container only', 'ports/loopback-only'),
  lab('pg-shm', '/dev/shm is full, and not the disk', 'postgres/shared-memory-full'),
  unit('pg-disk-full', 'the disk of the data is full', 'postgres/disk-full', 'startup/disk-full'),
  unit('pg-blank-password', 'the password of the first start is blank', 'compose/variable-unset', 'startup/password-missing'),
  lab('pg-wal-corrupt', 'no valid checkpoint is found', 'startup/wal-damaged'),
  unit('pg-collation-warning', 'the collation has another version: a warning', 'postgres/collation-version'),
  unit('pg-ssl-required', 'the client demands TLS and the server has none', 'postgres/tls-required'),
  lab('pg-read-only', 'the server takes reads only', 'postgres/read-only', 'postgres/in-recovery'),
  unit('pg-no-hba-entry', 'pg_hba.conf lets the client in nowhere', 'postgres/no-hba-entry'),

  // Migrations
  lab('alembic-multiple-heads', 'two migrations claim to be the newest', 'migrations/multiple-heads'),
  lab('alembic-unknown-revision', 'the volume was migrated by another branch', 'migrations/unknown-revision'),
  lab('alembic-concurrent-race', 'two services migrate at once, and one loses', 'migrations/concurrent-run'),
  lab('alembic-failed-app-started', 'a migration failed, and the app was started all the same', 'migrations/failed'),
  lab('migration-failed', 'a migration fails at the start', 'migrations/failed'),

  // Redis
  lab(
    'redis-auth',
    'Redis wants a password, or another one, or none',
    'redis/auth-required',
    'redis/wrong-password',
    'redis/unexpected-password',
  ),
  lab('redis-misconf', 'Redis cannot save and refuses writes', 'redis/cannot-persist'),
  lab('redis-maxmemory', 'Redis is at its memory limit and may evict nothing', 'redis/out-of-memory'),
  lab('redis-readonly-replica', 'Redis has become a replica of somebody else', 'redis/read-only-replica'),
  unit('redis-protected-mode', 'Redis serves its own loopback only', 'redis/protected-mode'),
  unit('redis-bind-loopback', 'Redis is bound to 127.0.0.1 in its container', 'ports/loopback-only'),
  lab('redis-rdb-too-new', 'the dump was written by a newer Redis', 'startup/dump-too-new'),
  unit('redis-aof-corrupt', 'the append-only file is damaged', 'startup/append-file-damaged'),
  unit('redis-loading', 'Redis is loading its data', 'redis/loading'),
  unit(
    'redis-wrong-db',
    'the client asks for a database that is not there, or the worker for another one',
    'redis/database-out-of-range',
    'worker/other-queue',
  ),
  lab('redis-tls-mismatch', 'rediss:// to a server without TLS', 'redis/tls-mismatch'),

  // nginx
  lab('nginx-upstream-not-found', 'nginx ends because an upstream has no address', 'proxy/upstream-not-found', 'proxy/upstream-stopped'),
  lab('nginx-stale-upstream-ip', 'nginx calls the address that a service had before', 'proxy/stale-upstream'),
  lab('nginx-stale-upstream-answered', 'another app answers at that address, with 200 or 404', 'proxy/stale-upstream'),
  lab(
    'nginx-502-no-listener',
    'the app behind nginx does not listen',
    'ports/no-listener',
    'ports/loopback-only',
    'ports/wrong-container-port',
    'http-health/refused',
    'proxy/bad-gateway',
  ),
  lab('nginx-504-app-hangs', 'the app behind nginx does not answer', 'http-health/hung', 'proxy/gateway-timeout'),
  lab('nginx-proxy-to-localhost', 'the upstream is loopback', 'proxy/upstream-loopback'),
  lab('nginx-403-empty-root', 'the folder of the pages is empty', 'static-files/not-built', 'static-files/stale-mount'),
  lab('nginx-403-permission', 'nginx may not read the pages', 'static-files/unreadable'),
  lab('nginx-wrong-root', 'nginx looks for the pages in another folder', 'static-files/wrong-folder'),
  open(
    'nginx-404-prefix',
    'the prefix is stripped, or kept, against what the app expects',
    'a 404 of the app is an answer like any other; only its list of routes would prove the mistake, and few apps show it',
  ),
  unit('nginx-config-not-reloaded', 'the configuration is newer than the one that runs', 'proxy/config-not-reloaded'),
  lab('nginx-config-not-valid', 'the configuration on disk is not valid', 'proxy/config-invalid'),
  unit('nginx-default-page', 'nginx shows its own welcome page', 'static-files/default-page'),
  lab('nginx-assets-missing', 'the index names files that are not there', 'static-files/missing-assets'),
  lab('nginx-413', 'a body is larger than nginx allows', 'proxy/body-too-large'),
  open(
    'nginx-ws-upgrade-missing',
    'the headers of an upgrade are not passed on',
    'whether a path carries WebSockets is known to the browser alone',
  ),
  open('spa-fallback-404', 'deep links of a single-page app answer 404', 'which paths are pages is known to the code of the page alone'),

  // Python
  lab('py-reload-child-dead', 'the reloader lives, the app is dead', 'hot-reload/child-dead'),
  lab('py-import-path', 'the server does not find the app that its command names', 'startup/app-not-found', 'hot-reload/child-dead'),
  lab('py-deps-missing', 'a module is not in the container', 'startup/module-missing', 'hot-reload/child-dead'),
  lab('py-code-error', 'the code fails while it is loaded', 'startup/code-error', 'hot-reload/child-dead'),
  lab('py-setting-missing', 'a variable that the app reads was not passed on', 'startup/setting-missing'),
  lab('py-event-loop-blocked', 'a blocking call stops every request', 'http-health/hung'),
  lab(
    'py-reload-not-firing',
    'an edit does not reach the app',
    'hot-reload/not-enabled',
    'hot-reload/no-bind-mount',
    'hot-reload/stale-mount',
    'hot-reload/watchers-exhausted',
  ),
  unit('py-pool-exhausted', "the app's own pool of connections is used up", 'http-health/pool-exhausted'),
  open(
    'py-stale-pool-after-db-restart',
    'connections from before a restart of the database fail once',
    'it mends itself with the next request, and is no fault by the time one looks',
  ),
  unit('py-template-missing', 'a template is not where the app looks for it', 'http-health/template-missing'),
  open('py-cors', 'the browser blocks an answer of another origin', 'the origin that people type is not written in the stack'),
  lab('py-bind-loopback', 'the app listens on loopback in its container', 'ports/loopback-only'),
  unit('gunicorn-timeout', 'gunicorn kills workers of long requests', 'http-health/worker-timeout'),
  unit('django-allowed-hosts', 'Django does not accept the host name that the proxy passes on', 'proxy/host-rejected'),

  // Node and front ends
  unit('node-module-missing', 'a Node module is not in the container', 'startup/module-missing'),
  unit('node-native-mismatch', 'node_modules is of another platform', 'startup/native-module'),
  unit('node-vite-localhost', 'the dev server listens on loopback in its container', 'ports/loopback-only'),
  unit('node-vite-allowed-hosts', 'the dev server does not accept the host name that the proxy passes on', 'proxy/host-rejected'),
  unit('node-watchers', 'the host is out of file watchers', 'hot-reload/watchers-exhausted'),
  open(
    'node-hmr-websocket',
    'the socket of hot module replacement goes to another port',
    'only the browser opens it, and the page works without',
  ),
  unit('node-corepack-keyid', 'the keys of corepack are outdated', 'startup/corepack-keys'),
  unit('node-heap-oom', 'Node reached its own heap limit', 'startup/heap-limit'),
  unit('node-frozen-lockfile', 'the lock file does not match package.json', 'startup/lockfile-outdated'),
  unit('next-bind', 'a standalone server listens on one address of its container', 'ports/loopback-only', 'ports/no-listener'),
  lab('dist-not-built', 'the pages were never built', 'static-files/not-built'),
  open(
    'dist-outdated',
    'the build is older than its source',
    'times of files change with every checkout, so that most healthy stacks would be told so',
  ),

  // Workers
  unit('worker-not-consuming', 'work waits and nobody takes it', 'worker/no-consumer', 'worker/not-connected', 'worker/backlog-growing'),
  lab('worker-task-not-found', 'the worker drops a task that it does not know', 'worker/task-unknown'),
  lab('worker-other-broker', 'the worker reads another Redis than the one where the work is put', 'worker/other-queue'),
  unit('celery-broker-localhost', 'no broker is set, and the default one is tried', 'worker/broker-not-set'),
  open(
    'worker-stale-code',
    'the worker started before the newest edit',
    'a note of check hot-reload: the edited file may be none that the worker loads',
  ),
  open('worker-uv-run-resync', 'the environment is made anew at every start', 'slow, and no fault; where it fails, its log says so'),
  lab('worker-runs-migrations', 'the worker runs the same migrations as the app', 'migrations/concurrent-run'),
  lab('worker-dead-unnoticed', 'the worker does not run, and the site is green', 'container/exited', 'container/restarting'),

  // Other programs
  unit('mongo-avx', 'the processor lacks AVX', 'startup/cpu-unsupported'),
  unit('elastic-max-map-count', 'vm.max_map_count is too low', 'startup/map-count'),
  unit('server-pid-file', 'a pid file of an earlier run is in the way', 'startup/stale-pid-file'),
  open(
    'traefik-filters-unhealthy',
    'Traefik leaves out containers that are not healthy',
    'the container that is not healthy is found by itself; routes of Traefik are not read',
  ),
  open('traefik-no-shared-network', 'Traefik and its target share no network', 'routes of Traefik are not read'),
  open('self-signed-certificate', 'a browser does not trust the certificate', 'it is meant so on a local stack'),
  open('s3-endpoint-signature', 'a signed URL names a host that the browser cannot resolve', 'the URL is made inside the app'),
  open('kafka-advertised-listeners', 'the broker advertises a name that the client cannot resolve', 'the doctor does not speak Kafka'),
  open(
    'compose-watch-not-running',
    '`develop.watch` is declared and nothing watches',
    'the watcher is a process of some shell, which may be anywhere',
  ),
  open('rootless-low-port', 'a rootless engine may not take a low port', "the engine's own words are shown with container/start-failed"),
  open(
    'desktop-file-sharing',
    'a folder is not shared with the virtual machine',
    "the engine's own words are shown with container/mount-failed",
  ),
  open('mtu-vpn', 'large packets do not pass a VPN', 'only traffic to the internet meets it'),
  open('nofile', 'a process is out of file descriptors', 'told from watchers only by the words of the program'),
];
