import { describe, expect, test } from 'vitest';
import { cut, toAscii, width, wrap } from '../../src/render/fit.ts';

test.each([
  ['', 0],
  ['abc', 3],
  ['✔ ok', 4],
  ['健康', 4],
  ['한국', 4],
  ['e\u0301', 1],
  ['📦 box', 6],
  ['½…', 2],
])('width of %j is %i', (text, columns) => {
  expect(width(text)).toBe(columns);
});

describe('wrap', () => {
  test.each<[string, number, string[]]>([
    ['', 10, ['']],
    ['one two three', 20, ['one two three']],
    ['one two three', 7, ['one two', 'three']],
    ['abcdefghij', 4, ['abcd', 'efgh', 'ij']],
    ['to abcdefghij end', 6, ['to', 'abcdef', 'ghij', 'end']],
    ['健康診断', 5, ['健康', '診断']],
    ['   a    b ', 10, ['a b']],
    ['abc', 0, ['a', 'b', 'c']],
  ])('%j at %i', (text, columns, lines) => {
    expect(wrap(text, columns)).toEqual(lines);
  });
});

test.each([
  ['short', 10, 'short'],
  ['a longer text', 8, 'a longe…'],
  ['words here', 7, 'words…'],
  ['健康診断', 5, '健康…'],
])('cut %j to %i: %j', (text, columns, expected) => {
  expect(cut(text, columns)).toBe(expected);
});

test('own typography has an ASCII spelling, the words of others stay', () => {
  expect(toAscii('✔ a – b → “c” é')).toBe('+ a - b -> "c" é');
});
