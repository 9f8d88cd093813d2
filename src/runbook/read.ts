/** Reads a runbook's file. */
import { readFile, stat } from 'node:fs/promises';
import { UsageError } from '../model/usage-error.ts';
import type { Runbook } from './runbook.ts';

/** The runbook cannot be used. The message is one line: the file, and what about it. */
export class RunbookError extends UsageError {
  constructor(file: string, what: string, options: { line?: number; cause?: unknown } = {}) {
    super(`runbook ${file}${options.line === undefined ? '' : `:${options.line}`}: ${what}`, { cause: options.cause });
    this.name = 'RunbookError';
  }
}

/** Far beyond any runbook. Above that, reading the Markdown takes many seconds. */
export const MOST_BYTES = 2_000_000;

export const SAID: Record<string, string> = {
  ENOENT: 'there is no such file',
  EACCES: 'it may not be read (permission denied)',
  EISDIR: 'it is a folder, not a file',
  ENOTDIR: 'a part of its path is no folder',
  ELOOP: 'its links lead in a circle',
};

/** `shownAs` is the name that remedies give as their source. Errors: `RunbookError`. */
export const readRunbook = async (file: string, shownAs = file): Promise<Runbook> => {
  const text = await readText(file, shownAs);
  // A healthy stack needs no remedy, and no Markdown.
  const { parseRunbook } = await import('./parse.ts');
  return { ...parseRunbook(text, shownAs), path: file };
};

/** The text alone, checked. Errors: `RunbookError`. */
export const readText = async (file: string, shownAs = file): Promise<string> => {
  const bytes = await readBytes(file, shownAs);
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new RunbookError(shownAs, 'it is not UTF-8 text', { line: lineOfBadByte(bytes), cause });
  }
  const nul = text.indexOf('\u0000');
  if (nul >= 0) throw new RunbookError(shownAs, 'it is not text (it has NUL bytes)', { line: text.slice(0, nul).split('\n').length });
  if (text.trim() === '') throw new RunbookError(shownAs, 'it is empty');
  return text;
};

const readBytes = async (file: string, shownAs: string): Promise<Buffer> => {
  try {
    const about = await stat(file);
    // A pipe or a device might never end.
    if (!about.isFile()) throw new RunbookError(shownAs, about.isDirectory() ? SAID['EISDIR']! : 'it is no regular file');
    if (about.size > MOST_BYTES)
      throw new RunbookError(shownAs, `it has ${(about.size / 1e6).toFixed(1)} MB; at most ${MOST_BYTES / 1e6} MB are read`);
    return await readFile(file);
  } catch (error) {
    if (error instanceof RunbookError) throw error;
    const { code = '', message } = error as NodeJS.ErrnoException;
    throw new RunbookError(shownAs, SAID[code] ?? message.split('\n')[0]!, { cause: error });
  }
};

/** The first line that does not decode; a newline byte is never part of a longer UTF-8 character. */
const lineOfBadByte = (bytes: Buffer): number => {
  let line = 1;
  for (let from = 0; from < bytes.length; line += 1) {
    const newline = bytes.indexOf(0x0a, from);
    const end = newline < 0 ? bytes.length : newline;
    try {
      new TextDecoder('utf-8', { fatal: true }).decode(bytes.subarray(from, end));
    } catch {
      return line;
    }
    from = end + 1;
  }
  return line;
};
