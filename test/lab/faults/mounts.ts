import { mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beside } from '../owner.ts';
import type { LabStack } from '../stack.ts';
import type { Fault } from './fault.ts';
import { answers, becomes, compose, docker, edit, recreate, removeVolume, restore, up } from './tools.ts';

const FILE = 'docker-compose.yml';
const NGINX_MOUNT = '      - ./nginx/conf.d:/etc/nginx/conf.d:ro\n';
const notNginx = ['backend', 'db', 'redis', 'worker'];
const notWorker = ['backend', 'db', 'nginx', 'redis'];

const mountsForNginx = (stack: LabStack, line: string): void => edit(stack, FILE, NGINX_MOUNT, `${NGINX_MOUNT}      - ${line}\n`);

/** The worker opens a file before it works; the mount is added to its own. */
function workerOpens(stack: LabStack, path: string, mode: 'rb' | 'w', more: string): void {
  edit(
    stack,
    FILE,
    '    entrypoint: ["python", "-m", "app.worker"]\n    command: []\n    volumes:\n',
    `    entrypoint: ["python", "-c", "open('${path}', '${mode}').close(); import runpy; runpy.run_module('app.worker', run_name='__main__')"]\n    command: []\n${more}`,
  );
}

async function healed(stack: LabStack): Promise<void> {
  restore(stack, FILE, 'nginx');
  await up(stack);
}

/** What is mounted is not what the files mean. */
export const mountFaults: Fault[] = [
  {
    id: 'file-became-folder',
    title: 'a configuration file was missing at the first start, and Docker made a folder of its name',
    inject: async (stack) => {
      mountsForNginx(stack, './nginx/mime.types:/etc/nginx/mime.types:ro');
      await stack.compose('up', '-d', '--no-deps', 'nginx');
      await becomes(stack, 'nginx', 'refused by runc', (now) => now.Error !== '');
    },
    heal: async (stack) => {
      await compose(stack, 'rm', '-sfv', 'nginx');
      rmSync(join(stack.dir, 'nginx/mime.types'), { recursive: true });
      await healed(stack);
    },
    expect: { root: 'nginx/mounts', code: 'mounts/file-became-folder', innocents: notNginx, remedy: /rmdir/ },
  },
  {
    id: 'source-made-by-docker',
    title: 'the path of a folder is misspelt; Docker makes an empty one, and the worker misses its file',
    inject: async (stack) => {
      workerOpens(stack, '/models/voice.bin', 'rb', '    volumes:\n      - ./modells:/models:ro\n');
      await recreate(stack, 'worker');
      await becomes(stack, 'worker', 'restarting', (now) => now.restarts >= 2);
    },
    heal: async (stack) => {
      await compose(stack, 'rm', '-sfv', 'worker');
      rmSync(join(stack.dir, 'modells'), { recursive: true });
      await healed(stack);
    },
    expect: { root: 'worker/mounts', code: 'mounts/source-made-by-docker', innocents: notWorker, remedy: /path/ },
  },
  {
    id: 'mounted-file-replaced',
    title: 'an editor put a new file in the place of the mounted one; nginx holds the old one whatever is reloaded',
    inject: async (stack) => {
      writeFileSync(join(stack.dir, 'nginx/proxy.conf'), 'proxy_read_timeout 30s;\n');
      mountsForNginx(stack, './nginx/proxy.conf:/etc/nginx/proxy.conf:ro');
      await recreate(stack, 'nginx');
      await answers(stack, '/health', 200);
      writeFileSync(join(stack.dir, 'nginx/proxy.conf.new'), 'proxy_read_timeout 60s;\n');
      renameSync(join(stack.dir, 'nginx/proxy.conf.new'), join(stack.dir, 'nginx/proxy.conf'));
    },
    heal: async (stack) => {
      restore(stack, FILE);
      await recreate(stack, 'nginx');
      rmSync(join(stack.dir, 'nginx/proxy.conf'));
      await healed(stack);
    },
    expect: { root: 'nginx/mounts', code: 'mounts/stale-file', innocents: notNginx, remedy: /docker compose restart nginx/ },
  },
  {
    id: 'mounted-folder-replaced',
    title: 'the folder of the configuration was deleted and made anew; nginx holds the deleted one',
    inject: async (stack) => {
      rmSync(join(stack.dir, 'nginx/conf.d'), { recursive: true });
      restore(stack, 'nginx');
      await answers(stack, '/health', 200);
    },
    heal: async (stack) => {
      await compose(stack, 'restart', '-t', '1', 'nginx');
      await healed(stack);
    },
    expect: { root: 'nginx/mounts', code: 'mounts/stale-folder', innocents: notNginx, remedy: /docker compose restart nginx/ },
  },
  {
    id: 'mount-read-only',
    title: 'the worker writes to a folder that is mounted read-only',
    inject: async (stack) => {
      workerOpens(stack, '/pipeline/state.json', 'w', '    volumes:\n');
      await recreate(stack, 'worker');
      await becomes(stack, 'worker', 'restarting', (now) => now.restarts >= 2);
    },
    heal: healed,
    expect: { root: 'worker/mounts', code: 'mounts/read-only', innocents: notWorker, remedy: /:ro/ },
  },
  {
    id: 'mount-not-permitted',
    title: 'the worker runs as a user that may not write to the folder, which is of root',
    inject: async (stack) => {
      mkdirSync(join(stack.dir, 'exports'), { mode: 0o755 });
      workerOpens(stack, '/exports/state.json', 'w', '    user: "12345:12345"\n    volumes:\n      - ./exports:/exports\n');
      await recreate(stack, 'worker');
      await becomes(stack, 'worker', 'restarting', (now) => now.restarts >= 2);
    },
    heal: async (stack) => {
      await healed(stack);
      rmSync(join(stack.dir, 'exports'), { recursive: true });
    },
    expect: { root: 'worker/mounts', code: 'mounts/not-permitted', innocents: notWorker, remedy: /chown/ },
  },
  {
    id: 'new-project-name',
    title: 'the project had another name: its data lies in the old volume, and a new, empty one is in use',
    inject: async (stack) => {
      const labels = { project: `${stack.project}-before`, volume: 'redis-data' };
      const flags = Object.entries(labels).flatMap(([key, value]) => ['--label', `com.docker.compose.${key}=${value}`]);
      await docker(stack, 'volume', 'create', ...beside(stack), ...flags, `${stack.project}-before_redis-data`);
      await new Promise((resolve) => setTimeout(resolve, 1_100));
      await compose(stack, 'rm', '-sfv', 'redis');
      await removeVolume(stack, 'redis-data');
      await up(stack);
    },
    heal: async (stack) => {
      await docker(stack, 'volume', 'rm', `${stack.project}-before_redis-data`);
    },
    expect: {
      root: 'redis/mounts',
      code: 'mounts/other-project-volume',
      status: 'warn',
      innocents: ['backend', 'db', 'nginx', 'worker'],
      remedy: /name:/,
    },
  },
];
