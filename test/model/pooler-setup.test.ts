import { describe, expect, it } from 'vitest';
import { isHashed, parseIni, parseUsers, pooled } from '../../src/model/pooler-setup.ts';
import { makeConnection, makeService } from '../checks/make.ts';

const INI = `
;; comment
[databases]
orders = host=store port=5433 dbname=shop user=app password='it''s'
* = host=store,spare auth_user=app
local = dbname=x
[pgbouncer]
auth_type = scram-sha-256
auth_file = /etc/pgbouncer/userlist.txt
`;

describe('what pgbouncer.ini says', () => {
  const ini = parseIni(INI);

  it('has the databases with their lines', () => {
    expect(ini.databases).toEqual([
      { name: 'orders', hosts: ['store'], port: 5433, database: 'shop', user: 'app', password: "it's" },
      { name: '*', hosts: ['store', 'spare'], port: 5432, database: null, user: null, password: null },
      { name: 'local', hosts: [], port: 5432, database: 'x', user: null, password: null },
    ]);
    expect(ini.lines).toEqual([4, 5, 6]);
  });

  it('has the settings', () => expect(ini.settings).toEqual({ auth_type: 'scram-sha-256', auth_file: '/etc/pgbouncer/userlist.txt' }));
});

it('reads the list of users, and knows a hash', () => {
  const users = parseUsers('"app" "plain"\n"old" "md50123456789abcdef0123456789abcdef"\n; "no" "line"\n');
  expect(users.map(({ user, password }) => [user, isHashed(password)])).toEqual([
    ['app', false],
    ['old', true],
  ]);
});

describe('who is behind a pooler', () => {
  const services = [makeService({ name: 'pool', role: 'pooler' }), makeService({ name: 'store', role: 'postgres' })];
  const entry = { name: 'orders', hosts: ['store'], port: 5432, database: null, user: null, password: null, at: 'pgbouncer.ini:4' };
  const told = makeConnection({
    from: 'pool',
    to: 'store',
    kind: 'postgres',
    host: 'store',
    port: 5432,
    user: 'app',
    source: 'env DB_HOST',
  });
  const of = (connections: (typeof told)[], databases: (typeof entry)[]) =>
    pooled(connections, { pool: { file: 'pgbouncer.ini', databases, users: null } }, services).map(({ to, user, database, source }) => [
      to,
      user,
      database,
      source,
    ]);

  it('stands in its own file', () => expect(of([], [entry])).toEqual([['store', null, 'orders', 'pgbouncer.ini:4']]));
  it('is written where the file is made from the environment', () =>
    expect(of([told], [entry])).toEqual([['store', 'app', 'orders', 'env DB_HOST']]));
  it('is not what a variable says that the file does not', () =>
    expect(of([{ ...told, host: 'gone', to: null }], [entry])).toEqual([['store', null, 'orders', 'pgbouncer.ini:4']]));
  it('stays as the environment has it where the file names nobody', () =>
    expect(of([told], [])).toEqual([['store', 'app', told.database, 'env DB_HOST']]));
});
