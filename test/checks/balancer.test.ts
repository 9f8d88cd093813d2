import { describe, expect, it } from 'vitest';
import { balancer } from '../../src/checks/balancer.ts';
import type { Fact, HaproxyAsked, HaproxyFact, HaproxyUpstream, InsideFact, ReachFact } from '../../src/model/facts.ts';
import type { ContainerState, ServiceSpec } from '../../src/model/stack.ts';
import { findingsOf, httpTry, listening, logLine, logOf, OK, reasonsOf, stopped } from './attempts.ts';
import { ask, fact, gap, makeConnection, makeService, makeStack } from './make.ts';

const EDGE_STARTED = '2026-11-23T06:50:00.000Z';
const LATER = '2026-11-23T06:55:00.000Z';
const NO_SERVER = '<html><body><h1>503 Service Unavailable</h1>\nNo server is available to handle this request.\n</body></html>\n';
const PAGES: Record<number, string> = {
  502: '<html><body><h1>502 Bad Gateway</h1>\nThe server returned an invalid or incomplete response.\n</body></html>\n',
  503: NO_SERVER,
  504: "<html><body><h1>504 Gateway Time-out</h1>\nThe server didn't respond in time.\n</body></html>\n",
};

interface Case {
  /** What came through HAProxy. */
  http?: Parameters<typeof httpTry>[0];
  asked?: Partial<HaproxyAsked>;
  /** What the app says to the same question; absent: nobody could ask. */
  direct?: number;
  check?: Partial<HaproxyAsked['checks'][number]>;
  upstream?: Partial<HaproxyUpstream>;
  upstreams?: HaproxyUpstream[];
  app?: { state?: Partial<ContainerState>; networks?: { network?: string; ip?: string }[] };
  appSpec?: Partial<ServiceSpec>;
  edge?: Partial<ContainerState>;
  edgeSpec?: Partial<ServiceSpec>;
  extraHosts?: string[];
  inside?: Fact<InsideFact>;
  connecting?: { address: string; port: number }[];
  reach?: ReachFact['targets'][number]['trial'];
  /** A line may begin with its time. */
  log?: string[];
  taken?: Partial<HaproxyFact['taken'][number]>;
  files?: HaproxyFact['files'];
  unseen?: boolean;
  /** The backend is behind another entry, too. */
  twice?: boolean;
}

const judge = (given: Case) => {
  const edge = makeService({
    name: 'edge',
    role: 'haproxy',
    spec: given.edgeSpec ?? {},
    containers: [
      { extraHosts: given.extraHosts ?? [], networks: [{ ip: '172.18.0.2' }], state: { startedAt: EDGE_STARTED, ...given.edge } },
    ],
  });
  const api = makeService({
    name: 'api',
    role: 'http',
    spec: given.appSpec ?? {},
    containers: [
      { networks: given.app?.networks ?? [{ ip: '172.18.0.6' }], state: { startedAt: '2026-11-23T06:40:00.000Z', ...given.app?.state } },
    ],
  });
  const other = makeService({ name: 'squatter', role: 'http', containers: [{ networks: [{ ip: '172.18.0.4' }] }] });
  const upstream: HaproxyUpstream = {
    host: 'api',
    port: 8000,
    scheme: 'http',
    tls: false,
    backend: 'be_api',
    server: 'api1',
    at: 'haproxy.cfg:20',
    literal: true,
    ...given.upstream,
  };
  const http = httpTry({ url: 'http://172.18.0.2/api', ...given.http });
  const asked: HaproxyAsked = {
    entry: 'web',
    backend: 'be_api',
    route: '/api',
    http,
    onPurpose: false,
    direct:
      given.direct === undefined
        ? []
        : [
            {
              server: 'api1',
              host: 'api',
              port: 8000,
              http: httpTry({ url: 'http://172.18.0.6:8000/api', answer: { status: given.direct } }),
            },
          ],
    checks: given.check
      ? [
          {
            server: 'api1',
            request: 'GET /health HTTP/1.0',
            hasHost: false,
            expects: null,
            at: 'haproxy.cfg:18',
            trial: OK,
            status: 200,
            ...given.check,
          },
        ]
      : [],
    ...given.asked,
  };
  const haproxy: HaproxyFact = {
    container: 'p-edge-1',
    files: given.files ?? [{ path: '/usr/local/etc/haproxy/haproxy.cfg', hostPath: '/src/p/lb/haproxy.cfg' }],
    upstreams: given.upstreams ?? [upstream],
    asked: given.taken ? [] : given.twice ? [asked, { ...asked, entry: 'web-tls', route: 'shop.test/api' }] : [asked],
    taken: given.taken ? [{ entry: 'pg', port: 5432, backend: 'be_api', trial: OK, ...given.taken }] : [],
  };
  const seen = listening([80]);
  const inside = given.inside ?? (seen.ok ? fact({ ...seen.value, connecting: given.connecting ?? [] }) : seen);
  return ask(balancer, {
    stack: makeStack({
      services: [edge, api, other],
      connections: [makeConnection({ from: 'edge', kind: 'http', to: 'api', host: 'api', port: 8000 })],
    }),
    service: 'edge',
    facts: {
      haproxy: given.unseen ? gap('could not be read') : fact(haproxy),
      logs: fact(logOf('p-edge-1', (given.log ?? []).map(lineOf))),
      inside,
      ...(given.reach
        ? {
            reach: fact({
              container: 'p-edge-1',
              targets: [
                {
                  host: 'api',
                  port: 8000,
                  addresses: ['172.18.0.6'],
                  trial: given.reach,
                  view: { kind: 'inside', service: 'edge', network: null },
                },
              ],
            }),
          }
        : {}),
    },
  });
};

const status = (code: number, body = PAGES[code] ?? '') => ({ answer: { status: code, body } });
const DOWN4 = 'Server be_api/api1 is DOWN, reason: Layer4 timeout, check duration: 1001ms. 0 active and 0 backup servers left.';
const DOWN7 = 'Server be_api/api1 is DOWN, reason: Layer7 wrong status, code: 400, info: "Bad Request", check duration: 1ms.';
const RELOAD = (time: string) => `2026-11-23T${time}.000Z [NOTICE]   (1) : Reloading HAProxy`;
const lineOf = (text: string) => {
  const [, time, said] = /^(2026\S+Z) (.*)$/.exec(text) ?? [];
  return time ? logLine(said!, time) : logLine(text);
};
const younger = { state: { startedAt: LATER } };
const failed: Partial<ContainerState> = { status: 'exited', exitCode: 1 };
const UNRESOLVED = (host: string) => [
  `[ALERT]    (8) : [/usr/local/etc/haproxy/haproxy.cfg:20] : 'server be_api/api1' : could not resolve address '${host}'.`,
];

describe('what is well, or as it is meant to be', () => {
  it.each<[string, Case, string[]]>([
    ['an answer', {}, []],
    ['a 404 of the app', { http: status(404) }, []],
    ['a 503 by a rule of the configuration', { http: status(503, 'closed for today'), asked: { onPurpose: true } }, []],
    ['a server that was down a while ago', { log: [DOWN4] }, []],
    ['a port that keeps the connection', { taken: {} }, []],
    ['nothing that a request surely leads to', { asked: { http: httpTry({ trial: stopped('tcp', 'no-tool') }) } }, ['cannotLook']],
    ['no configuration, where an image makes its own', { files: [], upstreams: [], taken: { trial: stopped('tcp', 'no-tool') } }, ['skip']],
    ['one that is stopped', { edge: { status: 'exited', exitCode: 0 } }, ['skip']],
    ['one that is not wanted now', { edge: failed, edgeSpec: { active: false }, log: UNRESOLVED('ghost') }, ['skip']],
    ['what nobody could read', { unseen: true }, ['cannotLook']],
  ])('%s', (_, given, expected) => expect(reasonsOf(judge(given))).toEqual(expected));
});

describe('what is found', () => {
  it.each<[string, Case, string[]]>([
    [
      'a misspelt word',
      {
        edge: failed,
        log: ["[ALERT] (8) : config : parsing [/usr/local/etc/haproxy/haproxy.cfg:8] : unknown keyword 'servr' in 'listen' section"],
      },
      ['config-invalid'],
    ],
    ['a name that nobody has', { edge: failed, log: UNRESOLVED('apii') }, ['server-not-found']],
    ['a name of a service, which is its own business', { edge: failed, log: UNRESOLVED('api') }, ['skip']],
    [
      'a port that it may not open',
      { edge: failed, log: ['[ALERT] (1) : Starting frontend f: cannot bind socket (Permission denied) for [0.0.0.0:80]'] },
      ['skip'],
    ],
    ['a name that nobody has, and it runs all the same', { http: status(503), upstream: { host: 'apii' } }, ['server-not-found']],
    ['a name of extra_hosts', { http: status(503), upstream: { host: 'apii' }, extraHosts: ['apii:10.0.0.1'] }, ['no-server']],
    ['a server elsewhere', { http: status(503), upstream: { host: 'api.example.com' } }, ['no-server']],
    ['loopback, where nothing listens', { http: status(503), upstream: { host: '127.0.0.1' } }, ['server-loopback']],
    ['loopback, where something does', { http: status(503), upstream: { host: '127.0.0.1', port: 80 } }, ['no-server']],
    ['a service that does not run', { http: status(503), app: { state: { status: 'exited' } } }, ['server-stopped']],
    [
      'a service that is meant to be off',
      { http: status(503), app: { state: { status: 'exited' } }, appSpec: { active: false } },
      ['server-stopped:warn'],
    ],
    [
      'a health check that names no host',
      { http: status(503), direct: 200, check: { status: 400 }, log: [DOWN7] },
      ['health-check-rejected'],
    ],
    ['a health check for no path', { http: status(503), direct: 404, check: { status: 404 } }, ['health-check-rejected']],
    ['a health check that is sent elsewhere, which is well', { http: status(503), direct: 200, check: { status: 301 } }, ['no-server']],
    [
      'one that expects a page',
      { http: status(503), direct: 200, check: { status: 301, expects: 'status 200' } },
      ['health-check-rejected'],
    ],
    ['one that expects a login', { http: status(503), direct: 200, check: { status: 401, expects: 'status 401' } }, ['no-server']],
    ['a health check to which an ill app says 503', { http: status(503), direct: 500, check: { status: 503 } }, ['no-server']],
    [
      'a health check that is turned down by an app that is ill, too',
      { http: status(503), direct: 500, check: { status: 400 } },
      ['no-server'],
    ],
    ['the address of before, by what is left over', { http: status(503), direct: 200, app: younger, log: [DOWN4] }, ['stale-server']],
    ['the same, and reached by name', { http: status(503), direct: 200, app: younger, reach: OK }, ['stale-server']],
    [
      'an address that nobody has, in the sockets',
      { http: status(503), connecting: [{ address: '172.18.0.9', port: 8000 }] },
      ['stale-server'],
    ],
    [
      'somebody else at the address, who answers',
      { http: { answer: { status: 200 } }, app: younger, asked: { called: ['172.18.0.4'] } },
      ['stale-server'],
    ],
    ['its own address called', { http: { answer: { status: 200 } }, app: younger, asked: { called: ['172.18.0.6'] } }, []],
    [
      'an app that is not reached from HAProxy at all',
      { http: status(503), direct: 200, app: younger, reach: stopped('tcp', 'timeout') },
      ['no-server'],
    ],
    ['an app that is older', { http: status(503), direct: 200 }, ['no-server']],
    ['a name that is looked up again', { http: status(503), direct: 200, app: younger, upstream: { literal: false } }, ['no-server']],
    ['a younger app held to be ill', { http: status(503), direct: 200, app: younger, log: [DOWN7] }, ['no-server']],
    ['a younger app that does not answer either', { http: status(503), app: younger, log: [DOWN4] }, ['no-server']],
    [
      'a younger app off the network',
      { http: status(503), direct: 200, app: { ...younger, networks: [{ network: 'else', ip: '172.19.0.2' }] } },
      ['no-server'],
    ],
    ['an app that has just begun', { http: status(503), app: { state: { startedAt: '2026-11-23T06:59:58.000Z' } } }, ['no-server:warn']],
    [
      'an app that was made anew some seconds ago, which HAProxy has not asked often enough since',
      { http: status(503), direct: 200, app: { state: { startedAt: '2026-11-23T06:59:50.000Z', restartCount: 1 } }, log: [DOWN4] },
      ['no-server:warn'],
    ],
    [
      'HAProxy has looked the name up after that, and believes nobody yet',
      { http: status(503), direct: 200, app: younger, log: [RELOAD('06:59:55'), DOWN4] },
      ['no-server:warn'],
    ],
    [
      'HAProxy has looked the name up after that, and has nobody all the same',
      { http: status(503), direct: 200, app: younger, log: [RELOAD('06:58:00'), DOWN4] },
      ['no-server'],
    ],
    ['a page of its own file', { http: status(503, '<h1>On holiday</h1>'), asked: { errorFile: '/e/503.http' } }, ['no-server']],
    ['another page that the app does not give', { http: status(503, '<h1>On holiday</h1>'), direct: 200 }, ['no-server']],
    ['the error of the app', { http: status(500, 'Internal Server Error'), direct: 500 }, ['server-error']],
    ['the 503 of the app', { http: status(503, '{"db":"down"}'), direct: 503 }, ['server-error']],
    ['half an answer', { http: status(502) }, ['bad-gateway']],
    ['no answer, and it says so', { http: status(504) }, ['gateway-timeout']],
    ['no answer, and it waits', { http: { trial: stopped('protocol', 'timeout') } }, ['gateway-timeout']],
    ['nobody at the door', { http: { trial: stopped('tcp', 'refused', 'ECONNREFUSED', 'refused') } }, ['no-answer']],
    ['a port that closes at once', { taken: { trial: stopped('protocol', 'reset') } }, ['no-server']],
    [
      'the same, over a service that does not run',
      { taken: { trial: stopped('protocol', 'reset') }, app: { state: { status: 'exited' } } },
      ['server-stopped'],
    ],
    [
      'the same, over an address of before',
      { taken: { trial: stopped('protocol', 'reset') }, app: younger, reach: OK, log: [DOWN4] },
      ['stale-server'],
    ],
  ])('%s', (_, given, expected) => expect(reasonsOf(judge(given))).toEqual(expected));

  it('names the file of the project, and the line', () => {
    const [finding] = findingsOf(judge({ edge: failed, log: UNRESOLVED('apii') }));
    expect(finding).toMatchObject({ values: { host: 'apii', file: 'lb/haproxy.cfg:20' } });
  });

  it('says what the health check lacks, and that the app is well', () => {
    const [finding] = findingsOf(judge({ http: status(503), direct: 200, check: { status: 400 }, log: [DOWN4] }));
    expect(finding!.message).toBe(
      'edge takes api for dead, which is well: api answers 400 to the health check GET /health HTTP/1.0, which names no host (/api)',
    );
    expect(finding!.evidence.map(({ text }) => text)).toEqual([
      'status 503: 503 Service Unavailable No server is available to handle this request.',
      'status 200',
      'GET /health HTTP/1.0: status 400',
    ]);
    expect(finding!.values).toMatchObject({ file: 'haproxy.cfg:18', target: 'api' });
    expect(finding!.suspects).toBeUndefined();
  });

  it('points at the app, and at what stands between', () => {
    const [finding] = findingsOf(judge({ http: status(500, 'oops'), direct: 500 }));
    expect(finding!.suspects).toEqual([{ service: 'api' }, { service: 'edge', check: 'network' }]);
  });

  it('is one finding for a backend that two entries lead to', () => {
    const findings = findingsOf(judge({ http: status(500, 'oops'), direct: 500, twice: true }));
    expect(findings.map(({ message }) => message)).toEqual(['api answers 500 through edge (/api and shop.test/api)']);
  });
});
