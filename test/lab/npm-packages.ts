import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const INSTALLED = fileURLToPath(new URL('../../node_modules/', import.meta.url));

interface Manifest {
  version: string;
  dependencies?: Record<string, string>;
  devDependencies?: Record<string, string>;
  optionalDependencies?: Record<string, string>;
  bin?: string | Record<string, string>;
}

const manifestOf = (folder: string): Manifest => JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as Manifest;

/** What `npm install` would bring a fixture's app, taken from this repository's own packages: no registry is asked. */
export function npmPackages(app: string): { lines: string[]; folders: Record<string, string> } {
  if (!existsSync(join(app, 'package.json'))) return { lines: [], folders: {} };
  const { dependencies, devDependencies } = manifestOf(app);
  const wanted = Object.keys({ ...dependencies, ...devDependencies });
  const folders: Record<string, string> = {};
  const add = (name: string, isOptional: boolean): void => {
    const folder = join(INSTALLED, name);
    if (folders[name] || (isOptional && !existsSync(folder))) return;
    folders[name] = folder;
    const manifest = manifestOf(folder);
    for (const each of Object.keys(manifest.dependencies ?? {})) if (!existsSync(join(folder, 'node_modules', each))) add(each, false);
    for (const each of Object.keys(manifest.optionalDependencies ?? {})) add(each, true);
  };
  for (const name of wanted) add(name, false);
  if (wanted.length === 0) return { lines: [], folders };
  const programs = wanted.flatMap((name) => {
    const { bin = {} } = manifestOf(folders[name]!);
    return Object.entries(typeof bin === 'string' ? { [name]: bin } : bin).map(([program, file]) => [program, join('..', name, file)]);
  });
  return {
    lines: [
      ...Object.keys(folders).map((name) => `# ${name} ${manifestOf(folders[name]!).version}`),
      'COPY packages/ node_modules/',
      `RUN mkdir node_modules/.bin${programs.map(([program, file]) => ` && ln -s ${file} node_modules/.bin/${program}`).join('')}`,
    ],
    folders,
  };
}
