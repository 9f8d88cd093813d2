/** Values that a service gets otherwise than the files seem to say: eaten by a `$` or a `#`, or overruled by the shell. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { AlteredValue } from '../model/facts.ts';
import { isSecretName } from '../model/secrets.ts';
import { readDotEnv, shownPath, type ProjectPlace } from './compose-files.ts';
import { composeText } from './compose-text.ts';

interface EnvLine {
  key: string;
  /** As it is written, quotes and all. */
  raw: string;
  file: string;
  line: number;
}

/** What Compose and the docker CLI read for themselves. */
const OWN = /^(COMPOSE|DOCKER|BUILDKIT|BUILDX)_/;

/** `unset`: the names that Compose warned of. */
export const alteredValues = async (
  place: ProjectPlace,
  env: Record<string, string | undefined>,
  unset: readonly string[],
): Promise<AlteredValue[]> => {
  const files = place.envFiles.length > 0 ? place.envFiles : [join(place.workingDir, '.env')];
  const [lines, values] = await Promise.all([linesOf(files, place), readDotEnv(files)]);
  const shell = lines.filter(({ key }) => env[key] !== undefined && !OWN.test(key) && isPlain(values[key]) && env[key] !== values[key]);
  const cut = lines.filter(({ key, raw }) => isSecretName(key) && /^[^\s"'#]+\s+#[^\s#]+$/.test(raw));
  const eaten = lines.flatMap((each) =>
    unset.filter((name) => !each.raw.startsWith("'") && holds(each.raw, name)).map((name) => ({ ...each, name })),
  );
  if (shell.length + cut.length + eaten.length + unset.length === 0) return [];

  const { blanksOf, readYaml } = await import('./variable-places.ts');
  const composed = await Promise.all(
    place.files.map(async (file) => ({ file: shownPath(file, place.workingDir), text: (await composeText(file)) ?? '' })),
  );
  const documents = composed.map(({ text }) => readYaml(text));
  const usesOf = (key: string) => documents.flatMap((document) => blanksOf(document, [key]));
  const toServices = (how: AlteredValue['how'], each: EnvLine, variable: string): AlteredValue[] =>
    usesOf(each.key).map(({ service, key }) => ({ how, variable, service, key, file: each.file, line: each.line }));
  return [
    ...eaten.flatMap((each) => toServices('dollar', each, each.name)),
    ...composed.flatMap(({ file, text }, index) =>
      blanksOf(documents[index], [...unset]).flatMap(({ variable, service, key }) => {
        const line = eatenLine(text, variable, key);
        return line === null ? [] : [{ how: 'dollar' as const, variable, service, key, file, line }];
      }),
    ),
    ...cut.flatMap((each) => toServices('comment', each, each.key)),
    ...shell.flatMap((each) => toServices('shell', each, each.key)),
  ];
};

/** One that refers to another is what Compose makes of it. */
const isPlain = (value: string | undefined): value is string => value !== undefined && !value.includes('$');

const linesOf = async (files: string[], place: ProjectPlace): Promise<EnvLine[]> => {
  const texts = await Promise.all(files.map((file) => readFile(file, 'utf8').catch(() => '')));
  return texts.flatMap((text, index) =>
    text.split('\n').flatMap((written, at) => {
      const found = /^[ \t]*(?:export[ \t]+)?([\w.-]+)[ \t]*=[ \t]*(.*?)[ \t\r]*$/.exec(written);
      return found ? [{ key: found[1]!, raw: found[2]!, file: shownPath(files[index]!, place.workingDir), line: at + 1 }] : [];
    }),
  );
};

/** Within a longer value, and without braces: nobody who means a variable writes it so. */
const holds = (raw: string, name: string): boolean => new RegExp(`[^\\s$"'/:=@,-]\\$${name}(?![\\w])`).test(raw);

/** The line of a compose file where a secret, or a URL's password, holds `$name`; `null` where it is a variable that is meant. */
const eatenLine = (text: string, name: string, key: string): number | null => {
  const lines = text.split('\n');
  const at = lines.findIndex((line) => !/^\s*#/.test(line) && holds(line, name));
  if (at < 0) return null;
  const inPassword = new RegExp(`://[^/@\\s]*:[^/@\\s]*\\$${name}[^/@\\s]*@`).test(lines[at]!);
  return inPassword || isSecretName(key) ? at + 1 : null;
};
