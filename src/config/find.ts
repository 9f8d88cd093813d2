/** Where a configuration lies: named by the user, or beside the compose file. Loads nothing else, for most stacks have none. */
import { stat } from 'node:fs/promises';
import { join, relative, resolve } from 'node:path';
import { ConfigError } from '../model/usage-error.ts';

const NAMES = ['doctor.yaml', 'doctor.yml'];

export interface ConfigFile {
  /** Absolute. */
  path: string;
  shownAs: string;
}

/** `folder`: of the project; `null`: not known, so that only a named file counts. Errors: `ConfigError`. */
export const findConfig = async (named: string | null, cwd: string, folder: string | null): Promise<ConfigFile | null> => {
  if (named !== null) return { path: resolve(cwd, named), shownAs: named };
  if (folder === null) return null;
  const there = await Promise.all(NAMES.map((name) => stat(join(folder, name)).then(() => true, isAbsent)));
  const found = NAMES.filter((_, index) => there[index]);
  if (found.length > 1) throw new ConfigError(`${found.join(' and ')} both lie in ${folder}; keep one of them`);
  const path = found[0] === undefined ? null : join(folder, found[0]);
  return path === null ? null : { path, shownAs: shown(path, cwd) };
};

/** Where a new one goes: nothing may be there. Errors: `ConfigError`. */
export const newConfig = async (named: string | null, cwd: string, folder: string): Promise<ConfigFile> => {
  const there = await findConfig(null, cwd, folder);
  if (named === null && there) throw new ConfigError(`${there.shownAs} is there already; it is left as it is`);
  const path = named === null ? join(folder, NAMES[0]!) : resolve(cwd, named);
  if (await stat(path).then(() => true, isAbsent)) throw new ConfigError(`${named} is there already; it is left as it is`);
  return { path, shownAs: named ?? shown(path, cwd) };
};

/** What is there and may not be looked at is an error, told when it is read. */
const isAbsent = ({ code }: NodeJS.ErrnoException): boolean => code !== 'ENOENT' && code !== 'ENOTDIR';

const shown = (path: string, cwd: string): string => {
  const way = relative(cwd, path);
  return way.startsWith('..') ? path : way;
};
