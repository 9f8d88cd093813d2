/** Folders of the host, and who mounts them. */
import type { Stack } from '../model/stack.ts';

/** Host folders that each service mounts. */
export const foldersOf = ({ services }: Stack): Map<string, string[]> =>
  new Map(
    services.map(({ name, containers }) => [
      name,
      [...new Set(containers.flatMap(({ mounts }) => mounts.filter(({ type }) => type === 'bind').map(({ source }) => source)))],
    ]),
  );

/** One is the other, or lies in it. */
export const overlaps = (a: string, b: string): boolean => a === b || a.startsWith(`${b}/`) || b.startsWith(`${a}/`);
