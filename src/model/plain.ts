/** Text from outside (logs, bodies, names) made fit for a terminal: it can neither steer it nor lie about its own order. */

/** Escape sequences go whole, so that no `[31m` is left behind. Each pattern stops at the next ESC: linear on any input. */
// oxlint-disable-next-line no-control-regex -- control characters are what is looked for
const SEQUENCES =
  /(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]|(?:\x1b\]|\x9d)[^\x07\x1b\x9c]*(?:\x07|\x1b\\|\x9c)|\x1b[PX^_][^\x1b]*\x1b\\|\x1b[ -/]*[0-~]/g;

/** C0, DEL, C1, lone surrogates, line separators, bidirectional controls, zero-width and tag characters. */
// oxlint-disable-next-line no-control-regex, no-misleading-character-class -- as above
const UNSEEN =
  /[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u061c\u115f\u1160\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164\ufeff\ufff9-\ufffb\u{e0000}-\u{e007f}]|\p{Cs}/gu;

const clean = (text: string): string =>
  text.replaceAll('\r\n', '\n').replace(SEQUENCES, '').replaceAll('\t', '  ').replace(UNSEEN, '\ufffd');

/** One line: line ends become spaces. */
export const plain = (text: string): string =>
  clean(text)
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '')
    .join(' ');

/** The same with line ends kept. */
export const plainLines = (text: string): string => clean(text);

/** What a driver hands over as a value of any kind, as text. */
export const wordOf = (value: unknown): string =>
  typeof value === 'string'
    ? value
    : typeof value === 'number' || typeof value === 'bigint' || typeof value === 'boolean'
      ? String(value)
      : '';
