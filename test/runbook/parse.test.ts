import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseRunbook } from '../../src/runbook/parse.ts';
import type { Section } from '../../src/runbook/runbook.ts';

const sections = (text: string): Section[] => parseRunbook(text, 'x.md').sections;
const stepsOf = (body: string): [string, string | null][] =>
  sections(`# H\n\n${body}`).flatMap(({ steps }) => steps.map(({ text, command }): [string, string | null] => [text, command]));

describe('sections', () => {
  it('have their heading, path, level and lines', () => {
    const found = sections('# A\n\nwords\n\n## B `x`\n\n- y\n\n\n### C\n## D\n');
    expect(found.map(({ heading, path, level, lines }) => ({ heading, path, level, lines }))).toEqual([
      { heading: 'A', path: ['A'], level: 1, lines: [1, 3] },
      { heading: 'B `x`', path: ['A', 'B `x`'], level: 2, lines: [5, 7] },
      { heading: 'C', path: ['A', 'B `x`', 'C'], level: 3, lines: [10, 10] },
      { heading: 'D', path: ['A', 'D'], level: 2, lines: [11, 11] },
    ]);
  });

  it.each([
    ['CRLF', '# A\r\n\r\n## B\r\n\r\n1. `docker ps`\r\n', 'B', [3, 5]],
    ['lone CR', '# A\r\r## B\r', 'B', [3, 3]],
    ['a byte order mark', '\ufeff# A\n\n## B\n', 'B', [3, 3]],
    ['front matter, which is no heading', '---\nname: x\n---\n\n## B\ntext\n', 'B', [5, 6]],
    ['an underlined heading', 'B\n=\n\ntext\n', 'B', [1, 4]],
    ['closing hashes', '## B ##\n', 'B', [1, 1]],
    ['a heading in bold', '**B**\n\ntext\n', 'B', [1, 3]],
    ['a fold', '<details>\n<summary>B</summary>\n\ntext\n\n</details>\n', 'B', [1, 6]],
    ['marks, links and entities in a heading', '## *B* &amp; [c](d) <!-- x -->\n', 'B & c', [1, 1]],
  ] as const)('with %s', (_, text, heading, lines) => {
    expect(sections(text).at(-1)).toMatchObject({ heading, lines });
  });

  it('takes no heading from a comment, a code block or a rule', () => {
    expect(sections('# A\n\n<!--\n## No\n-->\n\n```\n## no\n```\n\n---\n\ntext').map(({ heading }) => heading)).toEqual(['A']);
  });

  it('does not end at a line in bold', () => {
    const [whole, part] = sections('# A\n\n```bash\ndocker ps\n```\n\n**Why**\n\n1. so\n\n## B\n');
    expect(whole!.lines).toEqual([1, 9]);
    expect(whole!.steps.map(({ command }) => command)).toEqual(['docker ps']);
    expect(part).toMatchObject({ heading: 'Why', level: 7, lines: [7, 9] });
  });
});

describe('anchors', () => {
  it('are the codes in a comment, with their lines', () => {
    const [section] = sections('# A\n<!-- doctor: a/b, c/d\n  e/f -->\n\ntext <!-- doctor: g/* --> more\n\n<!-- other: h/i -->\n');
    expect(section!.anchors).toEqual([
      { code: 'a/b', line: 2 },
      { code: 'c/d', line: 2 },
      { code: 'e/f', line: 3 },
      { code: 'g/*', line: 5 },
    ]);
  });

  it('may stand in the heading', () => {
    expect(sections('# A <!-- doctor: a/b -->\n')[0]).toMatchObject({ heading: 'A', anchors: [{ code: 'a/b', line: 1 }] });
  });

  it('are not read from code', () => {
    expect(
      sections('# A\n\n```\n<!-- doctor: a/b -->\n```\n\nas in `<!-- doctor: c/d -->`\n\n- `<!-- doctor: e/f -->`\n')[0]!.anchors,
    ).toEqual([]);
  });
});

describe('steps', () => {
  it.each<[string, string, [string, string | null][]]>([
    [
      'a caption over each command',
      '```bash\n# One\ndocker ps\n\n# Two\ndocker logs a\ndocker logs b\n```',
      [
        ['One', 'docker ps'],
        ['Two', 'docker logs a\ndocker logs b'],
      ],
    ],
    ['the paragraph over a block without captions', 'First look:\n\n```sh\ndocker ps\n```', [['First look', 'docker ps']]],
    ['the heading, where nothing is over the block', '```bash\ndocker ps\n```', [['H', 'docker ps']]],
    ['captions of two lines', '```bash\n# One\n# and a half\ndocker ps\n```', [['One and a half', 'docker ps']]],
    [
      'a quote over several lines',
      '```bash\n# Try\npython -c "\nimport x\n# not a caption\n"\n# Next\nls\n```',
      [
        ['Try', 'python -c "\nimport x\n# not a caption\n"'],
        ['Next', 'ls'],
      ],
    ],
    [
      'a here-document',
      "```bash\n# Try\npsql <<'SQL'\n# no caption\nSELECT 1;\nSQL\n# Next\nls\n```",
      [
        ['Try', "psql <<'SQL'\n# no caption\nSELECT 1;\nSQL"],
        ['Next', 'ls'],
      ],
    ],
    ['a line that goes on', '```bash\n# Try\ndocker compose \\\n  ps\n```', [['Try', 'docker compose \\\n  ps']]],
    [
      'a console, without prompts and output',
      '```console\n$ docker ps\nCONTAINER ID\n$ docker logs a\n```',
      [['H', 'docker ps\ndocker logs a']],
    ],
    ['a block of no language that holds commands', '```\ndocker ps\n```', [['H', 'docker ps']]],
    ['an indented block that holds commands', 'Look:\n\n    docker ps\n', [['Look', 'docker ps']]],
    [
      'an ordered list',
      '1. Read: `docker logs a`\n2. Mend it.\n3. Run `docker restart a` again\n',
      [
        ['Read', 'docker logs a'],
        ['Mend it.', null],
        ['Run `docker restart a` again', 'docker restart a'],
      ],
    ],
    [
      'a fence in an item',
      '1. Read:\n\n   ```bash\n   docker logs a\n   ```\n2. Done\n',
      [
        ['Read', 'docker logs a'],
        ['Done', null],
      ],
    ],
    [
      'bullets with a command only',
      '- Read `docker logs a`\n- The port is `8000`\n- `.env` has it\n',
      [['Read `docker logs a`', 'docker logs a']],
    ],
    [
      'nested lists',
      '1. First:\n   - see: `docker ps`\n   - and: `docker logs a`\n2. Then\n',
      [
        ['First', null],
        ['see', 'docker ps'],
        ['and', 'docker logs a'],
        ['Then', null],
      ],
    ],
    [
      'nested remarks as part of the sentence',
      '1. Compare:\n   - the user\n   - the password\n',
      [['Compare: the user; the password', null]],
    ],
    ['tasks', '- [ ] Read: `docker logs a`\n- [x] done\n', [['Read', 'docker logs a']]],
    ['tabs', '1.\tRead: `docker logs a`\n\n\t```bash\n\tdocker ps\n\t```\n', [['Read: `docker logs a`', 'docker ps']]],
    [
      'a warning as a warning',
      '1. Never run `docker compose down -v` here.\n2. Use `docker compose up -d`, not `docker compose restart`.\n',
      [
        ['Never run `docker compose down -v` here.', null],
        ['Use `docker compose up -d`, not `docker compose restart`', 'docker compose up -d'],
      ],
    ],
    [
      'a condition as a command',
      '1. If it does not come back, start it: `docker compose up -d`\n',
      [['If it does not come back, start it', 'docker compose up -d']],
    ],
    [
      'a sentence, where it is all there is',
      'Run `docker compose up -d` and wait.\n',
      [['Run `docker compose up -d` and wait', 'docker compose up -d']],
    ],
    ['a quote block', '> ```bash\n> docker ps\n> ```\n', [['H', 'docker ps']]],
  ])('are read from %s', (_, body, steps) => {
    expect(stepsOf(body)).toEqual(steps);
  });

  it.each([
    ['YAML', '```yaml\nservices:\n  a:\n    command: docker ps\n```'],
    ['a Dockerfile', '```dockerfile\nRUN rm -rf /\n```'],
    ['a sample of .env in a shell block', '```bash\n# .env\nA=b\nexport C="d e"\n```'],
    ['output without a language', '```\nError response from daemon: no such container\n```'],
    ['a folder tree', '```\nsrc/\n├── app\n```'],
    ['plain bullets', '- one\n- two\n'],
    ['prose', 'The file `docker-compose.yml` is read first.'],
    ['a table', '| a | b |\n|---|---|\n| x | `docker ps` |\n'],
  ])('are not read from %s', (_, body) => {
    expect(stepsOf(body)).toEqual([]);
  });

  it('know their line', () => {
    const text =
      '# H\n\n1. a\n\n2. b\n   - c: `docker ps`\n\ntext\n\n```bash\n# one\ndocker ps\n\n# two\ndocker ps\n```\n\n```bash\n\ndocker ps\n```\n';
    expect(sections(text)[0]!.steps.map(({ line }) => line)).toEqual([3, 5, 6, 11, 14, 20]);
  });
});

describe("the team's document", () => {
  const text = readFileSync('fixtures/runbooks/team.md', 'utf8');
  const { sections: found } = parseRunbook(text, 'team.md');

  it('has each section where its heading stands', () => {
    const lines = text.split('\n');
    for (const section of found.filter(({ level }) => level < 7)) {
      expect(lines[section.lines[0] - 1]).toBe(`${'#'.repeat(section.level)} ${section.heading}`);
      expect(lines[section.lines[1] - 1]!.trim()).not.toBe('');
    }
  });

  it('has steps where there are commands, and only there', () => {
    const counts = Object.fromEntries(
      found.filter(({ level, steps }) => level < 7 && steps.length > 0).map(({ heading, steps }) => [heading, steps.length]),
    );
    expect(counts).toEqual({
      'Everyday commands': 3,
      "Container Won't Start": 3,
      'Hot-reload Not Working (Backend Python)': 3,
      'Frontend Templates Not Updating': 3,
      'Database Connection Issues': 3,
      'Reset Everything': 3,
    });
  });
});

describe('any text', () => {
  const pieces = fc.constantFrom(
    '# ',
    '## ',
    '\n',
    '\n\n',
    '- ',
    '1. ',
    '> ',
    '```',
    '```bash\n',
    '`',
    '"',
    "'",
    '<!-- doctor: a/b -->',
    '<!--',
    '-->',
    '<details>',
    '<summary>',
    '**',
    '_',
    '[',
    '](',
    '|',
    '\t',
    '    ',
    'docker compose ps',
    '# caption',
    '$ ',
    '<<EOF',
    '\\',
    '$(',
    '{service}',
    '\r',
    '\u0000',
    '\u001b[2J',
    '😀',
    '---',
    '===',
    'word ',
  );

  it('is parsed without an error, into lines that exist', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.array(pieces, { maxLength: 200 }).map((parts) => parts.join('')),
        ),
        (text) => {
          const count = text.replace(/^\ufeff/, '').split(/\r\n|\r|\n/).length;
          let last = 0;
          for (const { lines, steps, anchors } of sections(text)) {
            expect(lines[0]).toBeGreaterThan(last);
            expect(lines[1]).toBeGreaterThanOrEqual(lines[0]);
            for (const line of [lines[1], ...steps.map((step) => step.line), ...anchors.map((anchor) => anchor.line)]) {
              expect(line).toBeGreaterThanOrEqual(1);
              expect(line).toBeLessThanOrEqual(count);
            }
            last = lines[0];
          }
        },
      ),
      { numRuns: 1000 },
    );
  });

  // A parser that took quadratic time would need minutes for these.
  it.each([
    '>',
    '> ',
    '- ',
    '1) ',
    '[',
    '`',
    '*',
    '_',
    '<',
    '<!--',
    '<!-- doctor:\n',
    '\n',
    '\t',
    '# ',
    '# a\n',
    '**a**\n\n',
    '- a\n  ',
    '> - 1. ',
    '```bash\n$ "\n',
    'docker ps "\n',
    '[a](',
    '<a ',
    '\\',
  ])(
    'is parsed in time, were it %j over and over',
    (piece) => {
      expect(sections(`# H\n${piece.repeat(Math.floor(200_000 / piece.length))}`)[0]!.heading).toBe('H');
      expect(sections(`# H\n\`\`\`bash\n${piece.repeat(Math.floor(200_000 / piece.length))}`)[0]!.heading).toBe('H');
    },
    30_000,
  );

  it('may be nested deeper than anyone writes', () => {
    const deep = Array.from({ length: 1500 }, (_, i) => `${' '.repeat(i * 2)}- a`).join('\n');
    expect(sections(`# H\n${deep}`)).toHaveLength(1);
  }, 30_000);
});
