/** Do the codes and the runbooks fit together? */
import { isPlaceholder, placeholdersIn } from './fill.ts';
import type { Anchor, Runbook } from './runbook.ts';

interface RunbookRemark {
  file: string;
  /** `null`: of the whole file. */
  line: number | null;
  text: string;
}

export interface Verification {
  problems: RunbookRemark[];
  /** What is as it may be, and good to know: codes that the shipped runbook answers for. */
  notes: RunbookRemark[];
}

/** Every code that a runbook names, with its line. */
export const anchorsOf = (runbook: Runbook): Anchor[] => runbook.sections.flatMap(({ anchors }) => anchors);

/** `codes`: all codes there are. `found`: for a code, where a team's section was found without its being named there, as `file:line`. The last runbook is the shipped one. */
export const verifyRunbook = (
  runbooks: readonly Runbook[],
  codes: readonly string[],
  found: (code: string) => string | null = () => null,
  /** Codes of the team's own checks: they may have a section. */
  own: readonly string[] = [],
): Verification => {
  const problems: RunbookRemark[] = [];
  const notes: RunbookRemark[] = [];
  const known = new Set([...codes, ...own, ...[...codes, ...own].map((code) => `${code.slice(0, code.indexOf('/'))}/*`)]);
  for (const [i, runbook] of runbooks.entries()) {
    const shipped = i === runbooks.length - 1;
    const { file } = runbook;
    const seen = new Map<string, number>();
    for (const { code, line } of anchorsOf(runbook)) {
      if (!known.has(code)) problems.push({ file, line, text: `no finding has the code ${code}${nearest(code, codes)}` });
      const first = seen.get(code);
      if (first !== undefined) problems.push({ file, line, text: `${code} has a section already, at line ${first}` });
      seen.set(code, first ?? line);
    }
    for (const section of runbook.sections) {
      if (shipped && section.level === 3 && section.anchors.length === 0) {
        problems.push({ file, line: section.lines[0], text: `the section "${section.heading}" is for no finding` });
      }
      if (section.anchors.length > 0 && section.steps.length === 0 && section.prose.length === 0) {
        problems.push({ file, line: section.lines[0], text: `the section "${section.heading}" has no steps` });
      }
      for (const step of section.steps) {
        // A team's file may have braces of its own (awk, JSON) where no finding leads.
        if (!shipped && section.anchors.length === 0) continue;
        for (const name of placeholdersIn(`${step.text}\n${step.command ?? ''}`)) {
          if (!isPlaceholder(name)) problems.push({ file, line: step.line, text: `nothing fills the placeholder {${name}}` });
        }
      }
    }
    const has = (code: string): boolean => seen.has(code) || seen.has(`${code.slice(0, code.indexOf('/'))}/*`);
    for (const code of runbook.onlyNamed ? [] : codes) {
      if (has(code)) continue;
      if (shipped) problems.push({ file, line: null, text: `${code} has no section` });
      else {
        const where = found(code);
        notes.push({
          file,
          line: null,
          text: where === null ? `${code} is left to ${runbooks.at(-1)!.file}` : `${code} is found by its heading at ${where}`,
        });
      }
    }
  }
  return { problems, notes };
};

const nearest = (code: string, codes: readonly string[]): string => {
  const reason = code.slice(code.indexOf('/') + 1);
  const same = codes.filter((other) => other.endsWith(`/${reason}`) || other.startsWith(code));
  return same.length > 0 && same.length <= 3 ? ` (is it ${same.join(' or ')}?)` : '';
};
