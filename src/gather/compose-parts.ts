/** One compose file with all that it takes from others: variables filled in, `extends` and `include` followed. */
import { readFile } from 'node:fs/promises';
import { dirname, isAbsolute, join, resolve } from 'node:path';
import { parse } from 'yaml';
import { interpolate, readDotEnv, type Variables } from './compose-files.ts';
import { asList, isPlain, mergeFiles, mergeService, splitVolume, type Plain } from './compose-merge.ts';

export interface Reading {
  variables: Variables;
  /** Where relative paths begin. */
  base: string;
  /** Found on the way: variables with no value. */
  unset: Set<string>;
  /** Of `${NAME:?message}`, in which file. */
  required: { variable: string; message: string; text: string; file: string }[];
  /** Files that led here: one that leads to itself ends. */
  depth?: number;
}

const DEEPEST = 16;

/** Errors: what the file system and the YAML parser throw, and `kind: 'other'` for a part that is not there. */
export const readParts = async (file: string, reading: Reading): Promise<Plain> => {
  if ((reading.depth ?? 0) > DEEPEST) throw broken(`${file} includes or extends itself`);
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
  for (const each of asList(include)) merged = mergeFiles(merged, await included(each, deeper));
  return mergeFiles(merged, own);
};

const broken = (message: string): Error => Object.assign(new Error(message), { kind: 'other' });

const readFilled = async (file: string, { variables, unset, required }: Reading): Promise<Plain> => {
  const text = await readFile(file, 'utf8');
  const read: unknown = parse(text, { merge: true, maxAliasCount: 1_000, logLevel: 'error' });
  if (!isPlain(read)) throw new Error('the top level is no mapping');
  const found = filled(read, variables, unset);
  if (found.required) required.push({ ...found.required, text, file });
  return found.value;
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
    if (Array.isArray(value)) return value.map(fill);
    return isPlain(value) ? Object.fromEntries(Object.entries(value).map(([key, each]) => [key, fill(each)])) : value;
  };
  return { value: fill(read) as Plain, required };
};

/** `extends: base`, `extends: {service, file}`: what the service has itself counts. */
const withExtends = async (name: string, services: Plain, file: string, reading: Reading): Promise<unknown> => {
  const service = services[name];
  if (!isPlain(service)) return service;
  const { extends: from, ...own } = service;
  if (from === undefined || from === null) return own;
  if ((reading.depth ?? 0) > DEEPEST) throw broken(`${name} in ${file} extends itself`);
  const deeper = { ...reading, depth: (reading.depth ?? 0) + 1 };
  const wanted = isPlain(from) ? from : { service: from };
  const base = String(wanted['service']);
  if (typeof wanted['file'] !== 'string') {
    if (!(base in services)) throw broken(`${name} extends ${base}, and no such service is in ${file}`);
    return mergeService(asPlain(await withExtends(base, services, file, deeper)), own);
  }
  const other = resolve(reading.base, wanted['file']);
  const document = await readFilled(other, deeper).catch((error: NodeJS.ErrnoException) => {
    throw error.code === 'ENOENT' ? broken(`${name} extends ${base} of ${other}, which does not exist`) : error;
  });
  const others = isPlain(document['services']) ? document['services'] : {};
  if (!(base in others)) throw broken(`${name} extends ${base}, and no such service is in ${other}`);
  const found = await withExtends(base, others, other, { ...deeper, base: dirname(other) });
  return mergeService(placed(asPlain(found), dirname(other)), own);
};

const asPlain = (value: unknown): Plain => (isPlain(value) ? value : {});

/** `./infra/compose.yaml`, or `{path, project_directory, env_file}`: its paths are relative to its own folder, its variables to its own `.env`. */
const included = async (entry: unknown, reading: Reading): Promise<Plain> => {
  const wanted = isPlain(entry) ? entry : { path: entry };
  const files = (Array.isArray(wanted['path']) ? wanted['path'] : [wanted['path']]).map((path) => resolve(reading.base, String(path)));
  const folder = wanted['project_directory'];
  const base = typeof folder === 'string' ? resolve(reading.base, folder) : dirname(files[0] ?? reading.base);
  const named = wanted['env_file'];
  const envFiles = named
    ? (Array.isArray(named) ? named : [named]).map((path) => resolve(reading.base, String(path)))
    : [join(base, '.env')];
  const variables = { ...(await readDotEnv(envFiles)), ...reading.variables };
  let merged: Plain = {};
  for (const file of files) {
    const part = await readParts(file, { ...reading, base, variables }).catch((error: NodeJS.ErrnoException) => {
      throw error.code === 'ENOENT' ? broken(`the included file ${error.path ?? file} does not exist`) : error;
    });
    merged = mergeFiles(merged, part);
  }
  const services = asPlain(merged['services']);
  return { ...merged, services: Object.fromEntries(Object.entries(services).map(([name, each]) => [name, placed(asPlain(each), base)])) };
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

const isRemote = (path: string): boolean => /^[a-z][a-z0-9+.-]*:\/\/|^git@/i.test(path);
