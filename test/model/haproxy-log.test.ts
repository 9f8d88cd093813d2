import { expect, test } from 'vitest';
import { configWord, serverWords } from '../../src/model/haproxy-log.ts';
import { isHaproxyPage, isNginxPage } from '../../src/model/proxy-pages.ts';

const lines = (...texts: string[]) => texts.map((text) => ({ text }));
const DOWN =
  '[WARNING]  (8) : Server be_api/api1 is DOWN, reason: Layer7 wrong status, code: 400, info: "Bad Request", check duration: 1ms. 0 active and 0 backup servers left.';
const UP = 'Server be_api/api1 is UP, reason: Layer7 check passed, code: 200, check duration: 1ms. 1 active and 0 backup servers online.';

test('the newest word on a server counts', () => {
  expect(serverWords(lines(UP, DOWN))).toMatchObject([
    { backend: 'be_api', server: 'api1', isUp: false, reason: 'Layer7 wrong status', code: 400 },
  ]);
  expect(serverWords(lines(DOWN, UP))).toMatchObject([{ isUp: true }]);
  expect(serverWords(lines('10.0.0.1:1 [x] http-in be_api/api1 0/0/1 200', "backend 'be_api' has no server available!"))).toEqual([]);
});

test.each<[string, string[], { says: string; place: string | null; host: string | null } | null]>([
  [
    'a misspelt word',
    [
      '[NOTICE]   (8) : haproxy version is 3.2.26-1',
      "[ALERT]    (8) : config : parsing [/etc/lb//haproxy.cfg:8] : unknown keyword 'servr' in 'listen' section; did you mean 'server' maybe ?",
      '[ALERT]    (8) : config : Error(s) found in configuration file : /etc/lb//haproxy.cfg',
      '[ALERT]    (8) : config : Fatal errors found in configuration.',
    ],
    { says: "unknown keyword 'servr' in 'listen' section; did you mean 'server' maybe ?", place: '/etc/lb/haproxy.cfg:8', host: null },
  ],
  [
    'no line end',
    ['[ALERT]    (1) : config : parsing [/h.cfg:8]: Missing LF on last line, file might have been truncated at position 19.'],
    { says: 'Missing LF on last line, file might have been truncated at position 19.', place: '/h.cfg:8', host: null },
  ],
  [
    'a backend that nobody declares',
    [
      "[ALERT]    (8) : Proxy 'f': unable to find required default_backend: 'nope'.",
      '[ALERT]    (8) : Fatal errors found in configuration.',
    ],
    { says: "Proxy 'f': unable to find required default_backend: 'nope'.", place: null, host: null },
  ],
  [
    'a name that does not resolve',
    [
      "[ALERT]    (8) : [/h.cfg:8] : 'server f/a' : could not resolve address 'ghost'.",
      '[ALERT]    (8) : Failed to initialize server(s) addr.',
    ],
    { says: "'server f/a' : could not resolve address 'ghost'.", place: '/h.cfg:8', host: 'ghost' },
  ],
  [
    'as older versions say it',
    ["[ALERT] 118/170701 (14) : parsing [/h.cfg:9] : 'server x' : could not resolve address 'x'."],
    { says: "'server x' : could not resolve address 'x'.", place: '/h.cfg:9', host: 'x' },
  ],
  ['a server that went down', ["[ALERT]    (8) : backend 'be_api' has no server available!", DOWN], null],
  ['a port that it may not have', ['[ALERT]    (1) : Starting frontend f: cannot bind socket (Permission denied) for [0.0.0.0:80]'], null],
])('why it ended: %s', (_, texts, expected) => {
  const word = configWord(lines(...texts));
  expect(word && { says: word.says, place: word.place, host: word.host }).toEqual(expected);
});

test.each<[string, boolean]>([
  ['<html><body><h1>503 Service Unavailable</h1>\nNo server is available to handle this request.\n</body></html>\n', true],
  ['<html><body><h1>502 Bad Gateway</h1>\nThe server returned an invalid or incomplete response.\n</body></html>\n', true],
  ["<html><body><h1>504 Gateway Time-out</h1>\nThe server didn't respond in time.\n</body></html>\n", true],
  ['<h1>503 Service Unavailable</h1> We are on holiday', false],
  ['{"error":"No server is available to handle this request"}', false],
  ['', false],
])('%s', (body, expected) => expect(isHaproxyPage(body)).toBe(expected));

test('the page of nginx', () => {
  expect(isNginxPage('<hr><center>nginx/1.30.0</center>')).toBe(true);
  expect(isNginxPage('<h1>nginx is fine, the app is not</h1>')).toBe(false);
});
