import { chmodSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { until } from '../run.ts';
import type { LabStack } from '../stack.ts';
import type { Fault } from './fault.ts';
import { answers, becomes, changed, compose, edit, get, logs, recreate, removeVolume, restore, send, settled, up } from './tools.ts';

const change = changed('orchard');
const FILE = 'docker-compose.yml';
const rest = (...guilty: string[]): string[] =>
  ['broker', 'database', 'press', 'server', 'web'].filter((service) => !guilty.includes(service));

const sick = (stack: LabStack): Promise<void> => answers(stack, '/healthz', 503, '', 'server');
const PRESS = '    command: ["node", "src/press.js"]\n';

/** The press is started by a script of this content and mode. */
const pressScript = async (stack: LabStack, text: string, mode: number): Promise<void> => {
  const script = join(stack.dir, 'server/press.sh');
  writeFileSync(script, text);
  chmodSync(script, mode);
  edit(stack, FILE, PRESS, '    command: ["./press.sh"]\n');
  await stack.compose('up', '-d', '--no-deps', '--force-recreate', 'press');
};

const healScript = async (stack: LabStack): Promise<void> => {
  rmSync(join(stack.dir, 'server/press.sh'), { force: true });
  restore(stack, FILE);
  await up(stack);
};

/** Containers of orchard that do not run, or not as they should. */
export const orchardContainerFaults: Fault[] = [
  {
    id: 'orchard-database-stopped',
    title: 'MariaDB is stopped',
    stack: 'orchard',
    inject: async (stack) => {
      await compose(stack, 'stop', '-t', '3', 'database');
      await sick(stack);
    },
    heal: (stack) => up(stack),
    expect: {
      root: 'database/container',
      code: 'container/exited',
      innocents: rest('database'),
      remedy: /docker compose (up -d|start) database/,
    },
  },
  {
    id: 'orchard-database-paused',
    title: 'MariaDB is paused: its port opens, it does not greet',
    stack: 'orchard',
    inject: async (stack) => {
      await compose(stack, 'pause', 'database');
      await sick(stack);
    },
    heal: async (stack) => {
      await compose(stack, 'unpause', 'database');
      await up(stack);
    },
    expect: {
      root: 'database/container',
      code: 'container/paused',
      innocents: rest('database'),
      remedy: /docker compose unpause database/,
    },
  },
  {
    id: 'orchard-broker-stopped',
    title: 'RabbitMQ is stopped; the press ends and is restarted for ever',
    stack: 'orchard',
    inject: async (stack) => {
      await compose(stack, 'stop', '-t', '3', 'broker');
      await sick(stack);
    },
    heal: (stack) => up(stack),
    expect: {
      root: 'broker/container',
      code: 'container/exited',
      innocents: rest('broker'),
      remedy: /docker compose (up -d|start) broker/,
    },
  },
  {
    id: 'orchard-press-stopped',
    title: 'the press is stopped and apples wait in the queue, while the site is green',
    stack: 'orchard',
    inject: async (stack) => {
      await compose(stack, 'stop', '-t', '2', 'press');
      for (const name of ['Gala', 'Jonagold', 'Topaz']) await send(stack, '/api/apples', { name });
    },
    heal: (stack) => up(stack),
    expect: {
      root: 'press/container',
      code: 'container/exited',
      innocents: rest('press'),
      remedy: /docker compose (up -d|start) press/,
    },
  },
  change({
    id: 'orchard-press-no-module',
    title: 'the press imports a file that is not there, and restarts for ever',
    edits: [['server/src/press.js', /^/, "import './sieve.js'\n"]],
    restart: ['press'],
    until: (stack) => becomes(stack, 'press', 'restarting', (now) => now.restarts >= 2),
    expect: { root: 'press/startup', code: 'startup/module-missing', innocents: rest('press'), remedy: /docker compose logs/ },
  }),
  change({
    id: 'orchard-server-syntax-error',
    title: 'an edit of the API does not parse; `node --watch` lives on and waits for the next edit',
    edits: [['server/src/index.js', 'const routes = {', 'const routes = {{']],
    until: async (stack) => {
      await until('the watcher to give up', async () => {
        const text = await logs(stack, 'server');
        return text.includes('SyntaxError') && text.includes('Failed running');
      });
      await until('the app to be silent', async () => (await get(stack, '/healthz', 'server')).status === 0);
    },
    expect: { root: 'server/hot-reload', code: 'hot-reload/child-dead', innocents: rest('server'), remedy: /docker compose logs/ },
  }),
  change({
    id: 'orchard-server-throws',
    title: 'the health endpoint of the API throws',
    edits: [['server/src/index.js', 'const report = await health()', 'const report = await health().strict()']],
    until: (stack) => answers(stack, '/healthz', 500, '', 'server'),
    expect: { root: 'server/http-health', code: 'http-health/server-error', innocents: rest('server'), remedy: /docker compose logs/ },
  }),
  change({
    id: 'orchard-server-hung',
    title: 'an endless loop in the API blocks its only thread',
    edits: [['server/src/index.js', 'const report = await health()', 'const report = await health()\n    while (report) {}']],
    // A loop hears no signal: without a restart the watcher could not end it either.
    restart: ['server'],
    until: async (stack) => {
      await answers(stack, '/healthz', 0, '', 'server');
      // Within its start period a server that hangs is told as one that is still coming.
      await settled(stack, 'server', 35);
    },
    expect: { root: 'server/http-health', code: 'http-health/hung', innocents: rest('server'), remedy: /docker compose (logs|restart)/ },
  }),
  {
    id: 'orchard-press-script-crlf',
    title: 'the start script of the press has Windows line ends: the kernel looks for "sh\\r"',
    stack: 'orchard',
    inject: async (stack) => {
      await pressScript(stack, '#!/bin/sh\r\nexec node src/press.js\r\n', 0o755);
      await becomes(stack, 'press', 'refused', (now) => now.Error !== '' || now.restarts >= 1);
    },
    heal: healScript,
    expect: {
      root: 'press/image',
      code: 'image/windows-line-ends',
      innocents: rest('press'),
      remedy: /CRLF|line end|docker compose logs/i,
    },
  },
  {
    id: 'orchard-press-script-not-executable',
    title: 'the start script of the press may not be executed',
    stack: 'orchard',
    inject: async (stack) => {
      await pressScript(stack, '#!/bin/sh\nexec node src/press.js\n', 0o644);
      await becomes(stack, 'press', 'refused', (now) => now.Error !== '');
    },
    heal: healScript,
    expect: { root: 'press/container', code: 'container/not-executable', innocents: rest('press'), remedy: /executable/ },
  },
  change({
    id: 'orchard-broker-probe-without-program',
    title: "the broker's healthcheck calls curl, which its image has not; the broker is well",
    edits: [
      [
        FILE,
        '["CMD", "rabbitmq-diagnostics", "-q", "check_port_connectivity"]\n      interval: 30s',
        '["CMD", "curl", "-f", "http://localhost:15672"]\n      interval: 1s',
      ],
      [FILE, /start_period: 60s\n( {6}start_interval: 5s)/, 'start_period: 0s\n$1'],
    ],
    recreate: ['broker'],
    until: (stack) => becomes(stack, 'broker', 'unhealthy', (now) => now.Health?.Status === 'unhealthy'),
    expect: {
      root: 'broker/container',
      code: 'container/healthcheck-broken',
      innocents: rest('broker'),
      remedy: /program that the image has/,
    },
  }),
  change({
    id: 'orchard-server-probe-other-port',
    title: "the API's healthcheck asks a port on which nothing listens; the API is well",
    edits: [
      [FILE, 'http://127.0.0.1:4000/healthz', 'http://127.0.0.1:4001/healthz'],
      [
        FILE,
        /start_period: 30s\n( {6}start_interval: 1s\n {4}restart: unless-stopped\n {4}depends_on:\n {6}database)/,
        'start_period: 0s\n$1',
      ],
    ],
    recreate: ['server'],
    until: (stack) => becomes(stack, 'server', 'unhealthy', (now) => now.Health?.Status === 'unhealthy'),
    expect: { root: 'server/http-health', code: 'http-health/refused', innocents: rest('server'), remedy: /or the port/ },
  }),
  {
    id: 'orchard-database-no-root-password',
    title: 'a new MariaDB is given no root password, and refuses to begin',
    stack: 'orchard',
    inject: async (stack) => {
      edit(stack, FILE, /.*MARIADB_ROOT_PASSWORD.*\n/, '');
      await compose(stack, 'rm', '-sfv', 'database');
      await removeVolume(stack, 'database');
      await compose(stack, 'up', '-d', '--no-deps', 'database');
      await becomes(stack, 'database', 'restarting', (now) => now.restarts >= 2);
    },
    heal: async (stack) => {
      await compose(stack, 'rm', '-sfv', 'database');
      restore(stack, FILE);
      await up(stack);
    },
    expect: { root: 'database/startup', code: 'startup/password-missing', innocents: rest('database'), remedy: /password/i },
  },
  {
    id: 'orchard-folder-replaced',
    title: "the web app's folder was removed and checked out anew: its container holds the old one",
    stack: 'orchard',
    inject: async (stack) => {
      rmSync(join(stack.dir, 'web'), { recursive: true });
      restore(stack, 'web');
    },
    heal: async (stack) => {
      await recreate(stack, 'web');
      await up(stack);
    },
    expect: {
      root: 'web/hot-reload',
      code: 'hot-reload/stale-mount',
      innocents: rest('web'),
      remedy: /docker compose (restart|up -d --force-recreate) web/,
    },
  },
  change({
    id: 'orchard-source-shadowed',
    title: 'a volume lies over the source of the web app, so that edits do not arrive',
    edits: [[FILE, '      - ./web:/app\n', '      - ./web:/app\n      - /app/src\n']],
    recreate: ['web'],
    until: async (stack) => {
      edit(stack, 'web/src/main.js', 'const apples', '// A word\nconst apples');
      await answers(stack, '/api/apples', 200);
    },
    expect: { root: 'web/hot-reload', code: 'hot-reload/shadowed', innocents: rest('web'), remedy: /volume/ },
  }),
  change({
    id: 'orchard-env-not-applied',
    title: "the API's environment was changed in the compose file and the API only restarted",
    edits: [[FILE, '      PORT: 4000\n', '      PORT: 4000\n      NODE_OPTIONS: --enable-source-maps\n']],
    restart: ['server'],
    until: (stack) => answers(stack, '/healthz', 200, '', 'server'),
    expect: {
      root: 'server/compose',
      code: ['compose/env-drift', 'compose/config-drift'],
      innocents: rest('server'),
      remedy: /docker compose up -d/,
    },
  }),
];
