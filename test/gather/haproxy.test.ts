import { createServer as createHttp, type RequestListener } from 'node:http';
import { createServer as createTcp, type AddressInfo, type Server, type Socket } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import { EngineError, type EngineClient } from '../../src/gather/engine-client.ts';
import { gatherHaproxy, readHaproxyUpstreams } from '../../src/gather/haproxy.ts';
import type { Container, Service } from '../../src/model/stack.ts';
import { bind } from './site.ts';
import { containerOf, engineOf, gatheringOf, serviceOf } from './namespace.ts';

const PATH = '/usr/local/etc/haproxy/haproxy.cfg';
const NO_SERVER = '<html><body><h1>503 Service Unavailable</h1>\nNo server is available to handle this request.\n</body></html>\n';

const portOf = async (server: Server): Promise<number> => {
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  return (server.address() as AddressInfo).port;
};

/** Answers HTTP; what is asked of it is remembered. */
const answering = async (answer: RequestListener): Promise<{ port: number; asked: string[] }> => {
  const asked: string[] = [];
  const server = createHttp({ requireHostHeader: false }, (request, response) => {
    asked.push(`${request.method} ${request.url} HTTP/${request.httpVersion} ${request.headers.host ?? 'no host'}`);
    answer(request, response);
  });
  const port = await portOf(server);
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return { port, asked };
};

const says =
  (status: number, body = ''): RequestListener =>
  (_, response) =>
    response.writeHead(status).end(body);

const taking = async (onConnection: (socket: Socket) => void): Promise<number> => {
  const sockets = new Set<Socket>();
  const server = createTcp((socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    onConnection(socket);
  });
  const port = await portOf(server);
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return port;
};

interface Parts {
  config: string;
  files?: Record<string, string>;
  container?: Partial<Container>;
  engine?: Partial<EngineClient>;
  appRole?: Service['role'];
}

const scene = ({ config, files = {}, container, engine = {}, appRole = 'http' }: Parts) => {
  const edge = serviceOf(
    containerOf({
      id: 'edge',
      name: 'box-edge-1',
      service: 'edge',
      networkMode: 'host',
      command: ['haproxy', '-f', PATH],
      compose: { ...containerOf({}).compose, workingDir: '/src/p' },
      ...container,
    }),
    { role: 'haproxy' },
  );
  const app = serviceOf(containerOf({ id: 'app', networkMode: 'host' }), { role: appRole });
  const all: Record<string, string> = { [PATH]: config, ...files };
  const reading: Partial<EngineClient> = {
    readTree: (_, path) =>
      Promise.resolve(
        new Map(
          Object.entries(all)
            .filter(([file]) => file === path || file.startsWith(`${path}/`))
            .map(([file, text]) => [file, Buffer.from(text)]),
        ),
      ),
    readFile: (_, path) => Promise.resolve(all[path] === undefined ? null : Buffer.from(all[path])),
    ...engine,
  };
  return {
    edge,
    app,
    given: gatheringOf({ ...engineOf(), ...reading }, [edge, app], {
      haproxy: gatherHaproxy,
    }),
  };
};

const look = async (parts: Parts) => {
  const { edge, given } = scene(parts);
  return gatherHaproxy(edge, given);
};

const web = (port: number, more: string) => `defaults\n mode http\nfrontend web\n bind :${port}\n default_backend b\nbackend b\n${more}\n`;

describe('what is asked', () => {
  it('is one request for each backend that one surely leads to, as a client would ask', async () => {
    const { port, asked } = await answering(says(200));
    const fact = await look({
      config: `defaults\n mode http\nfrontend web\n bind :${port}\n acl shop hdr(host) shop.test\n use_backend api if { path_beg /api }\n use_backend shop if shop\n use_backend odd if { src 10.0.0.0/8 }\n default_backend b\nbackend api\n server a app:1\nbackend shop\n server a app:2\nbackend odd\n server a app:3\nbackend b\n server a app:4\n`,
    });
    expect(asked.toSorted()).toEqual(['GET / HTTP/1.1 shop.test', 'GET /api HTTP/1.1 localhost']);
    expect(fact.asked.map(({ backend, route, direct, checks }) => [backend, route, direct, checks])).toEqual([
      ['api', '/api', [], []],
      ['shop', 'shop.test/', [], []],
    ]);
    expect(fact.upstreams.map(({ host, port: at, backend, at: place }) => `${backend} ${host}:${at} ${place}`)).toEqual([
      `api app:1 ${PATH}:11`,
      `shop app:2 ${PATH}:13`,
      `odd app:3 ${PATH}:15`,
      `b app:4 ${PATH}:17`,
    ]);
  });

  it.each<[string, string]>([
    ['with nobody in it', ' errorfile 503 /closed.http'],
    ['that is switched off', ' server a app:1 disabled'],
  ])('is not a backend %s', async (_, more) => {
    const { port, asked } = await answering(says(503));
    expect((await look({ config: web(port, more) })).asked).toEqual([]);
    expect(asked).toEqual([]);
  });

  it('is nothing of a container that does not run', async () => {
    const state = { ...containerOf({}).state, status: 'exited' as const };
    expect(await look({ config: web(1, ' server a app:1'), container: { state } })).toMatchObject({
      upstreams: [{ host: 'app' }],
      asked: [],
      taken: [],
    });
  });
});

describe('after an error', () => {
  it('the servers are asked the same, and what HAProxy asks them, byte for byte', async () => {
    const app = await answering((request, response) => response.writeHead(request.headers.host === undefined ? 400 : 200).end());
    const edge = await answering(says(503, NO_SERVER));
    const fact = await look({
      config: web(edge.port, ` option httpchk GET /up\n server a app:${app.port} check\n server b app:1 check backup`),
    });
    expect(app.asked.toSorted()).toEqual(['GET / HTTP/1.1 localhost', 'GET /up HTTP/1.0 no host']);
    expect(fact.asked[0]!.direct.map(({ http }) => http.answer?.status)).toEqual([200]);
    expect(fact.asked[0]!.checks).toMatchObject([
      { server: 'a', request: 'GET /up HTTP/1.0', hasHost: false, status: 400, trial: { outcome: 'ok' } },
    ]);
  });

  it('a health check with a host is asked with it', async () => {
    const app = await answering(says(200));
    const edge = await answering(says(503, NO_SERVER));
    await look({
      config: web(
        edge.port,
        ` option httpchk\n http-check send meth GET uri /up ver HTTP/1.1 hdr Host shop.test\n server a app:${app.port} check`,
      ),
    });
    expect(app.asked).toContain('GET /up HTTP/1.1 shop.test');
  });

  it('one that nobody answers is a fact, too', async () => {
    const edge = await answering(says(503, NO_SERVER));
    const fact = await look({ config: web(edge.port, ' option httpchk\n server a app:1 check') });
    expect(fact.asked[0]!.checks).toMatchObject([{ status: null, trial: { outcome: 'refused' } }]);
    expect(fact.asked[0]!.direct).toMatchObject([{ http: { answer: null } }]);
  });

  it('the page of a file is known by its bytes', async () => {
    const edge = await answering(says(503, '<h1>On holiday</h1>'));
    const config = web(edge.port, ' errorfile 503 /e/503.http\n server a app:1');
    const of = async (text: string) => (await look({ config, files: { '/e/503.http': text } })).asked[0]!.errorFile;
    expect(await of('HTTP/1.0 503 Service Unavailable\r\nContent-Type: text/html\r\n\r\n<h1>On holiday</h1>\n')).toBe('/e/503.http');
    expect(await of('HTTP/1.0 503 Service Unavailable\r\n\r\n<h1>Closed</h1>\n')).toBeUndefined();
  });

  it('what the configuration answers by itself is said to be on purpose', async () => {
    const edge = await answering(says(503, 'closed'));
    expect((await look({ config: web(edge.port, ' http-request return status 503\n server a app:1') })).asked[0]!.onPurpose).toBe(true);
  });
});

describe('ports that pass on bytes', () => {
  const tcp = (port: number) => `listen pg\n bind :${port}\n server a app:1\n`;
  it('keep a connection, or close it at once; nothing is said', async () => {
    const heard: Buffer[] = [];
    const open = await taking((socket) => socket.on('data', (chunk) => heard.push(chunk)));
    const shut = await taking((socket) => socket.destroy());
    const of = async (port: number) => (await look({ config: tcp(port) })).taken.map(({ trial, backend }) => `${backend} ${trial.outcome}`);
    expect(await of(open)).toEqual(['pg ok']);
    expect(await of(shut)).toEqual(['pg reset']);
    expect(heard).toEqual([]);
  });

  it('are left alone before a server that counts connections without a word', async () => {
    let calls = 0;
    const port = await taking(() => (calls += 1));
    expect((await look({ config: tcp(port), appRole: 'mysql' })).taken).toEqual([]);
    expect(calls).toBe(0);
  });
});

describe('the configuration', () => {
  it('may be a folder, of which HAProxy takes some files, in their order', async () => {
    const files = {
      '/lb/20.cfg': 'backend b\n server a app:1\n',
      '/lb/10.cfg': 'defaults\n mode http\n',
      '/lb/old.bak': 'backend no\n server a no:1\n',
      '/lb/.x.cfg': 'backend no\n server a no:1\n',
    };
    const { edge, given } = scene({ config: '', files, container: { command: ['haproxy', '-f', '/lb/'] } });
    expect(await readHaproxyUpstreams(edge, given)).toMatchObject([{ host: 'app', scheme: 'http', at: '/lb/20.cfg:2' }]);
  });

  it('is where it is by default, and is shown as the file of the project', async () => {
    const state = { ...containerOf({}).state, status: 'exited' as const };
    const folder = import.meta.dirname;
    const fact = await look({
      config: web(1, ' server a app:1'),
      container: {
        command: ['haproxy'],
        state,
        mounts: [bind(`${folder}/lb.cfg`, PATH)],
        compose: { ...containerOf({}).compose, workingDir: folder },
      },
    });
    expect(fact.files).toEqual([{ path: PATH, hostPath: `${folder}/lb.cfg` }]);
    expect(fact.upstreams[0]!.at).toBe('lb.cfg:7');
  });

  it('is printed where the archive cannot be had, and may be nowhere', async () => {
    const engine: Partial<EngineClient> = {
      readTree: () => Promise.reject(new EngineError('openat: path escapes from parent', 500, '')),
      exec: (_, command) => Promise.resolve({ exitCode: command[0] === 'cat' ? 0 : 1, stdout: web(1, ' server a app:1'), stderr: '' }),
    };
    const { edge, given } = scene({ config: '', engine });
    expect(await readHaproxyUpstreams(edge, given)).toMatchObject([{ host: 'app' }]);
    expect(await look({ config: '', container: { command: ['haproxy', '-f', '/elsewhere.cfg'] } })).toMatchObject({
      files: [],
      upstreams: [],
      asked: [],
    });
  });
});
