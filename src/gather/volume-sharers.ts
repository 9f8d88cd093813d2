/** Who else runs on the volumes of a database. */
import { basename } from 'node:path';
import type { VolumeSharer } from '../model/facts.ts';
import type { Gathering } from './gathering.ts';

/** Asked only of volumes with a name of their own: Compose begins all others with the name of the project. */
export const sharersOf = async (
  mounts: readonly { type: string; source: string; destination: string }[],
  project: string,
  { engine, signal }: Gathering,
): Promise<VolumeSharer[]> => {
  const own = mounts.filter(
    ({ type, source }) => type === 'volume' && source !== '' && !source.startsWith(`${project}_`) && !/^[0-9a-f]{64}$/.test(source),
  );
  const found = await Promise.all(
    own.map(async ({ source, destination }) => {
      const rows = await engine.get<
        {
          Names: string[];
          State: string;
          Labels?: Record<string, string>;
          Mounts?: { Type?: string; Name?: string; Destination?: string }[];
        }[]
      >('/containers/json', { filters: JSON.stringify({ volume: [source] }) }, signal);
      return rows.flatMap((row): VolumeSharer[] => {
        const other = row.Labels?.['com.docker.compose.project'] ?? null;
        const same = row.Mounts?.some((each) => each.Type === 'volume' && each.Name === source && each.Destination === destination);
        return same && other !== project ? [{ volume: source, destination, container: basename(row.Names[0] ?? ''), project: other }] : [];
      });
    }),
  );
  return found.flat();
};
