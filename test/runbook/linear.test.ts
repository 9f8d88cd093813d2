/** A document of megabytes is looked through once, not once for each of its steps or sections. */
import { expect, test } from 'vitest';
import { documentOf } from '../../src/runbook/document.ts';
import { parseRunbook } from '../../src/runbook/parse.ts';
import type { Runbook } from '../../src/runbook/runbook.ts';
import { withParts } from '../../src/runbook/section-for.ts';

/** How often something asks for an element of a list, or for the list. */
const counted = <T extends object>(list: T): { list: T; reads: () => number } => {
  let reads = 0;
  return {
    list: new Proxy(list, { get: (target, key, own) => ((reads += 1), Reflect.get(target, key, own) as unknown) }),
    reads: () => reads,
  };
};

const readsOfBlocks = (steps: number): number => {
  const text = `## Trouble\n\n${Array.from({ length: steps }, (_, i) => `1. \`docker compose restart s${i}\``).join('\n')}\n`;
  const runbook = parseRunbook(text, 'x.md');
  const watched = runbook.sections.map((section) => ({ section, blocks: counted(section.blocks) }));
  documentOf({ ...runbook, sections: watched.map(({ section, blocks }) => ({ ...section, blocks: blocks.list })) });
  return watched.reduce((sum, { blocks }) => sum + blocks.reads(), 0);
};

test('blocks are read as often for a thousand steps as for ten', () => expect(readsOfBlocks(1_000)).toBe(readsOfBlocks(10)));

const readsOfSections = (count: number): number => {
  const runbook = parseRunbook(Array.from({ length: count }, (_, i) => `## Trouble ${i}\n\nx\n\n`).join(''), 'x.md');
  const sections = counted(runbook.sections);
  const watched: Runbook = { ...runbook, sections: sections.list };
  for (const section of runbook.sections) withParts(section, watched);
  return sections.reads() / count;
};

test('each section asks for its neighbours only', () => expect(readsOfSections(1_000)).toBeLessThan(2 * readsOfSections(10)));

test('where a command stands is told as before: in its block, below its caption', () => {
  const text = '## Trouble\n\n```sh\n# first\ndocker compose ps\n# second\nX=1 docker compose up -d\ndocker compose logs\n```\n';
  const { commands } = documentOf(parseRunbook(text, 'x.md'));
  expect(commands.map(({ words, line }) => `${words.slice(2).join(' ')} ${line}`)).toEqual(['ps 5', 'up -d 7', 'logs 8']);
});
