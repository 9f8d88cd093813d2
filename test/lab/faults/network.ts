import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { sleep } from '../run.ts';
import type { LabStack } from '../stack.ts';
import type { Fault } from './fault.ts';
import { answers, becomes, compose, docker, edit, recreate, restore, up } from './tools.ts';

const FILE = 'docker-compose.yml';

const forBackend = (stack: LabStack, ...lines: string[]): void =>
  edit(stack, FILE, '      ASTRO_DIST:', `${lines.map((line) => `      ${line}\n`).join('')}      ASTRO_DIST:`);

async function healed(stack: LabStack): Promise<void> {
  restore(stack, FILE);
  await up(stack);
}

/**
 * What a firewall does that drops whatever passes over the bridge: isolated ports of a bridge reach the host, and not each other. No rule of a
 * firewall is touched, since the engine may have set none, and the machine's own are nobody's here to change.
 */
async function isolate(stack: LabStack, on: boolean): Promise<void> {
  const id = (await docker(stack, 'network', 'inspect', '--format', '{{.Id}}', `${stack.project}_default`)).trim();
  const ports = `/sys/class/net/br-${id.slice(0, 12)}/brif`;
  for (const port of readdirSync(ports)) writeFileSync(join(ports, port, 'isolated'), on ? '1' : '0');
}

/** The way from one container to another, and to the host. */
export const networkFaults: Fault[] = [
  {
    id: 'traffic-dropped',
    title: 'the firewall drops what passes between containers; published ports still answer',
    inject: async (stack) => {
      await compose(stack, 'restart', '-t', '1', 'worker');
      await isolate(stack, true);
      // A connection from before, open or ended within a minute, would still tell that the way is clear.
      await stack.exec('backend', ['touch', '/app/app/main.py']);
      await sleep(61_000);
    },
    heal: async (stack) => {
      await isolate(stack, false);
      await compose(stack, 'restart', '-t', '1', 'backend', 'worker');
      await up(stack);
    },
    expect: {
      root: 'backend/network',
      code: 'network/traffic-dropped',
      innocents: ['db', 'nginx', 'redis', 'worker'],
      remedy: /systemctl restart docker/,
    },
  },
  {
    id: 'database-on-host-undeclared',
    title: 'the backend looks for its database on host.docker.internal, which nobody declared',
    inject: async (stack) => {
      forBackend(stack, 'DATABASE_URL: postgresql+asyncpg://shootout:x@host.docker.internal:5432/shootout');
      edit(stack, FILE, '    restart: unless-stopped', '    restart: "no"');
      await compose(stack, 'up', '-d', '--no-deps', 'backend');
      await becomes(stack, 'backend', 'exited', (now) => now.Status === 'exited');
    },
    heal: healed,
    expect: {
      root: 'backend/address',
      code: 'address/host-gateway-missing',
      innocents: ['db', 'nginx', 'redis', 'worker'],
      remedy: /extra_hosts/,
    },
  },
  {
    id: 'driver-in-scheme',
    title: 'the URL names a driver that the library does not know',
    inject: async (stack) => {
      edit(stack, 'backend/app/config.py', '.replace("postgresql+asyncpg://", "postgresql://", 1)', '');
      await recreate(stack, 'backend');
      await becomes(stack, 'backend', 'restarting', (now) => now.restarts >= 2);
    },
    heal: async (stack) => {
      restore(stack, 'backend');
      await recreate(stack, 'backend');
      await up(stack);
    },
    expect: {
      root: 'backend/address',
      code: 'address/wrong-scheme',
      innocents: ['db', 'nginx', 'redis', 'worker'],
      remedy: /scheme/,
    },
  },
  {
    id: 'calls-through-proxy',
    title: 'the proxy of the office is in the environment, and nothing excepts the services of the stack',
    inject: async (stack) => {
      forBackend(stack, 'HTTP_PROXY: http://proxy.corp.example:3128', 'RENDER_URL: http://nginx:80/');
      await compose(stack, 'up', '-d', '--no-deps', 'backend');
      await answers(stack, '/health', 200);
    },
    heal: healed,
    expect: {
      root: 'backend/address',
      code: 'address/through-proxy',
      status: 'warn',
      innocents: ['db', 'nginx', 'redis', 'worker'],
      remedy: /NO_PROXY|noProxy/,
    },
  },
];
