import { describe, expect, test } from 'vitest';
import { defineCheck, type Check, type FindingSpec, type Outcome } from '../../src/model/check.ts';
import { applyIgnores } from '../../src/model/ignores.ts';
import { NOW } from '../checks/make.ts';

const spec = (severity: 'warn' | 'fail'): FindingSpec => ({ severity, layer: 'app', kind: 'cause', means: 'm', proof: 'p' });
const check: Check = defineCheck({
  id: 'ports',
  title: 't',
  question: 'q',
  needs: [],
  after: [],
  appliesTo: () => true,
  findings: { taken: spec('fail'), closed: spec('fail'), odd: spec('warn') },
  evaluate: () => ({ findings: [] }),
});
const outcome = (reasons: string[], more: Partial<Outcome> = {}): Outcome => ({
  id: 'web/ports',
  check: 'ports',
  service: 'web',
  title: 't',
  status: reasons.length === 0 ? 'pass' : 'fail',
  findings: reasons.map((reason) => ({ reason, message: `it is ${reason}`, evidence: [] })),
  blockedBy: null,
  reason: null,
  note: null,
  durationMs: 0,
  ...more,
});
const ignore = (more: object = {}) => ({
  finding: 'ports/taken',
  service: 'web',
  reason: 'a demo',
  owner: 'ana',
  until: '2026-12-01',
  file: 'doctor.yaml',
  place: { line: 1, column: 1 },
  ...more,
});

describe('ignores', () => {
  const apply = (outcomes: Outcome[], more: object = {}) => {
    const { outcomes: after, judged } = applyIgnores(outcomes, [ignore(more)], [check], NOW);
    return { after, state: judged[0]!.state };
  };

  test('what is ignored is skipped, with all that is said of it', () => {
    const { after, state } = apply([outcome(['taken'])]);
    expect(state).toBe('matched');
    expect(after[0]).toMatchObject({
      status: 'skip',
      findings: [],
      reason: 'ignored by ana until 2026-12-01: a demo (it is taken)',
      ignored: [{ owner: 'ana' }],
    });
  });

  test.each<[name: string, reasons: string[], status: string]>([
    ['another failure counts', ['taken', 'closed'], 'fail'],
    ['a warning stays one', ['taken', 'odd'], 'warn'],
  ])('%s', (_, reasons, status) => expect(apply([outcome(reasons)]).after[0]!.status).toBe(status));

  test('what was not asked for it is not asked for a known reason', () => {
    const { after } = apply([
      outcome(['taken']),
      outcome([], { id: 'web/proxy', check: 'proxy', status: 'blocked', blockedBy: 'web/ports' }),
    ]);
    expect(after[1]).toMatchObject({ status: 'skip', blockedBy: null });
  });

  test.each<[until: string, state: string, status: string]>([
    ['2026-11-23', 'matched', 'skip'],
    // Somewhere it is still that day.
    ['2026-11-22', 'matched', 'skip'],
    ['2026-11-21', 'expired', 'fail'],
  ])('until %s it is %s', (until, state, status) => {
    const found = apply([outcome(['taken'])], { until });
    expect([found.state, found.after[0]!.status]).toEqual([state, status]);
  });

  test.each<[name: string, outcomes: Outcome[], state: string]>([
    ['its check finds nothing', [outcome([])], 'unmatched'],
    ['its check finds something else', [outcome(['closed'])], 'unmatched'],
    ['its check could not look', [outcome([], { status: 'error' })], 'unknown'],
    ['its check was blocked', [outcome([], { status: 'blocked' })], 'unknown'],
    ['its check was not asked', [], 'unknown'],
    ['it is of another service', [outcome(['taken'], { service: 'api', id: 'api/ports' })], 'unknown'],
  ])('%s', (_, outcomes, state) => expect(apply(outcomes).state).toBe(state));
});
