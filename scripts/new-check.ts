/** `npm run new-check <id>`: the four places of a new check of the doctor's own: its file, its test, its line in the list, its runbook section. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const ID = /^[a-z]+(-[a-z]+)*$/;

const camel = (id: string): string => id.replaceAll(/-(.)/g, (_, letter: string) => letter.toUpperCase());

const checkText = (id: string): string => `/** TODO: what this check asks, in one sentence. */
import { defineCheck } from '../model/check.ts';
import { running } from '../model/stack.ts';

export const ${camel(id)} = defineCheck({
  id: '${id}',
  title: 'TODO: the good state, as a sentence',
  question: 'TODO: what is asked, as a question?',
  needs: ['logs'],
  after: ['engine', 'container'],
  appliesTo: (service) => running(service).length > 0,
  findings: {
    broken: {
      severity: 'fail',
      layer: 'app',
      kind: 'symptom',
      means: 'TODO: what it means, with no values in it.',
      proof: 'TODO: the field, the code, the line that proves it.',
    },
  },
  evaluate({ service, facts }) {
    if (!facts.logs.ok) return { cannotLook: facts.logs.reason };
    const line = facts.logs.value.lines.find(({ text }) => text.includes('TODO: what a broken one says'));
    if (!line) return { findings: [] };
    const evidence = [{ source: \`\${service.name} log\`, text: line.text }];
    return { findings: [{ reason: 'broken', message: \`\${service.name} is broken\`, evidence }] };
  },
});
`;

const testText = (id: string): string => `import { describe, expect, test } from 'vitest';
import { ${camel(id)} } from '../../src/checks/${id}.ts';
import { ask, fact, gap, inShort, makeService, makeStack } from './make.ts';

const look = (...lines: string[]) =>
  ask(${camel(id)}, {
    stack: makeStack({ services: [makeService()] }),
    service: 'app',
    facts: { logs: fact({ container: 'p-app-1', since: null, lines: lines.map((text) => ({ time: null, stream: 'stderr', text })) }) },
  });

describe('${id}', () => {
  // Healthy look-alikes first: a false alarm costs more than a miss.
  test.each<[name: string, lines: string[], wanted: string]>([
    ['says nothing', [], 'pass'],
    ['says something else', ['all is well'], 'pass'],
    ['is broken', ['TODO: what a broken one says'], 'fail broken'],
  ])('%s', (_, lines, wanted) => expect(inShort(${camel(id)}, look(...lines))).toBe(wanted));

  test('without its facts it could not look', () =>
    expect(
      inShort(${camel(id)}, ask(${camel(id)}, { stack: makeStack({ services: [makeService()] }), service: 'app', facts: { logs: gap('no log') } })),
    ).toBe('cannot look'));
});
`;

const sectionText = (id: string): string => `## TODO: ${id}

### TODO: what a person sees
<!-- doctor: ${id}/broken -->

TODO: why it happens.

1. See what it says: \`docker compose logs --tail 50 {service}\`

`;

/** The imports are in the order of the files; what is reported last comes last. */
const listText = (list: string, id: string): string => {
  const line = `import { ${camel(id)} } from './${id}.ts';`;
  const imports = [...list.matchAll(/^import \{ \w+ \} from '\.\/([^']+)';$/gm)];
  const next = imports.find(([, file]) => file! > `${id}.ts`);
  const at = next ? next.index : imports.at(-1)!.index + imports.at(-1)![0].length + 1;
  const withImport = `${list.slice(0, at)}${line}\n${list.slice(at)}`;
  return withImport.replace(/\n\];\n$/, `\n  ${camel(id)},\n];\n`);
};

const runbookText = (runbook: string, id: string): string => {
  const reset = runbook.lastIndexOf('\n## Reset\n');
  return `${runbook.slice(0, reset + 1)}${sectionText(id)}${runbook.slice(reset + 1)}`;
};

export interface Sources {
  list: string;
  runbook: string;
  exists(path: string): boolean;
}

/** Path → content of every file that the check needs. Errors: an `Error` with a sentence. */
export const newCheck = (id: string, { list, runbook, exists }: Sources): Record<string, string> => {
  if (!ID.test(id)) throw new Error(`"${id}" is no id of a check: it takes small letters and single dashes`);
  const [file, test] = [`src/checks/${id}.ts`, `test/checks/${id}.test.ts`];
  for (const path of [file, test]) if (exists(path)) throw new Error(`${path} is there already`);
  return {
    [file]: checkText(id),
    [test]: testText(id),
    'src/checks/index.ts': listText(list, id),
    'RUNBOOK.md': runbookText(runbook, id),
  };
};

const main = (): void => {
  const root = join(import.meta.dirname, '..');
  const read = (path: string) => readFileSync(join(root, path), 'utf8');
  try {
    const [id = ''] = process.argv.slice(2);
    const files = newCheck(id, {
      list: read('src/checks/index.ts'),
      runbook: read('RUNBOOK.md'),
      exists: (path) => existsSync(join(root, path)),
    });
    for (const [path, content] of Object.entries(files)) writeFileSync(join(root, path), content);
    console.log(`${Object.keys(files).join('\n')}\n\nFill in what says TODO, then: npm run format && npm run docs && npm run check`);
  } catch (error) {
    console.error(`new-check: ${(error as Error).message}; call it as npm run new-check <id>`);
    process.exitCode = 2;
  }
};

if (process.argv[1] === import.meta.filename) main();
