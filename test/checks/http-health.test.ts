import { describe, expect, it } from 'vitest';
import { httpHealth } from '../../src/checks/http-health.ts';
import type { HttpTry, LogLine } from '../../src/model/facts.ts';
import { findingsOf, httpTry, listening, logLine, logOf, OK, PUBLISHED, reasonsOf, stopped } from './attempts.ts';
import type { Connection, Container } from '../../src/model/stack.ts';
import { fact, gap, makeConnection, makePort, makeService, makeStack, NOW } from './make.ts';

const service = makeService({ name: 'shop', role: 'http' });
const stack = makeStack({
  services: [
    service,
    makeService({ name: 'store', role: 'postgres' }),
    makeService({ name: 'kv', role: 'redis' }),
    makeService({ name: 'mailer', role: 'http' }),
  ],
  connections: [
    makeConnection({ from: 'shop', to: 'store', host: 'store' }),
    makeConnection({ from: 'shop', to: 'kv', host: 'kv', port: 6379, kind: 'redis', source: 'env REDIS_URL' }),
  ],
});

const judge = (tries: HttpTry[], log: LogLine[] = [], listens?: number[]) =>
  httpHealth.evaluate({
    service,
    stack,
    facts: {
      http: fact({ path: '/health', pathFrom: 'healthcheck', port: 8000, tries }),
      logs: fact(logOf('p-shop-1', log)),
      inside: listening(listens),
    },
    peers: {},
    now: NOW,
  });

const saying = (status: number, body: unknown, url = 'http://172.18.0.5:8000/health', pathFrom = 'healthcheck'): HttpTry =>
  httpTry({ url, pathFrom, answer: { status, body: typeof body === 'string' ? body : JSON.stringify(body) } });

const refused = stopped('tcp', 'refused', 'ECONNREFUSED', 'connect ECONNREFUSED');
const silent = stopped('protocol', 'timeout', 'ETIMEDOUT', 'connected, but no answer came within 2000 ms');

describe('a server without a port', () => {
  const cases: [string, string[], string[]][] = [
    ['uvicorn on a socket file', ['uvicorn', 'shop:app', '--uds', '/run/shop.sock'], ['skip']],
    ['gunicorn on a socket file', ['gunicorn', '-b', 'unix:/run/shop.sock', 'shop:app'], ['skip']],
    ['gunicorn on a port', ['gunicorn', '-b', '0.0.0.0:8000', 'shop:app'], ['cannotLook']],
  ];
  it.each(cases)('%s', (_, command, expected) => {
    const own = makeService({ name: 'shop', role: 'http', containers: [{ command }] });
    const facts = { http: gap('shop declares no port that could speak HTTP'), logs: fact(logOf('p-shop-1', [])), inside: listening([]) };
    expect(reasonsOf(httpHealth.evaluate({ service: own, stack, facts, peers: {}, now: NOW }))).toEqual(expected);
  });

  it('is told by who asks it, where a script starts it', () => {
    const own = makeService({ name: 'shop', role: 'http', containers: [{ command: ['./start.sh'] }] });
    const asked = makeStack({
      services: [own],
      connections: [makeConnection({ from: 'edge', to: 'shop', kind: 'socket', host: 'unix:/run/shop.sock', port: 0 })],
    });
    const facts = { http: gap('shop declares no port that could speak HTTP'), logs: fact(logOf('p-shop-1', [])), inside: listening([]) };
    expect(reasonsOf(httpHealth.evaluate({ service: own, stack: asked, facts, peers: {}, now: NOW }))).toEqual(['skip']);
  });
});

describe('a port that only the image exposes', () => {
  const served = ['gunicorn', '-b', 'unix:/run/shop.sock', 'shop:app'];
  const ofPort = makeConnection({ from: 'mailer', to: 'shop', kind: 'http', host: 'shop', port: 8000, source: 'env SHOP_URL' });
  const cases: [string, Partial<Container>, Connection[], HttpTry[], string[]][] = [
    ['of an app on a socket file', { command: served }, [], [httpTry({ trial: refused })], ['skip']],
    ['of an app on a socket file, somebody asks it', { command: served }, [ofPort], [httpTry({ trial: refused })], ['refused']],
    ['of an app on a socket file, published', { command: served, ports: [makePort()] }, [], [httpTry({ trial: refused })], ['refused']],
    ['of an app on a socket file, which is silent there', { command: served }, [], [httpTry({ trial: silent })], ['hung']],
    ['of any other app', {}, [], [httpTry({ trial: refused })], ['refused']],
  ];
  it.each(cases)('%s', (_, container, connections, tries, expected) => {
    const own = makeService({ name: 'shop', role: 'http', containers: [container] });
    const facts = {
      http: fact({ path: '/', pathFrom: 'default' as const, port: 8000, tries }),
      logs: fact(logOf('p-shop-1', [])),
      inside: listening([]),
    };
    const verdict = httpHealth.evaluate({
      service: own,
      stack: makeStack({ services: [own], connections }),
      facts,
      peers: {},
      now: NOW,
    });
    expect(reasonsOf(verdict)).toEqual(expected);
  });
});

describe('what a body says', () => {
  const cases: [string, HttpTry, string[], string[]][] = [
    [
      'own format, named by kind',
      saying(503, { status: 'fail', db: 'InvalidPasswordError: password authentication failed', redis: 'ok' }),
      ['dependency-failing'],
      ['store'],
    ],
    ['both parts', saying(503, { db: 'gaierror: [Errno -2]', cache: 'error' }), ['dependency-failing'], ['store', 'kv']],
    ['with status 200', saying(200, { status: 'degraded', database: 'down' }), ['dependency-failing'], ['store']],
    ['with status 200 and a hard-coded ok', saying(200, { status: 'ok', postgres: false }), ['dependency-failing'], ['store']],
    [
      'Spring Boot',
      saying(503, { status: 'DOWN', components: { db: { status: 'UP' }, redis: { status: 'DOWN', details: { error: 'x' } } } }),
      ['dependency-failing'],
      ['kv'],
    ],
    [
      'IETF health+json',
      saying(503, { status: 'fail', checks: { 'postgres:connections': [{ status: 'fail' }], 'cpu:utilization': [{ status: 'pass' }] } }),
      ['dependency-failing'],
      ['store'],
    ],
    [
      'Terminus',
      saying(503, {
        status: 'error',
        info: {},
        error: { database: { status: 'down', message: 'x' } },
        details: { database: { status: 'down', message: 'x' } },
      }),
      ['dependency-failing'],
      ['store'],
    ],
    [
      'ASP.NET',
      saying(503, { status: 'Unhealthy', entries: { redis: { status: 'Unhealthy', description: 'x' }, self: { status: 'Healthy' } } }),
      ['dependency-failing'],
      ['kv'],
    ],
    [
      'a list of named parts',
      saying(503, {
        checks: [
          { name: 'PostgreSQL', healthy: false },
          { name: 'disk', healthy: true },
        ],
      }),
      ['dependency-failing'],
      ['store'],
    ],
    ['a service by its name, without a connection', saying(503, { mailer: 'unreachable' }), ['dependency-failing'], ['mailer']],
    ['a part that nobody here is', saying(503, { status: 'fail', stripe: 'timed out' }), ['dependency-failing'], []],
    ['no part named', saying(500, 'Internal Server Error'), ['server-error'], []],
    ['ill by its own word alone, with status 200', saying(200, { status: 'error' }), ['server-error'], []],
    ['a body that is cut or broken', saying(503, '{"db": "err'), ['server-error'], []],
  ];
  it.each(cases)('%s', (_, asked, expected, suspects) => {
    const verdict = judge([asked]);
    expect(reasonsOf(verdict)).toEqual(expected);
    const own = { service: 'shop', check: 'migrations' };
    const between = [{ service: 'shop', code: 'network/traffic-dropped' }, { code: 'network/traffic-dropped' }];
    expect(findingsOf(verdict)[0]?.suspects ?? []).toEqual(
      suspects.length === 0 ? [] : [own, ...suspects.map((service) => ({ service })), ...between],
    );
  });
});

describe('what is healthy', () => {
  const cases: [string, HttpTry[]][] = [
    ['200', [saying(200, { status: 'ok', db: 'ok', redis: 'ok' })]],
    ...[204, 301, 307, 401, 403].map((status): [string, HttpTry[]] => [`${status} (FA-27)`, [saying(status, '')]]),
    ['404 on a guess (FA-27)', [httpTry({ url: 'http://172.18.0.5:8000/health', pathFrom: 'guess', answer: { status: 404 } })]],
    [
      'data of a page that is no health path',
      [httpTry({ url: 'http://172.18.0.5:8000/', pathFrom: 'root', answer: { body: '{"db": false, "error": "down"}' } })],
    ],
    [
      'a switched-off feature, and an old error',
      [
        saying(200, {
          status: 'ok',
          maintenance: false,
          last_error: 'ConnectionError: x',
          redis: { status: 'ok', last_error: 'TimeoutError' },
        }),
      ],
    ],
    ['the port of the host refuses, the address answers (FA-13)', [httpTry({ view: PUBLISHED, trial: refused }), saying(200, {})]],
    [
      'the address cannot be reached from here, the port of the host answers (FA-29)',
      [httpTry({ trial: stopped('tcp', 'timeout') }), httpTry({ view: PUBLISHED })],
    ],
    ['one of several replicas answers', [httpTry({ trial: refused }), httpTry()]],
    ['a body that never ends', [httpTry({ answer: { truncated: true, sha256: null, body: '{"db": "err' } })]],
  ];
  it.each(cases)('%s', (_, tries) => expect(reasonsOf(judge(tries))).toEqual([]));
});

describe('no answer, and others', () => {
  const cases: [string, HttpTry[], string[]][] = [
    ['refused', [httpTry({ trial: refused })], ['refused']],
    ['silent', [httpTry({ trial: silent })], ['hung']],
    [
      'refused inside, reset by the proxy of the port',
      [httpTry({ view: PUBLISHED, trial: stopped('protocol', 'reset') }), httpTry({ trial: refused })],
      ['refused'],
    ],
    [
      'silent inside, reset outside',
      [httpTry({ view: PUBLISHED, trial: stopped('protocol', 'reset') }), httpTry({ trial: silent })].toReversed(),
      ['hung'],
    ],
    ['closed', [httpTry({ trial: stopped('protocol', 'reset') })], ['reset']],
    ['not HTTP', [httpTry({ trial: stopped('protocol', 'failed', 'HPE_INVALID_CONSTANT', 'the answer is not HTTP') })], ['reset']],
    ['404 on the path of the healthcheck', [saying(404, '{"detail":"Not Found"}')], ['not-found']],
    ['late', [httpTry({ trial: { ...OK, ms: 3400 } })], ['slow']],
    ['late once, and at once from elsewhere', [httpTry({ trial: { ...OK, ms: 3400 } }), httpTry()], []],
    ['no tool (FA-21)', [httpTry({ trial: stopped('tcp', 'no-tool', '', 'no shell') })], ['cannotLook']],
  ];
  it.each(cases)('%s', (_, tries, expected) => expect(reasonsOf(judge(tries))).toEqual(expected));

  it('a fact that is missing', () => {
    expect(
      httpHealth.evaluate({
        service,
        stack,
        facts: { http: gap('no port is known'), logs: gap('no port is known'), inside: listening(undefined) },
        peers: {},
        now: NOW,
      }),
    ).toEqual({
      cannotLook: 'no port is known',
    });
  });

  it('a silent service is for its own reloader to explain', () => {
    expect(findingsOf(judge([httpTry({ trial: silent })]))[0]?.suspects).toEqual([{ service: 'shop', check: 'hot-reload' }]);
  });
});

describe('what the log says of other paths', () => {
  const well = [httpTry()];
  const old = '2026-11-23T06:00:00.000Z';
  const pool = 'sqlalchemy.exc.TimeoutError: QueuePool limit of size 5 overflow 10 reached, connection timed out, timeout 30.00';
  const template = 'jinja2.exceptions.TemplateNotFound: wrapper.html';
  it.each<[string, LogLine[], string[]]>([
    ['nothing', [logLine('GET /health 200', NOW)], []],
    ['a pool that is used up', [logLine(pool, NOW)], ['pool-exhausted']],
    ['the same, an hour ago', [logLine(pool, old)], ['pool-exhausted:warn']],
    ['a template that is not there', [logLine(template, NOW)], ['template-missing']],
    ['one that was not there before the code was loaded anew', [logLine(template, NOW), logLine('Reloading...', NOW)], []],
    ['a worker of gunicorn that was killed', [logLine('[2026-11-23] [1] [CRITICAL] WORKER TIMEOUT (pid:9)', NOW)], ['worker-timeout']],
    ['yesterday', [logLine('[CRITICAL] WORKER TIMEOUT (pid:9)', '2026-11-22T06:00:00.000Z')], []],
  ])('%s', (_, log, expected) => expect(reasonsOf(judge(well, log))).toEqual(expected));

  it('comes beside what the health path says', () => {
    expect(reasonsOf(judge([httpTry({ answer: { status: 500 } })], [logLine(pool, NOW)]))).toEqual(['server-error', 'pool-exhausted']);
  });
});
