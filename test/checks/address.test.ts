import { describe, expect, it } from 'vitest';
import { address } from '../../src/checks/address.ts';
import type { Trial } from '../../src/model/facts.ts';
import type { Connection, Container } from '../../src/model/stack.ts';
import { ask, fact, gap, inShort, makeConnection, makeService, makeStack } from './make.ts';

interface Given {
  connection?: Partial<Connection>;
  container?: Partial<Container>;
  failing?: boolean;
  log?: string[];
  trial?: Partial<Trial>;
  addresses?: string[];
}

const look = ({ connection = {}, container = {}, failing, log = [], trial, addresses }: Given) => {
  const each = makeConnection(connection);
  const app = makeService({
    containers: [{ ...(container as object), ...(failing ? { state: { status: 'restarting', exitCode: 1 } } : {}) }],
  });
  return ask(address, {
    stack: makeStack({ services: [app, makeService({ name: 'db' }), makeService({ name: 'proxy' })], connections: [each] }),
    service: 'app',
    facts: {
      logs: fact({ container: 'p-app-1', since: null, lines: log.map((text) => ({ time: null, stream: 'stderr', text })) }),
      networks: fact([
        {
          id: 'net-p_default',
          name: 'p_default',
          driver: 'bridge',
          project: 'p',
          subnets: ['172.18.0.0/16'],
          internal: false,
          members: [],
        },
      ]),
      ...(trial || addresses
        ? {
            reach: fact({
              container: 'p-app-1',
              targets: [
                {
                  host: each.host,
                  port: each.port,
                  addresses: addresses ?? null,
                  trial: { layer: 'tcp', outcome: 'ok', code: '', text: '', ms: 1, ...trial },
                  view: { kind: 'inside', service: 'app', network: null },
                },
              ],
            }),
          }
        : {}),
    },
  });
};

const short = (given: Given): string => inShort(address, look(given));

const api: Partial<Connection> = { kind: 'http', to: 'api', host: 'api', port: 8000, source: 'env API_URL' };
const proxied = { HTTP_PROXY: 'http://proxy.corp.example:3128' };
const gateway: Partial<Connection> = { to: null, host: 'host.docker.internal' };
const nameless: Partial<Trial> = { layer: 'name', outcome: 'not-found', text: 'Name or service not known' };

describe('address: what suits', () => {
  it.each<[string, Given]>([
    ['a URL that is read', {}],
    ['a proxy with an exception', { connection: api, container: { env: { ...proxied, NO_PROXY: 'localhost,api' } } }],
    [
      'a proxy with an exception for a domain',
      { connection: { ...api, host: 'api.local' }, container: { env: { ...proxied, no_proxy: '.local' } } },
    ],
    ['a proxy with an exception for all', { connection: api, container: { env: { ...proxied, no_proxy: '*' } } }],
    ['a proxy, and a database, which goes past it', { container: { env: proxied } }],
    ['a proxy that is a service of the stack', { connection: api, container: { env: { HTTP_PROXY: 'http://proxy:3128' } } }],
    [
      'host.docker.internal that is declared',
      { connection: gateway, container: { extraHosts: ['host.docker.internal:host-gateway'] }, trial: {} },
    ],
    ['host.docker.internal of Docker Desktop', { connection: gateway, trial: {} }],
    ['a name on the network', { addresses: ['172.18.0.3'] }],
    ['a name that extra_hosts leads elsewhere', { addresses: ['93.184.216.34'], container: { extraHosts: ['db:93.184.216.34'] } }],
    ['an outside database', { connection: { to: null, host: 'db.example.com' }, addresses: ['93.184.216.34'] }],
  ])('%s', (_, given) => {
    expect(short(given)).toBe('pass');
  });

  it('could not look', () => {
    const stack = makeStack({ services: [makeService()], connections: [makeConnection()] });
    expect(inShort(address, ask(address, { stack, service: 'app', facts: { logs: gap('no log') } }))).toBe('cannot look');
  });
});

describe('address: what does not', () => {
  it.each<[string, Given, string]>([
    [
      'a driver in the scheme',
      {
        failing: true,
        log: ['ValueError: invalid DSN: scheme is expected to be either "postgresql" or "postgres", got \'postgresql+asyncpg\''],
      },
      'fail wrong-scheme',
    ],
    [
      'no driver in the scheme, in an app that runs',
      { log: ['The asyncio extension requires an async driver to be used.'] },
      'warn wrong-scheme',
    ],
    ['a proxy without an exception', { connection: api, container: { env: proxied } }, 'warn through-proxy'],
    [
      'the same, and the log says so',
      { connection: api, container: { env: proxied }, log: ['requests.exceptions.ProxyError: HTTPConnectionPool'] },
      'fail through-proxy',
    ],
    ['host.docker.internal on Linux', { connection: gateway, trial: nameless }, 'fail host-gateway-missing'],
    [
      'the same for a tool that may not be needed',
      { connection: { ...gateway, kind: 'http' }, trial: nameless },
      'warn host-gateway-missing',
    ],
    [
      'a program on the host that listens for itself alone',
      {
        connection: gateway,
        container: { extraHosts: ['host.docker.internal:host-gateway'] },
        trial: { outcome: 'refused', text: 'Connection refused' },
      },
      'fail host-refuses',
    ],
    ['a search domain that answers to everything', { addresses: ['93.184.216.34'] }, 'fail resolves-outside'],
  ])('%s', (_, given, expected) => {
    expect(short(given)).toBe(expected);
  });
});
