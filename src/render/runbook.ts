/** `doctor runbook`: which section serves which finding; and whether codes and sections fit together. */
import { SCHEMA_VERSION, type Remedy } from '../model/report.ts';
import { width } from './fit.ts';
import { renderJson } from './json.ts';
import { createPen } from './pen.ts';
import type { Terminal } from './pen.ts';
import { place } from './remedy.ts';
import { count } from './words.ts';

export interface RunbookTable {
  /** In the order in which they are asked. */
  files: { file: string; sections: number; why: string }[];
  entries: { code: string; place: Remedy['source'] | null; why: string | null; how: string | null }[];
  /** What looked like a runbook and is not used. */
  notes: string[];
}

export interface Remarks {
  problems: { file: string; line: number | null; text: string }[];
  warnings: { file: string; line: number | null; text: string }[];
  notes: { file: string; line: number | null; text: string }[];
}

export const renderRunbook = ({ files, entries, notes }: RunbookTable, terminal: Terminal & { verbose: boolean }): string => {
  const pen = createPen(terminal);
  const lines = files.flatMap(({ file, sections, why }, i) =>
    pen.paragraph(`${i === 0 ? 'Runbook:' : 'then:'} ${pen.say(file)} (${count(sections, 'section')}; ${pen.say(why)})`, {
      hang: 2,
      styles: ['bold'],
    }),
  );
  if (terminal.verbose) lines.push(...notes.flatMap((note) => pen.paragraph(`Note: ${pen.say(note)}`, { hang: 6, styles: ['dim'] })));
  lines.push('');
  const codeWidth = Math.max(0, ...entries.map(({ code }) => width(code)));
  const narrow = pen.columns < codeWidth + 30;
  for (const { code, place: source, why, how } of entries) {
    const where = source === null ? 'no section' : place(source, pen);
    const text = terminal.verbose && why !== null && how !== 'shipped' ? `${where}: ${pen.say(why)}` : where;
    const styles = source === null ? (['yellow'] as const) : [];
    if (narrow) lines.push(code, ...pen.paragraph(text, { lead: '  ', styles: [...styles] }));
    else lines.push(...pen.paragraph(text, { lead: code.padEnd(codeWidth + 2), styles: [...styles] }));
  }
  return `${lines.join('\n')}\n`;
};

export const renderVerification = (
  { problems, warnings, notes }: Remarks,
  { files, entries }: RunbookTable,
  terminal: Terminal & { verbose: boolean; quiet: boolean },
): string => {
  const pen = createPen(terminal);
  // One line each, however long: editors and CI read `file:line:`.
  const remark = (sign: 'fail' | 'warn' | 'skip', { file, line, text }: Remarks['notes'][number]): string =>
    `${pen.sign(sign)} ${pen.say(file)}${line === null ? '' : `:${line}`}: ${pen.say(text)}`;
  const names = files.map(({ file }) => pen.say(file)).join(' and ');
  const shipped = entries.filter(({ how }) => how === 'shipped').length;
  const covered =
    files.length === 1
      ? `${count(entries.length, 'code')}, each with its section`
      : `${entries.length - shipped} of ${count(entries.length, 'code')} have a section of yours, ${pen.say(files.at(-1)!.file)} answers the others`;
  const worst = problems.length > 0 ? 'fail' : warnings.length > 0 ? 'warn' : 'pass';
  const counted = [
    ...(problems.length > 0 ? [count(problems.length, 'problem')] : []),
    ...(warnings.length > 0 ? [count(warnings.length, 'warning')] : []),
    ...(problems.length > 0 && files.length === 1 ? [] : [covered]),
  ];
  const lines = pen.paragraph(`${names}: ${counted.join(', ')}`, { lead: `${pen.sign(worst)} `, leadWidth: 2, styles: ['bold'] });
  lines.push(...problems.map((each) => remark('fail', each)), ...warnings.map((each) => remark('warn', each)));
  if (terminal.verbose) lines.push(...notes.map((each) => remark('skip', each)));
  else if (notes.length > 0 && !terminal.quiet) lines.push(...pen.paragraph(`${count(notes.length, 'note')} with -v`, { styles: ['dim'] }));
  return `${lines.join('\n')}\n`;
};

/** `remarks`, the worst first, only where they were asked for. */
export const renderRunbookJson = (
  { files, entries, notes }: RunbookTable,
  remarks: Remarks | null,
  tool: { name: string; version: string },
): string => {
  const graded = (grade: 'problem' | 'warning' | 'note', all: Remarks['notes']) =>
    all.map(({ file, line, text }) => ({ file, line, grade, text }));
  const table = { files, codes: entries.map(({ code, place: source, how, why }) => ({ code, source, how, why })), notes };
  return renderJson({
    schemaVersion: SCHEMA_VERSION,
    tool,
    ...table,
    ...(remarks && {
      remarks: [...graded('problem', remarks.problems), ...graded('warning', remarks.warnings), ...graded('note', remarks.notes)],
    }),
  });
};
