/** Which Compose project is meant, and which files make it: as `docker compose` decides, before it is asked. */
import { readFile, stat } from 'node:fs/promises';
import { basename, dirname, isAbsolute, join, resolve } from 'node:path';
import { UsageError } from '../model/usage-error.ts';

export interface ProjectOptions {
  files: string[];
  projectName: string | null;
  projectDirectory: string | null;
  profiles: string[];
  envFiles: string[];
  cwd: string;
  env: Record<string, string | undefined>;
}

export interface ProjectPlace {
  name: string;
  workingDir: string;
  /** Absolute. Empty: known from labels alone. */
  files: string[];
  profiles: string[];
  envFiles: string[];
}

const DEFAULT_FILES = ['compose.yaml', 'compose.yml', 'docker-compose.yaml', 'docker-compose.yml'];

/** Errors: `UsageError` when there is no project here, or a named file cannot be read. */
export const findProject = async (options: ProjectOptions): Promise<ProjectPlace> => {
  const named = options.files.length > 0 ? options.files : await filesFromEnvironment(options.env);
  const found = named ? named.map((file) => resolve(options.cwd, file)) : await searchUpwards(options.projectDirectory ?? options.cwd);
  const first = found[0];
  const workingDir = resolve(options.cwd, options.projectDirectory ?? (first && first !== '-' ? dirname(first) : '.'));
  const envFiles = (options.envFiles.length > 0 ? options.envFiles.map((file) => resolve(options.cwd, file)) : [join(workingDir, '.env')]);
  const dotEnv = await readDotEnv(envFiles);
  const setting = (name: string): string | undefined => options.env[name] || dotEnv[name];

  const files = named || !setting('COMPOSE_FILE') ? found : splitList(setting('COMPOSE_FILE')!, setting).map((file) => resolve(workingDir, file));
  const givenName = options.projectName ?? setting('COMPOSE_PROJECT_NAME') ?? null;
  if (files.length === 0 && !givenName) {
    throw new UsageError(
      `no compose file in ${options.cwd} or any folder above it: go to a project's folder, name a file with -f, or a running project with -p`,
    );
  }
  for (const file of files) await assertReadable(file);
  return {
    name: normalise(givenName ?? (await nameInFiles(files)) ?? basename(workingDir)),
    workingDir,
    files,
    profiles: [...options.profiles, ...(setting('COMPOSE_PROFILES') ?? '').split(',')].map((each) => each.trim()).filter(Boolean),
    envFiles: options.envFiles.map((file) => resolve(options.cwd, file)),
  };
};

const filesFromEnvironment = async (env: Record<string, string | undefined>): Promise<string[] | null> =>
  env['COMPOSE_FILE'] ? splitList(env['COMPOSE_FILE'], (name) => env[name]) : null;

const splitList = (list: string, setting: (name: string) => string | undefined): string[] =>
  list.split(setting('COMPOSE_PATH_SEPARATOR') || (process.platform === 'win32' ? ';' : ':')).filter(Boolean);

const searchUpwards = async (from: string): Promise<string[]> => {
  const folder = resolve(from);
  for (const name of DEFAULT_FILES) {
    const file = join(folder, name);
    if (await isFile(file)) {
      const override = file.replace(/\.(ya?ml)$/, '.override.$1');
      const other = override.endsWith('.yaml') ? override.replace(/yaml$/, 'yml') : override.replace(/yml$/, 'yaml');
      for (const each of [override, other]) if (await isFile(each)) return [file, each];
      return [file];
    }
  }
  return dirname(folder) === folder ? [] : searchUpwards(dirname(folder));
};

const isFile = async (path: string): Promise<boolean> => (await stat(path).catch(() => null))?.isFile() ?? false;

const assertReadable = async (file: string): Promise<void> => {
  try {
    if ((await stat(file)).isDirectory()) throw Object.assign(new Error(), { code: 'EISDIR' });
    await (await import('node:fs/promises')).access(file, 4);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    const why = { ENOENT: 'there is no such file', EACCES: 'it may not be read', EISDIR: 'it is a folder' }[code ?? ''] ?? code;
    throw new UsageError(`compose file ${file}: ${why}`);
  }
};

/** `KEY=value` lines, as far as the `COMPOSE_*` settings need it: Compose itself reads the rest. */
const readDotEnv = async (files: string[]): Promise<Record<string, string>> => {
  const texts = await Promise.all(files.map((file) => readFile(file, 'utf8').catch(() => '')));
  return Object.fromEntries(
    texts
      .flatMap((text) => [...text.matchAll(/^\s*(?:export\s+)?(COMPOSE_\w+)\s*=\s*(.*?)\s*$/gm)])
      .map(([, key, value]) => [key!, value!.replace(/^(['"])(.*)\1.*$/, '$2').replace(/\s+#.*$/, '')]),
  );
};

/** A top-level `name:` of the last file that has one. Interpolated names are left to Compose. */
const nameInFiles = async (files: string[]): Promise<string | null> => {
  for (const file of files.toReversed()) {
    const text = await readFile(file, 'utf8').catch(() => '');
    const name = /^name:\s*["']?([^"'\s#]+)/m.exec(text)?.[1];
    if (name && !name.includes('$')) return name;
  }
  return null;
};

/** Compose's rule: lower case; letters, digits, `-` and `_`; no leading mark. */
const normalise = (name: string): string =>
  name
    .toLowerCase()
    .replace(/[^a-z0-9_-]/g, '')
    .replace(/^[_-]+/, '');

/** Relative where it lies inside the project's folder: shorter to read, and nothing of the machine in it. */
export const shownPath = (file: string, workingDir: string): string => {
  const inside = isAbsolute(file) && file.startsWith(`${workingDir}/`);
  return inside ? file.slice(workingDir.length + 1) : file;
};
