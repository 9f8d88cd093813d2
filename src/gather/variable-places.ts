/** Where unset variables stand in the compose files, and which environment keys they leave blank. */
import { readFile } from 'node:fs/promises';
import { isMap, isScalar, isSeq, LineCounter, parseDocument, type Document } from 'yaml';
import type { ProjectFact } from '../model/facts.ts';
import { shownPath, type ProjectPlace } from './compose-files.ts';

type Places = { lines: ProjectFact['unsetVariables']; blanks: ProjectFact['blanks'] };

export const placesOf = async (variables: string[], place: ProjectPlace): Promise<Places> => {
  const found: Places = { lines: [], blanks: [] };
  for (const file of place.files) {
    const text = await readFile(file, 'utf8').catch(() => '');
    const lines = text.split('\n');
    for (const variable of variables) {
      const use = useOf(variable);
      const index = lines.findIndex((line) => !/^\s*#/.test(line) && use.test(line));
      if (index >= 0) found.lines.push({ variable, file: shownPath(file, place.workingDir), line: index + 1 });
    }
    found.blanks.push(...blanksOf(parse(text), variables));
  }
  const located = new Set(found.lines.map((each) => each.variable));
  // Used in an included or extended file: known, with no line.
  for (const variable of variables) {
    if (!located.has(variable)) found.lines.push({ variable, file: shownPath(place.files[0] ?? '', place.workingDir), line: null });
  }
  return found;
};

/** `$NAME`, `${NAME}`, `${NAME…}`, but not `$$NAME`. */
const useOf = (variable: string): RegExp => new RegExp(`(?<!\\$)\\$(?:\\{${variable}[}:?+-]|${variable}\\b)`);

const parse = (text: string): Document | null => {
  try {
    return parseDocument(text, { lineCounter: new LineCounter(), logLevel: 'silent' });
  } catch {
    return null;
  }
};

const blanksOf = (document: Document | null, variables: string[]): Places['blanks'] => {
  const services = document?.get('services');
  if (!isMap(services)) return [];
  return services.items.flatMap((item) => {
    const name = isScalar(item.key) ? String(item.key.value) : '';
    const environment = isMap(item.value) ? item.value.get('environment') : null;
    const pairs: [string, string][] = isMap(environment)
      ? environment.items.map((pair) => [String(isScalar(pair.key) ? pair.key.value : ''), String(isScalar(pair.value) ? pair.value.value : '')])
      : isSeq(environment)
        ? environment.items.map((entry) => String(isScalar(entry) ? entry.value : '')).map((entry) => split(entry))
        : [];
    return pairs.flatMap(([key, value]) => variables.filter((variable) => useOf(variable).test(value)).map((variable) => ({ variable, service: name, key })));
  });
};

const split = (entry: string): [string, string] => {
  const at = entry.indexOf('=');
  return at < 0 ? [entry, ''] : [entry.slice(0, at), entry.slice(at + 1)];
};
