/** Passwords in files, read as a container has them: a process with mounts of its own stands for it. */
import { appendFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { toldByFile } from '../../src/gather/secret-files.ts';
import { createVault } from '../../src/gather/vault.ts';
import { canUnshare, startBox, type Box } from './namespace.ts';

describe.skipIf(!canUnshare)('the file that a variable names', () => {
  let box: Box;
  afterEach(() => box.stop());

  const told = (env: Record<string, string>) => {
    const vault = createVault();
    const { toldByFile: found = {} } = toldByFile({ ...box.container, env }, vault);
    return Object.fromEntries(Object.entries(found).map(([name, mark]) => [name, vault.reveal(mark)]));
  };
  const start = async (text: string): Promise<string> => {
    box = await startBox({ host: 'inside' });
    writeFileSync(join(box.folder, 'host/pw'), text);
    return join(box.folder, 'inside/pw');
  };

  test('is read, without the line end that editors add', async () => {
    const path = await start('sword fish\n');
    expect(told({ DB_PASSWORD_FILE: path })).toEqual({ DB_PASSWORD: 'sword fish' });
  });

  test('is not read where the variable itself is there, names no secret, or names no file', async () => {
    const path = await start('swordfish');
    expect(told({ DB_PASSWORD_FILE: path, DB_PASSWORD: 'plain' })).toEqual({});
    expect(told({ CONFIG_FILE: path })).toEqual({});
    expect(told({ DB_PASSWORD_FILE: `${path}-none` })).toEqual({});
    expect(told({ DB_PASSWORD_FILE: 'pw' })).toEqual({});
  });

  test('is not taken for a password when it is large', async () => {
    const path = await start('');
    appendFileSync(join(box.folder, 'host/pw'), 'x'.repeat(5_000));
    expect(told({ DB_PASSWORD_FILE: path })).toEqual({});
  });

  test('is the one that the container has, not the one that has its path on the host now', async () => {
    const path = await start('old');
    renameSync(join(box.folder, 'host'), join(box.folder, 'before'));
    expect(told({ DB_PASSWORD_FILE: path })).toEqual({ DB_PASSWORD: 'old' });
  });
});
