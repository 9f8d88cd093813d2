/** Compose's own words on why a project does not load, with the file and line they speak of. */
import { readFile } from 'node:fs/promises';
import { isAlias, isMap, isScalar, isSeq, LineCounter, parseDocument, visit, type Document } from 'yaml';
import type { ProjectFact } from '../model/facts.ts';
import { shownPath, type ProjectPlace } from './compose-files.ts';
import { badBytesAt, composeText } from './compose-text.ts';

export type ComposeError = NonNullable<ProjectFact['error']>;
type Place = Pick<ComposeError, 'file' | 'line'>;

export const composeError = async (stderr: string, place: ProjectPlace): Promise<ComposeError> => {
  const message = lastMessage(stderr);
  const base = { variable: null, message: message.replaceAll(`${place.workingDir}/`, '') };

  const required = /required variable (\S+) is missing a value/.exec(message)?.[1];
  if (required)
    return { ...base, kind: 'required-variable', variable: required, ...(await lineOf(new RegExp(`\\$\\{${escape(required)}\\b`), place)) };

  const envFile = /env file (.+?) not found/.exec(message)?.[1];
  if (envFile) {
    const name = shownPath(envFile, place.workingDir);
    return { ...base, kind: 'env-file-missing', message: `env file ${name} not found`, ...(await lineOf(new RegExp(escape(name)), place)) };
  }

  if (/UTF-8/i.test(message)) {
    for (const file of place.files) {
      const line = badBytesAt(await readFile(file).catch(() => Buffer.alloc(0)));
      if (line !== null) return { ...base, kind: 'syntax', file: shownPath(file, place.workingDir), line };
    }
  }

  const told = /\bline (\d+)\b/.exec(message)?.[1];
  if (/(?:^|\s)yaml: |failed to parse .*\bline \d+|mapping key/.test(message)) {
    // The line of Compose's parser is where it gave up, and it does not name the file.
    return {
      ...base,
      kind: 'syntax',
      ...((await brokenYaml(place)) ?? { file: shownFile(message, place), line: told ? Number(told) : null }),
    };
  }
  return { ...base, kind: SCHEMA.test(message) ? 'schema' : 'other', ...(await placeOf(message, place)) };
};

const SCHEMA =
  /^validating |invalid compose project|additional propert|\bmust be\b|depends on|undefined|cycle detected|invalid interpolation|Invalid \w+: |decoding failed|empty compose file|invalid mount|invalid project name|conflicts with imported|cannot extend service|circular reference/i;

/** Warnings come first, as logfmt; the error is what is left. */
const lastMessage = (stderr: string): string =>
  stderr
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line && !/^time=.*level=(warning|info|debug)/.test(line))
    .join(' ') || 'docker compose config failed and said nothing';

const shownFile = (message: string, place: ProjectPlace): string =>
  shownPath(place.files.find((file) => message.includes(file)) ?? place.files.at(-1) ?? '', place.workingDir);

/** What the message names, as it stands in the files: by its path where it has one, else by its words. */
const placeOf = async (message: string, place: ProjectPlace): Promise<Place> => {
  const path = pathIn(message);
  if (path) {
    for (const { file, document, lines } of await documents(place)) {
      const line = lineAt(document, lines, path);
      if (line !== null) return { file, line };
    }
  }
  const words = wordsIn(message);
  return words ? lineOf(words, place) : { file: shownFile(message, place), line: null };
};

/** `services.web.ports`, `services[web].healthcheck.interval`, and a key that is not allowed there. */
const pathIn = (message: string): string[] | null => {
  const key = /additional propert(?:y|ies) '([^']+)'/i.exec(message)?.[1];
  const path = (/\b(services|networks|volumes|secrets|configs)((?:\.[\w-]+|\[[\w.-]+\])+)/.exec(message)?.[0] ?? '')
    .split(/[.[\]]+/)
    .filter(Boolean);
  return key ? [...path, key] : path.length > 0 ? path : null;
};

const wordsIn = (message: string): RegExp | null => {
  const missing = /undefined (?:volume|network|secret|config|service) "?([\w.-]+)/.exec(message)?.[1];
  if (missing) return new RegExp(`[\\s"':[,-]${escape(missing)}\\b`);
  const value = /Invalid \w+: (\S+)/i.exec(message)?.[1];
  if (value) return new RegExp(escape(value));
  const file = /open (\S+): no such file/.exec(message)?.[1];
  if (file) return new RegExp(escape(file.replace(/^.*\//, '')));
  const service = /service "([^"]+)"|cycle detected: (\S+)/.exec(message);
  return service ? new RegExp(`^\\s*["']?${escape((service[1] ?? service[2])!)}["']?\\s*:`) : null;
};

const escape = (text: string): string => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');

/** The first line of the project's files that matches. */
const lineOf = async (pattern: RegExp, place: ProjectPlace): Promise<Place> => {
  for (const file of place.files) {
    const lines = (await readFile(file, 'utf8').catch(() => '')).split('\n');
    const index = lines.findIndex((line) => !/^\s*#/.test(line) && pattern.test(line));
    if (index >= 0) return { file: shownPath(file, place.workingDir), line: index + 1 };
  }
  return { file: shownPath(place.files[0] ?? '', place.workingDir), line: null };
};

interface Parsed {
  file: string;
  document: Document;
  lines: LineCounter;
}

const documents = (place: ProjectPlace): Promise<Parsed[]> =>
  Promise.all(
    place.files.map(async (path) => {
      const lines = new LineCounter();
      const document = parseDocument((await composeText(path)) ?? '', { lineCounter: lines, logLevel: 'silent' });
      return { file: shownPath(path, place.workingDir), document, lines };
    }),
  );

const brokenYaml = async (place: ProjectPlace): Promise<Place | null> => {
  const broken = (await documents(place)).find(({ document }) => document.errors.length > 0);
  return broken ? { file: broken.file, line: broken.document.errors[0]!.linePos?.[0].line ?? null } : null;
};

/** The line of the last key of a path; `null` when the file does not have it. */
const lineAt = (document: Document, lines: LineCounter, path: readonly string[]): number | null => {
  let node: unknown = document.contents;
  let offset: number | null = null;
  for (const [index, key] of path.entries()) {
    if (isMap(node)) {
      const pair = node.items.find((each) => isScalar(each.key) && String(each.key.value) === key);
      if (!pair) return null;
      offset = (pair.key as { range?: [number, number, number] }).range?.[0] ?? offset;
      node = pair.value;
    } else if (isSeq(node) && /^\d+$/.test(key)) node = node.items[Number(key)];
    // A short form (`ports: 80`) ends the path early.
    else return index > 1 && offset !== null ? lines.linePos(offset).line : null;
  }
  return offset === null ? null : lines.linePos(offset).line;
};

const MOST_ALIASES = 1_000;

/** From 1: the line of the last alias of a file whose aliases, each in what others stand for, come to more than any reader takes; `null`: it is none. */
export const multipliesAt = (text: string): number | null => {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, merge: true, logLevel: 'silent', uniqueKeys: false });
  try {
    document.toJS({ maxAliasCount: MOST_ALIASES });
    return null;
  } catch {
    let last: number | null = null;
    visit(document, {
      Alias: (_, node) => {
        if (isAlias(node) && node.range) last = lines.linePos(node.range[0]).line;
      },
    });
    return last;
  }
};
