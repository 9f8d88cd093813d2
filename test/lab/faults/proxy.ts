import { until } from '../run.ts';
import type { LabStack } from '../stack.ts';
import type { Fault } from './fault.ts';
import {
  answers,
  becomes,
  compose,
  docker,
  edit,
  foreign,
  get,
  portTaken,
  recreate,
  reloadProxy,
  removeForeign,
  restore,
  up,
} from './tools.ts';

const CONF = 'nginx/conf.d/default.conf';
const UPSTREAM = /http:\/\/backend:8000/g;

async function addressOf(stack: LabStack, service: string): Promise<string> {
  const network = `{{(index .NetworkSettings.Networks "${stack.project}_default").IPAddress}}`;
  return (await docker(stack, 'inspect', '--format', network, await stack.containerId(service))).trim();
}

const PREVIEW = `  preview:
    image: IMAGE
    pull_policy: never
    entrypoint: ["python", "-m", "http.server", "8000"]
    command: []
    working_dir: /srv
    stop_grace_period: 1s
`;

async function previews(stack: LabStack): Promise<string[]> {
  const ids = (await compose(stack, 'ps', '-q', 'preview')).split('\n').filter(Boolean);
  const address = '{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}';
  return Promise.all(ids.map(async (id) => (await docker(stack, 'inspect', '--format', address, id)).trim()));
}

async function healConf(stack: LabStack): Promise<void> {
  restore(stack, 'nginx');
  await up(stack);
}

/** Between nginx and the backend, and between the host and the stack. */
export const proxyFaults: Fault[] = [
  {
    id: 'proxy-stale-upstream',
    title: 'the backend has a new address and nginx still calls the old one, where somebody else lives now',
    inject: async (stack) => {
      const before = await addressOf(stack, 'backend');
      await compose(stack, 'rm', '-sfv', 'backend');
      // The lowest free address is given first; ours may not be the lowest.
      for (let tenant = 1; tenant <= 12; tenant++) {
        const id = await foreign(
          stack,
          `tenant-${tenant}`,
          '--network',
          `${stack.project}_default`,
          '--entrypoint',
          'sleep',
          `${stack.project}-worker`,
          '1000000',
        );
        const address = `{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}`;
        if ((await docker(stack, 'inspect', '--format', address, id)).trim() === before) break;
      }
      await compose(stack, 'up', '-d', '--no-deps', '--wait', 'backend');
      if ((await addressOf(stack, 'backend')) === before) throw new Error('the backend got its old address again');
      await answers(stack, '/health', 200, '', 'backend');
      await until('nginx to fail', async () => [0, 502, 504].includes((await get(stack, '/health')).status));
    },
    heal: async (stack) => {
      await removeForeign(stack);
      await compose(stack, 'restart', 'nginx');
      await up(stack);
    },
    expect: {
      root: 'nginx/proxy',
      code: 'proxy/stale-upstream',
      innocents: ['backend', 'db', 'redis', 'worker'],
      remedy: /nginx -s reload|docker compose restart nginx/,
    },
  },
  {
    id: 'proxy-wrong-app',
    title: 'the backend has a new address, and another service of the stack answers at the old one: 404 for everything',
    inject: async (stack) => {
      const before = await addressOf(stack, 'backend');
      edit(stack, 'docker-compose.yml', '  # Build-only:', `${PREVIEW.replace('IMAGE', `${stack.project}-worker`)}\n  # Build-only:`);
      await compose(stack, 'rm', '-sfv', 'backend');
      // The lowest free address is given first; it may not be the backend's.
      for (let number = 1; number <= 12; number++) {
        await compose(stack, 'up', '-d', '--no-deps', '--no-recreate', '--scale', `preview=${number}`, 'preview');
        if ((await previews(stack)).includes(before)) break;
      }
      await compose(stack, 'up', '-d', '--no-deps', '--wait', 'backend');
      if ((await addressOf(stack, 'backend')) === before) throw new Error('the backend got its old address again');
      await answers(stack, '/health', 404);
      await answers(stack, '/health', 200, '', 'backend');
    },
    heal: async (stack) => {
      await compose(stack, 'rm', '-sfv', 'preview');
      restore(stack, 'docker-compose.yml');
      await compose(stack, 'restart', 'nginx');
      await up(stack);
    },
    expect: {
      root: 'nginx/proxy',
      code: 'proxy/stale-upstream',
      innocents: ['backend', 'db', 'redis', 'worker', 'preview'],
      remedy: /nginx -s reload|docker compose restart nginx/,
    },
  },
  {
    id: 'backend-rejects-host',
    title: 'the app answers to names on its list alone, and nginx passes on the name of its upstream',
    inject: async (stack) => {
      edit(
        stack,
        'backend/app/main.py',
        'app = FastAPI(title="Shootout")\n',
        [
          'app = FastAPI(title="Shootout")',
          'from starlette.middleware.trustedhost import TrustedHostMiddleware',
          '',
          'app.add_middleware(TrustedHostMiddleware, allowed_hosts=["localhost", "127.0.0.1"])',
          '',
        ].join('\n'),
      );
      edit(stack, 'nginx/conf.d/proxy.inc', 'proxy_set_header Host $host;', 'proxy_set_header Host $proxy_host;');
      await answers(stack, '/health', 200, '', 'backend');
      await reloadProxy(stack);
      await answers(stack, '/health', 400, 'Invalid host header');
    },
    heal: async (stack) => {
      restore(stack, 'backend', 'nginx');
      await up(stack);
    },
    expect: {
      root: 'nginx/proxy',
      code: 'proxy/host-rejected',
      innocents: ['backend', 'db', 'redis', 'worker'],
      remedy: /proxy_set_header Host/,
    },
  },
  {
    id: 'nginx-body-too-large',
    title: 'an upload is larger than nginx allows',
    inject: async (stack) => {
      const init = {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ title: 'x'.repeat(2_000_000) }),
      };
      await until('nginx to answer 413', async () => (await get(stack, '/api/shootouts', 'nginx', init)).status === 413);
    },
    // The log says it as long as nginx runs.
    heal: async (stack) => {
      await compose(stack, 'restart', '-t', '1', 'nginx');
      await up(stack);
    },
    expect: {
      root: 'nginx/proxy',
      code: 'proxy/body-too-large',
      innocents: ['backend', 'db', 'redis', 'worker'],
      remedy: /client_max_body_size/,
      status: 'warn',
    },
  },
  {
    id: 'proxy-loopback',
    title: "nginx passes requests to 127.0.0.1, which is nginx's own container",
    inject: async (stack) => {
      edit(stack, CONF, UPSTREAM, 'http://127.0.0.1:8000');
      await reloadProxy(stack);
      await answers(stack, '/health', 502);
    },
    heal: healConf,
    expect: {
      root: 'nginx/proxy',
      code: 'proxy/upstream-loopback',
      innocents: ['backend', 'db', 'redis', 'worker'],
      remedy: /proxy_pass|service name/,
    },
  },
  {
    id: 'proxy-unknown-upstream',
    title: 'nginx was restarted with a name in its configuration that no service has',
    inject: async (stack) => {
      edit(stack, CONF, UPSTREAM, 'http://backnd:8000');
      await compose(stack, 'restart', 'nginx');
      await becomes(stack, 'nginx', 'exited', (now) => now.Status === 'exited');
    },
    heal: healConf,
    expect: {
      root: 'nginx/proxy',
      code: 'proxy/upstream-not-found',
      innocents: ['backend', 'db', 'redis', 'worker'],
      remedy: /docker compose config --services/,
    },
  },
  {
    id: 'proxy-config-invalid',
    title: 'the nginx configuration on disk has an error; the next restart will fail',
    inject: async (stack) => {
      edit(stack, CONF, 'index index.html;', 'index index.html');
      await until('nginx -t to fail', async () => (await stack.exec('nginx', ['nginx', '-t'])).code !== 0);
      await answers(stack, '/health', 200);
    },
    heal: healConf,
    expect: { root: 'nginx/proxy', code: 'proxy/config-invalid', innocents: ['backend', 'db', 'redis', 'worker'], remedy: /nginx -t/ },
  },
  {
    id: 'backend-disconnected',
    title: 'the backend was taken off the network of the stack',
    inject: async (stack) => {
      await docker(stack, 'network', 'disconnect', `${stack.project}_default`, await stack.containerId('backend'));
      await until('nginx to fail', async () => [0, 502, 504].includes((await get(stack, '/health')).status));
    },
    heal: async (stack) => {
      await recreate(stack, 'backend');
      await up(stack);
    },
    expect: {
      root: 'backend/network',
      code: 'network/no-common-network',
      innocents: ['db', 'nginx', 'redis', 'worker'],
      remedy: /docker compose up -d --force-recreate backend/,
    },
  },
  {
    id: 'nginx-port-taken-by-container',
    title: "another project's container holds nginx's host port",
    ...portTaken({ service: 'nginx', hostPort: 'nginx', port: 80, image: 'worker' }),
    expect: {
      root: 'nginx/ports',
      code: 'ports/taken',
      innocents: ['backend', 'db', 'redis', 'worker'],
      remedy: /docker (stop|ps|rm)|_PORT|ports/,
    },
  },
  {
    id: 'nginx-port-taken-by-process',
    title: "a process on the host holds nginx's port",
    inject: async (stack) => {
      await compose(stack, 'rm', '-sfv', 'nginx');
      const serve = ['-m', 'http.server', '--bind', '127.0.0.1', String(stack.ports.nginx)];
      await foreign(stack, 'host-process', '--network', 'host', '--entrypoint', 'python', `${stack.project}-worker`, ...serve);
      await until('the port to be taken', async () => (await get(stack, '/')).status !== 0);
      await stack.compose('up', '-d', 'nginx');
      await becomes(stack, 'nginx', 'refused its port', (now) => now.Error.includes('address already in use'));
    },
    heal: async (stack) => {
      await removeForeign(stack);
      await up(stack);
    },
    expect: { root: 'nginx/ports', code: 'ports/taken', innocents: ['backend', 'db', 'redis', 'worker'], remedy: /ss |lsof|_PORT|ports/ },
  },
];
