import { describe, expect, it } from 'vitest';
import { proxy } from '../../src/checks/proxy.ts';
import type { Fact, HttpFact, InsideFact, Listener, MountView, NginxFact, ScriptView, SocketView } from '../../src/model/facts.ts';
import { serviceNamed, type ContainerState, type ServiceSpec } from '../../src/model/stack.ts';
import { findingsOf, httpTry, logLine, logOf, reasonsOf, stopped } from './attempts.ts';
import { fact, gap, makeConnection, makeService, makeStack, NOW } from './make.ts';

const FRONT_STARTED = '2026-11-23T06:50:00.000Z';

interface Case {
  /** How the proxied request ended. */
  http?: Parameters<typeof httpTry>[0];
  upstream?: { host?: string; port?: number; literal?: boolean };
  errors?: Partial<NginxFact['upstreamErrors'][number]>[];
  app?: { state?: Partial<ContainerState>; createdAt?: string };
  appSpec?: Partial<ServiceSpec>;
  listeners?: Listener[];
  connecting?: { address: string; port: number }[];
  mounts?: MountView[];
  test?: NginxFact['test'];
  modifiedAt?: string;
  log?: [string, string][];
  appHealth?: number;
  extraHosts?: string[];
  called?: string[];
  appLog?: string[];
  inside?: Fact<InsideFact>;
  upstreams?: NginxFact['upstreams'];
  front?: Partial<ContainerState>;
  frontSpec?: Partial<ServiceSpec>;
  /** No configuration was found: it lies in an image that does not run. */
  unseen?: boolean;
  files?: NginxFact['files'];
  /** How a request for another location of the same upstream ended. */
  elsewhere?: Parameters<typeof httpTry>[0];
}

const judge = (given: Case) => {
  const { host = 'api', port = 8000, literal = true } = given.upstream ?? {};
  const front = makeService({
    name: 'front',
    role: 'nginx',
    spec: given.frontSpec ?? {},
    containers: [
      { extraHosts: given.extraHosts ?? [], networks: [{ ip: '172.18.0.2' }], state: { startedAt: FRONT_STARTED, ...given.front } },
    ],
  });
  const api = makeService({
    name: 'api',
    role: 'http',
    spec: given.appSpec ?? {},
    containers: [
      {
        networks: [{ ip: '172.18.0.6' }],
        state: { startedAt: '2026-11-23T06:40:00.000Z' },
        createdAt: '2026-11-23T06:40:00.000Z',
        ...given.app,
      },
    ],
  });
  const other = makeService({ name: 'squatter', role: 'http', containers: [{ networks: [{ ip: '172.18.0.4' }] }] });
  const services = [front, api, other];
  const stack = makeStack({
    services,
    connections: host === 'api' ? [makeConnection({ from: 'front', to: 'api', kind: 'http', host, port, source: 'site.conf:9' })] : [],
  });
  const upstreams = given.upstreams ?? [{ host, port, scheme: 'http', location: '/api/', at: 'site.conf:9', literal }];
  const nginx: NginxFact = {
    container: 'p-front-1',
    files: given.files ?? [{ path: '/etc/nginx/conf.d/site.conf', hostPath: '/src/p/site.conf', modifiedAt: given.modifiedAt ?? null }],
    roots: [],
    listens: [80],
    upstreams,
    test: given.test ?? null,
    proxied:
      upstreams.length > 0
        ? [
            {
              location: '/api/',
              upstream: `${host}:${port}`,
              http: httpTry({ url: 'http://172.18.0.2/api/', ...given.http }),
              ...(given.called ? { called: given.called } : {}),
            },
            ...(given.elsewhere ? [{ location: '/shop/', upstream: `${host}:${port}`, http: httpTry(given.elsewhere) }] : []),
          ]
        : [],
    upstreamErrors: (given.errors ?? []).map((each) => ({
      time: NOW,
      text: 'connect() failed',
      upstream: `http://172.18.0.6:8000/api/`,
      kind: 'refused',
      ...each,
    })),
  };
  const inside: InsideFact = {
    container: 'p-front-1',
    via: 'proc',
    listeners: given.listeners ?? [{ family: 4, address: '0.0.0.0', port: 80 }],
    peers: [],
    connecting: given.connecting ?? [],
    mounts: given.mounts ?? [],
    processes: [],
    processesKnown: false,
  };
  const health: HttpFact = {
    path: '/health',
    pathFrom: 'healthcheck',
    port: 8000,
    tries: [httpTry({ answer: { status: given.appHealth ?? 200 } })],
  };
  const logs = logOf(
    'p-front-1',
    (given.log ?? []).map(([time, text]) => logLine(text, time)),
  );
  return proxy.evaluate({
    service: serviceNamed(stack, 'front')!,
    stack,
    facts: {
      nginx: given.unseen ? gap('no configuration of nginx was found') : fact(nginx),
      logs: fact(logs),
      inside: given.inside ?? fact(inside),
    },
    peers: {
      api: {
        http: fact(health),
        logs: fact(
          logOf(
            'p-api-1',
            (given.appLog ?? []).map((text) => logLine(text, NOW)),
          ),
        ),
      },
    },
    now: NOW,
  });
};

const status = (code: number, body = '<center>nginx/1.29</center>') => ({ answer: { status: code, body } });
const hung = { trial: stopped('protocol', 'timeout', 'ETIMEDOUT', 'connected, but no answer came within 2000 ms') };
const STARTED_LINE: [string, string] = [FRONT_STARTED, '2026/11/23 06:50:00 [notice] 1#1: start worker processes'];

describe('what is found', () => {
  const cases: [string, Case, string[]][] = [
    [
      'a configuration that is not valid',
      {
        test: {
          ok: false,
          text: 'nginx: [emerg] unknown directive "prox_pass" in /etc/nginx/conf.d/site.conf:4\nnginx: configuration file /etc/nginx/nginx.conf test failed',
        },
      },
      ['config-invalid'],
    ],
    [
      'another service answers at the address that the service had once',
      { http: status(404, 'not here'), called: ['172.18.0.4'] },
      ['stale-upstream'],
    ],
    ['even with 200', { http: status(200, 'hello'), called: ['172.18.0.4'] }, ['stale-upstream']],
    ['Vite does not take the host name', { http: status(403, 'Blocked request. This host ("api") is not allowed.') }, ['host-rejected']],
    ['Starlette does not', { http: status(400, 'Invalid host header') }, ['host-rejected']],
    [
      'Django does not, and says so in its log alone',
      {
        http: status(400, '<h1>Bad Request (400)</h1>'),
        appLog: ["Invalid HTTP_HOST header: 'api:8000'. You may need to add 'api' to ALLOWED_HOSTS."],
      },
      ['host-rejected'],
    ],
    [
      'a body was too large a minute ago',
      { log: [['2026-11-23T06:59:00.000Z', '2026/11/23 [error] 7#7: *3 client intended to send too large body: 2097152 bytes']] },
      ['body-too-large'],
    ],
    [
      '502 from an address that the service had once',
      { http: status(502), errors: [{ upstream: 'http://172.18.0.3:8000/api/' }] },
      ['stale-upstream'],
    ],
    [
      '504 from an address that nobody has',
      { http: status(504), errors: [{ upstream: 'http://172.18.0.99:8000/api/', kind: 'timeout-connecting' }] },
      ['stale-upstream'],
    ],
    [
      'the same, of a service that keeps ending and has no address in between',
      {
        http: status(504),
        errors: [{ upstream: 'http://172.18.0.99:8000/api/', kind: 'timeout-connecting' }],
        app: { state: { loops: true } },
      },
      ['gateway-timeout'],
    ],
    [
      'no answer yet, from a service that is well and younger than nginx',
      { http: hung, app: { createdAt: '2026-11-23T06:55:00.000Z', state: { startedAt: '2026-11-23T06:55:00.000Z' } } },
      ['stale-upstream'],
    ],
    [
      'the same, with nginx reloaded since',
      {
        http: hung,
        app: { createdAt: '2026-11-23T06:55:00.000Z', state: { startedAt: '2026-11-23T06:55:00.000Z' } },
        log: [['2026-11-23T06:56:00.000Z', '[notice] 1#1: signal 1 (SIGHUP) received from 40, reconfiguring']],
      },
      ['gateway-timeout'],
    ],
    [
      'the same, with a service that is ill itself',
      { http: hung, app: { createdAt: '2026-11-23T06:55:00.000Z', state: { startedAt: '2026-11-23T06:55:00.000Z' } }, appHealth: 503 },
      ['gateway-timeout'],
    ],
    ['502 from the current address', { http: status(502), errors: [{}] }, ['bad-gateway']],
    ['502 with no error line', { http: status(502) }, ['bad-gateway']],
    ['504 from the current address', { http: status(504), errors: [{ kind: 'timeout-reading' }] }, ['gateway-timeout']],
    ['no answer within our time', { http: hung }, ['gateway-timeout']],
    ["the app's own error", { http: status(500, '{"detail":"x"}') }, ['upstream-error']],
    ['the service does not run', { http: status(502), app: { state: { status: 'exited', exitCode: 1 } } }, ['upstream-stopped']],
    [
      'the service is off by its profile (FA-5)',
      { http: status(502), app: { state: { status: 'exited' } }, appSpec: { active: false, profiles: ['extra'] } },
      ['upstream-stopped:warn'],
    ],
    ['loopback, where nothing listens', { http: status(502), upstream: { host: '127.0.0.1' } }, ['upstream-loopback']],
    [
      'loopback, asked for by nobody yet',
      { upstreams: [{ host: 'localhost', port: 9000, scheme: 'http', location: '/ws/', at: 'site.conf:20', literal: true }], http: {} },
      ['upstream-loopback'],
    ],
    [
      'a name of another stack, which resolves, and nothing listens there',
      {
        http: status(502),
        upstream: { host: 'elsewhere' },
        errors: [
          { kind: 'not-found', upstream: null, text: 'elsewhere could not be resolved (3: Host not found)', time: null },
          { kind: 'refused', upstream: 'http://172.18.0.99:8000/', text: 'connect() failed (111: Connection refused)', time: null },
        ],
      },
      ['bad-gateway'],
    ],
    [
      'a certificate whose time is over',
      { http: { certificate: { name: 'shop.localhost', from: '2025-01-01T00:00:00.000Z', to: '2026-01-01T00:00:00.000Z' } } },
      ['certificate-expired'],
    ],
    [
      'a certificate whose time has not come',
      { http: { certificate: { name: '', from: '2027-01-01T00:00:00.000Z', to: '2028-01-01T00:00:00.000Z' } } },
      ['certificate-expired'],
    ],
    ['a name that nothing answers to', { http: status(502), upstream: { host: 'backendd' } }, ['upstream-not-found']],
    [
      'a name that nginx does not find',
      {
        http: status(502),
        upstream: { host: 'api.internal' },
        errors: [{ kind: 'not-found', upstream: null, text: 'api.internal could not be resolved (3: Host not found)' }],
      },
      ['upstream-not-found'],
    ],
    ['nginx refuses', { http: { trial: stopped('tcp', 'refused', 'ECONNREFUSED') } }, ['no-answer']],
    [
      'a file changed after the start, nothing reloaded',
      { modifiedAt: '2026-11-23T06:55:00.000Z', test: { ok: true, text: '' }, log: [STARTED_LINE] },
      ['config-not-reloaded'],
    ],
    [
      'a file that was replaced under its mount',
      { mounts: [{ destination: '/etc/nginx/conf.d/site.conf', root: '/src/p/site.conf', deleted: true, fsType: 'ext4', readOnly: true }] },
      ['config-not-reloaded'],
    ],
  ];
  it.each(cases)('%s', (_, given, expected) => expect(reasonsOf(judge(given))).toEqual(expected));
});

describe('a path that waits for news', () => {
  const young = { createdAt: '2026-11-23T06:55:00.000Z', state: { startedAt: '2026-11-23T06:55:00.000Z' } };
  it.each<[string, Case, string]>([
    ['of an app that answers elsewhere', { elsewhere: status(200, 'ok') }, 'gateway-timeout:warn'],
    ['of one that knows no page elsewhere', { elsewhere: status(404, 'no') }, 'gateway-timeout:warn'],
    ['of one that is younger than nginx', { elsewhere: status(200, 'ok'), app: young }, 'gateway-timeout:warn'],
    ['where nginx itself redirects elsewhere', { elsewhere: status(301) }, 'gateway-timeout:fail'],
    ['of one that is not well by itself', { elsewhere: status(200, 'ok'), appHealth: 503 }, 'gateway-timeout:fail'],
    ['where the app is silent elsewhere, too', { elsewhere: hung }, 'gateway-timeout:fail'],
    ['where nginx gave up', { http: status(504), elsewhere: status(200, 'ok') }, 'gateway-timeout:fail'],
  ])('%s', (_, given, expected) => {
    const [finding] = findingsOf(judge({ http: hung, ...given }));
    expect(`${finding?.reason}:${finding?.severity ?? 'fail'}`).toBe(expected);
  });
});

describe('the host name that an app turns down', () => {
  const bad = (host: string) => `Invalid HTTP_HOST header: '${host}'. You may need to add it to ALLOWED_HOSTS.`;
  const cases: [string, string[], string][] = [
    ['is quoted', [bad('api')], 'the host name "api" that'],
    ['is quoted where all lines have it', [bad('api'), bad('api')], 'the host name "api" that'],
    ['is left out where another was turned down beside it', [bad('api'), bad('shop.example.com')], 'the host name that'],
  ];
  it.each(cases)('%s', (_, appLog, words) => {
    const verdict = judge({ http: status(400, '<h1>Bad Request (400)</h1>'), appLog });
    expect(findingsOf(verdict)[0]?.message).toContain(words);
  });
});

describe('nginx does not run', () => {
  const ended: Partial<ContainerState> = { status: 'exited', exitCode: 1 };
  const emerg = (text: string): [string, string] => [FRONT_STARTED, `2026/11/23 06:50:00 [emerg] 1#1: ${text}`];
  const notFound = (host: string) => emerg(`host not found in upstream "${host}" in /etc/nginx/conf.d/site.conf:9`);
  const directive = emerg('unknown directive "prox_pass" in /etc/nginx/conf.d/site.conf:4');
  const cases: [string, Case, string[]][] = [
    ['a directive that is none', { front: ended, log: [directive] }, ['config-invalid']],
    [
      'a directive that is none, between two starts',
      { front: { status: 'restarting', exitCode: 1 }, log: [directive] },
      ['config-invalid'],
    ],
    ['a directive that is none, in a configuration of the image', { front: ended, log: [directive], unseen: true }, ['config-invalid']],
    ['a name that nobody has', { front: ended, log: [notFound('backendd')] }, ['upstream-not-found']],
    ['a name that nobody has, with its port', { front: ended, log: [notFound('backendd:8000')] }, ['upstream-not-found']],
    ['the name of a service, which does not run either', { front: ended, log: [notFound('api')] }, ['skip']],
    ['the name of a service, with its port', { front: ended, log: [notFound('api:8000')] }, ['skip']],
    ['the name of a container', { front: ended, log: [notFound('p-api-1')] }, ['skip']],
    [
      'a directive that is none, caught between two ends',
      { front: { loops: true, restartCount: 3 }, log: [directive] },
      ['config-invalid'],
    ],
    ['two mistakes in turn: the last is the one', { front: ended, log: [directive, notFound('backendd')] }, ['upstream-not-found']],
    [
      'a port that is taken is no mistake in a file',
      { front: ended, log: [emerg('bind() to 0.0.0.0:80 failed (98: Address already in use)')] },
      ['skip'],
    ],
    ['no word on its configuration', { front: ended, log: [STARTED_LINE] }, ['skip']],
    ['no log', { front: ended }, ['skip']],
    ['no log of use, and no configuration', { front: ended, log: [STARTED_LINE], unseen: true }, ['cannotLook']],
    ['off by its profile (FA-5)', { front: ended, frontSpec: { active: false, profiles: ['extra'] }, log: [directive] }, ['skip']],
    [
      'a mistake that a reload found, and stopped later by a person',
      { front: { status: 'exited', exitCode: 0 }, log: [STARTED_LINE, directive] },
      ['skip'],
    ],
    ['the same, stopped by a signal', { front: { status: 'exited', exitCode: 137 }, log: [STARTED_LINE, directive] }, ['skip']],
    ['the same, and paused', { front: { status: 'paused' }, log: [STARTED_LINE, directive] }, ['skip']],
    ['a mistake that a reload found, and nginx runs on', { log: [STARTED_LINE, directive] }, []],
  ];
  it.each(cases)('%s', (_, given, expected) => expect(reasonsOf(judge(given))).toEqual(expected));

  it.each([
    [
      'cannot load certificate "/tls/site.crt": BIO_new_file() failed (SSL: error:80000002:system library::No such file or directory:calling fopen(/tls/site.crt, r))',
      'its certificate /tls/site.crt is not there',
    ],
    [
      'SSL_CTX_use_PrivateKey("/tls/site.key") failed (SSL: error:05800074:x509 certificate routines::key values mismatch)',
      'the key /tls/site.key does not belong to its certificate',
    ],
  ])('says of %s what it is', (text, expected) => {
    expect(findingsOf(judge({ front: ended, log: [emerg(text)] }))[0]?.message).toContain(expected);
  });

  it('quotes the line, and names the file and the host', () => {
    const [invalid] = findingsOf(judge({ front: ended, log: [directive] }));
    expect(invalid?.message).toContain('unknown directive "prox_pass"');
    expect(invalid?.evidence).toEqual([{ source: 'front log', text: directive[1] }]);
    expect(invalid?.values).toEqual({ file: '/etc/nginx/conf.d/site.conf:4' });
    const [unknown] = findingsOf(judge({ front: ended, log: [notFound('backendd:8000')] }));
    expect(unknown?.message).toContain('proxies to backendd,');
    expect(unknown?.values).toEqual({ upstream: 'backendd', host: 'backendd', file: '/etc/nginx/conf.d/site.conf:9' });
  });
});

describe('what is healthy', () => {
  const cases: [string, Case][] = [
    [
      'a certificate that is valid, self-signed (FA-28)',
      { http: { certificate: { name: 'shop.localhost', from: '2026-01-01T00:00:00.000Z', to: '2027-01-01T00:00:00.000Z' } } },
    ],
    ['the service kept its address', { http: status(404, 'no'), called: ['172.18.0.6'] }],
    ['nobody was seen to be called', { http: status(404, 'no'), called: [] }],
    ['both the old address and the new one, just after a reload', { called: ['172.18.0.4', '172.18.0.6'] }],
    ['a login that is wanted (FA-27)', { http: status(403, 'Forbidden') }],
    ['a request that the app does not like', { http: status(400, '{"detail":"bad"}') }],
    [
      'a bad request, and an old complaint of Django of another',
      { http: status(400, '{"detail":"bad"}'), appLog: ["Invalid HTTP_HOST header: 'api:8000'."] },
    ],
    [
      'a body that was too large yesterday',
      { log: [['2026-11-22T06:59:00.000Z', '[error] 7#7: *3 client intended to send too large body: 2097152 bytes']] },
    ],
    ['200', {}],
    ...[301, 401, 404, 405, 422].map((code): [string, Case] => [`${code} of the app (FA-27)`, { http: status(code) }]),
    [
      'errors from before the last start of the service (FA-35)',
      { errors: [{ upstream: 'http://172.18.0.3:8000/', time: '2026-11-23T06:30:00.000Z' }] },
    ],
    ['errors of an address that is no more, while all is answered', { errors: [{ upstream: 'http://172.18.0.3:8000/' }] }],
    [
      'loopback, where a server of the same container listens',
      { upstream: { host: '127.0.0.1', port: 9000 }, listeners: [{ family: 4, address: '127.0.0.1', port: 9000 }] },
    ],
    ['an extra host', { upstream: { host: 'host.docker.internal' }, extraHosts: ['host.docker.internal:host-gateway'] }],
    ["somebody else's server (FA-37)", { upstream: { host: 'api.example.com', port: 443 } }],
    [
      'a file changed and reloaded',
      {
        modifiedAt: '2026-11-23T06:55:00.000Z',
        test: { ok: true, text: '' },
        log: [STARTED_LINE, ['2026-11-23T06:56:00.000Z', '[notice] 1#1: signal 1 (SIGHUP) received from 40, reconfiguring']],
      },
    ],
    ['a file changed, and a log that does not tell of starts', { modifiedAt: '2026-11-23T06:55:00.000Z', test: { ok: true, text: '' } }],
    [
      'a test that may not write the pid file',
      { test: { ok: false, text: 'nginx: [emerg] open() "/run/nginx.pid" failed (13: Permission denied)' } },
    ],
  ];
  it.each(cases)('%s', (_, given) => expect(reasonsOf(judge(given))).toEqual([]));
});

it('an old error does not make a current 502 a stale address', () => {
  expect(
    reasonsOf(judge({ http: status(502), errors: [{ upstream: 'http://172.18.0.3:8000/', time: '2026-11-23T06:30:00.000Z' }] })),
  ).toEqual(['bad-gateway']);
});

it('the address of another server of the same group is not stale', () => {
  const given = { http: status(502), upstream: { host: 'api:8000, squatter' }, errors: [{ upstream: 'http://172.18.0.4:8000/api/' }] };
  expect(reasonsOf(judge(given))).toEqual(['bad-gateway']);
});

describe('a connection that nginx is still waiting for', () => {
  const cases: [string, string, string[]][] = [
    ['to an address that nobody has', '172.18.0.99', ['stale-upstream']],
    ['to the current one', '172.18.0.6', ['gateway-timeout']],
  ];
  it.each(cases)('%s', (_, address, expected) =>
    expect(reasonsOf(judge({ http: hung, appHealth: 503, connecting: [{ address, port: 8000 }] }))).toEqual(expected),
  );
});

describe('an error line from before the run', () => {
  const earlier = [{ upstream: 'http://172.18.0.4:8000/api/', time: '2026-11-23T06:58:00.000Z' }];
  const reload: [string, string] = ['2026-11-23T06:59:00.000Z', '[notice] 1#1: signal 1 (SIGHUP) received from 40, reconfiguring'];
  const cases: [string, Case, string[]][] = [
    ['does not count for a service that hangs by itself', { http: hung, errors: earlier, appHealth: 503 }, ['gateway-timeout']],
    ['nor once nginx was reloaded', { http: hung, errors: earlier, log: [reload] }, ['gateway-timeout']],
    ['counts where the service is well and nginx still waits', { http: hung, errors: earlier }, ['stale-upstream']],
  ];
  it.each(cases)('%s', (_, given, expected) => expect(reasonsOf(judge(given))).toEqual(expected));
});

it('a name in a variable is never stale', () => {
  expect(reasonsOf(judge({ http: status(502), upstream: { literal: false }, errors: [{ upstream: 'http://172.18.0.3:8000/' }] }))).toEqual([
    'bad-gateway',
  ]);
});

it('shows both addresses and both starts of a stale upstream, and who has the old one now', () => {
  const [finding] = findingsOf(
    judge({
      http: status(502),
      errors: [
        {
          upstream: 'http://172.18.0.4:8000/api/',
          text: 'connect() failed (111: Connection refused) … upstream: "http://172.18.0.4:8000/api/"',
        },
      ],
    }),
  );
  expect(finding?.message).toBe(
    'front still sends to 172.18.0.4 for api, which is now 172.18.0.6; 172.18.0.4 now belongs to squatter (/api/)',
  );
  expect(finding?.evidence.map(({ source }) => source)).toEqual([
    'HTTP http://172.18.0.2/api/',
    'front log',
    'addresses of api',
    'docker inspect',
  ]);
  expect(finding?.values).toEqual({ upstream: 'api:8000', target: 'api', host: 'api', port: '8000' });
});

it('suspects the service behind a 502, and what the proxy itself sees on the way to it', () => {
  const own = { service: 'front', check: 'network' };
  expect(findingsOf(judge({ http: status(502), errors: [{}] }))[0]?.suspects).toEqual([{ service: 'api' }, own]);
});

describe('does not apply, or could not look', () => {
  const cases: [string, Case, string[]][] = [
    ['proxies to nothing', { upstreams: [] }, ['skip']],
    ['no configuration', { upstreams: [], files: [] }, ['cannotLook']],
    ['no way to ask (FA-21)', { http: { trial: stopped('tcp', 'no-tool') } }, ['cannotLook']],
  ];
  it.each(cases)('%s', (_, given, expected) => expect(reasonsOf(judge(given))).toEqual(expected));
  it('a fact that is missing', () => {
    const service = makeService({ role: 'nginx' });
    const facts = { nginx: gap('no time left'), logs: gap('x'), inside: gap('x') };
    expect(proxy.evaluate({ service, stack: makeStack(), facts, peers: {}, now: NOW })).toEqual({ cannotLook: 'no time left' });
  });
});

describe('through a socket file', () => {
  const volume = (source: string, destination: string) => ({ type: 'volume' as const, name: source, source, destination, readOnly: false });
  const SOCKET = '/run/app/api.sock';
  const ERRORS = {
    missing: 'connect() to unix:/run/app/api.sock failed (2: No such file or directory) while connecting to upstream',
    forbidden: 'connect() to unix:/run/app/api.sock failed (13: Permission denied) while connecting to upstream',
    refused: 'connect() to unix:/run/app/api.sock failed (111: Connection refused) while connecting to upstream',
    full: 'connect() to unix:/run/app/api.sock failed (11: Resource temporarily unavailable) while connecting to upstream',
  };

  interface SocketGiven {
    http?: Parameters<typeof httpTry>[0];
    error?: keyof typeof ERRORS;
    view?: Partial<SocketView>;
    /** What the app listens on; `null`: nobody could look into it. */
    listens?: { sockets: string[]; ports?: number[] } | null;
    front?: ReturnType<typeof volume>[];
    app?: ReturnType<typeof volume>[];
    command?: string[];
    state?: Partial<ContainerState>;
    /** The app is not known to be behind the socket. */
    unknown?: boolean;
    published?: boolean;
    frontCommand?: string[];
  }

  const look = (given: SocketGiven) => {
    const { front = [volume('p_run', '/run/app')], app = [volume('p_run', '/sockets')], error, listens = { sockets: [] } } = given;
    const upstream = `unix:${SOCKET}`;
    const services = [
      makeService({ name: 'front', role: 'nginx', containers: [{ mounts: front, command: given.frontCommand ?? ['nginx'] }] }),
      makeService({
        name: 'api',
        role: 'http',
        containers: [
          {
            mounts: app,
            command: given.command ?? ['./start.sh'],
            state: given.state ?? {},
            portBindings: given.published ? [{ containerPort: 80, protocol: 'tcp', hostIp: '', hostPort: 8080 }] : [],
          },
        ],
      }),
    ];
    const to = makeConnection({ from: 'front', to: 'api', kind: 'socket', host: upstream, port: 0, source: 'site.conf:9' });
    const stack = makeStack({ services, connections: given.unknown ? [] : [to] });
    const view: SocketView = {
      path: SOCKET,
      file: error === 'refused' || error === 'forbidden' || error === 'full' ? 'socket' : 'missing',
      isOwn: false,
      listeners: listens ? [{ service: 'api', ports: [], ...listens }] : [],
      ...given.view,
    };
    const nginx: NginxFact = {
      container: 'p-front-1',
      files: [{ path: '/etc/nginx/nginx.conf', hostPath: null, modifiedAt: null }],
      roots: [],
      listens: [80],
      upstreams: [{ host: upstream, port: 0, scheme: 'http', location: '/', at: 'site.conf:9', literal: true }],
      test: null,
      proxied: [{ location: '/', upstream, http: httpTry({ url: 'http://172.18.0.2/', ...(given.http ?? status(502)) }) }],
      upstreamErrors: error ? [{ time: NOW, text: ERRORS[error], upstream: `http://unix:${SOCKET}:/`, kind: error }] : [],
      sockets: [view],
    };
    return proxy.evaluate({
      service: serviceNamed(stack, 'front')!,
      stack,
      facts: { nginx: fact(nginx), logs: fact(logOf('p-front-1', [])), inside: gap('not looked') },
      peers: {},
      now: NOW,
    });
  };

  it.each<[string, SocketGiven, string[]]>([
    ['it answers', { http: status(200) }, []],
    ['the app says that nothing is there', { http: status(404) }, []],
    ['the app fails', { http: status(500, 'x') }, ['upstream-error']],
    ['the app does not answer in time', { http: hung, error: undefined }, ['gateway-timeout']],
    ['the app does not run', { error: 'refused', state: { status: 'exited' } }, ['upstream-stopped']],
    [
      'the app listens on another file of the volume',
      { error: 'missing', listens: { sockets: ['/sockets/gunicorn.sock'] } },
      ['socket-elsewhere'],
    ],
    ['the same, without a log', { listens: { sockets: ['/sockets/gunicorn.sock'] } }, ['socket-elsewhere']],
    ['the app listens beside the volume', { error: 'missing', listens: { sockets: ['/tmp/api.sock'] } }, ['socket-elsewhere']],
    ['the app listens on a port', { error: 'missing', listens: { sockets: [], ports: [8000] } }, ['socket-elsewhere']],
    ['a file that was left, and the app on a port', { error: 'refused', listens: { sockets: [], ports: [8000] } }, ['socket-elsewhere']],
    [
      'the app is told the right path, and listens on a port of its debugger',
      { error: 'missing', listens: { sockets: [], ports: [5678] }, command: ['gunicorn', '--bind', 'unix:/sockets/api.sock'] },
      ['bad-gateway'],
    ],
    [
      'the app has only the socket that it is steered by',
      { error: 'missing', listens: { sockets: ['/root/.gunicorn/gunicorn.ctl'] } },
      ['bad-gateway'],
    ],
    ['nginx has no volume', { error: 'missing', front: [], listens: { sockets: ['/sockets/api.sock'] } }, ['socket-not-shared']],
    [
      'nobody knew whose it is',
      { error: 'missing', front: [], listens: { sockets: ['/sockets/api.sock'] }, unknown: true },
      ['socket-not-shared'],
    ],
    [
      'the app has another volume',
      { error: 'missing', app: [volume('p_other', '/run/app')], listens: { sockets: ['/run/app/api.sock'] } },
      ['socket-not-shared'],
    ],
    [
      'the app has none, is told the path of nginx, and nobody can look into it',
      { error: 'missing', app: [], listens: null, command: ['uvicorn', '--uds', SOCKET] },
      ['socket-not-shared'],
    ],
    ['the app may still begin', { error: 'missing', state: { startedAt: '2026-11-23T06:59:58.000Z' } }, ['bad-gateway:warn']],
    ['the app hangs before it listens', { error: 'missing' }, ['bad-gateway']],
    ['nobody can look', { error: 'missing', view: { file: null }, listens: null }, ['bad-gateway']],
    ['its queue is full', { error: 'full', listens: { sockets: ['/sockets/api.sock'] } }, ['bad-gateway']],
    ['nginx may not use it', { error: 'forbidden' }, ['socket-forbidden']],
    [
      'its mode says so, and no log',
      { view: { file: 'socket', closed: { path: SOCKET, mode: '700', uid: 0, worker: 101 } } },
      ['socket-forbidden'],
    ],
    [
      'its mode says so, and the log that nobody listened',
      { error: 'refused', view: { closed: { path: SOCKET, mode: '700', uid: 0, worker: 101 } } },
      ['bad-gateway'],
    ],
    [
      "nginx' own container listens on it, and breaks off",
      { front: [], unknown: true, view: { file: 'socket', isOwn: true }, listens: { sockets: ['/sockets/api.sock'] } },
      ['bad-gateway'],
    ],
    [
      'the same, while another container has one of its own at that path',
      {
        error: 'missing',
        front: [],
        unknown: true,
        frontCommand: ['sh', '-c', 'php-fpm -D && exec nginx'],
        app: [],
        listens: { sockets: [SOCKET] },
      },
      ['bad-gateway'],
    ],
    [
      'the same, where that other one is reached by a port of its own',
      { error: 'missing', front: [], unknown: true, published: true, app: [], listens: { sockets: [SOCKET] } },
      ['bad-gateway'],
    ],
    ["the program of nginx' own container is gone", { error: 'missing', front: [], unknown: true, listens: null }, ['bad-gateway']],
  ])('%s', (_, given, expected) => expect(reasonsOf(look(given))).toEqual(expected));

  it('says where the two differ, and points at the app', () => {
    expect(findingsOf(look({ error: 'missing', listens: { sockets: ['/sockets/gunicorn.sock'] } }))[0]).toMatchObject({
      message: 'front passes requests to the socket /run/app/api.sock, and api listens on /sockets/gunicorn.sock (/)',
      evidence: [
        { text: 'status 502' },
        { text: ERRORS.missing },
        { text: 'listening: /sockets/gunicorn.sock' },
        { text: '/run/app/api.sock of front is /sockets/api.sock there' },
      ],
      values: { target: 'api', path: SOCKET, upstream: `unix:${SOCKET}` },
    });
    expect(findingsOf(look({ error: 'missing' }))[0]).toMatchObject({
      message: 'front answers 502: api has made no socket /run/app/api.sock (/)',
      suspects: [{ service: 'api' }, { service: 'front', check: 'network' }],
    });
    expect(findingsOf(look({ error: 'missing', front: [], listens: { sockets: ['/sockets/api.sock'] } }))[0]).toMatchObject({
      message: 'front does not have the socket of api: no volume holds both /run/app of front and /sockets of api (/)',
      evidence: [
        {},
        {},
        {},
        {
          source: 'mounts',
          text: '/run/app/api.sock of front lies in no mount; /sockets/api.sock of api lies in volume p_run at /sockets',
        },
      ],
    });
    expect(
      findingsOf(look({ error: 'forbidden', view: { closed: { path: '/run/app', mode: '700', uid: 0, worker: 101 } } }))[0]?.message,
    ).toBe('the workers of front may not use the socket /run/app/api.sock: they are user 101, and /run/app of user 0 has the mode 700 (/)');
  });
});

describe('a script that a FastCGI server does not find', () => {
  const FILE = '/var/www/public/index.php';
  const UNKNOWN = 'FastCGI sent in stderr: "Primary script unknown" while reading response header from upstream';
  const bind = (source: string, destination: string) => ({ type: 'bind' as const, name: null, source, destination, readOnly: false });

  interface ScriptGiven {
    http?: Parameters<typeof httpTry>[0];
    view?: Partial<ScriptView>;
    script?: { file?: string; isResolved?: boolean };
    logged?: boolean;
    /** Where PHP has the code. */
    code?: string;
    looked?: boolean;
  }
  const look = (given: ScriptGiven) => {
    const services = [
      makeService({ name: 'front', role: 'nginx', containers: [{ mounts: [bind('/src/p', '/var/www')] }] }),
      makeService({ name: 'php', role: 'unknown', containers: [{ mounts: given.code ? [bind('/src/p', given.code)] : [] }] }),
    ];
    const stack = makeStack({
      services,
      connections: [makeConnection({ from: 'front', to: 'php', kind: 'tcp', host: 'php', port: 9000 })],
    });
    const script = { file: FILE, root: '/var/www/public', page: FILE, isResolved: false, ...given.script };
    const view: ScriptView = {
      file: script.file,
      service: 'php',
      inNginx: 'file',
      rootInNginx: 'folder',
      inService: 'missing',
      rootInService: 'missing',
      ...given.view,
    };
    const nginx: NginxFact = {
      container: 'p-front-1',
      files: [{ path: '/etc/nginx/nginx.conf', hostPath: null, modifiedAt: null }],
      roots: [],
      listens: [80],
      upstreams: [{ host: 'php', port: 9000, scheme: 'fastcgi', location: '~ \\.php$', at: 'site.conf:9', literal: true }],
      test: null,
      proxied: [
        {
          location: '~ \\.php$',
          upstream: 'php:9000',
          script,
          http: httpTry({ url: 'http://172.18.0.2/index.php', ...(given.http ?? status(404, 'File not found.\n')) }),
        },
      ],
      upstreamErrors:
        given.logged === false ? [] : [{ time: NOW, text: UNKNOWN, upstream: 'fastcgi://172.18.0.6:9000', kind: 'no-script' }],
      ...(given.looked === false ? {} : { scripts: [view] }),
    };
    return proxy.evaluate({
      service: serviceNamed(stack, 'front')!,
      stack,
      facts: { nginx: fact(nginx), logs: fact(logOf('p-front-1', [])), inside: gap('not looked') },
      peers: {},
      now: NOW,
    });
  };

  it.each<[string, ScriptGiven, string[]]>([
    ['nginx has it, PHP does not have the folder', {}, ['script-not-found']],
    ['nginx has it, PHP has the folder without it', { view: { rootInService: 'folder' } }, ['script-not-found']],
    ['neither has it, and PHP does not even have the folder', { view: { inNginx: 'missing' } }, ['script-not-found']],
    ['it is known by the answer alone', { logged: false }, ['script-not-found']],
    ['it is known by the log alone', { http: status(404, '<h1>Page not found</h1>') }, ['script-not-found']],
    [
      'nginx cannot resolve the folder',
      { script: { isResolved: true }, view: { inNginx: 'missing', rootInNginx: 'missing', inService: 'file', rootInService: 'folder' } },
      ['script-not-found'],
    ],
    ['neither has it', { view: { inNginx: 'missing', rootInService: 'folder' } }, []],
    ['both have it', { view: { inService: 'file', rootInService: 'folder' } }, []],
    ['a 404 of the app, which nobody explains in a log', { http: status(404, '{"error":"not found"}'), logged: false }, []],
    ['it answers', { http: status(200), logged: false }, []],
    ['nobody could look into PHP', { view: { inService: null, rootInService: null } }, []],
    ['nobody looked', { looked: false }, []],
  ])('%s', (_, given, expected) => expect(reasonsOf(look(given))).toEqual(expected));

  it('says where the file is, and points at what PHP mounts', () => {
    expect(findingsOf(look({ code: '/app' }))[0]).toMatchObject({
      message: `php does not have ${FILE}, which front tells it to run; the file of that page is /app/public/index.php in php (~ \\.php$)`,
      evidence: [{ text: 'status 404' }, { text: UNKNOWN }, { text: 'there is no folder /var/www/public' }, { text: `${FILE} is there` }],
      suspects: [
        { service: 'php', check: 'mounts' },
        { service: 'php', check: 'compose' },
        { service: 'php', check: 'image' },
        { service: 'front', check: 'static-files' },
      ],
      values: { target: 'php', path: FILE },
    });
  });
});
