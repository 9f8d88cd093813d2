/** `doctor explain <code>`: what a finding means, how it is proved, and what the runbook says. */
import type { FindingSpec } from '../model/check.ts';
import type { Remedy } from '../model/report.ts';
import { createPen } from './pen.ts';
import type { Pen, Terminal } from './pen.ts';
import { fix, whyThatSection } from './remedy.ts';

export interface Explanation {
  code: string;
  /** Of the check: the good state, and the question. */
  title: string;
  question: string;
  spec: FindingSpec;
  /** With its placeholders unfilled; `null` when no runbook has a section. */
  remedy: Remedy | null;
  /** Why that section. */
  why: string | null;
}

const SEVERITIES = { fail: 'a failure: the exit code is 1', warn: 'a warning: the exit code stays 0 unless --strict' } as const;
const KINDS = {
  cause: 'its own proof says where the fault is',
  symptom: 'the reason may lie elsewhere; the doctor looks for it and names it',
} as const;

export const renderExplanation = (
  { code, title, question, spec, remedy, why }: Explanation,
  terminal: Terminal & { verbose: boolean },
): string => {
  const pen = createPen(terminal);
  const lines = [
    ...pen.paragraph(code, { styles: ['bold'] }),
    ...entry('Asked', question, pen),
    ...entry('Good', title, pen),
    ...entry('Found', spec.means, pen),
    ...entry('Proof', spec.proof, pen),
    ...entry('Is', `${SEVERITIES[spec.severity]}; ${KINDS[spec.kind]}`, pen),
    ...(spec.blocks ? entry('Blocks', 'nothing else is asked of the service while this holds', pen) : []),
  ];
  const steps =
    remedy === null
      ? ['  No runbook has a section for it.']
      : [...fix(remedy, code, pen, 'Steps, from'), ...(terminal.verbose ? whyThatSection(why, pen) : [])];
  return `${[...lines, '', ...steps].join('\n')}\n`;
};

const entry = (label: string, text: string, pen: Pen): string[] =>
  pen.paragraph(pen.say(text), { lead: `  ${pen.paint(label.padEnd(8), 'dim')}`, leadWidth: 10, hang: pen.columns < 60 ? 4 : 10 });

/** `doctor explain postgres`: the findings of a check, each with what it means. */
export const renderFindings = (
  { id, title, question, findings }: { id: string; title: string; question: string; findings: Record<string, FindingSpec> },
  terminal: Terminal,
): string => {
  const pen = createPen(terminal);
  const lines = [...pen.paragraph(id, { styles: ['bold'] }), ...entry('Asked', question, pen), ...entry('Good', title, pen), ''];
  for (const [reason, spec] of Object.entries(findings)) {
    lines.push(`${pen.sign(spec.severity)} ${id}/${reason}`, ...pen.paragraph(pen.say(spec.means), { lead: '  ' }));
  }
  return `${lines.join('\n')}\n`;
};
