import { expect, test } from 'vitest';
import { didYouMean, nearest } from '../../src/model/nearest.ts';

test.each<[string, string[], string[]]>([
  ['posgres', ['redis', 'postgres', 'worker'], ['postgres']],
  ['POSTGRES', ['postgres'], ['postgres']],
  ['chekc', ['check', 'list'], ['check']],
  ['bd', ['db', 'web'], ['db']],
  ['dbb', ['db', 'web'], ['db']],
  ['post', ['postgres', 'redis'], ['postgres']],
  ['elephant', ['postgres', 'redis'], []],
  ['postgres/auth-rejectd', ['mongodb/auth-rejected', 'postgres/auth-rejected'], ['postgres/auth-rejected']],
  ['', ['db'], []],
  ['weba', ['webd', 'webc', 'webb', 'webe'], ['webb', 'webc', 'webd']],
])('near to %j in %j: %j', (word, words, expected) => {
  expect(nearest(word, words)).toEqual(expected);
});

test.each([
  ['postgres/auth', ['postgres/auth-rejected', 'redis/auth-required'], '; did you mean postgres/auth-rejected?'],
  ['redi', ['redis', 'cache/redis', 'redir'], '; did you mean redir or redis?'],
  ['elephant', ['db'], ''],
  ['a'.repeat(100_000), ['a'.repeat(99_999)], ''],
])('%#: did you mean', (word, candidates, expected) => {
  expect(didYouMean(word, candidates)).toBe(expected);
});
