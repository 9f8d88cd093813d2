import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { UsageError } from '../../src/model/usage-error.ts';
import { readRunbook, RunbookError } from '../../src/runbook/read.ts';

const folder = mkdtempSync(join(tmpdir(), 'runbook-'));
afterAll(() => rmSync(folder, { recursive: true }));

const file = (name: string, content: string | Buffer): string => {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
};

describe('a runbook that cannot be used', () => {
  it.each<[string, () => string, string]>([
    ['is not there', () => join(folder, 'none.md'), 'runbook us.md: there is no such file'],
    ['is a folder', () => folder, 'runbook us.md: it is a folder, not a file'],
    ['lies in a file', () => join(file('a.md', 'x'), 'b.md'), 'runbook us.md: a part of its path is no folder'],
    ['is empty', () => file('empty.md', ''), 'runbook us.md: it is empty'],
    ['is blank', () => file('blank.md', ' \n\t\n'), 'runbook us.md: it is empty'],
    ['is not UTF-8', () => file('latin.md', Buffer.from('# A\n\nna\xefve\n', 'latin1')), 'runbook us.md:3: it is not UTF-8 text'],
    ['is cut within a character', () => file('cut.md', Buffer.from('# A\né').subarray(0, 5)), 'runbook us.md:2: it is not UTF-8 text'],
    ['is a program', () => file('bin.md', Buffer.from('\u007fELF\n\u0000\u0000')), 'runbook us.md:2: it is not text (it has NUL bytes)'],
    ['is huge', () => file('huge.md', Buffer.alloc(5_000_001, 0x61)), 'runbook us.md: it has 5.0 MB; at most 2 MB are read'],
    ['never ends', () => '/dev/zero', 'runbook us.md: it is no regular file'],
    [
      'never begins',
      () => {
        const path = join(folder, 'pipe.md');
        execFileSync('sh', ['-c', 'mkfifo "$1"', 'sh', path]);
        return path;
      },
      'runbook us.md: it is no regular file',
    ],
  ])('since it %s gives one clear line', async (_, path, message) => {
    const error = await readRunbook(path(), 'us.md').catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(RunbookError);
    expect(error).toBeInstanceOf(UsageError);
    expect((error as Error).message).toBe(message);
  });
});

it('a runbook is read under the name it is to be shown by', async () => {
  const path = file('good.md', '\ufeff# A\r\n\r\n1. `docker ps`\r\n');
  expect(await readRunbook(path)).toMatchObject({ file: path, sections: [{ heading: 'A' }] });
  expect(await readRunbook(path, 'good.md')).toMatchObject({ file: 'good.md' });
});
