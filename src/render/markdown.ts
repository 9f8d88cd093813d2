/** Report → Markdown, for a job's summary or a comment: the verdict, each root cause with proof and steps, what else is not green. */
import type { Evidence } from '../model/check.ts';
import type { CheckReport, Remedy, Report, RootCause, Step } from '../model/report.ts';
import { verdictOf } from './verdict.ts';
import { count, duration, shown, shownLines } from './words.ts';

const SIGNS = { pass: '✅', warn: '⚠️', fail: '❌', error: '❔', blocked: '⛔', skip: '➖' } as const;
const EFFECTS = { 'read-only': '', changes: ' *(changes)*', destructive: ' **(deletes data)**' } as const;

export const renderMarkdown = (report: Report): string => {
  const { stack, status } = report;
  const rest = report.checks.filter((check) => !['pass', 'skip'].includes(check.status) && !isRoot(check, report));
  const sections = [
    `## ${SIGNS[status]} ${said(stack.project)}: ${verdictOf(report)}`,
    ...report.rootCauses.map(rootCause),
    ...(rest.length > 0 ? [table(rest)] : []),
    [
      count(stack.services.length, 'service'),
      `${report.counts.pass} of ${count(report.checks.length, 'check')} pass`,
      duration(report.durationMs),
    ].join(' · '),
    ...report.notes.map((note) => `> ${said(note)}`),
  ];
  return `${sections.join('\n\n')}\n`;
};

const isRoot = (check: CheckReport, report: Report): boolean =>
  report.rootCauses.some(({ id, code }) => id === check.id && code === check.code);

const rootCause = ({ id, code, summary, evidence, explains, candidates, decide, remedy }: RootCause): string =>
  [
    `### ${word(id)} ${said(summary)}`,
    ...evidence.map(proof),
    ...(explains.length > 0 ? [`Explains ${explains.map(word).join(', ')}.`] : []),
    // The first is this one.
    ...(candidates ?? []).slice(1).map((other) => `Or ${word(other.id)}: ${said(other.summary)}`),
    ...(decide ? [`Decide: ${word(decide.command)}`] : []),
    ...(remedy && remedy.steps.length > 0 ? steps(remedy) : [`What it means: ${word(`doctor explain ${code}`)}`]),
  ].join('\n\n');

const proof = ({ source, text }: Evidence): string => {
  const lines = shownLines(text).filter((line) => line.trim() !== '');
  if (lines.length <= 1) return `Proof: ${said(source)}${lines[0] ? `: ${word(lines[0].trim())}` : ''}`;
  return `Proof: ${said(source)}:\n\n${block(lines.join('\n'), '')}`;
};

const steps = ({ source, steps: all }: Remedy): string[] => [
  `Fix, from ${word(`${source.file}:${source.lines[0]}`)} “${said(source.heading)}”:`,
  all.map(step).join('\n'),
];

/** What belongs to a list item is indented by the width of its number. */
const step = ({ text, command, effect }: Step, index: number): string => {
  const number = `${index + 1}. `;
  const head = `${number}${said(text) || 'Run:'}${EFFECTS[effect]}`;
  if (command === null) return head;
  const indent = ' '.repeat(number.length);
  return `${head}\n${block(shownLines(command).join('\n'), 'sh')
    .split('\n')
    .map((line) => indent + line)
    .join('\n')}`;
};

const table = (checks: CheckReport[]): string =>
  [
    '| | check | |',
    '| --- | --- | --- |',
    ...checks.map((check) => `| ${SIGNS[check.status]} | ${word(check.id)} | ${because(check)} |`),
  ].join('\n');

const because = ({ status, message, reason, causedBy, blockedBy }: CheckReport): string => {
  if (status === 'blocked') return `blocked by ${word(blockedBy ?? '')}`;
  if (status === 'error') return `could not look: ${said(reason ?? message)}`;
  return `${said(message)}${causedBy ? ` ← ${word(causedBy)}` : ''}`;
};

/** Text of the stack's is text: no markup, no link, no mention of anybody, no cell's end. */
const said = (text: string): string =>
  shown(text)
    .replaceAll(/[\\`*_{}[\]<>|~#]/g, '\\$&')
    .replaceAll('@', '&#64;')
    .replaceAll(/\b(https?):\/\//g, '$1&#58;//');

/** A code span ends at as many backticks as it began with. */
const word = (text: string): string => {
  const inside = shown(text).replaceAll('|', '\\|');
  const ticks = '`'.repeat(longestRun(inside) + 1);
  const room = inside.startsWith('`') || inside.endsWith('`') ? ' ' : '';
  return `${ticks}${room}${inside}${room}${ticks}`;
};

const block = (text: string, language: string): string => {
  const fence = '`'.repeat(Math.max(3, longestRun(text) + 1));
  return `${fence}${language}\n${text}\n${fence}`;
};

const longestRun = (text: string): number => Math.max(0, ...[...text.matchAll(/`+/g)].map(([run]) => run.length));
