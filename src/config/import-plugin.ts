/** From the name of a plugin to what its file exports. */
import { readFile, stat } from 'node:fs/promises';
import Module, { createRequire } from 'node:module';
import { dirname, extname, isAbsolute, join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';

export type Imported = { path: string; exported: unknown } | { path: string; failed: string } | { missing: string };

const MOST_MS = 5_000;

type Import = (url: string) => Promise<Record<string, unknown>>;

/**
 * A real `import()`, compiled by Node as it compiles any CommonJS file: ours is made into a `require()` in the bundle. Beside the folder of the
 * parts, not in it: what lies there is compiled by us (see `quick-start.ts`).
 */
const importUrl: Import = (url) => {
  const file = join(import.meta.dirname, '..', 'import.cjs');
  const module = new Module(file) as Module & { _compile(text: string, file: string): void };
  module._compile('module.exports = (url) => import(url)', file);
  return (module.exports as Import)(url);
};

/** `missing`: the user named what is not there or cannot be read here. `failed`: it is there, and threw or hung. */
export const importPlugin = async (name: string, folder: string): Promise<Imported> => {
  const isPath = name.startsWith('.') || isAbsolute(name);
  const path = isPath ? resolve(folder, name) : await packageEntry(name, folder);
  if (path === null) return { missing: `no package ${name} is installed here` };
  if (!(await stat(path).catch(() => null))?.isFile())
    return { missing: isPath ? `there is no file ${name}` : `the package ${name} lacks its file ${path}` };
  const ending = extname(path);
  if (!['.mjs', '.js', '.cjs', '.ts', '.mts'].includes(ending)) return { missing: `${name} is no .ts, .mts, .mjs or .js file` };
  if (/ts$/.test(ending) && !readsTypeScript())
    return { missing: `Node ${process.versions.node} does not read TypeScript: use Node 22.18 or later, or compile ${name} to .mjs` };
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`it was not loaded within ${MOST_MS / 1_000} s`)), MOST_MS);
  });
  try {
    const exported = (await Promise.race([importUrl(pathToFileURL(path).href), late]))['default'];
    // CommonJS that was compiled from ES modules.
    const inner = (exported as { default?: unknown } | null | undefined)?.default;
    return { path, exported: inner ?? exported };
  } catch (error) {
    return { path, failed: error instanceof Error ? error.message : String(error) };
  } finally {
    clearTimeout(timer);
  }
};

/** Node 22.18 and 23.6 on: types are taken out. */
const readsTypeScript = (): boolean => Boolean((process.features as { typescript?: unknown }).typescript);

const packageEntry = async (name: string, folder: string): Promise<string | null> => {
  try {
    return createRequire(join(folder, 'doctor.yaml')).resolve(name);
  } catch {
    return esmEntry(name, folder);
  }
};

/** Of a package for `import` alone, which `require` does not find. */
const esmEntry = async (name: string, folder: string): Promise<string | null> => {
  const root = join(folder, 'node_modules', name);
  const text = await readFile(join(root, 'package.json'), 'utf8').catch(() => null);
  if (text === null) return dirname(folder) === folder ? null : esmEntry(name, dirname(folder));
  try {
    const { exports, module, main } = JSON.parse(text) as { exports?: unknown; module?: string; main?: string };
    return join(root, entryIn(exports) ?? module ?? main ?? 'index.js');
  } catch {
    return null;
  }
};

const entryIn = (exports: unknown): string | null => {
  if (typeof exports === 'string') return exports;
  if (exports === null || typeof exports !== 'object') return null;
  const known = exports as Record<string, unknown>;
  return entryIn(known['.'] ?? known['import'] ?? known['default'] ?? known['node'] ?? null);
};
