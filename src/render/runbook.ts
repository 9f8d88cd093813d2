/** `doctor runbook`: which section serves which finding; and whether codes and sections fit together. */
import type { Remedy } from '../model/report.ts';
import { width } from './fit.ts';
import { createPen } from './pen.ts';
import type { Terminal } from './pen.ts';
import { place } from './remedy.ts';
import { count } from './words.ts';

export interface RunbookTable {
  files: { file: string; sections: number }[];
  entries: { code: string; place: Remedy['source'] | null; why: string | null }[];
}

export interface Remarks {
  problems: { file: string; line: number | null; text: string }[];
  notes: { file: string; line: number | null; text: string }[];
}

export const renderRunbook = ({ files, entries }: RunbookTable, terminal: Terminal & { verbose: boolean }): string => {
  const pen = createPen(terminal);
  const used = files.map(({ file, sections }) => `${pen.say(file)} (${count(sections, 'section')})`);
  const lines = [...pen.paragraph(`Runbook: ${used.join(', then ')}`, { hang: 2, styles: ['bold'] }), ''];
  const codeWidth = Math.max(0, ...entries.map(({ code }) => width(code)));
  const narrow = pen.columns < codeWidth + 30;
  for (const { code, place: source, why } of entries) {
    const where = source === null ? 'no section' : place(source, pen);
    const text = terminal.verbose && why !== null ? `${where}: ${pen.say(why)}` : where;
    const styles = source === null ? (['yellow'] as const) : [];
    if (narrow) lines.push(code, ...pen.paragraph(text, { lead: '  ', styles: [...styles] }));
    else lines.push(...pen.paragraph(text, { lead: code.padEnd(codeWidth + 2), styles: [...styles] }));
  }
  return `${lines.join('\n')}\n`;
};

export const renderVerification = (
  { problems, notes }: Remarks,
  { files, entries }: RunbookTable,
  terminal: Terminal & { verbose: boolean; quiet: boolean },
): string => {
  const pen = createPen(terminal);
  const remark = (sign: 'fail' | 'skip', { file, line, text }: Remarks['notes'][number]): string[] =>
    pen.paragraph(`${pen.say(file)}${line === null ? '' : `:${line}`}: ${pen.say(text)}`, { lead: `${pen.sign(sign)} `, leadWidth: 2 });
  const names = files.map(({ file }) => pen.say(file)).join(' and ');
  const head =
    problems.length === 0
      ? pen.paragraph(`${names}: ${count(entries.length, 'code')}, each with its section`, {
          lead: `${pen.sign('pass')} `,
          leadWidth: 2,
          styles: ['bold'],
        })
      : pen.paragraph(`${names}: ${count(problems.length, 'problem')}`, { lead: `${pen.sign('fail')} `, leadWidth: 2, styles: ['bold'] });
  const lines = [...head, ...problems.flatMap((each) => remark('fail', each))];
  if (terminal.verbose) lines.push(...notes.flatMap((each) => remark('skip', each)));
  else if (notes.length > 0 && !terminal.quiet) lines.push(...pen.paragraph(`${count(notes.length, 'note')} with -v`, { styles: ['dim'] }));
  return `${lines.join('\n')}\n`;
};
