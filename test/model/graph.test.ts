import { expect, test } from 'vitest';
import { graphOf } from '../../src/model/graph.ts';
import { makeConnection, makeService, makeStack } from '../checks/make.ts';

const graph = graphOf(
  makeStack({
    services: [
      makeService({
        name: 'app',
        containers: [{ extraHosts: ['legacy:host-gateway', 'pinned:10.0.0.7'] }, { state: { status: 'exited' } }],
      }),
      makeService({ name: 'db', containers: [{ networks: [{ names: ['p-db-1', 'db', 'database', 'id-p-db-1'], network: 'p_back' }] }] }),
      makeService({ name: 'metal', containers: [{ networkMode: 'host' }] }),
      makeService({ name: 'later', containers: [], spec: { networks: ['p_default'] } }),
    ],
    connections: [
      makeConnection(),
      makeConnection({ to: null, host: 'mail.example.org' }),
      makeConnection({ from: 'metal', to: null, host: 'mail.example.org' }),
      makeConnection({ to: null, host: 'localhost' }),
      makeConnection({ from: 'metal', to: null, host: '127.0.0.1' }),
      makeConnection({ to: null, host: 'host.docker.internal' }),
      makeConnection({ to: null, host: 'legacy' }),
      makeConnection({ to: null, host: 'pinned' }),
      makeConnection({ to: 'app', host: 'app' }),
    ],
  }),
);

test('each connection ends where its host is', () => {
  expect(graph.connections.map(({ from, host, place }) => `${from} ${host}: ${place}`)).toEqual([
    'app db: service',
    'app mail.example.org: outside',
    'metal mail.example.org: outside',
    'app localhost: itself',
    'metal 127.0.0.1: host',
    'app host.docker.internal: host',
    'app legacy: host',
    'app pinned: outside',
    'app app: itself',
  ]);
});

test('who lives in the network of another finds it on localhost', () => {
  const services = [
    makeService({ name: 'vpn' }),
    makeService({ name: 'app', containers: [{ networkMode: 'container:id-p-vpn-1' }] }),
    makeService({ name: 'declared', containers: [], spec: { networkMode: 'service:vpn' } }),
    makeService({ name: 'lost', containers: [{ networkMode: 'container:gone' }] }),
  ];
  const connections = ['app', 'declared', 'lost'].map((from) => makeConnection({ from, to: null, host: 'localhost' }));
  expect(graphOf(makeStack({ services, connections })).connections.map(({ to, place }) => `${to} ${place}`)).toEqual([
    'vpn service',
    'vpn service',
    'null itself',
  ]);
});

test('hosts that are not of the stack stand there once, with those who reach for them', () => {
  expect(graph.outside).toEqual([
    { host: 'mail.example.org', from: ['app', 'metal'] },
    { host: 'pinned', from: ['app'] },
  ]);
});

test('a service with its replicas, networks and other names; one that was never started by what is declared', () => {
  const [app, db, later] = graph.services;
  expect(app).toMatchObject({ name: 'app', state: 'running', replicas: 2, running: 1 });
  expect(db).toMatchObject({ networks: ['p_back'], aliases: ['database'] });
  expect(later).toMatchObject({ name: 'later', state: 'missing', replicas: 0, networks: ['p_default'], aliases: [] });
});
