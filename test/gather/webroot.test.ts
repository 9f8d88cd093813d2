import { chmodSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { gatherWebroot } from '../../src/gather/webroot.ts';
import { bind, startSite, type Site, type SiteOptions } from './site.ts';

let site: Site | undefined;
afterEach(() => site?.close());

const PAGE = '<link rel="stylesheet" href="/a.css?v=1"><script src="/js/app.js"></script><script src="/api/env.js"></script>';
const FILES = { 'dist/index.html': PAGE, 'dist/a.css': 'a{}', 'dist/js/app.js': 'app()', 'dist/robots.txt': '' };
const ROOT =
  'server { listen PORT; root /www; location / { try_files $uri $uri/ /index.html; } location /api/ { proxy_pass http://x:1; } }';

const startDist = async (more: Partial<SiteOptions> = {}): Promise<Site> => {
  site = await startSite({
    config: ROOT,
    files: FILES,
    mounts: (folder) => [bind(join(folder, 'dist'), '/www')],
    answer: (path) => `dist${path.endsWith('/') ? `${path}index.html` : path}`,
    run: () => ({ exitCode: 0, stdout: 'yes 77 0\n', stderr: '' }),
    ...more,
  });
  return site;
};

const look = async (more: Partial<SiteOptions> = {}, change?: (site: Site) => void) => {
  const started = await startDist(more);
  change?.(started);
  return (await gatherWebroot(started.service, started.given)).folders;
};

const brief = (folders: Awaited<ReturnType<typeof look>>) =>
  folders.map(({ path, samples }) => [
    path,
    ...samples.map(
      ({ file, url, hostSha256, http }) =>
        `${file} ${new URL(url).pathname} ${http.answer?.sha256 === hostSha256 ? 'same' : (http.answer?.status ?? 'none')}`,
    ),
  ]);

describe('a folder that nginx serves', () => {
  it('is compared over HTTP, the page first, and then no command is needed', async () => {
    const folders = await look();
    expect(brief(folders)).toEqual([['/www', 'index.html / same', 'a.css /a.css same', 'js/app.js /js/app.js same']]);
    expect(folders[0]).toMatchObject({
      destination: '/www',
      hostPath: join(site!.folder, 'dist'),
      host: { exists: true, files: 4, hasIndex: true },
      missingAssets: [],
    });
    expect(site!.commands).toEqual([]);
  });

  it('is not compared where its page is made by an app', async () => {
    const config =
      'server { listen PORT; root /www; index index.php; location / { try_files $uri $uri/ /index.php; } location ~ \\.php$ { fastcgi_pass x:9000; } }';
    const folders = await look({ config, files: { 'dist/index.php': '<?php', 'dist/a.css': 'a{}' } });
    expect(brief(folders)).toEqual([['/www', 'a.css /a.css same']]);
  });

  it('has its page where it holds a script for an app and nothing else, but not where nobody runs the script', async () => {
    const site = 'root /www; location / { try_files $uri /index.php?$args; }';
    const of = async (config: string) => (await look({ config, files: { 'dist/index.php': '<?php' } }))[0]?.host?.hasIndex;
    expect(await of(`server { listen PORT; ${site} location ~ \\.php$ { fastcgi_pass x:9000; } }`)).toBe(true);
    expect(await of(`server { listen PORT; ${site} }`)).toBe(false);
  });

  it('lacks what its page names', async () => {
    const [folder] = await look({}, ({ folder: at }) => rmSync(join(at, 'dist/js/app.js')));
    expect(folder?.missingAssets).toEqual(['/js/app.js']);
  });

  it('may be missing, or empty', async () => {
    const [missing] = await look({}, ({ folder }) => rmSync(join(folder, 'dist'), { recursive: true }));
    expect(missing).toMatchObject({ host: { exists: false, files: 0 }, hostInode: null, samples: [] });
    site!.close();
    const [empty] = await look({ files: { 'dist/.keep': '' } }, ({ folder }) => rmSync(join(folder, 'dist/.keep')));
    expect(empty).toMatchObject({ host: { exists: true, files: 0, hasIndex: false }, samples: [], inside: { entries: 0, inode: 77 } });
  });

  it('is looked at from inside where the answers differ', async () => {
    const [folder] = await look({ answer: () => 403 });
    expect(folder?.samples[0]?.http.answer?.status).toBe(403);
    expect(folder?.inside).toEqual({ inode: 77, entries: 0 });
    expect(site!.commands).toHaveLength(1);
  });

  it('may have no page at all', async () => {
    const folders = await look({ files: { 'dist/x.bin': 'x', 'dist/.hidden': 'y' } });
    expect(brief(folders)).toEqual([['/www', 'x.bin /x.bin same']]);
  });

  it('may hold files that not everybody reads', async () => {
    const [folder] = await look({}, ({ folder: at }) => chmodSync(join(at, 'dist/a.css'), 0o600));
    // The process is not to be seen here: what mode bits mean beyond a virtual machine is not known.
    expect(folder?.host).toMatchObject({ readableByAll: true, unreadable: null });
  });
});

describe('how a URL leads to a file', () => {
  it.each<[string, string, (folder: string) => [string, string][], string[]]>([
    [
      'an alias',
      'server { listen PORT; location /app/ { alias /www/; } }',
      () => [['dist', '/www']],
      ['/www', 'index.html /app/ same', 'a.css /app/a.css same'],
    ],
    [
      'a mount inside the root',
      'server { listen PORT; root /srv; }',
      () => [['dist', '/srv/app']],
      ['/srv/app', 'index.html /app/ same', 'a.css /app/a.css same'],
    ],
    [
      'a redirect of the start page',
      'server { listen PORT; root /www; location = / { return 302 /x; } }',
      () => [['dist', '/www']],
      ['/www', 'index.html /index.html same', 'a.css /a.css same'],
    ],
    ['a page that is changed on its way', 'server { listen PORT; root /www; sub_filter a b; }', () => [['dist', '/www']], ['/www']],
    [
      'files that are passed on',
      'server { listen PORT; root /www; location ~ \\.css$ { proxy_pass http://x:1; } }',
      () => [['dist', '/www']],
      ['/www', 'index.html / same'],
    ],
    [
      'a file laid over another',
      'server { listen PORT; root /www; }',
      () => [
        ['dist', '/www'],
        ['other.css', '/www/a.css'],
      ],
      ['/www', 'index.html / same'],
    ],
  ])('%s', async (_, config, mounts, expected) => {
    const page =
      config.includes('/app') || mounts('').some(([, to]) => to.endsWith('/app'))
        ? '<link rel=stylesheet href="a.css">'
        : '<link rel=stylesheet href="/a.css">';
    const folders = await look({
      config,
      files: { 'dist/index.html': page, 'dist/a.css': 'a{}', 'other.css': 'b{}' },
      mounts: (folder) => mounts(folder).map(([from, to]) => bind(join(folder, from), to)),
      answer: (path) => `dist${path.replace(/^\/app/, '').replace(/\/$/, '/index.html')}`,
    });
    expect(brief(folders)).toEqual([expected]);
  });

  it('finds nothing to look at where nothing is mounted', async () => {
    expect(await look({ mounts: () => [] })).toEqual([]);
    site!.close();
    expect(await look({ config: 'server { listen PORT; location / { proxy_pass http://x:1; } }' })).toEqual([]);
  });

  it('passes over a server that sends everybody elsewhere', async () => {
    const folders = await look({ config: 'server { listen 1; root /www; return 301 https://x; } server { listen PORT; root /www; }' });
    expect(brief(folders)[0]).toContain('index.html / same');
  });

  it('tells nothing of a host that is not this machine', async () => {
    const started = await startDist({ mounts: () => [bind('/nowhere/dist', '/www')] });
    const [folder] = (await gatherWebroot(started.service, { ...started.given, engine: { ...started.given.engine, host: 'ssh://server' } }))
      .folders;
    expect(folder).toMatchObject({ host: null, hostInode: null, samples: [], inside: { inode: 77, entries: 0 } });
  });
});
