import { createHash } from 'node:crypto';
import { createServer, type RequestListener } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { ServiceSetting, ServiceSettings } from '../../src/model/config.ts';
import type { Server } from 'node:net';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { TRY_MS } from '../../src/gather/gathering.ts';
import { healthcheckUrl } from '../../src/gather/health-path.ts';
import { askHttp } from '../../src/gather/ask-http.ts';
import { gatherHttp } from '../../src/gather/http.ts';
import { createVault } from '../../src/gather/vault.ts';
import type { Role } from '../../src/model/stack.ts';
import { makeConnection, makeContainer, makePort, makeService, makeStack } from '../checks/make.ts';
import { closedPort, gatheringOf, listen, start } from './loopback.ts';
import { cert, key } from './test-certificate.ts';

const serve = async (handler: RequestListener): Promise<number> => started(createServer(handler));

const started = async (server: Server & { closeAllConnections?(): void }): Promise<number> => {
  onTestFinished(() => {
    server.closeAllConnections?.();
    server.close();
  });
  return start(server);
};

const ask = (port: number, parts: Partial<Parameters<typeof askHttp>[0]> = {}) =>
  askHttp({
    url: `http://127.0.0.1:${port}/`,
    view: { kind: 'published', address: `127.0.0.1:${port}` },
    vault: createVault(),
    signal: new AbortController().signal,
    ...parts,
  });

describe('askHttp', () => {
  test('an answer, whole', async () => {
    const port = await serve((request, response) => {
      response.setHeader('server', 'uvicorn');
      response.setHeader('content-type', 'application/json');
      response.end(JSON.stringify({ path: request.url, agent: request.headers['user-agent'], host: request.headers.host }));
    });
    const { trial, answer } = await ask(port, { url: `http://127.0.0.1:${port}/health?full=1`, headers: { host: 'localhost' } });
    expect(trial).toMatchObject({ layer: 'done', outcome: 'ok', text: '' });
    const body = '{"path":"/health?full=1","agent":"stack-doctor","host":"localhost"}';
    expect(answer).toEqual({
      status: 200,
      contentType: 'application/json',
      location: null,
      server: 'uvicorn',
      body,
      sha256: createHash('sha256').update(body).digest('hex'),
      bytes: body.length,
      truncated: false,
    });
  });

  test('any status is an answer, and a redirect is not followed', async () => {
    let asked = 0;
    const port = await serve((_request, response) => {
      asked += 1;
      response.writeHead(307, { location: '/login' }).end();
    });
    const { trial, answer } = await ask(port);
    expect([trial.outcome, answer?.status, answer?.location, asked]).toEqual(['ok', 307, '/login', 1]);
  });

  test('a proxy of the user is not asked (FA-26)', async () => {
    const proxy = await listen((socket) => socket.destroy());
    for (const name of ['HTTP_PROXY', 'http_proxy', 'ALL_PROXY', 'NODE_USE_ENV_PROXY']) vi.stubEnv(name, `http://127.0.0.1:${proxy.port}`);
    onTestFinished(() => void vi.unstubAllEnvs());
    const port = await serve((_request, response) => response.end('ok'));
    expect((await ask(port)).answer?.status).toBe(200);
    expect(proxy.taken()).toBe(0);
  });

  test('refused, and the name of nobody', async () => {
    expect(await ask(await closedPort())).toMatchObject({
      trial: { layer: 'tcp', outcome: 'refused', code: 'ECONNREFUSED' },
      answer: null,
    });
    expect((await ask(80, { url: 'http://no-such-service.invalid/' })).trial).toMatchObject({ layer: 'name', outcome: 'not-found' });
  });

  test('hung: connected, no answer', async () => {
    const server = await listen(() => {});
    expect(await ask(server.port, { timeoutMs: 300 })).toMatchObject({ trial: { layer: 'protocol', outcome: 'timeout' }, answer: null });
    await vi.waitFor(() => expect(server.open()).toBe(0));
  });

  test('half an answer is none', async () => {
    const server = await listen((socket) => socket.write('HTTP/1.1 200 OK\r\ncontent-'));
    expect(await ask(server.port, { timeoutMs: 300 })).toMatchObject({ trial: { layer: 'protocol', outcome: 'timeout' }, answer: null });
  });

  test('closed without an answer', async () => {
    const server = await listen((socket) => socket.once('data', () => socket.destroy()));
    expect((await ask(server.port)).trial).toMatchObject({ layer: 'protocol', outcome: 'reset' });
    const resetting = await listen((socket) => socket.once('data', () => socket.resetAndDestroy()));
    expect((await ask(resetting.port)).trial).toMatchObject({ layer: 'protocol', outcome: 'reset' });
  });

  test.each([
    ['Redis', '-ERR unknown command\r\n'],
    ['Postgres', 'E\0\0\0\x20SFATAL\0'],
    ['SSH', 'SSH-2.0-OpenSSH_9.2\r\n'],
    ['no status', 'HTTP/1.1 abc\r\n\r\n'],
    ['headers without end', `HTTP/1.1 200 OK\r\n${'x-filler: yes\r\n'.repeat(10_000)}`],
  ])('not HTTP: %s', async (_name, bytes) => {
    const server = await listen((socket) => socket.once('data', () => socket.write(Buffer.from(bytes, 'latin1'))));
    expect((await ask(server.port, { timeoutMs: 1_000 })).trial).toMatchObject({ layer: 'protocol', outcome: 'failed' });
  });

  test('a body that never ends is cut at the limit', async () => {
    const port = await serve((_request, response) => {
      response.write('first words');
    });
    const { trial, answer } = await ask(port, { timeoutMs: 400 });
    expect(trial).toMatchObject({ layer: 'done', outcome: 'ok' });
    expect(answer).toMatchObject({ status: 200, body: 'first words', sha256: null, truncated: true });
  });

  test('a body of 50 MB is not read to its end', async () => {
    const port = await serve((_request, response) => {
      const chunk = Buffer.alloc(1024 * 1024, 'x');
      let sent = 0;
      const pour = () => {
        while (sent++ < 50) if (!response.write(chunk)) return void response.once('drain', pour);
        response.end();
      };
      pour();
    });
    const { answer } = await ask(port);
    expect(answer).toMatchObject({ status: 200, sha256: null, truncated: true });
    expect(answer?.body).toHaveLength(4 * 1024);
    expect(answer?.bytes).toBeLessThan(20 * 1024 * 1024);
  });

  test('a body that breaks off', async () => {
    const port = await serve((_request, response) => {
      response.writeHead(200, { 'content-length': '100' }).write('half');
      setTimeout(() => response.destroy(), 50);
    });
    expect(await ask(port)).toMatchObject({ trial: { outcome: 'ok' }, answer: { body: 'half', sha256: null, truncated: true } });
  });

  test('secrets and control characters do not come out of it', async () => {
    const vault = createVault();
    const secret = vault.mark('hunter22');
    const port = await serve((_request, response) => response.end('\u001b[31mdb: hunter22 at postgres://app:s3same@db/app\u0007'));
    const { answer } = await ask(port, { vault });
    expect(answer?.body).toBe(`db: ${secret} at postgres://app:${vault.mark('s3same')}@db/app\ufffd`);
  });

  test('a self-signed certificate is no obstacle (FA-28); no TLS where it is wanted is a failure', async () => {
    const tls = await started(createTlsServer({ key, cert }, (_request, response) => response.end('safe')));
    expect((await ask(tls, { url: `https://127.0.0.1:${tls}/` })).answer?.body).toBe('safe');
    const plain = await serve((_request, response) => response.end('plain'));
    expect((await ask(plain, { url: `https://127.0.0.1:${plain}/`, timeoutMs: 1_000 })).trial).toMatchObject({ layer: 'tls' });
  });

  test('a run that ends first proves nothing', async () => {
    const server = await listen(() => {});
    await expect(ask(server.port, { signal: AbortSignal.timeout(100) })).rejects.toMatchObject({ name: 'CannotLook', timedOut: true });
  });
});

describe('healthcheckUrl', () => {
  const urlOf = (test: string[], env: Record<string, string> = {}) =>
    healthcheckUrl(
      makeContainer({ service: 'api', env, healthcheck: { test, intervalMs: 0, timeoutMs: 0, retries: 0, startPeriodMs: 0 } }),
    );

  test.each<[string[], object | null]>([
    [['CMD', 'curl', '-f', 'http://localhost:8000/health'], { scheme: 'http', port: 8000, path: '/health' }],
    [['CMD-SHELL', 'curl -fsS http://127.0.0.1:3000/api/health || exit 1'], { scheme: 'http', port: 3000, path: '/api/health' }],
    [
      ['CMD-SHELL', 'wget --no-verbose --tries=1 --spider localhost:8080/ready?x=1 || exit 1'],
      { scheme: 'http', port: 8080, path: '/ready?x=1' },
    ],
    [['CMD', 'wget', '-q', '-O-', 'http://localhost'], { scheme: 'http', port: 80, path: '/' }],
    [['CMD-SHELL', 'curl -k https://localhost:8443/up'], { scheme: 'https', port: 8443, path: '/up' }],
    [
      ['CMD', 'python', '-c', "import urllib.request as u; u.urlopen('http://localhost:5000/ping')"],
      { scheme: 'http', port: 5000, path: '/ping' },
    ],
    [
      ['CMD', 'node', '-e', 'fetch("http://0.0.0.0:4000/healthz").then(r=>process.exit(r.ok?0:1))'],
      { scheme: 'http', port: 4000, path: '/healthz' },
    ],
    [['CMD-SHELL', 'curl -f http://[::1]:9000/'], { scheme: 'http', port: 9000, path: '/' }],
    [['CMD-SHELL', 'curl -f http://api:9000/live'], { scheme: 'http', port: 9000, path: '/live' }],
    [['CMD-SHELL', 'curl -f http://localhost:${PORT:-8000}/h'], { scheme: 'http', port: 7000, path: '/h' }],
    [['CMD-SHELL', 'curl -f http://$HOSTNAME:${OTHER:-8001}/h'], { scheme: 'http', port: 8001, path: '/h' }],
    // Another machine's health is not this service's.
    [['CMD', 'curl', 'https://example.com/status'], null],
    [['CMD', 'python', '-m', 'app.probe'], null],
    [['CMD-SHELL', 'pg_isready -h localhost -U app'], null],
    [['CMD-SHELL', 'test -f /tmp/localhost'], null],
    [['NONE'], null],
    [[], null],
  ])('%j', (command, expected) => {
    expect(urlOf(command, { PORT: '7000' })).toEqual(expected);
  });
});

/** A service whose address is this machine's loopback (`network_mode: host`). */
const serviceAt = (port: number, parts: { role?: Role; published?: number; healthcheck?: string } = {}) => {
  const api = makeService({
    name: 'api',
    role: parts.role ?? 'http',
    containers: [
      {
        networkMode: 'host',
        networks: [],
        exposedPorts: [port],
        ports: parts.published === undefined ? [] : [makePort({ containerPort: port, hostIp: '127.0.0.1', hostPort: parts.published })],
        healthcheck:
          parts.healthcheck === undefined
            ? null
            : { test: ['CMD-SHELL', parts.healthcheck], intervalMs: 0, timeoutMs: 0, retries: 0, startPeriodMs: 0 },
      },
    ],
  });
  return { api, stack: makeStack({ services: [api] }) };
};

describe('gatherHttp', () => {
  const recordPaths = (found: Record<string, number>) => {
    const asked: string[] = [];
    const handler: RequestListener = (request, response) => {
      asked.push(request.url!);
      response.writeHead(found[request.url!] ?? 404).end(request.url);
    };
    return { asked, handler };
  };

  const told = (setting: Partial<ServiceSetting>): ServiceSettings => ({
    api: { role: null, healthPath: null, url: null, credentials: null, place: { line: 1, column: 1 }, credentialsPlace: null, ...setting },
  });

  test("the healthcheck's own path is the one", async () => {
    const { asked, handler } = recordPaths({ '/up': 503 });
    const port = await serve(handler);
    const { api, stack } = serviceAt(port, { healthcheck: `curl -f http://localhost:${port}/up`, published: port });
    const fact = await gatherHttp(api, gatheringOf(stack));
    expect(fact).toMatchObject({ path: '/up', pathFrom: 'healthcheck', port });
    expect(fact.tries.map(({ view, answer }) => [view.kind, answer?.status])).toEqual([
      ['address', 503],
      ['published', 503],
    ]);
    expect(asked).toEqual(['/up', '/up']);
  });

  test('else the first usual one that is there', async () => {
    const { asked, handler } = recordPaths({ '/healthz': 200, '/': 200 });
    const port = await serve(handler);
    const { api, stack } = serviceAt(port);
    expect(await gatherHttp(api, gatheringOf(stack))).toMatchObject({
      path: '/healthz',
      pathFrom: 'guess',
      tries: [{ answer: { status: 200 } }],
    });
    expect(asked).toEqual(['/health', '/healthz']);
  });

  test('else the root, whatever it answers', async () => {
    const { handler } = recordPaths({});
    const port = await serve(handler);
    const { api, stack } = serviceAt(port, { published: port });
    const fact = await gatherHttp(api, gatheringOf(stack));
    expect(fact).toMatchObject({ path: '/', pathFrom: 'root' });
    expect(fact.tries.map((each) => [new URL(each.url).pathname, each.answer?.status])).toEqual([
      ['/', 404],
      ['/', 404],
    ]);
  });

  test('of a proxy only the root is its own', async () => {
    const { asked, handler } = recordPaths({ '/': 200, '/health': 502 });
    const port = await serve(handler);
    const { api, stack } = serviceAt(port, { role: 'nginx' });
    expect((await gatherHttp(api, gatheringOf(stack))).path).toBe('/');
    expect(asked).toEqual(['/']);
  });

  test('what doctor.yaml says comes before all that was found: a path', async () => {
    const { asked, handler } = recordPaths({ '/up': 200, '/ready?deep=1': 503 });
    const port = await serve(handler);
    const { api, stack } = serviceAt(port, { healthcheck: `curl -f http://localhost:${port}/up`, published: port });
    const fact = await gatherHttp(api, gatheringOf(stack, { settings: told({ healthPath: '/ready?deep=1' }) }));
    expect(fact).toMatchObject({ path: '/ready?deep=1', pathFrom: 'doctor.yaml', port });
    expect(asked).toEqual(['/ready?deep=1', '/ready?deep=1']);
  });

  test('and an address, which is then the only one asked, by its own name', async () => {
    const hosts: string[] = [];
    const elsewhere = await serve((request, response) => {
      hosts.push(request.headers.host!);
      response.writeHead(request.url === '/alive' ? 200 : 404).end();
    });
    const { asked, handler } = recordPaths({ '/health': 200 });
    const port = await serve(handler);
    const { api, stack } = serviceAt(port, { published: port });
    const fact = await gatherHttp(api, gatheringOf(stack, { settings: told({ url: `http://localhost:${elsewhere}/alive` }) }));
    expect(fact).toMatchObject({ path: '/alive', pathFrom: 'doctor.yaml', port: elsewhere });
    expect(fact.tries).toMatchObject([{ view: { kind: 'published', address: `localhost:${elsewhere}` }, answer: { status: 200 } }]);
    expect([asked, hosts]).toEqual([[], [`localhost:${elsewhere}`]]);
  });

  test('what it says of another service is of that one', async () => {
    const { asked, handler } = recordPaths({ '/health': 200 });
    const port = await serve(handler);
    const { api, stack } = serviceAt(port);
    await gatherHttp(api, gatheringOf(stack, { settings: { other: told({ healthPath: '/x' })['api']! } }));
    expect(asked).toEqual(['/health']);
  });

  test('a service that hangs costs one limit', async () => {
    const server = await listen(() => {});
    const { api, stack } = serviceAt(server.port, { published: server.port });
    const began = performance.now();
    const fact = await gatherHttp(api, gatheringOf(stack));
    expect(performance.now() - began).toBeLessThan(TRY_MS * 1.75);
    expect(fact.tries.map(({ trial }) => `${trial.layer} ${trial.outcome}`)).toEqual(['protocol timeout', 'protocol timeout']);
  });

  test('what is refused outside is asked from inside a client, as that spells it', async () => {
    const { handler } = recordPaths({ '/health': 200 });
    const port = await serve(handler);
    const api = makeService({ name: 'api', role: 'http', containers: [{ networks: [{ ip: '', gateway: '' }] }] });
    const proxy = makeService({ name: 'proxy', role: 'nginx', containers: [{}] });
    const connections = [makeConnection({ from: 'proxy', to: 'api', kind: 'http', host: 'localhost', port })];
    const fact = await gatherHttp(api, gatheringOf(makeStack({ services: [api, proxy], connections })));
    expect(fact.tries).toMatchObject([
      { url: `http://localhost:${port}/health`, view: { kind: 'inside', service: 'proxy' }, answer: { status: 200 } },
    ]);
  });

  test('a port that speaks another protocol is left alone', async () => {
    const cache = makeService({ name: 'cache', containers: [{ exposedPorts: [6379, 5432] }] });
    await expect(gatherHttp(cache, gatheringOf(makeStack({ services: [cache] })))).rejects.toThrow('no port that could speak HTTP');
  });

  test('where nothing is declared, what listens is asked', async () => {
    const { handler } = recordPaths({ '/health': 200 });
    const port = await serve(handler);
    const { api, stack } = serviceAt(port);
    api.containers[0]!.exposedPorts = [];
    const inside = {
      ok: true as const,
      ms: 1,
      value: {
        listeners: [
          { family: 4, address: '0.0.0.0', port: 5432 },
          { family: 4, address: '0.0.0.0', port },
        ],
      },
    };
    expect((await gatherHttp(api, gatheringOf(stack, { facts: { inside } }))).port).toBe(port);
  });
});
