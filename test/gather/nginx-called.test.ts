import { describe, expect, test } from 'vitest';
import { calledSince, type Call } from '../../src/gather/nginx-called.ts';

const call = (address: string, from: number, parts: Partial<Call> = {}): Call => ({ address, port: 8000, from, isOpen: false, ...parts });

describe('whom nginx called to answer us', () => {
  test.each<[what: string, before: Call[], now: Call[], addresses: string[]]>([
    ['what was not there before, once', [], [call('10.0.0.4', 1), call('10.0.0.4', 2)], ['10.0.0.4']],
    ['what had ended before is of others', [call('10.0.0.7', 1)], [call('10.0.0.7', 1), call('10.0.0.4', 2)], ['10.0.0.4']],
    ['what ends now and was open before is of others, too', [call('10.0.0.7', 1, { isOpen: true })], [call('10.0.0.7', 1)], []],
    [
      'a connection that is kept may have carried our request',
      [call('10.0.0.4', 1, { isOpen: true })],
      [call('10.0.0.4', 1, { isOpen: true })],
      ['10.0.0.4'],
    ],
    ['another port', [], [call('10.0.0.4', 1, { port: 9000 })], []],
    ['the same port of nginx to another address is another connection', [call('10.0.0.7', 1)], [call('10.0.0.4', 1)], ['10.0.0.4']],
    ['nobody', [], [], []],
  ])('%s', (_, before, now, addresses) => expect(calledSince(before, now, 8000)).toEqual(addresses));
});
