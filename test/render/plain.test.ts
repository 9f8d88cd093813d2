import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { plain, plainLines } from '../../src/model/plain.ts';

// oxlint-disable-next-line no-control-regex -- what must not be there
const STEERS = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]/;

describe('plain', () => {
  test.each([
    ['words', 'words'],
    ['\u001b[31mred\u001b[0m', 'red'],
    ['\u001b[38;5;196mx\u001b[K', 'x'],
    ['\u001b]0;title\u0007after', 'after'],
    ['\u001b]8;;http://evil\u001b\\link\u001b]8;;\u001b\\', 'link'],
    ['\u001bPdcs\u001b\\x', 'x'],
    ['\u009b31mred', 'red'],
    ['\u001bcreset', 'reset'],
    ['a\u001b', 'a\ufffd'],
    ['one\r\ntwo\n\n  three', 'one two three'],
    ['over\rwrite', 'over\ufffdwrite'],
    ['a\tb', 'a  b'],
    ['user\u202egpj.exe', 'user\ufffdgpj.exe'],
    ['zero\u200bwidth', 'zero\ufffdwidth'],
    ['nul\u0000', 'nul\ufffd'],
    ['\ud800 lone', '\ufffd lone'],
    ['grüße 健康 📦', 'grüße 健康 📦'],
  ])('%j → %j', (text, expected) => {
    expect(plain(text)).toBe(expected);
  });

  test('any text comes out harmless, and a second time unchanged', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        const once = plain(text);
        expect(once).not.toMatch(STEERS);
        expect(once).not.toContain('\n');
        expect(plain(once)).toBe(once);
      }),
    );
  });

  test('lines are kept where they are wanted', () => {
    expect(plainLines('a\r\n\u001b[1mb\n')).toBe('a\nb\n');
  });

  test.each([
    ['unfinished sequences', '\u001b]'.repeat(200_000)],
    ['one endless sequence', `\u001b[${'0'.repeat(500_000)}`],
    ['spaces', ' '.repeat(500_000)],
    ['empty lines', '\n'.repeat(500_000)],
  ])('%s take no time', (_, text) => {
    const begun = performance.now();
    plain(text);
    expect(performance.now() - begun).toBeLessThan(1_000);
  });
});
