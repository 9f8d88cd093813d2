/** Of several compose files, which value counts. */
import { asBuild, asList, asMany, asMap, instead, isInstead, isPlain, portsOf, splitVolume, type Plain } from './compose-short.ts';

/** Later files over earlier ones; what stands under `!override` or `!reset` is in its place then. */
export const mergeFiles = (base: Plain, over: Plain): Plain => merged(base, over, [], false) as Plain;

/** What a service has over what it extends. Its tags are kept: they are said to earlier files as well. */
export const mergeService = (base: Plain, over: Plain): Plain => merged(withoutTags(base), over, SERVICE, true) as Plain;

/** A service as it is, where there is nothing before it. */
export const withoutTags = (service: Plain): Plain => merged(undefined, service, SERVICE, false) as Plain;

const SERVICE = ['services', '*'];

/** Of a service, which values are joined by key, whatever their spelling. */
const MAPS = new Set(['environment', 'labels', 'networks', 'depends_on', 'extra_hosts', 'sysctls', 'annotations']);
/** Commands are replaced as a whole. */
const WHOLE = new Set(['command', 'entrypoint', 'healthcheck.test']);

const merged = (base: unknown, over: unknown, path: readonly string[], keepsTags: boolean): unknown => {
  if (isInstead(over)) {
    const value = over.value === undefined ? undefined : merged(undefined, over.value, path, false);
    return keepsTags ? instead(value) : value;
  }
  const key = ofService(path);
  const [old, value] = [spelledOut(base, key), spelledOut(over, key)];
  if (key !== null && WHOLE.has(key)) return value;
  if (isPlain(value) && (isPlain(old) || old === undefined || old === null)) return joined(old ?? {}, value, path, keepsTags);
  if (Array.isArray(value) && (Array.isArray(old) || old === undefined || old === null)) return unique([...asList(old), ...value], key);
  return value;
};

const joined = (base: Plain, over: Plain, path: readonly string[], keepsTags: boolean): Plain => {
  const all: Plain = { ...base };
  for (const [key, value] of Object.entries(over)) {
    const next = path.length === 1 && path[0] === 'services' ? SERVICE : [...path, key];
    const found = merged(all[key], value, next, keepsTags);
    if (found === undefined) delete all[key];
    else all[key] = found;
  }
  return all;
};

/** `build`, `healthcheck.test`; `null`: of no service. */
const ofService = (path: readonly string[]): string | null => (path.length > 2 && path[0] === 'services' ? path.slice(2).join('.') : null);

const spelledOut = (value: unknown, key: string | null): unknown => {
  if (value === undefined || value === null || key === null) return value;
  if (MAPS.has(key)) return asMap(value);
  if (key === 'build') return asBuild(value);
  if (key === 'build.args') return asMap(value);
  if (key === 'ports') return asList(value).flatMap(portsOf);
  return key === 'env_file' || key === 'tmpfs' || key === 'dns' ? asMany(value) : value;
};

/** What one entry of a list is known by: the last one of the same name counts. */
const NAMES: Record<string, (entry: unknown) => string> = {
  volumes: (entry) => (isPlain(entry) ? String(entry['target']) : (splitVolume(String(entry))[1] ?? String(entry))),
  ports: (entry) => {
    const { host_ip: ip, published, target, protocol } = entry as Plain;
    return [ip ?? '0.0.0.0', published ?? '0', target, protocol ?? 'tcp'].join(' ');
  },
  secrets: (entry) => String(isPlain(entry) ? (entry['target'] ?? entry['source']) : entry),
  configs: (entry) => String(isPlain(entry) ? (entry['target'] ?? entry['source']) : entry),
  env_file: (entry) => String(isPlain(entry) ? entry['path'] : entry),
  expose: String,
  profiles: String,
  dns: String,
  cap_add: String,
};

const unique = (list: unknown[], key: string | null): unknown[] => {
  const name = key !== null && Object.hasOwn(NAMES, key) ? NAMES[key] : undefined;
  return name ? [...new Map(list.map((each) => [name(each), each])).values()] : list;
};
