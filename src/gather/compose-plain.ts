/**
 * A plain reading of the compose files, for machines with an engine but no Compose CLI. It knows variables with defaults, env files, both
 * spellings of lists and maps, merging of several files, `include` and `extends`; not `!reset`, remote files or build-time subtleties.
 */
import { readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { parse } from 'yaml';
import type { ProjectFact } from '../model/facts.ts';
import { shellWords } from '../model/command-line.ts';
import { multipliesAt, type ComposeError } from './compose-error.ts';
import { interpolate, readDotEnv, shownPath, type ProjectPlace, type Variables } from './compose-files.ts';
import { specFromConfig, type ConfigModel, type ConfigService } from './compose-model.ts';
import { badBytesAt, oversized } from './compose-text.ts';
import { CannotLook } from './gathering.ts';
import { placesOf } from './variable-places.ts';
import type { Vault } from './vault.ts';

type Plain = Record<string, unknown>;

interface Reading {
  place: ProjectPlace;
  variables: Variables;
  unset: Set<string>;
}

/** Why the files do not load. */
class Unreadable extends Error {
  readonly told: ComposeError;
  constructor(told: ComposeError) {
    super(told.message);
    this.told = told;
  }
}

const MOST_DEPTH = 10;

/** Errors: `CannotLook` for a file that is too large to be parsed here. */
export const readPlainly = async (
  place: ProjectPlace,
  env: Variables,
  vault: Vault,
): Promise<Pick<ProjectFact, 'services' | 'error' | 'unsetVariables' | 'blanks'>> => {
  const nothing = { services: null, error: null, unsetVariables: [], blanks: [] };
  const variables = { ...(await readDotEnv(place.envFiles.length > 0 ? place.envFiles : [join(place.workingDir, '.env')])), ...env };
  const unset = new Set<string>();
  let merged: Plain = {};
  try {
    for (const file of place.files) merged = mergeFiles(merged, await load(file, place.workingDir, { place, variables, unset }, 0));
    merged = { ...merged, services: await extended(merged['services'], { place, variables, unset }, 0) };
  } catch (error) {
    if (error instanceof Unreadable) return { ...nothing, error: error.told };
    throw error;
  }
  const places = await placesOf([...unset], place);
  const model = await normalise(merged, place);
  if ('missing' in model) {
    const file = shownPath(place.files[0] ?? '', place.workingDir);
    return {
      ...nothing,
      error: {
        kind: 'env-file-missing',
        file,
        line: null,
        message: `env file ${shownPath(model.missing, place.workingDir)} not found`,
        variable: null,
      },
    };
  }
  const specs = Object.entries(model.services ?? {}).map(([name, service]) => specFromConfig(name, service, model, place.profiles, vault));
  return {
    ...nothing,
    services: specs.toSorted((a, b) => (a.name < b.name ? -1 : 1)),
    unsetVariables: places.lines,
    blanks: places.blanks,
  };
};

/** One file with its variables filled in, and those that it includes; their relative paths are of `base`. */
const load = async (file: string, base: string, reading: Reading, depth: number): Promise<Plain> => {
  const { place, variables, unset } = reading;
  const shown = shownPath(file, place.workingDir);
  const unreadable = (parts: Partial<ComposeError>) =>
    new Unreadable({ kind: 'syntax', file: shown, line: null, message: '', variable: null, ...parts });
  if (depth > MOST_DEPTH) throw unreadable({ kind: 'schema', message: 'include and extends lead in a circle' });
  const large = await oversized([file], () => shown);
  if (large) throw new CannotLook(`${large}, which is too much to be read without the Compose CLI`);
  const bytes = await readFile(file).catch((error: NodeJS.ErrnoException) => {
    throw unreadable({ kind: 'other', message: `${shown} cannot be read (${error.code ?? 'unknown'})` });
  });
  const bad = badBytesAt(bytes);
  if (bad !== null) throw unreadable({ line: bad, message: 'it is not in UTF-8' });
  const text = bytes.toString('utf8');
  const read = parsedOr(text, unreadable);
  if (!isPlain(read)) throw unreadable({ message: 'the top level is no mapping' });
  const { value, required } = filled(read, variables, unset);
  if (required) {
    const line = text.split('\n').findIndex((each) => each.includes(`\${${required.variable}`)) + 1 || null;
    const message = `required variable ${required.variable} is missing a value: ${required.message}`;
    throw unreadable({ kind: 'required-variable', line, message, variable: required.variable });
  }
  let merged = { ...(base === place.workingDir ? value : rebased(value, base)), include: undefined };
  for (const included of asList(value['include'])) {
    const paths = asList(isPlain(included) ? wrapped(included['path']) : [included]).map((path) => resolve(base, String(path)));
    const [first] = paths;
    if (first === undefined) continue;
    const folder =
      isPlain(included) && typeof included['project_directory'] === 'string'
        ? resolve(base, included['project_directory'])
        : dirname(first);
    const own = { ...reading, variables: { ...(await readDotEnv([join(folder, '.env')])), ...variables } };
    for (const path of paths) merged = { ...mergeFiles(await load(path, folder, own, depth + 1), merged), include: undefined };
  }
  return merged;
};

const parsedOr = (text: string, unreadable: (parts: Partial<ComposeError>) => Unreadable): unknown => {
  try {
    return parse(text, { merge: true, maxAliasCount: 1_000, logLevel: 'error' });
  } catch (error) {
    const { message, linePos } = error as Error & { linePos?: { line: number }[] };
    const line = linePos?.[0]?.line ?? (/alias/i.test(message) ? multipliesAt(text) : null);
    throw unreadable({ line, message: message.split('\n')[0]!.replace(/(?: at line \d+, column \d+)?:$/, '') });
  }
};

const wrapped = (value: unknown): unknown => (Array.isArray(value) ? value : [value]);

/** `extends: name`, or of another file; what the service says itself comes over it. */
const extended = async (services: unknown, reading: Reading, depth: number): Promise<Plain> => {
  const all = isPlain(services) ? services : {};
  const found: Plain = {};
  for (const [name, service] of Object.entries(all))
    found[name] = isPlain(service) ? await withBase(service, all, reading, depth) : service;
  return found;
};

const withBase = async (service: Plain, siblings: Plain, reading: Reading, depth: number): Promise<Plain> => {
  const how = service['extends'];
  const name = isPlain(how) ? how['service'] : how;
  if (typeof name !== 'string') return service;
  const file = isPlain(how) && typeof how['file'] === 'string' ? resolve(reading.place.workingDir, how['file']) : null;
  const { workingDir, files } = reading.place;
  const fails = (message: string) =>
    new Unreadable({ kind: 'schema', file: shownPath(file ?? files[0] ?? '', workingDir), line: null, message, variable: null });
  if (depth > MOST_DEPTH) throw fails('extends leads in a circle');
  const others = file === null ? siblings : (await load(file, dirname(file), reading, depth + 1))['services'];
  const base = isPlain(others) ? others[name] : undefined;
  if (!isPlain(others) || !isPlain(base)) throw fails(`extends names service "${name}", which is not there`);
  return { ...mergeService(await withBase(base, others, reading, depth + 1), service), extends: undefined };
};

/** Relative paths of a file from another folder, made absolute. */
const rebased = (model: Plain, base: string): Plain => {
  const path = (value: unknown): unknown => (typeof value === 'string' ? resolve(base, value) : value);
  const service = (raw: unknown): unknown => {
    if (!isPlain(raw)) return raw;
    const { build, volumes, env_file: envFile, extends: how } = raw;
    return {
      ...raw,
      ...(typeof build === 'string' && !isRemote(build) && { build: path(build) }),
      ...(isPlain(build) && !isRemote(build['context']) && { build: { ...build, context: path(build['context'] ?? '.') } }),
      ...(Array.isArray(volumes) && { volumes: volumes.map((each: unknown) => volumeOf(each, base)) }),
      ...(envFile !== undefined && {
        env_file: asList(wrapped(envFile)).map((each) => (isPlain(each) ? { ...each, path: path(each['path']) } : path(each))),
      }),
      ...(isPlain(how) && how['file'] !== undefined && { extends: { ...how, file: path(how['file']) } }),
    };
  };
  const files = (section: unknown): unknown =>
    isPlain(section)
      ? Object.fromEntries(
          Object.entries(section).map(([name, each]) => [
            name,
            isPlain(each) && each['file'] ? { ...each, file: path(each['file']) } : each,
          ]),
        )
      : section;
  const services = model['services'];
  return {
    ...model,
    ...(isPlain(services) && { services: Object.fromEntries(Object.entries(services).map(([name, each]) => [name, service(each)])) }),
    ...(model['secrets'] !== undefined && { secrets: files(model['secrets']) }),
    ...(model['configs'] !== undefined && { configs: files(model['configs']) }),
  };
};

const isPlain = (value: unknown): value is Plain => typeof value === 'object' && value !== null && !Array.isArray(value);

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

/** Of a service, lists of things are joined, commands are replaced; what names the same container path or variable wins by coming later. */
const mergeFiles = (base: Plain, over: Plain): Plain => {
  const merged: Plain = { ...base };
  for (const [key, value] of Object.entries(over)) {
    const old = merged[key];
    merged[key] =
      key === 'services' && isPlain(old) && isPlain(value)
        ? mergeServices(old, value)
        : isPlain(old) && isPlain(value)
          ? { ...old, ...value }
          : value;
  }
  return merged;
};

const mergeServices = (base: Plain, over: Plain): Plain =>
  Object.fromEntries(
    [...new Set([...Object.keys(base), ...Object.keys(over)])].map((name) => {
      const [old, value] = [base[name], over[name]];
      return [name, isPlain(old) && isPlain(value) ? mergeService(old, value) : (value ?? old)];
    }),
  );

const MAPS = new Set(['environment', 'labels', 'build', 'healthcheck', 'deploy', 'networks', 'depends_on', 'extra_hosts', 'logging']);
const LISTS = new Set(['ports', 'volumes', 'expose', 'env_file', 'profiles', 'dns', 'cap_add', 'configs', 'secrets', 'tmpfs']);

const mergeService = (base: Plain, over: Plain): Plain => {
  const merged: Plain = { ...base };
  for (const [key, value] of Object.entries(over)) {
    const old = merged[key];
    if (MAPS.has(key)) merged[key] = { ...asMap(old), ...asMap(value) };
    else if (key === 'volumes')
      merged[key] = [...new Map([...asList(old), ...asList(value)].map((each) => [targetOf(each), each])).values()];
    else if (LISTS.has(key)) merged[key] = [...asList(old), ...asList(value)];
    else merged[key] = value;
  }
  return merged;
};

const targetOf = (volume: unknown): unknown => (isPlain(volume) ? volume['target'] : volumeOf(volume, '/').target);

const normalise = async (raw: Plain, place: ProjectPlace): Promise<ConfigModel | { missing: string }> => {
  const names = (kind: string) =>
    Object.fromEntries(
      Object.entries(isPlain(raw[kind]) ? raw[kind] : {}).map(([key, value]) => [
        key,
        {
          name:
            isPlain(value) && typeof value['name'] === 'string'
              ? value['name']
              : isPlain(value) && value['external']
                ? key
                : `${place.name}_${key}`,
        },
      ]),
    );
  const services: Record<string, ConfigService> = {};
  for (const [name, service] of Object.entries(isPlain(raw['services']) ? raw['services'] : {})) {
    const own = isPlain(service) ? service : {};
    const fromFiles = await envFilesOf(own['env_file'], place.workingDir);
    if ('missing' in fromFiles) return fromFiles;
    services[name] = serviceOf({ ...own, environment: { ...fromFiles.values, ...asMap(own['environment']) } }, place.workingDir);
  }
  return {
    ...(typeof raw['name'] === 'string' && { name: raw['name'] }),
    networks: { default: { name: `${place.name}_default` }, ...names('networks') },
    volumes: names('volumes'),
    secrets: filesIn(raw['secrets'], place.workingDir),
    configs: filesIn(raw['configs'], place.workingDir),
    services,
  };
};

const filesIn = (section: unknown, base: string): ConfigModel['secrets'] =>
  Object.fromEntries(
    Object.entries(isPlain(section) ? section : {}).map(([name, value]) => [
      name,
      isPlain(value) && typeof value['file'] === 'string' ? { file: resolve(base, value['file']) } : null,
    ]),
  );

const envFilesOf = async (value: unknown, base: string): Promise<{ values: Record<string, string> } | { missing: string }> => {
  const entries = (Array.isArray(value) ? value : value === undefined || value === null ? [] : [value]).map((each) =>
    isPlain(each)
      ? { path: resolve(base, String(each['path'])), required: each['required'] !== false }
      : { path: resolve(base, String(each)), required: true },
  );
  for (const { path, required } of entries) {
    const isThere = await readFile(path).then(
      () => true,
      () => false,
    );
    if (!isThere && required) return { missing: path };
  }
  return { values: await readDotEnv(entries.map(({ path }) => path)) };
};

/** `https://…`, `git@…`, `github.com/…` are of no folder here. */
const isRemote = (context: unknown): boolean => typeof context === 'string' && /^\w+:\/\/|^git@|^github\.com\//.test(context);

const serviceOf = (raw: Plain, base: string): ConfigService => {
  const build = raw['build'];
  const context = isPlain(build) ? build['context'] : build;
  const list = (key: string): string[] | null => {
    const value = raw[key];
    return Array.isArray(value) ? value.map(String) : typeof value === 'string' ? shellWords(value) : null;
  };
  return {
    ...(raw as ConfigService),
    command: list('command'),
    entrypoint: list('entrypoint'),
    ...(build !== undefined && {
      build: {
        ...(isPlain(build) ? build : {}),
        context: isRemote(context) ? String(context) : resolve(base, typeof context === 'string' ? context : '.'),
      },
    }),
    environment: asMap(raw['environment']) as Record<string, string>,
    ports: asList(raw['ports']).flatMap(portsOf),
    volumes: asList(raw['volumes']).map((each) => volumeOf(each, base)),
    networks: raw['networks'] === undefined ? (raw['network_mode'] ? {} : { default: null }) : asMap(raw['networks']),
    depends_on: Object.fromEntries(Object.entries(asMap(raw['depends_on'])).map(([on, how]) => [on, isPlain(how) ? how : {}])),
    profiles: asList(raw['profiles']).map(String),
  };
};

const asList = (value: unknown): unknown[] => (Array.isArray(value) ? value : []);

/** `KEY=value` entries, or names alone. */
const asMap = (value: unknown): Plain => {
  if (isPlain(value)) return value;
  return Object.fromEntries(
    asList(value)
      .map(String)
      .map((each) => (each.includes('=') ? [each.slice(0, each.indexOf('=')), each.slice(each.indexOf('=') + 1)] : [each, null])),
  );
};

type ConfigPort = NonNullable<ConfigService['ports']>[number];

/** `[[ip:]host:]container[/protocol]`; both ports may be ranges of one length. */
const portsOf = (port: unknown): ConfigPort[] => {
  if (isPlain(port)) return [port as unknown as ConfigPort];
  const found = /^(?:(?:(\[[^\]]*\]|[^:]*):)?(\d+(?:-\d+)?)?:)?(\d+)(?:-(\d+))?(?:\/(\w+))?$/.exec(String(port));
  if (!found) return [];
  const [, ip = '', published, first, last = first, protocol] = found;
  const count = Math.min(Number(last) - Number(first), 1_000);
  return Array.from({ length: count + 1 }, (_, index) => ({
    target: Number(first) + index,
    published: published === undefined ? '0' : String(Number(published.split('-')[0]) + (count > 0 ? index : 0)),
    ...(protocol && { protocol }),
    ...(ip && { host_ip: ip.replace(/^\[|\]$/g, '') }),
  }));
};

/** `source:target[:mode]`, `target`, or the long form. */
const volumeOf = (volume: unknown, base: string): NonNullable<ConfigService['volumes']>[number] => {
  if (isPlain(volume)) {
    const long = volume as unknown as NonNullable<ConfigService['volumes']>[number];
    return long.type === 'bind' && long.source ? { ...long, source: resolve(base, long.source) } : long;
  }
  const [first = '', second, mode] = String(volume).split(':');
  if (second === undefined) return { type: 'volume', target: first };
  const bind = /^[./~]/.test(first);
  return {
    type: bind ? 'bind' : 'volume',
    source: bind ? resolve(base, first.replace(/^~(?=\/|$)/, homedir())) : first,
    target: second,
    read_only: /\bro\b/.test(mode ?? ''),
  };
};
