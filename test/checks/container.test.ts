import { describe, expect, it } from 'vitest';
import { container } from '../../src/checks/container.ts';
import type { Listener } from '../../src/model/facts.ts';
import type { ContainerState, Service } from '../../src/model/stack.ts';
import { ask, fact, findingsOf, gap, inShort, makeConnection, makeService, makeStack, NOW } from './make.ts';

interface Extra {
  others?: Service[];
  log?: string[];
  listeners?: Listener[];
  connections?: ReturnType<typeof makeConnection>[];
}

const logOf = (service: Service, lines: string[]) =>
  fact({ container: service.containers[0]?.name ?? '', since: null, lines: lines.map((text) => ({ time: null, stream: 'stderr', text })) });

const look = (service: Service, { others = [], log = [], listeners, connections = [] }: Extra = {}) =>
  ask(container, {
    stack: makeStack({ services: [service, ...others], connections }),
    service: service.name,
    facts: {
      containers: fact(service.containers),
      logs: logOf(service, log),
      ...(listeners ? { inside: fact({ container: service.containers[0]!.name, listeners }) } : {}),
    },
  });

const short = (service: Service, extra: Extra = {}): string => inShort(container, look(service, extra));

const inState = (state: Partial<ContainerState>, parts: Parameters<typeof makeService>[0] = {}, rest = {}): Service =>
  makeService({ ...parts, containers: [{ state, ...rest }] });

const unhealthy = (output: string, exitCode = 1, test = ['CMD-SHELL', 'curl -f http://localhost:8000/']) =>
  makeService({
    containers: [
      {
        health: {
          status: 'unhealthy',
          failingStreak: 3,
          log: [
            { exitCode: 0, output: 'old', start: NOW, end: NOW },
            { exitCode, output, start: NOW, end: NOW },
          ],
        },
        healthcheck: { test, intervalMs: 1, timeoutMs: 1, retries: 3, startPeriodMs: 0 },
      },
    ],
  });

const secondsAgo = (seconds: number): string => new Date(Date.parse(NOW) - seconds * 1000).toISOString();

describe('container: what is as it should be', () => {
  it.each<[string, Service, string]>([
    ['runs', makeService(), 'pass'],
    ['FA-15 has no healthcheck', makeService({ containers: [{ health: null }] }), 'pass'],
    ['FA-16 is starting', makeService({ containers: [{ health: { status: 'starting', failingStreak: 1, log: [] } }] }), 'pass'],
    ['FA-1 a builder that ended', inState({ status: 'exited' }, { role: 'build-only' }), 'pass'],
    ['FA-1 a builder that never started', inState({ status: 'created' }, { role: 'build-only' }), 'pass'],
    ['FA-1 a builder that has no container', makeService({ role: 'build-only', containers: [] }), 'skip'],
    ['FA-2 a migration that succeeded', inState({ status: 'exited' }, { role: 'one-shot' }), 'pass'],
    ['FA-3 `restart: "no"` and exit 0', inState({ status: 'exited' }, { role: 'http', spec: { restart: 'no' } }), 'pass'],
    [
      'FA-4 a builder (`sleep infinity`) that the user stopped',
      inState({ status: 'exited', exitCode: 137 }, { role: 'build-only' }),
      'pass',
    ],
    ['FA-4 the same with `init: true`', inState({ status: 'exited', exitCode: 143 }, { role: 'build-only' }), 'pass'],
    ['FA-5 behind a profile', makeService({ spec: { active: false, profiles: ['debug'] }, containers: [] }), 'skip'],
    ['FA-5 behind a profile, ended', inState({ status: 'exited', exitCode: 1 }, { spec: { active: false, profiles: ['debug'] } }), 'skip'],
    ['FA-5 behind a profile, started all the same', makeService({ spec: { active: false, profiles: ['debug'] } }), 'pass'],
    ['FA-5 zero replicas', makeService({ spec: { replicas: 0 }, containers: [] }), 'skip'],
    ['FA-6 a builder that sleeps', makeService({ role: 'build-only' }), 'pass'],
    ['FA-19 restarted, and stable since', inState({ restartCount: 5 }, {}, { createdAt: '2026-11-23T06:00:00.000Z' }), 'pass'],
    ['FA-20 three replicas', makeService({ containers: [{}, {}, {}] }), 'pass'],
    ['a script that nobody reaches for and that ended well', inState({ status: 'exited' }), 'pass'],
    ['an orphan that runs', makeService({ spec: null }), 'pass'],
  ])('%s', (_, service, expected) => {
    expect(short(service)).toBe(expected);
  });

  it('FA-7, FA-8 words in the log of a container that runs are nothing', () => {
    const log = ['FATAL:  role "root" does not exist', 'WARNING Memory overcommit must be enabled!', 'connection refused'];
    expect(short(makeService({ name: 'db', role: 'postgres' }), { log })).toBe('pass');
  });

  it('FA-19 tells of restarts', () => {
    expect(look(inState({ restartCount: 1 }))).toMatchObject({ note: 'runs, restarted 1 time before, stable since' });
    expect(look(inState({ restartCount: 6, startedAt: secondsAgo(2), loops: false }))).toMatchObject({
      findings: [],
      note: 'runs, restarted 6 times before, stable since',
    });
  });
});

describe('container: a program that works with Docker', () => {
  it('speaks a version that the engine no longer knows', () => {
    const log = ['Error response from daemon: client version 1.24 is too old. Minimum supported API version is 1.44, please upgrade'];
    expect(short(makeService({ name: 'edge' }), { log })).toBe('fail docker-client-too-old');
    expect(short(makeService({ name: 'edge' }), { log: ['client version 1.44 connected'] })).toBe('pass');
  });
});

describe('container: what is not', () => {
  it.each<[string, Service, string]>([
    ['no container', makeService({ containers: [] }), 'fail missing'],
    ['paused', inState({ status: 'paused' }), 'fail paused'],
    ['dead', inState({ status: 'dead' }), 'fail dead'],
    ['being removed', inState({ status: 'removing' }), 'fail missing'],
    ['ended with an error', inState({ status: 'exited', exitCode: 1 }), 'fail exited'],
    [
      'FA-17 ended while healthy: one finding, and not its health',
      makeService({
        containers: [{ state: { status: 'exited', exitCode: 1 }, health: { status: 'unhealthy', failingStreak: 0, log: [] } }],
      }),
      'fail exited',
    ],
    ['a server that was stopped', inState({ status: 'exited' }, { role: 'postgres' }), 'fail exited'],
    ['a server that a stop killed', inState({ status: 'exited', exitCode: 137 }, { role: 'http' }), 'fail exited'],
    [
      'something with ports that ended with 0',
      inState({ status: 'exited' }, {}, { portBindings: [{ containerPort: 80, protocol: 'tcp', hostIp: '', hostPort: 80 }] }),
      'fail exited',
    ],
    ['a migration that failed', inState({ status: 'exited', exitCode: 3 }, { role: 'one-shot' }), 'fail job-failed'],
    ['a migration that was killed', inState({ status: 'exited', exitCode: 137 }, { role: 'one-shot' }), 'fail job-failed'],
    ['killed for its memory', inState({ status: 'exited', exitCode: 137, oomKilled: true }), 'fail oom-killed'],
    ['killed for its memory, again and again', inState({ status: 'restarting', exitCode: 137, oomKilled: true }), 'fail oom-killed'],
    ['a child killed for its memory', inState({ oomKilled: true }), 'warn child-oom-killed'],
    ['between two starts', inState({ status: 'restarting', exitCode: 1, restartCount: 4 }), 'fail restarting'],
    [
      'caught just started, for the sixth time, and seen to end again',
      inState({ restartCount: 6, startedAt: secondsAgo(2), loops: true }, {}, { createdAt: secondsAgo(60) }),
      'fail restarting',
    ],
    [
      'killed for its memory, again and again, and caught as it runs',
      inState({ restartCount: 6, startedAt: secondsAgo(2), loops: true, lastEnd: { exitCode: 137, oomKilled: true } }),
      'fail oom-killed',
    ],
    [
      'ended with an error, again and again, and caught as it runs',
      inState({ restartCount: 6, startedAt: secondsAgo(2), loops: true, lastEnd: { exitCode: 3, oomKilled: false } }),
      'fail restarting',
    ],
    [
      'just started, for the sixth time, and not seen to end: it has recovered',
      inState({ restartCount: 6, startedAt: secondsAgo(2), loops: false }, {}, { createdAt: secondsAgo(60) }),
      'pass',
    ],
    [
      'seen to end, and caught as it waits for its next start',
      inState({ status: 'restarting', exitCode: 1, restartCount: 6, loops: true }),
      'fail restarting',
    ],
    [
      'restarted twice yesterday, and just now by a person',
      inState({ restartCount: 2, startedAt: secondsAgo(8), loops: false }, {}, { createdAt: secondsAgo(86_400) }),
      'pass',
    ],
    [
      'ended once, just started again, and seen to end again',
      inState({ restartCount: 1, startedAt: secondsAgo(2), loops: true }, {}, { createdAt: secondsAgo(10) }),
      'fail restarting',
    ],
    [
      'ended once, and just started again',
      inState({ restartCount: 1, startedAt: secondsAgo(2), loops: false }, {}, { createdAt: secondsAgo(10) }),
      'pass',
    ],
    [
      'ended once, and has run for a while',
      inState({ restartCount: 1, startedAt: secondsAgo(8), loops: false }, {}, { createdAt: secondsAgo(12) }),
      'pass',
    ],
    [
      'just restarted, and healthy',
      makeService({
        containers: [
          {
            state: { restartCount: 6, startedAt: secondsAgo(2), loops: false },
            createdAt: secondsAgo(60),
            health: { status: 'healthy', failingStreak: 0, log: [] },
          },
        ],
      }),
      'pass',
    ],
    ['never started, with nothing to wait for', inState({ status: 'created' }), 'fail dependency-failed'],
  ])('%s', (_, service, expected) => {
    expect(short(service)).toBe(expected);
  });

  it('explains the exit code, and 137 as a stop', () => {
    expect(findingsOf(look(inState({ status: 'exited', exitCode: 137 }, { role: 'http' })))[0].message).toMatch(
      /is stopped \(137: SIGKILL/,
    );
  });

  it('names the limit that was reached', () => {
    const [finding] = findingsOf(
      look(inState({ status: 'exited', exitCode: 137, oomKilled: true }, {}, { memoryLimit: 80 * 1024 * 1024 })),
    );
    expect(finding.message).toContain('80 MiB');
  });

  it('tells when it failed and how long it was up, where it ended once', () => {
    const [from, until] = ['2026-11-23T06:00:00Z', '2026-11-23T06:30:00Z'];
    const ended = (state: Partial<ContainerState>) => ({
      state: { status: 'exited' as const, startedAt: from, finishedAt: until, exitCode: 1, ...state },
    });
    const first = (...containers: ReturnType<typeof ended>[]) => findingsOf(look(makeService({ role: 'http', containers })))[0];
    expect(first(ended({}))).toMatchObject({ failedAt: until, well: { from, until } });
    // Who was stopped did not fail.
    expect(first(ended({ exitCode: 143 }))).toMatchObject({ well: { from, until } });
    for (const finding of [
      first(ended({ exitCode: 143 })),
      first(ended({ restartCount: 2 })),
      first(ended({ status: 'restarting' })),
      first(ended({}), ended({ finishedAt: '2026-11-23T06:10:00Z' })),
    ])
      expect(finding.failedAt).toBeUndefined();
    expect(first(ended({}), ended({ finishedAt: '2026-11-23T06:10:00Z' })).well).toBeUndefined();
  });

  it('takes replicas that fail alike for one finding, which blocks nothing while another runs', () => {
    const ended = { state: { status: 'exited', exitCode: 1 } } as const;
    const [finding, ...more] = findingsOf(look(makeService({ containers: [{}, ended, ended] })));
    expect(more).toEqual([]);
    expect(finding).toMatchObject({ reason: 'exited', blocks: false });
    expect(finding.message).toContain('1 more of 3');
    expect(findingsOf(look(makeService({ containers: [ended] })))[0].blocks).toBeUndefined();
  });
});

describe('container: Docker could not start it', () => {
  const failed = (error: string, state: Partial<ContainerState> = {}) => inState({ status: 'created', exitCode: 128, error, ...state });

  it.each<[string, string]>([
    [
      'failed to set up container networking: driver failed programming external connectivity on endpoint p-db-1: failed to bind host port for 0.0.0.0:5432:172.19.0.3:5432/tcp: address already in use',
      'fail start-failed',
    ],
    [
      'driver failed programming external connectivity on endpoint p-db-1 (9f): Bind for 0.0.0.0:5432 failed: port is already allocated',
      'fail start-failed',
    ],
    [
      'Ports are not available: exposing port TCP 0.0.0.0:5432 -> 0.0.0.0:0: listen tcp 0.0.0.0:5432: bind: address already in use',
      'fail start-failed',
    ],
    [`failed to set up container networking: network ${'ab'.repeat(32)} not found`, 'fail network-gone'],
    [
      'failed to create task for container: failed to create shim task: OCI runtime create failed: runc create failed: unable to start container process: error mounting "/src/nginx.conf" to rootfs at "/etc/nginx/nginx.conf": not a directory: Are you trying to mount a directory onto a file (or vice-versa)?',
      'fail mount-failed',
    ],
    ['invalid mount config for type "bind": bind source path does not exist: /src/dist', 'fail mount-failed'],
    [
      'OCI runtime create failed: runc create failed: unable to start container process: exec: "uvicorn": executable file not found in $PATH',
      'fail command-not-found',
    ],
    [
      'unable to start container process: exec: "/app/entrypoint.sh": stat /app/entrypoint.sh: no such file or directory',
      'fail command-not-found',
    ],
    ['unable to start container process: exec: "/m/noexec.sh": permission denied', 'fail not-executable'],
    ['unable to enable DNAT rule: iptables: No chain/target/match by that name', 'fail start-failed'],
  ])('%s', (error, expected) => {
    expect(short(failed(error))).toBe(expected);
  });

  it('outranks an exit code that is left from an earlier run', () => {
    const error = `network ${'ab'.repeat(32)} not found`;
    expect(short(failed(error, { status: 'exited', exitCode: 143 }))).toBe('fail network-gone');
  });

  it('leaves a taken port to the check that names who holds it', () => {
    const [finding] = findingsOf(look(failed('Bind for 0.0.0.0:5432 failed: port is already allocated')));
    expect(finding.suspects).toEqual([{ service: 'app', code: 'ports/taken' }]);
    expect(finding.values).toMatchObject({ port: '5432' });
  });

  it('takes one deleted network for one fault', () => {
    const error = `failed to set up container networking: network ${'ab'.repeat(32)} not found`;
    const [app, db] = ['app', 'db'].map((name) =>
      makeService({ name, containers: [{ state: { status: 'exited', exitCode: 0, error } }] }),
    ) as [Service, Service];
    expect(findingsOf(look(app, { others: [db] }))[0].suspects).toEqual([]);
    expect(findingsOf(look(db, { others: [app] }))[0].suspects).toEqual([{ service: 'app', code: 'container/network-gone' }]);
  });

  it('says the error without its wrapping, and shows it whole', () => {
    const error =
      'failed to create task for container: failed to create shim task: OCI runtime create failed: runc create failed: unable to start container process: exec: "x": executable file not found in $PATH';
    const [finding] = findingsOf(look(failed(error)));
    expect(finding.message).toBe('app did not start: exec: "x": executable file not found in $PATH');
    expect(finding.evidence[0]!.text).toBe(error);
  });

  it('names the program', () => {
    expect(findingsOf(look(failed('exec: "uvicorn": executable file not found in $PATH')))[0].values).toMatchObject({ program: 'uvicorn' });
  });
});

describe('container: what its log says', () => {
  const ended = (exitCode = 1) => inState({ status: 'exited', exitCode });
  const db = makeService({ name: 'db', role: 'postgres', containers: [{ state: { status: 'exited', exitCode: 1 } }] });
  const toDb = { others: [db], connections: [makeConnection()] };

  it.each<[string, number, string, string]>([
    ['a missing command', 127, 'sh: 1: uvicorn: not found', 'fail command-not-found'],
    ['a missing command in a script', 127, '/entrypoint.sh: line 4: alembic: command not found', 'fail command-not-found'],
    ['127 by itself proves nothing', 127, 'bye', 'fail exited'],
    ['a Windows line end', 1, 'exec /entrypoint.sh: no such file or directory', 'fail command-not-found'],
    ['the same, as another runc ends it', 255, 'exec /entrypoint.sh: no such file or directory', 'fail command-not-found'],
    ['another architecture, or no #!', 255, 'exec /entrypoint.sh: exec format error', 'fail not-executable'],
    ['no x bit', 126, '/bin/sh: ./run.sh: Permission denied', 'fail not-executable'],
  ])('%s', (_, exitCode, line, expected) => {
    expect(short(ended(exitCode), { log: [line] })).toBe(expected);
  });

  it.each<[string, string, object[]]>([
    [
      'a name',
      'psycopg2.OperationalError: could not translate host name "db" to address: Name or service not known',
      [
        { service: 'app', check: 'network' },
        { service: 'db', check: 'container' },
      ],
    ],
    [
      'a name, in node',
      'Error: getaddrinfo EAI_AGAIN db',
      [
        { service: 'app', check: 'network' },
        { service: 'db', check: 'container' },
      ],
    ],
    [
      'no name at all',
      'socket.gaierror: [Errno -3] Temporary failure in name resolution',
      [
        { service: 'app', check: 'network' },
        { service: 'db', check: 'container' },
      ],
    ],
    ['a name that nobody has', 'Error: getaddrinfo ENOTFOUND postgres', [{ service: 'app', check: 'network' }]],
    [
      'a refused connection',
      'connection to server at "db" (172.18.0.2), port 5432 failed: Connection refused',
      [{ service: 'app', check: 'network' }, { service: 'db' }],
    ],
    [
      'a refused connection to itself',
      "OSError: Multiple exceptions: [Errno 111] Connect call failed ('127.0.0.1', 5432)",
      [{ service: 'app', check: 'network' }],
    ],
    [
      'a password',
      'FATAL:  password authentication failed for user "app"',
      [
        { service: 'app', check: 'compose' },
        { service: 'db', code: 'postgres/*' },
      ],
    ],
    ['its own code', "ModuleNotFoundError: No module named 'nosuch'", [{ service: 'app', check: 'startup' }]],
  ])('points where %s points', (_, line, suspects) => {
    expect(findingsOf(look(ended(), { ...toDb, log: ['starting', line] }))[0].suspects).toEqual(suspects);
  });

  it('leaves what nginx says of its configuration to the check that reads it', () => {
    const nginx = makeService({ name: 'web', role: 'nginx', containers: [{ state: { status: 'exited', exitCode: 1 } }] });
    const log = ['[emerg] 1#1: host not found in upstream "backnd" in /etc/nginx/conf.d/default.conf:9'];
    expect(findingsOf(look(nginx, { log }))[0].suspects).toContainEqual({ service: 'web', check: 'proxy' });
  });

  it('knows a service by its address', () => {
    const cache = makeService({ name: 'cache', role: 'redis', containers: [{ networks: [{ ip: '172.18.0.9' }] }] });
    const [finding] = findingsOf(look(ended(), { others: [cache], log: ['Error: connect ECONNREFUSED 172.18.0.9:6379'] }));
    expect(finding.suspects).toContainEqual({ service: 'cache' });
  });

  it('quotes the line that names its matter, before a later one that names none', () => {
    const log = ['getaddrinfo ENOTFOUND db', 'Permission denied', 'shutting down'];
    expect(findingsOf(look(ended(), { ...toDb, log }))[0].message).toContain('getaddrinfo ENOTFOUND db');
  });

  it('quotes the last lines when none is known', () => {
    const [finding] = findingsOf(look(ended(), { log: ['one', 'two', '', 'three', 'four'] }));
    expect(finding.evidence.slice(1).map((each) => each.text)).toEqual(['two', 'three', 'four']);
    expect(finding.suspects).toBeUndefined();
  });

  it('sets an empty superuser password down to the variable', () => {
    const own = makeService({ name: 'db', role: 'postgres', containers: [{ state: { status: 'exited', exitCode: 1 } }] });
    const [finding] = findingsOf(look(own, { log: ['Error: Database is uninitialized and superuser password is not specified.'] }));
    expect(finding.suspects).toContainEqual({ code: 'compose/variable-unset' });
  });

  it('sets the refused mount of Postgres 18 down to the path', () => {
    const own = makeService({ name: 'db', role: 'postgres', containers: [{ state: { status: 'restarting', exitCode: 1 } }] });
    const log = [
      'Error: in 18+, these Docker images are configured to store database data in a',
      '       /var/lib/postgresql/data (unused mount/volume)',
      'This is usually the result of upgrading',
    ];
    expect(findingsOf(look(own, { log }))[0].suspects).toEqual([{ service: 'db', code: 'compose/postgres-data-path' }]);
  });

  it("FA-7 does not take clients' mistakes in a server's log for its own", () => {
    const own = makeService({ name: 'db', role: 'postgres', containers: [{ state: { status: 'exited', exitCode: 1 } }] });
    const [finding] = findingsOf(
      look(own, { log: ['FATAL:  role "root" does not exist', 'PANIC:  could not locate a valid checkpoint record'] }),
    );
    expect(finding.message).toContain('checkpoint');
    expect(findingsOf(look(own, { log: ['FATAL:  role "root" does not exist'] }))[0].suspects).toBeUndefined();
  });

  it('reads no log of another replica', () => {
    const service = makeService({ containers: [{ name: 'first' }, { name: 'second', state: { status: 'exited', exitCode: 1 } }] });
    const [finding] = findingsOf(look(service, { log: ['getaddrinfo ENOTFOUND db'] }));
    expect(finding.message).not.toContain('ENOTFOUND');
  });

  it('what it said long before it was stopped is not why it ended, and nobody else is', () => {
    const log = ['sh: line 0: locale: not found', 'getaddrinfo ENOTFOUND db', 'one', 'two', 'received SIGTERM', 'bye'];
    const [finding] = findingsOf(look(inState({ status: 'exited', exitCode: 143 }), { ...toDb, log }));
    expect(finding.message).toBe('app is stopped (143: SIGTERM: asked to stop)');
    expect(finding.suspects).toEqual([]);
  });

  it('one that was stopped and not started again waits for what does not start', () => {
    const service = inState({ status: 'exited' }, { role: 'http', spec: { dependsOn: { db: 'service_started' } } });
    expect(findingsOf(look(service, { others: [db] }))[0].suspects).toEqual([{ service: 'db', check: 'container' }]);
  });

  it.each([
    '/app/entrypoint.sh: line 3: set: pipefail\ufffd: invalid option name',
    "/usr/bin/env: 'bash\\r': No such file or directory",
    "entrypoint.sh: line 2: $'\\r': command not found",
  ])('knows Windows line ends: %s', (line) => {
    expect(findingsOf(look(ended(2), { log: [line] }))[0].evidence.map((each) => each.source)).toContain(
      'app log: a script has Windows line ends',
    );
  });

  it('does without a log', () => {
    const service = ended();
    const verdict = ask(container, {
      stack: makeStack({ services: [service] }),
      service: 'app',
      facts: { containers: fact([]), logs: gap('driver none') },
    });
    expect(inShort(container, verdict)).toBe('fail exited');
  });
});

describe('container: it did not reach somebody who had only just started', () => {
  const log = ['Error: connect ECONNREFUSED 172.18.0.7:5672'];
  const loops = inState({ restartCount: 5, startedAt: secondsAgo(1), loops: true }, { name: 'press' });
  const waits = inState({ status: 'restarting', exitCode: 1, restartCount: 5, finishedAt: secondsAgo(1) }, { name: 'press' });
  const broker = (state: Partial<ContainerState>) =>
    inState({ startedAt: secondsAgo(9), ...state }, { name: 'broker', role: 'rabbitmq' }, { networks: [{ ip: '172.18.0.7' }] });
  const connections = [makeConnection({ from: 'press', to: 'broker', host: 'broker', port: 5672, kind: 'amqp' })];

  it.each<[string, Service, Service, string[], boolean]>([
    ['between two ends', loops, broker({}), log, true],
    ['while Docker waits', waits, broker({}), log, true],
    ['not long after the start of the other', loops, broker({ startedAt: secondsAgo(300) }), log, false],
    ['not where the other keeps ending as well', loops, broker({ restartCount: 3 }), log, false],
    ['not where the other is gone', loops, broker({ status: 'exited', exitCode: 1 }), log, false],
    ['not where its log says something else', loops, broker({}), ["ModuleNotFoundError: No module named 'x'"], false],
  ])('%s', (_, service, other, lines, young) => {
    const [finding] = findingsOf(look(service, { others: [other], log: lines, connections }));
    expect(finding).toMatchObject({ reason: 'restarting' });
    expect([finding?.severity, finding?.starting]).toEqual(young ? ['warn', true] : [undefined, undefined]);
    expect(finding?.message.includes('broker had only just started')).toBe(young);
  });
});

describe('container: created and never started', () => {
  const waiting = (condition: 'service_started' | 'service_healthy' | 'service_completed_successfully', on: Service) =>
    look(inState({ status: 'created' }, { spec: { dependsOn: { [on.name]: condition } } }), { others: [on] });
  const healthIs = (status: 'starting' | 'healthy' | 'unhealthy') =>
    makeService({ name: 'db', containers: [{ health: { status, failingStreak: 0, log: [] } }] });
  const ended = (exitCode: number) => makeService({ name: 'db', containers: [{ state: { status: 'exited', exitCode } }] });

  it.each<[string, ReturnType<typeof look>, string, string]>([
    ['a dependency that ended', waiting('service_started', ended(1)), 'fail dependency-failed', 'db is exited (1)'],
    ['one that is unhealthy', waiting('service_healthy', healthIs('unhealthy')), 'fail dependency-failed', 'db is unhealthy'],
    ['one that is starting', waiting('service_healthy', healthIs('starting')), 'warn dependency-failed', 'db is starting'],
    [
      'one that is ready, beside another that Docker could not start',
      look(inState({ status: 'created' }, { spec: { dependsOn: { db: 'service_healthy' } } }), {
        others: [healthIs('healthy'), makeService({ name: 'mail', containers: [{ state: { status: 'created', error: 'no such user' } }] })],
      }),
      'fail dependency-failed',
      'Docker could not start mail, and Compose left the rest',
    ],
    ['one that came up too late', waiting('service_healthy', healthIs('healthy')), 'fail dependency-failed', 'is up now'],
    ['a migration that failed', waiting('service_completed_successfully', ended(3)), 'fail dependency-failed', 'ended with exit code 3'],
    [
      'one that never started either',
      waiting('service_healthy', makeService({ name: 'db', containers: [{ state: { status: 'created' } }] })),
      'fail dependency-failed',
      'db was never started',
    ],
    [
      'one that keeps ending',
      waiting(
        'service_healthy',
        makeService({
          name: 'db',
          containers: [
            {
              createdAt: secondsAgo(40),
              state: { restartCount: 4, startedAt: secondsAgo(1), loops: true },
              health: { status: 'starting', failingStreak: 0, log: [] },
            },
          ],
        }),
      ),
      'fail dependency-failed',
      'db keeps ending',
    ],
    [
      'one that has ended before, and comes up now',
      waiting(
        'service_healthy',
        makeService({
          name: 'db',
          containers: [
            {
              createdAt: secondsAgo(40),
              state: { restartCount: 4, startedAt: secondsAgo(1), loops: false },
              health: { status: 'starting', failingStreak: 0, log: [] },
            },
          ],
        }),
      ),
      'warn dependency-failed',
      'db is starting',
    ],
    [
      'one without a container',
      waiting('service_started', makeService({ name: 'db', containers: [] })),
      'fail dependency-failed',
      'db has no container',
    ],
  ])('%s', (_, verdict, expected, words) => {
    expect(inShort(container, verdict)).toBe(expected);
    expect(findingsOf(verdict)[0].message).toContain(words);
  });

  it('suspects only those that fail their condition', () => {
    const ok = makeService({ name: 'cache' });
    const service = inState({ status: 'created' }, {}, { compose: { dependsOn: { db: 'service_started', cache: 'service_started' } } });
    expect(findingsOf(look(service, { others: [ended(1), ok] }))[0].suspects).toEqual([{ service: 'db' }]);
  });
});

describe('container: its health', () => {
  it.each<[string, Service, string]>([
    ['the service fails', unhealthy('curl: (22) The requested URL returned error: 503'), 'fail unhealthy'],
    ['a page that is not found is no missing program', unhealthy('HTTP/1.1 404 Not Found'), 'fail unhealthy'],
    ['a probe that takes too long', unhealthy('Health check exceeded timeout (1s)', -1), 'fail unhealthy'],
    [
      'no such program, CMD',
      unhealthy(
        'OCI runtime exec failed: exec failed: unable to start container process: exec: "curl": executable file not found in $PATH: unknown',
        -1,
      ),
      'fail healthcheck-broken',
    ],
    ['no such program, shell', unhealthy('/bin/sh: curl: not found', 127), 'fail healthcheck-broken'],
    ['no such program, behind `|| exit 1`', unhealthy('/bin/sh: 1: curl: not found', 1), 'fail healthcheck-broken'],
    [
      'a command line as one word',
      unhealthy('OCI runtime exec failed: exec: "pg_isready -U x -d y": executable file not found in $PATH', -1),
      'fail healthcheck-broken',
    ],
  ])('%s', (_, service, expected) => {
    expect(short(service)).toBe(expected);
  });

  it('quotes the last probe', () => {
    const [finding] = findingsOf(look(unhealthy('curl: (22) The requested URL returned error: 503')));
    expect(finding.message).toContain('error: 503');
    expect(finding.evidence.map((each) => each.text)).not.toContain('old');
  });

  const v4: Listener = { family: 4, address: '0.0.0.0', port: 80 };
  it.each<[string, Listener[], string]>([
    ['asks ::1 where only IPv4 listens', [v4], 'fail healthcheck-broken'],
    ['asks where nobody listens at all', [{ ...v4, port: 3000 }], 'fail unhealthy'],
    ['asks where both listen', [v4, { family: 6, address: '::', port: 80 }], 'fail unhealthy'],
  ])('%s', (_, listeners, expected) => {
    expect(short(unhealthy("wget: can't connect to remote host ([::1]:80): Connection refused"), { listeners })).toBe(expected);
  });

  it('points along what its log says of others', () => {
    const db = makeService({ name: 'db', role: 'postgres' });
    const [finding] = findingsOf(
      look(unhealthy('503'), {
        others: [db],
        connections: [makeConnection()],
        log: ['FATAL:  password authentication failed for user "x"'],
      }),
    );
    expect(finding.suspects).toContainEqual({ service: 'db', code: 'postgres/*' });
    expect(finding.suspects).toContainEqual({ service: 'app', check: 'hot-reload' });
  });
});

it('container: could not look', () => {
  const service = makeService();
  expect(
    ask(container, { stack: makeStack({ services: [service] }), service: 'app', facts: { containers: gap('the engine went away') } }),
  ).toEqual({
    cannotLook: 'the engine went away',
  });
});

describe('container: in the network of another one', () => {
  const host = (parts: object = {}, startedAt = secondsAgo(60)) =>
    makeService({ name: 'vpn', containers: [{ state: { startedAt }, ...parts }] });
  const lodger = (networkMode: string, startedAt = secondsAgo(50)) =>
    makeService({ name: 'app', spec: { networkMode: 'service:vpn' }, containers: [{ networkMode, networks: [], state: { startedAt } }] });
  it.each<[string, Service, Service[], string]>([
    ['as it is now', lodger('container:id-p-vpn-1'), [host({ id: 'id-p-vpn-1' })], 'pass'],
    ['the other one was made anew', lodger('container:id-former'), [host({ id: 'id-p-vpn-1' })], 'fail network-lost'],
    ['the other one was started again', lodger('container:id-p-vpn-1'), [host({ id: 'id-p-vpn-1' }, secondsAgo(9))], 'fail network-lost'],
    ['the other one is stopped', lodger('container:id-p-vpn-1'), [host({ id: 'id-p-vpn-1', state: { status: 'exited' } })], 'pass'],
    ['a container that is not of this stack', makeService({ containers: [{ networkMode: 'container:elsewhere' }] }), [], 'pass'],
  ])('%s', (_, service, others, expected) => expect(short(service, { others })).toBe(expected));
});

describe('container: what an unhealthy one says', () => {
  it.each<[string, string, string]>([
    [
      'the last line of a traceback',
      'Traceback (most recent call last):\n  File "x.py", line 1\nurllib.error.URLError: <refused>\n',
      'urllib.error.URLError: <refused>',
    ],
    ['the first line of anything else', 'no response\nmore', 'no response'],
  ])('%s', (_, output, expected) => expect(findingsOf(look(unhealthy(output)))[0]?.message).toBe(`app runs and is unhealthy: ${expected}`));

  it('names the port on which it listens instead', () => {
    const listeners: Listener[] = [{ family: 4, address: '0.0.0.0', port: 3001 }];
    const message = (test: string[]) => findingsOf(look(unhealthy('refused', 1, test), { listeners }))[0]?.message;
    expect(message(['CMD-SHELL', 'wget -q http://localhost:3000/'])).toContain('; it listens on port 3001');
    expect(message(['CMD-SHELL', 'pg_isready -p 5433'])).toContain('; it listens on port 3001');
    expect(message(['CMD-SHELL', 'wget -q http://localhost:3001/'])).not.toContain('listens');
  });
});
