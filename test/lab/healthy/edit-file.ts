import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** Changes a file of a copy that has not started yet. What is not found is an error: the variant would be the reference. */
export const editFile = (dir: string, file: string, ...changes: [string | RegExp, string][]): void => {
  const path = join(dir, file);
  let text = readFileSync(path, 'utf8');
  for (const [find, replacement] of changes) {
    const changed = text.replace(find, replacement);
    if (changed === text) throw new Error(`${file} has nothing like ${String(find)}`);
    text = changed;
  }
  writeFileSync(path, text);
};
