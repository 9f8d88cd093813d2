import { describe, expect, test } from 'vitest';
import { duration, specFromConfig, type ConfigModel, type ConfigService } from '../../src/gather/compose-model.ts';
import { createVault } from '../../src/gather/vault.ts';

const MODEL: ConfigModel = {
  networks: { default: { name: 'shop_default' }, back: { name: 'shared' } },
  volumes: { data: { name: 'shop_data' } },
};
const spec = (service: ConfigService, profiles: string[] = []) => specFromConfig('api', service, MODEL, profiles, createVault());

test('a service as `docker compose config --format json` writes it', () => {
  const found = spec({
    image: 'postgres:18-alpine',
    command: null,
    entrypoint: null,
    environment: { POSTGRES_USER: 'shop', POSTGRES_PASSWORD: 'hunter2', PORT: 5432, DEBUG: true, FROM_SHELL: null },
    ports: [
      { target: 5432, published: '5433', protocol: 'tcp', host_ip: '127.0.0.1' },
      { target: 53, protocol: 'udp' },
    ],
    volumes: [
      { type: 'volume', source: 'data', target: '/var/lib/postgresql' },
      { type: 'bind', source: '/src/x', target: '/x', read_only: true },
      { type: 'volume', target: '/anon' },
      { type: 'npipe', source: 'x', target: 'y' },
    ],
    networks: { default: null, back: {} },
    depends_on: { redis: { condition: 'service_healthy' }, mail: {} },
    healthcheck: { test: ['CMD-SHELL', 'pg_isready'], interval: '2s', timeout: '1m30s', retries: 5, start_period: '500ms' },
    restart: 'unless-stopped',
    container_name: 'the-db',
  });
  expect(found).toEqual({
    name: 'api',
    image: 'postgres:18-alpine',
    build: null,
    command: null,
    entrypoint: null,
    environment: { POSTGRES_USER: 'shop', POSTGRES_PASSWORD: expect.stringMatching(/^‹secret:/), PORT: '5432', DEBUG: 'true' },
    ports: [
      { containerPort: 5432, protocol: 'tcp', hostIp: '127.0.0.1', hostPort: 5433 },
      { containerPort: 53, protocol: 'udp', hostIp: '', hostPort: 0 },
    ],
    mounts: [
      { type: 'volume', source: 'shop_data', destination: '/var/lib/postgresql', readOnly: false },
      { type: 'bind', source: '/src/x', destination: '/x', readOnly: true },
      { type: 'volume', source: '', destination: '/anon', readOnly: false },
      { type: 'other', source: 'x', destination: 'y', readOnly: false },
    ],
    networks: ['shop_default', 'shared'],
    networkMode: null,
    dependsOn: { redis: 'service_healthy', mail: 'service_started' },
    healthcheck: { test: ['CMD-SHELL', 'pg_isready'], intervalMs: 2_000, timeoutMs: 90_000, retries: 5, startPeriodMs: 500 },
    profiles: [],
    active: true,
    replicas: 1,
    restart: 'unless-stopped',
    containerName: 'the-db',
  });
});

test('the shortest service', () => {
  expect(spec({})).toMatchObject({
    image: null,
    build: null,
    command: null,
    environment: {},
    ports: [],
    mounts: [],
    networks: [],
    healthcheck: null,
    active: true,
    replicas: 1,
  });
});

describe('profiles', () => {
  test.each([
    [[], [], true],
    [['dev'], [], false],
    [['dev'], ['dev'], true],
    [['dev', 'ci'], ['ci'], true],
    [['dev'], ['other'], false],
    [['dev'], ['*'], true],
  ])('%j with %j enabled: active is %s', (profiles, enabled, active) => expect(spec({ profiles }, enabled).active).toBe(active));
});

test.each([
  [{ deploy: { replicas: 3 } }, 3],
  [{ deploy: { replicas: 0 } }, 0],
  [{ scale: 0 }, 0],
  [{}, 1],
])('replicas of %j are %s', (service, replicas) => expect(spec(service).replicas).toBe(replicas));

test.each([[undefined], [{ disable: true, test: ['CMD', 'x'] }], [{ test: ['NONE'] }], [{ interval: '1s' }]])(
  'healthcheck %j is none',
  (healthcheck) => expect(spec(healthcheck ? { healthcheck } : {}).healthcheck).toBeNull(),
);

test('a healthcheck in one line is for the shell; what is left out is default', () => {
  expect(spec({ healthcheck: { test: 'curl -f http://localhost' } }).healthcheck).toEqual({
    test: ['CMD-SHELL', 'curl -f http://localhost'],
    intervalMs: 30_000,
    timeoutMs: 30_000,
    retries: 3,
    startPeriodMs: 0,
  });
});

test('builds', () => {
  expect(spec({ build: { context: '/src/api' } }).build).toEqual({ context: '/src/api', dockerfile: 'Dockerfile' });
  expect(spec({ build: null }).build).toBeNull();
});

test('secrets stand neither in the environment nor in commands', () => {
  const found = spec({
    command: ['redis-server', '--requirepass', 'hunter2'],
    entrypoint: 'sh -c "PGPASSWORD=hunter2 x"',
    environment: { DATABASE_URL: 'postgres://u:hunter2@db/x' },
    healthcheck: { test: ['CMD', 'redis-cli', '-a', 'hunter2', 'ping'] },
  });
  expect(JSON.stringify({ ...found, healthcheck: null })).not.toContain('hunter2');
  expect(JSON.stringify(found.healthcheck)).not.toContain('hunter2');
});

test.each([
  ['30s', 30_000],
  ['1m30s', 90_000],
  ['1h', 3_600_000],
  ['500ms', 500],
  ['1.5s', 1_500],
  ['250us', 0.25],
  ['0s', 0],
  [undefined, null],
])('duration %s is %s ms', (text, ms) => expect(duration(text)).toBe(ms));
