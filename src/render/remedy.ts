/** A remedy as lines: where it is written, and its numbered steps, each command on lines of its own. */
import type { Effect, Remedy } from '../model/report.ts';
import type { Pen, Style } from './pen.ts';

interface EffectMark {
  text: string;
  styles: Style[];
}

const EFFECTS: Record<Effect, EffectMark | null> = {
  'read-only': null,
  changes: { text: '[changes]', styles: ['yellow'] },
  destructive: { text: '[DELETES DATA]', styles: ['bold', 'red'] },
};

/** `lead`: what stands before the place. */
export const fix = (remedy: Remedy | null, code: string, pen: Pen, lead = 'Fix, from'): string[] => {
  const explain = pen.paint(`doctor explain ${pen.say(code)}`, 'cyan');
  if (remedy === null || remedy.steps.length === 0) {
    return [...pen.paragraph('No steps in the runbook for this; what it means:', { lead: '  ' }), `     ${explain}`];
  }
  const lines = pen.paragraph(`${lead} ${place(remedy.source, pen)}:`, { lead: '  ', hang: 4 });
  remedy.steps.forEach((step, index) => {
    const number = `${index + 1}.`.padEnd(3);
    const effect = EFFECTS[step.effect];
    const text = pen.say(step.text) || (step.command === null ? '' : 'Run:');
    const written = pen.paragraph(effect === null ? text : `${text} ${effect.text.replaceAll(' ', '\u2007')}`, { lead: `  ${number}` });
    lines.push(...written.map((line) => (effect === null ? line : markEffect(line, effect, pen))));
    // Never wrapped, never cut: it is there to be pasted.
    if (step.command !== null) lines.push(...pasteable(step.command, pen));
  });
  return lines;
};

export const whyThatSection = (why: string | null | undefined, pen: Pen): string[] =>
  why ? pen.paragraph(`Why that section: ${pen.say(why)}`, { lead: '  ', hang: 4, styles: ['dim'] }) : [];

const markEffect = (line: string, effect: EffectMark, pen: Pen): string =>
  line.replace(effect.text.replaceAll(' ', '\u2007'), () => pen.paint(effect.text, ...effect.styles));

/** A here-document ends at a line that has its word and nothing else: indented, it would never end. */
const pasteable = (command: string, pen: Pen): string[] => {
  const lines = pen.commandLines(command);
  const indent = lines.length > 1 && command.includes('<<') ? '' : '     ';
  return lines.map((line) => `${indent}${pen.paint(line, 'cyan')}`);
};

/** `RUNBOOK.md:120 "Database Connection Issues"`. */
export const place = (source: Remedy['source'], pen: Pen): string =>
  `${pen.say(source.file)}:${source.lines[0]} "${pen.say(source.heading)}"`;
