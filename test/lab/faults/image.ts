import { chmodSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { LabStack } from '../stack.ts';
import type { Fault } from './fault.ts';
import { becomes, compose, docker, edit, recreate, removeVolume, restore, up } from './tools.ts';

const others = ['db', 'nginx', 'redis', 'worker'];

/** An image of the stack, with something put over it. One that comes from the build cache is as old as its first build. */
async function buildUpon(stack: LabStack, image: string, tag: string, lines: string[], files: Record<string, string> = {}): Promise<void> {
  const context = mkdtempSync(join(tmpdir(), 'stack-doctor-image-'));
  for (const [name, text] of Object.entries(files)) writeFileSync(join(context, name), text);
  writeFileSync(join(context, 'Dockerfile'), [`FROM ${image}`, ...lines, ''].join('\n'));
  await docker(stack, 'build', '-q', '--network', 'none', '-t', tag, context);
  rmSync(context, { recursive: true });
}

const WORKER_IMAGE = /( {2}worker:\n(?: {4}.*\n)*? {4}image: )\S+/;

const ENTRYPOINT = 'backend/entrypoint.sh';

/** The kernel runs the script itself; the image gives it to bash. */
function runsDirectly(stack: LabStack): void {
  edit(
    stack,
    'docker-compose.yml',
    '    restart: unless-stopped',
    '    entrypoint: ["/app/entrypoint.sh"]\n    command: uvicorn app.main:app --host 0.0.0.0 --reload --reload-dir app\n    restart: unless-stopped',
  );
}

async function loops(stack: LabStack): Promise<void> {
  await stack.compose('up', '-d', '--no-deps', '--force-recreate', 'backend');
  await becomes(stack, 'backend', 'restarting', (now) => now.restarts >= 2);
}

async function refused(stack: LabStack): Promise<void> {
  await stack.compose('up', '-d', '--no-deps', '--force-recreate', 'backend');
  await becomes(stack, 'backend', 'refused by runc', (now) => now.Error !== '');
}

async function healed(stack: LabStack): Promise<void> {
  rmSync(join(stack.dir, `${ENTRYPOINT}.bak`), { force: true });
  restore(stack, 'backend', 'docker-compose.yml');
  chmodSync(join(stack.dir, ENTRYPOINT), 0o755);
  await recreate(stack, 'backend');
  await up(stack);
}

/** The head of an ELF file for another processor than this machine's; the kernel reads no further. */
const foreignElf = (): Buffer => {
  const head = Buffer.alloc(120);
  head.write('\x7fELF', 'latin1');
  head.set([2, 1, 1], 4);
  head.writeUInt16LE(2, 16);
  head.writeUInt16LE(process.arch === 'arm64' ? 62 : 183, 18);
  return head;
};

/** A container cannot be made of its image, or the image does not hold what it should run. */
export const imageFaults: Fault[] = [
  {
    id: 'entrypoint-crlf',
    title: 'entrypoint.sh was checked out with Windows line ends',
    inject: async (stack) => {
      edit(stack, ENTRYPOINT, /\n/g, '\r\n');
      await loops(stack);
    },
    heal: healed,
    expect: { root: 'backend/image', code: 'image/windows-line-ends', innocents: others, remedy: /sed -i|\.gitattributes/ },
  },
  {
    id: 'entrypoint-no-shebang',
    title: 'entrypoint.sh has lost its first line',
    inject: async (stack) => {
      runsDirectly(stack);
      edit(stack, ENTRYPOINT, /^#!.*\n/, '');
      await loops(stack);
    },
    heal: healed,
    expect: { root: 'backend/image', code: 'image/no-shebang', innocents: others, remedy: /#!\/bin\/sh/ },
  },
  {
    id: 'entrypoint-wrong-architecture',
    title: 'the entrypoint is a program for another processor',
    inject: async (stack) => {
      runsDirectly(stack);
      writeFileSync(join(stack.dir, ENTRYPOINT), foreignElf());
      await loops(stack);
    },
    heal: healed,
    expect: { root: 'backend/image', code: 'image/wrong-architecture', innocents: others, remedy: /platform|build --no-cache/ },
  },
  {
    id: 'entrypoint-interpreter-missing',
    title: 'the entrypoint names the Python of a virtual environment that the image does not have',
    inject: async (stack) => {
      runsDirectly(stack);
      edit(stack, ENTRYPOINT, /^#!.*\n/, '#!/opt/venv/bin/python\n');
      await loops(stack);
    },
    heal: healed,
    expect: { root: 'backend/image', code: 'image/interpreter-missing', innocents: others, remedy: /final stage/ },
  },
  {
    id: 'entrypoint-hidden',
    title: 'the image has an entrypoint in /app, and the bind mount over /app has none',
    inject: async (stack) => {
      runsDirectly(stack);
      renameSync(join(stack.dir, ENTRYPOINT), join(stack.dir, `${ENTRYPOINT}.bak`));
      await refused(stack);
    },
    heal: healed,
    expect: { root: 'backend/image', code: 'image/hidden-by-mount', innocents: others, remedy: /folder on the host|Dockerfile/ },
  },
  {
    id: 'entrypoint-script-gone',
    title: 'bash is given a script that the mounted folder does not have',
    inject: async (stack) => {
      renameSync(join(stack.dir, ENTRYPOINT), join(stack.dir, `${ENTRYPOINT}.bak`));
      await loops(stack);
    },
    heal: healed,
    expect: { root: 'backend/image', code: 'image/hidden-by-mount', innocents: others, remedy: /folder on the host|Dockerfile/ },
  },
  {
    id: 'entrypoint-not-executable',
    title: 'entrypoint.sh is not executable, and the bind mount brings that along',
    inject: async (stack) => {
      runsDirectly(stack);
      chmodSync(join(stack.dir, ENTRYPOINT), 0o644);
      await refused(stack);
    },
    heal: healed,
    expect: { root: 'backend/container', code: 'container/not-executable', innocents: others, remedy: /chmod/ },
  },
  {
    id: 'launcher-missing',
    title: 'the last build stage took the libraries along, and not the commands',
    inject: async (stack) => {
      const image = (await docker(stack, 'inspect', '--format', '{{.Config.Image}}', await stack.containerId('backend'))).trim();
      await docker(stack, 'tag', image, `${stack.project}-kept`);
      await buildUpon(stack, image, image, ['RUN rm -f $(command -v uvicorn)']);
      edit(stack, 'docker-compose.yml', '    restart: unless-stopped', '    restart: "no"');
      await recreate(stack, 'backend');
      await becomes(stack, 'backend', 'exited', (now) => now.Status === 'exited');
    },
    heal: async (stack) => {
      const image = (await docker(stack, 'inspect', '--format', '{{.Config.Image}}', await stack.containerId('backend'))).trim();
      await docker(stack, 'tag', `${stack.project}-kept`, image);
      await docker(stack, 'rmi', `${stack.project}-kept`);
      await healed(stack);
    },
    expect: { root: 'backend/image', code: 'image/launcher-missing', innocents: others, remedy: /-m|usr\/local\/bin/ },
  },
  {
    id: 'image-not-here',
    title: 'the worker is to run an image that nobody has built or pulled',
    inject: async (stack) => {
      await compose(stack, 'rm', '-sfv', 'worker');
      edit(stack, 'docker-compose.lab.yml', WORKER_IMAGE, '$1registry.invalid/worker:1');
    },
    heal: async (stack) => {
      restore(stack, 'docker-compose.lab.yml');
      await up(stack);
    },
    expect: {
      root: 'worker/image',
      code: 'image/not-here',
      innocents: ['backend', 'db', 'nginx', 'redis'],
      remedy: /docker compose (build|pull) worker/,
    },
  },
  {
    id: 'old-volume-hides-packages',
    title: 'a named volume with the packages of an older image lies over those of the new one',
    inject: async (stack) => {
      const image = (await docker(stack, 'inspect', '--format', '{{.Config.Image}}', await stack.containerId('worker'))).trim();
      const tag = `${stack.project}-packages`;
      await buildUpon(stack, image, tag, ['COPY mixer.py /srv/site-packages/'], { 'mixer.py': `# ${Date.now()}\n` });
      edit(stack, 'docker-compose.yml', '      PYTHONPATH: /app:/pipeline', '      PYTHONPATH: /app:/pipeline:/srv/site-packages');
      edit(
        stack,
        'docker-compose.yml',
        '    volumes:\n      - ./backend:/app\n      - type: bind\n        source: ./pipeline',
        '    volumes:\n      - worker-packages:/srv/site-packages\n      - ./backend:/app\n      - type: bind\n        source: ./pipeline',
      );
      edit(stack, 'docker-compose.yml', 'volumes:\n  postgres-data:', 'volumes:\n  worker-packages:\n  postgres-data:');
      edit(stack, 'docker-compose.lab.yml', WORKER_IMAGE, `$1${tag}`);
      await recreate(stack, 'worker');
      await new Promise((resolve) => setTimeout(resolve, 1_500));
      await buildUpon(stack, tag, tag, ['COPY resampler.py /srv/site-packages/'], { 'resampler.py': `# ${Date.now()}\n` });
      edit(stack, 'backend/app/worker.py', 'import asyncio', 'import asyncio\nimport resampler');
      await recreate(stack, 'worker');
      await becomes(stack, 'worker', 'restarting', (now) => now.restarts >= 2);
    },
    heal: async (stack) => {
      await compose(stack, 'rm', '-sfv', 'worker');
      await removeVolume(stack, 'worker-packages');
      restore(stack, 'docker-compose.yml', 'docker-compose.lab.yml', 'backend');
      await up(stack);
      await docker(stack, 'rmi', `${stack.project}-packages`);
    },
    expect: {
      root: 'worker/image',
      code: 'image/stale-volume',
      innocents: ['backend', 'db', 'nginx', 'redis'],
      remedy: /docker volume rm/,
    },
  },
];
