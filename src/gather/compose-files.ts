/** Which Compose project is meant, and which files make it: as `docker compose` decides, before it is asked. */
import { access, lstat, readFile, stat } from 'node:fs/promises';
import { basename, dirname, isAbsolute, join, resolve } from 'node:path';
import type { ProjectFact } from '../model/facts.ts';
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
  /** Somebody said the name, by `-p` or `COMPOSE_PROJECT_NAME`. */
  isNamed?: boolean;
  /** The name is that of a project which runs: it was started from this folder, or is the only one. */
  pickedBy?: ProjectFact['pickedBy'];
}

/** In Compose's order of preference; an override need not be spelled as the file that it overrides. */
const DEFAULT_FILES = ['compose.yaml', 'compose.yml', 'docker-compose.yml', 'docker-compose.yaml'];
const OVERRIDE_FILES = ['compose.override.yml', 'compose.override.yaml', 'docker-compose.override.yml', 'docker-compose.override.yaml'];

/** Neither a file nor a name: the engine may still know a project of this folder. */
export class NoProject extends UsageError {}

/** Errors: `NoProject` when there is none here; `UsageError` when a named file cannot be read. */
export const findProject = async (options: ProjectOptions): Promise<ProjectPlace> => {
  const at = (path: string) => resolve(options.cwd, path);
  const named = options.files.map(at);
  const envFiles = [
    ...options.envFiles,
    ...(options.envFiles.length > 0 ? [] : (options.env['COMPOSE_ENV_FILES'] ?? '').split(',').filter(Boolean)),
  ].map(at);
  // Compose reads the .env of the current folder first, then that of the project's.
  const start = options.projectDirectory ? at(options.projectDirectory) : named[0] ? dirname(named[0]) : options.cwd;
  const nearby = await readDotEnv(envFiles.length > 0 ? envFiles : [join(start, '.env')]);
  const fromSettings = options.env['COMPOSE_FILE'] || nearby['COMPOSE_FILE'];

  const files =
    named.length > 0
      ? named
      : fromSettings
        ? splitList(fromSettings, options.env['COMPOSE_PATH_SEPARATOR'] || nearby['COMPOSE_PATH_SEPARATOR']).map(at)
        : await searchUpwards(start);
  const workingDir = options.projectDirectory ? at(options.projectDirectory) : files[0] ? dirname(files[0]) : options.cwd;
  const own = envFiles.length > 0 || workingDir === start ? {} : await readDotEnv([join(workingDir, '.env')]);
  const variables: Variables = { ...own, ...nearby, ...options.env };
  const setting = (name: string): string | undefined => options.env[name] || nearby[name] || own[name];

  const givenName = options.projectName ?? setting('COMPOSE_PROJECT_NAME') ?? null;
  if (files.length === 0 && !givenName) {
    throw new NoProject(
      `no compose file in ${options.cwd} or any folder above it: go to a project's folder, name a file with -f, or a running project with -p`,
    );
  }
  for (const file of files) await assertReadable(file);
  return {
    name: normalise(givenName ?? (await nameInFiles(files, variables)) ?? basename(workingDir)),
    workingDir,
    files,
    ...(givenName ? { isNamed: true } : {}),
    profiles: (options.profiles.length > 0 ? options.profiles : (setting('COMPOSE_PROFILES') ?? '').split(','))
      .map((each) => each.trim())
      .filter(Boolean),
    // Compose is called with the project's folder as its own, and would not see the nearer file.
    envFiles:
      envFiles.length > 0 || workingDir === start || Object.keys(nearby).length === 0
        ? envFiles
        : await existing([join(workingDir, '.env'), join(start, '.env')]),
  };
};

const splitList = (list: string, separator: string | undefined): string[] =>
  list.split(separator || (process.platform === 'win32' ? ';' : ':')).filter(Boolean);

const searchUpwards = async (from: string): Promise<string[]> => {
  const folder = resolve(from);
  const [file] = await present(DEFAULT_FILES.map((name) => join(folder, name)));
  if (file) return [file, ...(await existing(OVERRIDE_FILES.map((name) => join(folder, name)))).slice(0, 1)];
  return dirname(folder) === folder ? [] : searchUpwards(dirname(folder));
};

/** Also a link that leads nowhere: somebody meant it to be there. */
const present = async (paths: string[]): Promise<string[]> => {
  const found = await Promise.all(
    paths.map(async (path) => (await isFile(path)) || ((await lstat(path).catch(() => null))?.isSymbolicLink() ?? false)),
  );
  return paths.filter((_, index) => found[index]);
};

const existing = async (paths: string[]): Promise<string[]> => {
  const found = await Promise.all(paths.map(isFile));
  return paths.filter((_, index) => found[index]);
};

const isFile = async (path: string): Promise<boolean> => (await stat(path).catch(() => null))?.isFile() ?? false;

const assertReadable = async (file: string): Promise<void> => {
  try {
    if ((await stat(file)).isDirectory()) throw Object.assign(new Error(), { code: 'EISDIR' });
    await access(file, 4);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    const why =
      {
        ENOENT: (await lstat(file).catch(() => null)) ? 'it is a symbolic link to nothing' : 'there is no such file',
        ELOOP: 'its symbolic link leads in a circle',
        EACCES: 'it may not be read',
        EISDIR: 'it is a folder',
      }[code ?? ''] ?? code;
    throw new UsageError(`compose file ${file}: ${why}`);
  }
};

export type Variables = Record<string, string | undefined>;

/** `KEY=value` lines; of several files the last one wins. Values that refer to other variables are left as written. */
export const readDotEnv = async (files: string[]): Promise<Record<string, string>> => {
  const texts = await Promise.all(files.map((file) => readFile(file, 'utf8').catch(() => '')));
  const lines = texts.flatMap((text) => [...text.matchAll(/^[ \t]*(?:export[ \t]+)?([\w.-]+)[ \t]*[=:][ \t]*(.*?)[ \t\r]*$/gm)]);
  return Object.fromEntries(
    lines.map(([, key, value]) => [key!, /^(['"])(.*?)\1(?:\s|$)/.exec(value!)?.[2] ?? value!.replace(/(^|\s)#.*$/, '').trim()]),
  );
};

/** Compose files may be JSON, which YAML contains. */
const nameInJson = (text: string): string | undefined => {
  if (!/^\s*\{/.test(text)) return undefined;
  try {
    const { name } = JSON.parse(text) as { name?: unknown };
    return typeof name === 'string' ? name : undefined;
  } catch {
    return undefined;
  }
};

/** A top-level `name:` of the last file that has one. */
const nameInFiles = async (files: string[], variables: Variables): Promise<string | null> => {
  for (const file of files.toReversed()) {
    const text = await readFile(file, 'utf8').catch(() => '');
    const name =
      nameInJson(text) ??
      /^name:[ \t]*(?:"([^"\n]*)"|'([^'\n]*)'|([^"'\s#]+))/m
        .exec(text)
        ?.slice(1)
        .find((each) => each !== undefined);
    if (name) return interpolate(name, variables).text;
  }
  return null;
};

export interface Interpolated {
  text: string;
  /** Variables that are not set, and have no default. */
  unset: string[];
  /** Of `${NAME:?message}`. */
  required: { variable: string; message: string }[];
}

const DEEPEST = 10;

/** Compose's `$NAME`, `${NAME:-default}`, `${NAME:+other}`, `${NAME:?message}`; `$$` is a dollar. */
export const interpolate = (text: string, variables: Variables, depth = 0): Interpolated => {
  const unset: string[] = [];
  const required: Interpolated['required'] = [];
  const nested = (word: string): string => {
    const inner = depth < DEEPEST ? interpolate(word, variables, depth + 1) : { text: word, unset: [], required: [] };
    unset.push(...inner.unset);
    required.push(...inner.required);
    return inner.text;
  };
  // A default may hold a variable with a default.
  const found = text.replace(
    /\$\$|\$\{(\w+)(?:(:?[-?+])((?:[^{}]|\{(?:[^{}]|\{[^{}]*\})*\})*))?\}|\$([A-Za-z_]\w*)/g,
    (all, name?: string, operator?: string, word = '', bare?: string) => {
      if (all === '$$') return '$';
      const variable = (name ?? bare)!;
      const value = variables[variable];
      const isGiven = operator?.startsWith(':') ? Boolean(value) : value !== undefined;
      if (operator?.endsWith('-')) return isGiven ? value! : nested(word);
      if (operator?.endsWith('+')) return isGiven ? nested(word) : '';
      if (operator && !isGiven) required.push({ variable, message: word });
      else if (value === undefined) unset.push(variable);
      return value ?? '';
    },
  );
  return { text: found, unset, required };
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
