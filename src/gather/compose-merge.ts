/** Of several compose files, which value counts. */

export type Plain = Record<string, unknown>;

export const isPlain = (value: unknown): value is Plain => typeof value === 'object' && value !== null && !Array.isArray(value);

export const asList = (value: unknown): unknown[] => (Array.isArray(value) ? value : []);

/** `KEY=value` entries, or names alone. */
export const asMap = (value: unknown): Plain => {
  if (isPlain(value)) return value;
  return Object.fromEntries(
    asList(value)
      .map(String)
      .map((each) => (each.includes('=') ? [each.slice(0, each.indexOf('=')), each.slice(each.indexOf('=') + 1)] : [each, null])),
  );
};

/** Of a service, lists of things are joined, commands are replaced; what names the same container path or variable wins by coming later. */
export const mergeFiles = (base: Plain, over: Plain): Plain => {
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

/** A folder alone is the context. */
const asBuild = (build: unknown): Plain => (typeof build === 'string' ? { context: build } : isPlain(build) ? build : {});

/** `env_file` may be one. */
const asMany = (value: unknown): unknown[] => (typeof value === 'string' ? [value] : asList(value));

const MAPS = new Set(['environment', 'labels', 'healthcheck', 'deploy', 'networks', 'depends_on', 'extra_hosts', 'logging']);
const LISTS = new Set(['ports', 'volumes', 'expose', 'env_file', 'profiles', 'dns', 'cap_add', 'configs', 'secrets', 'tmpfs']);

export const mergeService = (base: Plain, over: Plain): Plain => {
  const merged: Plain = { ...base };
  for (const [key, value] of Object.entries(over)) {
    const old = merged[key];
    if (key === 'build') merged[key] = { ...asBuild(old), ...asBuild(value) };
    else if (MAPS.has(key)) merged[key] = { ...asMap(old), ...asMap(value) };
    else if (key === 'volumes')
      merged[key] = [...new Map([...asList(old), ...asList(value)].map((each) => [targetOf(each), each])).values()];
    else if (LISTS.has(key)) merged[key] = [...asMany(old), ...asMany(value)];
    else merged[key] = value;
  }
  return merged;
};

const targetOf = (volume: unknown): unknown => (isPlain(volume) ? volume['target'] : targetIn(String(volume)));

const targetIn = (volume: string): string => splitVolume(volume)[1] ?? volume;

/** `source:target:mode`, where the source may begin with a drive of Windows. */
export const splitVolume = (volume: string): string[] => {
  const [, drive = '', rest = ''] = /^([A-Za-z]:(?=[\\/]))?(.*)$/s.exec(volume) ?? [];
  const [first = '', ...others] = rest.split(':');
  return [drive + first, ...others];
};
