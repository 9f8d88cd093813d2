/** Whatever a project is made of: assembling it never throws, and what a service is depends on itself and on who asks it, not on names or order. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { checks } from '../../src/checks/index.ts';
import { specFromConfig, type ConfigModel, type ConfigService } from '../../src/gather/compose-model.ts';
import { createVault } from '../../src/gather/vault.ts';
import { assembleStack } from '../../src/model/assemble.ts';
import { graphOf } from '../../src/model/graph.ts';
import { instancesOf } from '../../src/model/selection.ts';
import type { ServiceSpec, Stack } from '../../src/model/stack.ts';
import { renderGraph } from '../../src/render/graph.ts';
import { renderList } from '../../src/render/list.ts';

/** Names that say nothing: a role may rest on `…-worker`, where nothing else tells. */
const NAMES = ['alder', 'birch', 'cedar', 'dogwood', 'elm', 'fir', 'ginkgo'];
const OTHERS = ['anna', 'bert', 'cleo', 'dora', 'emil', 'fred', 'gina'];

const IMAGES =
  'postgres:16 redis:7 mysql:8.4 mariadb:11 rabbitmq:3-management mongo:7 nginx:alpine caddy:2 traefik:v3 axllent/mailpit minio/minio apache/kafka:3.8 node:22 ' +
  'python:3.12 ghcr.io/acme/thing:1 registry:5000/x/y@sha256:00 busybox flyway/flyway:10 grafana/grafana';
const COMMANDS =
  'postgres|redis-server --requirepass pw|uvicorn app:app|celery -A app worker|celery -A app beat|npm run build|sleep infinity|alembic upgrade head|node server.js|' +
  "sh -c 'a && exec b'|bash -c 'while true; do pg_dump; sleep 5; done'|sh -c 'x; echo done'|--flag|'unclosed|$(x)|python -m app.worker";

const target = fc.constantFrom(...NAMES, 'localhost', 'outside.example.com', '');
const value = fc.oneof(
  target.map((host) => `postgresql://u:p@${host}:5432/x`),
  target.map((host) => `redis://${host}`),
  target.map((host) => `http://${host}:8000/api`),
  target.map((host) => `amqp://u:p@${host}`),
  fc.tuple(target, target).map(([a, b]) => `${a}:9092,${b}:9092`),
  target,
  fc.string({ maxLength: 20 }),
  fc.constantFrom('a\nb', '${X}', '🐘', '[', '{"a":1}'),
);
const key = fc.constantFrom(
  'DATABASE_URL',
  'REDIS_URL',
  'DB_HOST',
  'DB_PORT',
  'BROKERS',
  'API_URL',
  'PGHOST',
  'HOST',
  'X',
  'mail__host',
  'grün',
  '__proto__',
);
const port = fc.record({
  target: fc.integer({ min: 1, max: 65_535 }),
  published: fc.constantFrom('0', '8080', '8000-8010'),
  protocol: fc.constantFrom('tcp', 'udp'),
});
const condition = fc.constantFrom('service_started', 'service_healthy', 'service_completed_successfully');

const service: fc.Arbitrary<ConfigService> = fc.record(
  {
    image: fc.constantFrom(...IMAGES.split(' ')),
    build: fc.record({ context: fc.constantFrom('.', '/src', 'https://example.com/x.git') }),
    command: fc.oneof(
      fc.constantFrom(...COMMANDS.split('|')).map((each) => each.split(' ')),
      fc.constant(null),
      fc.array(fc.string({ maxLength: 8 }), { maxLength: 3 }),
    ),
    entrypoint: fc.oneof(fc.constant(null), fc.constantFrom<string[]>(['docker-entrypoint.sh'], ['sh', '-c'], [])),
    environment: fc.dictionary(key, fc.oneof(value, fc.integer(), fc.boolean(), fc.constant(null)), { maxKeys: 4 }),
    ports: fc.array(port, { maxLength: 2 }),
    expose: fc.array(fc.constantFrom('8000', '5432/tcp', '1-5', 'x', 80), { maxLength: 2 }),
    networks: fc.constantFrom({ default: null }, { back: { aliases: ['alias'] }, default: {} }, {}),
    labels: fc.constantFrom<Record<string, string | number | boolean>>(
      {},
      { 'traefik.http.services.a.loadbalancer.server.port': 8000 },
      { 'traefik.enable': false },
      { 'traefik.http.routers.a.rule': 'x' },
    ),
    depends_on: fc.dictionary(fc.constantFrom(...NAMES), fc.record({ condition }), { maxKeys: 2 }),
    healthcheck: fc.constantFrom(
      { test: ['NONE'] },
      { test: 'curl -f http://localhost/x' },
      { test: ['CMD', 'redis-cli', 'ping'] },
      { disable: true },
    ),
    profiles: fc.constantFrom([], ['build'], ['x']),
    scale: fc.constantFrom(0, 1, 3),
    restart: fc.constantFrom('no', 'always', 'on-failure:3'),
    network_mode: fc.constantFrom('host', 'none', `service:${NAMES[0]}`),
  },
  { requiredKeys: [] },
);

const project = fc.dictionary(fc.constantFrom(...NAMES), service, { minKeys: 1, maxKeys: 6 });

const MODEL: ConfigModel = { networks: { default: { name: 'p_default' } } };

/** One for all: its marks are of one run. */
const vault = createVault();

const specsOf = (services: Record<string, ConfigService>): ServiceSpec[] => {
  return Object.entries(services).map(([name, each]) => specFromConfig(name, each, MODEL, [], vault));
};

const assembled = (specs: ServiceSpec[]): Stack =>
  assembleStack({ project: { name: 'p', workingDir: '/src/p', files: [], services: specs }, containers: [], proxies: {} });

const rolesOf = ({ services }: Stack) => services.map(({ name, role, roleReason }) => [name, role, roleReason]);
const arrowsOf = ({ connections }: Stack) =>
  connections.map(({ from, to, kind, host, port, source }) => [from, to, kind, host, port, source].join(' ')).toSorted();

describe('a generated project', () => {
  test('is assembled, listed and drawn, with each service in it once', () => {
    fc.assert(
      fc.property(project, (services) => {
        const stack = assembled(specsOf(services));
        expect(stack.services.map(({ name }) => name)).toEqual(Object.keys(services).toSorted());
        for (const { role, roleReason } of stack.services) expect([role, roleReason]).not.toContain('');
        for (const { from, to } of stack.connections) {
          expect(services).toHaveProperty([from]);
          if (to !== null) expect(services).toHaveProperty([to]);
        }
        expect(new Set(instancesOf(stack, checks).map(({ id, check }) => `${id} ${check.title}`)).size).toBe(
          instancesOf(stack, checks).length,
        );
        const terminal = { colour: false, unicode: true, columns: 80, verbose: true };
        const listed = stack.services.map(({ name, role, roleReason }) => ({ name, role, reason: roleReason }));
        expect(renderList({ checks: [], services: listed, note: null }, terminal)).not.toContain('undefined');
        const drawn = { tool: { name: 'd', version: '0' }, stack, graph: graphOf(stack), notes: [] };
        for (const format of ['text', 'mermaid', 'dot', 'json'] as const)
          for (const name of Object.keys(services)) expect(renderGraph(drawn, format, terminal)).toContain(name);
      }),
    );
  });

  test('is the same in another order', () => {
    fc.assert(
      fc.property(project, (services) => {
        const specs = specsOf(services);
        const [one, other] = [assembled(specs), assembled(specs.toReversed())];
        expect(rolesOf(other)).toEqual(rolesOf(one));
        expect(other.connections).toEqual(one.connections);
      }),
    );
  });

  test('is the same under other names', () => {
    fc.assert(
      fc.property(project, (services) => {
        const renamed = (text: string): string => NAMES.reduce((all, name, index) => all.replaceAll(name, OTHERS[index]!), text);
        const stack = assembled(specsOf(services));
        const other = assembled(specsOf(JSON.parse(renamed(JSON.stringify(services))) as Record<string, ConfigService>));
        const roles = (of: Stack, name: (text: string) => string) =>
          Object.fromEntries(of.services.map((each) => [name(each.name), each.role]));
        expect(roles(other, (name) => name)).toEqual(roles(stack, renamed));
        expect(arrowsOf(other)).toEqual(arrowsOf(stack).map(renamed).toSorted());
      }),
    );
  });

  test('is the same beside a service that has nothing to do with it', () => {
    const stranger: ConfigService[] = [
      { image: 'postgres:17' },
      { image: 'ghcr.io/acme/alone' },
      { image: 'redis:7', environment: { A: 'b' } },
      { build: {}, command: ['uvicorn'] },
    ];
    fc.assert(
      fc.property(project, fc.constantFrom(...stranger), (services, one) => {
        const alone = assembled(specsOf(services));
        const beside = assembled(specsOf({ ...services, stranger: one }));
        expect(rolesOf(beside).filter(([name]) => name !== 'stranger')).toEqual(rolesOf(alone));
        expect(arrowsOf(beside)).toEqual(arrowsOf(alone));
      }),
    );
  });
});
