/** How images in use are told of their servers, each in its own words: nobody is said to have no password who has one. */
import { expect, test } from 'vitest';
import { createVault } from '../../src/gather/vault.ts';
import { connectionsOf } from '../../src/model/connections.ts';
import type { Role } from '../../src/model/stack.ts';
import { makeService } from '../checks/make.ts';

const SERVERS: Record<string, Role> = { pg: 'postgres', kv: 'redis', my: 'mysql', mq: 'rabbitmq' };

const found = (env: Record<string, string>): string[] => {
  const vault = createVault();
  const masked = Object.fromEntries(Object.entries(env).map(([key, value]) => [key, vault.maskEnv(key, value)]));
  const services = [
    makeService({ name: 'app', role: 'http', containers: [{ env: masked }] }),
    ...Object.entries(SERVERS).map(([name, role]) => makeService({ name, role })),
  ];
  return connectionsOf(services)
    .filter(({ from, to }) => from === 'app' && to !== null)
    .map(
      ({ kind, user, password, to, port }) => `${kind} ${user ?? '-'}:${password === null ? '-' : vault.reveal(password)}@${to}:${port}`,
    );
};

const IMAGES: [string, Record<string, string>, string[]][] = [
  ['redis_exporter', { REDIS_ADDR: 'redis://kv:6379', REDIS_USER: 'u', REDIS_PASSWORD: 'pw' }, ['redis u:pw@kv:6379']],
  ['redis_exporter, without a scheme', { REDIS_ADDR: 'kv:6379', REDIS_PASSWORD: 'pw' }, ['redis -:pw@kv:6379']],
  [
    'metabase',
    { MB_DB_TYPE: 'postgres', MB_DB_HOST: 'pg', MB_DB_PORT: '5432', MB_DB_USER: 'u', MB_DB_PASS: 'pw' },
    ['postgres u:pw@pg:5432'],
  ],
  [
    'keycloak, by its parts',
    { KC_DB: 'postgres', KC_DB_URL_HOST: 'pg', KC_DB_USERNAME: 'u', KC_DB_PASSWORD: 'pw' },
    ['postgres u:pw@pg:5432'],
  ],
  [
    'keycloak, by JDBC',
    { KC_DB: 'postgres', KC_DB_URL: 'jdbc:postgresql://pg/k', KC_DB_USERNAME: 'u', KC_DB_PASSWORD: 'pw' },
    ['postgres u:pw@pg:5432'],
  ],
  [
    'gitea',
    { GITEA__database__DB_TYPE: 'postgres', GITEA__database__HOST: 'pg:5432', GITEA__database__USER: 'u', GITEA__database__PASSWD: 'pw' },
    ['postgres u:pw@pg:5432'],
  ],
  [
    'nextcloud',
    { POSTGRES_HOST: 'pg', POSTGRES_USER: 'u', POSTGRES_PASSWORD: 'pw', REDIS_HOST: 'kv', REDIS_HOST_PASSWORD: 'rpw' },
    ['postgres u:pw@pg:5432', 'redis -:rpw@kv:6379'],
  ],
  ['wordpress', { WORDPRESS_DB_HOST: 'my:3306', WORDPRESS_DB_USER: 'u', WORDPRESS_DB_PASSWORD: 'pw' }, ['mysql u:pw@my:3306']],
  [
    'ghost',
    { database__client: 'mysql', database__connection__host: 'my', database__connection__user: 'u', database__connection__password: 'pw' },
    ['mysql u:pw@my:3306'],
  ],
  ['directus', { DB_CLIENT: 'pg', DB_HOST: 'pg', DB_PORT: '5432', DB_USER: 'u', DB_PASSWORD: 'pw' }, ['postgres u:pw@pg:5432']],
  [
    'n8n',
    {
      DB_TYPE: 'postgresdb',
      DB_POSTGRESDB_HOST: 'pg',
      DB_POSTGRESDB_USER: 'u',
      DB_POSTGRESDB_PASSWORD: 'pw',
      QUEUE_BULL_REDIS_HOST: 'kv',
      QUEUE_BULL_REDIS_PASSWORD: 'rpw',
    },
    ['postgres u:pw@pg:5432', 'redis -:rpw@kv:6379'],
  ],
  ['hasura', { HASURA_GRAPHQL_DATABASE_URL: 'postgres://u:pw@pg:5432/x' }, ['postgres u:pw@pg:5432']],
  [
    'mattermost',
    { MM_SQLSETTINGS_DRIVERNAME: 'postgres', MM_SQLSETTINGS_DATASOURCE: 'postgres://u:pw@pg:5432/m' },
    ['postgres u:pw@pg:5432'],
  ],
  [
    'outline',
    { DATABASE_URL: 'postgres://u:pw@pg:5432/o', REDIS_URL: 'redis://:rpw@kv:6379' },
    ['postgres u:pw@pg:5432', 'redis -:rpw@kv:6379'],
  ],
  [
    'grafana',
    { GF_DATABASE_TYPE: 'postgres', GF_DATABASE_HOST: 'pg:5432', GF_DATABASE_USER: 'u', GF_DATABASE_PASSWORD: 'pw' },
    ['postgres u:pw@pg:5432'],
  ],
  ['matomo', { MATOMO_DATABASE_HOST: 'my', MATOMO_DATABASE_USERNAME: 'u', MATOMO_DATABASE_PASSWORD: 'pw' }, ['mysql u:pw@my:3306']],
  ['umami', { DATABASE_TYPE: 'postgresql', DATABASE_URL: 'postgresql://u:pw@pg:5432/u' }, ['postgres u:pw@pg:5432']],
  [
    'authentik',
    {
      AUTHENTIK_POSTGRESQL__HOST: 'pg',
      AUTHENTIK_POSTGRESQL__USER: 'u',
      AUTHENTIK_POSTGRESQL__PASSWORD: 'pw',
      AUTHENTIK_REDIS__HOST: 'kv',
      AUTHENTIK_REDIS__PASSWORD: 'rpw',
    },
    ['postgres u:pw@pg:5432', 'redis -:rpw@kv:6379'],
  ],
  [
    'immich',
    { DB_HOSTNAME: 'pg', DB_USERNAME: 'u', DB_PASSWORD: 'pw', REDIS_HOSTNAME: 'kv', REDIS_PASSWORD: 'rpw' },
    ['postgres u:pw@pg:5432', 'redis -:rpw@kv:6379'],
  ],
  [
    'paperless',
    { PAPERLESS_DBHOST: 'pg', PAPERLESS_DBUSER: 'u', PAPERLESS_DBPASS: 'pw', PAPERLESS_REDIS: 'redis://:rpw@kv:6379' },
    ['postgres u:pw@pg:5432', 'redis -:rpw@kv:6379'],
  ],
  ['bookstack', { DB_HOST: 'my', DB_PORT: '3306', DB_USERNAME: 'u', DB_PASSWORD: 'pw' }, ['mysql u:pw@my:3306']],
  [
    'postgres_exporter',
    { DATA_SOURCE_URI: 'pg:5432/postgres?sslmode=disable', DATA_SOURCE_USER: 'u', DATA_SOURCE_PASS: 'pw' },
    ['postgres u:pw@pg:5432'],
  ],
  ['mysqld_exporter', { DATA_SOURCE_NAME: 'u:pw@(my:3306)/' }, ['mysql u:pw@my:3306']],
  ['zabbix', { DB_SERVER_HOST: 'pg', POSTGRES_USER: 'u', POSTGRES_PASSWORD: 'pw', POSTGRES_DB: 'zabbix' }, ['postgres u:pw@pg:5432']],
  [
    "an app with words of its own, beside the server's set-up",
    { DB_HOST: 'pg', DB_USER: 'u', DB_PASSWORD: 'pw', POSTGRES_USER: 'root', POSTGRES_PASSWORD: 'rpw' },
    ['postgres u:pw@pg:5432'],
  ],
  ['a path of the host beside a port that is no data store', { REPORTS: 'pg:8080/reports' }, []],
  ['drone', { DRONE_DATABASE_DRIVER: 'postgres', DRONE_DATABASE_DATASOURCE: 'postgres://u:pw@pg:5432/d' }, ['postgres u:pw@pg:5432']],
];

test.each(IMAGES)('%s', (_, env, expected) => expect(found(env).toSorted()).toEqual(expected.toSorted()));
