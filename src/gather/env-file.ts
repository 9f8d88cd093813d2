/** Env files as Compose reads them: quotes, escapes, values of several lines, variables of what came before. */
import { interpolate, type Variables } from './compose-files.ts';

/** `KEY=value`, `KEY: value`, or `KEY` alone, which takes over what is set. A quoted value may have several lines. */
const LINE =
  /^[ \t]*(?:export[ \t]+)?([A-Za-z_][\w.-]*)[ \t]*(?:[=:][ \t]*(?:'((?:[^'\\]|\\[^])*)'|"((?:[^"\\]|\\[^])*)"|([^\r\n]*))|(?=\r?$))/gm;

/** `given`: what counts before what the file itself says, where one value names another. */
export const parseEnvFile = (text: string, given: Variables): Record<string, string> => {
  const values: Record<string, string> = {};
  const expanded = (value: string): string => interpolate(value, { ...values, ...given }).text;
  for (const [, key, single, double, bare] of text.replace(/^\uFEFF/, '').matchAll(LINE)) {
    const value =
      single ??
      (double !== undefined
        ? expanded(unescaped(double))
        : bare !== undefined
          ? expanded(bare.replace(/(^|\s)#.*$/, '').trim())
          : given[key!]);
    if (value !== undefined) values[key!] = value;
  }
  return values;
};

const ESCAPES: Record<string, string> = { n: '\n', r: '\r', t: '\t', $: '$$' };

const unescaped = (text: string): string =>
  text.replace(/\\([^])/g, (all, mark: string) => ESCAPES[mark] ?? (/["\\]/.test(mark) ? mark : all));

/** `format: raw`: what stands behind the `=`, as it is. */
export const parseRawEnvFile = (text: string, given: Variables): Record<string, string> =>
  Object.fromEntries(
    text
      .split(/\r?\n/)
      .map((line) => line.trimStart())
      .filter((line) => line !== '' && !line.startsWith('#'))
      .map((line): [string, string | undefined] => {
        const end = line.indexOf('=');
        return end < 0 ? [line.trimEnd(), given[line.trimEnd()]] : [line.slice(0, end), line.slice(end + 1)];
      })
      .filter((each): each is [string, string] => each[1] !== undefined),
  );
