/** Report → text for people. The most important first: the verdict, each root cause with its proof and its fix, then the rest. */
import type { Evidence } from '../model/check.ts';
import type { CheckReport, Remedy, Report, RootCause } from '../model/report.ts';
import { width } from './fit.ts';
import { createPen } from './pen.ts';
import type { Pen, Sign, Style, Terminal } from './pen.ts';
import { fix } from './remedy.ts';
import { verdictOf } from './verdict.ts';
import { count, duration } from './words.ts';

export interface RunStats {
  engineCalls: number;
  connections: number;
  factCount: number;
  slowest: { fact: string; ms: number }[];
}

export interface TextOptions extends Terminal {
  verbose: boolean;
  quiet: boolean;
  /** Shown with `verbose`. */
  stats: RunStats | null;
}

type Manner = Pick<TextOptions, 'verbose' | 'quiet' | 'stats'>;

/** More services than these that are all green are one line. */
const MOST_GREEN_SERVICES = 12;
const MOST_EVIDENCE = 4;
const MOST_EVIDENCE_LINES = 4;
const MOST_EXPLAINED = 12;
/** Columns that a sentence needs at least. */
const LEAST_ROOM = 16;
/** A shorter list leaves the root cause in sight. */
const LONG_LIST = 12;
/** Up to as many warnings come with their steps when nothing fails. */
const MOST_WARNINGS_WITH_STEPS = 3;

export const renderText = (report: Report, options: TextOptions): string => {
  const pen = createPen(options);
  const sections: string[][] = [verdict(report, pen)];
  for (const cause of report.rootCauses) sections.push(rootCause(cause, report, pen, options));
  sections.push(...notLookedAt(report, pen));
  if (!options.quiet) {
    sections.push(...warnings(report, pen, options), ...checkList(report, pen, options));
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
  return [...lines, ...fix(cause.remedy, cause.code, pen)];
};

/** The other ways in which it may be, and the look that would tell. */
const doubt = ({ candidates = [], decide }: RootCause, pen: Pen): string[] => {
  const others = candidates.slice(1).flatMap(({ id, summary }) => labelled('Or', `${pen.say(id)}: ${pen.say(summary)}`, pen));
  if (others.length === 0 || !decide) return others;
  return [
    ...others,
    `  ${pen.paint('Decide:', 'dim')} ${pen
      .commandLines(decide.command)
      .map((line) => pen.paint(line, 'cyan'))
      .join('\n')}`,
  ];
};

const labelled = (label: string, text: string, pen: Pen): string[] =>
  pen.paragraph(text, { lead: `  ${pen.paint(`${label}:`, 'dim')} `, leadWidth: label.length + 4, hang: 4 });

const headline = (sign: 'fail' | 'warn', id: string, message: string, pen: Pen): string[] => {
  const name = `${pen.say(id)}:`;
  const [first = '', ...others] = pen.paragraph(`${name} ${pen.say(message)}`, { lead: '  ' });
  const body = first.slice(2);
  const painted = body.startsWith(name)
    ? pen.paint(name, 'bold', sign === 'fail' ? 'red' : 'yellow') + pen.paint(body.slice(name.length), 'bold')
    : pen.paint(body, 'bold');
  return [`${pen.sign(sign)} ${painted}`, ...others.map((line) => `  ${pen.paint(line.slice(2), 'bold')}`)];
};

const proof = (evidence: Evidence[], pen: Pen, { verbose }: Manner): string[] => {
  const most = verbose ? evidence.length : MOST_EVIDENCE;
  const lines = evidence.slice(0, most).flatMap((each) => oneProof(each, pen, verbose));
  const rest = evidence.length - most;
  return rest > 0 ? [...lines, pen.paint(`  Proof: ${rest} more with -v`, 'dim')] : lines;
};

/** The source and the text on one line where they fit; a text of several lines under its source, its middle left out. */
const oneProof = ({ source, text }: Evidence, pen: Pen, verbose: boolean): string[] => {
  const texts = pen.sayLines(text).filter((line) => line.trim() !== '');
  const head = pen.say(source);
  const shorten = (lines: string[]): string[] =>
    verbose || lines.length <= MOST_EVIDENCE_LINES
      ? lines
      : [...lines.slice(0, MOST_EVIDENCE_LINES - 1), `    ${pen.cut(lines[MOST_EVIDENCE_LINES - 1]!.trim() + pen.ellipsis, 6)}`];
  if (texts.length <= 1) {
    return shorten(labelled('Proof', texts.length === 0 ? head : `${head}: ${pen.say(texts[0]!)}`, pen));
  }
  // Of a log or a traceback the end says most, and the beginning says what it is.
  const kept = verbose || texts.length <= MOST_EVIDENCE_LINES ? texts : [texts[0]!, pen.ellipsis, ...texts.slice(1 - MOST_EVIDENCE_LINES)];
  const body = kept.flatMap((line) => {
    const indent = Math.min(8, line.length - line.trimStart().length);
    return shorten(pen.paragraph(line.trim(), { lead: ' '.repeat(4 + indent) }));
  });
  return [...labelled('Proof', `${head}:`, pen), ...body];
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

const isRoot = (id: string, code: string | null, report: Report): boolean =>
  report.rootCauses.some((cause) => cause.id === id && cause.code === code);

/** One line per check, by service; what belongs to the whole stack first. */
const checkList = (report: Report, pen: Pen, manner: Manner): string[][] => {
  const groups = new Map<string | null, CheckReport[]>([[null, []]]);
  for (const check of report.checks) groups.set(check.service, [...(groups.get(check.service) ?? []), check]);
  const green = [...groups].filter(([, checks]) =>
    checks.every(
      ({ status, alsoFound, ignored }) => (status === 'pass' || status === 'skip') && alsoFound.length === 0 && ignored === undefined,
    ),
  );
  const folded =
    !manner.verbose && green.length > MOST_GREEN_SERVICES ? new Set(green.map(([service]) => service)) : new Set<string | null>();

  // When one thing stands in the way of everything (no engine), a line for each that was not asked says nothing.
  const blockers = new Set(report.checks.filter(({ status }) => status === 'blocked').map(({ blockedBy }) => blockedBy));
  const stackBlocker =
    !manner.verbose && blockers.size === 1 ? report.checks.find(({ id, service }) => service === null && blockers.has(id)) : undefined;

  const nameWidth = pen.columns < 60 ? 0 : Math.max(0, ...report.checks.map(({ check }) => pen.say(check).length));
  const sorted = [...groups].sort(([a], [b]) => (a === null ? -1 : b === null ? 1 : a < b ? -1 : a > b ? 1 : 0));
  const lines: string[] = [];
  for (const [service, checks] of sorted) {
    if (folded.has(service)) continue;
    const shown = checks.filter(
      ({ status, ignored }) =>
        manner.verbose || ignored !== undefined || !(status === 'skip' || (status === 'blocked' && stackBlocker !== undefined)),
    );
    const body = list(shown, report, pen, manner, nameWidth);
    if (body.length > 0)
      lines.push(
        pen.paint(service === null ? 'the stack' : pen.say(service), 'bold') + (manner.verbose ? about(service, report, pen) : ''),
        ...body,
      );
  }
  if (stackBlocker) {
    const { blocked } = report.counts;
    lines.push(
      ...pen.paragraph(`${count(blocked, 'check')} not asked: blocked by ${pen.say(stackBlocker.id)}`, {
        lead: `${pen.sign('blocked')} `,
        leadWidth: 2,
      }),
    );
  }
  if (folded.size > 0) {
    const passed = green.flatMap(([, checks]) => checks).filter(({ status }) => status === 'pass').length;
    const services = green.filter(([service]) => service !== null).length;
    lines.push(
      ...pen.paragraph(`${count(passed, 'check')} of ${count(services, 'service')} pass`, { lead: `${pen.sign('pass')} `, leadWidth: 2 }),
    );
  }
  return [lines, closing(report, pen, lines.length >= LONG_LIST)];
};

const about = (service: string | null, report: Report, pen: Pen): string => {
  const found = report.stack.services.find(({ name }) => name === service);
  if (!found) return '';
  const parts = [found.role, found.state, found.health, found.image].filter((part) => part !== null && part !== '');
  return pen.paint(`  ${parts.map((part) => pen.say(String(part))).join(', ')}`, 'dim');
};

const list = (checks: CheckReport[], report: Report, pen: Pen, manner: Manner, nameWidth: number): string[] => {
  const lines: string[] = [];
  const told = new Set<string>();
  for (const check of checks) {
    if (check.status === 'blocked' && !manner.verbose) {
      const by = check.blockedBy ?? '';
      if (told.has(by)) continue;
      told.add(by);
      const alike = checks.filter(({ status, blockedBy }) => status === 'blocked' && blockedBy === by).map((each) => each.check);
      lines.push(...row({ sign: 'blocked', name: alike.join(', '), text: `blocked by ${by}` }, pen, manner, nameWidth));
      continue;
    }
    lines.push(
      ...row(
        { sign: check.status, name: check.check, text: said(check, report), cause: check.causedBy, ms: check.durationMs },
        pen,
        manner,
        nameWidth,
      ),
    );
    if (manner.verbose && check.status === 'fail' && !isRoot(check.id, check.code, report)) {
      lines.push(...proof(check.evidence, pen, manner).map((line) => `  ${line}`));
    }
    if (check.status !== 'skip')
      for (const { message, owner, until } of check.ignored ?? [])
        lines.push(
          ...row({ sign: 'skip', name: check.check, text: `ignored by ${owner} until ${until}: ${message}` }, pen, manner, nameWidth),
        );
    for (const also of check.alsoFound) {
      // All of a check's root causes stand above; one line points there.
      if (isRoot(check.id, also.code, report)) continue;
      lines.push(...row({ sign: also.severity, name: check.check, text: also.message, cause: also.causedBy }, pen, manner, nameWidth));
    }
  }
  return lines;
};

const ROOT = 'root cause, see above';

const said = (check: CheckReport, report: Report): string => {
  switch (check.status) {
    case 'pass':
      return check.message || check.title;
    case 'skip':
      return check.ignored ? (check.reason ?? '') : `does not apply: ${check.reason ?? ''}`;
    case 'error':
      return `could not look: ${check.reason ?? ''}`;
    case 'blocked':
      return `blocked by ${check.blockedBy ?? ''}`;
    default:
      return isRoot(check.id, check.code, report) ? ROOT : check.message;
  }
};

interface Row {
  sign: Sign;
  name: string;
  text: string;
  /** The id of what explains it. */
  cause?: string | null;
  ms?: number;
}

const row = ({ sign, name, text, cause, ms }: Row, pen: Pen, { verbose }: Manner, nameWidth: number): string[] => {
  const label = pen.say(name).padEnd(nameWidth);
  const lead = `  ${pen.sign(sign)} ${label}  `;
  const leadWidth = 6 + width(label);
  const styles: Style[] = sign === 'pass' || sign === 'skip' || sign === 'blocked' ? ['dim'] : [];
  const because = cause ? ` ${pen.say(`← ${cause}`)}` : '';
  if (verbose) {
    const timed = ms === undefined ? '' : ` (${duration(ms)})`;
    return pen.paragraph(pen.say(text) + because + timed, { lead, leadWidth, hang: Math.min(leadWidth, 6 + nameWidth), styles });
  }
  // A line that has no room for words after its name, or for the cause after its words, says the one and then the other.
  const room = pen.columns - leadWidth - width(because);
  if (room < LEAST_ROOM)
    return pen.paragraph(`${label.trim()}  ${because === '' ? pen.say(text) : because.trim()}`, {
      lead: `  ${pen.sign(sign)} `,
      leadWidth: 4,
      hang: 6,
      styles,
    });
  return [lead + pen.paint(pen.cut(pen.say(text), leadWidth + width(because)), ...styles) + pen.paint(because, 'dim')];
};

/** The last line, since that is what a terminal shows after a long list. */
const closing = ({ counts, rootCauses }: Report, pen: Pen, long: boolean): string[] => {
  const parts = [
    `${counts.pass} pass`,
    counts.warn > 0 ? count(counts.warn, 'warning') : '',
    counts.fail > 0 ? `${counts.fail} fail` : '',
    counts.blocked > 0 ? `${counts.blocked} blocked` : '',
    counts.error > 0 ? `${counts.error} could not look` : '',
    counts.skip > 0 ? `${counts.skip} ${counts.skip === 1 ? 'does' : 'do'} not apply` : '',
  ].filter((part) => part !== '');
  const numbers = pen.paragraph(parts.join(pen.dot), { styles: ['dim'] });
  if (rootCauses.length === 0 || !long) return numbers;
  const ids = [...new Set(rootCauses.map(({ id }) => pen.say(id)))];
  const more = ids.length > 3 ? ` and ${ids.length - 3} more` : '';
  const several = rootCauses.length > 1;
  const first = pen.paragraph(
    `Root cause${several ? 's' : ''}: ${ids.slice(0, 3).join(', ')}${more}; ${several ? 'their fixes are' : 'its fix is'} at the top`,
    { lead: `${pen.sign('fail')} `, leadWidth: 2, styles: ['bold'] },
  );
  return [...numbers, ...first];
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
  }
  return lines.flatMap((line) => pen.paragraph(pen.say(line), { hang: 2, styles: ['dim'] }));
};
