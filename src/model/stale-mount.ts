/**
 * A bind mount holds the folder that had the name when the container started, not the name. A folder that is deleted or renamed and made
 * anew is another one, which the container sees only after a restart.
 */
import type { Evidence } from './check.ts';
import type { Fact, InsideFact } from './facts.ts';

export interface HeldFolder {
  service: string;
  /** Host path of the mount, as declared. */
  source: string;
  destination: string;
  hostInode: number | null;
  insideInode: number | null;
  /** Seen to differ in another way too: no entries inside and some outside, other bytes. */
  differs: boolean;
}

export interface Stale {
  how: 'deleted' | 'renamed' | 'replaced';
  /** Where the kernel says the mount is now. */
  root: string;
  evidence: Evidence[];
}

export const staleMount = (held: HeldFolder, inside: Fact<InsideFact>): Stale | null => {
  const { service, destination, source, hostInode, insideInode } = held;
  const view = inside.ok ? inside.value.mounts.find((mount) => mount.destination === destination) : undefined;
  const inodesKnown = hostInode !== null && insideInode !== null;
  const evidence: Evidence[] = [];
  if (view) evidence.push({ source: `mountinfo of ${service}`, text: `${destination} is ${view.root}${view.deleted ? '//deleted' : ''}` });
  if (inodesKnown) evidence.push({ source: 'inodes', text: `${source} is ${hostInode} on the host and ${insideInode} in ${service}` });
  const stale = (how: Stale['how']): Stale => ({ how, root: view?.root ?? source, evidence });

  if (view?.deleted) return stale('deleted');
  if (inodesKnown && hostInode === insideInode) return null;
  const renamed = view !== undefined && view.root !== '/' && lastName(view.root) !== lastName(source);
  if (inodesKnown) {
    // Only the same kernel numbers inodes alike: through a VM's file sharing they differ on a healthy mount.
    const comparable = inside.ok && inside.value.via === 'proc';
    return comparable || held.differs || renamed ? stale(renamed ? 'renamed' : 'replaced') : null;
  }
  return renamed && held.differs ? stale('renamed') : null;
};

/** Is the file or folder at the mount another than the one that has the name now? What the kernel says of it alone. */
export const holdsAnother = ({ root, deleted }: { root: string; deleted: boolean }, source: string): boolean =>
  deleted || (root !== '/' && lastName(root) !== lastName(source));

/** Without regard to case and Unicode form, which macOS does not keep. */
const lastName = (path: string): string => path.replace(/\/+$/, '').split('/').at(-1)!.normalize('NFC').toLowerCase();

/** What the service holds instead, for a message: `the deleted folder /src/dist`. */
export const heldInstead = ({ how, root }: Stale, source: string): string => {
  if (how === 'deleted') return `the deleted folder ${source}`;
  return how === 'renamed' ? `the folder that is now called ${root}` : `another folder than the one that is now at ${source}`;
};

/** Is the path this folder, or below it? */
export const liesIn = (path: string, folder: string): boolean => {
  const base = folder.replace(/\/+$/, '');
  return path === folder || path === base || path.startsWith(`${base}/`);
};
