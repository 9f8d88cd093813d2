/** Where unset variables stand in the compose files, and which environment keys they leave blank. */
import { parse } from 'yaml';
import type { ProjectFact } from '../model/facts.ts';
import { shownPath, type ProjectPlace } from './compose-files.ts';
import { composeText } from './compose-text.ts';

type Places = { lines: ProjectFact['unsetVariables']; blanks: ProjectFact['blanks'] };

export const placesOf = async (variables: string[], place: ProjectPlace): Promise<Places> => {
  const found: Places = { lines: [], blanks: [] };
  for (const file of place.files) {
    const text = (await composeText(file)) ?? '';
    const lines = text.split('\n');
    for (const variable of variables) {
      const use = useOf(variable);
      const index = lines.findIndex((line) => !/^\s*#/.test(line) && use.test(line));
      if (index >= 0) found.lines.push({ variable, file: shownPath(file, place.workingDir), line: index + 1 });
    }
    found.blanks.push(...blanksOf(readYaml(text), variables));
  }
  const located = new Set(found.lines.map((each) => each.variable));
  // Used in an included or extended file: known, with no line.
  for (const variable of variables) {
    if (!located.has(variable)) found.lines.push({ variable, file: shownPath(place.files[0] ?? '', place.workingDir), line: null });
  }
  return found;
};

/** `$NAME`, `${NAME}`, `${NAME…}`, but not `$$NAME`. */
export const useOf = (variable: string): RegExp => new RegExp(`(?<!\\$)\\$(?:\\{${variable}[}:?+-]|${variable}\\b)`);

/** Anchors and merge keys resolved; `null` when it is no YAML. */
export const readYaml = (text: string): unknown => {
  try {
    return parse(text, { merge: true, maxAliasCount: 1_000, logLevel: 'silent' });
  } catch {
    return null;
  }
};

const entries = (value: unknown): [string, unknown][] =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? Object.entries(value) : [];

export const blanksOf = (document: unknown, variables: string[]): Places['blanks'] => {
  const services = entries(document).find(([key]) => key === 'services')?.[1];
  return entries(services).flatMap(([service, spec]) => {
    const environment = entries(spec).find(([key]) => key === 'environment')?.[1];
    const pairs = Array.isArray(environment)
      ? environment.map((entry) => split(String(entry)))
      : entries(environment).map(([key, value]) => [key, String(value)] as const);
    return pairs.flatMap(([key, value]) =>
      variables.filter((variable) => useOf(variable).test(value)).map((variable) => ({ variable, service, key })),
    );
  });
};

const split = (entry: string): [string, string] => {
  const at = entry.indexOf('=');
  return at < 0 ? [entry, ''] : [entry.slice(0, at), entry.slice(at + 1)];
};
