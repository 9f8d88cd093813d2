import { until } from '../run.ts';
import type { LabStack } from '../stack.ts';
import type { Fault } from './fault.ts';
import { answers, becomes, changed, compose, docker, foreign, get, logs, removeForeign, settled, up } from './tools.ts';

const change = changed('granary');
const FILE = 'docker-compose.yml';
const GATE = 'gate/haproxy.cfg';
const POOL = 'pool/pgbouncer.ini';
const rest = (...guilty: string[]): string[] =>
  ['clerk', 'counter', 'gate', 'office', 'pool', 'store'].filter((service) => !guilty.includes(service));

/** A variable of one app alone: the later one counts. */
const urlOf = (app: string, url: string): [string, RegExp, string] => [
  FILE,
  new RegExp(`(granary\\.${app}:app.*\\n) {4}environment: \\*places`),
  `$1    environment:\n      DATABASE_URL: ${url}`,
];
const gateDown = (stack: LabStack): Promise<void> => answers(stack, '/api/sacks', 503);
const sacksFail = (stack: LabStack): Promise<void> => answers(stack, '/api/sacks', 500);
const notesFail = async (stack: LabStack): Promise<void> => {
  await answers(stack, '/notes', 502);
  await settled(stack, 'clerk');
};
/** What waits for the pooler is told so after some seconds, or not at all. */
const isUnwell = async (stack: LabStack): Promise<void> => {
  for (const path of ['/api/sacks', '/notes']) await until(`${path} to fail`, async () => (await get(stack, path)).status !== 200);
  await settled(stack, 'clerk');
};

const gateEnds = async (stack: LabStack): Promise<void> => {
  await until('HAProxy to say why it ends', async () => (await logs(stack, 'gate')).includes('ALERT'));
  await becomes(stack, 'gate', 'restarted a few times', ({ restarts }) => restarts >= 2);
};

const addressOf = async (stack: LabStack, id: string): Promise<string> =>
  (await docker(stack, 'inspect', '--format', '{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}', id)).trim();

/** HAProxy, pgbouncer, and nginx before a socket file. */
export const granaryFaults: Fault[] = [
  change({
    id: 'granary-gate-server-typo',
    title: 'a server line of HAProxy names a service that does not exist',
    edits: [[GATE, 'server counter counter:8000', 'server counter teller:8000']],
    restart: ['gate'],
    until: gateEnds,
    expect: { root: 'gate/balancer', code: 'balancer/server-not-found', innocents: rest('gate'), remedy: /docker compose restart gate/ },
  }),
  change({
    id: 'granary-gate-loopback',
    title: 'a server line of HAProxy names 127.0.0.1',
    edits: [[GATE, 'server counter counter:8000', 'server counter 127.0.0.1:8000']],
    restart: ['gate'],
    until: gateDown,
    expect: { root: 'gate/balancer', code: 'balancer/server-loopback', innocents: rest('gate'), remedy: /docker compose restart gate/ },
  }),
  change({
    id: 'granary-gate-config-invalid',
    title: 'a misspelt word in the configuration of HAProxy',
    edits: [[GATE, 'default_backend office', 'default_backend ofice']],
    restart: ['gate'],
    until: gateEnds,
    expect: {
      root: 'gate/balancer',
      code: 'balancer/config-invalid',
      innocents: rest('gate'),
      remedy: /haproxy -c|docker compose up -d gate/,
    },
  }),
  change({
    id: 'granary-gate-check-path',
    title: 'HAProxy asks the app for a path that it does not have, and takes it for dead',
    edits: [[GATE, 'option httpchk GET /health', 'option httpchk GET /ready']],
    restart: ['gate'],
    until: gateDown,
    expect: { root: 'gate/balancer', code: 'balancer/health-check-rejected', innocents: rest('gate'), remedy: /http-check/ },
  }),
  change({
    id: 'granary-gate-server-port',
    title: 'a server line of HAProxy names a port on which the app does not listen',
    edits: [[GATE, 'server counter counter:8000', 'server counter counter:8080']],
    restart: ['gate'],
    until: gateDown,
    expect: {
      root: 'gate/network',
      code: ['network/refused', 'network/host-port-inside'],
      innocents: rest('gate', 'counter'),
      remedy: /8000|port/,
    },
  }),
  {
    id: 'granary-stale-server',
    title: 'the app was made anew and has another address, which HAProxy does not look up again',
    stack: 'granary',
    inject: async (stack) => {
      const before = await addressOf(stack, await stack.containerId('counter'));
      await compose(stack, 'rm', '-sfv', 'counter');
      let taken = '';
      for (let tenant = 1; tenant <= 14 && taken !== before; tenant++) {
        const at = ['--network', `${stack.project}_default`, '--entrypoint', 'sleep', `${stack.project}-clerk`, '1000000'];
        taken = await addressOf(stack, await foreign(stack, `tenant-${tenant}`, ...at));
      }
      await compose(stack, 'up', '-d', '--no-deps', '--wait', 'counter');
      await gateDown(stack);
      // HAProxy would have believed in a server at the right address by then.
      await settled(stack, 'counter', 17);
    },
    heal: async (stack) => {
      await removeForeign(stack);
      await compose(stack, 'restart', '-t', '1', 'gate');
      await up(stack);
    },
    expect: { root: 'gate/balancer', code: 'balancer/stale-server', innocents: rest('gate'), remedy: /docker compose restart gate/ },
  },
  {
    id: 'granary-counter-stopped',
    title: 'the app behind HAProxy was stopped',
    stack: 'granary',
    inject: async (stack) => {
      await compose(stack, 'stop', '-t', '1', 'counter');
      await gateDown(stack);
    },
    heal: async (stack) => up(stack),
    expect: {
      root: 'counter/container',
      code: 'container/exited',
      innocents: rest('counter'),
      remedy: /docker compose (up -d|start) counter/,
    },
  },
  change({
    id: 'granary-counter-loopback',
    title: 'the app behind HAProxy listens inside its own container only; its healthcheck is green',
    edits: [[FILE, '"--host", "0.0.0.0"', '"--host", "127.0.0.1"']],
    recreate: ['counter'],
    until: async (stack) => {
      await becomes(stack, 'counter', 'healthy', (now) => now.Health?.Status === 'healthy');
      await gateDown(stack);
    },
    expect: { root: 'counter/ports', code: 'ports/loopback-only', innocents: rest('counter'), remedy: /0\.0\.0\.0/ },
  }),
  {
    id: 'granary-table-missing',
    title: 'the database lacks the table that one app asks for; the app is healthy all the same',
    stack: 'granary',
    inject: async (stack) => {
      await sql(stack, 'alter table sacks rename to sacks_kept');
      await sacksFail(stack);
    },
    heal: async (stack) => {
      await sql(stack, 'alter table sacks_kept rename to sacks');
      await answers(stack, '/api/sacks', 200);
    },
    expect: { root: 'counter/migrations', code: 'migrations/schema-missing', innocents: rest('counter'), remedy: /Run the migrations/ },
  },
  change({
    id: 'granary-counter-wrong-password',
    title: 'one app has another password than the pooler and the database',
    edits: [urlOf('counter', 'postgresql://keeper:not-the-password@pool:6432/grain')],
    recreate: ['counter'],
    until: sacksFail,
    expect: {
      root: 'pool/pooler',
      code: ['pooler/auth-rejected', 'compose/credentials-conflict'],
      innocents: rest('pool', 'counter'),
      remedy: /docker compose up -d counter/,
    },
  }),
  change({
    id: 'granary-wrong-password-shared',
    title: 'the line that both apps get their address from has the wrong password',
    edits: [[FILE, /keeper:\$\{STORE_PASSWORD[^}]*\}@pool/, 'keeper:not-the-password@pool']],
    recreate: ['counter', 'clerk'],
    until: isUnwell,
    expect: {
      root: 'pool/pooler',
      code: ['pooler/auth-rejected', 'compose/credentials-conflict'],
      innocents: ['gate', 'office', 'store'],
      remedy: /docker compose up -d c/,
    },
  }),
  change({
    id: 'granary-pool-user-missing',
    title: "the user of the apps is not in the pooler's list",
    edits: [['pool/userlist.txt', '"keeper"', '"keeper_old"']],
    restart: ['pool'],
    until: isUnwell,
    expect: { root: 'pool/pooler', code: 'pooler/user-missing', innocents: rest('pool'), remedy: /userlist/ },
  }),
  change({
    id: 'granary-pool-wrong-password',
    title: 'the pooler has another password than the apps and the database',
    edits: [['pool/userlist.txt', /"keeper" "[^"]*"/, '"keeper" "forgotten"']],
    restart: ['pool'],
    until: isUnwell,
    expect: {
      root: 'store/postgres',
      code: 'postgres/auth-rejected',
      innocents: ['gate', 'office', 'counter', 'clerk'],
      remedy: /pool/,
    },
  }),
  change({
    id: 'granary-pool-database-missing',
    title: 'the pooler has the database by another name',
    edits: [[POOL, 'grain = host=store', 'grains = host=store']],
    restart: ['pool'],
    until: isUnwell,
    expect: { root: 'pool/pooler', code: 'pooler/database-missing', innocents: rest('pool'), remedy: /\[databases\]/ },
  }),
  change({
    id: 'granary-pool-server-rejects',
    title: 'the pooler lets the apps in, and has the wrong password for the database',
    edits: [[POOL, 'dbname=grain', 'dbname=grain user=keeper password=forgotten']],
    restart: ['pool'],
    until: isUnwell,
    expect: {
      root: 'store/postgres',
      code: 'postgres/auth-rejected',
      innocents: ['gate', 'office', 'counter', 'clerk'],
      remedy: /pool/,
    },
  }),
  change({
    id: 'granary-pool-server-port',
    title: 'the pooler looks for the database on a port where nothing listens',
    edits: [[POOL, 'port=5432', 'port=5433']],
    restart: ['pool'],
    until: isUnwell,
    expect: {
      root: 'pool/network',
      code: ['network/refused', 'pooler/server-unreachable'],
      innocents: rest('pool', 'store'),
      remedy: /port/,
    },
  }),
  {
    id: 'granary-pool-exhausted',
    title: 'a client holds a transaction open on every connection of the pool',
    stack: 'granary',
    inject: async (stack) => {
      await docker(stack, 'exec', '-d', await stack.containerId('clerk'), 'python', '-c', HOLD);
      await until('the pool to be used up', async () => (await get(stack, '/api/sacks')).status !== 200);
    },
    heal: async (stack) => {
      await compose(stack, 'restart', '-t', '1', 'clerk', 'pool');
      await up(stack);
    },
    expect: { root: 'pool/pooler', code: 'pooler/pool-exhausted', innocents: rest('pool'), remedy: /default_pool_size/ },
  },
  {
    id: 'granary-store-stopped',
    title: 'the database behind the pooler was stopped',
    stack: 'granary',
    inject: async (stack) => {
      await compose(stack, 'stop', '-t', '1', 'store');
      await until('the app to fail', async () => (await get(stack, '/api/sacks')).status !== 200);
      await settled(stack, 'counter');
    },
    heal: async (stack) => {
      await compose(stack, 'start', 'store');
      await up(stack);
    },
    expect: { root: 'store/container', code: 'container/exited', innocents: rest('store'), remedy: /docker compose (up -d|start) store/ },
  },
  change({
    id: 'granary-socket-not-shared',
    title: 'the app makes its socket in its own container: its volume is missing',
    edits: [[FILE, /(clerk:app.*\n {4}environment: \*places\n) {4}volumes:\n {6}- desk:\/run\/desk\n/, '$1    tmpfs: [/run/desk]\n']],
    recreate: ['clerk'],
    until: notesFail,
    expect: { root: 'office/proxy', code: 'proxy/socket-not-shared', innocents: rest('office', 'clerk'), remedy: /volumes:/ },
  }),
  change({
    id: 'granary-socket-elsewhere',
    title: 'the app makes its socket under another name than nginx asks for',
    edits: [[FILE, '/run/desk/clerk.sock', '/run/desk/app.sock']],
    recreate: ['clerk'],
    until: notesFail,
    expect: { root: 'office/proxy', code: 'proxy/socket-elsewhere', innocents: rest('office', 'clerk'), remedy: /nginx -s reload|--uds/ },
  }),
  {
    id: 'granary-socket-forbidden',
    title: "the folder of the socket is the app's alone",
    stack: 'granary',
    inject: async (stack) => {
      await stack.exec('clerk', ['chmod', '700', '/run/desk']);
      await notesFail(stack);
    },
    heal: async (stack) => {
      await stack.exec('clerk', ['chmod', '755', '/run/desk']);
      await answers(stack, '/notes', 200);
    },
    expect: { root: 'office/proxy', code: 'proxy/socket-forbidden', innocents: rest('office', 'clerk'), remedy: /755/ },
  },
  {
    id: 'granary-clerk-stopped',
    title: 'the app behind the socket was stopped; its socket file is still there',
    stack: 'granary',
    inject: async (stack) => {
      await compose(stack, 'kill', 'clerk');
      await answers(stack, '/notes', 502);
    },
    heal: async (stack) => up(stack),
    expect: {
      root: 'clerk/container',
      code: 'container/exited',
      innocents: rest('clerk'),
      remedy: /docker compose (up -d|start) clerk/,
    },
  },
];

/** Five transactions that nobody ends. */
const HOLD = `
import asyncio, os, asyncpg
async def main():
    held = [await asyncpg.connect(os.environ["DATABASE_URL"], statement_cache_size=0) for _ in range(5)]
    for each in held:
        await each.execute("begin; select 1")
    await asyncio.sleep(600)
asyncio.run(main())
`;

const sql = async (stack: LabStack, text: string): Promise<void> => {
  const { code, stderr } = await stack.exec('store', ['psql', '-U', 'keeper', '-d', 'grain', '-qc', text]);
  if (code !== 0) throw new Error(stderr);
};
