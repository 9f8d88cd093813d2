import { describe, expect, test } from 'vitest';
import { renderText } from '../../src/render/text.ts';
import type { TextOptions } from '../../src/render/text.ts';
import { width } from '../../src/render/fit.ts';
import type { Report } from '../../src/model/report.ts';
import * as reports from './reports.ts';

const plainly: TextOptions = { columns: 80, colour: false, unicode: true, verbose: false, quiet: false, rows: 0, stats: null };

const goldens: [name: string, report: Report, options: Partial<TextOptions>][] = [
  ['healthy', reports.healthy, {}],
  ['one-cause', reports.oneCause, {}],
  ['one-cause-40-columns', reports.oneCause, { columns: 40 }],
  ['one-cause-ascii', reports.oneCause, { unicode: false }],
  ['one-cause-quiet', reports.oneCause, { quiet: true }],
  ['one-cause-verbose', reports.oneCause, { verbose: true, stats: reports.stats }],
  ['one-cause-colour', reports.oneCause, { colour: true }],
  ['two-causes', reports.twoCausesAndMore, {}],
  ['warned', reports.warned, {}],
  ['could-not-look', reports.couldNotLook, {}],
  ['no-engine', reports.noEngine, {}],
  ['large', reports.large, {}],
  ['one-screen', reports.oneCause, { rows: 24 }],
  ['hostile', reports.hostile, {}],
];

test.each(goldens)('%s', async (name, report, options) => {
  await expect(renderText(report, { ...plainly, ...options })).toMatchFileSnapshot(`goldens/${name}.txt`);
});

test('what the evidence leaves open: the others that it may be, and the look that would decide, ready to paste', () => {
  const text = renderText(reports.undecided, plainly);
  expect(text).toContain(
    '\n  Or: api/http-health: api takes the connection and does not answer\n  Decide:\n     docker compose logs --tail 50 api\n',
  );
  expect(text.match(/^ {2}Or:/gm)).toHaveLength(1);
});

describe('a terminal of few rows', () => {
  test('a report that fits is whole', () => {
    const whole = renderText(reports.healthy, plainly);
    expect(renderText(reports.healthy, { ...plainly, rows: whole.split('\n').length })).toBe(whole);
  });

  test('one that does not fit counts what passes, and hides nothing else', () => {
    for (const report of all) {
      const [whole, brief] = [0, 1].map((rows) => renderText(report, { ...plainly, rows }));
      const others = (text: string) => text.split('\n').filter((line) => /^ *[✖⚠⊘?] /.test(line));
      expect(others(brief!)).toEqual(others(whole!));
      expect(brief!.split('\n').length).toBeLessThanOrEqual(whole!.split('\n').length);
    }
    const brief = renderText(reports.healthy, { ...plainly, rows: 1 });
    expect(brief.match(/^ *✔ .*\d+ checks?/gm)).not.toBeNull();
    expect(renderText(reports.healthy, { ...plainly, rows: 1, verbose: true })).toBe(
      renderText(reports.healthy, { ...plainly, verbose: true }),
    );
  });
});

const all = Object.values(reports).filter((each): each is Report => typeof each === 'object' && 'schemaVersion' in each);
const commandsOf = (report: Report): string[] =>
  report.rootCauses.flatMap(({ remedy }) => remedy?.steps.flatMap(({ command }) => command ?? []) ?? []);

describe('for every report', () => {
  test.each([80, 60, 40])('no line but a command is wider than %i columns', (columns) => {
    for (const report of all) {
      for (const unicode of [true, false]) {
        for (const verbose of [true, false]) {
          const text = renderText(report, { ...plainly, columns, unicode, verbose });
          const tooWide = text.split('\n').filter((line) => width(line) > columns && !line.startsWith('     '));
          expect(tooWide).toEqual([]);
        }
      }
    }
  });

  test.each([40, 80, 0])('commands stand whole on lines of their own at %i columns', (columns) => {
    const lines = new Set(renderText(reports.oneCause, { ...plainly, columns }).split('\n'));
    const commands = commandsOf(reports.oneCause).flatMap((command) => command.split('\n'));
    expect(commands.length).toBeGreaterThan(3);
    for (const line of commands) expect(lines).toContain(`     ${line}`);
  });

  test('nothing that steers a terminal gets through, and no mark of a secret', () => {
    for (const report of all) {
      for (const verbose of [true, false]) {
        const text = renderText(report, { ...plainly, verbose });
        // oxlint-disable-next-line no-control-regex -- these must not be there
        expect(text).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u200b-\u200f\u202a-\u202e\u2066-\u2069]/);
        expect(text).not.toContain('‹secret');
      }
    }
  });

  test('ASCII is ASCII, where users wrote nothing else', () => {
    for (const report of all.filter((each) => each !== reports.hostile)) {
      // oxlint-disable-next-line no-control-regex -- the range is meant
      expect(renderText(report, { ...plainly, unicode: false, verbose: true })).toMatch(/^[\x00-\x7f]*$/);
    }
  });

  test('colours add nothing but colours', () => {
    for (const report of all) {
      // oxlint-disable-next-line no-control-regex -- its own colours
      const bare = renderText(report, { ...plainly, colour: true }).replaceAll(/\u001b\[\d+m/g, '');
      expect(bare).toBe(renderText(report, plainly));
    }
  });

  test('a terminal that does not know its width is taken for 80 columns', () => {
    for (const report of all) expect(renderText(report, { ...plainly, columns: 0 })).toBe(renderText(report, plainly));
  });

  test('the first line has the verdict, the stack and the time', () => {
    for (const report of all.filter((each) => each !== reports.hostile)) {
      const first = renderText(report, { ...plainly, columns: 110 }).split('\n')[0]!;
      expect(first).toMatch(/^[✔⚠✖?] orchard: .*(412 ms|1\.0 s)$/);
    }
  });
});

test('a megabyte of one word, and a hundred thousand lines, are rendered at once', () => {
  const evidence = [
    { source: 'body', text: 'x'.repeat(1_000_000) },
    { source: 'log', text: 'line\n'.repeat(100_000) },
    { source: 'spaces', text: ' '.repeat(500_000) },
  ];
  const report = reports.report([reports.check('a/http-health', 'fail')], [{ ...reports.oneCause.rootCauses[0]!, evidence }]);
  const begun = performance.now();
  expect(renderText(report, plainly).length).toBeLessThan(10_000);
  expect(performance.now() - begun).toBeLessThan(2_000);
});

test('a reason why it could not look is said once for all checks that share it', () => {
  const text = renderText(reports.twoCausesAndMore, plainly);
  expect(text).toContain('Could not look at api/hot-reload, jobs/hot-reload:');
});

test('a here-document is not indented, so that it ends where it should when it is pasted', () => {
  const command = "psql <<'SQL'\nSELECT 1;\nSQL";
  const remedy = { ...reports.oneCause.rootCauses[0]!.remedy!, steps: [{ text: 'Ask', command, effect: 'read-only' as const }] };
  const report = reports.report([reports.check('a/postgres', 'fail')], [{ ...reports.oneCause.rootCauses[0]!, remedy }]);
  expect(renderText(report, plainly)).toContain(`\n${command}\n`);
});
