import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, it, onTestFinished } from 'vitest';
import { askBehind } from '../../src/gather/behind.ts';
import { httpTry } from '../checks/attempts.ts';
import { makeConnection } from '../checks/make.ts';
import { containerOf, engineOf, gatheringOf, serviceOf } from './namespace.ts';

const app = async (status: number): Promise<{ port: number; asked: string[] }> => {
  const asked: string[] = [];
  const server = createServer((request, response) => {
    asked.push(`${request.url} ${request.headers.host}`);
    response.writeHead(status).end();
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return { port: (server.address() as AddressInfo).port, asked };
};

const FAILED = httpTry({ url: 'http://172.18.0.2/shop?x=1', answer: { status: 500 } });

const look = async (proxied: object, connections: ReturnType<typeof makeConnection>[] = []) => {
  const front = serviceOf(containerOf({ id: 'front', name: 'box-front-1', service: 'front' }));
  const back = serviceOf(containerOf({ id: 'app', networkMode: 'host' }));
  const given = gatheringOf(engineOf(), [front, back], {}, { connections });
  // The project is no service's.
  given.fact = (() => Promise.resolve({ ok: true, value: { proxied }, ms: 0 })) as unknown as typeof given.fact;
  return (await askBehind(front, FAILED, given)).map(({ service, http }) => `${service} ${http.answer?.status}`);
};

it('asks those whom the Caddyfile names the same question', async () => {
  const { port, asked } = await app(500);
  expect(await look({ front: [{ host: 'app', port, tls: false, at: 'Caddyfile:2' }] })).toEqual(['app 500']);
  expect(asked).toEqual(['/shop?x=1 localhost']);
});

it('asks those whom labels name, each once', async () => {
  const { port, asked } = await app(200);
  const label = makeConnection({
    from: 'front',
    to: 'app',
    kind: 'http',
    host: 'app',
    port,
    source: 'label traefik.http.routers.app.rule of app',
  });
  expect(await look({}, [label, { ...label, source: 'label other' }])).toEqual(['app 200']);
  expect(asked).toHaveLength(1);
});

it('asks nobody else: not who is named in the environment, who speaks TLS or no HTTP, the outside, itself', async () => {
  const { port, asked } = await app(500);
  const told = makeConnection({ from: 'front', to: 'app', kind: 'http', host: 'app', port, source: 'env API_URL' });
  const others = [
    { host: 'app', port, tls: true, at: 'x:1' },
    { host: 'app', port, tls: false, scheme: 'tcp', at: 'x:2' },
    { host: 'example.com', port, tls: false, at: 'x:3' },
    { host: 'front', port, tls: false, at: 'x:4' },
  ];
  expect(await look({ front: others }, [told])).toEqual([]);
  expect(asked).toEqual([]);
});
