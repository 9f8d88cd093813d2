import { describe, expect, test } from 'vitest';
import { gatherContainers } from '../../src/gather/containers.ts';
import { createVault } from '../../src/gather/vault.ts';
import type { Container } from '../../src/model/stack.ts';
import { json, smallEngine } from './small-engine.ts';

type Raw = Record<string, unknown> & { Id: string };

/** As `GET /containers/{id}/json` answers, cut to what is read, with what a case is about put over it. */
const raw = (
  service: string,
  parts: {
    Id?: string;
    State?: object;
    Config?: { Labels?: object } & Record<string, unknown>;
    HostConfig?: object;
    NetworkSettings?: object;
  } & Record<string, unknown> = {},
): Raw => ({
  Id: `id-${service}`,
  Name: `/shop-${service}-1`,
  Created: '2026-11-23T06:00:00Z',
  Image: `sha256:${service}`,
  ...parts,
  State: {
    Status: 'running',
    ExitCode: 0,
    Error: '',
    OOMKilled: false,
    StartedAt: '2026-11-23T06:50:00Z',
    FinishedAt: '0001-01-01T00:00:00Z',
    Pid: 7,
    ...parts.State,
  },
  Config: {
    Image: `${service}:latest`,
    Env: null,
    Cmd: null,
    Entrypoint: null,
    ...parts.Config,
    Labels: {
      'com.docker.compose.project': 'shop',
      'com.docker.compose.service': service,
      'com.docker.compose.container-number': '1',
      'com.docker.compose.oneoff': 'False',
      ...parts.Config?.Labels,
    },
  },
  HostConfig: { NetworkMode: 'shop_default', RestartPolicy: { Name: 'no' }, ...parts.HostConfig },
  NetworkSettings: { Ports: {}, Networks: {}, ...parts.NetworkSettings },
});

const gather = async (containers: Raw[], gone: string[] = []): Promise<Container[]> => {
  const { client } = await smallEngine({
    answer: (request, response) => {
      if (request.url!.startsWith('/containers/json'))
        return json([...containers.map(({ Id }) => ({ Id })), ...gone.map((Id) => ({ Id }))])(request, response);
      const found = containers.find(({ Id }) => request.url!.startsWith(`/containers/${Id}/json`));
      return (found ? json(found) : json({ message: 'No such container' }, 404))(request, response);
    },
  });
  return gatherContainers(client, 'shop', createVault(), AbortSignal.timeout(5_000));
};
const one = async (parts: Parameters<typeof raw>[1]): Promise<Container> => (await gather([raw('api', parts)]))[0]!;

test('asks for the containers of the project, also those that do not run', async () => {
  const { client, requests } = await smallEngine({ answer: json([]) });
  expect(await gatherContainers(client, 'shop', createVault(), AbortSignal.timeout(5_000))).toEqual([]);
  expect(decodeURIComponent(requests[0]!)).toBe('GET /containers/json?all=true&filters={"label":["com.docker.compose.project=shop"]}');
});

test('sorted by service and replica; one that vanishes meanwhile is left out', async () => {
  const replica = (number: number) =>
    raw('web', { Id: `web${number}`, Config: { Labels: { 'com.docker.compose.container-number': String(number) } } });
  const found = await gather([replica(10), raw('api'), replica(2)], ['vanished']);
  expect(found.map((each) => `${each.service} ${each.number}`)).toEqual(['api 1', 'web 2', 'web 10']);
});

test('an engine that fails is an error, not an empty stack', async () => {
  const { client } = await smallEngine({
    answer: (request, response) =>
      (request.url!.startsWith('/containers/json') ? json([{ Id: 'a' }]) : json({ message: 'boom' }, 500))(request, response),
  });
  await expect(gatherContainers(client, 'shop', createVault(), AbortSignal.timeout(5_000))).rejects.toThrow('boom');
});

test('the plain fields', async () => {
  expect(
    await one({
      RestartCount: 4,
      Config: {
        Env: ['PATH=/bin', 'EMPTY=', 'A=b=c', 'NOVALUE'],
        Entrypoint: ['tini', '--'],
        Cmd: ['node', 'server.js'],
        WorkingDir: '',
        User: '1000',
        Tty: true,
        ExposedPorts: { '80/tcp': {}, '53/udp': {} },
        Labels: {
          'com.docker.compose.project.working_dir': '/src/shop',
          'com.docker.compose.project.config_files': '/src/shop/a.yml,/src/shop/b.yml',
          'com.docker.compose.project.environment_file': '',
          'com.docker.compose.depends_on': 'db:service_healthy:false,redis:service_started:true,old',
          'com.docker.compose.config-hash': 'abc',
          'com.docker.compose.version': '2.40.3',
        },
      },
      HostConfig: {
        RestartPolicy: { Name: 'unless-stopped' },
        Memory: 1024,
        ShmSize: 64,
        ReadonlyRootfs: true,
        LogConfig: { Type: 'none' },
        ExtraHosts: ['a:1.2.3.4'],
      },
      Mounts: [
        { Type: 'bind', Source: '/src', Destination: '/app', RW: false },
        { Type: 'volume', Name: 'shop_data', Source: '/var/lib/docker/volumes/shop_data/_data', Destination: '/data', RW: true },
        { Type: 'npipe', Destination: '/x', RW: true },
      ],
    }),
  ).toMatchObject({
    name: 'shop-api-1',
    oneOff: false,
    env: { PATH: '/bin', EMPTY: '', A: 'b=c', NOVALUE: 'NOVALUE' },
    entrypoint: ['tini', '--'],
    command: ['node', 'server.js'],
    workingDir: '/',
    user: '1000',
    tty: true,
    exposedPorts: [80, 53],
    restartPolicy: 'unless-stopped',
    memoryLimit: 1024,
    shmSize: 64,
    readOnlyRoot: true,
    logDriver: 'none',
    extraHosts: ['a:1.2.3.4'],
    mounts: [
      { type: 'bind', source: '/src', destination: '/app', readOnly: true, name: null },
      { type: 'volume', source: 'shop_data', destination: '/data', readOnly: false, name: 'shop_data' },
      { type: 'other', source: '', destination: '/x', readOnly: false },
    ],
    compose: {
      project: 'shop',
      workingDir: '/src/shop',
      configFiles: ['/src/shop/a.yml', '/src/shop/b.yml'],
      environmentFiles: [],
      configHash: 'abc',
      version: '2.40.3',
      dependsOn: { db: 'service_healthy', redis: 'service_started', old: 'service_started' },
    },
  });
});

describe('state', () => {
  test('of a run that goes on: the year 1 is never', async () => {
    expect((await one({})).state).toMatchObject({
      status: 'running',
      exitCode: 0,
      error: '',
      oomKilled: false,
      startedAt: '2026-11-23T06:50:00Z',
      finishedAt: null,
      restartCount: 0,
      pid: 7,
    });
  });
  test('of a start that failed', async () => {
    const { state } = await one({
      State: { Status: 'created', ExitCode: 128, Error: 'port is already allocated', StartedAt: '0001-01-01T00:00:00Z', Pid: 0 },
    });
    expect(state).toMatchObject({ status: 'created', exitCode: 128, error: 'port is already allocated', startedAt: null, pid: 0 });
  });
});

describe('health', () => {
  const check = {
    Test: ['CMD-SHELL', 'curl -f http://localhost'],
    Interval: 2_000_000_000,
    Timeout: 0,
    Retries: 0,
    StartPeriod: 500_000_000,
  };
  test('none', async () => {
    for (const State of [{}, { Health: { Status: 'none' } }]) expect((await one({ State })).health).toBeNull();
    for (const Healthcheck of [undefined, null, { Test: ['NONE'] }, { Test: [] }])
      expect((await one({ Config: { Healthcheck } })).healthcheck).toBeNull();
  });
  test('with its probes; Docker leaves out what is default, and counts in nanoseconds', async () => {
    const found = await one({
      State: { Health: { Status: 'unhealthy', FailingStreak: 3, Log: [{ ExitCode: -1, Output: 'x', Start: 's', End: 'e' }] } },
      Config: { Healthcheck: check },
    });
    expect(found.health).toEqual({ status: 'unhealthy', failingStreak: 3, log: [{ exitCode: -1, output: 'x', start: 's', end: 'e' }] });
    expect(found.healthcheck).toEqual({ test: check.Test, intervalMs: 2_000, timeoutMs: 30_000, retries: 3, startPeriodMs: 500 });
  });
  test('before the first probe', async () =>
    expect((await one({ State: { Health: { Status: 'starting', Log: null } } })).health).toEqual({
      status: 'starting',
      failingStreak: 0,
      log: [],
    }));
});

describe('ports', () => {
  test('bound and asked for; one mapping on every interface is one', async () => {
    const found = await one({
      NetworkSettings: {
        Ports: {
          '80/tcp': [
            { HostIp: '0.0.0.0', HostPort: '8000' },
            { HostIp: '::', HostPort: '8000' },
          ],
          '53/udp': [{ HostIp: '::', HostPort: '53' }],
          '443/tcp': null,
        },
      },
      HostConfig: { PortBindings: { '80/tcp': [{ HostIp: '', HostPort: '8000' }], '81/tcp': [{ HostIp: '127.0.0.1', HostPort: '' }] } },
    });
    expect(found.ports).toEqual([
      { containerPort: 80, protocol: 'tcp', hostIp: '0.0.0.0', hostPort: 8000 },
      { containerPort: 53, protocol: 'udp', hostIp: '::', hostPort: 53 },
    ]);
    expect(found.portBindings).toEqual([
      { containerPort: 80, protocol: 'tcp', hostIp: '', hostPort: 8000 },
      { containerPort: 81, protocol: 'tcp', hostIp: '127.0.0.1', hostPort: 0 },
    ]);
  });
  test('none', async () =>
    expect((await one({ NetworkSettings: { Ports: null, Networks: null }, HostConfig: { PortBindings: null } })).ports).toEqual([]));
});

test('networks: every name once; IPv6 where there is no IPv4', async () => {
  const { networks } = await one({
    NetworkSettings: {
      Networks: {
        shop_default: {
          NetworkID: 'n1',
          IPAddress: '172.18.0.2',
          Gateway: '172.18.0.1',
          Aliases: ['api', 'shop-api-1'],
          DNSNames: ['shop-api-1', 'api', 'abc'],
        },
        six: { NetworkID: 'n2', IPAddress: '', GlobalIPv6Address: 'fd00::2', Aliases: null, DNSNames: null },
        detached: {},
      },
    },
  });
  expect(networks).toEqual([
    { network: 'shop_default', networkId: 'n1', ip: '172.18.0.2', gateway: '172.18.0.1', names: ['shop-api-1', 'api', 'abc'] },
    { network: 'six', networkId: 'n2', ip: 'fd00::2', gateway: '', names: [] },
    { network: 'detached', networkId: '', ip: '', gateway: '', names: [] },
  ]);
});

describe('secrets', () => {
  test('stand nowhere, also where only another container tells that they are one', async () => {
    const found = await gather([
      raw('cache', {
        Config: {
          Cmd: ['redis-server', '/etc/redis.conf', 'sw0rdfish'],
          Healthcheck: { Test: ['CMD-SHELL', 'redis-cli -a sw0rdfish ping'] },
        },
        State: {
          Status: 'exited',
          Error: 'bad argument sw0rdfish',
          Health: { Status: 'unhealthy', Log: [{ ExitCode: 1, Output: `${'x'.repeat(1_995)}sw0rdfish`, Start: '', End: '' }] },
        },
      }),
      raw('worker', { Config: { Env: ['REDIS_URL=redis://:sw0rdfish@cache:6379/0'] } }),
    ]);
    expect(JSON.stringify(found)).not.toMatch(/sw0r/);
    expect(JSON.stringify(found)).toContain('‹secret:');
  });

  test('equal ones have equal marks', async () => {
    const [api, db] = await gather([
      raw('api', { Config: { Env: ['DATABASE_URL=postgres://shop:sw0rdfish@db/shop'] } }),
      raw('db', { Config: { Env: ['POSTGRES_PASSWORD=sw0rdfish'] } }),
    ]);
    expect(api!.env['DATABASE_URL']).toBe(`postgres://shop:${db!.env['POSTGRES_PASSWORD']}@db/shop`);
  });

  test('a password that is also the name of the service, the user or the database leaves prose readable', async () => {
    const [found] = await gather([
      raw('orders', {
        Config: {
          Env: [
            'POSTGRES_PASSWORD=orders',
            'POSTGRES_USER=ledger',
            'X_PASSWORD=ledger',
            'REDIS_URL=redis://cachehost/0',
            'Y_PASSWORD=cachehost',
          ],
        },
        State: { Error: 'orders: ledger at cachehost failed' },
      }),
    ]);
    expect(found!.state.error).toBe('orders: ledger at cachehost failed');
    expect(found!.env['POSTGRES_PASSWORD']).toMatch(/^‹secret:/);
  });
});

test('a container with no labels of a service, of a run by hand, with odd fields', async () => {
  const found = await one({
    Config: {
      Labels: { 'com.docker.compose.service': undefined, 'com.docker.compose.oneoff': 'True', 'com.docker.compose.container-number': 'x' },
    },
    Mounts: null,
  });
  expect(found).toMatchObject({ service: 'shop-api-1', oneOff: true, number: 1, mounts: [] });
});

describe('a loop of crashes whose runs take longer than a look', () => {
  const ago = (seconds: number): string => new Date(Date.now() - seconds * 1000).toISOString();
  test.each<[string, object, number, boolean]>([
    ['restarted five times a minute, and just begun', { StartedAt: ago(11) }, 4, true],
    ['up for longer than its runs took', { StartedAt: ago(30) }, 5, false],
    ['healthy by now', { StartedAt: ago(11), Health: { Status: 'healthy' } }, 4, false],
    ['restarted once, and its healthcheck has not spoken since', { StartedAt: ago(11), Health: { Status: 'starting' } }, 1, true],
    ['restarted once (FA-19)', { StartedAt: ago(11) }, 1, false],
    ['a long pause before its start: its runs were short, and it has outlived them', { StartedAt: ago(11), FinishedAt: ago(13) }, 4, false],
  ])('%s', async (_, State, RestartCount, expected) => {
    const [container] = await gather([raw('api', { Created: ago(80), RestartCount, State: { FinishedAt: ago(12), ...State } })]);
    expect(container?.state.loops).toBe(expected);
  });

  test.each([
    [60, true],
    [300, false],
  ])('one that was well for a day before, up for %i s', async (seconds, expected) => {
    const State = { StartedAt: ago(seconds), FinishedAt: ago(seconds + 0.2) };
    const [container] = await gather([raw('api', { Created: ago(86_400), RestartCount: 3, State })]);
    expect(container?.state.loops === true).toBe(expected);
  });
});

test('names by `links:`, and capabilities that were dropped', async () => {
  const { links, capabilities } = await one({
    HostConfig: { NetworkMode: 'shop_default', CapDrop: ['ALL'], CapAdd: ['CAP_CHOWN', 'setuid'] },
    NetworkSettings: { Networks: { shop_default: { NetworkID: 'n', Links: ['shop-db-1:database', 'odd'] } } },
  });
  expect(links).toEqual({ database: 'shop-db-1' });
  expect(capabilities).toEqual({ dropped: ['ALL'], added: ['CHOWN', 'SETUID'] });
});

test('one that was started again while it was looked at: how it ended, by the events', async () => {
  const began = Date.now();
  let inspected = 0;
  // Every look finds it begun anew.
  const fresh = () => {
    const StartedAt = new Date(began + 10 * inspected++).toISOString();
    return raw('api', { RestartCount: 1, Created: new Date(began - 2_000).toISOString(), State: { StartedAt } });
  };
  const events = ['start', 'oom', 'die', 'start'].map((Action) =>
    JSON.stringify({ Action, Actor: { Attributes: Action === 'die' ? { exitCode: '137' } : {} } }),
  );
  const { client } = await smallEngine({
    answer: (request, response) => {
      if (request.url!.startsWith('/events')) return response.end(events.join('\n'));
      return json(request.url!.startsWith('/containers/json') ? [{ Id: raw('api', {}).Id }] : fresh())(request, response);
    },
  });
  const [found] = await gatherContainers(client, 'shop', createVault(), AbortSignal.timeout(5_000));
  expect(inspected).toBe(2);
  expect(found!.state.lastEnd).toEqual({ exitCode: 137, oomKilled: true });
});

test('how the last run of a loop ended, by the events of the engine', async () => {
  const looping = raw('api', {
    RestartCount: 5,
    Created: new Date(Date.now() - 60_000).toISOString(),
    State: { StartedAt: new Date(Date.now() - 500).toISOString() },
  });
  const event = (Action: string, exitCode?: string) => JSON.stringify({ Action, Actor: { Attributes: exitCode ? { exitCode } : {} } });
  const endOf = async (events: string[]) => {
    const { client } = await smallEngine({
      answer: (request, response) => {
        if (request.url!.startsWith('/events')) return response.end(events.join('\n'));
        return json(request.url!.startsWith('/containers/json') ? [{ Id: looping.Id }] : looping)(request, response);
      },
    });
    return (await gatherContainers(client, 'shop', createVault(), AbortSignal.timeout(5_000)))[0]?.state.lastEnd;
  };
  const run = (...inner: string[]) => [event('start'), ...inner];
  expect(await endOf([...run(event('oom'), event('die', '137')), event('start')])).toEqual({ exitCode: 137, oomKilled: true });
  expect(await endOf([...run(event('oom'), event('die', '137')), ...run(event('die', '1')), event('start')])).toEqual({
    exitCode: 1,
    oomKilled: false,
  });
  expect(await endOf([])).toBeUndefined();
  expect(await endOf(['no JSON'])).toBeUndefined();
});
