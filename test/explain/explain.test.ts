import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { checks } from '../../src/checks/index.ts';
import { explain, keyOf } from '../../src/explain/explain.ts';
import { reportOf } from '../../src/explain/report.ts';
import type { Located, Suspect } from '../../src/model/check.ts';
import type { Remedy, Step } from '../../src/model/report.ts';
import { makeConnection, makeService, makeStack } from '../checks/make.ts';
import { located, outcomesOf, stackOf, type Parts } from './cases.ts';

const SHOP = ['nginx>backend', 'backend>db', 'backend>redis', 'worker>db', 'worker>redis', 'worker>>backend'];

interface Story {
  arrows?: string[];
  found: (string | [string, Parts])[];
  blocked?: Record<string, string>;
  passing?: string[];
  /** Host folders that services mount. */
  folders?: Record<string, string[]>;
}

/** `{ 'db container/exited': ['backend/http-health', …] }`: each root with what it explains. */
const told = ({ arrows = SHOP, found, blocked = {}, passing = [], folders = {} }: Story): Record<string, string[]> => {
  const all = found.map((each) => (typeof each === 'string' ? located(each) : located(...each)));
  const { roots } = explain(all, outcomesOf(all, blocked, passing), stackOf(arrows, folders));
  return Object.fromEntries(roots.map((root) => [`${root.located.service ?? ''} ${root.located.code}`.trim(), root.explains]));
};

const at = (service: string, check?: string): Suspect => ({ service, ...(check ? { check } : {}) });

describe('one fault is one root', () => {
  test('nothing fails: no root', () => expect(told({ found: [] })).toEqual({}));

  test('a warning is no root', () => expect(told({ found: ['db container/child-oom-killed'] })).toEqual({}));

  test('a stopped database, seen by all who use it', () => {
    expect(
      told({
        found: [
          ['db container/exited', { suspects: [] }],
          ['backend network/dependency-stopped', { suspects: [at('db', 'container')] }],
          ['worker network/dependency-stopped', { suspects: [at('db', 'container')] }],
          ['backend http-health/dependency-failing', { suspects: [at('db')] }],
          'backend container/unhealthy',
          ['nginx proxy/upstream-error', { suspects: [at('backend')] }],
          ['worker container/restarting', { suspects: [at('worker', 'network'), at('db', 'container')] }],
        ],
        blocked: { 'db/postgres': 'db/container', 'worker/worker': 'worker/container' },
        passing: ['redis/redis'],
      }),
    ).toEqual({
      'db container/exited': [
        'backend/container',
        'worker/container',
        'backend/network',
        'worker/network',
        'db/postgres',
        'backend/http-health',
        'nginx/proxy',
        'worker/worker',
      ],
    });
  });

  test('a dead child under a reloader: hangs, is unhealthy, times out at the proxy', () => {
    expect(
      told({
        found: [
          'backend hot-reload/child-dead',
          ['backend http-health/hung', { suspects: [at('backend', 'hot-reload')] }],
          'backend container/unhealthy',
          ['nginx proxy/gateway-timeout', { suspects: [at('backend')] }],
        ],
      }),
    ).toEqual({ 'backend hot-reload/child-dead': ['backend/container', 'backend/http-health', 'nginx/proxy'] });
  });

  test('a service with several symptoms and no cause has one root', () => {
    expect(
      told({
        found: [
          'backend container/unhealthy',
          ['backend ports/no-listener', { suspects: [at('backend', 'container'), at('backend', 'http-health')] }],
          ['backend http-health/refused', { suspects: [at('backend', 'hot-reload'), at('backend', 'container'), at('backend', 'ports')] }],
          ['nginx proxy/bad-gateway', { suspects: [at('backend')] }],
        ],
      }),
    ).toHaveProperty('backend ports/no-listener');
    expect(
      Object.keys(
        told({
          found: [
            'backend container/unhealthy',
            'backend http-health/server-error',
            ['nginx proxy/upstream-error', { suspects: [at('backend')] }],
          ],
        }),
      ),
    ).toEqual(['backend http-health/server-error']);
  });

  test('a port that is taken, whatever follows', () => {
    expect(
      told({
        found: [
          'db ports/taken',
          ['db container/start-failed', { suspects: [{ service: 'db', code: 'ports/taken' }] }],
          ['backend container/dependency-failed', { suspects: [at('db')] }],
          ['nginx container/dependency-failed', { suspects: [at('backend')] }],
        ],
        blocked: { 'db/postgres': 'db/container', 'backend/http-health': 'backend/container' },
      }),
    ).toEqual({ 'db ports/taken': ['backend/container', 'db/container', 'nginx/container', 'db/postgres', 'backend/http-health'] });
  });

  test('a chain of three: the far end is the root', () => {
    expect(
      told({
        arrows: ['a>b', 'b>c', 'c>d'],
        found: ['a http-health/server-error', 'b http-health/server-error', 'c http-health/server-error', 'd container/paused'],
      }),
    ).toEqual({
      'd container/paused': ['a/http-health', 'b/http-health', 'c/http-health'],
    });
  });

  test('through a service that shows nothing itself', () => {
    expect(told({ arrows: ['a>b', 'b>c'], found: ['a http-health/server-error', 'c redis/cannot-persist'] })).toEqual({
      'c redis/cannot-persist': ['a/http-health'],
    });
  });

  test('the engine explains all that was not asked', () => {
    expect(
      told({ found: ['engine/not-running'], blocked: { compose: 'engine', 'db/container': 'engine', 'db/postgres': 'engine' } }),
    ).toEqual({ 'engine/not-running': ['compose', 'db/container', 'db/postgres'] });
  });

  test('two clients blame each other: one root, no circle', () => {
    const roots = told({ arrows: ['a>b', 'b>a'], found: ['a http-health/server-error', 'b http-health/server-error'] });
    expect(Object.keys(roots)).toHaveLength(1);
  });

  test('a server that nobody reaches and its client blame each other: one root', () => {
    expect(
      Object.keys(
        told({
          found: [
            ['db postgres/refused', { suspects: [at('db', 'container'), at('backend', 'network')] }],
            ['backend network/refused', { suspects: [at('db')] }],
          ],
        }),
      ),
    ).toHaveLength(1);
  });
});

describe('two faults are two roots', () => {
  test('what is proved in two places', () => {
    expect(told({ found: ['db postgres/auth-rejected', 'nginx static-files/not-built'] })).toEqual({
      'db postgres/auth-rejected': [],
      'nginx static-files/not-built': [],
    });
  });

  test('two hosts that one service does not reach, of which only one is stopped', () => {
    const roots = told({
      arrows: ['backend>db', 'backend>mail'],
      found: [
        ['backend network/refused', { message: 'mail refuses backend', suspects: [at('mail')] }],
        ['backend network/dependency-stopped', { message: 'db is stopped', suspects: [at('db', 'container')] }],
        ['db container/exited', { suspects: [] }],
      ],
    });
    expect(Object.keys(roots).toSorted()).toEqual(['backend network/refused', 'db container/exited']);
  });

  test('two findings of one code in one service are told apart', () => {
    const roots = told({
      arrows: ['backend>db', 'backend>redis'],
      found: [
        ['backend network/dependency-stopped', { message: 'db is stopped', suspects: [at('db', 'container')] }],
        ['backend network/dependency-stopped', { message: 'redis is stopped', suspects: [at('redis', 'container')] }],
        ['db container/exited', { suspects: [] }],
        ['redis container/paused', {}],
      ],
    });
    expect(roots).toEqual({ 'redis container/paused': ['backend/network'], 'db container/exited': ['backend/network'] });
  });

  test('of two such findings the one that nothing explains stays a root', () => {
    const roots = told({
      arrows: ['backend>db', 'backend>redis'],
      found: [
        ['backend network/refused', { message: 'db refuses', suspects: [at('db')] }],
        ['backend network/refused', { message: 'redis refuses', suspects: [at('redis')] }],
        'db container/paused',
      ],
    });
    expect(roots).toEqual({ 'db container/paused': ['backend/network'], 'backend network/refused': [] });
  });

  test('a service that the user stopped is not stopped by its database', () => {
    expect(
      told({
        found: [
          ['backend container/exited', { suspects: [] }],
          ['db container/exited', { suspects: [] }],
        ],
      }),
    ).toEqual({ 'backend container/exited': [], 'db container/exited': [] });
  });

  test("a service that died of its own error is not killed by the queue's trouble", () => {
    expect(
      Object.keys(told({ found: [['worker container/restarting', { suspects: [] }], 'redis redis/cannot-persist'] })).toSorted(),
    ).toEqual(['redis redis/cannot-persist', 'worker container/restarting']);
  });
});

describe('false roots', () => {
  test('evidence that points at a healthy service is not turned against another one', () => {
    expect(
      told({
        found: [['backend http-health/dependency-failing', { suspects: [at('db')] }], 'redis redis/cannot-persist'],
        passing: ['db/postgres'],
      }),
    ).toEqual({
      'redis redis/cannot-persist': [],
      'backend http-health/dependency-failing': [],
    });
  });

  test('but what stands between the two explains it: a name, a network', () => {
    expect(
      told({
        found: [['backend http-health/dependency-failing', { suspects: [at('db')] }], 'backend network/unknown-host'],
        passing: ['db/postgres'],
      }),
    ).toEqual({
      'backend network/unknown-host': ['backend/http-health'],
    });
  });

  test('files that nginx lacks do not break its upstream', () => {
    expect(told({ found: ['nginx static-files/missing-assets', ['nginx proxy/bad-gateway', { suspects: [at('backend')] }]] })).toEqual({
      'nginx static-files/missing-assets': [],
      'nginx proxy/bad-gateway': [],
    });
  });

  test('nor do they break a service behind it', () => {
    expect(
      Object.keys(told({ arrows: ['e2e>nginx'], found: ['nginx static-files/not-built', 'e2e http-health/server-error'] })),
    ).toHaveLength(2);
  });

  test.each(['not-bound', 'other-server', 'wrong-container-port', 'unreachable'])(
    'ports/%s on the host is of no matter inside the stack',
    (reason) => {
      const roots = told({
        found: [
          `db ports/${reason}`,
          'backend http-health/server-error',
          ['worker network/refused', { suspects: [at('db')] }],
          'db container/unhealthy',
        ],
      });
      expect(roots[`db ports/${reason}`]).toEqual([]);
    },
  );

  test('an app that listens on loopback only is', () => {
    expect(told({ found: ['backend ports/loopback-only', ['nginx proxy/bad-gateway', { suspects: [at('backend')] }]] })).toEqual({
      'backend ports/loopback-only': ['nginx/proxy'],
    });
  });

  test('a drift that has nothing to do with it is not taken before what the service itself shows', () => {
    expect(
      told({
        found: [
          'backend compose/env-drift',
          'backend hot-reload/child-dead',
          ['backend http-health/hung', { suspects: [at('backend', 'hot-reload')] }],
          ['nginx proxy/bad-gateway', { suspects: [at('backend')] }],
        ],
      }),
    ).toEqual({ 'backend compose/env-drift': [], 'backend hot-reload/child-dead': ['backend/http-health', 'nginx/proxy'] });
  });

  test('what a service speaks to comes before what it only starts after', () => {
    expect(
      told({
        arrows: ['backend>db', 'backend>>mail'],
        found: ['backend http-health/server-error', ['db container/exited', { suspects: [] }], 'mail container/paused'],
      }),
    ).toEqual({
      'mail container/paused': [],
      'db container/exited': ['backend/http-health'],
    });
  });

  test('the nearer of two', () => {
    expect(
      told({ arrows: ['a>b', 'b>c'], found: ['a http-health/server-error', 'b redis/cannot-persist', 'c redis/cannot-persist'] })[
        'b redis/cannot-persist'
      ],
    ).toEqual(['a/http-health']);
  });

  test('never somebody downstream, nor a stranger', () => {
    expect(
      Object.keys(
        told({
          arrows: ['nginx>backend', 'x>y'],
          found: ['backend http-health/server-error', 'nginx proxy/config-invalid', 'y container/paused'],
        }),
      ),
    ).toHaveLength(3);
  });

  test('only the finding that blocks explains what was blocked', () => {
    expect(told({ found: ['db container/paused', 'db container/healthcheck-broken'], blocked: { 'db/postgres': 'db/container' } })).toEqual(
      {
        'db container/paused': ['db/postgres'],
        'db container/healthcheck-broken': [],
      },
    );
  });

  test('a replica that still answers keeps its service open: that finding blocks nothing', () => {
    expect(
      told({
        found: [['api container/exited', { blocks: false, suspects: [] }], 'db container/paused'],
        blocked: { 'api/http-health': 'db/container' },
        arrows: ['api>db'],
      }),
    ).toEqual({
      'db container/paused': ['api/http-health'],
      'api container/exited': [],
    });
  });
});

describe('one folder of the host is one fault, whoever mounts it', () => {
  const notBuilt: [string, Parts] = ['nginx static-files/not-built', { values: { hostPath: '/src/shop/dist' } }];
  const rendersFrom = (folder: string, effect: [string, Parts] = ['nginx proxy/upstream-error', { suspects: [at('backend')] }]) =>
    told({ found: [notBuilt, effect], folders: { backend: [folder], nginx: ['/src/shop/dist'] } });

  test.each(['/src/shop/dist', '/src/shop', '/src/shop/dist/assets'])('the service behind nginx mounts it as well, by %s', (folder) => {
    expect(rendersFrom(folder)).toEqual({ 'nginx static-files/not-built': ['nginx/proxy'] });
  });

  test.each(['/src/shop/dist2', '/src/other', '/src/shop/di'])('it mounts another folder: %s', (folder) => {
    expect(rendersFrom(folder)).toEqual({ 'nginx static-files/not-built': [], 'nginx proxy/upstream-error': [] });
  });

  test('nobody but nginx mounts it', () => {
    expect(
      Object.keys(
        told({ found: [notBuilt, ['nginx proxy/upstream-error', { suspects: [at('backend')] }]], folders: { nginx: ['/src/shop/dist'] } }),
      ),
    ).toHaveLength(2);
  });

  test('the service that mounts it answers with an error when asked itself', () => {
    expect(rendersFrom('/src/shop/dist', ['backend http-health/server-error', {}])).toEqual({
      'nginx static-files/not-built': ['backend/http-health'],
    });
  });

  test('what is no matter of files is not explained by them', () => {
    expect(Object.keys(rendersFrom('/src/shop/dist', ['backend container/unhealthy', {}]))).toHaveLength(2);
  });

  test('what the suspect itself shows comes first', () => {
    expect(
      told({
        found: [notBuilt, 'backend hot-reload/child-dead', ['nginx proxy/upstream-error', { suspects: [at('backend')] }]],
        folders: { backend: ['/src/shop/dist'] },
      }),
    ).toEqual({ 'backend hot-reload/child-dead': ['nginx/proxy'], 'nginx static-files/not-built': [] });
  });

  test('but a drift of the suspect does not', () => {
    expect(
      told({
        found: [notBuilt, 'backend compose/env-drift', ['nginx proxy/upstream-error', { suspects: [at('backend')] }]],
        folders: { backend: ['/src/shop/dist'] },
      }),
    ).toEqual({ 'nginx static-files/not-built': ['nginx/proxy'], 'backend compose/env-drift': [] });
  });

  const stale = (service: string, hostPath: string): [string, Parts] => [
    `${service} hot-reload/stale-mount`,
    { message: `${service} holds the old folder`, values: { hostPath } },
  ];

  test('two containers that hold its old self are one root', () => {
    expect(told({ found: [stale('backend', '/src/app'), stale('worker', '/src/app')] })).toEqual({
      'backend hot-reload/stale-mount': ['worker/hot-reload'],
    });
  });

  test('of two folders, two', () => {
    expect(told({ found: [stale('backend', '/src/app'), stale('worker', '/src/jobs')] })).toEqual({
      'backend hot-reload/stale-mount': [],
      'worker hot-reload/stale-mount': [],
    });
  });

  test('two faults of one folder are two', () => {
    expect(
      Object.keys(told({ found: [stale('backend', '/src/app'), ['worker hot-reload/unreadable', { values: { hostPath: '/src/app' } }]] })),
    ).toHaveLength(2);
  });

  /** The steps that are told for the first root, where each service has a look and a restart of its own. */
  const stepsFor = (...given: [string, Parts][]): (string | null)[] => {
    const found = given.map((each) => located(...each));
    const [outcomes, stack] = [outcomesOf(found), stackOf(SHOP)];
    const step = (command: string, effect: Step['effect']): Step => ({ text: 'do', command, effect });
    const remedyFor = ({ service, code }: Located): Remedy => ({
      source: { file: 'RUNBOOK.md', heading: code, lines: [1, 2] },
      steps: [
        step('ls -l /src', 'read-only'),
        step(`logs ${service}`, 'read-only'),
        step('sync', 'changes'),
        step(`restart ${service}`, 'changes'),
      ],
    });
    const report = reportOf({
      tool: { name: 't', version: '1' },
      startedAt: '2026-11-23T07:00:00.000Z',
      durationMs: 1,
      engine: { host: 'h', version: null, apiVersion: null },
      notes: [],
      stack,
      outcomes,
      found,
      explanation: explain(found, outcomes, stack),
      remedyFor,
    });
    return report.rootCauses[0]!.remedy!.steps.map(({ command }) => command);
  };

  test('it is mended in each container: what changes something is told for each, once', () => {
    expect(stepsFor(stale('backend', '/src/app'), stale('worker', '/src/app'))).toEqual([
      'ls -l /src',
      'logs backend',
      'sync',
      'restart backend',
      'restart worker',
    ]);
    expect(stepsFor(stale('backend', '/src/app'), stale('redis', '/src/app'), stale('worker', '/src/app'))).toEqual([
      'ls -l /src',
      'logs backend',
      'sync',
      'restart backend',
      'restart redis',
      'restart worker',
    ]);
  });

  test('a symptom that comes of it brings no steps of its own', () => {
    expect(stepsFor(stale('backend', '/src/app'), ['backend http-health/server-error', {}])).toEqual([
      'ls -l /src',
      'logs backend',
      'sync',
      'restart backend',
    ]);
  });
});

describe('a drift explains only what nothing else does', () => {
  const drift = 'backend compose/env-drift';
  const error = 'backend http-health/server-error';

  test('nothing else fails', () => expect(told({ found: [drift, error] })).toEqual({ [drift]: ['backend/http-health'] }));

  test.each([
    ['of the same service', 'backend hot-reload/child-dead'],
    ['of one that it uses', 'db postgres/auth-rejected'],
    ['of one that it uses, which is paused', 'db container/paused'],
  ])('not beside a fault %s', (_, cause) => {
    expect(told({ found: [drift, error, cause] })).toEqual({ [cause]: ['backend/http-health'], [drift]: [] });
  });

  test('nor beside a fault that lies as low as it does, or lower', () => {
    const db = ['db compose/env-drift', ['db container/exited', { suspects: [] }]] as Story['found'];
    expect(told({ found: [...db, 'db compose/postgres-data-path'] })).toEqual({
      'db compose/postgres-data-path': ['db/container'],
      'db compose/env-drift': [],
    });
    expect(told({ found: [...db, 'db ports/taken'] })).toEqual({ 'db ports/taken': ['db/container'], 'db compose/env-drift': [] });
  });

  test('a drift of one that it uses explains nothing here', () => {
    expect(told({ found: ['db compose/env-drift', error] })).toEqual({ 'db compose/env-drift': [], [error]: [] });
  });

  test.each(['env', 'image', 'mount', 'config'])('idle, it comes last: %s-drift', (kind) => {
    expect(
      Object.keys(
        told({ found: [`backend compose/${kind}-drift`, 'nginx proxy/config-invalid', ['worker container/exited', { suspects: [] }]] }),
      ).at(-1),
    ).toBe(`backend compose/${kind}-drift`);
  });

  test('where it explains something, it stands where its layer is', () => {
    expect(Object.keys(told({ found: [drift, error, 'nginx proxy/config-invalid'] }))).toEqual([drift, 'nginx proxy/config-invalid']);
  });

  test('another finding about the compose files is no drift', () => {
    expect(Object.keys(told({ found: ['db compose/postgres-data-path', 'nginx proxy/config-invalid'] }))).toEqual([
      'db compose/postgres-data-path',
      'nginx proxy/config-invalid',
    ]);
  });
});

describe('whom the suspects clear', () => {
  const own = [at('backend', 'hot-reload'), at('backend', 'http-health'), at('backend', 'ports')];

  test('nobody, when they name the own service alone', () => {
    expect(told({ found: [['backend container/unhealthy', { suspects: own }], 'db container/paused'] })).toEqual({
      'db container/paused': ['backend/container'],
    });
  });

  test('the others, when they name one of them', () => {
    expect(told({ found: [['backend container/unhealthy', { suspects: [...own, at('redis')] }], 'db container/paused'] })).toEqual({
      'db container/paused': [],
      'backend container/unhealthy': [],
    });
  });

  test('everybody, when there are none', () => {
    expect(told({ found: [['backend container/exited', { suspects: [] }], 'db container/paused'] })).toEqual({
      'db container/paused': [],
      'backend container/exited': [],
    });
  });

  test('what they name of the own service comes before anybody else', () => {
    expect(
      told({ found: [['backend container/unhealthy', { suspects: own }], 'backend hot-reload/child-dead', 'db container/paused'] }),
    ).toEqual({
      'backend hot-reload/child-dead': ['backend/container'],
      'db container/paused': [],
    });
  });
});

test('of two roots the one nearer the ground comes first, then the one that is proved, then the one that explains more', () => {
  const order = (found: Story['found']) => Object.keys(told({ found }));
  expect(order(['nginx proxy/config-invalid', 'db postgres/auth-rejected', 'compose/invalid'])).toEqual([
    'compose/invalid',
    'db postgres/auth-rejected',
    'nginx proxy/config-invalid',
  ]);
  expect(order([['worker container/exited', { suspects: [] }], 'backend hot-reload/child-dead'])).toEqual([
    'backend hot-reload/child-dead',
    'worker container/exited',
  ]);
  expect(
    order(['db postgres/read-only', 'redis redis/cannot-persist', ['worker worker/not-connected', { suspects: [at('redis')] }]]),
  ).toEqual(['redis redis/cannot-persist', 'db postgres/read-only']);
});

describe('evidence against an explanation overrules it', () => {
  const hung: [string, Parts] = ['backend http-health/hung', { suspects: [at('backend', 'hot-reload')] }];
  const bothRoots = (found: Story['found'], more: Partial<Story> = {}) => {
    const names = found.map((each) => (typeof each === 'string' ? each : each[0]));
    expect(Object.keys(told({ found, ...more })).toSorted()).toEqual(names.toSorted());
  };
  const oneRoot = (root: string, found: Story['found'], more: Partial<Story> = {}) =>
    expect(Object.keys(told({ found, ...more }))).toEqual([root]);

  test('a probe that cannot work makes a container unhealthy, and keeps those waiting who wait for its health; nothing else', () => {
    oneRoot('backend container/healthcheck-broken', ['backend container/healthcheck-broken', 'backend container/unhealthy']);
    oneRoot('backend container/healthcheck-broken', [
      'backend container/healthcheck-broken',
      ['nginx container/dependency-failed', { suspects: [at('backend')] }],
    ]);
    bothRoots(['backend container/healthcheck-broken', hung]);
    bothRoots(['backend container/healthcheck-broken', 'backend container/restarting']);
    bothRoots(['backend container/healthcheck-broken', ['nginx proxy/upstream-error', { suspects: [at('backend')] }]]);
  });

  test('who is turned away with a word does not wait; who gets no answer does', () => {
    bothRoots(['redis redis/cannot-persist', hung]);
    bothRoots(['db postgres/auth-rejected', hung]);
    oneRoot('redis redis/cannot-persist', ['redis redis/cannot-persist', 'backend http-health/server-error']);
    oneRoot('db postgres/blocked-sessions', ['db postgres/blocked-sessions', hung]);
    oneRoot('db container/paused', ['db container/paused', hung]);
  });

  test('a missing file makes an error, no silence', () => {
    const gone: [string, Parts] = ['nginx static-files/not-built', { values: { hostPath: '/src/shop/dist' } }];
    const folders = { backend: ['/src/shop/dist'] };
    bothRoots([gone, hung], { folders });
    oneRoot(gone[0], [gone, 'backend http-health/server-error'], { folders });
    bothRoots([['backend hot-reload/stale-mount', { values: { hostPath: '/src/shop' } }], hung]);
  });

  test('a program that was loaded anew from a folder that is gone may be silent over it, and nobody else', () => {
    const reloaded: Parts = { values: { hostPath: '/src/shop' }, reloaded: true };
    oneRoot('backend hot-reload/stale-mount', [['backend hot-reload/stale-mount', reloaded], hung]);
    bothRoots([['worker hot-reload/stale-mount', reloaded], hung]);
  });

  test('a value that differs is no reason for a silence, nor for an end that the log lays to something else, unless it is named', () => {
    const drift: [string, Parts] = ['backend compose/env-drift', { values: { variable: 'LOG_LEVEL' } }];
    bothRoots([drift, hung]);
    bothRoots([drift, ['backend container/restarting', { suspects: [], message: 'its log says: no module named x' }]]);
    oneRoot(drift[0], [drift, ['backend container/restarting', { suspects: [], message: 'its log says: bad LOG_LEVEL' }]]);
    // The image that it was made from may well lack the module.
    oneRoot('backend compose/image-drift', ['backend compose/image-drift', ['backend container/restarting', { suspects: [] }]]);
  });

  test('whom a program cannot reach is no reason for an end that its own log lays to something else', () => {
    bothRoots(['backend network/unknown-host', ['backend container/restarting', { suspects: [] }]]);
    oneRoot('backend network/unknown-host', ['backend network/unknown-host', 'backend container/restarting']);
  });

  describe('a server that turns some away and serves others', () => {
    const rejects = (spares: string[]): [string, Parts] => ['db postgres/auth-rejected', { spares }];
    test('explains nothing of those', () => {
      bothRoots([rejects(['backend']), 'backend http-health/server-error']);
      bothRoots([rejects(['backend']), ['backend http-health/dependency-failing', { suspects: [at('db')] }]]);
      oneRoot('db postgres/auth-rejected', [rejects(['worker']), 'backend http-health/server-error']);
    });
    test('nor of those who use it through them alone', () => {
      bothRoots([rejects(['backend']), ['nginx proxy/upstream-error', { suspects: [at('backend')] }]]);
      bothRoots([rejects(['backend']), 'nginx container/restarting']);
      oneRoot('db postgres/auth-rejected', [rejects(['backend']), 'nginx container/restarting'], {
        arrows: [...SHOP, 'nginx>admin', 'admin>db'],
      });
    });
    test('of a stranger nothing is known', () =>
      oneRoot('db postgres/auth-rejected', [rejects(['backend']), ['stranger http-health/dependency-failing', { suspects: [at('db')] }]]));
    test('of itself it may be the reason', () => oneRoot('db postgres/auth-rejected', [rejects(['backend']), 'db container/unhealthy']));
  });

  describe('time', () => {
    const dbUp = (from: string, until: string): [string, Parts] => [
      'db container/exited',
      { suspects: [], well: { from: `2026-11-23T${from}Z`, until: `2026-11-23T${until}Z` } },
    ];
    const workerEnded = (at_: string): [string, Parts] => [
      'worker container/exited',
      { failedAt: `2026-11-23T${at_}Z`, suspects: [at('db')] },
    ];
    test.each([
      ['long before the other did', '08:00:00', '10:00:00.5', '09:00:00', 2],
      ['after it', '08:00:00', '10:00:00', '10:00:01', 1],
      ['while it was being stopped', '08:00:00', '10:00:00', '09:59:30', 1],
      ['while it was starting', '08:00:00', '10:00:00', '08:00:30', 1],
      ['before it was up at all', '08:00:00', '10:00:00', '07:00:00', 1],
    ])('it failed %s', (_, from, until, failed, count) => {
      expect(Object.keys(told({ found: [dbUp(from, until), workerEnded(failed)] }))).toHaveLength(count);
    });
    test('unknown, it says nothing', () => {
      oneRoot('db container/exited', [['db container/exited', { suspects: [] }], workerEnded('09:00:00')]);
      oneRoot('db container/exited', [dbUp('08:00:00', '10:00:00'), ['worker container/exited', { suspects: [at('db')] }]]);
      oneRoot('db container/exited', [dbUp('08:00:00', 'nonsense'), workerEnded('09:00:00')]);
    });
  });
});

describe('what the evidence leaves open', () => {
  const openOf = (found: Story['found'], arrows = SHOP) => {
    const all = found.map((each) => (typeof each === 'string' ? located(each) : located(...each)));
    return explain(all, outcomesOf(all), stackOf(arrows)).roots.map(({ located: root, candidates = [], ask }) => ({
      root: `${root.service} ${root.code}`,
      candidates: candidates.map((each) => `${each.service} ${each.code}`),
      ask,
    }));
  };
  const decided = (root: string) => ({ root, candidates: [], ask: undefined });

  test('two that fail alike, each a client of the other', () => {
    const error = ['a http-health/server-error', 'b http-health/server-error'];
    const [only] = openOf(error, ['a>b', 'b>a']);
    expect(only!.candidates.toSorted()).toEqual(error);
    expect(openOf(error, ['a>b'])).toEqual([decided('b http-health/server-error')]);
    // One of them says that it is the other.
    expect(
      openOf(['a http-health/server-error', ['b http-health/dependency-failing', { suspects: [at('a')] }]], ['a>b', 'b>a'])[0]!.candidates,
    ).toEqual([]);
  });

  test('a container that is not as the files say, and what is wrong with it', () => {
    expect(openOf(['backend compose/env-drift', 'backend http-health/server-error'])).toEqual([
      {
        root: 'backend compose/env-drift',
        candidates: ['backend compose/env-drift', 'backend http-health/server-error'],
        ask: 'backend',
      },
    ]);
    expect(openOf(['backend compose/env-drift'])).toEqual([decided('backend compose/env-drift')]);
  });

  test('a silent service that uses one by which it is turned away', () => {
    expect(openOf([['backend http-health/hung', { suspects: [at('backend', 'hot-reload')] }], 'db postgres/auth-rejected'])).toEqual([
      decided('db postgres/auth-rejected'),
      { root: 'backend http-health/hung', candidates: ['backend http-health/hung', 'db postgres/auth-rejected'], ask: 'backend' },
    ]);
    expect(
      openOf([
        ['backend http-health/hung', { suspects: [at('backend', 'hot-reload')] }],
        ['db postgres/auth-rejected', { spares: ['backend'] }],
      ])[1],
    ).toEqual(decided('backend http-health/hung'));
  });

  test('proof decides', () => {
    expect(openOf(['db postgres/auth-rejected', 'backend http-health/server-error'])).toEqual([decided('db postgres/auth-rejected')]);
    expect(openOf(['backend hot-reload/child-dead', 'backend http-health/hung'])).toEqual([decided('backend hot-reload/child-dead')]);
  });
});

describe('which root comes first', () => {
  const order = (found: Story['found'], arrows = SHOP) => Object.keys(told({ found, arrows }));
  test('what was seen, before what was inferred, however near the ground', () => {
    expect(order([['backend network/refused', { suspects: [at('mail')] }], 'nginx proxy/config-invalid'])).toEqual([
      'nginx proxy/config-invalid',
      'backend network/refused',
    ]);
  });
  test('of two that explain as much, the one of the service that changed last', () => {
    const services = (old: string, fresh: string) =>
      makeStack({
        services: [
          makeService({ name: old, containers: [{ createdAt: '2026-11-23T06:00:00Z', state: { startedAt: '2026-11-23T06:00:00Z' } }] }),
          makeService({ name: fresh, containers: [{ createdAt: '2026-11-23T06:00:00Z', state: { startedAt: '2026-11-23T06:40:00.5Z' } }] }),
        ],
      });
    const found = [located('a hot-reload/child-dead'), located('b hot-reload/child-dead')];
    const first = (stack: ReturnType<typeof services>) => explain(found, outcomesOf(found), stack).roots[0]!.located.service;
    expect(first(services('a', 'b'))).toBe('b');
    expect(first(services('b', 'a'))).toBe('a');
  });
  test('a database that ended lies below an app that did', () => {
    const found = [located('api container/exited', { suspects: [] }), located('store container/exited', { suspects: [] })];
    const stack = makeStack({ services: [makeService({ name: 'api', role: 'http' }), makeService({ name: 'store', role: 'postgres' })] });
    expect(explain(found, outcomesOf(found), stack).roots.map(({ located: { service } }) => service)).toEqual(['store', 'api']);
  });
});

describe('whatever is found', () => {
  const SERVICES = ['a', 'b', 'c', 'd'];
  const codes = checks.flatMap((check) => Object.keys(check.findings).map((reason) => ({ check, code: `${check.id}/${reason}` })));
  const suspect: fc.Arbitrary<Suspect> = fc.record(
    {
      service: fc.constantFrom(...SERVICES),
      check: fc.constantFrom('container', 'network', 'postgres', 'http-health'),
      code: fc.constantFrom('container/*', 'ports/taken', 'redis/refused'),
    },
    { requiredKeys: [] },
  );
  const finding = fc
    .record({
      from: fc.constantFrom(...codes),
      service: fc.constantFrom(...SERVICES),
      message: fc.constantFrom('one', 'two'),
      suspects: fc.option(fc.array(suspect, { maxLength: 3 }), { nil: undefined }),
      severity: fc.constantFrom(undefined, undefined, 'warn' as const, 'fail' as const),
    })
    .map(({ from, service, message, suspects, severity }) =>
      located(from.check.scope === 'stack' ? from.code : `${service} ${from.code}`, {
        message,
        ...(suspects && { suspects }),
        ...(severity && { severity }),
      }),
    );
  const findings = fc.uniqueArray(finding, { maxLength: 10, selector: keyOf });
  const arrows = fc.uniqueArray(
    fc.tuple(fc.constantFrom(...SERVICES), fc.constantFrom('>', '>>'), fc.constantFrom(...SERVICES)).map((each) => each.join('')),
    { minLength: 1, maxLength: 8 },
  );
  const blockedBy = (found: Located[]) =>
    Object.fromEntries(
      found
        .filter((each) => (each.finding.blocks ?? each.spec.blocks) && each.severity === 'fail' && each.service)
        .map((each) => [`${each.service}/worker`, each.id]),
    );
  const byKey = (a: { key: string }, b: { key: string }) => (a.key < b.key ? -1 : 1);
  const brief = (found: Located[], stack = stackOf(['a>b'])) => {
    const blocked = blockedBy(found.filter((each) => !found.some((other) => other.id === `${each.service}/worker`)));
    const outcomes = outcomesOf(
      found.toSorted((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1)),
      blocked,
    );
    const { roots, causes } = explain(found, outcomes, stack);
    return { roots: roots.map((each) => ({ key: keyOf(each.located), explains: each.explains })), causes, blocked };
  };

  test('every failing finding is a root or leads to one, without going in circles', () => {
    fc.assert(
      fc.property(findings, arrows, (found, drawn) => {
        const { roots, causes } = brief(found, stackOf(drawn));
        const keys = new Set(roots.map((each) => each.key));
        for (const each of found.filter((other) => other.severity === 'fail')) {
          let here = each;
          for (let step = 0; causes.has(keyOf(here)); step++) {
            expect(step).toBeLessThan(found.length);
            here = causes.get(keyOf(here))!;
          }
          expect(keys.has(keyOf(here))).toBe(true);
        }
        for (const key of keys) expect(causes.has(key)).toBe(false);
      }),
      { numRuns: 500 },
    );
  });

  test('what explains something fails itself', () => {
    fc.assert(
      fc.property(findings, arrows, (found, drawn) =>
        [...brief(found, stackOf(drawn)).causes.values()].every((each) => each.severity === 'fail' && found.includes(each)),
      ),
    );
  });

  test('the order in which things were found does not matter', () => {
    fc.assert(
      fc.property(findings, arrows, fc.infiniteStream(fc.nat()), (found, drawn, random) => {
        const shuffled = found
          .map((each) => ({ each, at: random.next().value as number }))
          .toSorted((a, b) => a.at - b.at)
          .map(({ each }) => each);
        const stack = stackOf(drawn);
        const turned = { ...stack, services: stack.services.toReversed(), connections: stack.connections.toReversed() };
        expect(brief(shuffled, turned)).toEqual(brief(found, stack));
      }),
      { numRuns: 300 },
    );
  });

  test('a healthy service more changes nothing', () => {
    fc.assert(
      fc.property(findings, arrows, fc.subarray(SERVICES), (found, drawn, neighbours) => {
        const stack = stackOf(drawn);
        const more = makeStack({
          services: [...stack.services, makeService({ name: 'healthy' })],
          connections: [
            ...stack.connections,
            ...neighbours.map((to) => makeConnection({ from: 'healthy', to, kind: 'http' })),
            ...neighbours.map((from) => makeConnection({ from, to: 'leaf', kind: 'http' })),
          ],
        });
        expect(brief(found, more)).toEqual(brief(found, stack));
      }),
      { numRuns: 300 },
    );
  });

  test('an unrelated service that fails adds its own roots, and nothing else', () => {
    fc.assert(
      fc.property(findings, arrows, fc.constantFrom('exited', 'paused', 'restarting'), (found, drawn, reason) => {
        const stack = stackOf(drawn);
        const stranger = located(`stranger container/${reason}`, { suspects: [] });
        const more = makeStack({ services: [...stack.services, makeService({ name: 'stranger' })], connections: stack.connections });
        // A finding that points at no service in particular may mean anybody.
        fc.pre(found.every((each) => each.finding.suspects?.every(({ service }) => service !== undefined) ?? true));
        const before = brief(found, stack);
        const after = brief([...found, stranger], more);
        expect(after.causes).toEqual(before.causes);
        expect(after.roots.filter(({ key }) => key !== keyOf(stranger)).toSorted(byKey)).toEqual(before.roots.toSorted(byKey));
        expect(after.roots).toContainEqual(expect.objectContaining({ key: keyOf(stranger) }));
      }),
      { numRuns: 300 },
    );
  });

  test('what was blocked by a finding stands among what its root explains', () => {
    fc.assert(
      fc.property(findings, arrows, (found, drawn) => {
        const { roots, blocked } = brief(found, stackOf(drawn));
        return Object.keys(blocked).every((id) => roots.some((root) => root.explains.includes(id)));
      }),
      { numRuns: 500 },
    );
  });

  test('two faults that are proved in services with nothing in common are two roots', () => {
    const proved = codes.filter(
      ({ check, code }) =>
        check.scope === 'service' &&
        check.findings[code.split('/')[1]!]!.kind === 'cause' &&
        check.findings[code.split('/')[1]!]!.severity === 'fail',
    );
    fc.assert(
      fc.property(
        fc.constantFrom(...proved),
        fc.constantFrom(...proved),
        (one, other) => brief([located(`a ${one.code}`), located(`c ${other.code}`)], stackOf(['a>b', 'c>d'])).roots.length === 2,
      ),
    );
  });
});
