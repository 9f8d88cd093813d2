import { until } from '../run.ts';
import type { LabStack } from '../stack.ts';
import type { Fault } from './fault.ts';
import { answers, becomes, compose, docker, edit, enqueue, foreign, logs, psql, recreate, removeForeign, restore, up } from './tools.ts';

const URL = 'postgresql+asyncpg://shootout:${DB_PASSWORD:?copy .env.example to .env}@db:5432/shootout';

/** Gives one service a DATABASE_URL of its own, and waits for what its log then says. */
async function ownDatabaseUrl(stack: LabStack, service: 'backend' | 'worker', url: string, says: RegExp): Promise<void> {
  const anchor = service === 'backend' ? '      ASTRO_DIST:' : '      PYTHONPATH:';
  edit(stack, 'docker-compose.yml', anchor, `      DATABASE_URL: ${url.replaceAll('$', '$$$$')}\n${anchor}`);
  await recreate(stack, service);
  if (service === 'worker') await enqueue(stack);
  await until(`${service} to log ${String(says)}`, async () => says.test(await logs(stack, service)));
}

async function healUrl(stack: LabStack): Promise<void> {
  restore(stack, 'docker-compose.yml');
  await up(stack);
}

const backendUrlFault = (id: string, title: string, url: string, says: RegExp, expect: Fault['expect']): Fault => ({
  id,
  title,
  expect,
  inject: (stack) => ownDatabaseUrl(stack, 'backend', url, says),
  heal: healUrl,
});

const others = ['backend', 'nginx', 'redis', 'worker'];

/** Postgres runs, but the app cannot use it. */
export const postgresFaults: Fault[] = [
  {
    id: 'db-password-volume',
    title: 'the database on the volume has another password than the environment says',
    inject: async (stack) => {
      await psql(stack, "alter role shootout password 'from-an-earlier-env'");
      await answers(stack, '/health', 503, 'InvalidPassword');
    },
    heal: async (stack) => {
      await psql(stack, `alter role shootout password '${stack.password}'`);
      await up(stack);
    },
    expect: { root: 'db/postgres', code: 'postgres/password-volume-mismatch', innocents: others, remedy: /ALTER ROLE/i },
  },
  {
    id: 'db-password-changed-in-env',
    title: 'DB_PASSWORD was changed in .env after the volume was made, and all was recreated',
    inject: async (stack) => {
      edit(stack, '.env', /DB_PASSWORD=.*/, 'DB_PASSWORD=new-in-env');
      // It fails, because the backend does.
      await stack.compose('up', '-d', '--no-deps', 'db', 'backend', 'worker');
      await becomes(stack, 'backend', 'restarting', (now) => now.restarts >= 2);
    },
    heal: async (stack) => {
      restore(stack, '.env');
      await up(stack);
    },
    expect: { root: 'db/postgres', code: 'postgres/password-volume-mismatch', innocents: others, remedy: /ALTER ROLE/i },
  },
  backendUrlFault(
    'backend-wrong-password',
    'the backend has another password than Postgres',
    URL.replace(/\$\{.*\}/, 'not-the-password'),
    /InvalidPassword/,
    {
      root: 'db/postgres',
      code: ['postgres/auth-rejected', 'compose/credentials-conflict'],
      innocents: ['nginx', 'redis', 'worker'],
      remedy: /docker compose up -d backend/,
    },
  ),
  {
    id: 'worker-wrong-password',
    title: 'the worker alone has another password than Postgres; the site is green, jobs fail',
    inject: (stack) => ownDatabaseUrl(stack, 'worker', URL.replace(/\$\{.*\}/, 'not-the-password'), /InvalidPassword/),
    heal: healUrl,
    expect: {
      root: 'db/postgres',
      code: ['postgres/auth-rejected', 'compose/credentials-conflict'],
      innocents: ['backend', 'nginx', 'redis'],
      remedy: /docker compose up -d worker/,
    },
  },
  backendUrlFault(
    'db-role-missing',
    'DATABASE_URL names the user postgres; the volume was made for shootout',
    URL.replace('//shootout', '//postgres'),
    /InvalidPassword/,
    {
      root: 'db/postgres',
      code: 'postgres/role-missing',
      innocents: ['nginx', 'redis', 'worker'],
      remedy: /DATABASE_URL|POSTGRES_USER|CREATE ROLE/i,
    },
  ),
  backendUrlFault('db-database-missing', 'DATABASE_URL names a database that nobody made', `${URL}_dev`, /does not exist/, {
    root: 'db/postgres',
    code: 'postgres/database-missing',
    innocents: ['nginx', 'redis', 'worker'],
    remedy: /createdb|CREATE DATABASE|DATABASE_URL/i,
  }),
  backendUrlFault(
    'backend-wrong-host',
    'DATABASE_URL names the host postgres; the service is db',
    URL.replace('@db', '@postgres'),
    /gaierror/,
    {
      root: 'backend/network',
      code: 'network/unknown-host',
      innocents: ['nginx', 'redis', 'worker'],
      remedy: /docker compose up -d backend/,
    },
  ),
  backendUrlFault(
    'backend-localhost-db',
    'DATABASE_URL names localhost, which inside a container is the container',
    URL.replace('@db', '@localhost'),
    /Connect call failed|ConnectionRefused/,
    {
      root: 'backend/network',
      code: 'network/localhost-in-container',
      innocents: ['nginx', 'redis', 'worker'],
      remedy: /docker compose up -d backend/,
    },
  ),
  {
    id: 'db-too-many-clients',
    title: 'forgotten sessions hold every connection Postgres has',
    inject: async (stack) => {
      const program = [
        'import asyncio, os, asyncpg',
        'url = os.environ["DATABASE_URL"]',
        'async def main():',
        '    held = []',
        '    while True:',
        '        try: held.append(await asyncpg.connect(url, server_settings={"application_name": "forgotten"}))',
        '        except Exception: await asyncio.sleep(0.1)',
        'asyncio.run(main())',
      ].join('\n');
      const url = `DATABASE_URL=postgresql://shootout:${stack.password}@db:5432/shootout`;
      const image = (await docker(stack, 'inspect', '--format', '{{.Image}}', await stack.containerId('worker'))).trim();
      await foreign(stack, 'notebook', '--network', `${stack.project}_default`, '-e', url, '--entrypoint', 'python', image, '-c', program);
      await answers(stack, '/health', 503, 'TooManyConnections');
    },
    heal: async (stack) => {
      await removeForeign(stack);
      await answers(stack, '/health', 200);
      await up(stack);
    },
    expect: {
      root: 'db/postgres',
      code: 'postgres/too-many-clients',
      innocents: others,
      remedy: /max_connections|pg_terminate_backend|pg_stat_activity/,
    },
  },
  {
    id: 'db-read-only',
    title: 'Postgres takes reads only',
    inject: async (stack) => {
      await psql(stack, 'alter system set default_transaction_read_only = on');
      await psql(stack, 'select pg_reload_conf()');
      await until('writes to be refused', async () => (await enqueue(stack)).status === 500);
    },
    heal: async (stack) => {
      await psql(stack, 'alter system reset default_transaction_read_only');
      await psql(stack, 'select pg_reload_conf()');
      await until('writes to be taken', async () => (await enqueue(stack)).status === 202);
    },
    expect: { root: 'db/postgres', code: 'postgres/read-only', innocents: others, remedy: /default_transaction_read_only/ },
  },
  {
    id: 'db-loopback',
    title: 'Postgres listens inside its own container only; its healthcheck is green',
    inject: async (stack) => {
      await psql(stack, "alter system set listen_addresses = 'localhost'");
      await compose(stack, 'restart', 'db');
      await answers(stack, '/health', 503);
    },
    heal: async (stack) => {
      await psql(stack, 'alter system reset listen_addresses');
      await compose(stack, 'restart', 'db');
      await up(stack);
    },
    expect: {
      root: 'db/ports',
      code: ['ports/loopback-only', 'network/refused'],
      innocents: others,
      remedy: /listen_addresses|0\.0\.0\.0/,
    },
  },
  {
    id: 'db-shared-memory',
    title: '/dev/shm is too small for a parallel query',
    inject: async (stack) => {
      edit(stack, 'docker-compose.yml', '    image: postgres:18-alpine\n', '    image: postgres:18-alpine\n    shm_size: 2mb\n');
      await compose(stack, 'up', '-d', '--no-deps', '--wait', '--force-recreate', 'db');
      await up(stack);
      const query = [
        'set max_parallel_workers_per_gather = 2; set parallel_setup_cost = 0; set parallel_tuple_cost = 0; set min_parallel_table_scan_size = 0;',
        "set work_mem = '64MB'; set enable_mergejoin = off; set enable_nestloop = off;",
        'create table big as select n, repeat(md5(n::text), 4) as t from generate_series(1, 100000) n; analyze big;',
        'select count(*) from big a join big b using (n, t)',
      ].join(' ');
      await stack.exec('db', ['psql', '-U', 'shootout', '-d', 'shootout', '-c', query], { timeoutMs: 120_000 });
      await until('the query to fail', async () => (await logs(stack, 'db')).includes('could not resize shared memory segment'));
    },
    heal: async (stack) => {
      await psql(stack, 'drop table if exists big');
      restore(stack, 'docker-compose.yml');
      await compose(stack, 'up', '-d', '--no-deps', '--wait', '--force-recreate', 'db');
      await up(stack);
    },
    expect: { root: 'db/postgres', code: 'postgres/shared-memory-full', innocents: others, remedy: /shm_size/ },
  },
  {
    id: 'db-locked',
    title: 'an idle transaction holds a lock, and every request that needs the table waits',
    inject: async (stack) => {
      const session = ['psql', '-U', 'shootout', '-d', 'shootout', '-c', 'begin', '-c', 'lock table shootouts', '-c', '\\! sleep 100000'];
      await docker(stack, 'exec', '-d', await stack.containerId('db'), ...session);
      await answers(stack, '/health', 503, 'Timeout');
    },
    heal: async (stack) => {
      await psql(stack, "select pg_terminate_backend(pid) from pg_stat_activity where state = 'idle in transaction'");
      await stack.exec('db', ['pkill', '-f', 'sleep 100000']);
      await up(stack);
    },
    expect: { root: 'db/postgres', code: 'postgres/blocked-sessions', innocents: others, remedy: /pg_terminate_backend/ },
  },
];
