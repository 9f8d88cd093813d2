/** Holds a YAML document to the rules, and gives plain values with the place of each. The first mistake is told, with its line and column. */
import { isAlias, isMap, isScalar, isSeq, type Document, type LineCounter, type Node, type YAMLMap } from 'yaml';
import type { Place } from '../model/config.ts';
import { didYouMean } from '../model/nearest.ts';
import { plain } from '../model/plain.ts';
import { ConfigError } from '../model/usage-error.ts';
import type { MapRule, Rule } from './rule.ts';

export interface Held {
  value: unknown;
  /** Of a value, by its path: `services.db`, `ignore.0`. */
  placeOf(path: string): Place;
}

/** A few are of use; thousands are an attack. */
const MOST_ALIASES = 100;

/** Errors: `ConfigError`, as `doctor.yaml:12:5: unknown key "serivces"; did you mean services?`. */
export const holdTo = (rule: Rule, document: Document, lines: LineCounter, file: string): Held => {
  const places = new Map<string, Place>();
  let aliases = 0;

  const placeOf = (node: unknown): Place => {
    const at = (node as Node | null)?.range?.[0] ?? 0;
    const { line, col } = lines.linePos(at);
    return { line: Math.max(1, line), column: Math.max(1, col) };
  };
  const fail = (node: unknown, what: string): never => {
    const { line, column } = placeOf(node);
    throw new ConfigError(`${file}:${line}:${column}: ${what}`);
  };

  const resolved = (node: unknown): unknown => {
    if (!isAlias(node)) return node;
    aliases += 1;
    if (aliases > MOST_ALIASES) return fail(node, `more than ${MOST_ALIASES} aliases; write the values out`);
    const target: unknown = node.resolve(document);
    if (target === undefined) return fail(node, `the alias *${node.source} stands for nothing`);
    return target;
  };

  const held = (given: unknown, wanted: Rule, path: string, name: string): unknown => {
    const node = resolved(given);
    const at = node ?? given;
    places.set(path, placeOf(given ?? node));
    switch (wanted.type) {
      case 'map':
        return map(node, wanted, path, name);
      case 'named':
        return named(node, wanted, path, name);
      case 'list':
        if (!isSeq(node)) return fail(at, `${name} must be a list (lines that begin with "- ")`);
        return node.items.map((each, index) => held(each, wanted.of, `${path}.${index}`, `an entry of ${name}`));
      case 'some':
        return isSeq(node)
          ? node.items.map((each, index) => held(each, wanted.of, `${path}.${index}`, `an entry of ${name}`))
          : held(node, wanted.of, path, name);
      default:
        return single(node, wanted, name, at);
    }
  };

  const pairsOf = (node: YAMLMap, name: string): [key: string, keyNode: unknown, value: unknown][] =>
    node.items.map(({ key, value }) => {
      if (!isScalar(key)) return fail(key ?? node, `a key of ${name} must be a word`);
      return [key.source ?? String(key.value), key, value];
    });

  const map = (node: unknown, wanted: MapRule, path: string, name: string): unknown => {
    if (wanted.short !== undefined && (isScalar(node) || isSeq(node)))
      return { [wanted.short]: held(node, wanted.keys[wanted.short]!, `${path}.${wanted.short}`, name) };
    if (!isMap(node)) return fail(node, `${name} must be a mapping with ${listed(Object.keys(wanted.keys))}`);
    const found: Record<string, unknown> = {};
    for (const [key, keyNode, value] of pairsOf(node, name)) {
      if (!Object.hasOwn(wanted.keys, key))
        fail(keyNode, `unknown key "${short(key)}"${inWhat(path, name)}${rightKey(key, Object.keys(wanted.keys))}`);
      // A key with nothing behind it is as good as none, but in a file that is being written: say so.
      if (isNothing(resolved(value))) fail(keyNode, `${key} has no value`);
      found[key] = held(value, wanted.keys[key]!, path === '' ? key : `${path}.${key}`, key);
      places.set(path === '' ? key : `${path}.${key}`, placeOf(keyNode));
    }
    const missing = wanted.required?.find((key) => !(key in found));
    if (missing !== undefined) fail(node, `${name} needs the key ${missing}`);
    const chosen = wanted.oneOf?.filter((key) => key in found) ?? [];
    if (wanted.oneOf && chosen.length === 0) fail(node, `${name} asks nothing: it needs one of ${listed(wanted.oneOf)}`);
    if (chosen.length > 1) fail(node, `${name} asks two things, ${chosen.join(' and ')}: make two checks of it`);
    return found;
  };

  const named = (node: unknown, wanted: Extract<Rule, { type: 'named' }>, path: string, name: string): unknown => {
    if (!isMap(node)) return fail(node, `${name} must be a mapping from names to settings`);
    const found: Record<string, unknown> = {};
    for (const [key, keyNode, value] of pairsOf(node, name)) {
      if (!wanted.name.test(key)) fail(keyNode, `"${short(key)}" cannot be a name in ${name}: it takes ${wanted.wants}`);
      if (isNothing(resolved(value))) fail(keyNode, `${key} has no value`);
      // Not an assignment: `__proto__` is a name as well.
      Object.defineProperty(found, key, { value: held(value, wanted.of, `${path}.${key}`, key), enumerable: true });
      places.set(`${path}.${key}`, placeOf(keyNode));
    }
    return found;
  };

  const single = (node: unknown, wanted: Rule, name: string, at: unknown): unknown => {
    if (!isScalar(node)) return fail(at, `${name} must be a single value, not a ${isMap(node) ? 'mapping' : 'list'}`);
    const text = typeof node.value === 'string' ? node.value : (node.source ?? String(node.value));
    const seen = `"${short(text)}"`;
    switch (wanted.type) {
      case 'text':
        if (text.trim() === '') fail(at, `${name} is empty`);
        if (wanted.oneOf && !wanted.oneOf.includes(text))
          fail(at, `${name} ${seen} is none of ${listed(wanted.oneOf)}${didYouMean(text, wanted.oneOf)}`);
        if (wanted.pattern && !wanted.pattern.test(text)) fail(at, `${name} ${seen} is not ${wanted.wants ?? 'as it must be'}`);
        return text;
      case 'written':
        return text;
      case 'regex':
        try {
          RegExp(text);
          return text;
        } catch (error) {
          return fail(
            at,
            `${name} ${seen} is no regular expression: ${(error as Error).message.replace(/^Invalid regular expression: /, '')}`,
          );
        }
      case 'integer': {
        const number = Number(text);
        if (text.trim() === '' || !Number.isInteger(number) || number < wanted.least || number > wanted.most)
          fail(at, `${name} ${seen} is no whole number from ${wanted.least} to ${wanted.most}`);
        return number;
      }
      case 'switch':
        if (typeof node.value !== 'boolean') fail(at, `${name} ${seen} must be true or false`);
        return node.value;
      case 'duration': {
        const ms = durationOf(text);
        if (ms === null) fail(at, `${name} ${seen} is no duration; write it as 500ms, 2s or 1m`);
        if (ms! > wanted.most) fail(at, `${name} ${seen} is longer than ${wanted.most / 1_000}s`);
        return ms;
      }
      case 'size':
        return sizeOf(text) ?? fail(at, `${name} ${seen} is no size; write it as 512MiB or 2GB`);
      case 'date':
        return isDate(text) ? text : fail(at, `${name} ${seen} is no date; write it as 2027-01-31`);
      default:
        throw new Error(`no single value is a ${wanted.type}`);
    }
  };

  const value = document.contents === null || isNothing(document.contents) ? {} : held(document.contents, rule, '', file);
  return { value, placeOf: (path) => places.get(path) ?? { line: 1, column: 1 } };
};

const isNothing = (node: unknown): boolean => node === null || (isScalar(node) && node.value === null && !node.source?.trim());

const inWhat = (path: string, name: string): string => (path === '' ? '' : ` in ${name}`);

const rightKey = (key: string, keys: string[]): string => didYouMean(key.replaceAll('-', '_'), keys) || `; it takes ${listed(keys)}`;

const listed = (words: readonly string[]): string => words.join(', ');

const short = (text: string): string => {
  const line = plain(text);
  return line.length > 60 ? `${line.slice(0, 60)}…` : line;
};

const UNITS: Record<string, number> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 };

const durationOf = (text: string): number | null => {
  const [, amount, unit] = /^(\d+(?:\.\d+)?)\s?(ms|s|m|h)$/.exec(text.trim()) ?? [];
  const ms = Math.round(Number(amount) * UNITS[unit ?? '']!);
  return amount !== undefined && ms > 0 ? ms : null;
};

const SIZES: Record<string, number> = { '': 1, k: 1e3, m: 1e6, g: 1e9, t: 1e12, ki: 2 ** 10, mi: 2 ** 20, gi: 2 ** 30, ti: 2 ** 40 };

const sizeOf = (text: string): number | null => {
  const [, amount, unit = ''] = /^(\d+(?:\.\d+)?)\s?(?:([kmgt]i?)b?|b)?$/i.exec(text.trim()) ?? [];
  return amount === undefined ? null : Math.round(Number(amount) * SIZES[unit.toLowerCase()]!);
};

const isDate = (text: string): boolean => {
  const time = /^\d{4}-\d{2}-\d{2}$/.test(text) ? new Date(`${text}T00:00:00Z`) : null;
  // The 31st of June is no day.
  return time !== null && !Number.isNaN(time.getTime()) && time.toISOString().startsWith(text);
};
