/** Text made to fit a terminal: how wide it is, where it wraps, where it is cut. */

/** Two columns: East Asian scripts and full-width forms (Unicode's UAX 11, nearly), and what is shown as an emoji. */
const WIDE =
  /[\p{Emoji_Presentation}\p{sc=Han}\p{sc=Hangul}\p{sc=Hiragana}\p{sc=Katakana}\p{sc=Bopomofo}\p{sc=Yi}\u3000-\u303e\uff01-\uff60\uffe0-\uffe6]/u;
const HALF_WIDTH = /[\uff61-\uffdc]/;

// oxlint-disable-next-line no-control-regex -- the range is meant
const ASCII_ONLY = /^[\x20-\x7e]*$/;
const NO_WIDTH = /\p{M}/u;

const charWidth = (char: string): number => {
  const code = char.codePointAt(0)!;
  if (code < 0x300) return 1;
  if (NO_WIDTH.test(char)) return 0;
  return WIDE.test(char) && !HALF_WIDTH.test(char) ? 2 : 1;
};

/** Columns that a line takes. For text that `plain` has been over. */
export const width = (text: string): number => {
  if (ASCII_ONLY.test(text)) return text.length;
  let columns = 0;
  for (const char of text) columns += charWidth(char);
  return columns;
};

/** The longest beginning that fits, and the rest. Always takes at least one character. */
const breakAt = (text: string, columns: number): [string, string] => {
  let taken = 0;
  let end = 0;
  for (const char of text) {
    taken += charWidth(char);
    if (taken > columns && end > 0) break;
    end += char.length;
  }
  return [text.slice(0, end), text.slice(end)];
};

/** Cut to fit, with an ellipsis where something is missing. */
export const cut = (text: string, columns: number, ellipsis = '…'): string =>
  width(text) <= columns ? text : breakAt(text, Math.max(1, columns - ellipsis.length))[0].trimEnd() + ellipsis;

/** At words; a word that is longer than a line is broken. Never empty. */
export const wrap = (text: string, columns: number): string[] => {
  const room = Math.max(1, columns);
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ').filter((each) => each !== '')) {
    const longer = line === '' ? word : `${line} ${word}`;
    if (width(longer) <= room) {
      line = longer;
      continue;
    }
    if (line !== '') lines.push(line);
    line = word;
    while (width(line) > room) {
      const [head, tail] = breakAt(line, room);
      lines.push(head);
      line = tail;
    }
  }
  return line !== '' || lines.length === 0 ? [...lines, line] : lines;
};

/** Own typography → ASCII, for terminals that show no UTF-8. What users named themselves is left alone. */
const ASCII: Record<string, string> = {
  '✔': '+',
  '⚠': '!',
  '✖': 'x',
  '⊘': '#',
  '–': '-',
  '—': '-',
  '…': '...',
  '·': ',',
  '←': '<-',
  '→': '->',
  '“': '"',
  '”': '"',
  '‘': "'",
  '’': "'",
  '≤': '<=',
  '≥': '>=',
  '×': 'x',
  '\u00a0': ' ',
  '\ufffd': '?',
};

const SPELT = new RegExp(`[${Object.keys(ASCII).join('')}]`, 'g');

export const toAscii = (text: string): string => text.replaceAll(SPELT, (char) => ASCII[char]!);
