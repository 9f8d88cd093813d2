import { until } from '../run.ts';
import type { LabStack } from '../stack.ts';
import type { Fault } from './fault.ts';
import { answers, becomes, compose, docker, edit, foreign, get, recreate, reloadNginx, removeForeign, restore, up } from './tools.ts';

const CONF = 'nginx/conf.d/default.conf';
const UPSTREAM = /http:\/\/backend:8000/g;

async function addressOf(stack: LabStack, service: string): Promise<string> {
  const network = `{{(index .NetworkSettings.Networks "${stack.project}_default").IPAddress}}`;
  return (await docker(stack, 'inspect', '--format', network, await stack.containerId(service))).trim();
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
      await compose(stack, 'rm', '-sf', 'backend');
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
    id: 'proxy-loopback',
    title: "nginx passes requests to 127.0.0.1, which is nginx's own container",
    inject: async (stack) => {
      edit(stack, CONF, UPSTREAM, 'http://127.0.0.1:8000');
      await reloadNginx(stack);
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
    inject: async (stack) => {
      await compose(stack, 'rm', '-sf', 'nginx');
      const network = `${stack.project}-elsewhere`;
      await docker(stack, 'network', 'create', '--label', `stack-doctor.lab.project=${stack.project}`, network);
      await foreign(
        stack,
        'squatter',
        '--network',
        network,
        '-p',
        `127.0.0.1:${stack.ports.nginx}:80`,
        '--entrypoint',
        'sleep',
        `${stack.project}-worker`,
        '1000000',
      );
      await stack.compose('up', '-d', 'nginx');
      await becomes(stack, 'nginx', 'refused its port', (now) => now.Error.includes('port is already allocated'));
    },
    heal: async (stack) => {
      await removeForeign(stack);
      await up(stack);
    },
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
      await compose(stack, 'rm', '-sf', 'nginx');
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
