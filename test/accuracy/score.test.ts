import { describe, expect, test } from 'vitest';
import type { CheckReport, Report, RootCause } from '../../src/model/report.ts';
import { type Declared, declared, firstInOrder, mostUpstream, namedByWait } from './baselines.ts';
import { isChosen, shapeOf, thirdOf, wished } from './choice.ts';
import { pairId, pairs } from './pairs.ts';
import { type Expected, judge, layerOf } from './score.ts';
import { groups, quantile, wilson } from './statistics.ts';
import { faultById, faults } from '../lab/faults.ts';

const stopped: Expected = {
  root: 'db/container',
  code: ['container/exited', 'container/missing'],
  innocents: ['api', 'web', 'cache'],
  remedy: /compose up -d db/,
};
const pages: Expected = { root: 'web/static-files', code: 'static-files/not-built', innocents: ['api', 'db', 'cache'], remedy: /build/ };

const check = (id: string, code: string, more: Partial<CheckReport> = {}): CheckReport => ({
  id,
  check: id.split('/').at(-1)!,
  service: id.includes('/') ? id.split('/')[0]! : null,
  title: id,
  status: 'fail',
  code,
  message: code,
  evidence: [],
  causedBy: null,
  blockedBy: null,
  reason: null,
  durationMs: 1,
  remedy: null,
  alsoFound: [],
  ...more,
});

const steps = (command: string, effect: 'changes' | 'destructive' = 'changes'): CheckReport['remedy'] => ({
  source: { file: 'RUNBOOK.md', heading: 'x', lines: [1, 2] },
  steps: [{ text: 'Do it.', command, effect }],
});

const cause = (id: string, code: string, remedy = steps('docker compose up -d db')): RootCause => {
  const { check: name, service, evidence } = check(id, code);
  return { id, check: name, service, code, summary: code, evidence, explains: [], lasting: false, remedy };
};

const report = (rootCauses: RootCause[], ...checks: CheckReport[]): Report => ({ rootCauses, checks }) as unknown as Report;

const network = check('api/network', 'network/dependency-stopped', { causedBy: 'db/container' });
const proxy = check('web/proxy', 'proxy/upstream-error', { causedBy: 'api/network' });
const root = check('db/container', 'container/exited');

describe('one cause', () => {
  test('named, with what comes of it under it', () =>
    expect(judge(report([cause('db/container', 'container/exited')], root, network, proxy), [stopped])).toEqual({
      service: true,
      reason: true,
      found: true,
      blamed: [],
      extra: [],
      remedy: true,
      amongCandidates: null,
      strays: [],
    }));

  test('a doubt is told from a certainty, and an honest one from another', () => {
    const unsure = (code: string) => ({
      ...cause('db/container', 'container/oom'),
      candidates: [{ id: 'db/container', service: 'db', code, summary: '' }],
    });
    expect(judge(report([unsure('container/exited')]), [stopped])).toMatchObject({ reason: false, amongCandidates: true });
    expect(judge(report([unsure('container/paused')]), [stopped])).toMatchObject({ reason: false, amongCandidates: false });
  });

  test.each<[string, Report, object]>([
    ['nothing is said', report([]), { service: false, reason: false, found: false, remedy: false }],
    [
      'another code of the right service',
      report([cause('db/postgres', 'postgres/starting')], check('db/postgres', 'postgres/starting')),
      { service: true, reason: false, extra: ['db/postgres postgres/starting'], strays: ['db/postgres postgres/starting ← db/postgres'] },
    ],
    [
      'the right code at another service',
      report([cause('api/container', 'container/exited')], check('api/container', 'container/exited')),
      { service: false, reason: false, blamed: ['api'] },
    ],
    [
      'right, but second',
      report([cause('api/network', 'network/unknown-host'), cause('db/container', 'container/exited')], root),
      { service: false, reason: false, found: true, blamed: ['api'] },
    ],
    [
      'a failing check that leads elsewhere',
      report([cause('db/container', 'container/exited')], root, check('web/proxy', 'proxy/upstream-error', { causedBy: 'cache/redis' })),
      { reason: true, strays: ['web/proxy proxy/upstream-error ← cache/redis'] },
    ],
    [
      'a blocked check counts',
      report(
        [cause('db/container', 'container/exited')],
        root,
        check('cache/redis', 'x', { status: 'blocked', code: null, blockedBy: 'engine' }),
      ),
      { strays: ['cache/redis blocked ← engine'] },
    ],
    [
      'a second finding of an instance counts, a warning does not',
      report(
        [cause('db/container', 'container/exited')],
        root,
        check('api/network', 'network/dependency-stopped', {
          causedBy: 'db/container',
          alsoFound: (['fail', 'warn'] as const).map((severity) => ({
            code: `network/${severity}`,
            severity,
            message: '',
            evidence: [],
            causedBy: null,
          })),
        }),
      ),
      { strays: ['api/network network/fail ← api/network'] },
    ],
    ['the wrong remedy', report([cause('db/container', 'container/exited', steps('docker compose restart api'))], root), { remedy: false }],
    [
      'a remedy that begins with a loss of data',
      report([cause('db/container', 'container/exited', steps('docker compose up -d db', 'destructive'))], root),
      { remedy: false },
    ],
    [
      'a circle of causes ends',
      report([cause('db/container', 'container/exited')], root, check('a/x', 'x/y', { causedBy: 'a/x' })),
      { strays: ['a/x x/y ← a/x'] },
    ],
  ])('%s', (_, said, verdict) => expect(judge(said, [stopped])).toMatchObject(verdict));
});

describe('a warning is all there should be', () => {
  const warned: Expected = {
    root: 'api/hot-reload',
    code: 'hot-reload/not-enabled',
    innocents: ['db'],
    remedy: /--reload/,
    status: 'warn',
  };
  const warning = check('api/hot-reload', 'hot-reload/not-enabled', { status: 'warn', remedy: steps('uvicorn --reload') });
  const other = check('compose', 'compose/orphans', { status: 'warn' });

  test('it is found beside another one', () =>
    expect(judge(report([], other, warning), [warned])).toMatchObject({ reason: true, remedy: true, strays: [] }));
  test('another one alone does not do', () => expect(judge(report([], other), [warned])).toMatchObject({ service: false, reason: false }));
  test('nothing may be said to be broken', () =>
    expect(judge(report([cause('db/container', 'container/exited')], root, warning), [warned])).toMatchObject({
      reason: false,
      blamed: ['db'],
    }));
});

describe('two causes', () => {
  const both = [cause('web/static-files', 'static-files/not-built', steps('npm run build')), cause('db/container', 'container/exited')];
  test('both, in any order', () =>
    expect(judge(report(both, root, network), [stopped, pages])).toMatchObject({
      reason: true,
      found: true,
      remedy: true,
      extra: [],
      strays: [],
    }));
  test('one alone', () => expect(judge(report([both[0]!], root), [stopped, pages])).toMatchObject({ reason: true, found: false }));
  test('nobody is asked for the hidden one, and whoever finds it is right', () => {
    expect(judge(report([both[1]!], root), [stopped], [pages])).toMatchObject({ reason: true, found: true });
    expect(judge(report(both, root), [stopped], [pages])).toMatchObject({ reason: true, found: true, extra: [] });
  });
  test('an innocent of one fault may be the root of the other', () => expect(judge(report(both), [stopped, pages]).blamed).toEqual([]));
});

test('the layer of a cause is the one that its check declares', () => {
  expect(layerOf({ ...stopped, code: 'compose/env-drift' })).toBe('compose');
  expect(layerOf({ ...stopped, code: 'no/such' })).toBeNull();
});

describe('baselines', () => {
  const services: Declared = declared({
    services: { web: { depends_on: ['api'] }, api: { depends_on: { db: { condition: 'service_healthy' } } }, db: null },
  });
  const broken = report([], network, proxy, root);

  test('first in the order of the file', () =>
    expect(firstInOrder(broken, services)).toMatchObject({ service: 'web', code: 'proxy/upstream-error' }));
  test('most upstream', () => expect(mostUpstream(broken, services)).toMatchObject({ service: 'db', code: 'container/exited' }));
  test('the whole stack comes before its services', () =>
    expect(firstInOrder(report([], proxy, check('compose', 'compose/invalid')), services)).toMatchObject({ service: null }));
  test('warnings count where nothing fails', () => {
    const warned = report([], { ...proxy, status: 'warn' });
    expect(mostUpstream(warned, services)).toMatchObject({ service: 'web' });
    expect(mostUpstream(report([]), services)).toBeNull();
  });
  test('a circle of depends_on ends', () =>
    expect(
      mostUpstream(report([], root), declared({ services: { db: { depends_on: ['api'] }, api: { depends_on: ['db'] } } })),
    ).toMatchObject({
      service: 'db',
    }));

  test.each<[string, number, string, string | null | undefined]>([
    ['all is well', 0, ' Container x-db-1 Healthy', undefined],
    ['a container', 1, ' Container x-api-1 Starting\ncontainer x-db-1 is unhealthy', 'db'],
    ['a dependency', 1, 'dependency failed to start: container x-db-1 exited (1)', 'db'],
    ['a service', 1, 'service "api" refers to undefined network front: invalid compose project', 'api'],
    [
      'a port',
      1,
      'Error response from daemon: failed to set up container networking: driver failed programming external connectivity on endpoint x-web-1 (abc): port is already allocated',
      'web',
    ],
    ['the file', 1, 'yaml: line 12: found character that cannot start any token', null],
    [
      'a variable',
      1,
      'error while interpolating services.db.environment.X: required variable DB_PASSWORD is missing a value: set it',
      null,
    ],
    ['nobody', 1, 'context deadline exceeded', undefined],
    ['another project', 1, 'container y-db-1 is unhealthy', undefined],
  ])('compose names %s', (_, code, output, service) => expect(namedByWait(code, output, 'x', services)?.service).toBe(service));
});

describe('the choice', () => {
  test('thirds are whole, apart, and stay', () => {
    const ids = faults.map(({ id }) => id);
    const thirds = [1, 2, 3].map((third) => ids.filter((id) => isChosen(id, 'shootout', { ...wished('all'), third })));
    expect(thirds.flat().toSorted()).toEqual(ids.toSorted());
    for (const third of thirds) expect(third.length).toBeGreaterThan(ids.length / 5);
    expect(['db-stopped', 'worker-missing', 'dist-emptied'].map(thirdOf)).toEqual([1, 2, 3]);
  });
});

test.each([
  [undefined, 'db-stopped', true],
  [undefined, 'worker-missing', false],
  ['all', 'worker-missing', true],
  ['worker-missing,x', 'worker-missing', true],
  ['worker-missing,x', 'db-stopped', false],
])('of %s wished, %s is taken: %s', (ids, id, isTaken) => expect(isChosen(id, 'shootout', wished(ids))).toBe(isTaken));

describe('the pairs', () => {
  test('are many enough, each once, and most of them hide nothing', () => {
    expect(new Set(pairs.map(pairId)).size).toBe(pairs.length);
    expect(pairs.filter(({ hides }) => !hides).length).toBeGreaterThanOrEqual(20);
  });
  test.each(pairs.map((pair) => [pairId(pair), pair] as const))('%s', (_, { first, second, hides }) => {
    expect(first).not.toBe(second);
    expect(shapeOf(faultById(first))).toBe(shapeOf(faultById(second)));
    if (hides) expect([first, second]).toContain(hides.id);
  });
});

describe('arithmetic', () => {
  // Reference values: R's binom::binom.wilson.
  test.each([
    [0, 0, 0, 1],
    [10, 10, 0.722, 1],
    [0, 10, 0, 0.278],
    [50, 100, 0.404, 0.596],
    [98, 100, 0.93, 0.994],
  ])('%i of %i', (hits, n, low, high) => {
    const interval = wilson({ hits, n });
    expect(interval[0]).toBeCloseTo(low, 3);
    expect(interval[1]).toBeCloseTo(high, 3);
  });
  test('quantiles', () => {
    expect(quantile([3, 1, 2], 0.5)).toBe(2);
    expect(quantile([1, 2, 3, 4], 0.95)).toBe(4);
    expect(quantile([], 0.5)).toBeNaN();
  });
  test('groups keep the order', () =>
    expect(groups([3, 1, 4], (n) => (n % 2 ? 'odd' : 'even'))).toEqual([
      ['odd', [3, 1]],
      ['even', [4]],
    ]));
});
