import { setTimeout as delay } from 'node:timers/promises';
import { until } from '../run.ts';
import type { LabStack } from '../stack.ts';
import { healAlembic, saysInLog, withAlembic } from './alembic.ts';
import type { Fault } from './fault.ts';
import { answers, becomes, compose, edit, get, psql, recreate, restore, up } from './tools.ts';

const others = ['db', 'nginx', 'redis', 'worker'];

const failed = (stack: LabStack, service = 'backend'): Promise<void> =>
  becomes(stack, service, 'ending', ({ Status, restarts }) => Status === 'restarting' || Status === 'exited' || restarts > 3);

/** Postgres lets the app in, and the schema is not the one that the app expects. */
export const migrationFaults: Fault[] = [
  {
    id: 'alembic-two-heads',
    title: 'two branches added a migration each; Alembic takes neither',
    inject: async (stack) => {
      withAlembic(stack, [{ id: 'a1' }, { id: 'b2', down: 'a1' }, { id: 'c3', down: 'a1' }]);
      await recreate(stack, 'backend');
      await saysInLog(stack, 'backend', 'Multiple head revisions');
      await failed(stack);
    },
    heal: healAlembic,
    expect: { root: 'backend/migrations', code: 'migrations/multiple-heads', innocents: others, remedy: /merge heads/ },
  },
  {
    id: 'alembic-unknown-revision',
    title: 'the volume was migrated by another branch; this checkout does not know its revision',
    inject: async (stack) => {
      await psql(
        stack,
        "drop table if exists alembic_version; create table alembic_version (version_num text); insert into alembic_version values ('f00d4c0ffee5')",
      );
      withAlembic(stack, [{ id: 'a1' }]);
      await recreate(stack, 'backend');
      await saysInLog(stack, 'backend', "Can't locate revision");
      await failed(stack);
    },
    heal: healAlembic,
    expect: { root: 'backend/migrations', code: 'migrations/unknown-revision', innocents: others, remedy: /git log|stamp/ },
  },
  {
    id: 'alembic-race',
    title: 'backend and worker run the same migrations at once; the worker loses and stays down',
    inject: async (stack) => {
      withAlembic(stack, [{ id: 'a1', sql: 'create table takes (id int); select pg_sleep(8)' }]);
      edit(stack, 'backend/revisions/versions/a1.py', '; select pg_sleep(8)")', '")\n    op.execute("select pg_sleep(8)")');
      edit(
        stack,
        'docker-compose.yml',
        /entrypoint: \["python", "-m", "app.worker"\]\n {4}command: \[\]/,
        'command: ["python", "-m", "app.worker"]',
      );
      edit(stack, 'docker-compose.yml', /(PYTHONPATH: \/app:\/pipeline\n {4}restart: )unless-stopped/, '$1"no"');
      await compose(stack, 'up', '-d', '--no-deps', '--force-recreate', 'backend');
      await delay(3_500);
      await compose(stack, 'up', '-d', '--no-deps', '--force-recreate', 'worker');
      await becomes(stack, 'worker', 'down', ({ Status }) => Status === 'exited');
      await answers(stack, '/health', 200, '', 'backend');
      await stack.exec('nginx', ['nginx', '-s', 'reload']);
      await answers(stack, '/health', 200);
    },
    heal: healAlembic,
    expect: {
      root: 'worker/migrations',
      code: 'migrations/concurrent-run',
      innocents: ['backend', 'db', 'nginx', 'redis'],
      remedy: /docker compose up -d worker/,
    },
  },
  {
    id: 'alembic-migration-fails',
    title: 'a migration does not fit the data',
    inject: async (stack) => {
      withAlembic(stack, [{ id: 'a1', sql: 'alter table shootouts drop column loudnes' }]);
      await recreate(stack, 'backend');
      await saysInLog(stack, 'backend', 'loudnes');
      await failed(stack);
    },
    heal: healAlembic,
    expect: { root: 'backend/migrations', code: 'migrations/failed', innocents: others, remedy: /Correct the migration/ },
  },
  {
    id: 'migration-failed-app-started',
    title: 'a migration failed at the start, and the app was started all the same',
    inject: async (stack) => {
      withAlembic(stack, [{ id: 'a1', sql: 'alter table shootouts drop column loudnes' }], ' || true');
      await recreate(stack, 'backend');
      await answers(stack, '/health', 200, '', 'backend');
    },
    heal: healAlembic,
    expect: { root: 'backend/migrations', code: 'migrations/failed', innocents: others, remedy: /set -e/, status: 'warn' },
  },
  {
    id: 'schema-missing',
    title: 'the migrations were never run: the app asks for a table that is not there',
    inject: async (stack) => {
      await psql(stack, 'alter table shootouts rename to shootouts_kept');
      await until('the page to fail', async () => (await get(stack, '/library')).status === 500);
      await saysInLog(stack, 'backend', 'relation "shootouts" does not exist');
    },
    heal: async (stack) => {
      await psql(stack, 'alter table shootouts_kept rename to shootouts');
      restore(stack, 'backend');
      await up(stack);
    },
    expect: { root: 'backend/migrations', code: 'migrations/schema-missing', innocents: others, remedy: /alembic upgrade head/ },
  },
  {
    id: 'schema-column-missing',
    title: 'the newest migration was not run: the app asks for a column that its table does not have',
    inject: async (stack) => {
      await psql(stack, 'alter table shootouts rename column loudness to loudness_kept');
      await until('the page to fail', async () => (await get(stack, '/library')).status === 500);
      await saysInLog(stack, 'backend', 'column "loudness" does not exist');
    },
    heal: async (stack) => {
      await psql(stack, 'alter table shootouts rename column loudness_kept to loudness');
      restore(stack, 'backend');
      await up(stack);
    },
    expect: { root: 'backend/migrations', code: 'migrations/schema-missing', innocents: others, remedy: /alembic upgrade head/ },
  },
];
