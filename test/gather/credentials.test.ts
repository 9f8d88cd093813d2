import { expect, test } from 'vitest';
import { clientCredentials } from '../../src/gather/credentials.ts';
import { makeConnection, makeService, makeStack } from '../checks/make.ts';

const MARK = '‹secret:0123abcd›';

/** What is tried at the Redis of a client whose URL has no password. */
const tried = (env: Record<string, string>, toldByFile: Record<string, string> = {}, mounts: string[] = []) => {
  const client = makeService({
    name: 'api',
    containers: [
      { env, toldByFile, mounts: mounts.map((destination) => ({ type: 'bind', source: '/x', destination, readOnly: true, name: null })) },
    ],
  });
  const services = [client, makeService({ name: 'kv', role: 'redis' }), makeService({ name: 'db', role: 'postgres' })];
  const connections = [
    makeConnection({ from: 'api', to: 'kv', kind: 'redis', host: 'kv', port: 6379 }),
    makeConnection({ from: 'api', to: 'db', kind: 'postgres', host: 'db', port: 5432, password: toldByFile['DB_PASSWORD'] ?? null }),
  ];
  return clientCredentials(makeStack({ services, connections }), 'kv', 'redis').length;
};

test.each<[string, number, Parameters<typeof tried>]>([
  ['none is told anywhere', 1, [{}]],
  ['a file may hold it', 0, [{ REDIS_PASSWORD_FILE: '/run/secrets/kv' }]],
  ['a secret is mounted that no variable names', 0, [{}, {}, ['/run/secrets/kv']]],
  [
    'the file is the password of another connection',
    1,
    [{ DB_PASSWORD_FILE: '/run/secrets/db' }, { DB_PASSWORD: MARK }, ['/run/secrets/db']],
  ],
  ['one of two files is', 0, [{ DB_PASSWORD_FILE: '/run/secrets/db' }, { DB_PASSWORD: MARK }, ['/run/secrets/db', '/run/secrets/kv']]],
  ['the file could not be read', 0, [{ DB_PASSWORD_FILE: '/run/secrets/db' }, {}, ['/run/secrets/db']]],
])('a password that the URL lacks: %s', (_, expected, given) => expect(tried(...given)).toBe(expected));
