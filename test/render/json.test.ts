import { expect, test } from 'vitest';
import { renderJson } from '../../src/render/json.ts';
import type { Report } from '../../src/model/report.ts';
import * as reports from './reports.ts';

test('one document, a line end, the keys and the order of the contract', () => {
  const text = renderJson(reports.oneCause);
  expect(text.endsWith('}\n')).toBe(true);
  const document = JSON.parse(text) as Report;
  expect(Object.keys(document)).toEqual([
    'schemaVersion',
    'tool',
    'startedAt',
    'durationMs',
    'status',
    'stack',
    'counts',
    'rootCauses',
    'checks',
    'notes',
  ]);
  expect(document.checks.map(({ id }) => id)).toEqual(reports.oneCause.checks.map(({ id }) => id));
});

test('marks are hidden, and what would steer a terminal is gone even after jq -r', () => {
  for (const report of [reports.oneCause, reports.hostile]) {
    const text = renderJson(report);
    expect(text).not.toContain('‹secret');
    const strings: string[] = [];
    JSON.parse(text, (_, value: unknown) => (typeof value === 'string' ? strings.push(value) : value));
    // oxlint-disable-next-line no-control-regex -- what must not be there
    expect(strings.filter((each) => /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/.test(each))).toEqual([]);
  }
  expect(renderJson(reports.oneCause)).toContain('orchard:***@store');
});
