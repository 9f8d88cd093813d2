/** Short spellings of the compose file, as the long ones that they stand for. */
import { shellWords } from '../model/command-line.ts';
import type { ConfigService } from './compose-model.ts';

export type Plain = Record<string, unknown>;

const INSTEAD = Symbol('instead');

/** In the place of what an earlier file says (`!override`); without a value, nothing is in that place (`!reset`). */
export interface Instead {
  [INSTEAD]: true;
  value: unknown;
}

export const instead = (value: unknown): Instead => ({ [INSTEAD]: true, value });

export const isInstead = (value: unknown): value is Instead => typeof value === 'object' && value !== null && INSTEAD in value;

export const isPlain = (value: unknown): value is Plain =>
  typeof value === 'object' && value !== null && !Array.isArray(value) && !isInstead(value);

export const asList = (value: unknown): unknown[] => (Array.isArray(value) ? value : []);

/** One, or several. */
export const asMany = (value: unknown): unknown[] => (typeof value === 'string' || isPlain(value) ? [value] : asList(value));

/** `KEY=value` entries, or names alone. */
export const asMap = (value: unknown): Plain => {
  if (isPlain(value)) return value;
  return Object.fromEntries(
    asList(value)
      .map(String)
      .map((each) => (each.includes('=') ? [each.slice(0, each.indexOf('=')), each.slice(each.indexOf('=') + 1)] : [each, null])),
  );
};

/** A folder alone is the context. */
export const asBuild = (build: unknown): unknown => (typeof build === 'string' ? { context: build } : build);

export const asWords = (command: unknown): string[] | null =>
  Array.isArray(command) ? command.map(String) : typeof command === 'string' ? shellWords(command) : null;

type ConfigPort = NonNullable<ConfigService['ports']>[number];

/** `[[ip:]host:]container[/protocol]`; both ports may be ranges of one length. */
export const portsOf = (port: unknown): ConfigPort[] => {
  if (isPlain(port)) return [port as unknown as ConfigPort];
  const found = /^(?:(?:(\[[^\]]*\]|[^:]*):)?(\d+(?:-\d+)?)?:)?(\d+)(?:-(\d+))?(?:\/(\w+))?$/.exec(String(port));
  if (!found) return [];
  const [, ip = '', published, first, last = first, protocol] = found;
  const count = Math.min(Number(last) - Number(first), 1_000);
  return Array.from({ length: count + 1 }, (_, index) => ({
    target: Number(first) + index,
    published: published === undefined ? '0' : count > 0 ? String(Number(published.split('-')[0]) + index) : published,
    ...(protocol && { protocol }),
    ...(ip && { host_ip: ip.replace(/^\[|\]$/g, '') }),
  }));
};

/** `source:target:mode`, where the source may begin with a drive of Windows. */
export const splitVolume = (volume: string): string[] => {
  const [, drive = '', rest = ''] = /^([A-Za-z]:(?=[\\/]))?(.*)$/s.exec(volume) ?? [];
  const [first = '', ...others] = rest.split(':');
  return [drive + first, ...others];
};
