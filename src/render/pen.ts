/** What a text renderer writes with: the signs, the colours and the width of the terminal it writes for. */
import { cut, toAscii, width, wrap } from './fit.ts';
import { shown, shownLines } from './words.ts';

export interface Terminal {
  /** 0 (a terminal that does not know) means 80. */
  columns: number;
  colour: boolean;
  unicode: boolean;
}

const CODES = { bold: [1, 22], dim: [2, 22], red: [31, 39], green: [32, 39], yellow: [33, 39], cyan: [36, 39] } as const;
export type Style = keyof typeof CODES;

const SIGNS = { pass: '✔', warn: '⚠', fail: '✖', blocked: '⊘', skip: '–', error: '?' } as const;
export type Sign = keyof typeof SIGNS;
const SIGN_STYLES: Record<Sign, Style> = { pass: 'green', warn: 'yellow', fail: 'red', blocked: 'dim', skip: 'dim', error: 'yellow' };

const DEFAULT_COLUMNS = 80;
const NARROWEST = 24;
/** Lines of prose longer than this are hard to read on any terminal. */
const WIDEST = 110;
/** Nobody reads on; and wrapping a megabyte takes time. */
const LONGEST_TEXT = 4_000;

export interface Pen {
  columns: number;
  ellipsis: string;
  /** Between the parts of a line. */
  dot: string;
  paint(text: string, ...styles: Style[]): string;
  /** A sign, painted. */
  sign(sign: Sign): string;
  /** A sign, bare: always one column wide. */
  bareSign(sign: Sign): string;
  /** Text from outside, made fit: one line, or lines. */
  say(text: string): string;
  sayLines(text: string): string[];
  /** A command to paste: plain, whole, and in its own spelling on any terminal. */
  commandLines(command: string): string[];
  /** Wrapped prose; the first line after `lead` (already painted, `leadWidth` columns wide), the others indented by `hang`. */
  paragraph(text: string, layout?: { lead?: string; leadWidth?: number; hang?: number; styles?: Style[] }): string[];
  /** What fits of a text when `used` columns are taken. */
  cut(text: string, used: number): string;
}

export const createPen = ({ columns: given, colour, unicode }: Terminal): Pen => {
  const columns = given > 0 ? Math.min(WIDEST, Math.max(NARROWEST, given)) : DEFAULT_COLUMNS;
  const ellipsis = unicode ? '…' : '...';
  const spell = (text: string): string => (unicode ? text : toAscii(text));
  const paint = (text: string, ...styles: Style[]): string => {
    if (!colour || text === '') return text;
    return styles.reduce((inner, style) => `\u001b[${CODES[style][0]}m${inner}\u001b[${CODES[style][1]}m`, text);
  };
  const bounded = (text: string): string => (text.length > LONGEST_TEXT ? text.slice(0, LONGEST_TEXT) + ellipsis : text);
  const bareSign = (sign: Sign): string => spell(SIGNS[sign]);
  return {
    columns,
    ellipsis,
    dot: unicode ? ' · ' : ', ',
    paint,
    bareSign,
    sign: (sign) => paint(bareSign(sign), SIGN_STYLES[sign]),
    say: (text) => spell(shown(bounded(text))),
    sayLines: (text) => shownLines(text).map((line) => spell(bounded(line))),
    commandLines: shownLines,
    paragraph(text, { lead = '', leadWidth = width(lead), hang = leadWidth, styles = [] } = {}) {
      // The first line may have less room than the others: what `lead` takes more than `hang` is held open by a dummy word.
      const held = Math.max(0, leadWidth - hang);
      const lines = wrap(`${'\u2007'.repeat(held)}${text}`, columns - hang);
      return lines.map((line, index) =>
        index === 0 ? lead + paint(line.slice(held), ...styles) : ' '.repeat(hang) + paint(line, ...styles),
      );
    },
    cut: (text, used) => cut(text, Math.max(8, columns - used), ellipsis),
  };
};
