/** Compose's own words on why a project does not load, with the file and line they speak of. */
import { readFile } from 'node:fs/promises';
import type { ProjectFact } from '../model/facts.ts';
import { shownPath, type ProjectPlace } from './compose-files.ts';

export type ComposeError = NonNullable<ProjectFact['error']>;

export const composeError = async (stderr: string, place: ProjectPlace): Promise<ComposeError> => {
  const message = lastMessage(stderr);
  const named = place.files.find((file) => message.includes(file));
  const file = shownPath(named ?? place.files.at(-1) ?? '', place.workingDir);
  const shown = message.replaceAll(`${place.workingDir}/`, '');

  const required = /required variable (\S+) is missing a value/.exec(message);
  if (required) return { kind: 'required-variable', variable: required[1]!, message: shown, ...(await lineOf(new RegExp(`\\$\\{${escape(required[1]!)}\\b`), place)) };
  const envFile = /env file (.+?) not found/.exec(message);
  if (envFile) {
    const name = shownPath(envFile[1]!, place.workingDir);
    return { kind: 'env-file-missing', variable: null, message: `env file ${name} not found`, ...(await lineOf(new RegExp(escape(name)), place)) };
  }
  const at = /yaml: (?:.*?: )?line (\d+)|\[(\d+):\d+\]|line (\d+), column/.exec(message);
  if (at) return { kind: 'syntax', variable: null, message: shown, file, line: Number(at[1] ?? at[2] ?? at[3]) };
  const about = namedThing(message);
  const place_ = about ? await lineOf(about, place) : { file, line: null };
  return { kind: /invalid compose project|additional propert|must be|depends on|undefined/.test(message) ? 'schema' : 'other', variable: null, message: shown, ...place_ };
};

/** Warnings come first, as logfmt; the error is what is left. */
const lastMessage = (stderr: string): string =>
  stderr
    .split('\n')
    .filter((line) => line.trim() && !/^time=.*level=(warning|info)/.test(line))
    .join(' ')
    .trim() || 'docker compose config failed and said nothing';

/** What the message names, as it would stand in the file: a key that is not allowed, or a service's own line. */
const namedThing = (message: string): RegExp | null => {
  const key = /additional propert(?:y|ies) '([^']+)'/i.exec(message)?.[1];
  if (key) return new RegExp(`^\\s*["']?${escape(key)}["']?\\s*:`);
  const undefinedThing = /undefined (?:volume|network|secret|config|service) "?([\w.-]+)/.exec(message)?.[1];
  if (undefinedThing) return new RegExp(`[\\s"':-]${escape(undefinedThing)}\\b`);
  const service = /service "([^"]+)"|services\.([\w-]+)/.exec(message);
  return service ? new RegExp(`^\\s*${escape((service[1] ?? service[2])!)}\\s*:`) : null;
};

const escape = (text: string): string => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');

/** The first line of the project's files that matches. */
const lineOf = async (pattern: RegExp, place: ProjectPlace): Promise<{ file: string; line: number | null }> => {
  for (const file of place.files) {
    const lines = (await readFile(file, 'utf8').catch(() => '')).split('\n');
    const index = lines.findIndex((line) => !/^\s*#/.test(line) && pattern.test(line));
    if (index >= 0) return { file: shownPath(file, place.workingDir), line: index + 1 };
  }
  return { file: shownPath(place.files[0] ?? '', place.workingDir), line: null };
};
