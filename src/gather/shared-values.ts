/** Lines that give a variable to several services: what is wrong there is wrong once, however many read it. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { FileLine, ProjectFact, SharedValue } from '../model/facts.ts';
import { shownPath, type ProjectPlace } from './compose-files.ts';
import { readComposeLines } from './compose-lines.ts';

export const gatherShared = async (project: ProjectFact, place: ProjectPlace): Promise<SharedValue[]> => {
  const compose = await readComposeLines(place.files, place.workingDir);
  const tables = new Map<string, Promise<Map<string, number>>>();
  const linesOf = (file: string): Promise<Map<string, number>> => {
    const table = tables.get(file) ?? readFile(file, 'utf8').then(linesByName, () => new Map<string, number>());
    tables.set(file, table);
    return table;
  };
  const inFiles = async (files: readonly string[], name: string): Promise<FileLine | null> => {
    for (const file of files) {
      const line = (await linesOf(file)).get(name);
      if (line !== undefined) return { file: shownPath(file, place.workingDir), line };
    }
    return null;
  };
  const dotEnv = place.envFiles.length > 0 ? place.envFiles.toReversed() : [join(place.workingDir, '.env')];
  const placeOf = async (service: string, name: string): Promise<FileLine | null> => {
    const written = compose.variable(service, name);
    if (!written) return inFiles(compose.envFiles(service), name);
    // Nothing but a variable of the project: what it holds stands in one place for all.
    const whole = /^\$(?:\{(\w+)(?::?[-?+][^}]*)?\}|(\w+))$/.exec(written.text.trim());
    return (whole && (await inFiles(dotEnv, whole[1] ?? whole[2]!))) ?? written.at;
  };

  const found = new Map<string, SharedValue>();
  for (const { name: service, environment } of project.services ?? []) {
    for (const variable of Object.keys(environment)) {
      const at = await placeOf(service, variable);
      if (!at || at.line === null) continue;
      const key = `${at.file}:${at.line}:${variable}`;
      const known = found.get(key);
      if (known) known.services.push(service);
      else found.set(key, { ...at, variable, services: [service] });
    }
  }
  return [...found.values()].filter(({ services }) => services.length > 1);
};

/** As Compose does, the last line of a name counts. */
const linesByName = (text: string): Map<string, number> =>
  new Map(
    text.split('\n').flatMap((line, index) => {
      const name = /^[ \t]*(?:export[ \t]+)?([\w.-]+)[ \t]*[=:]/.exec(line)?.[1];
      return name === undefined ? [] : [[name, index + 1] as const];
    }),
  );
