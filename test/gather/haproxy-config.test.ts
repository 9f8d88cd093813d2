import { describe, expect, it, test } from 'vitest';
import { parseHaproxy, questionFor, routeFor, type HaproxyConfig } from '../../src/gather/haproxy-config.ts';
import { configPathsOf, inUse } from '../../src/gather/haproxy-setup.ts';

const parse = (text: string, env: Record<string, string> = {}): HaproxyConfig => parseHaproxy(new Map([['haproxy.cfg', text]]), env);
const inBackend = (lines: string, env?: Record<string, string>) => parse(`backend b\n mode http\n${lines}\n`, env).backends[0]!;
const inEntry = (lines: string) => parse(`frontend f\n mode http\n${lines}\n`).entries[0]!;

describe('servers', () => {
  const shown = (lines: string, env?: Record<string, string>) =>
    inBackend(lines, env).servers.map(({ name, host, port, tls, at }) => `${name} ${host}:${port}${tls ? ' tls' : ''} ${at.line}`);

  test.each<[string, string, string[], Record<string, string>?]>([
    ['one', 'server a app:8000', ['a app:8000 3']],
    ['with options', 'server a app:8000 check inter 1s ssl verify none', ['a app:8000 tls 3']],
    ['an address', 'server a ipv4@10.0.0.1:80\nserver b [fd00::1]:80', ['a 10.0.0.1:80 3', 'b fd00::1:80 4']],
    ['from a template', 'server-template web 3 app:8000 check', ['web1 app:8000 3']],
    ['from the environment', 'server a "${APP_HOST}":80\nserver b $APP_HOST:81', ['a shop:80 3', 'b shop:81 4'], { APP_HOST: 'shop' }],
    ['an unknown variable, a socket, no port', 'server a ${NOBODY}:80\nserver b /run/app.sock\nserver c app\nserver d unix@/x', []],
    ['in a comment', '# server a app:8000\nserver b app:1 # server c app:2', ['b app:1 4']],
    ['a quoted word', String.raw`server a app:1 cookie "a b # c" ssl`, ['a app:1 tls 3']],
    ['a port that is none', 'server a app:99999', []],
  ])('%s', (_, lines, expected, env) => expect(shown(lines, env)).toEqual(expected));

  it('have what default-server says, unless they say otherwise', () => {
    const { servers } = inBackend('default-server check resolvers dns send-proxy\nserver a app:1\nserver b app:2 no-check');
    expect(servers.map(({ checked, resolvedLater, wantsProxyLine }) => [checked, resolvedLater, wantsProxyLine])).toEqual([
      [true, true, true],
      [false, true, true],
    ]);
  });

  it('are in use but for those that are off, and those that stand in', () => {
    expect(inUse(inBackend('server a app:1\nserver b app:2 backup\nserver c app:3 disabled')).map(({ name }) => name)).toEqual(['a']);
    expect(inUse(inBackend('server b app:2 backup\nserver c app:3 disabled')).map(({ name }) => name)).toEqual(['b']);
    expect(inUse(inBackend('disabled\nserver a app:1'))).toEqual([]);
  });
});

describe('sections', () => {
  it('hand down what defaults say, of the last one or of the one that is named', () => {
    const { backends } = parse(
      'defaults one\n mode http\n option httpchk GET /up\ndefaults two\n mode tcp\nbackend a\nbackend b from one\nlisten c\n mode http\n',
    );
    expect(backends.map(({ name, mode, healthCheck }) => [name, mode, healthCheck?.path ?? null])).toEqual([
      ['a', 'tcp', null],
      ['b', 'http', '/up'],
      ['c', 'http', null],
    ]);
  });

  it('are of several files', () => {
    const config = parseHaproxy(
      new Map([
        ['/c/1.cfg', 'defaults\n mode http\n'],
        ['/c/2.cfg', 'listen l\n bind :80\n server a app:1\n'],
      ]),
    );
    expect(config.entries[0]).toMatchObject({ name: 'l', mode: 'http', fallback: 'l' });
    expect(config.backends[0]!.servers[0]!.at).toEqual({ file: '/c/2.cfg', line: 3 });
  });

  it('of other kinds are left alone', () =>
    expect(
      parse('resolvers docker\n nameserver dns 127.0.0.11:53\nuserlist u\n user x password y\npeers p\n server me 127.0.0.1:1\n'),
    ).toEqual({
      entries: [],
      backends: [],
    }));
});

test.each<[string, string, [string, number, boolean][]]>([
  [
    'every address',
    'bind *:80\nbind :81\nbind 0.0.0.0:82',
    [
      ['', 80, false],
      ['', 81, false],
      ['0.0.0.0', 82, false],
    ],
  ],
  [
    'several on one line, with TLS',
    'bind :443,127.0.0.1:444 ssl crt /x.pem',
    [
      ['', 443, true],
      ['127.0.0.1', 444, true],
    ],
  ],
  [
    'IPv6',
    'bind [::]:80 v4v6\nbind :::81',
    [
      ['::', 80, false],
      ['::', 81, false],
    ],
  ],
  [
    'sockets, QUIC, and what wants a line or a certificate first',
    'bind /run/x.sock\nbind unix@/x:1\nbind quic4@:443\nbind :1 accept-proxy\nbind :2 ssl crt x verify required',
    [],
  ],
])('binds: %s', (_, lines, expected) =>
  expect(inEntry(lines).binds.map(({ address, port, tls }) => [address, port, tls])).toEqual(expected),
);

describe('the health check', () => {
  const shown = (lines: string) => {
    const check = inBackend(lines).healthCheck;
    return check && [check.method, check.path, check.version, check.host, check.expects, check.at.line];
  };
  test.each<[string, string, unknown]>([
    ['none', 'option httplog', null],
    ['by itself', 'option httpchk', ['OPTIONS', '/', 'HTTP/1.0', null, null, 3]],
    ['a path', 'option httpchk /up', ['OPTIONS', '/up', 'HTTP/1.0', null, null, 3]],
    ['a method and a path', 'option httpchk GET /up', ['GET', '/up', 'HTTP/1.0', null, null, 3]],
    [
      'the old way to name a host',
      String.raw`option httpchk GET /up HTTP/1.1\r\nHost:\ shop.test`,
      ['GET', '/up', 'HTTP/1.1', 'shop.test', null, 3],
    ],
    [
      'in words',
      'option httpchk\nhttp-check send meth GET uri /up ver HTTP/1.1 hdr Host shop.test\nhttp-check expect status 200',
      ['GET', '/up', 'HTTP/1.1', 'shop.test', 'status 200', 4],
    ],
  ])('%s', (_, lines, expected) => expect(shown(lines)).toEqual(expected));
});

test.each<[string, string, number[]]>([
  ['nothing', 'http-request set-header X y', []],
  ['a page of its own', 'http-request return status 503 content-type text/plain string closed', [503]],
  ['a denial', 'http-request deny deny_status 500 if x\nhttp-request deny if y', [500]],
  ['a monitor that fails', 'monitor fail if x', [503]],
])('answers on purpose: %s', (_, lines, expected) => expect(inBackend(lines).answers).toEqual(expected));

describe('which request goes to whom', () => {
  const CASES: [string, string, string, { host: string; path: string } | null][] = [
    ['the rest', 'default_backend b', 'b', { host: 'localhost', path: '/' }],
    ['a path', 'acl api path_beg /api\nuse_backend b if api\ndefault_backend c', 'b', { host: 'localhost', path: '/api' }],
    ['a path in braces', 'use_backend b if { path_beg -i /api }\ndefault_backend c', 'b', { host: 'localhost', path: '/api' }],
    ['a path by -m', 'acl api path -m beg /api\nuse_backend b if api', 'b', { host: 'localhost', path: '/api' }],
    ['a folder', 'acl s path_dir static\nuse_backend b if s', 'b', { host: 'localhost', path: '/static/' }],
    ['an end', 'acl p path_end .php\nuse_backend b if p', 'b', { host: 'localhost', path: '/x.php' }],
    ['a host', 'acl h hdr(host) -i shop.test\nuse_backend b if h', 'b', { host: 'shop.test', path: '/' }],
    ['a domain', 'acl h hdr_dom(host) shop.test\nuse_backend b if h', 'b', { host: 'shop.test', path: '/' }],
    ['a host and a path', 'acl h hdr(host) a.test\nacl p path_beg /x\nuse_backend b if h p', 'b', { host: 'a.test', path: '/x' }],
    ['either of two', 'acl h hdr(host) a.test\nacl p path_beg /x\nuse_backend b if h || p', 'b', { host: 'localhost', path: '/x' }],
    [
      'lines of one name',
      'acl p path_beg /x\nacl p path_beg /y\nuse_backend c if { path /x }\nuse_backend b if p',
      'b',
      { host: 'localhost', path: '/y' },
    ],
    ['all but one', 'acl p path_beg /x\nuse_backend b unless p\ndefault_backend c', 'b', { host: 'localhost', path: '/' }],
    ['not one', 'acl p path_beg /\nacl h hdr(host) a.test\nuse_backend b if p !h', 'b', { host: 'localhost', path: '/' }],
    ['one that stands behind another', 'use_backend c if { path_beg / }\ndefault_backend b', 'b', null],
    ['one behind what cannot be told', 'use_backend c if { src 10.0.0.0/8 }\ndefault_backend b', 'b', null],
    ['one for a pattern', 'use_backend b if { path_reg ^/x }', 'b', null],
    ['one for a list in a file', 'use_backend b if { path_beg -f /lists/x }', 'b', null],
    ['one that nobody leads to', 'default_backend c', 'b', null],
  ];
  test.each(CASES)('%s', (_, lines, backend, expected) => {
    const entry = inEntry(lines);
    expect(questionFor(entry, backend)).toEqual(expected);
    if (expected) expect(routeFor(entry, expected)).toBe(backend);
  });
});

test.each<[string, string[], string[]]>([
  ['of the image', ['docker-entrypoint.sh', 'haproxy', '-f', '/usr/local/etc/haproxy/haproxy.cfg'], ['/usr/local/etc/haproxy/haproxy.cfg']],
  ['several, and a folder', ['haproxy', '-W', '-db', '-f', '/a.cfg', '-f', '/etc/conf.d/'], ['/a.cfg', '/etc/conf.d']],
  ['in a shell', ['sh', '-c', 'sleep 1 && exec haproxy -f /b.cfg'], ['/b.cfg']],
  ['behind the options', ['haproxy', '-db', '--', '/a.cfg', '/b.cfg'], ['/a.cfg', '/b.cfg']],
  ['none', ['haproxy', '-db'], []],
])('its files: %s', (_, words, expected) => expect(configPathsOf(words)).toEqual(expected));
