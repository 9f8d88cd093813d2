import { describe, expect, it } from 'vitest';
import { migrations } from '../../src/checks/migrations.ts';
import type { MountsFact, PostgresFact } from '../../src/model/facts.ts';
import type { Service } from '../../src/model/stack.ts';
import { logOf } from './attempts.ts';
import { ask, fact, findingsOf, gap, inShort, makeConnection, makeService, makeStack } from './make.ts';

interface Case {
  log: string[];
  /** Ended by itself. */
  ended?: boolean;
  schemas?: PostgresFact['schemas'];
  others?: Service[];
  /** An older volume beside that of the server. */
  former?: MountsFact['twins'][number];
}

const image = { imageId: 'sha256:one', entrypoint: ['/entrypoint.sh'] };

const look = ({ log, ended = false, schemas = [], others = [], former }: Case) => {
  const service = makeService({ role: 'http', containers: [{ ...image, state: ended ? { status: 'exited', exitCode: 1 } : {} }] });
  const from = (name: string) => makeConnection({ from: name, database: 'shop', user: 'shop' });
  return ask(migrations, {
    stack: makeStack({
      services: [service, makeService({ name: 'db', role: 'postgres' }), ...others],
      connections: ['app', ...others.map(({ name }) => name)].map(from),
    }),
    service: 'app',
    facts: { logs: fact(logOf('p-app-1', log)) },
    peers: {
      db: {
        postgres: fact<PostgresFact>({ attempts: [], server: null, serverLog: [], schemas }),
        mysql: gap('no MySQL'),
        mounts: former ? fact({ twins: [former] }) : gap('not looked'),
      },
    },
  });
};

const short = (given: Case): string => inShort(migrations, look(given));

const HEADS = 'alembic.util.exc.CommandError: Multiple head revisions are present for given argument';
const REVISION = "alembic.util.exc.CommandError: Can't locate revision identified by 'ab12'";
const RACE = 'asyncpg.exceptions.UniqueViolationError: duplicate key value violates unique constraint "pg_type_typname_nsp_index"';
const SERVES = 'INFO:     Uvicorn running on http://0.0.0.0:8000';
const UNDEFINED = 'asyncpg.exceptions.UndefinedTableError: relation "orders" does not exist';
const FAILED = [
  'Traceback (most recent call last):',
  '  File "/usr/lib/python3/dist-packages/alembic/command.py", line 3, in upgrade',
  '  File "/app/revisions/versions/2_orders.py", line 9, in upgrade',
  'sqlalchemy.exc.ProgrammingError: column "x" of relation "orders" does not exist',
];

const schema = (parts = {}) => ({ client: 'app', database: 'shop', missing: ['orders'], tables: 0, alembic: null, ...parts });

describe('migrations: what is as it should be', () => {
  it.each<[string, Case, string]>([
    ['no migrations at all', { log: ['hello', SERVES] }, 'skip'],
    ['they ran', { log: ['INFO  [alembic.runtime.migration] Running upgrade  -> ab12, orders', SERVES] }, 'pass'],
    ['a table that was missing once, and is there now', { log: [SERVES, UNDEFINED], schemas: [schema({ missing: [] })] }, 'skip'],
    ['a column that was missing once, and is there now', { log: [SERVES], schemas: [schema({ missing: [], columns: [] })] }, 'skip'],
    ['a table that another client misses', { log: [SERVES], schemas: [schema({ client: 'other' })] }, 'skip'],
    [
      'the database did not let it in',
      { ended: true, log: ['  File "/usr/lib/python3/dist-packages/alembic/x.py", line 3', 'asyncpg.exceptions.InvalidPasswordError: no'] },
      'skip',
    ],
    [
      'a tool that prints that the database is not there',
      { ended: true, log: ['migration failed: ConnectionRefusedError: [Errno 111] Connect call failed'] },
      'skip',
    ],
    ['a migration that failed once, in an app that runs', { log: ['migration failed, trying again', SERVES] }, 'skip'],
    ['its migrations miss a module', { ended: true, log: [...FAILED.slice(0, 2), "ModuleNotFoundError: No module named 'x'"] }, 'skip'],
    ['an exception of the app', { ended: true, log: [FAILED[0]!, '  File "/app/main.py", line 3', 'ValueError: no'] }, 'skip'],
    ['the same words once the app serves', { log: [SERVES, HEADS] }, 'skip'],
  ])('%s', (_, given, expected) => expect(short(given)).toBe(expected));

  it('is asked only of who has a database', () => {
    const service = makeService({ role: 'http' });
    expect(migrations.appliesTo(service, makeStack({ services: [service] }))).toBe(false);
  });

  it('cannot tell without a log', () => {
    const service = makeService();
    const verdict = ask(migrations, { stack: makeStack({ services: [service] }), service: 'app', facts: { logs: gap('log driver none') } });
    expect(inShort(migrations, verdict)).toBe('cannot look');
  });
});

describe('migrations: what went wrong', () => {
  it.each<[string, Case, string, string]>([
    ['two heads', { ended: true, log: [HEADS] }, 'fail multiple-heads', 'two heads'],
    ['a revision of another branch', { ended: true, log: [REVISION] }, 'fail unknown-revision', 'ab12'],
    ['a race that was lost', { ended: true, log: [RACE] }, 'fail concurrent-run', 'as another service'],
    [
      'a run that served before, and one that did not come so far',
      { ended: true, log: [SERVES, 'INFO:     Shutting down', 'migration failed: relation "orders" does not exist'], schemas: [schema()] },
      'fail failed',
      'relation "orders"',
    ],
    ['a migration that fails', { ended: true, log: FAILED }, 'fail failed', '/app/revisions/versions/2_orders.py:9'],
    [
      'a script of the project itself, over a table that is not there',
      {
        ended: true,
        log: [FAILED[0]!, '  File "/app/app/migrate.py", line 24, in main', UNDEFINED],
        schemas: [schema({ tables: 3 })],
      },
      'fail failed',
      '/app/app/migrate.py:24',
    ],
    [
      'a tool that prints a line',
      { ended: true, log: ['migration failed: UndefinedTableError: relation "orders" does not exist'], schemas: [schema({ tables: 3 })] },
      'fail failed',
      'relation "orders" does not exist',
    ],
    ['the words of Prisma', { ended: true, log: ['Error: P3018'] }, 'fail failed', 'P3018'],
    ['the app started all the same', { log: [REVISION, SERVES] }, 'warn unknown-revision', 'started all the same'],
    [
      'started all the same, and misses its tables',
      { log: [REVISION, SERVES, UNDEFINED], schemas: [schema()] },
      'fail unknown-revision',
      'ab12',
    ],
    ['an empty database', { log: [SERVES, UNDEFINED], schemas: [schema()] }, 'fail schema-missing', 'no table at all'],
    [
      'a table is missing',
      { log: [UNDEFINED], schemas: [schema({ tables: 3, alembic: ['ab12'] })] },
      'fail schema-missing',
      'has no table orders',
    ],
    [
      'an empty database in a new volume, beside an older one',
      {
        log: [SERVES, UNDEFINED],
        schemas: [schema()],
        former: { volume: 'p_data-2', other: 'p_data', project: 'p', createdAt: '2026-11-01T00:00:00.000Z' },
      },
      'fail schema-missing',
      'its volume p_data-2 is new, and the data may be in p_data',
    ],
    [
      'a column is missing',
      { log: [SERVES], schemas: [schema({ missing: [], columns: [{ name: 'paid', table: 'orders' }], tables: 3 })] },
      'fail schema-missing',
      'has no column orders.paid',
    ],
    [
      'a column that no table has',
      { log: [SERVES], schemas: [schema({ missing: [], columns: [{ name: 'paid', table: null }], tables: 3 })] },
      'fail schema-missing',
      'has no column paid',
    ],
  ])('%s', (_, given, expected, says) => {
    expect(short(given)).toBe(expected);
    expect(findingsOf(look(given))[0].message).toContain(says);
  });

  it('names who else runs the same migrations', () => {
    const worker = makeService({ name: 'worker', role: 'worker', containers: [{ ...image }] });
    const [finding] = findingsOf(look({ ended: true, log: [RACE], others: [worker] }));
    expect(finding.message).toContain('app and worker migrated the same database');
    const other = makeService({ name: 'mailer', containers: [{ imageId: 'sha256:two', entrypoint: ['/entrypoint.sh'] }] });
    expect(findingsOf(look({ ended: true, log: [RACE], others: [other] }))[0].message).not.toContain('mailer');
  });
});
