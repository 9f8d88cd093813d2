import { describe, expect, test } from 'vitest';
import { renderJUnit } from '../../src/render/junit.ts';
import type { Report } from '../../src/model/report.ts';
import * as reports from './reports.ts';

const all = Object.values(reports).filter((each): each is Report => typeof each === 'object' && 'schemaVersion' in each);

/** Tags that open and close in order, attributes in quotes, no bare `&` or `<`: what a parser would refuse. */
const unclosed = (xml: string): string[] => {
  const open: string[] = [];
  const body = xml.replace(/^<\?xml [^>]*\?>\n/, '');
  const rest = body.replaceAll(
    /<(\/?)([a-z-]+)((?: [a-z]+="[^"<&]*(?:&(?:amp|lt|gt|quot);[^"<&]*)*")*)(\/?)>/g,
    (_, end: string, name: string, __, single: string) => {
      if (end) expect(open.pop()).toBe(name);
      else if (!single) open.push(name);
      return '';
    },
  );
  expect(rest.replaceAll(/&(amp|lt|gt|quot);/g, '')).not.toMatch(/[<&]/);
  return open;
};

describe('JUnit', () => {
  test.each(all.map((report, index) => [index, report] as const))('report %i is one well-formed document', (_, report) => {
    const xml = renderJUnit(report, { strict: false });
    expect(unclosed(xml)).toEqual([]);
    expect(xml.match(/<testcase /g)).toHaveLength(report.checks.length);
    // oxlint-disable-next-line no-control-regex -- XML has no way to write these
    expect(xml).not.toMatch(/[\x00-\x08\x0b-\x1f\ufffe\uffff]|‹secret/);
  });

  test('the other candidates, and the look that would decide', () => {
    expect(renderJUnit(reports.undecided, { strict: false })).toContain(
      'Or: api/http-health: api takes the connection and does not answer\nDecide: docker compose logs --tail 50 api',
    );
  });

  test('the numbers are those of the report', () => {
    const { counts } = reports.twoCausesAndMore;
    const [head] = /<testsuites [^>]*>/.exec(renderJUnit(reports.twoCausesAndMore, { strict: false }))!;
    expect(head).toContain(`failures="${counts.fail}"`);
    expect(head).toContain(`errors="${counts.error}"`);
    expect(head).toContain(`skipped="${counts.skip + counts.blocked}"`);
  });

  test('a root cause has its steps, a consequence its cause, a destructive step its warning', () => {
    const xml = renderJUnit(reports.oneCause, { strict: false });
    expect(xml).toMatch(/<failure type="postgres\/auth-rejected"[^]*Fix, from [^]*\[DELETES DATA\]/);
    expect(xml).toContain('Caused by store/postgres');
  });

  test('what could not be looked at is an error, not a success', () => {
    expect(renderJUnit(reports.couldNotLook, { strict: false })).toContain('<error type="could-not-look"');
  });

  test('a warning fails only where it is asked to', () => {
    expect(renderJUnit(reports.warned, { strict: false })).not.toContain('<failure');
    expect(renderJUnit(reports.warned, { strict: true })).toContain('<failure');
  });
});
