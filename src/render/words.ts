/** Small words that every output shares. */
import { plain, plainLines } from '../model/plain.ts';
import { hideMarks } from '../model/secrets.ts';

/** `1 check`, `3 checks`. */
export const count = (number: number, one: string, many = `${one}s`): string => `${number} ${number === 1 ? one : many}`;

export const duration = (ms: number): string => {
  if (ms < 1_000) return `${Math.round(ms)} ms`;
  if (ms < 59_950) return `${(ms / 1_000).toFixed(1)} s`;
  return `${Math.floor(Math.round(ms / 1_000) / 60)} min ${Math.round(ms / 1_000) % 60} s`;
};

/** One line fit to be shown: nothing that steers a terminal, no mark of a secret. */
export const shown = (text: string): string => hideMarks(plain(text));

/** The same, by lines. */
export const shownLines = (text: string): string[] =>
  hideMarks(plainLines(text))
    .split('\n')
    .map((line) => line.trimEnd());
