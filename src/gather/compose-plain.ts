/**
 * A plain reading of the compose files, for machines with an engine but no Compose CLI. It knows variables with defaults, both
 * spellings of lists and maps, and merging of several files by key; not `extends`, `include` or build-time subtleties.
 */
import { readFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { parse } from 'yaml';
import type { ProjectFact } from '../model/facts.ts';
import { shownPath, type ProjectPlace } from './compose-files.ts';
import { specFromConfig, type ConfigModel, type ConfigService } from './compose-model.ts';
import type { Vault } from './vault.ts';

type Environment = Record<string, string | undefined>;
type Plain = Record<string, unknown>;

export const readPlainly = async (
  place: ProjectPlace,
  env: Environment,
  vault: Vault,
): Promise<Pick<ProjectFact, 'services' | 'error' | 'unsetVariables' | 'blanks'>> => {
  const nothing = { services: null, error: null, unsetVariables: [], blanks: [] };
  const variables = { ...(await dotEnv(place)), ...env };
  const merged: Plain = {};
  for (const file of place.files) {
    try {
      const read: unknown = parse(await readFile(file, 'utf8'), { merge: true, maxAliasCount: 1_000, logLevel: 'silent' });
      if (!isPlain(read)) throw new Error('the top level is no mapping');
      merge(merged, interpolate(read, variables) as Plain);
    } catch (error) {
      const line = (error as { linePos?: { line: number }[] }).linePos?.[0]?.line ?? null;
      const message = (error as Error).message.split('\n')[0]!;
      return { ...nothing, error: { kind: 'syntax', file: shownPath(file, place.workingDir), line, message, variable: null } };
    }
  }
  const model = normalise(merged, place);
  const specs = Object.entries(model.services ?? {}).map(([name, service]) => specFromConfig(name, service, model, place.profiles, vault));
  return { ...nothing, services: specs.toSorted((a, b) => (a.name < b.name ? -1 : 1)) };
};

const isPlain = (value: unknown): value is Plain => typeof value === 'object' && value !== null && !Array.isArray(value);

const dotEnv = async (place: ProjectPlace): Promise<Environment> => {
  const files = place.envFiles.length > 0 ? place.envFiles : [join(place.workingDir, '.env')];
  const texts = await Promise.all(files.map((file) => readFile(file, 'utf8').catch(() => '')));
  return Object.fromEntries(
    [...texts.join('\n').matchAll(/^\s*(?:export\s+)?([\w.]+)\s*=\s*(.*?)\s*$/gm)].map(([, key, value]) => [key!, value!.replace(/^(['"])(.*)\1$/, '$2')]),
  );
};

const interpolate = (value: unknown, variables: Environment): unknown => {
  if (typeof value === 'string') {
    return value.replace(/\$\$|\$\{(\w+)(?:(:?[-?+])([^}]*))?\}|\$(\w+)/g, (all, name?: string, operator?: string, word?: string, bare?: string) => {
      if (all === '$$') return '$';
      const found = variables[(name ?? bare)!];
      const given = operator?.startsWith(':') ? Boolean(found) : found !== undefined;
      if (operator?.endsWith('-')) return given ? found! : (word ?? '');
      if (operator?.endsWith('+')) return given ? (word ?? '') : '';
      return found ?? '';
    });
  }
  if (Array.isArray(value)) return value.map((each) => interpolate(each, variables));
  if (isPlain(value)) return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, interpolate(each, variables)]));
  return value;
};

const merge = (into: Plain, from: Plain): void => {
  for (const [key, value] of Object.entries(from)) {
    const old = into[key];
    if (isPlain(old) && isPlain(value)) merge(old, value);
    else if (Array.isArray(old) && Array.isArray(value)) into[key] = [...(old as unknown[]), ...(value as unknown[])];
    else into[key] = value;
  }
};

const normalise = (raw: Plain, place: ProjectPlace): ConfigModel => {
  const names = (kind: string) =>
    Object.fromEntries(
      Object.entries(isPlain(raw[kind]) ? raw[kind] : {}).map(([key, value]) => [
        key,
        { name: isPlain(value) && typeof value['name'] === 'string' ? value['name'] : isPlain(value) && value['external'] ? key : `${place.name}_${key}` },
      ]),
    );
  const base = dirname(place.files[0] ?? place.workingDir) && place.workingDir;
  const services = isPlain(raw['services']) ? raw['services'] : {};
  return {
    ...(typeof raw['name'] === 'string' && { name: raw['name'] }),
    networks: { default: { name: `${place.name}_default` }, ...names('networks') },
    volumes: names('volumes'),
    services: Object.fromEntries(Object.entries(services).map(([name, service]) => [name, serviceOf(isPlain(service) ? service : {}, base)])),
  };
};

const serviceOf = (raw: Plain, base: string): ConfigService => {
  const text = (key: string) => (typeof raw[key] === 'string' ? raw[key] : undefined);
  const build = raw['build'];
  return {
    ...(raw as ConfigService),
    ...(build !== undefined && {
      build: typeof build === 'string' ? { context: resolve(base, build) } : { ...(build as Plain), context: resolve(base, String((build as Plain)['context'] ?? '.')) },
    }),
    environment: asMap(raw['environment']) as Record<string, string>,
    ports: asList(raw['ports']).map(portOf),
    volumes: asList(raw['volumes']).map((each) => volumeOf(each, base)),
    networks: Array.isArray(raw['networks']) ? Object.fromEntries((raw['networks'] as string[]).map((each) => [each, null])) : ((raw['networks'] as Plain) ?? (text('network_mode') ? {} : { default: null })),
    depends_on: Array.isArray(raw['depends_on'])
      ? Object.fromEntries((raw['depends_on'] as string[]).map((each) => [each, { condition: 'service_started' }]))
      : ((raw['depends_on'] as Record<string, { condition?: string }>) ?? {}),
  };
};

const asList = (value: unknown): unknown[] => (Array.isArray(value) ? value : []);

const asMap = (value: unknown): Plain =>
  Array.isArray(value)
    ? Object.fromEntries(value.map((each) => String(each)).map((each) => (each.includes('=') ? [each.slice(0, each.indexOf('=')), each.slice(each.indexOf('=') + 1)] : [each, null])))
    : isPlain(value)
      ? value
      : {};

/** `[[ip:]host:]container[/protocol]`. */
const portOf = (port: unknown): NonNullable<ConfigService['ports']>[number] => {
  if (isPlain(port)) return port as unknown as NonNullable<ConfigService['ports']>[number];
  const found = /^(?:(.*):)?(?:([\d-]*):)?(\d+)(?:-\d+)?(?:\/(\w+))?$/.exec(String(port));
  const [, ip, host, target, protocol] = found ?? [];
  const onlyHost = host === undefined && ip !== undefined && /^[\d-]+$/.test(ip);
  return { target: Number(target ?? 0), published: (onlyHost ? ip : host) ?? '0', ...(protocol && { protocol }), ...(!onlyHost && ip && { host_ip: ip }) };
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
  return { type: bind ? 'bind' : 'volume', source: bind ? resolve(base, first) : first, target: second, read_only: /\bro\b/.test(mode ?? '') };
};
