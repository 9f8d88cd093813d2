/** What the judges of mounts are given, and how a source is told. */
import type { Evidence } from '../../model/check.ts';
import type { InsideFact, LogLine, MountsFact } from '../../model/facts.ts';
import type { Container, Service, Stack } from '../../model/stack.ts';

export interface Scene {
  service: Service;
  stack: Stack;
  container: Container;
  inside: InsideFact | null;
  log: LogLine[];
  now: string;
}

export type Source = MountsFact['sources'][number];

export const valuesOf = ({ destination, source }: Source, { container }: Scene): Record<string, string> => ({
  container: container.name,
  path: destination,
  hostPath: source,
});

export const lookedAt = ({ source, uid, mode, bornAt }: Source): Evidence => ({
  source: `host: ${source}`,
  text: `an empty folder, owner ${uid ?? 'unknown'}, mode ${mode ?? 'unknown'}${bornAt ? `, made ${bornAt}` : ''}`,
});
