/** One compose file with all that it takes from others: variables filled in, `extends` and `include` followed. */
import { access, readFile } from 'node:fs/promises';
import { dirname, isAbsolute, join, resolve } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { isAlias, parseDocument, visit, type Document, type Scalar } from 'yaml';
import { multipliesAt, type ComposeError } from './compose-error.ts';
import { interpolate, type Variables } from './compose-files.ts';
import { mergeFiles, mergeService, withoutTags } from './compose-merge.ts';
import { asList, asMany, instead, isInstead, isPlain, splitVolume, type Plain } from './compose-short.ts';
import { badBytesAt, oversized } from './compose-text.ts';
import { parseEnvFile } from './env-file.ts';
import { CannotLook } from './gathering.ts';

export interface Reading {
  variables: Variables;
  /** Where relative paths begin. */
  base: string;
  /** Found on the way: variables with no value. */
  unset: Set<string>;
  /** A file as it is told. */
  shown(file: string): string;
  /** Files that led here: one that leads to itself ends. */
  depth?: number;
}

const DEEPEST = 16;

/** Why the files do not load. */
export class Unreadable extends Error {
  readonly told: ComposeError;
  constructor(told: ComposeError) {
    super(told.message);
    this.told = told;
  }
}

/** Errors: `Unreadable`; `CannotLook` for a file that is too large to be parsed here. */
export const readParts = async (file: string, reading: Reading): Promise<Plain> => {
  if ((reading.depth ?? 0) > DEEPEST) throw unfit(file, reading, 'include and extends lead in a circle');
  const deeper = { ...reading, depth: (reading.depth ?? 0) + 1 };
  const document = await readFilled(file, reading);
  const { include, ...own } = document;
  const services = isPlain(own['services']) ? own['services'] : undefined;
  if (services) {
    const extended: Plain = {};
    for (const name of Object.keys(services)) extended[name] = await withExtends(name, services, file, deeper);
    own['services'] = extended;
  }
  let merged: Plain = {};
  for (const each of asList(include)) merged = added(merged, await included(each, file, deeper), file, reading);
  // Tags stay: they are said to the files before this one.
  return added(own, merged, file, reading);
};

/** What is included adds; it replaces nothing. */
const added = (known: Plain, more: Plain, file: string, reading: Reading): Plain => {
  const all: Plain = { ...known };
  for (const kind of ['services', 'volumes', 'networks', 'secrets', 'configs']) {
    const [old, others] = [asPlain(known[kind]), asPlain(more[kind])];
    const twice = Object.keys(others).find((name) => name in old && !isDeepStrictEqual(old[name], others[name]));
    if (twice !== undefined) throw unfit(file, reading, `${kind}.${twice} conflicts with imported resource`);
    if (more[kind] !== undefined) all[kind] = { ...others, ...old };
  }
  return all;
};

const unreadable = (file: string, { shown }: Reading, parts: Partial<ComposeError>): Unreadable =>
  new Unreadable({ kind: 'syntax', file: shown(file), line: null, message: '', variable: null, ...parts });

/** What it takes from others does not fit. */
const unfit = (file: string, reading: Reading, message: string): Unreadable => unreadable(file, reading, { kind: 'schema', message });

const readFilled = async (file: string, reading: Reading): Promise<Plain> => {
  const large = await oversized([file], reading.shown);
  if (large) throw new CannotLook(`${large}, which is too much to be read without the Compose CLI`);
  const bytes = await readFile(file).catch((error: NodeJS.ErrnoException) => {
    throw unreadable(file, reading, { kind: 'other', message: `${reading.shown(file)} cannot be read (${error.code ?? 'unknown'})` });
  });
  const bad = badBytesAt(bytes);
  if (bad !== null) throw unreadable(file, reading, { line: bad, message: 'it is not in UTF-8' });
  const text = bytes.toString('utf8');
  const read = parsed(text, file, reading);
  if (!isPlain(read)) throw unreadable(file, reading, { message: 'the top level is no mapping' });
  const { value, required } = filled(read, reading.variables, reading.unset);
  if (required) {
    const { variable } = required;
    const line = text.split('\n').findIndex((each) => each.includes(`\${${variable}`)) + 1 || null;
    const message = `required variable ${variable} is missing a value: ${required.message}`;
    throw unreadable(file, reading, { kind: 'required-variable', line, message, variable });
  }
  return value;
};

type InYaml = Parameters<Scalar['toJSON']>[1];

/** What stands under `!override` and `!reset` is told by a mark; an alias of it says the same. */
const markTags = (document: Document): void => {
  visit(document, {
    Node: (_, node) => {
      if (isAlias(node) || (node.tag !== '!override' && node.tag !== '!reset')) return;
      const plain = node.toJSON.bind(node) as (given?: unknown, context?: InYaml) => unknown;
      const marked = (given?: unknown, context?: InYaml): unknown => {
        const found = instead(undefined);
        context?.onCreate?.(found);
        if (node.tag === '!override') found.value = plain(given, context);
        return found;
      };
      Object.assign(node, { toJSON: marked });
    },
  });
};

const parsed = (text: string, file: string, reading: Reading): unknown => {
  try {
    const document = parseDocument(text, { merge: true, logLevel: 'error' });
    if (document.errors[0]) throw document.errors[0];
    markTags(document);
    return document.toJS({ maxAliasCount: 1_000 });
  } catch (error) {
    const { message, linePos } = error as Error & { linePos?: { line: number }[] };
    const line = linePos?.[0]?.line ?? (/alias/i.test(message) ? multipliesAt(text) : null);
    throw unreadable(file, reading, { line, message: message.split('\n')[0]!.replace(/(?: at line \d+, column \d+)?:$/, '') });
  }
};

/** Variables are filled into values, not into keys. */
const filled = (
  read: Plain,
  variables: Variables,
  unset: Set<string>,
): { value: Plain; required: { variable: string; message: string } | null } => {
  let required: { variable: string; message: string } | null = null;
  const fill = (value: unknown): unknown => {
    if (typeof value === 'string') {
      const found = interpolate(value, variables);
      for (const each of found.unset) unset.add(each);
      required ??= found.required[0] ?? null;
      return found.text;
    }
    if (isInstead(value)) return instead(fill(value.value));
    if (Array.isArray(value)) return value.map(fill);
    return isPlain(value) ? Object.fromEntries(Object.entries(value).map(([key, each]) => [key, fill(each)])) : value;
  };
  return { value: fill(read) as Plain, required };
};

/** `extends: base`, `extends: {service, file}`: what the service has itself counts. */
const withExtends = async (name: string, services: Plain, file: string, reading: Reading): Promise<unknown> => {
  const service = services[name];
  if (isInstead(service)) return instead(await withExtends(name, { ...services, [name]: service.value }, file, reading));
  if (!isPlain(service)) return service;
  const { extends: from, ...own } = service;
  if (from === undefined || from === null) return own;
  if ((reading.depth ?? 0) > DEEPEST) throw unfit(file, reading, 'extends leads in a circle');
  const deeper = { ...reading, depth: (reading.depth ?? 0) + 1 };
  const wanted = isPlain(from) ? from : { service: from };
  const base = String(wanted['service']);
  if (typeof wanted['file'] !== 'string') {
    if (!(base in services)) throw unfit(file, reading, `extends names service "${base}", which is not there`);
    return mergeService(asPlain(await withExtends(base, services, file, deeper)), own);
  }
  const other = resolve(reading.base, wanted['file']);
  const document = await readFilled(other, deeper);
  const others = isPlain(document['services']) ? document['services'] : {};
  if (!(base in others)) throw unfit(other, reading, `extends names service "${base}", which is not there`);
  const found = await withExtends(base, others, other, { ...deeper, base: dirname(other) });
  return mergeService(placed(withoutTags(asPlain(found)), dirname(other)), own);
};

const asPlain = (value: unknown): Plain => (isPlain(value) ? value : {});

/** `./infra/compose.yaml`, or `{path, project_directory, env_file}`: its paths are relative to its own folder, its variables to its own `.env`. */
const included = async (entry: unknown, file: string, reading: Reading): Promise<Plain> => {
  const wanted = isPlain(entry) ? entry : { path: entry };
  const files = (Array.isArray(wanted['path']) ? wanted['path'] : [wanted['path']]).map((path) => resolve(reading.base, String(path)));
  const folder = wanted['project_directory'];
  const base = typeof folder === 'string' ? resolve(reading.base, folder) : dirname(files[0] ?? reading.base);
  const named = asMany(wanted['env_file']).map((path) => resolve(reading.base, String(path)));
  for (const each of named) {
    await access(each).catch((error: NodeJS.ErrnoException) => {
      throw unreadable(file, reading, { kind: 'other', message: `${reading.shown(each)} cannot be read (${error.code ?? 'unknown'})` });
    });
  }
  const variables = { ...(await envOf(named.length > 0 ? named : [join(base, '.env')], reading.variables)), ...reading.variables };
  let merged: Plain = {};
  for (const each of files) merged = mergeFiles(merged, await readParts(each, { ...reading, base, variables }));
  const services = asPlain(merged['services']);
  const withPaths = (section: unknown): Plain =>
    Object.fromEntries(
      Object.entries(asPlain(section)).map(([name, each]) => [
        name,
        isPlain(each) && typeof each['file'] === 'string' ? { ...each, file: resolve(base, each['file']) } : each,
      ]),
    );
  return {
    ...merged,
    ...(merged['secrets'] !== undefined && { secrets: withPaths(merged['secrets']) }),
    ...(merged['configs'] !== undefined && { configs: withPaths(merged['configs']) }),
    services: Object.fromEntries(Object.entries(services).map(([name, each]) => [name, placed(asPlain(each), base)])),
  };
};

/** Relative paths of a service made absolute, as they are meant where they are written. */
const placed = (service: Plain, base: string): Plain => {
  const at = (path: unknown): unknown => (typeof path === 'string' && !isAbsolute(path) && !isRemote(path) ? resolve(base, path) : path);
  const { build, env_file: envFile, volumes } = service;
  return {
    ...service,
    ...(build !== undefined && { build: isPlain(build) ? { ...build, context: at(build['context'] ?? '.') } : at(build) }),
    ...(envFile !== undefined && {
      env_file: (Array.isArray(envFile) ? envFile : [envFile]).map((each) =>
        isPlain(each) ? { ...each, path: at(each['path']) } : at(each),
      ),
    }),
    ...(Array.isArray(volumes) && {
      volumes: volumes.map((each) => {
        if (isPlain(each)) return each['type'] === 'bind' ? { ...each, source: at(each['source']) } : each;
        const [source = '', ...rest] = splitVolume(String(each));
        return rest.length > 0 && source.startsWith('.') ? [at(source), ...rest].join(':') : each;
      }),
    }),
  };
};

/** Of several env files, a later value counts; one that is not there says nothing. */
export const envOf = async (files: readonly string[], given: Variables): Promise<Record<string, string>> => {
  let values: Record<string, string> = {};
  for (const file of files) {
    const text = await readFile(file, 'utf8').catch(() => '');
    values = { ...values, ...parseEnvFile(text, { ...values, ...given }) };
  }
  return values;
};

/** `https://…`, `git@…`, `github.com/…` are of no folder here. */
export const isRemote = (path: string): boolean => /^[a-z][a-z0-9+.-]*:\/\/|^git@|^github\.com\//i.test(path);
