import { execFileSync } from 'node:child_process';
import { chmodSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { until } from '../run.ts';
import type { LabStack } from '../stack.ts';
import type { Fault } from './fault.ts';
import { answers, compose, edit, get, reloadProxy, restore, up } from './tools.ts';

const others = ['backend', 'db', 'redis', 'worker'];

const build = (stack: LabStack): void => {
  execFileSync(process.execPath, ['build.mjs'], { cwd: join(stack.dir, 'astro') });
};

/** A start mounts the folder afresh. */
async function remount(stack: LabStack, ...services: string[]): Promise<void> {
  restore(stack, 'astro');
  await compose(stack, 'restart', '-t', '1', ...services);
  await up(stack);
}

/** nginx runs, but the pages are not what was built. */
export const staticFaults: Fault[] = [
  {
    id: 'dist-deleted-and-rebuilt',
    title: 'astro/dist was deleted and built anew; nginx still holds the deleted folder',
    inject: async (stack) => {
      rmSync(join(stack.dir, 'astro/dist'), { recursive: true });
      build(stack);
      await until('the start page to be gone', async () => (await get(stack, '/')).status >= 400);
    },
    heal: (stack) => remount(stack, 'nginx', 'backend'),
    expect: {
      root: 'nginx/static-files',
      code: 'static-files/stale-mount',
      innocents: others,
      remedy: /docker compose (restart|up -d --force-recreate) nginx/,
    },
  },
  {
    id: 'dist-renamed',
    title: 'astro/dist was renamed and a new one made; nginx serves the old one',
    inject: async (stack) => {
      renameSync(join(stack.dir, 'astro/dist'), join(stack.dir, 'astro/dist.old'));
      edit(stack, 'astro/src/index.html', 'Shootout', 'Shootout, second take');
      build(stack);
      await answers(stack, '/', 200, '<h1>Shootout</h1>');
    },
    heal: (stack) => remount(stack, 'nginx', 'backend'),
    expect: {
      root: 'nginx/static-files',
      code: 'static-files/stale-mount',
      innocents: others,
      remedy: /docker compose (restart|up -d --force-recreate) nginx/,
    },
  },
  {
    id: 'dist-emptied',
    title: 'astro/dist is empty: the pages were never built',
    inject: async (stack) => {
      const dist = join(stack.dir, 'astro/dist');
      for (const name of readdirSync(dist)) rmSync(join(dist, name), { recursive: true });
      await answers(stack, '/', 403);
    },
    heal: async (stack) => {
      restore(stack, 'astro');
      await answers(stack, '/', 200);
    },
    expect: { root: 'nginx/static-files', code: 'static-files/not-built', innocents: others, remedy: /build/ },
  },
  {
    id: 'dist-half-built',
    title: 'the start page refers to a stylesheet that is not there',
    inject: async (stack) => {
      const assets = join(stack.dir, 'astro/dist/_astro');
      for (const name of readdirSync(assets)) if (name.endsWith('.css')) rmSync(join(assets, name));
      await answers(stack, '/', 200);
    },
    heal: async (stack) => {
      restore(stack, 'astro');
      await answers(stack, '/', 200);
    },
    expect: { root: 'nginx/static-files', code: 'static-files/missing-assets', innocents: others, remedy: /build/ },
  },
  {
    id: 'dist-unreadable',
    title: "nginx's user may not open astro/dist",
    inject: async (stack) => {
      chmodSync(join(stack.dir, 'astro/dist'), 0o700);
      await until('the start page to be refused', async () => [403, 404, 500].includes((await get(stack, '/')).status));
    },
    heal: async (stack) => {
      chmodSync(join(stack.dir, 'astro/dist'), 0o755);
      await answers(stack, '/', 200);
    },
    expect: { root: 'nginx/static-files', code: 'static-files/unreadable', innocents: others, remedy: /chmod/ },
  },
  {
    id: 'nginx-wrong-root',
    title: 'nginx looks for the pages in a folder that is not the mounted one',
    inject: async (stack) => {
      edit(stack, 'nginx/conf.d/default.conf', '/usr/share/nginx/html', '/usr/share/nginx/www');
      await reloadProxy(stack);
      await answers(stack, '/', 404);
    },
    heal: async (stack) => {
      restore(stack, 'nginx');
      await reloadProxy(stack);
      await answers(stack, '/', 200);
    },
    expect: { root: 'nginx/static-files', code: 'static-files/wrong-folder', innocents: others, remedy: /root/ },
  },
];
