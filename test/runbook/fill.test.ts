import { execFileSync } from 'node:child_process';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fillCommand, fillText, placeholdersIn, PLACEHOLDERS } from '../../src/runbook/fill.ts';

const words = (command: string): string => execFileSync('sh', ['-c', command], { encoding: 'utf8', timeout: 10_000 });

describe('placeholders', () => {
  it.each<[string, string[]]>([
    ['docker compose restart {service}', ['service']],
    ['{client} and {service} and {client}', ['client', 'service']],
    ["docker inspect --format '{{.State.Error}}' {container}", ['container']],
    ["docker inspect --format '{{json .Config}}' x", []],
    ['echo ${service} "${POSTGRES_USER:-postgres}"', []],
    ["awk '{print $1}' | jq '{a: .b}'", []],
    ['{} {a b} {Service} {service', []],
  ])('of %s are %j', (text, names) => {
    expect(placeholdersIn(text)).toEqual(names);
  });
});

describe('a command', () => {
  it.each<[string, string, Record<string, string>, string]>([
    ['a plain value', 'docker compose restart {service}', { service: 'my-db_1.x' }, 'docker compose restart my-db_1.x'],
    ['the same twice', 'a {service} b {service}', { service: 'db' }, 'a db b db'],
    ['a value with a space', 'ls {hostPath}', { hostPath: '/my files/dist' }, "ls '/my files/dist'"],
    ['a quote', 'ls {path}', { path: "it's" }, String.raw`ls 'it'\''s'`],
    ['shell code', 'ls {path}', { path: '$(rm -rf /)' }, "ls '$(rm -rf /)'"],
    ['a tilde', 'ls {path}', { path: '~root' }, "ls '~root'"],
    ['quotes that are there for it', 'ls "{path}" \'{hostPath}\'', { path: 'a b', hostPath: "c'd" }, String.raw`ls 'a b' 'c'\''d'`],
    ['a value in quotes that needs none', "sh -c 'ls {path}'", { path: '/app' }, "sh -c 'ls /app'"],
    ['a value in quotes that would be read twice', "sh -c 'ls {path}'", { path: '$(rm -rf /)' }, "sh -c 'ls <path>'"],
    ['a value within "$(…)"', 'echo "$(ls {path})"', { path: '$(id)' }, 'echo "$(ls <path>)"'],
    ['a value within $(…)', 'echo $(ls {path})', { path: 'a b' }, "echo $(ls 'a b')"],
    ['an apostrophe in a remark before', "ls # don't\nls {path}", { path: '$(id)' }, "ls # don't\nls '$(id)'"],
    ['a here-document', 'psql <<SQL\nSELECT {user}\nSQL', { user: "x'; DROP" }, 'psql <<SQL\nSELECT <user>\nSQL'],
    ['nothing', 'docker compose restart {client}', {}, 'docker compose restart <client>'],
    ['an empty value', 'ls {path}', { path: '' }, 'ls <path>'],
    ['an option in disguise', 'docker compose restart {service}', { service: '-v' }, 'docker compose restart <service>'],
    ['two lines', 'ls {path}', { path: 'a\nrm -rf /' }, 'ls <path>'],
    ['a control character', 'ls {path}', { path: 'a\u001b[2J' }, 'ls <path>'],
    ['text that runs backwards', 'ls {path}', { path: 'a\u202eb' }, 'ls <path>'],
    ['a secret', 'psql {user}', { user: '‹secret:9f86d081›' }, 'psql <user>'],
    ['a secret within', 'psql {url}', { url: 'redis://:‹secret:9f86d081›@db' }, 'psql <url>'],
    ['names that mean nothing here', 'echo {whatever} {toString}', {}, 'echo {whatever} {toString}'],
    ['a value of a name that is not in the list', 'echo {whatever}', { whatever: 'x y' }, "echo 'x y'"],
    [
      'what belongs to Docker or the shell',
      "docker inspect --format '{{.Name}}' ${service}",
      { service: 'db' },
      "docker inspect --format '{{.Name}}' ${service}",
    ],
    ['a value that looks like a placeholder', 'ls {path} {service}', { path: '{service}', service: 'db' }, "ls '{service}' db"],
    ['a dollar sign that a replacement would read', 'ls {path}', { path: "$&$'" }, String.raw`ls '$&$'\'''`],
  ])('takes %s', (_, command, values, filled) => {
    expect(fillCommand(command, values)).toBe(filled);
  });

  it('gives the shell the very value, whatever it is', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string({ minLength: 1, maxLength: 40 }),
          fc
            .array(fc.constantFrom("'", '"', '$(id)', '`id`', '\\', ' ', ';', '&', '|', '\n', '$HOME', '*', '!', '#', 'a', '~'), {
              minLength: 1,
              maxLength: 8,
            })
            .map((parts) => parts.join('')),
        ),
        (value) => {
          const command = fillCommand('printf %s {path}; printf "%s" "{path}"', { path: value });
          if (command.includes('<path>')) {
            // oxlint-disable-next-line no-control-regex -- the very characters that are refused
            expect(value).toMatch(/^-|[\u0000-\u001f\u007f-\u009f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]/);
          } else expect(words(command)).toBe(value + value);
        },
      ),
      { numRuns: 150 },
    );
  }, 60_000);

  it('never lets a value be run, in whatever quotes it stands', () => {
    const frames = [
      'echo {path}',
      'echo "{path}"',
      "echo '{path}'",
      'echo "a {path} b"',
      "sh -c 'echo {path}'",
      'sh -c "echo {path}"',
      'echo "$(echo {path})"',
      'echo `echo {path}`',
      "echo it # don't\necho {path}",
      'cat <<E\n{path}\nE',
      "echo $'a\\'' {path}",
    ];
    const values = [
      '$(echo RAN>&2; echo RAN)',
      '`echo RAN`',
      "'; echo RAN; '",
      '"; echo RAN; "',
      '; echo RAN;',
      '\\"; echo RAN; \\"',
      '&& echo RAN',
      '| echo RAN',
      '\'"$(echo RAN)"\'',
      '\necho RAN',
    ];
    for (const frame of frames) {
      for (const value of values) {
        const command = fillCommand(frame, { path: value });
        if (command.includes('<path>')) continue;
        // What is printed is the value itself, as one line; a run value would be printed without its `echo`.
        expect(words(command).split('\n')).not.toContain('RAN');
        expect(words(command)).toContain(value);
      }
    }
  });
});

describe('a sentence', () => {
  it.each<[string, string, Record<string, string>, string]>([
    ['plain values', 'Start {service}.', { service: 'db' }, 'Start db.'],
    ['values that a shell would quote, unquoted', 'Look into {hostPath}.', { hostPath: '/my files' }, 'Look into /my files.'],
    ['control characters as spaces', 'Stop {owner}.', { owner: 'a\u001b[2Jb\nc' }, 'Stop a [2Jb c.'],
    ['no secret', 'Use `{user}`.', { user: '‹secret:9f86d081›' }, 'Use `<user>`.'],
    ['the meaning of what is not known', 'Start {client} first.', {}, `Start ${PLACEHOLDERS.client} first.`],
    ['a name to replace within code', 'Write `http://{host}:{port}`.', { port: '80' }, 'Write `http://<host>:80`.'],
    ['other braces as they are', 'Write `{a: 1}` and {whatever}.', {}, 'Write `{a: 1}` and {whatever}.'],
  ])('takes %s', (_, text, values, filled) => {
    expect(fillText(text, values)).toBe(filled);
  });
});
