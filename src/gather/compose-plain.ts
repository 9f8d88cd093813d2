/**
 * A plain reading of the compose files, for machines with an engine but no Compose CLI. It knows variables with defaults, env files, both
 * spellings of lists and maps, merging of several files with `!reset` and `!override`, `extends` and `include`; not build-time subtleties.
 */
import { readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import type { ProjectFact } from '../model/facts.ts';
import { inconsistencyIn } from './compose-consistency.ts';
import { composeError } from './compose-error.ts';
import { shownPath, type ProjectPlace, type Variables } from './compose-files.ts';
import { mergeFiles } from './compose-merge.ts';
import { specFromConfig, type ConfigModel, type ConfigService } from './compose-model.ts';
import { envOf, isRemote, readParts, Unreadable, type Reading } from './compose-parts.ts';
import { asBuild, asList, asMany, asMap, asWords, isPlain, portsOf, splitVolume, type Plain } from './compose-short.ts';
import { parseEnvFile, parseRawEnvFile } from './env-file.ts';
import { placesOf } from './variable-places.ts';
import type { Vault } from './vault.ts';

/** Errors: `CannotLook` for a file that is too large to be parsed here. */
export const readPlainly = async (
  place: ProjectPlace,
  env: Variables,
  vault: Vault,
): Promise<Pick<ProjectFact, 'services' | 'error' | 'unsetVariables' | 'blanks'>> => {
  const nothing = { services: null, error: null, unsetVariables: [], blanks: [] };
  const own = await envOf(place.envFiles.length > 0 ? place.envFiles : [join(place.workingDir, '.env')], env);
  const variables = { COMPOSE_PROJECT_NAME: place.name, ...own, ...env };
  const unset = new Set<string>();
  const reading: Reading = { variables, base: place.workingDir, unset, shown: (file) => shownPath(file, place.workingDir) };
  let merged: Plain = {};
  try {
    for (const file of place.files) merged = mergeFiles(merged, await readParts(file, reading));
  } catch (error) {
    if (error instanceof Unreadable) return { ...nothing, error: error.told };
    throw error;
  }
  const places = await placesOf([...unset], place);
  const model = await normalise(merged, place, variables);
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
  const inconsistency = inconsistencyIn(model);
  if (inconsistency) return { ...nothing, error: await composeError(inconsistency, place) };
  const specs = Object.entries(model.services ?? {}).map(([name, service]) => specFromConfig(name, service, model, place.profiles, vault));
  return {
    ...nothing,
    services: specs.toSorted((a, b) => (a.name < b.name ? -1 : 1)),
    unsetVariables: places.lines,
    blanks: places.blanks,
  };
};

const normalise = async (raw: Plain, place: ProjectPlace, variables: Variables): Promise<ConfigModel | { missing: string }> => {
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
    const fromFiles = await envFilesOf(own['env_file'], place.workingDir, variables);
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

/** `env_file: a.env`, or `{path, required, format}`: values of one may name those before it. */
const envFilesOf = async (
  value: unknown,
  base: string,
  variables: Variables,
): Promise<{ values: Record<string, string> } | { missing: string }> => {
  let values: Record<string, string> = {};
  for (const each of asMany(value)) {
    const { path, required, format }: Plain = isPlain(each) ? each : { path: each };
    const file = resolve(base, String(path));
    const text = await readFile(file, 'utf8').catch(() => null);
    if (text === null && required !== false) return { missing: file };
    const parse = format === 'raw' ? parseRawEnvFile : parseEnvFile;
    values = { ...values, ...parse(text ?? '', { ...values, ...variables }) };
  }
  return { values };
};

const serviceOf = (raw: Plain, base: string): ConfigService => {
  const build = asBuild(raw['build']);
  const context = isPlain(build) ? build['context'] : undefined;
  return {
    ...(raw as ConfigService),
    command: asWords(raw['command']),
    entrypoint: asWords(raw['entrypoint']),
    ...(build !== undefined && {
      build: {
        ...(isPlain(build) ? build : {}),
        context: typeof context !== 'string' ? resolve(base) : isRemote(context) ? context : resolve(base, context),
      },
    }),
    environment: asMap(raw['environment']) as Record<string, string>,
    ports: asList(raw['ports']).flatMap(portsOf),
    volumes: asList(raw['volumes']).map((each) => volumeOf(each, base)),
    networks:
      raw['networks'] === undefined
        ? raw['network_mode']
          ? {}
          : { default: null }
        : Object.fromEntries(Object.entries(asMap(raw['networks'])).toSorted(([a], [b]) => (a < b ? -1 : 1))),
    depends_on: {
      ...implied(raw),
      ...Object.fromEntries(Object.entries(asMap(raw['depends_on'])).map(([on, how]) => [on, isPlain(how) ? how : {}])),
    },
    profiles: asList(raw['profiles']).map(String),
    expose: asList(raw['expose']).map(String),
    links: asList(raw['links']).map(String),
    labels: asMap(raw['labels']) as Record<string, string>,
  };
};

/** Whom a service shares with is started before it, as if it depended on that. */
const implied = (raw: Plain): Record<string, Record<string, never>> => {
  const shared = [raw['network_mode'], raw['ipc'], raw['pid']].flatMap((mode) =>
    typeof mode === 'string' ? (/^service:(.+)$/.exec(mode)?.[1] ?? []) : [],
  );
  const others = [...asList(raw['links']), ...asList(raw['volumes_from'])].map((each) => String(each).split(':')[0]!);
  return Object.fromEntries([...shared, ...others].filter((name) => name !== 'container').map((name) => [name, {}]));
};

/** `source:target[:mode]`, `target`, or the long form. */
const volumeOf = (volume: unknown, base: string): NonNullable<ConfigService['volumes']>[number] => {
  if (isPlain(volume)) {
    const long = volume as unknown as NonNullable<ConfigService['volumes']>[number];
    return long.type === 'bind' && long.source ? { ...long, source: resolve(base, long.source) } : long;
  }
  const [first = '', second, mode] = splitVolume(String(volume));
  if (second === undefined) return { type: 'volume', target: first };
  const isOnDrive = /^[A-Za-z]:/.test(first);
  const bind = isOnDrive || /^[./~]/.test(first);
  return {
    type: bind ? 'bind' : 'volume',
    source: isOnDrive ? first : bind ? resolve(base, first.replace(/^~(?=\/|$)/, homedir())) : first,
    target: second,
    read_only: /\bro\b/.test(mode ?? ''),
  };
};
