import { describe, expect, test } from 'vitest';
import { labelRoutes, routedByLabels } from '../../src/model/label-routes.ts';
import type { LabelRoute } from '../../src/model/stack.ts';
import { makeService } from '../checks/make.ts';

const PORT = 'traefik.http.services.app.loadbalancer.server.port';
const RULE = 'traefik.http.routers.app.rule';

describe('labels', () => {
  test.each([
    ['a port', { [PORT]: '3030' }, [{ port: 3030, tls: false, label: PORT }]],
    [
      'with its scheme',
      { [PORT]: '3030', 'traefik.http.services.app.loadbalancer.server.scheme': 'https' },
      [{ port: 3030, tls: true, label: PORT }],
    ],
    ['a rule alone', { [RULE]: 'Host(`a`)' }, [{ port: null, tls: false, label: RULE }]],
    ['switched off', { [PORT]: '3030', 'traefik.enable': 'false' }, undefined],
    ['a port that is none', { [PORT]: 'web' }, undefined],
    ['TCP', { 'traefik.tcp.services.app.loadbalancer.server.port': '5432' }, undefined],
    ['a secret is not kept', { 'traefik.http.middlewares.auth.basicauth.users': 'admin:$apr1$x' }, undefined],
    ['none', {}, undefined],
  ] as [string, Record<string, string>, LabelRoute[] | undefined][])('%s', (_, labels, routes) =>
    expect(labelRoutes(labels)).toEqual(routes ? { routes } : {}),
  );
});

describe('who asks', () => {
  const traefik = (parts: Parameters<typeof makeService>[0] = {}) =>
    makeService({ name: 'edge', containers: [{ image: 'traefik:v3' }], ...parts });
  const app = (routes: LabelRoute[], exposedPorts: number[] = []) => makeService({ name: 'app', containers: [{ routes, exposedPorts }] });
  const told = { port: 3030, tls: false, label: PORT };
  const asked = (...services: ReturnType<typeof makeService>[]) =>
    routedByLabels(services).map((each) => `${each.from}→${each.to}:${each.port} ${each.source}`);

  test('the one Traefik of the stack, on the port that is told', () =>
    expect(asked(traefik(), app([told]))).toEqual([`edge→app:3030 label ${PORT} of app`]));
  test('else on the only one that the image exposes', () => {
    const open = { port: null, tls: false, label: RULE };
    expect(asked(traefik(), app([open], [8080]))).toEqual([`edge→app:8080 label ${RULE} of app`]);
    expect(asked(traefik(), app([open], [8080, 9090]))).toEqual([]);
  });
  test('nobody, where there is none or there are two, or it goes by addresses', () => {
    expect(asked(app([told]))).toEqual([]);
    expect(asked(traefik(), traefik({ name: 'edge2' }), app([told]))).toEqual([]);
    expect(asked(traefik({ containers: [{ image: 'traefik:v3', networkMode: 'host' }] }), app([told]))).toEqual([]);
  });
});
