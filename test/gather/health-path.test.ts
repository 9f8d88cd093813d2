import { describe, expect, test } from 'vitest';
import { healthcheckUrl, httpPorts, schemeOf } from '../../src/gather/health-path.ts';
import { makeConnection, makeContainer, makePort, makeService, makeStack } from '../checks/make.ts';

describe('where a service may answer HTTP', () => {
  const ports = (parts: Parameters<typeof makeContainer>[0], asked: number[] = []) => {
    const service = makeService({ containers: [parts!] });
    const connections = asked.map((port) => makeConnection({ from: 'web', to: 'app', kind: 'http', port }));
    return httpPorts(makeStack({ services: [service], connections }), service, service.containers[0]!);
  };
  const bound = (...numbers: number[]) => ({ portBindings: numbers.map((containerPort) => makePort({ containerPort })) });

  test.each([
    ['what clients use, then what is published', { ...bound(9000, 8000) }, [4000], { told: [4000, 8000, 9000], guessed: [] }],
    ['what the image exposes is a guess', { exposedPorts: [5432, 9999, 3000] }, [], { told: [], guessed: [3000, 9999] }],
    [
      'of Mailpit, not SMTP and not POP3',
      { image: 'axllent/mailpit', ...bound(1025, 8025), exposedPorts: [1025, 1110, 8025] },
      [],
      { told: [8025], guessed: [8025] },
    ],
    [
      'a known port that is another protocol elsewhere',
      { image: 'prom/alertmanager', ...bound(9093) },
      [],
      { told: [9093], guessed: [9093] },
    ],
    [
      'a published port before the known one',
      { image: 'dpage/pgadmin4', ...bound(5050), exposedPorts: [443, 80] },
      [],
      { told: [5050], guessed: [80, 443] },
    ],
    ['the known port where nothing is declared', { image: 'grafana/grafana' }, [], { told: [], guessed: [3000] }],
  ] as const)('%s', (_, parts, asked, expected) => expect(ports(parts as never, [...asked])).toEqual(expected));
});

test.each([
  ['as its clients ask it', [true], 9200, 'https'],
  ['where one of them asks plainly', [true, false], 9200, 'http'],
  ['by the port where nobody asks', [], 8443, 'https'],
  ['by the port where nobody asks', [], 9200, 'http'],
] as const)('%s: %j on %i is %s', (_, clients, port, scheme) => {
  const service = makeService();
  const connections = clients.map((tls, index) => makeConnection({ from: `c${index}`, to: 'app', kind: 'http', port, tls }));
  expect(schemeOf(makeStack({ services: [service], connections }), service, port)).toBe(scheme);
});

test('the path of a probe that bash speaks by hand', () => {
  const test = ['CMD', '/bin/bash', '-c', 'exec 3<>/dev/tcp/127.0.0.1/9000 && echo -e "GET /_health/ HTTP/1.1\\r\\n" >&3'];
  const container = makeContainer({ healthcheck: { test, intervalMs: 1, timeoutMs: 1, retries: 1, startPeriodMs: 0 } });
  expect(healthcheckUrl(container)).toEqual({ scheme: 'http', port: 9000, path: '/_health/' });
});
