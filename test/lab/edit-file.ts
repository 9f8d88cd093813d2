import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** Changes a file in place; what is to be changed must be there. */
export function editFile(dir: string, file: string, ...changes: [string | RegExp, string][]): void {
  const path = join(dir, file);
  let text = readFileSync(path, 'utf8');
  for (const [find, replacement] of changes) {
    const changed = text.replace(find, replacement);
    if (changed === text) throw new Error(`${file} has nothing like ${String(find)}`);
    text = changed;
  }
  writeFileSync(path, text);
}
