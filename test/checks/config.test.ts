import { describe, expect, test } from 'vitest';
import { config } from '../../src/checks/config.ts';
import type { IgnoreState } from '../../src/model/ignores.ts';
import { ask, fact, gap, inShort, makeStack } from './make.ts';

const ignore = {
  finding: 'ports/taken',
  service: 'web',
  reason: 'a demo machine',
  owner: 'ana',
  until: '2026-12-01',
  file: 'doctor.yaml',
  place: { line: 4, column: 5 },
};

describe('config', () => {
  test.each<[IgnoreState, string]>([
    ['matched', 'pass'],
    ['unknown', 'pass'],
    ['expired', 'warn ignore-expired'],
    ['unmatched', 'warn ignore-unmatched'],
  ])('%s', (state, wanted) => {
    const verdict = ask(config, { stack: makeStack(), facts: { 'own:ignores': fact([{ ignore, state }]) } });
    expect(inShort(config, verdict)).toBe(wanted);
    if (wanted !== 'pass')
      expect(verdict).toMatchObject({ findings: [{ evidence: [{ source: 'doctor.yaml:4' }], values: { owner: 'ana' } }] });
  });

  test('cannot look without the others', () =>
    expect(inShort(config, ask(config, { stack: makeStack(), facts: { 'own:ignores': gap('nobody asked') } }))).toBe('cannot look'));
});
