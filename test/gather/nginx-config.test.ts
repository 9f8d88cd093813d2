import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fileFor, includedFiles, locationFor, parseNginx, scriptFor } from '../../src/gather/nginx-config.ts';

const MAIN = '/etc/nginx/nginx.conf';

/** One file, taken as the content of the http block. */
const parse = (http: string, more: Record<string, string> = {}) =>
  parseNginx(new Map([[MAIN, `events {}\nhttp {\n${http}\n}`], ...Object.entries(more)]), MAIN);

const passesOf = (http: string) =>
  parse(http)
    .servers.flatMap((server) => server.locations)
    .flatMap((location) =>
      location.upstreams.map(
        (each) =>
          `${location.path} ${each.scheme} ${each.host}:${each.port}${each.literal ? '' : ' (looked up again)'} line ${each.at.line}`,
      ),
    );

describe('where nginx passes requests to', () => {
  const location = (body: string) => `server { listen 80; location /api/ { ${body} } }`;
  it.each([
    ['host and port', location('proxy_pass http://backend:8000;'), ['/api/ http backend:8000 line 3']],
    ['a path after it', location('proxy_pass http://backend:8000/v1/;'), ['/api/ http backend:8000 line 3']],
    ['the default port', location('proxy_pass http://backend;'), ['/api/ http backend:80 line 3']],
    ['the default port of TLS', location('proxy_pass https://backend/;'), ['/api/ https backend:443 line 3']],
    ['an IPv6 address', location('proxy_pass http://[::1]:8000;'), ['/api/ http [::1]:8000 line 3']],
    ['quotes', location('proxy_pass "http://backend:8000";'), ['/api/ http backend:8000 line 3']],
    ['FastCGI', location('fastcgi_pass php:9000;'), ['/api/ fastcgi php:9000 line 3']],
    ['uWSGI with a scheme', location('uwsgi_pass uwsgi://app:3031;'), ['/api/ uwsgi app:3031 line 3']],
    ['gRPC', location('grpc_pass grpc://api:50051;'), ['/api/ grpc api:50051 line 3']],
    ['a socket file', location('proxy_pass http://unix:/run/app.sock;'), ['/api/ http unix:/run/app.sock:0 line 3']],
    ['a socket file and a path', location('proxy_pass http://unix:/run/app.sock:/v1/$1;'), ['/api/ http unix:/run/app.sock:0 line 3']],
    ['a socket file of FastCGI', location('fastcgi_pass unix:/run/php/fpm.sock;'), ['/api/ fastcgi unix:/run/php/fpm.sock:0 line 3']],
    ['a socket file of uWSGI', location('uwsgi_pass unix:///run//app.sock;'), ['/api/ uwsgi unix:/run/app.sock:0 line 3']],
    [
      'a socket file in a variable that is set',
      'server { set $sock unix:/run/app.sock; location / { proxy_pass http://$sock:$request_uri; } }',
      ['/ http unix:/run/app.sock:0 line 3'],
    ],
    ['a relative socket file', location('proxy_pass http://unix:app.sock;'), []],
    ['a socket file in a variable that nobody sets', location('fastcgi_pass unix:/run/$pool/fpm.sock;'), []],
    ['inside an if', location('if ($request_method = POST) { proxy_pass http://backend:8000; }'), ['/api/ http backend:8000 line 3']],
    [
      'a variable that is set around it',
      'server { set $up http://backend:8000; location / { proxy_pass $up; } }',
      ['/ http backend:8000 (looked up again) line 3'],
    ],
    [
      'the host alone in a variable',
      'server { location / { set $host_ backend; proxy_pass http://$host_:8000$request_uri; } }',
      ['/ http backend:8000 (looked up again) line 3'],
    ],
    [
      'braces around the variable',
      'server { location / { set $h backend; proxy_pass http://${h}:8000; } }',
      ['/ http backend:8000 (looked up again) line 3'],
    ],
    ['a variable that nobody sets', location('proxy_pass http://$backend;'), []],
    [
      'a group of servers',
      'upstream app {\n server a:8000 weight=2;\n server b;\n server c:1 down;\n server unix:/x;\n server d:5 resolve;\n}\nserver { location / { proxy_pass http://app; } }',
      ['/ http a:8000 line 4', '/ http b:80 line 5', '/ http unix:/x:0 line 7', '/ http d:5 (looked up again) line 8'],
    ],
    ['a comment', 'server { location / {\n # proxy_pass http://old:1;\n proxy_pass http://new:2; # ; }\n} }', ['/ http new:2 line 5']],
    ['a hash inside a word', location('proxy_pass http://backend:8000/#top;'), ['/api/ http backend:8000 line 3']],
    ['a port out of range', location('proxy_pass http://backend:99999;'), []],
    ['nested locations', 'server { location /a { location /a/b { proxy_pass http://x:1; } } }', ['/a/b http x:1 line 3']],
  ])('%s', (_, http, expected) => expect(passesOf(http)).toEqual(expected));

  it('knows the proxies of a stream block', () => {
    const text =
      'stream { upstream pg { server db:5432; } server { listen 5433; proxy_pass pg; } server { listen 1; proxy_pass cache:6379; } }';
    expect(parseNginx(new Map([[MAIN, text]]), MAIN).streams.map(({ host, port, scheme }) => `${scheme} ${host}:${port}`)).toEqual([
      'tcp db:5432',
      'tcp cache:6379',
    ]);
  });
});

describe('servers and folders', () => {
  it.each([
    ['80', [{ address: '', port: 80, tls: false }]],
    ['*:8080 default_server', [{ address: '', port: 8080, tls: false }]],
    ['127.0.0.1:81', [{ address: '127.0.0.1', port: 81, tls: false }]],
    ['[::]:80 ipv6only=off', [{ address: '[::]', port: 80, tls: false }]],
    ['443 ssl http2', [{ address: '', port: 443, tls: true }]],
    ['localhost', [{ address: 'localhost', port: 80, tls: false }]],
    ['unix:/run/nginx.sock', []],
  ])('listen %s', (listen, expected) => expect(parse(`server { listen ${listen}; }`).servers[0]?.listens).toEqual(expected));

  it('listens on port 80 where nothing is said', () =>
    expect(parse('server { }').servers[0]?.listens).toEqual([{ address: '', port: 80, tls: false }]));

  it('hands a root down, and lets a location have its own', () => {
    const [server] = parse(
      'root /srv/http;\nserver {\n root /srv/site/;\n location /a { }\n location /b { root /srv/b; }\n location /c/ { alias /srv/c/; }\n}',
    ).servers;
    expect(server?.locations.map(({ path, folder }) => [path, folder?.path, folder?.alias, folder?.at.line])).toEqual([
      ['', '/srv/site', false, 5],
      ['/a', '/srv/site', false, 5],
      ['/b', '/srv/b', false, 7],
      ['/c/', '/srv/c', true, 8],
    ]);
  });

  it('reads included files at any level, sorted, and notes a missing one', () => {
    const config = parse('include /etc/nginx/conf.d/*.conf;\ninclude gone.conf;', {
      '/etc/nginx/conf.d/b.conf': 'server { server_name b; location / { include proxy.inc; } }',
      '/etc/nginx/conf.d/a.conf': 'server { server_name a; }',
      '/etc/nginx/conf.d/a.conf.bak': 'server { server_name old; }',
      '/etc/nginx/conf.d/sub/c.conf': 'server { server_name c; }',
      '/etc/nginx/proxy.inc': '\nproxy_pass http://x:1;',
    });
    expect(config.servers.map(({ names }) => names)).toEqual([['a'], ['b']]);
    expect(config.servers[1]?.locations[1]?.upstreams[0]?.at).toEqual({ file: '/etc/nginx/proxy.inc', line: 2 });
    expect(config.missing).toEqual([{ path: '/etc/nginx/gone.conf', at: { file: MAIN, line: 4 } }]);
  });

  it('does not go round in circles', () => {
    expect(parse('include a.conf;', { '/etc/nginx/a.conf': 'include a.conf; server { server_name once; }' }).servers).toHaveLength(1);
  });

  it.each([
    ['server {', 'a block does not end'],
    ['server { listen 80 }', '"listen" does not end with ";"'],
    ['} }', 'a "}" too many'],
  ])('says what cannot be right in %s', (http, text) => expect(parse(http).problems[0]?.text).toContain(text));

  it('finds nothing wrong in the usual', () => {
    const config = parse(`
      map $http_upgrade $connection_upgrade { default upgrade; '' close; }
      log_format main '$remote_addr - "$request" {braces; and semicolons}';
      server { location ~ "^/v[0-9]{1,2}/" { return 200 "it's {ok};\\n"; } location ~* \\.(js|css)$ { expires 1d; } }`);
    expect(config.problems).toEqual([]);
  });
});

describe('which location takes a path', () => {
  const [server] = parse(`server {
    root /srv;
    location / { }
    location = /health { return 200; }
    location /api/ { proxy_pass http://x:1; }
    location ^~ /static/ { alias /var/static/; }
    location ~ \\.php$ { fastcgi_pass php:9000; }
    location /deep/er/ { }
    location @app { proxy_pass http://x:1; }
  }`).servers;
  it.each([
    ['/', '/', '/srv/'],
    ['/health', '/health', null],
    ['/healthy', '/', '/srv/healthy'],
    ['/api/x.php', '\\.php$', null],
    ['/api/x', '/api/', null],
    ['/static/a.php', '/static/', '/var/static/a.php'],
    ['/static/css/a.css', '/static/', '/var/static/css/a.css'],
    ['/deep/er/x', '/deep/er/', '/srv/deep/er/x'],
  ])('%s', (path, expected, file) => {
    const found = locationFor(server!, path);
    expect(found?.path).toBe(expected);
    expect(fileFor(found!, path)).toBe(file);
  });
});

describe('whatever the files hold', () => {
  it('never throws and ends', () => {
    const piece = fc.oneof(
      fc.constantFrom(
        'server',
        'http',
        'location',
        '{',
        '}',
        ';',
        '"',
        "'",
        '\\',
        '#',
        '\n',
        '$',
        '${',
        'include *',
        'proxy_pass ',
        'http://',
        '[',
        ']',
        '@',
        '~',
        '(',
        'upstream a',
        'listen ',
        'root ',
      ),
      fc.string({ maxLength: 8 }),
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 60 }), (pieces) => {
        const config = parse(pieces.join(' '), { '/etc/nginx/x': pieces.join('') });
        for (const server of config.servers) {
          const found = locationFor(server, '/a/b');
          if (found) fileFor(found, '/a/b');
        }
        return true;
      }),
      { numRuns: 500 },
    );
  });

  it('takes odd glob patterns as they are', () => {
    expect(includedFiles(['/a/b.conf', '/a/[x].conf', '/a/c(1).conf'], '/a/c(1).conf')).toEqual(['/a/c(1).conf']);
    expect(() => parse('include [;include (*;include *[a-;', {})).not.toThrow();
  });
});

describe('the script that a FastCGI server is told to run', () => {
  const page = (file: string, root: string, own: string, isResolved = false) => ({ file, root, page: own, isResolved });
  it.each([
    [
      'below the root of nginx',
      'fastcgi_param SCRIPT_FILENAME $document_root$fastcgi_script_name;',
      page('/srv/www/index.php', '/srv/www', '/srv/www/index.php'),
    ],
    [
      'below the root as nginx resolves it',
      'fastcgi_param SCRIPT_FILENAME ${realpath_root}$fastcgi_script_name;',
      page('/srv/www/index.php', '/srv/www', '/srv/www/index.php', true),
    ],
    [
      'below another folder',
      'fastcgi_param SCRIPT_FILENAME /app$fastcgi_script_name;',
      page('/app/index.php', '/app', '/srv/www/index.php'),
    ],
    ['one for all', 'fastcgi_param SCRIPT_FILENAME /app/front.php;', page('/app/front.php', '/app', '/srv/www/index.php')],
    [
      'the last of two',
      'fastcgi_param SCRIPT_FILENAME /a$uri; fastcgi_param SCRIPT_FILENAME /b$uri;',
      page('/b/index.php', '/b', '/srv/www/index.php'),
    ],
    ['of the level above', '', page('/top/index.php', '/top', '/srv/www/index.php')],
    ['none, where a level has parameters of its own', 'fastcgi_param QUERY_STRING $query_string;', null],
    ['one that a variable decides', 'fastcgi_param SCRIPT_FILENAME $site$fastcgi_script_name;', null],
  ])('%s', (_, params, expected) => {
    const [server] = parse(
      `server { root /srv/www; fastcgi_param SCRIPT_FILENAME /top$uri; location ~ \\.php$ { ${params} fastcgi_pass php:9000; } }`,
    ).servers;
    expect(scriptFor(locationFor(server!, '/index.php')!, '/index.php')).toEqual(expected);
  });

  it('is none of a location that speaks HTTP', () => {
    const [server] = parse('server { root /srv; fastcgi_param SCRIPT_FILENAME /top$uri; location / { proxy_pass http://x:1; } }').servers;
    expect(scriptFor(locationFor(server!, '/index.php')!, '/index.php')).toBeNull();
  });
});
