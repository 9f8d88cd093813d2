/** `doctor.yaml` → configuration. Whatever is wrong with the file is one line: where, what, the nearest right word. */
import { readFile, stat } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { LineCounter, parseDocument } from 'yaml';
import type { Config } from '../model/config.ts';
import { plain } from '../model/plain.ts';
import { ConfigError } from '../model/usage-error.ts';
import { configOf } from './config-of.ts';
import { holdTo } from './hold.ts';
import { TABLE } from './table.ts';

const MOST_BYTES = 1_000_000;

const SAID: Record<string, string> = {
  ENOENT: 'there is no such file',
  EACCES: 'it may not be read (permission denied)',
  EPERM: 'it may not be read (permission denied)',
  ENOTDIR: 'a part of its path is no folder',
  ELOOP: 'its links lead in a circle',
};

/** `shownAs`: the file as messages call it. Errors: `ConfigError`. */
export const readConfig = async (path: string, shownAs: string): Promise<Config> =>
  parseConfig(await readText(path, shownAs), shownAs, dirname(path));

const readText = async (path: string, file: string): Promise<string> => {
  let bytes: Buffer;
  try {
    const about = await stat(path);
    if (about.isDirectory()) throw new ConfigError(`${file}: it is a folder, not a file`);
    // A pipe or a device might never end.
    if (!about.isFile()) throw new ConfigError(`${file}: it is no regular file`);
    if (about.size > MOST_BYTES) throw new ConfigError(`${file}: it has ${(about.size / 1e6).toFixed(1)} MB; at most 1 MB is read`);
    bytes = await readFile(path);
  } catch (error) {
    if (error instanceof ConfigError) throw error;
    const { code = '', message } = error as NodeJS.ErrnoException;
    throw new ConfigError(`${file}: ${SAID[code] ?? message.split('\n')[0]!}`, { cause: error });
  }
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new ConfigError(`${file}: it is not UTF-8 text`, { cause });
  }
};

/** `folder`: what paths in the file are relative to. Errors: `ConfigError`. */
export const parseConfig = (text: string, file: string, folder: string): Config => {
  const lines = new LineCounter();
  const fail = (at: number, what: string, cause?: unknown): never => {
    const { line, col } = lines.linePos(at);
    throw new ConfigError(`${file}:${Math.max(1, line)}:${Math.max(1, col)}: ${what}`, { cause });
  };
  try {
    const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, uniqueKeys: true, merge: false, logLevel: 'error' });
    const [problem] = [...document.errors, ...document.warnings];
    if (problem) {
      const indentedByTab = /^[ ]*\t/.test(text.slice(text.lastIndexOf('\n', problem.pos[0] - 1) + 1));
      const isTab = problem.code === 'TAB_AS_INDENT' || (indentedByTab && problem.code !== 'DUPLICATE_KEY');
      fail(problem.pos[0], isTab ? 'a tab indents this line; YAML wants spaces' : sayOf(problem.code, problem.message), problem);
    }
    const held = holdTo(TABLE, document, lines, file);
    return configOf(held, { file, path: (name) => resolve(folder, name) });
  } catch (error) {
    // The parser goes into each level of nesting.
    if (error instanceof RangeError) throw new ConfigError(`${file}: it is nested too deeply`, { cause: error });
    throw error;
  }
};

const sayOf = (code: string, message: string): string => {
  if (code === 'DUPLICATE_KEY') return 'this key stands here twice';
  if (code === 'MULTIPLE_DOCS') return 'a second document begins here; there may be one';
  return `this is no YAML: ${plain(message)}`;
};
