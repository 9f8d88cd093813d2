/** The checks, by service, and their numbers. */
import type { CheckReport, Report } from '../model/report.ts';
import { width } from './fit.ts';
import type { Pen, Sign, Style } from './pen.ts';
import { proof } from './proof.ts';
import { count, duration } from './words.ts';

interface Manner {
  verbose: boolean;
  /** What passes is counted, not listed. */
  brief: boolean;
}

/** More services than these that are all green are one line. */
const MOST_GREEN_SERVICES = 12;
/** Columns that a sentence needs at least. */
const LEAST_ROOM = 16;
/** A shorter list leaves the root cause in sight. */
const LONG_LIST = 12;

/** One line per check, by service; what belongs to the whole stack first. */
export const checkList = (report: Report, pen: Pen, manner: Manner): string[][] => {
  const groups = new Map<string | null, CheckReport[]>([[null, []]]);
  for (const check of report.checks) groups.set(check.service, [...(groups.get(check.service) ?? []), check]);
  const green = [...groups].filter(([, checks]) =>
    checks.every((check) => (check.status === 'skip' && check.ignored === undefined) || isGreen(check)),
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
    const name = service === null ? 'the stack' : pen.say(service);
    const passing = manner.brief ? shown.filter(isGreen) : [];
    if (passing.length > 0 && passing.length === shown.length) {
      lines.push(
        ...pen.paragraph(`${name}: ${count(passing.length, 'check')} ${passing.length === 1 ? 'passes' : 'pass'}`, {
          lead: `${pen.sign('pass')} `,
          leadWidth: 2,
          hang: 4,
        }),
      );
      continue;
    }
    const listed = shown.filter((check) => !passing.includes(check));
    const body = list(listed, report, pen, manner, nameWidth);
    if (passing.length > 0)
      body.push(
        `  ${pen.sign('pass')} ${pen.paint(`${count(passing.length, 'check')} ${passing.length === 1 ? 'passes' : 'pass'}`, 'dim')}`,
      );
    if (body.length > 0) lines.push(pen.paint(name, 'bold') + (manner.verbose ? about(service, report, pen) : ''), ...body);
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
  return [lines, closing(report, pen, manner, lines.length >= LONG_LIST)];
};

const isGreen = ({ status, alsoFound, ignored }: CheckReport): boolean =>
  status === 'pass' && alsoFound.length === 0 && ignored === undefined;

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
const closing = ({ counts, rootCauses }: Report, pen: Pen, { brief }: Manner, long: boolean): string[] => {
  const parts = [
    `${counts.pass} pass`,
    counts.warn > 0 ? count(counts.warn, 'warning') : '',
    counts.fail > 0 ? `${counts.fail} fail` : '',
    counts.blocked > 0 ? `${counts.blocked} blocked` : '',
    counts.error > 0 ? `${counts.error} could not look` : '',
    counts.skip > 0 ? `${counts.skip} ${counts.skip === 1 ? 'does' : 'do'} not apply` : '',
  ].filter((part) => part !== '');
  const numbers = pen.paragraph(parts.join(pen.dot) + (brief ? '; -v lists them all' : ''), { styles: ['dim'] });
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

export const isRoot = (id: string, code: string | null, report: Report): boolean =>
  report.rootCauses.some((cause) => cause.id === id && cause.code === code);
