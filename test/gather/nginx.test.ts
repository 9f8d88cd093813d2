import { afterEach, describe, expect, it } from 'vitest';
import { gatherNginx } from '../../src/gather/nginx.ts';
import { bind, startSite, type Site, type SiteOptions } from './site.ts';

let site: Site | undefined;
afterEach(() => site?.close());

const look = async (options: SiteOptions) => {
  site = await startSite(options);
  return gatherNginx(site.service, site.given);
};

describe('one request for each proxied location', () => {
  it.each<[string, string, string[]]>([
    ['a prefix', 'location /api/ { proxy_pass http://x:1; }', ['/api/']],
    ['an exact path', 'location = /health { proxy_pass http://x:1; }', ['/health']],
    ['everything', 'location / { proxy_pass http://x:1; }', ['/']],
    ['a pattern that begins like a path', 'location ~ ^/api/v1 { proxy_pass http://x:1; }', ['/api/v1']],
    ['scripts', 'location / { root /srv; } location ~ \\.php$ { fastcgi_pass php:9000; }', ['/index.php']],
    ['a socket file', 'location /app { proxy_pass http://unix:/run/x.sock:/v1; }', ['/app']],
    ['what is no file', 'root /srv; location / { try_files $uri @app; } location @app { proxy_pass http://x:1; }', ['/']],
    ['what may also be a file', 'root /srv; location / { try_files $uri $uri/ @app; } location @app { proxy_pass http://x:1; }', []],
    [
      'a script that only `try_files` leads to',
      'root /srv; location / { try_files $uri /index.php$is_args$args; } location ~ ^/index\\.php { internal; fastcgi_pass php:9000; }',
      ['/'],
    ],
    [
      'a script that a folder may stand before',
      'root /srv; location / { try_files $uri $uri/ /index.php; } location ~ ^/index\\.php { internal; fastcgi_pass php:9000; }',
      [],
    ],
    ['one that is not for the outside', 'location /private { internal; proxy_pass http://x:1; }', []],
    ['one that never passes on', 'location /old { return 410; proxy_pass http://x:1; }', []],
    ['a server that sends everybody elsewhere', 'return 301 https://x$request_uri; location / { proxy_pass http://x:1; }', []],
    ['the same path to the same place once', 'location /a { proxy_pass http://x:1; } location = /a { proxy_pass http://x:1; }', ['/a']],
  ])('%s', async (_, body, paths) => {
    const fact = await look({ config: `server { listen PORT; ${body} }` });
    expect(site!.asked.toSorted()).toEqual(paths.map((path) => `localhost ${path}`));
    expect(fact.proxied.map(({ http }) => [http.trial.outcome, http.answer?.status])).toEqual(paths.map(() => ['ok', 404]));
  });

  it('uses a name of the server, and says whom the answer came from', async () => {
    const fact = await look({
      config:
        'upstream app { server a:1; server b:2; } server { listen PORT; server_name _ ~^x$ *.shop.test shop.test; location /api { proxy_pass http://app; } }',
    });
    expect(site!.asked).toEqual(['shop.test /api']);
    expect(fact.proxied[0]).toMatchObject({ location: '/api', upstream: 'a:1, b:2' });
    expect(fact.upstreams.map(({ host, port, location, at }) => [host, port, location, at])).toEqual([
      ['a', 1, '/api', '/etc/nginx/nginx.conf:3'],
      ['b', 2, '/api', '/etc/nginx/nginx.conf:3'],
    ]);
  });

  it('asks each upstream before any of them twice, and not without end', async () => {
    const many = Array.from({ length: 30 }, (_, index) => `location /x${index} { proxy_pass http://x:1; }`).join('\n');
    const fact = await look({ config: `server { listen PORT; ${many} location /y { proxy_pass http://y:1; } }` });
    expect(site!.asked).toHaveLength(12);
    expect(fact.proxied.some(({ location }) => location === '/y')).toBe(true);
  });

  it('is a fact, too, where nothing answers', async () => {
    const fact = await look({ config: 'server { listen 1; location / { proxy_pass http://x:1; } }' });
    expect(fact.proxied[0]?.http.trial).toMatchObject({ layer: 'tcp', outcome: 'refused' });
  });
});

describe('the configuration', () => {
  it('names roots, ports and where they stand', async () => {
    const fact = await look({
      config: 'server { listen PORT; listen 8443 ssl;\nroot /srv/a;\nlocation /b/ { alias /srv/b/; } location /c { } }',
    });
    expect(fact.roots).toEqual([
      { path: '/srv/a', server: `${site!.port} 8443`, location: '', at: '/etc/nginx/nginx.conf:4' },
      { path: '/srv/b', server: `${site!.port} 8443`, location: '/b/', at: '/etc/nginx/nginx.conf:5' },
    ]);
    expect(fact.listens).toEqual([site!.port, 8443]);
    expect(fact.test).toBeNull();
    expect(site!.commands).toEqual([]);
  });

  it('is printed by nginx where the archive cannot be had', async () => {
    const fact = await look({ config: 'server { listen PORT; location / { proxy_pass http://x:1; } }', archiveFails: 500 });
    expect(site!.commands).toEqual([['nginx', '-T']]);
    expect(fact.upstreams[0]).toMatchObject({ host: 'x', port: 1, at: '/etc/nginx/nginx.conf:3' });
  });

  it('is tested when a file of it is newer than the container', async () => {
    const fact = await look({
      config: 'server { listen PORT; }',
      files: { 'nginx.conf': '' },
      mounts: (folder) => [bind(`${folder}/nginx.conf`, '/etc/nginx/nginx.conf')],
      container: {
        state: {
          status: 'running',
          exitCode: 0,
          error: '',
          oomKilled: false,
          startedAt: '2020-01-01T00:00:00Z',
          finishedAt: null,
          restartCount: 0,
          pid: 0,
        },
      },
      run: () => ({ exitCode: 1, stdout: '', stderr: 'nginx: [emerg] unknown directive "lisen" in /etc/nginx/nginx.conf:3\n' }),
    });
    expect(site!.commands).toEqual([['nginx', '-t']]);
    expect(fact.test).toEqual({ ok: false, text: 'nginx: [emerg] unknown directive "lisen" in /etc/nginx/nginx.conf:3' });
    expect(fact.files[0]).toMatchObject({ path: '/etc/nginx/nginx.conf', hostPath: `${site!.folder}/nginx.conf` });
  });

  it('is tested when it cannot be right', async () => {
    await look({
      config: 'server { listen PORT; location / { proxy_pass http://x:1; }',
      run: () => ({ exitCode: 1, stdout: '', stderr: 'x' }),
    });
    expect(site!.commands).toEqual([['nginx', '-t']]);
  });

  it('is told of a container that does not run, and nothing is asked', async () => {
    const stopped = {
      status: 'exited' as const,
      exitCode: 1,
      error: '',
      oomKilled: false,
      startedAt: null,
      finishedAt: null,
      restartCount: 0,
      pid: 0,
    };
    const fact = await look({ config: 'server { listen PORT; location / { proxy_pass http://x:1; } }', container: { state: stopped } });
    expect(fact).toMatchObject({ upstreams: [{ host: 'x' }], proxied: [], test: null, upstreamErrors: [] });
    expect([...site!.asked, ...site!.commands]).toEqual([]);
  });
});
