/** Where the files say a thing, and how it is quoted. */
import type { Known } from '../../model/check.ts';
import type { MakingFact } from '../../model/facts.ts';
import { placeOf } from '../../model/project-files.ts';
import type { Container } from '../../model/stack.ts';

export type Lines = NonNullable<MakingFact['lines']>;

/** `compose.yaml:12` where the line is known. */
export const written = (lines: Lines, what: string, otherwise: string): string => {
  const at = Object.hasOwn(lines, what) ? lines[what] : undefined;
  return at ? placeOf(at) : otherwise;
};

export const valueOf = (container: Container, key: string): string | undefined =>
  Object.hasOwn(container.env, key) ? container.env[key] : undefined;

export const cut = (text: string): string => (text.length > 200 ? `${text.slice(0, 199)}…` : text);

export type Peers = Record<string, Known<'postgres' | 'redis' | 'making'>>;
