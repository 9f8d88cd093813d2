/** Do the codes and the runbooks fit together? */
import { isPlaceholder, placeholdersIn } from './fill.ts';
import type { Reach } from './reach.ts';
import type { Anchor, Runbook, Section } from './runbook.ts';
import { IGNORED, isIgnored, isProblem, partsOf, withParts } from './section-for.ts';

export interface RunbookRemark {
  file: string;
  /** `null`: of the whole file. */
  line: number | null;
  text: string;
}

export interface Verification {
  problems: RunbookRemark[];
  /** What is probably not as it was meant. */
  warnings: RunbookRemark[];
  /** What is as it may be, and good to know: codes that the shipped runbook answers for. */
  notes: RunbookRemark[];
}

/** Every code that a runbook names, with its line. */
export const anchorsOf = (runbook: Runbook): Anchor[] => runbook.sections.flatMap(({ anchors }) => anchors);

/** `codes`: all codes that the doctor has; `own`: those of the team's own checks, which may have a section. The last runbook is the shipped one; others need not have everything. */
export const verifyRunbook = (
  runbooks: readonly Runbook[],
  codes: readonly string[],
  reach: Reach | null = null,
  own: readonly string[] = [],
): Verification => {
  const shipped = runbooks.at(-1)!;
  const others = runbooks.slice(0, -1);
  const teams = others.filter(({ onlyNamed }) => !onlyNamed);
  const every = [...codes, ...own];
  const known = new Set([IGNORED, ...every, ...every.map((code) => `${code.slice(0, code.indexOf('/'))}/*`)]);
  const problems = [
    ...others.flatMap((runbook) => namesAndSteps(runbook, codes, known, false)),
    ...teams.flatMap((runbook) => unreached(runbook, reach)),
    ...namesAndSteps(shipped, codes, known, true),
    ...shipped.sections
      .filter(({ level, anchors }) => level === 3 && anchors.length === 0)
      .map(({ heading, lines }) => ({ file: shipped.file, line: lines[0], text: `the section "${heading}" is for no finding` })),
    ...codes.filter((code) => !names(shipped, code)).map((code) => ({ file: shipped.file, line: null, text: `${code} has no section` })),
  ];
  return {
    problems: inOrder(runbooks, problems),
    warnings: [],
    notes: teams.length > 0 ? coverage(teams, codes, shipped, reach) : [],
  };
};

/** By file, then by line; what is of a whole file last. */
export const inOrder = (runbooks: readonly Runbook[], remarks: readonly RunbookRemark[]): RunbookRemark[] => {
  const at = (of: string): number => runbooks.findIndex(({ file }) => file === of);
  const line = (remark: RunbookRemark): number => remark.line ?? Number.MAX_SAFE_INTEGER;
  return remarks.toSorted((a, b) => at(a.file) - at(b.file) || line(a) - line(b));
};

const names = (runbook: Runbook, code: string): boolean =>
  anchorsOf(runbook).some((anchor) => anchor.code === code || anchor.code === `${code.slice(0, code.indexOf('/'))}/*`);

const namesAndSteps = (runbook: Runbook, codes: readonly string[], known: ReadonlySet<string>, isShipped: boolean): RunbookRemark[] => {
  const { file } = runbook;
  const problems: RunbookRemark[] = [];
  const seen = new Map<string, number>();
  for (const { code, line } of anchorsOf(runbook)) {
    if (!known.has(code)) problems.push({ file, line, text: `no finding has the code ${code}${nearest(code, codes)}` });
    const first = seen.get(code);
    if (first !== undefined && code !== IGNORED) problems.push({ file, line, text: `${code} has a section already, at line ${first}` });
    seen.set(code, first ?? line);
  }
  for (const section of runbook.sections) {
    const { anchors, steps, prose, heading, lines } = section;
    // The parts that have headings of their own are of it too.
    if (anchors.length > 0 && !isIgnored(section) && prose.length === 0 && withParts(section, runbook).steps.length === 0)
      problems.push({ file, line: lines[0], text: `the section "${heading}" has no steps` });
    // A team's file may have braces of its own (awk, JSON) where no finding leads.
    if (!isShipped && anchors.length === 0) continue;
    for (const step of steps) {
      for (const name of placeholdersIn(`${step.text}\n${step.command ?? ''}`)) {
        if (!isPlaceholder(name)) problems.push({ file, line: step.line, text: `nothing fills the placeholder {${name}}` });
      }
    }
  }
  return problems;
};

/** What stands among problems and is a problem, and is found for none. */
const unreached = (runbook: Runbook, reach: Reach | null): RunbookRemark[] =>
  reach === null
    ? []
    : runbook.sections
        .filter((section) => isProblem(section, runbook) && section.anchors.length === 0 && !reach.reached.has(section))
        .filter((section) => !partsOfReached(runbook, reach).has(section))
        .map(({ heading, lines }) => ({
          file: runbook.file,
          line: lines[0],
          text: `no finding leads to the section "${heading}": name its codes in a comment (<!-- doctor: check/reason -->), or say <!-- doctor: ignore -->`,
        }));

/** What stands below a section that is reached is read with it, or is told apart by it. */
const partsOfReached = (runbook: Runbook, reach: Reach): Set<Section> => {
  const parts = new Set<Section>();
  for (const section of runbook.sections) if (reach.reached.has(section)) for (const part of partsOf(section, runbook)) parts.add(part);
  return parts;
};

const coverage = (teams: readonly Runbook[], codes: readonly string[], shipped: Runbook, reach: Reach | null): RunbookRemark[] => {
  const files = teams.map(({ file }) => file).join(', ');
  return codes.flatMap((code): RunbookRemark[] => {
    if (teams.some((runbook) => names(runbook, code))) return [];
    const entry = reach?.entries.find((each) => each.code === code);
    if (!entry?.place || entry.how === 'shipped') return [{ file: files, line: null, text: `${code} is left to ${shipped.file}` }];
    const { file, lines } = entry.place;
    return [{ file, line: lines[0], text: `${code} is found by its heading` }];
  });
};

const nearest = (code: string, codes: readonly string[]): string => {
  const reason = code.slice(code.indexOf('/') + 1);
  const same = codes.filter((other) => other.endsWith(`/${reason}`) || other.startsWith(code));
  return same.length > 0 && same.length <= 3 ? ` (is it ${same.join(' or ')}?)` : '';
};
