/** A team's runbooks that nobody named: where people keep them, in the order in which they are asked. */
import { readdir, readFile, stat } from 'node:fs/promises';
import type { Dirent } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { MOST_BYTES, SAID } from './read.ts';

export interface FoundRunbook {
  /** Absolute. */
  path: string;
  /** Relative to the project's folder. */
  file: string;
  /** Why it is taken for a runbook, for people. */
  why: string;
}

export interface Findings {
  found: FoundRunbook[];
  /** What looked like a runbook and is not used. */
  notes: string[];
}

/** Folders that are opened in all, per root; how deep below `docs`; how many documents are used. A folder of thousands is no place for a runbook. */
const MOST_FOLDERS = 24;
const MOST_DEPTH = 3;
const MOST_FOUND = 8;
const MOST_PARENTS = 6;

const MARKDOWN = /\.(md|markdown|mdx)$/i;
const RUNBOOK = /^runbooks?\b.*\.(md|markdown|mdx)$/i;
const TROUBLESHOOTING = /^trouble-?_?shooting\.(md|markdown|mdx)$/i;
const DOCS = /^docs?$/i;
const NOT_OPENED = /^(\.|node_modules$|vendor$|dist$|build$)/;
/** Where working instructions are kept that have a chapter on trouble: `<folder>/skills/<name>/SKILL.md` and the like. */
const INSTRUCTION_FOLDERS = ['.claude', '.agents', '.github', '.cursor'];
const INSTRUCTION_SHELVES = ['skills', 'agents', 'rules', 'instructions'];
const INSTRUCTION_FILE = /^(agents|claude|gemini|copilot-instructions|contributing|development|developing)\.md$/i;
/** A heading of that name, not the word in a sentence. */
const TROUBLE_HEADING = /^#{1,6}[ \t].*\btrouble-?shooting\b/im;

/** Nothing is thrown: what cannot be read is a note. `shipped` is never taken for a team's. */
export const findRunbooks = async (project: string, shipped: string): Promise<Findings> => {
  const own = await openFolder(project);
  if (own === null) return { found: [], notes: [] };
  const repository = own.some(({ name }) => name === '.git') ? null : await repositoryAbove(project);
  const roots = [{ root: project, entries: own }];
  if (repository !== null) roots.push({ root: repository, entries: (await openFolder(repository)) ?? [] });

  const candidates = (await Promise.all(roots.map(({ root, entries }) => candidatesIn(root, entries)))).flat();
  const known = await identity(shipped);
  const seen = new Set<string | null>([known]);
  const found: FoundRunbook[] = [];
  const notes: string[] = [];
  for (const { path, why, ifTrouble } of candidates) {
    const file = relative(project, path);
    const looked = await lookAt(path, ifTrouble);
    if (looked.state === 'no') continue;
    if (looked.state === 'unusable') {
      notes.push(`${file} is not used as a runbook: ${looked.reason}`);
      continue;
    }
    if (seen.has(looked.identity)) continue;
    seen.add(looked.identity);
    if (found.length < MOST_FOUND) found.push({ path, file, why });
    else notes.push(`${file} is not used as a runbook: ${MOST_FOUND} others come before it`);
  }
  return { found, notes };
};

const openFolder = (folder: string): Promise<Dirent[] | null> =>
  readdir(folder, { withFileTypes: true }).then(
    (entries) => entries.toSorted((a, b) => (a.name < b.name ? -1 : 1)),
    () => null,
  );

/** Compose files often lie in a folder of a repository whose documents are at its top. */
const repositoryAbove = async (project: string): Promise<string | null> => {
  let folder = project;
  for (let i = 0; i < MOST_PARENTS; i += 1) {
    const above = dirname(folder);
    if (above === folder) return null;
    if (await stat(join(above, '.git')).catch(() => null)) return above;
    folder = above;
  }
  return null;
};

interface Candidate {
  path: string;
  why: string;
  /** Only with a heading about trouble. */
  ifTrouble: boolean;
}

const candidatesIn = async (root: string, entries: readonly Dirent[]): Promise<Candidate[]> => {
  const files = entries.filter((entry) => !entry.isDirectory());
  const named = (pattern: RegExp, why: string, ifTrouble = false): Candidate[] =>
    files.filter(({ name }) => pattern.test(name)).map(({ name }) => ({ path: join(root, name), why, ifTrouble }));
  const docs = entries.find((entry) => entry.isDirectory() && DOCS.test(entry.name));
  const [below, instructions] = await Promise.all([docs ? inDocs(join(root, docs.name)) : [], inInstructions(root, entries)]);
  return [
    ...named(RUNBOOK, 'its name is that of a runbook'),
    ...named(TROUBLESHOOTING, 'its name says troubleshooting'),
    ...below,
    ...instructions,
    ...named(INSTRUCTION_FILE, 'it has a chapter on troubleshooting', true),
  ];
};

/** Links are not followed: they may lead in a circle, or out of the project. */
const inDocs = async (docs: string): Promise<Candidate[]> => {
  const runbooks: Candidate[] = [];
  const troubleshooting: Candidate[] = [];
  let folders = [{ path: docs, isOfRunbooks: false }];
  let opened = 0;
  for (let depth = 0; depth <= MOST_DEPTH && folders.length > 0; depth += 1) {
    const now = folders.slice(0, Math.max(0, MOST_FOLDERS - opened));
    opened += now.length;
    const lists = await Promise.all(now.map(({ path }) => openFolder(path)));
    folders = [];
    for (const [i, { path, isOfRunbooks }] of now.entries()) {
      for (const entry of lists[i] ?? []) {
        const at = join(path, entry.name);
        if (entry.isDirectory()) {
          if (!NOT_OPENED.test(entry.name)) folders.push({ path: at, isOfRunbooks: isOfRunbooks || /^runbooks?$/i.test(entry.name) });
        } else if (RUNBOOK.test(entry.name)) runbooks.push({ path: at, why: 'its name is that of a runbook', ifTrouble: false });
        else if (isOfRunbooks && MARKDOWN.test(entry.name))
          runbooks.push({ path: at, why: 'it lies in a folder of runbooks', ifTrouble: false });
        else if (depth === 0 && TROUBLESHOOTING.test(entry.name))
          troubleshooting.push({ path: at, why: 'its name says troubleshooting', ifTrouble: false });
      }
    }
  }
  return [...runbooks, ...troubleshooting];
};

const inInstructions = async (root: string, entries: readonly Dirent[]): Promise<Candidate[]> => {
  const why = 'it has a chapter on troubleshooting';
  const holders = entries
    .filter((entry) => entry.isDirectory() && INSTRUCTION_FOLDERS.includes(entry.name))
    .map(({ name }) => join(root, name));
  const shelves = entries.some((entry) => entry.isDirectory() && entry.name === 'skills') ? [join(root, 'skills')] : [];
  for (const holder of holders) {
    const within = (await openFolder(holder)) ?? [];
    shelves.push(
      ...within.filter((entry) => entry.isDirectory() && INSTRUCTION_SHELVES.includes(entry.name)).map(({ name }) => join(holder, name)),
    );
  }
  const lists = await Promise.all(
    shelves.slice(0, MOST_FOLDERS).map(async (shelf) =>
      ((await openFolder(shelf)) ?? []).slice(0, 100).flatMap((entry): Candidate[] => {
        // One document each, or a folder each with the document in it.
        if (entry.isDirectory()) return [{ path: join(shelf, entry.name, 'SKILL.md'), why, ifTrouble: true }];
        return /\.mdc?$/i.test(entry.name) ? [{ path: join(shelf, entry.name), why, ifTrouble: true }] : [];
      }),
    ),
  );
  return lists.flat();
};

type Look = { state: 'no' } | { state: 'unusable'; reason: string } | { state: 'usable'; identity: string };

const NOTHING = new Set(['ENOENT', 'ENOTDIR']);

const lookAt = async (path: string, ifTrouble: boolean): Promise<Look> => {
  try {
    const about = await stat(path);
    if (!about.isFile()) return ifTrouble ? { state: 'no' } : { state: 'unusable', reason: 'it is no regular file' };
    if (about.size > MOST_BYTES) {
      const reason = `it has ${(about.size / 1e6).toFixed(1)} MB; at most ${MOST_BYTES / 1e6} MB are read`;
      return ifTrouble ? { state: 'no' } : { state: 'unusable', reason };
    }
    if (ifTrouble && !TROUBLE_HEADING.test(await readFile(path, 'utf8'))) return { state: 'no' };
    return { state: 'usable', identity: `${about.dev}:${about.ino}` };
  } catch (error) {
    const { code = '', message } = error as NodeJS.ErrnoException;
    return NOTHING.has(code) || ifTrouble ? { state: 'no' } : { state: 'unusable', reason: SAID[code] ?? message.split('\n')[0]! };
  }
};

const identity = async (path: string): Promise<string | null> =>
  stat(path).then(
    ({ dev, ino }) => `${dev}:${ino}`,
    () => null,
  );
