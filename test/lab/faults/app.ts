import { cpSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { until } from '../run.ts';
import type { LabStack } from '../stack.ts';
import type { Fault } from './fault.ts';
import { answers, compose, edit, get, logs, recreate, restore, up } from './tools.ts';

const others = ['db', 'nginx', 'redis', 'worker'];
const RELOAD = '["uvicorn", "app.main:app", "--host", "0.0.0.0", "--port", "8000", "--reload", "--reload-dir", "app"]';

/** Gives the backend another command than its image has. */
async function ownCommand(stack: LabStack, find: string, replacement: string): Promise<void> {
  const command = RELOAD.replace(find, replacement);
  edit(stack, 'docker-compose.yml', '      dockerfile: Dockerfile.dev\n', `      dockerfile: Dockerfile.dev\n    command: ${command}\n`);
  await recreate(stack, 'backend');
}

async function healCommand(stack: LabStack): Promise<void> {
  restore(stack, 'docker-compose.yml');
  await up(stack);
}

/** The code as it was; the reloader may be stuck, so the container starts anew. */
async function healCode(stack: LabStack): Promise<void> {
  restore(stack, 'backend');
  await compose(stack, 'restart', '-t', '1', 'backend');
  await up(stack);
}

const isSilent = async (stack: LabStack): Promise<boolean> => (await get(stack, '/health', 'backend')).status === 0;

/** The backend's container runs, but the app in it does not do its work. */
export const appFaults: Fault[] = [
  {
    id: 'backend-folder-replaced',
    title: 'the backend folder was swapped under its mount: edits reach nobody',
    inject: async (stack) => {
      const folder = join(stack.dir, 'backend');
      renameSync(folder, `${folder}.old`);
      cpSync(`${folder}.old`, folder, { recursive: true });
      edit(stack, 'backend/app/main.py', 'title="Shootout"', 'title="Shootout, edited"');
      await answers(stack, '/health', 200);
    },
    heal: async (stack) => {
      rmSync(join(stack.dir, 'backend.old'), { recursive: true });
      restore(stack, 'backend');
      await compose(stack, 'restart', '-t', '1', 'backend', 'worker');
      await up(stack);
    },
    expect: {
      root: 'backend/hot-reload',
      code: 'hot-reload/stale-mount',
      innocents: others,
      remedy: /docker compose (restart|up -d --force-recreate) backend/,
    },
  },
  {
    id: 'backend-syntax-error',
    title: 'an edit does not parse; the reloader lives on without its app, the port stays open',
    inject: async (stack) => {
      edit(stack, 'backend/app/main.py', 'app = FastAPI(', 'app = FastAPI((');
      await until('the app to be silent', () => isSilent(stack));
      await until('the traceback', async () => (await logs(stack, 'backend')).includes('SyntaxError'));
    },
    heal: healCode,
    expect: { root: 'backend/hot-reload', code: 'hot-reload/child-dead', innocents: others, remedy: /docker compose logs/ },
  },
  {
    id: 'backend-import-error',
    title: 'the app failed to import at its first start; the reloader waits, nothing listens',
    inject: async (stack) => {
      edit(stack, 'backend/app/main.py', 'import json', 'import json\nimport resampler');
      await recreate(stack, 'backend');
      await until('the traceback', async () => (await logs(stack, 'backend')).includes('ModuleNotFoundError'));
      await until('the app to be silent', () => isSilent(stack));
    },
    heal: healCode,
    expect: { root: 'backend/hot-reload', code: 'hot-reload/child-dead', innocents: others, remedy: /docker compose logs/ },
  },
  {
    id: 'backend-without-reload',
    title: 'uvicorn runs without --reload although the code is mounted',
    inject: async (stack) => {
      await ownCommand(stack, ', "--reload", "--reload-dir", "app"', '');
      await answers(stack, '/health', 200);
    },
    heal: healCommand,
    expect: { root: 'backend/hot-reload', code: 'hot-reload/not-enabled', innocents: others, remedy: /--reload/, status: 'warn' },
  },
  {
    id: 'backend-loopback',
    title: 'uvicorn listens on 127.0.0.1 in its container; the healthcheck is green, nginx says 502',
    inject: async (stack) => {
      await ownCommand(stack, '0.0.0.0', '127.0.0.1');
      await answers(stack, '/health', 502);
      await until('the healthcheck', async () => (await logs(stack, 'backend')).includes('GET /health'));
    },
    heal: healCommand,
    expect: { root: 'backend/ports', code: 'ports/loopback-only', innocents: others, remedy: /0\.0\.0\.0/ },
  },
  {
    id: 'backend-other-port',
    title: 'uvicorn listens on 8080; the compose file publishes 8000',
    inject: async (stack) => {
      await ownCommand(stack, '"8000"', '"8080"');
      await until('uvicorn', async () => (await logs(stack, 'backend')).includes('Application startup complete'));
      await answers(stack, '/health', 502);
    },
    heal: healCommand,
    expect: { root: 'backend/ports', code: 'ports/wrong-container-port', innocents: others, remedy: /8000|--port|ports/ },
  },
  {
    id: 'backend-hung',
    title: 'a blocking call in async code stops every request',
    inject: async (stack) => {
      edit(
        stack,
        'backend/app/main.py',
        '    report = await health()',
        '    import time\n\n    time.sleep(100_000)\n    report = await health()',
      );
      await until('the app to be silent', () => isSilent(stack));
    },
    heal: healCode,
    expect: { root: 'backend/http-health', code: 'http-health/hung', innocents: others, remedy: /docker compose (logs|restart)/ },
  },
  {
    id: 'backend-health-500',
    title: 'the health endpoint itself raises',
    inject: async (stack) => {
      edit(stack, 'backend/app/main.py', '    report = await health()', '    report = await health(strict=True)');
      await answers(stack, '/health', 500, '', 'backend');
    },
    heal: healCode,
    expect: { root: 'backend/http-health', code: 'http-health/server-error', innocents: others, remedy: /docker compose logs/ },
  },
];
