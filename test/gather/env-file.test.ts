import { expect, test } from 'vitest';
import { parseEnvFile, parseRawEnvFile } from '../../src/gather/env-file.ts';

test.each<[string, string, Record<string, string>]>([
  ['plain lines, with `export`, a colon, blanks', 'A=1\nexport B = 2 \nC: 3\n\n# D=4\n  E=5\r\n', { A: '1', B: '2', C: '3', E: '5' }],
  ['remarks behind a blank', 'A=1 # one\nB=x#y\nC="z # z" # z\nD=# nothing\n', { A: '1', B: 'x#y', C: 'z # z', D: '' }],
  ['single quotes keep everything', "A='$B \\n # x'\n", { A: '$B \\n # x' }],
  ['double quotes know escapes and variables', 'A=1\nB="$A\\n${A}\\"\\\\ \\$A"\n', { A: '1', B: 'shell\nshell"\\ $A' }],
  [
    'a value of several lines, in which lines look like others',
    'A="-----BEGIN\nB=x\n-----END"\nC=2\n',
    { A: '-----BEGIN\nB=x\n-----END', C: '2' },
  ],
  ['what is set counts before what stands above', 'A=own\nB=$A\nC=${SHELL_ONLY}-${GONE:-none}\n', { A: 'own', B: 'shell', C: 's-none' }],
  ['a name alone takes over what is set', 'SHELL_ONLY\nNOBODY\n', { SHELL_ONLY: 's' }],
  ['a quote that never ends is a letter', 'A=it\'s\nB="open\nC=3\n', { A: "it's", B: '"open', C: '3' }],
])('%s', (_, text, values) =>
  expect(parseEnvFile(text, { A: 'shell', SHELL_ONLY: 's' })).toEqual(
    // Of the file itself, whatever the shell says.
    values,
  ),
);

test('raw: everything behind the sign', () =>
  expect(parseRawEnvFile('A="1" # x\n# B=2\nC=$A \nSET\nGONE\n', { SET: 'yes' })).toEqual({ A: '"1" # x', C: '$A ', SET: 'yes' }));
