import { describe, expect, test } from 'vitest';
import { evaluate, locate } from '../src/evaluate.ts';
import { defineCheck, defineStackCheck, type Check, type FindingSpec, type Outcome, type Verdict } from '../src/model/check.ts';
import type { Fact, FactSource } from '../src/model/facts.ts';
import { instancesOf, select } from '../src/model/selection.ts';
import { fact, gap, makeConnection, makeService, makeStack, NOW } from './checks/make.ts';

const spec = (parts: Partial<FindingSpec> = {}): FindingSpec => ({
  severity: 'fail',
  layer: 'app',
  kind: 'cause',
  means: 'm',
  proof: 'p',
  ...parts,
});
const finding = (reason: string) => ({ reason, message: `${reason}.`, evidence: [] });

/** A check that says what a case wants, by service. */
const says = (id: string, after: string[], verdicts: Record<string, Verdict | (() => Verdict)> = {}): Check =>
  defineCheck({
    id,
    title: `${id} is well`,
    question: `Is ${id} well?`,
    needs: ['logs'],
    after,
    appliesTo: () => true,
    findings: { blocked: spec({ blocks: true }), bad: spec(), odd: spec({ severity: 'warn' }), deep: spec({ layer: 'host' }) },
    evaluate: ({ service }) => {
      const verdict = verdicts[service.name] ?? { findings: [] };
      return typeof verdict === 'function' ? verdict() : verdict;
    },
  });

const stackSays = (id: string, after: string[], verdict: Verdict = { findings: [] }): Check =>
  defineStackCheck({
    id,
    title: id,
    question: id,
    needs: ['containers'],
    after,
    findings: { blocked: spec({ blocks: true, layer: 'engine' }), bad: spec() },
    evaluate: () => verdict,
  });

const stack = makeStack({
  services: [makeService({ name: 'api' }), makeService({ name: 'db' })],
  connections: [makeConnection({ from: 'api', to: 'db' })],
});

const sourceOf = (facts: Record<string, Fact<unknown>> = {}, asked: string[] = []): FactSource => ({
  startedAt: NOW,
  fact: async (name, service) => {
    const key = service ? `${name}:${service.name}` : name;
    asked.push(key);
    return facts[key] ?? fact([]);
  },
  stack: async () => stack,
  early: async () => stack,
  recorded: async () => facts,
  engineCalls: () => 0,
  connections: () => 0,
  close: () => {},
});

const run = async (checks: Check[], selectors: string[] = [], source = sourceOf()): Promise<Outcome[]> => {
  const all = instancesOf(stack, checks);
  return evaluate(select(all, selectors), all, stack, source, () => {});
};

const brief = (outcomes: Outcome[]): Record<string, string> =>
  Object.fromEntries(
    outcomes.map((each) => [
      each.id,
      [each.status, each.findings.map((one) => one.reason).join('+'), each.blockedBy && `← ${each.blockedBy}`].filter(Boolean).join(' '),
    ]),
  );

describe('what stands in the way', () => {
  test('blocks what stands on it, of the same service alone, down to the last', async () => {
    const outcomes = await run([
      says('container', [], { db: { findings: [finding('blocked')] } }),
      says('postgres', ['container']),
      says('schema', ['postgres']),
    ]);
    expect(brief(outcomes)).toEqual({
      'api/container': 'pass',
      'db/container': 'fail blocked',
      'api/postgres': 'pass',
      'db/postgres': 'blocked ← db/container',
      'api/schema': 'pass',
      'db/schema': 'blocked ← db/container',
    });
    expect(outcomes.find((each) => each.id === 'db/schema')?.reason).toBe('not asked: db/container fails');
  });

  test('of the whole stack blocks every service', async () => {
    expect(brief(await run([stackSays('engine', [], { findings: [finding('blocked')] }), says('container', ['engine'])]))).toEqual({
      engine: 'fail blocked',
      'api/container': 'blocked ← engine',
      'db/container': 'blocked ← engine',
    });
  });

  test.each([
    ['a failure that does not block', { findings: [finding('bad')] }],
    ['a blocking finding that is a warning here', { findings: [{ ...finding('blocked'), severity: 'warn' as const }] }],
    ['a blocking finding that says it does not block here', { findings: [{ ...finding('blocked'), blocks: false }] }],
    ['a check that could not look', { cannotLook: 'no tool' }],
    ['a check that does not apply', { skip: 'none' }],
  ] as [string, Verdict][])('is not %s', async (_, verdict) => {
    const outcomes = await run([says('container', [], { db: verdict }), says('postgres', ['container'])]);
    expect(outcomes.find((each) => each.id === 'db/postgres')?.status).toBe('pass');
  });

  test('a finding may block where its kind does not', async () => {
    const outcomes = await run([
      says('container', [], { db: { findings: [{ ...finding('bad'), blocks: true }] } }),
      says('postgres', ['container']),
    ]);
    expect(brief(outcomes)['db/postgres']).toBe('blocked ← db/container');
  });

  test('two checks of one id: the one of the stack stands before those of the services', async () => {
    expect(brief(await run([stackSays('compose', [], { findings: [finding('blocked')] }), says('compose', ['compose'])]))).toEqual({
      compose: 'fail blocked',
      'api/compose': 'blocked ← compose',
      'db/compose': 'blocked ← compose',
    });
  });

  test('what could not be seen because its peer does not run is blocked by the peer', async () => {
    const peering = defineCheck({
      ...(says('queue', ['container'], { api: { cannotLook: 'db tells nothing' } }) as ReturnType<typeof defineCheck>),
      peerNeeds: ['inside'],
    });
    const outcomes = await run([says('container', [], { db: { findings: [finding('blocked')] } }), peering as Check]);
    expect(brief(outcomes)['api/queue']).toBe('blocked ← db/container');
  });
});

describe('what could not be seen', () => {
  const unseen: Verdict = { cannotLook: 'it does not say' };
  /** Like `says`, with facts of its own and of those that it connects to. */
  const uses = (check: Check, needs: string[], peerNeeds?: string[]): Check =>
    ({ ...check, needs, ...(peerNeeds && { peerNeeds }) }) as Check;
  const store = (verdict: Verdict) => uses(says('store', [], { db: verdict }), ['redis']);
  const queue = (after: string[] = []) => uses(says('queue', after, { api: unseen }), ['logs'], ['redis']);
  const runWith = async (checks: Check[], services = stack.services, source = sourceOf()) => {
    const other = makeStack({ ...stack, services });
    const all = instancesOf(other, checks);
    return evaluate(all, all, other, source, () => {});
  };

  test.each([
    ['a finding', { findings: [finding('bad')] }, 'blocked ← db/store'],
    ['a warning: the peer answers', { findings: [finding('odd')] }, 'error'],
    ['nothing', { findings: [] }, 'error'],
    ['that it could not look either', unseen, 'error'],
    ['that it does not apply', { skip: 'none' }, 'error'],
  ] as [string, Verdict, string][])('where the check of the same fact at the peer says %s', async (_, verdict, expected) => {
    const outcomes = await run([store(verdict), queue()]);
    expect(brief(outcomes)['api/queue']).toBe(expected);
    expect(outcomes.find(({ id }) => id === 'api/queue')?.reason).toBe(
      expected === 'error' ? 'it does not say' : 'not asked: db/store fails',
    );
  });

  test('a failing check of another fact at the peer is no reason', async () => {
    const other = uses(says('store', [], { db: { findings: [finding('bad')] } }), ['inside']);
    expect(brief(await run([other, queue()]))['api/queue']).toBe('error');
  });

  test('nor is one of a service that nothing connects to', async () => {
    const lonely = { ...stack, connections: [] };
    const all = instancesOf(lonely, [store({ findings: [finding('bad')] }), queue()]);
    expect(brief(await evaluate(all, all, lonely, sourceOf(), () => {}))['api/queue']).toBe('error');
  });

  test('what was seen all the same stands, whatever the peer has', async () => {
    const seen = uses(says('queue', [], { api: { findings: [finding('bad')] } }), ['logs'], ['redis']);
    expect(brief(await run([store({ findings: [finding('bad')] }), seen]))['api/queue']).toBe('fail bad');
  });

  test('a peer that does not run is named before its check of the fact', async () => {
    const outcomes = await run([
      says('container', [], { db: { findings: [finding('blocked')] } }),
      store({ findings: [finding('bad')] }),
      queue(),
    ]);
    expect(brief(outcomes)['api/queue']).toBe('blocked ← db/container');
  });

  test('the failing peer is told of, though nobody selected it', async () => {
    const outcomes = await run([store({ findings: [finding('bad')] }), queue()], ['api/queue']);
    expect(brief(outcomes)).toEqual({ 'db/store': 'fail bad', 'api/queue': 'blocked ← db/store' });
  });

  test('two that could not look because of one another do not wait for ever', async () => {
    const both = makeStack({
      ...stack,
      connections: [makeConnection({ from: 'api', to: 'db' }), makeConnection({ from: 'db', to: 'api' })],
    });
    const mutual = uses(says('queue', [], { api: unseen, db: unseen }), ['logs'], ['logs']);
    const all = instancesOf(both, [mutual]);
    expect(brief(await evaluate(all, all, both, sourceOf(), () => {}))).toEqual({ 'api/queue': 'error', 'db/queue': 'error' });
  });

  test.each([
    ['ended', [{ state: { status: 'exited' as const, exitCode: 1 } }], 'skip'],
    ['is paused', [{ state: { status: 'paused' as const } }], 'skip'],
    ['has no container', [], 'skip'],
    ['runs', [{}], 'error'],
    ['runs, one of two', [{ state: { status: 'exited' as const } }, {}], 'error'],
  ])('on a service that %s', async (_, containers, expected) => {
    const [outcome] = await runWith([says('x', [], { api: unseen })], [makeService({ name: 'api', containers })]);
    expect(outcome).toMatchObject({ status: expected, reason: expected === 'skip' ? 'api is not running' : 'it does not say' });
  });

  test('a check that finds something on a service that ended says so', async () => {
    const ended = [makeService({ name: 'api', containers: [{ state: { status: 'exited', exitCode: 1 } }] })];
    expect(brief(await runWith([says('x', [], { api: { findings: [finding('bad')] } })], ended))).toEqual({ 'api/x': 'fail bad' });
  });

  test('where the containers themselves could not be looked at, that is an error: nobody knows whether it runs', async () => {
    const unknown = [makeService({ name: 'api', containers: [] })];
    const source = sourceOf({ containers: gap('the engine did not answer within 5 s') });
    expect(brief(await runWith([says('container', [], { api: unseen }), says('x', [], { api: unseen })], unknown, source))).toEqual({
      'api/container': 'error',
      'api/x': 'error',
    });
  });
});

describe('what a check says', () => {
  test('a check that throws is an error with its name, and neither a fault nor a pass', async () => {
    const outcomes = await run([
      says('broken', [], {
        db: () => {
          throw new TypeError('x is not a function');
        },
      }),
    ]);
    expect(outcomes.find((each) => each.id === 'db/broken')).toMatchObject({
      status: 'error',
      findings: [],
      reason: 'internal error in check broken: x is not a function',
    });
    expect(outcomes.find((each) => each.id === 'api/broken')?.status).toBe('pass');
  });

  test('so is a source that throws', async () => {
    const source = { ...sourceOf(), fact: async () => Promise.reject(new Error('gone')) };
    expect(brief(await run([says('x', [])], ['api'], source))).toEqual({ 'api/x': 'error' });
  });

  test('a finding that was never declared is an error, not a fault', async () => {
    const [outcome] = await run([says('x', [], { api: { findings: [finding('invented')] } })], ['api/x']);
    expect(outcome).toMatchObject({
      status: 'error',
      findings: [],
      reason: 'internal error in check x: it found "invented", which it does not declare',
    });
  });

  test('a gap is handed to the check, which judges', async () => {
    const seen: Fact<unknown>[] = [];
    const check = defineCheck({
      id: 'x',
      title: '',
      question: '',
      needs: ['logs'],
      after: [],
      appliesTo: () => true,
      findings: {},
      evaluate: ({ facts }) => (seen.push(facts.logs), { cannotLook: 'it said so' }),
    });
    const outcomes = await run([check], ['api'], sourceOf({ 'logs:api': gap('driver none') }));
    expect(seen).toEqual([gap('driver none')]);
    expect(outcomes[0]).toMatchObject({ status: 'error', reason: 'it said so' });
  });

  test('failing findings come first, then those nearer the ground', async () => {
    expect(brief(await run([says('x', [], { api: { findings: [finding('odd'), finding('bad'), finding('deep')] } })], ['api']))).toEqual({
      'api/x': 'fail deep+bad+odd',
    });
  });

  test('warnings alone warn', async () => {
    expect(brief(await run([says('x', [], { api: { findings: [finding('odd')] } })], ['api']))).toEqual({ 'api/x': 'warn odd' });
  });

  test('a skip keeps its reason, a pass its note', async () => {
    const outcomes = await run([says('x', [], { api: { skip: 'profile dev' }, db: { findings: [], note: '3 of 3' } })]);
    expect(outcomes.map(({ status, reason, note }) => [status, reason, note])).toEqual([
      ['skip', 'profile dev', null],
      ['pass', null, '3 of 3'],
    ]);
  });
});

describe('what was selected', () => {
  const checks = (verdict: Verdict) => [says('container', [], { db: verdict }), says('postgres', ['container']), says('other', [])];

  test('is asked with what it stands on, and no other fact', async () => {
    const asked: string[] = [];
    expect(brief(await run(checks({ findings: [] }), ['db/postgres'], sourceOf({}, asked)))).toEqual({ 'db/postgres': 'pass' });
    expect(asked).toEqual(['logs:db', 'logs:db']);
  });

  test('brings a failing prerequisite with it, though nobody selected that', async () => {
    expect(brief(await run(checks({ findings: [finding('blocked')] }), ['db/postgres']))).toEqual({
      'db/container': 'fail blocked',
      'db/postgres': 'blocked ← db/container',
    });
  });

  test('does not bring one that is well', async () => {
    expect(Object.keys(brief(await run(checks({ findings: [] }), ['postgres'])))).toEqual(['api/postgres', 'db/postgres']);
  });
});

test('each is told once, when it is done; order is that of the registry all the same', async () => {
  const told: string[] = [];
  const all = instancesOf(stack, [says('a', []), says('b', [])]);
  const outcomes = await evaluate(
    all,
    all,
    stack,
    {
      ...sourceOf(),
      fact: async (name, service) => (await new Promise((done) => setTimeout(done, service?.name === 'api' ? 20 : 1)), fact(name)),
    },
    (outcome) => told.push(outcome.id),
  );
  expect(told.toSorted()).toEqual(['api/a', 'api/b', 'db/a', 'db/b']);
  expect(told[0]).toMatch(/^db/);
  expect(outcomes.map((each) => each.id)).toEqual(['api/a', 'db/a', 'api/b', 'db/b']);
});

test('located findings carry the spec of their own check, also where two share an id', async () => {
  const checks = [
    stackSays('compose', [], { findings: [finding('bad')] }),
    says('compose', [], { api: { findings: [{ ...finding('odd'), severity: 'fail' }] } }),
  ];
  expect(
    locate(await run(checks), checks).map(({ id, service, code, severity, spec: { layer } }) => [id, service, code, severity, layer]),
  ).toEqual([
    ['compose', null, 'compose/bad', 'fail', 'app'],
    ['api/compose', 'api', 'compose/odd', 'fail', 'app'],
  ]);
});

describe('on files alone', () => {
  const ofFiles = (verdict: Verdict): Check => ({
    ...says('ports', ['engine'], { api: verdict }),
    onFiles: ['making'],
    needs: ['logs', 'making'],
  });
  const nowhere = makeStack({ services: [makeService({ name: 'api', containers: [] })] });
  const run = async (check: Check, of = nowhere, asked: string[] = []) => {
    const instances = instancesOf(of, [stackSays('engine', [], { findings: [finding('blocked')] }), check]);
    const outcomes = await evaluate(instances, instances, of, sourceOf({}, asked), () => {});
    return outcomes.find(({ id }) => id === 'api/ports')!;
  };

  test('what is found is told, though nothing runs, and no other fact is gathered', async () => {
    const asked: string[] = [];
    expect(await run(ofFiles({ findings: [finding('bad')] }), nowhere, asked)).toMatchObject({ status: 'fail', blockedBy: null });
    expect(asked.filter((key) => key.endsWith(':api'))).toEqual(['making:api']);
  });
  test.each<[string, Verdict]>([
    ['nothing found', { findings: [] }],
    ['nothing to say', { skip: 'no container' }],
    ['nothing to see', { cannotLook: 'no logs' }],
  ])('%s is no pass: it stays blocked', async (_, verdict) => {
    expect(await run(ofFiles(verdict))).toMatchObject({ status: 'blocked', blockedBy: 'engine' });
  });
  test('a service with containers is not asked', async () => {
    expect(await run(ofFiles({ findings: [finding('bad')] }), makeStack({ services: [makeService({ name: 'api' })] }))).toMatchObject({
      status: 'blocked',
    });
  });
});
