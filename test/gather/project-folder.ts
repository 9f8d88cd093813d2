/** A folder with a project's files, in a temporary place. */
import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { onTestFinished } from 'vitest';
import type { ProjectPlace } from '../../src/gather/compose-files.ts';

/** Gone again when the test is over. */
export const folderOf = (files: Record<string, string>): string => {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'stack-doctor-project-')));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), text);
  }
  return folder;
};

export const placeIn = (workingDir: string, files: string[], parts: Partial<ProjectPlace> = {}): ProjectPlace => ({
  name: 'shop',
  workingDir,
  files: files.map((file) => join(workingDir, file)),
  profiles: [],
  envFiles: [],
  ...parts,
});
