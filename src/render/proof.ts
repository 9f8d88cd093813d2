/** What proves a finding, as text. */
import type { Evidence } from '../model/check.ts';
import type { Pen } from './pen.ts';

const MOST_EVIDENCE = 4;
const MOST_EVIDENCE_LINES = 4;

export const labelled = (label: string, text: string, pen: Pen): string[] =>
  pen.paragraph(text, { lead: `  ${pen.paint(`${label}:`, 'dim')} `, leadWidth: label.length + 4, hang: 4 });

export const proof = (evidence: Evidence[], pen: Pen, { verbose }: { verbose: boolean }): string[] => {
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
