import { describe, expect, test } from 'vitest';
import { extentOf, showsUnicode, wantsColour } from '../../src/render/terminal.ts';

describe('colour', () => {
  test.each<[string, Record<string, string>, boolean, boolean, boolean]>([
    ['a terminal', {}, true, true, true],
    ['a pipe', {}, false, true, false],
    ['--no-color', {}, true, false, false],
    ['NO_COLOR', { NO_COLOR: '1' }, true, true, false],
    ['an empty NO_COLOR says nothing', { NO_COLOR: '' }, true, true, true],
    ['FORCE_COLOR into a pipe', { FORCE_COLOR: '1' }, false, true, true],
    ['FORCE_COLOR=0', { FORCE_COLOR: '0' }, true, true, false],
    ['FORCE_COLOR beside NO_COLOR', { FORCE_COLOR: '1', NO_COLOR: '1' }, false, true, true],
    ['--no-color beside FORCE_COLOR', { FORCE_COLOR: '1' }, true, false, false],
    ['TERM=dumb', { TERM: 'dumb' }, true, true, false],
  ])('%s', (_, env, isTTY, color, expected) => {
    expect(wantsColour({ env, isTTY, color })).toBe(expected);
  });
});

describe('UTF-8', () => {
  test.each<[Record<string, string>, string, boolean]>([
    [{ LANG: 'en_US.UTF-8' }, 'linux', true],
    [{ LANG: 'C.utf8' }, 'linux', true],
    [{ LANG: 'en_US.ISO-8859-1' }, 'linux', false],
    [{ LANG: 'en_US.UTF-8', LC_ALL: 'C' }, 'linux', false],
    [{ LANG: '', LC_ALL: '', LC_CTYPE: 'C.UTF-8' }, 'linux', true],
    [{}, 'linux', false],
    [{ LANG: 'en_US.UTF-8', TERM: 'linux' }, 'linux', false],
    [{ LANG: 'en_US.UTF-8', TERM: 'dumb' }, 'linux', false],
    [{}, 'darwin', true],
    [{ WT_SESSION: '1' }, 'win32', true],
    [{}, 'win32', false],
  ])('%j on %s: %s', (env, platform, expected) => {
    expect(showsUnicode({ env, platform })).toBe(expected);
  });
});

test.each<[boolean, number | undefined, string | undefined, number]>([
  [true, 120, undefined, 120],
  [true, 0, undefined, 0],
  [true, undefined, undefined, 0],
  [false, undefined, '100', 100],
  [false, undefined, 'wide', 0],
  [false, undefined, undefined, 0],
])('columns: terminal %s, %s, COLUMNS=%s: %i', (isTTY, columns, set, expected) => {
  expect(extentOf(isTTY, columns, set)).toBe(expected);
});
