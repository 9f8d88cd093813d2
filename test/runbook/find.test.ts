import { execFileSync } from 'node:child_process';
import { chmodSync, linkSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { findRunbooks } from '../../src/runbook/find.ts';
import { openLibrary } from '../../src/runbook/prescribe.ts';

const folders: string[] = [];
afterAll(() => folders.forEach((folder) => rmSync(folder, { recursive: true, force: true })));

const TROUBLE = '# Stack\n\n## Troubleshooting\n\n### Redis: NOAUTH\n\n1. `docker compose ps`\n';

/** A repository with these files; those that are not Markdown of trouble are named with their text. */
const repository = (files: Record<string, string | Buffer | null>): string => {
  const root = mkdtempSync(join(tmpdir(), 'found-'));
  folders.push(root);
  mkdirSync(join(root, '.git'));
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, name)), { recursive: true });
    if (text !== null) writeFileSync(join(root, name), text);
  }
  return root;
};

const of = (...names: string[]): string => repository(Object.fromEntries(names.map((name) => [name, TROUBLE])));
const filesIn = async (project: string): Promise<string[]> => (await findRunbooks(project, 'RUNBOOK.md')).found.map(({ file }) => file);

describe('a runbook is found', () => {
  it.each<[string, string[], string[]]>([
    ['at the top', ['RUNBOOK.md'], ['RUNBOOK.md']],
    ['in any case of letters', ['runbook.md'], ['runbook.md']],
    ['by its subject', ['TROUBLESHOOTING.md'], ['TROUBLESHOOTING.md']],
    ['in docs', ['docs/runbook-local.md', 'docs/intro.md'], ['docs/runbook-local.md']],
    ['deeper in docs', ['docs/ops/runbook.md'], ['docs/ops/runbook.md']],
    ['in a folder of runbooks', ['docs/runbooks/db.md', 'docs/runbooks/cache.md'], ['docs/runbooks/cache.md', 'docs/runbooks/db.md']],
    [
      'as docs/troubleshooting.md, but not of a part',
      ['docs/troubleshooting.md', 'docs/ios/troubleshooting.md'],
      ['docs/troubleshooting.md'],
    ],
    ['as a skill', ['.claude/skills/infra/SKILL.md'], ['.claude/skills/infra/SKILL.md']],
    ['as a skill of one file', ['.claude/skills/infra.md'], ['.claude/skills/infra.md']],
    ['as an instruction', ['.github/instructions/docker.md', 'AGENTS.md'], ['.github/instructions/docker.md', 'AGENTS.md']],
    [
      'the most explicit first',
      ['AGENTS.md', '.claude/skills/a/SKILL.md', 'docs/troubleshooting.md', 'docs/x/runbook.md', 'TROUBLESHOOTING.md', 'RUNBOOK.md'],
      ['RUNBOOK.md', 'TROUBLESHOOTING.md', 'docs/x/runbook.md', 'docs/troubleshooting.md', '.claude/skills/a/SKILL.md', 'AGENTS.md'],
    ],
    ['and nothing else', ['README.md', 'docs/rerunbook.md', 'docs/runbooking.md', 'src/RUNBOOK.md', 'RUNBOOK.txt'], []],
    ['and nothing that is installed', ['docs/node_modules/x/runbook.md', 'docs/.cache/runbook.md', 'node_modules/x/RUNBOOK.md'], []],
    ['and nothing too deep', ['docs/a/b/c/d/e/runbook.md'], []],
  ])('%s', async (_, files, found) => {
    expect(await filesIn(of(...files))).toEqual(found);
  });

  it('in a general document only where it has a heading of trouble', async () => {
    const text = { 'AGENTS.md': '# Us\n\nFor troubleshooting ask Ann.\n', '.claude/skills/a/SKILL.md': '# A\n' };
    expect(await filesIn(repository(text))).toEqual([]);
  });

  it('above the project, at the top of its repository', async () => {
    const root = of('RUNBOOK.md', 'infra/local/compose.yaml');
    expect(await filesIn(join(root, 'infra/local'))).toEqual(['../../RUNBOOK.md']);
  });

  it('once, however many names it has', async () => {
    const root = of('RUNBOOK.md');
    linkSync(join(root, 'RUNBOOK.md'), join(root, 'TROUBLESHOOTING.md'));
    symlinkSync('RUNBOOK.md', join(root, 'AGENTS.md'));
    expect(await filesIn(root)).toEqual(['RUNBOOK.md']);
  });

  it('unless it is the shipped one', async () => {
    const root = of('RUNBOOK.md');
    expect((await findRunbooks(root, join(root, 'RUNBOOK.md'))).found).toEqual([]);
  });
});

describe('what cannot be used is a note, never an error', () => {
  it.each<[string, (root: string) => void, string[]]>([
    ['a folder', (root) => mkdirSync(join(root, 'RUNBOOK.md')), []],
    [
      'a link that leads to itself',
      (root) => symlinkSync('RUNBOOK.md', join(root, 'RUNBOOK.md')),
      ['RUNBOOK.md is not used as a runbook: its links lead in a circle'],
    ],
    ['a link that leads nowhere', (root) => symlinkSync('gone.md', join(root, 'RUNBOOK.md')), []],
    [
      'a pipe',
      (root) => execFileSync('sh', ['-c', 'mkfifo "$1"', 'sh', join(root, 'RUNBOOK.md')]),
      ['RUNBOOK.md is not used as a runbook: it is no regular file'],
    ],
    [
      'five megabytes',
      (root) => writeFileSync(join(root, 'RUNBOOK.md'), 'x'.repeat(5_000_000)),
      ['RUNBOOK.md is not used as a runbook: it has 5.0 MB; at most 2 MB are read'],
    ],
    [
      'Latin-1',
      (root) => writeFileSync(join(root, 'RUNBOOK.md'), Buffer.from('# na\xefve\n', 'latin1')),
      ['runbook RUNBOOK.md:1: it is not UTF-8 text'],
    ],
    ['nothing', (root) => writeFileSync(join(root, 'RUNBOOK.md'), ''), ['runbook RUNBOOK.md: it is empty']],
    [
      'docs that lead in a circle',
      (root) => {
        mkdirSync(join(root, 'docs'));
        symlinkSync('.', join(root, 'docs', 'more'));
        symlinkSync('..', join(root, 'docs', 'runbooks'));
      },
      [],
    ],
    ['docs that are a link', (root) => symlinkSync('/', join(root, 'docs')), []],
  ])('%s', async (_, make, notes) => {
    const root = repository({});
    make(root);
    const library = await openLibrary({ runbook: null, project: root, shippedRunbook: 'RUNBOOK.md' });
    expect(library.notes).toEqual(notes);
    expect(library.runbooks.map(({ file }) => file)).toEqual(['RUNBOOK.md']);
  });

  it('and the others are used all the same', async () => {
    const root = repository({ 'RUNBOOK.md': '', 'TROUBLESHOOTING.md': TROUBLE });
    const { runbooks, why } = await openLibrary({ runbook: null, project: root, shippedRunbook: 'RUNBOOK.md' });
    expect(runbooks.map(({ file }) => file)).toEqual(['TROUBLESHOOTING.md', 'stack-doctor/RUNBOOK.md']);
    expect(why).toEqual(['its name says troubleshooting', "the doctor's own, for what the others do not have"]);
  });

  it.skipIf(process.getuid?.() === 0)('a file that may not be read', async () => {
    const root = of('RUNBOOK.md');
    chmodSync(join(root, 'RUNBOOK.md'), 0);
    expect((await openLibrary({ runbook: null, project: root, shippedRunbook: 'RUNBOOK.md' })).notes).toHaveLength(1);
  });

  it('a folder that is not there', async () => {
    expect(await findRunbooks('/no/such/folder', 'RUNBOOK.md')).toEqual({ found: [], notes: [] });
  });
});

it('a thousand folders are not all opened', async () => {
  const root = repository(
    Object.fromEntries(Array.from({ length: 1000 }, (_, i) => [`docs/a${String(i).padStart(4, '0')}/runbook.md`, TROUBLE])),
  );
  const { found, notes } = await findRunbooks(root, 'RUNBOOK.md');
  expect(found).toHaveLength(8);
  expect(notes.length).toBeLessThan(24);
});
