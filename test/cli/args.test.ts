import { describe, expect, test } from 'vitest';
import { helpText, parseArgs } from '../../src/args.ts';
import { UsageError } from '../../src/model/usage-error.ts';

const words = (line: string): string[] => line.split(' ').filter((word) => word !== '');
const NOWHERE = {
  files: [],
  projectName: null,
  projectDirectory: null,
  profiles: [],
  envFiles: [],
  context: null,
  runbook: null,
  config: null,
  timeoutMs: 30_000,
};
const CALM = { json: false, quiet: false, verbose: false, color: true };
const RUN = { kind: 'run', stack: NOWHERE, looks: CALM, format: 'text', selectors: [], strict: false, waitMs: null, replay: null };

describe('what a call asks for', () => {
  test.each<[string, object]>([
    ['', RUN],
    ['check', RUN],
    ['--config team.yml', { ...RUN, stack: { ...NOWHERE, config: 'team.yml' } }],
    ['check db', { ...RUN, selectors: ['db'] }],
    ['check db/postgres web */ports', { ...RUN, selectors: ['db/postgres', 'web', '*/ports'] }],
    ['--json -q', { ...RUN, format: 'json', looks: { ...CALM, json: true, quiet: true } }],
    ['--format junit', { ...RUN, format: 'junit' }],
    ['check db --format=markdown', { ...RUN, format: 'markdown', selectors: ['db'] }],
    ['--format json --json', { ...RUN, format: 'json', looks: { ...CALM, json: true } }],
    ['-v --no-color', { ...RUN, looks: { ...CALM, verbose: true, color: false } }],
    ['-f a.yml --file b.yml --file=c.yml -fd.yml', { ...RUN, stack: { ...NOWHERE, files: ['a.yml', 'b.yml', 'c.yml', 'd.yml'] } }],
    ['-f -', { ...RUN, stack: { ...NOWHERE, files: ['-'] } }],
    [
      '-p shop --project-directory .. --profile a --profile b --env-file .env --context far',
      {
        ...RUN,
        stack: { ...NOWHERE, projectName: 'shop', projectDirectory: '..', profiles: ['a', 'b'], envFiles: ['.env'], context: 'far' },
      },
    ],
    ['--strict --wait 1m30s --timeout 1500ms', { ...RUN, strict: true, waitMs: 90_000, stack: { ...NOWHERE, timeoutMs: 1_500 } }],
    ['--timeout 10', { ...RUN, stack: { ...NOWHERE, timeoutMs: 10_000 } }],
    ['--timeout=0.5s', { ...RUN, stack: { ...NOWHERE, timeoutMs: 500 } }],
    ['--replay was.json check db', { ...RUN, replay: 'was.json', selectors: ['db'] }],
    ['--runbook ours.md', { ...RUN, stack: { ...NOWHERE, runbook: 'ours.md' } }],
    ['-qf a.yml', { ...RUN, looks: { ...CALM, quiet: true }, stack: { ...NOWHERE, files: ['a.yml'] } }],
    ['check -- -odd', { ...RUN, selectors: ['-odd'] }],
    ['list --json', { kind: 'list', stack: NOWHERE, looks: { ...CALM, json: true }, replay: null }],
    ['graph', { kind: 'graph', stack: NOWHERE, looks: CALM, format: 'text', replay: null }],
    ['graph --format dot --replay was.json', { kind: 'graph', stack: NOWHERE, looks: CALM, format: 'dot', replay: 'was.json' }],
    ['graph --json', { kind: 'graph', stack: NOWHERE, looks: { ...CALM, json: true }, format: 'json', replay: null }],
    ['graph --json --format=json', { kind: 'graph', stack: NOWHERE, looks: { ...CALM, json: true }, format: 'json', replay: null }],
    ['explain postgres/auth-rejected', { kind: 'explain', stack: NOWHERE, looks: CALM, code: 'postgres/auth-rejected' }],
    ['runbook', { kind: 'runbook', stack: NOWHERE, looks: CALM, verify: false }],
    ['runbook verify --runbook ours.md', { kind: 'runbook', stack: { ...NOWHERE, runbook: 'ours.md' }, looks: CALM, verify: true }],
    ['runbook verify --json', { kind: 'runbook', stack: NOWHERE, looks: { ...CALM, json: true }, verify: true }],
    ['record was.json', { kind: 'record', stack: NOWHERE, looks: CALM, file: 'was.json' }],
    ['help', { kind: 'help' }],
    ['check db --help', { kind: 'help' }],
    ['-h', { kind: 'help' }],
    ['--version', { kind: 'version' }],
    ['version', { kind: 'version' }],
  ])('doctor %s', (line, expected) => {
    expect(parseArgs(words(line))).toEqual(expected);
  });
});

describe('a wrong call is told in one line, with the right word', () => {
  test.each<[string, RegExp]>([
    ['graph --format mermiad', /^--format "mermiad" is no format of "doctor graph"; did you mean mermaid\?$/],
    ['graph --format png', /^--format "png" is no format of "doctor graph"; it takes text, mermaid, dot, json$/],
    ['graph --json --format dot', /^--json and --format dot contradict each other; give one of them$/],
    ['graph mermaid', /^too many words: "mermaid"; the call is "doctor graph --format mermaid"$/],
    ['--jsn', /^unknown option --jsn; did you mean --json\?$/],
    ['--projct-name x', /did you mean --project-name/],
    ['--zzz', /^unknown option --zzz; see doctor --help$/],
    ['-x', /^unknown option -x; see doctor --help$/],
    ['-json', /^unknown option -json; did you mean --json\?$/],
    ['chekc db', /^unknown command "chekc"; did you mean check\?$/],
    ['lst', /did you mean list\?$/],
    ['backend', /^unknown command "backend"; to ask about one service or check: doctor check backend$/],
    ['--timeout', /^--timeout needs a value: --timeout <time>$/],
    ['--timeout --json', /^--timeout needs a value/],
    ['--timeout=', /^--timeout needs a value/],
    ['--timeout soon', /^--timeout "soon" is not a duration; write it as 30s, 1500ms or 2m$/],
    ['--timeout 10x', /is not a duration/],
    ['--timeout -5s', /^--timeout needs a value/],
    ['--timeout=-5s', /is not a duration/],
    ['--timeout 1e3s', /is not a duration/],
    ['--timeout 0', /must be more than nothing/],
    ['--wait 0s', /must be more than nothing/],
    ['--format junti', /--format "junti" is no format of "doctor check"; did you mean junit\?/],
    ['--format mermaid', /is no format of "doctor check"; it takes text, json, junit, markdown/],
    ['--format junit --json', /contradict each other/],
    ['--timeout 99h', /longer than a day/],
    ['--json=yes', /^--json takes no value$/],
    ['-p a -p b', /^-p is given twice: "a" and "b"$/],
    ['-q -v', /contradict each other/],
    ['--replay a.json --wait 3s', /contradict each other/],
    ['list --strict', /^--strict is not an option of "doctor list"; it goes with "doctor check"$/],
    ['record a.json --replay b.json', /^--replay is not an option of "doctor record"/],
    ['record', /needs a file/],
    ['record a b', /^too many words: "b"/],
    ['explain', /needs a code/],
    ['explain a/b c/d', /too many words/],
    ['runbook verfy', /^unknown word "verfy" after "doctor runbook"; it takes only "verify"$/],
    ['--config', /^--config needs a value: --config <file>/],
  ])('doctor %s', (line, message) => {
    const call = () => parseArgs(words(line));
    expect(call).toThrow(UsageError);
    expect(call).toThrow(message);
  });

  test('an empty selector, as from an unset variable, is not everything', () => {
    expect(() => parseArgs(['check', ''])).toThrow(/empty selector/);
  });

  test.each(['__proto__', 'constructor', 'toString'])('--%s is an option of nobody', (name) => {
    expect(() => parseArgs([`--${name}`])).toThrow(UsageError);
    expect(() => parseArgs([name])).toThrow(UsageError);
  });
});

test('the help fits 80 columns, is ASCII, and names every command and option of the contract', () => {
  const help = helpText();
  expect(help.split('\n').filter((line) => line.length > 80)).toEqual([]);
  // oxlint-disable-next-line no-control-regex -- the range is meant
  expect(help).toMatch(/^[\n\x20-\x7e]*$/);
  const promised =
    'check list explain runbook record --replay -f --file -p --project-name --project-directory --profile --env-file --context --json --runbook --timeout --wait --strict -q --quiet -v --verbose --no-color --help --version';
  for (const word of promised.split(' ')) expect(help).toMatch(new RegExp(`(?<![\\w-])${word}(?![\\w-])`));
});
