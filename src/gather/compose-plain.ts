/**
 * A plain reading of the compose files, for machines with an engine but no Compose CLI. It knows variables with defaults, env files, both
 * spellings of lists and maps, and merging of several files; not `extends`, `include` or build-time subtleties.
 */
import { readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { parse } from 'yaml';
import type { ProjectFact } from '../model/facts.ts';
import { shellWords } from '../model/command-line.ts';
import { interpolate, readDotEnv, shownPath, type ProjectPlace, type Variables } from './compose-files.ts';
import { specFromConfig, type ConfigModel, type ConfigService } from './compose-model.ts';
import { placesOf } from './variable-places.ts';
import type { Vault } from './vault.ts';

type Plain = Record<string, unknown>;

export const readPlainly = async (
  place: ProjectPlace,
  env: Variables,
  vault: Vault,
): Promise<Pick<ProjectFact, 'services' | 'error' | 'unsetVariables' | 'blanks'>> => {
  const nothing = { services: null, error: null, unsetVariables: [], blanks: [] };
  const variables = { ...(await readDotEnv(place.envFiles.length > 0 ? place.envFiles : [join(place.workingDir, '.env')])), ...env };
  const unset = new Set<string>();
  let merged: Plain = {};
  for (const file of place.files) {
    const shown = shownPath(file, place.workingDir);
    try {
      const text = await readFile(file, 'utf8');
      const read: unknown = parse(text, { merge: true, maxAliasCount: 1_000, logLevel: 'error' });
      if (!isPlain(read)) throw new Error('the top level is no mapping');
      const { value, required } = filled(read, variables, unset);
      if (required) {
        const line = text.split('\n').findIndex((each) => each.includes(`\${${required.variable}`)) + 1 || null;
        const message = `required variable ${required.variable} is missing a value: ${required.message}`;
        return { ...nothing, error: { kind: 'required-variable', file: shown, line, message, variable: required.variable } };
      }
      merged = mergeFiles(merged, value);
    } catch (error) {
      const line = (error as { linePos?: { line: number }[] }).linePos?.[0]?.line ?? null;
      return {
        ...nothing,
        error: { kind: 'syntax', file: shown, line, message: (error as Error).message.split('\n')[0]!, variable: null },
      };
    }
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
      build: { ...(isPlain(build) ? build : {}), context: resolve(base, typeof context === 'string' ? context : '.') },
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
