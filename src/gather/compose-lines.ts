/** Where in the compose files something of a service is written: with overrides, `include`, `extends`, anchors and merge keys. */
import { dirname, resolve } from 'node:path';
import { isAlias, isMap, isScalar, isSeq, LineCounter, parseDocument, type Document, type Node } from 'yaml';
import type { FileLine } from '../model/facts.ts';
import { shownPath } from './compose-files.ts';
import { composeText } from './compose-text.ts';

export interface ComposeLines {
  /** The line of a key of the service, or of an entry of it that fits; else that of the service. `null`: nowhere. */
  find(service: string, key: string | null, fits?: (entry: Entry) => boolean): FileLine | null;
  /** Does a file, or one that it extends, have this key of the service? */
  has(service: string, key: string): boolean;
  hasEntry(service: string, key: string, fits: (entry: Entry) => boolean): boolean;
  /** Where a variable of the service's environment is given its value, and that value as it is written. `null`: not in its `environment`. */
  variable(service: string, name: string): { at: FileLine; text: string } | null;
  /** The env files of a service as they are written, the last one first. */
  envFiles(service: string): string[];
  /** The line of an entry of a top-level section: `secrets`, `volumes`. */
  top(section: string, name: string): FileLine | null;
}

/** An item of a list, or a key of a mapping with its value. */
export interface Entry {
  key: string | null;
  /** The scalar as it is written, before variables are filled in; `null` where it is none. */
  text: string | null;
  /** From 1: where that scalar begins, below its `|`. */
  begins: number | null;
  /** What stands below these keys, where it is a mapping. */
  field(...path: string[]): string | null;
}

interface Source {
  file: string;
  document: Document;
  lines: LineCounter;
}

const MOST_FILES = 50;
/** Of what is merged into what is merged. */
const DEEPEST = 10;

/** Reads the files that are named, and those that they include. What cannot be read has no lines. */
export const readComposeLines = async (files: readonly string[], workingDir: string): Promise<ComposeLines> => {
  const sources = new Map<string, Source | null>();
  // What is read later comes before what it includes, and an override before what it overrides.
  const read = async (file: string): Promise<Source | null> => {
    if (sources.has(file)) return sources.get(file)!;
    if (sources.size >= MOST_FILES) return null;
    const text = await composeText(file);
    const source = text === null ? null : parsed(file, text);
    sources.set(file, source);
    for (const other of source ? namedIn(source) : []) await read(resolve(dirname(file), other));
    return source;
  };
  for (const file of files.toReversed()) await read(resolve(workingDir, file));
  const all = [...sources.values()].filter((each) => each !== null);
  const at = (source: Source, node: Node | null): FileLine | null => {
    const offset = node?.range?.[0];
    return offset === undefined ? null : { file: shownPath(source.file, workingDir), line: source.lines.linePos(offset).line };
  };
  const find = (service: string, key: string | null, fits: ((entry: Entry) => boolean) | undefined, depth: number): FileLine | null => {
    let ofKey: FileLine | null = null;
    for (const source of all) {
      const spec = childOf(childOf(source.document.contents, 'services', source)?.value, service, source);
      if (!spec) continue;
      const found = key === null ? spec : childOf(spec.value, key, source);
      if (found && fits) {
        const entry = entriesOf(found.value, source).find((each) => fits(each.entry));
        if (entry) return at(source, entry.node);
        ofKey ??= at(source, found.key);
      } else if (found) return at(source, found.key);
      const base = childOf(spec.value, 'extends', source);
      const name = base && (textOf(base.value, source) ?? textOf(childOf(base.value, 'service', source)?.value, source));
      const inherited = name && depth < 5 && name !== service ? find(name, key, fits, depth + 1) : null;
      if (inherited) return inherited;
    }
    return ofKey;
  };
  /** Of the service, then of what it extends: the first that tells. */
  const along = <T>(service: string, depth: number, ask: (spec: unknown, source: Source) => T | null): T | null => {
    for (const source of all) {
      const spec = childOf(childOf(source.document.contents, 'services', source)?.value, service, source);
      if (!spec) continue;
      const told = ask(spec.value, source);
      if (told !== null) return told;
      const base = childOf(spec.value, 'extends', source);
      const name = base && (textOf(base.value, source) ?? textOf(childOf(base.value, 'service', source)?.value, source));
      const inherited = name && depth < 5 && name !== service ? along(name, depth + 1, ask) : null;
      if (inherited !== null) return inherited;
    }
    return null;
  };
  const variable = (service: string, name: string, depth: number): { at: FileLine; text: string } | null =>
    along(service, depth, (spec, source) => {
      const environment = childOf(spec, 'environment', source)?.value;
      const entry = childOf(environment, name, source);
      const item = itemsOf(environment, source).find((each) => textOf(each, source)?.startsWith(`${name}=`));
      const place = at(source, entry?.key ?? (item as Node | undefined) ?? null);
      const text = entry ? textOf(entry.value, source) : (textOf(item, source)?.slice(name.length + 1) ?? null);
      return place && text !== null ? { at: place, text } : null;
    });
  const envFiles = (service: string, depth: number): string[] =>
    along(service, depth, (spec, source) => {
      const value = childOf(spec, 'env_file', source)?.value;
      if (value === undefined) return null;
      const named = [value, ...itemsOf(value, source)].map(
        (each) => textOf(each, source) ?? textOf(childOf(each, 'path', source)?.value, source),
      );
      return named.flatMap((path) => (path === null ? [] : [resolve(dirname(source.file), path)])).toReversed();
    }) ?? [];
  return {
    has: (service, key) => find(service, key, undefined, 0) !== null,
    hasEntry: (service, key, fits) => {
      let found = false;
      find(service, key, (entry) => (found ||= fits(entry)), 0);
      return found;
    },
    find: (service, key, fits) => find(service, key, fits, 0) ?? find(service, null, undefined, 0),
    variable: (service, name) => variable(service, name, 0),
    envFiles: (service) => envFiles(service, 0),
    top: (section, name) => {
      for (const source of all) {
        const found = childOf(childOf(source.document.contents, section, source)?.value, name, source);
        if (found) return at(source, found.key);
      }
      return null;
    },
  };
};

const parsed = (file: string, text: string): Source => {
  const lines = new LineCounter();
  return { file, document: parseDocument(text, { lineCounter: lines, merge: true, logLevel: 'silent', uniqueKeys: false }), lines };
};

/** Files of `include:` and `extends: file:`. What has variables in its name is not followed. */
const namedIn = (source: Source): string[] => {
  const root = source.document.contents;
  const included = itemsOf(childOf(root, 'include', source)?.value, source).flatMap((item) => {
    const path = isMap(item) ? childOf(item, 'path', source)?.value : item;
    return [textOf(path, source), ...itemsOf(path, source).map((each) => textOf(each, source))];
  });
  const services = childOf(root, 'services', source)?.value;
  const extended = entriesOf(services, source).map(({ value }) =>
    textOf(childOf(childOf(value, 'extends', source)?.value, 'file', source)?.value, source),
  );
  return [...included, ...extended].filter((each): each is string => each !== null && !each.includes('$') && !/^\w+:\/\//.test(each));
};

const resolved = (node: unknown, { document }: Source): unknown => (isAlias(node) ? node.resolve(document) : node);

const textOf = (node: unknown, source: Source): string | null => {
  const found = resolved(node, source);
  return isScalar(found) ? String(found.value) : null;
};

const beginOf = (node: unknown, source: Source): number | null => {
  const found = resolved(node, source);
  if (!isScalar(found) || !found.range) return null;
  return source.lines.linePos(found.range[0]).line + (/^BLOCK/.test(found.type ?? '') ? 1 : 0);
};

const itemsOf = (node: unknown, source: Source): unknown[] => {
  const found = resolved(node, source);
  return isSeq(found) ? found.items : [];
};

/** A key of a mapping, also of one that is merged into it. */
const childOf = (node: unknown, key: string, source: Source, depth = 0): { key: Node; value: unknown } | null => {
  const map = resolved(node, source);
  if (!isMap(map)) return null;
  const own = map.items.find((each) => isScalar(each.key) && String(each.key.value) === key);
  if (own) return { key: own.key as Node, value: own.value };
  for (const { key: name, value } of map.items) {
    if (!isScalar(name) || (name.value !== '<<' && String(name.value) !== 'Symbol(<<)') || depth === DEEPEST) continue;
    for (const merged of [value, ...itemsOf(value, source)]) {
      const found = childOf(merged, key, source, depth + 1);
      if (found) return found;
    }
  }
  return null;
};

const entriesOf = (node: unknown, source: Source): { node: Node; value: unknown; entry: Entry }[] => {
  const found = resolved(node, source);
  const entry = (key: string | null, value: unknown): Entry => ({
    key,
    text: textOf(value, source),
    begins: beginOf(value, source),
    field: (...path) =>
      textOf(
        path.reduce<unknown>((node, name) => childOf(node, name, source)?.value, value),
        source,
      ),
  });
  if (isSeq(found)) return found.items.map((item) => ({ node: item as Node, value: item, entry: entry(null, item) }));
  if (!isMap(found)) return [];
  return found.items.map((each) => ({ node: each.key as Node, value: each.value, entry: entry(textOf(each.key, source), each.value) }));
};
