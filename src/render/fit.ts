/** Text made to fit a terminal: how wide it is, where it wraps, where it is cut. */

/** East Asian Wide and Fullwidth, and emoji: two columns. */
const WIDE: readonly (readonly [number, number])[] = [
  [0x1100, 0x115f], [0x231a, 0x231b], [0x2329, 0x232a], [0x23e9, 0x23ec], [0x23f0, 0x23f0], [0x23f3, 0x23f3], [0x25fd, 0x25fe],
  [0x2614, 0x2615], [0x2648, 0x2653], [0x267f, 0x267f], [0x2693, 0x2693], [0x26a1, 0x26a1], [0x26aa, 0x26ab], [0x26bd, 0x26be],
  [0x26c4, 0x26c5], [0x26ce, 0x26ce], [0x26d4, 0x26d4], [0x26ea, 0x26ea], [0x26f2, 0x26f3], [0x26f5, 0x26f5], [0x26fa, 0x26fa],
  [0x26fd, 0x26fd], [0x2705, 0x2705], [0x270a, 0x270b], [0x2728, 0x2728], [0x274c, 0x274c], [0x274e, 0x274e], [0x2753, 0x2755],
  [0x2757, 0x2757], [0x2795, 0x2797], [0x27b0, 0x27b0], [0x27bf, 0x27bf], [0x2b1b, 0x2b1c], [0x2b50, 0x2b50], [0x2b55, 0x2b55],
  [0x2e80, 0x303e], [0x3041, 0x33ff], [0x3400, 0x4dbf], [0x4e00, 0x9fff], [0xa000, 0xa4cf], [0xa960, 0xa97f], [0xac00, 0xd7a3],
  [0xf900, 0xfaff], [0xfe10, 0xfe19], [0xfe30, 0xfe6f], [0xff00, 0xff60], [0xffe0, 0xffe6], [0x16fe0, 0x18aff], [0x1aff0, 0x1b2ff],
  [0x1f004, 0x1f004], [0x1f0cf, 0x1f0cf], [0x1f18e, 0x1f18e], [0x1f191, 0x1f19a], [0x1f200, 0x1f320], [0x1f32d, 0x1f335],
  [0x1f337, 0x1f37c], [0x1f37e, 0x1f393], [0x1f3a0, 0x1f3ca], [0x1f3cf, 0x1f3d3], [0x1f3e0, 0x1f3f0], [0x1f3f4, 0x1f3f4],
  [0x1f3f8, 0x1f43e], [0x1f440, 0x1f440], [0x1f442, 0x1f4fc], [0x1f4ff, 0x1f53d], [0x1f54b, 0x1f54e], [0x1f550, 0x1f567],
  [0x1f57a, 0x1f57a], [0x1f595, 0x1f596], [0x1f5a4, 0x1f5a4], [0x1f5fb, 0x1f64f], [0x1f680, 0x1f6c5], [0x1f6cc, 0x1f6cc],
  [0x1f6d0, 0x1f6d2], [0x1f6d5, 0x1f6d7], [0x1f6dc, 0x1f6df], [0x1f6eb, 0x1f6ec], [0x1f6f4, 0x1f6fc], [0x1f7e0, 0x1f7eb],
  [0x1f90c, 0x1f9ff], [0x1fa70, 0x1faff], [0x20000, 0x3fffd],
];

// oxlint-disable-next-line no-control-regex -- the range is meant
const ASCII_ONLY = /^[\x20-\x7e]*$/;
const NO_WIDTH = /\p{M}/u;

const charWidth = (char: string): number => {
  const code = char.codePointAt(0)!;
  if (code < 0x300) return 1;
  if (NO_WIDTH.test(char)) return 0;
  return WIDE.some(([from, to]) => code >= from && code <= to) ? 2 : 1;
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
  '✔': '+', '⚠': '!', '✖': 'x', '⊘': '#', '–': '-', '—': '-', '…': '...', '·': ',', '←': '<-', '→': '->', '“': '"', '”': '"', '‘': "'", '’': "'", '≤': '<=', '≥': '>=', '×': 'x', '\u00a0': ' ', '\ufffd': '?',
};

export const toAscii = (text: string): string => text.replaceAll(/[✔⚠✖⊘–—…·←→“”‘’≤≥×\u00a0\ufffd]/g, (char) => ASCII[char]!);
