import { expect, test } from 'vitest';
import type { Case } from './case.ts';
import { faultsOf, reportText, shareText } from './report.ts';
import type { Verdict } from './score.ts';

const right: Verdict = { service: true, reason: true, found: true, blamed: [], extra: [], remedy: true, amongCandidates: null, strays: [] };
const row = (more: Partial<Case>): Case => ({
  kind: 'fault',
  id: 'store-stopped',
  title: 'the store is stopped',
  stack: 'pier',
  layer: 'app',
  expected: ['store/container container/exited'],
  said: ['store/container container/exited: store has exited'],
  red: ['store/container fail container/exited ← ?'],
  verdict: right,
  baselines: {
    order: { said: 'web proxy/bad-gateway', service: false, reason: false },
    upstream: { said: 'store container/exited', service: true, reason: true },
    wait: { said: 'all is well', service: false, reason: false },
  },
  ms: 400,
  load: 0.5,
  ...more,
});
const cases: Case[] = [
  row({}),
  row({
    id: 'wrong-name',
    layer: 'compose',
    said: ['web/proxy proxy/bad-gateway: x'],
    verdict: { ...right, service: false, reason: false, found: false, blamed: ['web'] },
  }),
  row({ kind: 'noise' }),
  row({ kind: 'pair', id: 'a + b', verdict: { ...right, found: false } }),
  row({ kind: 'healthy', id: 'quiet', verdict: null, baselines: {}, said: [], red: ['web/compose warn compose/env-drift ← ?'] }),
  row({ kind: 'healthy', id: 'loud', verdict: null, baselines: {}, said: [], red: ['web/http-health error no tool ← ?'] }),
  row({ kind: 'fault', id: 'unstaged', verdict: null, problem: 'waited 60000 ms for the symptom\nmore', said: [], red: [] }),
];
const text = reportText({
  startedAt: '2026-03-01T09:30:00.000Z',
  versions: { 'stack-doctor': '0.2.0' },
  set: { fault: 9, noise: 9, pair: 4, healthy: 5 },
  cases,
});

test('says when, with what, and how much of the set was measured', () => {
  expect(text).toContain('Run of 2026-03-01: stack-doctor 0.2.0.');
  expect(text).toContain('Measured: 2 of 9 faults, 1 of 9 faults with noise, 1 of 4 pairs of faults, 2 of 5 healthy stacks.');
});

test('the doctor and the baselines are counted over the same cases', () => {
  expect(text).toContain('| **doctor** | 2 | 50.0 % (9–91) | 50.0 % (9–91) |');
  expect(text).toContain('| first failing check, in the order of the compose file | 2 | 0.0 % (0–66) | 0.0 % (0–66) |');
  expect(text).toContain('| `docker compose up -d --wait` | 2 | 0.0 % (0–66) | – |');
  expect(text).toContain('Of its 1 wrong first causes, it was sure of 1.');
  expect(text).toContain('Compose said that all is well in 2 of these cases.');
});

test('layers stand from the ground up, warnings are no alarm, "could not look" is one', () => {
  expect(text.indexOf('| compose | 1 |')).toBeLessThan(text.indexOf('| app | 1 |'));
  expect(text).toContain('| pier | 2 | 50.0 % (9–91) |');
});

test('every miss is named, with what was expected and said', () => {
  const misses = text.slice(text.indexOf('## Every miss'));
  expect(misses.match(/^- \*\*.*$/gm)).toEqual([
    '- **wrong-name** (pier): service, blames web. the store is stopped.',
    '- **a + b** (pier): not all found. the store is stopped.',
    '- **loud** (healthy) (pier): false alarm. the store is stopped.',
    '- **unstaged** (pier): not measured. the store is stopped.',
  ]);
  expect(misses).toContain('  - expected: `store/container container/exited`\n  - said: `web/proxy proxy/bad-gateway: x`');
  expect(misses).toContain('  - waited 60000 ms for the symptom\n');
});

test('nothing is missed by a right verdict', () => expect(faultsOf(row({}))).toEqual([]));
test('of nothing there is no share', () => expect(shareText({ hits: 0, n: 0 })).toBe('–'));
