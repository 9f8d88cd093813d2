import { until } from '../run.ts';
import type { LabStack } from '../stack.ts';
import type { Fault } from './fault.ts';
import { answers, becomes, changed, compose, edit, get, logs, portTaken, recreate, restore, send, settled, up } from './tools.ts';

const change = changed('orchard');
const FILE = 'docker-compose.yml';
const rest = (...guilty: string[]): string[] =>
  ['broker', 'database', 'press', 'server', 'web'].filter((service) => !guilty.includes(service));

/** A variable of the API alone. */
const ofServer = (name: string, value: string): [string, string, string] => [
  FILE,
  '      PORT: 4000\n',
  `      PORT: 4000\n      ${name}: "${value}"\n`,
];
const sick = (stack: LabStack): Promise<void> => answers(stack, '/healthz', 503, '', 'server');

const root = async (stack: LabStack, sql: string): Promise<void> => {
  const client = ['mariadb', '-h127.0.0.1', '-uroot', `-p${stack.password}`, '-e', sql];
  const { code, stderr } = await stack.exec('database', client);
  if (code !== 0) throw new Error(stderr);
};

/** All of orchard runs, but somebody cannot use somebody. */
export const orchardConnectionFaults: Fault[] = [
  change({
    id: 'orchard-server-wrong-password',
    title: 'the API has another password for MariaDB than the press',
    edits: [ofServer('DB_PASSWORD', 'not-the-password')],
    recreate: ['server'],
    until: sick,
    expect: {
      root: 'database/mysql',
      code: ['mysql/auth-rejected', 'compose/credentials-conflict'],
      innocents: rest('database', 'server'),
      remedy: /docker compose up -d server/,
    },
  }),
  {
    id: 'orchard-table-missing',
    title: 'the database lacks the table that the API asks for; the API is healthy all the same',
    stack: 'orchard',
    inject: async (stack) => {
      await root(stack, 'rename table orchard.apples to orchard.apples_kept');
      await answers(stack, '/api/apples', 500, '', 'server');
    },
    heal: async (stack) => {
      await root(stack, 'rename table orchard.apples_kept to orchard.apples');
      await answers(stack, '/api/apples', 200, '', 'server');
    },
    expect: {
      root: 'server/migrations',
      code: 'migrations/schema-missing',
      innocents: rest('server'),
      remedy: /Run the migrations/,
    },
  },
  {
    id: 'orchard-password-changed-in-env',
    title: 'DB_PASSWORD was changed in .env after the volume was made, and all was recreated',
    stack: 'orchard',
    inject: async (stack) => {
      edit(stack, '.env', /^DB_PASSWORD=.*/m, 'DB_PASSWORD=new-in-env');
      for (const service of ['database', 'server', 'press']) await compose(stack, 'up', '-d', '--no-deps', service);
      await until('MariaDB to refuse the press', async () => (await logs(stack, 'database')).includes('Access denied'));
      await sick(stack);
    },
    heal: async (stack) => {
      restore(stack, '.env');
      await up(stack);
    },
    expect: { root: 'database/mysql', code: 'mysql/password-volume-mismatch', innocents: rest('database'), remedy: /ALTER USER/i },
  },
  change({
    id: 'orchard-database-unknown',
    title: 'DB_NAME of the API names a database that was never made',
    edits: [ofServer('DB_NAME', 'orchards')],
    recreate: ['server'],
    until: sick,
    expect: {
      root: 'database/mysql',
      code: ['mysql/database-missing', 'mysql/access-denied', 'mysql/database-denied'],
      innocents: rest('database', 'server'),
      remedy: /CREATE DATABASE|GRANT|DB_NAME/i,
    },
  }),
  change({
    id: 'orchard-database-host-typo',
    title: 'DB_HOST of the API is the name of the image, not of the service',
    edits: [ofServer('DB_HOST', 'mariadb')],
    recreate: ['server'],
    until: sick,
    expect: { root: 'server/network', code: 'network/unknown-host', innocents: rest('server'), remedy: /docker compose up -d server/ },
  }),
  change({
    id: 'orchard-database-localhost',
    title: 'DB_HOST of the API is 127.0.0.1',
    edits: [ofServer('DB_HOST', '127.0.0.1')],
    recreate: ['server'],
    until: sick,
    expect: {
      root: 'server/network',
      code: 'network/localhost-in-container',
      innocents: rest('server'),
      remedy: /docker compose up -d server/,
    },
  }),
  change({
    id: 'orchard-database-host-port',
    title: 'DB_PORT of the API is the port that is published on the host',
    edits: [ofServer('DB_PORT', '$${DATABASE_PORT}')],
    recreate: ['server'],
    until: sick,
    expect: {
      root: 'server/network',
      code: ['network/host-port-inside', 'network/refused'],
      innocents: rest('server'),
      remedy: /3306|docker compose up -d server/,
    },
  }),
  change({
    id: 'orchard-database-loopback',
    title: 'MariaDB listens inside its own container only; its healthcheck is green',
    edits: [[FILE, '    image: mariadb:11\n', '    image: mariadb:11\n    command: ["--bind-address=127.0.0.1"]\n']],
    recreate: ['database'],
    until: async (stack) => {
      await becomes(stack, 'database', 'healthy', (now) => now.Health?.Status === 'healthy');
      await sick(stack);
    },
    expect: { root: 'database/ports', code: 'ports/loopback-only', innocents: rest('database'), remedy: /0\.0\.0\.0|bind/ },
  }),
  {
    id: 'orchard-database-locked-account',
    title: "the API's account was locked in MariaDB",
    stack: 'orchard',
    inject: async (stack) => {
      await root(stack, "alter user 'grower'@'%' account lock");
      await recreate(stack, 'server');
      await sick(stack);
    },
    heal: async (stack) => {
      await root(stack, "alter user 'grower'@'%' account unlock");
      await recreate(stack, 'server');
      await up(stack);
    },
    expect: {
      root: 'database/mysql',
      code: ['mysql/account-locked', 'mysql/auth-rejected', 'mysql/error'],
      innocents: rest('database'),
      remedy: /ALTER USER|docker compose/i,
    },
  },
  change({
    id: 'orchard-broker-wrong-password',
    title: 'the API has another password for RabbitMQ than the broker',
    edits: [ofServer('AMQP_URL', 'amqp://grower:not-the-password@broker:5672/orchard')],
    recreate: ['server'],
    until: sick,
    expect: {
      root: 'broker/rabbitmq',
      code: 'rabbitmq/auth-rejected',
      innocents: rest('broker', 'server'),
      remedy: /docker compose up -d server/,
    },
  }),
  change({
    id: 'orchard-broker-vhost-missing',
    title: 'the API asks for a virtual host that was never made',
    edits: [ofServer('AMQP_URL', 'amqp://grower:$${BROKER_PASSWORD}@broker:5672/orchards')],
    recreate: ['server'],
    until: sick,
    expect: {
      root: 'broker/rabbitmq',
      code: 'rabbitmq/vhost-missing',
      innocents: rest('broker', 'server'),
      remedy: /add_vhost|AMQP_URL/,
    },
  }),
  change({
    id: 'orchard-broker-host-typo',
    title: 'the AMQP URL of the API names a host that is not there',
    edits: [ofServer('AMQP_URL', 'amqp://grower:$${BROKER_PASSWORD}@rabbit:5672/orchard')],
    recreate: ['server'],
    until: sick,
    expect: { root: 'server/network', code: 'network/unknown-host', innocents: rest('server'), remedy: /docker compose up -d server/ },
  }),
  change({
    id: 'orchard-press-deaf',
    title: 'the press is connected and consumes nothing; apples wait for ever, and all is green',
    edits: [['server/src/press.js', 'await channel.consume(queue, async', 'void (async']],
    restart: ['press'],
    until: async (stack) => {
      for (const name of ['Gala', 'Jonagold', 'Topaz']) await send(stack, '/api/apples', { name });
      await settled(stack, 'press', 22);
    },
    expect: { root: 'broker/rabbitmq', code: 'rabbitmq/no-consumer', innocents: rest('broker', 'press'), remedy: /docker compose|queue/ },
  }),
  change({
    id: 'orchard-server-loopback',
    title: 'the API listens on 127.0.0.1 of its container; its healthcheck is green',
    edits: [ofServer('LISTEN', '127.0.0.1')],
    recreate: ['server'],
    until: async (stack) => {
      await becomes(stack, 'server', 'healthy', (now) => now.Health?.Status === 'healthy');
      await until('the site to fail', async () => (await get(stack, '/api/apples')).status !== 200);
    },
    expect: { root: 'server/ports', code: 'ports/loopback-only', innocents: rest('server'), remedy: /0\.0\.0\.0/ },
  }),
  change({
    id: 'orchard-server-other-port',
    title: 'PORT of the API is 4001; 4000 is published and asked for',
    edits: [[FILE, '      PORT: 4000\n', '      PORT: 4001\n']],
    recreate: ['server'],
    until: async (stack) => {
      await until('the server', async () => (await logs(stack, 'server')).includes('listening on 4001'));
      await until('the site to fail', async () => (await get(stack, '/api/apples')).status !== 200);
      await settled(stack, 'server');
    },
    expect: { root: 'server/ports', code: 'ports/wrong-container-port', innocents: rest('server'), remedy: /4000|ports|PORT/ },
  }),
  change({
    id: 'orchard-web-loopback',
    title: 'Vite was started without --host: it listens on localhost of its container',
    edits: [['web/package.json', 'vite --host 0.0.0.0', 'vite']],
    restart: ['web'],
    until: async (stack) => {
      await until('vite', async () => /ready in/.test(await logs(stack, 'web')));
      await answers(stack, '/', 0);
      await settled(stack, 'web');
    },
    expect: { root: 'web/ports', code: 'ports/loopback-only', innocents: rest('web'), remedy: /0\.0\.0\.0|--host/ },
  }),
  change({
    id: 'orchard-server-off-network',
    title: 'the API was given a network of its own and lost the common one',
    edits: [
      [
        FILE,
        '    command: ["node", "--watch", "src/index.js"]\n',
        '    command: ["node", "--watch", "src/index.js"]\n    networks: [own]\n',
      ],
      [FILE, /^volumes:\n/m, 'networks:\n  own:\n\nvolumes:\n'],
    ],
    recreate: ['server'],
    until: sick,
    expect: { root: 'server/network', code: 'network/no-common-network', innocents: rest('server'), remedy: /networks/ },
  }),
  {
    id: 'orchard-database-port-taken',
    title: "another project's container holds the host port of MariaDB",
    stack: 'orchard',
    ...portTaken({ service: 'database', hostPort: 'database', port: 3306, image: 'press' }),
    expect: { root: 'database/ports', code: 'ports/taken', innocents: rest('database'), remedy: /docker (stop|ps|rm)|_PORT|ports/ },
  },
];
