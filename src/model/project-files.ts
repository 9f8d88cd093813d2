/** From which files was a container made, and are they the ones that were read now? Labels hold absolute paths. */
import type { FileLine, ProjectFact } from './facts.ts';
import type { Container } from './stack.ts';

/** Docker Desktop shows host paths below a prefix of its own; macOS has `/tmp` at `/private/tmp`; Windows does not mind case or slashes. */
export const plainPath = (path: string): string => {
  const slashed = /^[A-Za-z]:[\\/]/.test(path) ? `/${path[0]!.toLowerCase()}${path.slice(2).replaceAll('\\', '/')}` : path;
  const bare = slashed.replace(/^\/(?:run\/desktop\/mnt\/host|host_mnt|mnt\/host|private)(?=\/)/, '');
  const parts: string[] = [];
  for (const part of bare.split('/')) {
    if (part === '..') parts.pop();
    else if (part !== '' && part !== '.') parts.push(part);
  }
  return `/${parts.join('/')}`;
};

export const samePath = (a: string, b: string): boolean => plainPath(a) === plainPath(b);

/** Relative paths are of this folder. */
const within = (folder: string, path: string): string => (/^(\/|[A-Za-z]:[\\/])/.test(path) ? path : `${folder}/${path}`);

/** Compose files that made the container and were not read now: other `-f` flags, or another `COMPOSE_FILE`. */
export const absentFiles = (container: Container, project: ProjectFact): string[] => {
  const read = project.files.map((file) => plainPath(within(project.workingDir, file)));
  return container.compose.configFiles.filter((file) => !read.includes(plainPath(within(container.compose.workingDir, file))));
};

/** Was the container made by the same call as the one that read the files now? `--env-file` other than `.env` cannot be known. */
export const madeOfTheseFiles = (container: Container, project: ProjectFact): boolean => {
  const { configFiles, environmentFiles, workingDir } = container.compose;
  if (configFiles.length === 0) return true;
  const plainEnv = environmentFiles.every((file) => samePath(within(workingDir, file), `${workingDir}/.env`));
  return plainEnv && configFiles.length === project.files.length && absentFiles(container, project).length === 0;
};

/** `compose.yaml:12`. */
export const placeOf = ({ file, line }: FileLine): string => (line === null ? file : `${file}:${line}`);
