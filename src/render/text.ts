/** Report → text for people. The most important first: the verdict, each root cause with its proof and its fix, then the rest. */
import type { Evidence } from '../model/check.ts';
import type { Remedy, Report, RootCause } from '../model/report.ts';
import { checkList, isRoot } from './check-list.ts';
import { createPen } from './pen.ts';
import type { Pen, Terminal } from './pen.ts';
import { labelled, proof } from './proof.ts';
import { fix, whyThatSection } from './remedy.ts';
import { verdictOf } from './verdict.ts';
import { count, duration } from './words.ts';

export interface RunStats {
  engineCalls: number;
  connections: number;
  factCount: number;
  slowest: { fact: string; ms: number }[];
  /** What is worth knowing, and troubles nobody. */
  asides: string[];
}

export interface TextOptions extends Terminal {
  verbose: boolean;
  quiet: boolean;
  /** Of the terminal; 0: none, or not known. A report that is taller says of what passes only how much it is. */
  rows: number;
  /** Shown with `verbose`. */
  stats: RunStats | null;
}

type Manner = Pick<TextOptions, 'verbose' | 'quiet' | 'stats'>;

const MOST_EXPLAINED = 12;
/** Up to as many warnings come with their steps when nothing fails. */
const MOST_WARNINGS_WITH_STEPS = 3;

export const renderText = (report: Report, options: TextOptions): string => {
  const whole = lay(report, options, false);
  // The prompt takes a line too.
  const isTooTall = options.rows > 0 && !options.verbose && whole.split('\n').length > options.rows;
  return isTooTall ? lay(report, options, true) : whole;
};

const lay = (report: Report, options: TextOptions, brief: boolean): string => {
  const pen = createPen(options);
  const sections: string[][] = [verdict(report, pen)];
  for (const cause of report.rootCauses) sections.push(rootCause(cause, report, pen, options));
  sections.push(...notLookedAt(report, pen));
  if (!options.quiet) {
    sections.push(...warnings(report, pen, options), ...checkList(report, pen, { ...options, brief }));
  }
  sections.push(notes(report, pen), options.verbose ? statistics(report, pen, options.stats) : []);
  return `${sections
    .filter((section) => section.length > 0)
    .map((section) => section.join('\n'))
    .join('\n\n')}\n`;
};

const STATUS_SIGN = { pass: 'pass', warn: 'warn', fail: 'fail', error: 'error' } as const;

const verdict = (report: Report, pen: Pen): string[] => {
  const { counts, stack, status } = report;
  const name = pen.say(stack.project) || 'this stack';
  const parts = [`${name}: ${verdictOf(report)}`];
  if (stack.services.length > 0) parts.push(count(stack.services.length, 'service'));
  parts.push(duration(report.durationMs));
  const sign = status === 'pass' && counts.pass === 0 ? 'skip' : STATUS_SIGN[status];
  return pen.paragraph(parts.join(pen.dot), { lead: `${pen.sign(sign)} `, leadWidth: 2, styles: ['bold'] });
};

const rootCause = (cause: RootCause, report: Report, pen: Pen, manner: Manner): string[] => {
  const lines = headline('fail', cause.id, cause.summary, pen);
  lines.push(...proof(cause.evidence, pen, manner));
  if (cause.explains.length > 0) {
    const named = manner.verbose ? cause.explains : cause.explains.slice(0, MOST_EXPLAINED);
    const rest = cause.explains.length - named.length;
    const list = named.map((id) => pen.say(id)).join(', ') + (rest > 0 ? ` and ${rest} more` : '');
    lines.push(...labelled('Explains', list, pen));
  }
  lines.push(...doubt(cause, pen));
  const also = report.checks.find((check) => check.id === cause.id)?.alsoFound ?? [];
  for (const more of also.filter((each) => each.severity === 'fail' && each.code !== cause.code && !isRoot(cause.id, each.code, report))) {
    lines.push(...labelled('Also', pen.say(more.message), pen));
  }
  return [...lines, ...fix(cause.remedy, cause.code, pen), ...(manner.verbose ? whyThatSection(cause.remedy?.why, pen) : [])];
};

/** The other ways in which it may be, and the look that would tell. */
const doubt = ({ candidates = [], decide }: RootCause, pen: Pen): string[] => {
  const others = candidates.slice(1).flatMap(({ id, summary }) => labelled('Or', `${pen.say(id)}: ${pen.say(summary)}`, pen));
  if (others.length === 0 || !decide) return others;
  const command = pen.commandLines(decide.command).map((line) => `     ${pen.paint(line, 'cyan')}`);
  return [...others, `  ${pen.paint('Decide:', 'dim')}`, ...command];
};

const headline = (sign: 'fail' | 'warn', id: string, message: string, pen: Pen): string[] => {
  const name = `${pen.say(id)}:`;
  const [first = '', ...others] = pen.paragraph(`${name} ${pen.say(message)}`, { lead: '  ' });
  const body = first.slice(2);
  const painted = body.startsWith(name)
    ? pen.paint(name, 'bold', sign === 'fail' ? 'red' : 'yellow') + pen.paint(body.slice(name.length), 'bold')
    : pen.paint(body, 'bold');
  return [`${pen.sign(sign)} ${painted}`, ...others.map((line) => `  ${pen.paint(line.slice(2), 'bold')}`)];
};

/** Checks that could not look, with one reason said once. */
const notLookedAt = (report: Report, pen: Pen): string[][] => {
  const byReason = new Map<string, string[]>();
  for (const check of report.checks) {
    if (check.status !== 'error') continue;
    const reason = check.reason ?? check.message;
    byReason.set(reason, [...(byReason.get(reason) ?? []), check.id]);
  }
  if (byReason.size === 0) return [];
  return [
    [...byReason].flatMap(([reason, ids]) => {
      const named = ids.slice(0, MOST_EXPLAINED).map((id) => pen.say(id));
      const rest = ids.length - named.length;
      return [
        ...pen.paragraph(`Could not look at ${named.join(', ')}${rest > 0 ? ` and ${rest} more` : ''}:`, {
          lead: `${pen.sign('error')} `,
          leadWidth: 2,
        }),
        ...pen.paragraph(pen.say(reason), { lead: '  ' }),
      ];
    }),
  ];
};

interface Warning {
  id: string;
  code: string;
  message: string;
  evidence: Evidence[];
  remedy: Remedy | null;
}

/** Warnings that stand for themselves; those with a cause are in the list of checks. */
const warningsOf = (report: Report): Warning[] =>
  report.checks.flatMap((check) => {
    const own: Warning[] =
      check.status === 'warn' && check.causedBy === null
        ? [{ id: check.id, code: check.code ?? check.check, message: check.message, evidence: check.evidence, remedy: check.remedy }]
        : [];
    const also = check.alsoFound
      .filter((each) => each.severity === 'warn' && each.causedBy === null)
      .map((each): Warning => ({ id: check.id, code: each.code, message: each.message, evidence: each.evidence, remedy: null }));
    return [...own, ...also];
  });

const warnings = (report: Report, pen: Pen, manner: Manner): string[][] => {
  const all = warningsOf(report);
  const withSteps = manner.verbose || (report.rootCauses.length === 0 && all.length <= MOST_WARNINGS_WITH_STEPS);
  const lines = all.map((warning) => [
    ...headline('warn', warning.id, warning.message, pen),
    ...(withSteps ? proof(warning.evidence, pen, manner) : []),
    ...(withSteps && warning.remedy !== null
      ? fix(warning.remedy, warning.code, pen)
      : [pen.paint(`  doctor explain ${pen.say(warning.code)}`, 'dim')]),
  ]);
  return withSteps ? lines : [lines.flat()];
};

const notes = (report: Report, pen: Pen): string[] =>
  report.notes.flatMap((note) => pen.paragraph(`Note: ${pen.say(note)}`, { hang: 6, styles: ['dim'] }));

const statistics = (report: Report, pen: Pen, stats: RunStats | null): string[] => {
  const { engine, workingDir, composeFiles } = report.stack;
  const version =
    engine.version === null ? '' : `, version ${engine.version}${engine.apiVersion === null ? '' : ` (API ${engine.apiVersion})`}`;
  const lines = [`Engine: ${engine.host}${version}`, `Project: ${[workingDir, ...composeFiles].join(' ')}`];
  if (stats !== null) {
    lines.push(
      `Looked: ${count(stats.factCount, 'fact')}, ${count(stats.engineCalls, 'call')} to the engine, ${count(stats.connections, 'connection')} to services`,
    );
    if (stats.slowest.length > 0) lines.push(`Slowest: ${stats.slowest.map(({ fact, ms }) => `${fact} ${duration(ms)}`).join(', ')}`);
    lines.push(...stats.asides.map((aside) => `Note: ${aside}`));
  }
  return lines.flatMap((line) => pen.paragraph(pen.say(line), { hang: 2, styles: ['dim'] }));
};
