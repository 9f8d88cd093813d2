import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { LabStack } from '../stack.ts';
import { saysInLog } from './alembic.ts';
import type { Fault } from './fault.ts';
import { becomes, compose, docker, edit, recreate, removeVolume, restore, up } from './tools.ts';

const down = (stack: LabStack, service: string): Promise<void> =>
  becomes(stack, service, 'ending', ({ Status, restarts }) => Status === 'restarting' || Status === 'exited' || restarts > 3);

/** A shell command on the files of a service's volume, while the service is stopped. */
async function inVolume(stack: LabStack, service: string, command: string): Promise<void> {
  const id = await stack.containerId(service);
  const image = (await docker(stack, 'inspect', '--format', '{{.Image}}', id)).trim();
  await docker(stack, 'run', '--rm', '--volumes-from', id, '--user', '0', '--entrypoint', 'sh', image, '-c', command);
}

const PGDATA = '"$(dirname "$(find /var/lib/postgresql -name pg_control | head -1)")/.."';

const dataFault = (
  id: string,
  title: string,
  service: 'db' | 'redis',
  [damage, repair]: [string, string],
  says: string,
  expect: Pick<Fault['expect'], 'code' | 'remedy'>,
): Fault => ({
  id,
  title,
  inject: async (stack) => {
    await compose(stack, 'stop', service);
    await inVolume(stack, service, damage);
    await compose(stack, 'start', service).catch(() => {});
    await saysInLog(stack, service, says);
    await down(stack, service);
  },
  heal: async (stack) => {
    await compose(stack, 'stop', service);
    await inVolume(stack, service, repair);
    await up(stack);
  },
  expect: {
    root: `${service}/startup`,
    innocents: ['backend', 'nginx', 'worker', service === 'db' ? 'redis' : 'db'],
    ...expect,
  },
});

const codeFault = (
  id: string,
  title: string,
  service: 'backend' | 'worker',
  change: (stack: LabStack) => void,
  says: string,
  expect: Pick<Fault['expect'], 'code' | 'remedy'>,
): Fault => ({
  id,
  title,
  inject: async (stack) => {
    change(stack);
    await recreate(stack, service);
    await saysInLog(stack, service, says);
    await down(stack, service);
  },
  heal: async (stack) => {
    restore(stack, 'backend', 'docker-compose.yml');
    await recreate(stack, service);
    await up(stack);
  },
  expect: {
    root: `${service}/startup`,
    innocents: ['backend', 'db', 'nginx', 'redis', 'worker'].filter((name) => name !== service),
    ...expect,
  },
});

/** A program that ends at its start, and says why. */
export const startupFaults: Fault[] = [
  dataFault(
    'db-data-version',
    'the data on the volume is of an older Postgres than the image',
    'db',
    [`cd ${PGDATA} && echo 16 > PG_VERSION`, `cd ${PGDATA} && echo 18 > PG_VERSION`],
    'database files are incompatible',
    { code: 'startup/data-version', remedy: /pg_dumpall/ },
  ),
  dataFault(
    'db-wal-lost',
    'somebody emptied pg_wal to make room',
    'db',
    [`cd ${PGDATA} && cp -a pg_wal wal.kept && rm -f pg_wal/0*`, `cd ${PGDATA} && rm -rf pg_wal && mv wal.kept pg_wal`],
    'could not locate a valid checkpoint record',
    { code: 'startup/wal-damaged', remedy: /[Cc]opy that volume/ },
  ),
  dataFault(
    'redis-dump-too-new',
    'the dump on the volume was written by a newer Redis',
    'redis',
    ['printf REDIS0099aaaaaaaa > /data/dump.rdb', 'rm /data/dump.rdb'],
    "Can't handle RDB format",
    { code: 'startup/dump-too-new', remedy: /image: redis/ },
  ),
  {
    id: 'db-init-script-fails',
    title: 'a script of the first start has a mistake; the volume is filled by half',
    inject: async (stack) => {
      mkdirSync(join(stack.dir, 'init'), { recursive: true });
      writeFileSync(join(stack.dir, 'init/10-seed.sql'), 'create table seed (id int);\ninsert into sead values (1);\n');
      edit(
        stack,
        'docker-compose.yml',
        '      - postgres-data:/var/lib/postgresql\n',
        '      - postgres-data:/var/lib/postgresql\n      - ./init:/docker-entrypoint-initdb.d:ro\n',
      );
      await compose(stack, 'rm', '-sfv', 'db');
      await removeVolume(stack, 'postgres-data');
      await recreate(stack, 'db');
      await saysInLog(stack, 'db', '10-seed.sql:2: ERROR');
      await down(stack, 'db');
    },
    heal: async (stack) => {
      restore(stack, 'docker-compose.yml');
      await compose(stack, 'rm', '-sfv', 'db');
      await removeVolume(stack, 'postgres-data');
      await compose(stack, 'up', '-d', '--wait', 'db');
      await compose(stack, 'restart', 'backend');
      await up(stack);
    },
    expect: {
      root: 'db/startup',
      code: 'startup/init-script-failed',
      innocents: ['backend', 'nginx', 'redis', 'worker'],
      remedy: /Correct the script/,
    },
  },
  codeFault(
    'worker-code-error',
    'the worker raises while its code is loaded',
    'worker',
    (stack) => edit(stack, 'backend/app/worker.py', 'async def render', 'LOUDNESS = int("-14 LUFS")\n\n\nasync def render'),
    'invalid literal',
    { code: 'startup/code-error', remedy: /docker compose logs/ },
  ),
  codeFault(
    'worker-setting-missing',
    'REDIS_URL is not passed on to the worker',
    'worker',
    (stack) =>
      edit(
        stack,
        'docker-compose.yml',
        '      <<: *app-environment\n      PYTHONPATH:',
        '      DATABASE_URL: postgresql+asyncpg://shootout:${DB_PASSWORD}@db:5432/shootout\n      PYTHONPATH:',
      ),
    "KeyError: 'REDIS_URL'",
    { code: 'startup/setting-missing', remedy: /environment:/ },
  ),
  codeFault(
    'backend-app-not-found',
    'the command names an app that the module does not have',
    'backend',
    (stack) =>
      edit(
        stack,
        'docker-compose.yml',
        '      dockerfile: Dockerfile.dev\n',
        '      dockerfile: Dockerfile.dev\n    command: ["uvicorn", "app.main:application", "--host", "0.0.0.0", "--port", "8000"]\n',
      ),
    'Error loading ASGI app',
    { code: 'startup/app-not-found', remedy: /working_dir/ },
  ),
];
