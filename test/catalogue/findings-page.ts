/** docs/findings.md: what the doctor can find, which known failures that covers, and what is no failure. Written from the code. */
import { checks } from '../../src/checks/index.ts';
import { faults } from '../lab/faults.ts';
import { rows } from './rows.ts';
import { traps } from './traps.ts';

export const findingsPage = (): string =>
  `${[
    '# Findings',
    'Written by `npm run docs` from the code; do not edit. `doctor explain <code>` tells the same with the runbook section.',
    ...tablesOfChecks(),
    ...tableOfFailures(),
    ...listOfTraps(),
  ].join('\n\n')}\n`;

const injected = new Set(faults.flatMap(({ expect }) => [expect.code].flat()));

const tablesOfChecks = (): string[] => {
  const ids = [...new Set(checks.map(({ id }) => id))];
  const count = checks.flatMap(({ findings }) => Object.keys(findings)).length;
  return [
    '## What is found',
    `${ids.length} checks, ${count} findings. A *cause* is proved where it is; a *symptom* is explained by what stands behind it, where that fails too. **Lab** marks those that are injected into a running stack and must then be named.`,
    ...ids.flatMap((id) => {
      const own = checks.filter((check) => check.id === id);
      return [
        `### ${id}`,
        own.map(({ question }) => question).join(' '),
        ...(NOT_SEEN[id] ? [NOT_SEEN[id]] : []),
        table(['finding', 'means', 'proved by', 'is', 'lab'], own.flatMap(rowsOf)),
      ];
    }),
  ];
};

/** What nobody saw on the real thing is said where it is promised. */
const NOT_SEEN: Record<string, string | undefined> = {
  mongodb:
    "Written against MongoDB's documentation, logs that users have published and a stand-in that speaks its protocol; it was **never run against a real server**.",
};

const rowsOf = ({ id, findings }: (typeof checks)[number]): string[][] =>
  Object.entries(findings).map(([reason, { means, proof, kind, severity }]) => [
    `\`${id}/${reason}\``,
    means,
    proof,
    severity === 'warn' ? `${kind}, warning` : kind,
    injected.has(`${id}/${reason}`) ? '✔' : '',
  ]);

const tableOfFailures = (): string[] => {
  const [covered, open] = [rows.filter(({ codes }) => codes.length > 0), rows.filter(({ codes }) => codes.length === 0)];
  return [
    '## Known failures of Compose stacks',
    `${covered.length} of ${rows.length} failures that users report have a finding. *Seen*: on a real stack (lab), or with facts alone (unit).`,
    table(
      ['failure', 'what happens', 'findings', 'seen'],
      covered.map(({ id, title, codes, seen }) => [id, title, codes.map((code) => `\`${code}\``).join(', '), seen ?? '']),
    ),
    '### Not covered, and why',
    table(
      ['failure', 'what happens', 'why not'],
      open.map(({ id, title, why }) => [id, title, why ?? '']),
    ),
  ];
};

const listOfTraps = (): string[] => [
  '## What is no failure',
  'Each of these looks like a fault and is none; a test with its number says so.',
  traps.map(({ id, title, why }) => `- **${id}** ${title}${why ? ` — not told apart: ${why}` : ''}`).join('\n'),
];

const table = (head: string[], lines: string[][]): string =>
  [head, head.map(() => '---'), ...lines].map((cells) => `| ${cells.map(cell).join(' | ')} |`).join('\n');

const cell = (text: string): string => text.replaceAll('|', '\\|').replaceAll('\n', ' ');
