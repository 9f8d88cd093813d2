/** Reads `/proc/<pid>/mountinfo`: what is mounted where, as the kernel sees it now. Pure. */
import type { MountView } from '../model/facts.ts';

export interface Mount {
  /** `major:minor` of the file system. */
  device: string;
  /** The folder or file of that file system that is mounted. */
  root: string;
  /** The kernel adds `//deleted` to a root that was removed while mounted. */
  deleted: boolean;
  target: string;
  readOnly: boolean;
  fsType: string;
}

/** Lines that are no mounts are left out. In the order of mounting: of two on one target, the later is seen. */
export const parseMountinfo = (text: string): Mount[] => {
  const mounts: Mount[] = [];
  for (const line of text.split('\n')) {
    // `36 35 98:0 /root /target rw,noatime master:1 - ext3 /dev/root rw`: the number of fields before the dash varies.
    const [before, after] = line.split(' - ', 2);
    const [, , device, root, target, options] = (before ?? '').split(' ');
    const [fsType, , superOptions] = (after ?? '').split(' ');
    if (!device || !root || !target || !options || !fsType) continue;
    const path = unescapePath(root);
    const deleted = path.endsWith('//deleted');
    mounts.push({
      device,
      root: deleted ? path.slice(0, -'//deleted'.length) || '/' : path,
      deleted,
      target: unescapePath(target),
      readOnly: isReadOnly(options) || isReadOnly(superOptions ?? ''),
      fsType,
    });
  }
  return mounts;
};

/** The mount that is seen at exactly this path. */
export const mountAt = (mounts: Mount[], target: string): Mount | undefined => mounts.findLast((mount) => mount.target === target);

/** Where a path lies: its file system, and its path there. The path must be free of symbolic links. */
export const placeOf = (path: string, mounts: Mount[]): { device: string; root: string } | null => {
  let holder: Mount | undefined;
  for (const mount of mounts) {
    if (isWithin(path, mount.target) && (!holder || mount.target.length >= holder.target.length)) holder = mount;
  }
  if (!holder || holder.deleted) return null;
  return { device: holder.device, root: joinPath(holder.root, path.slice(holder.target === '/' ? 0 : holder.target.length)) };
};

/** The mounts at the root and at or under the destinations that the container was given. */
export const mountViews = (mounts: Mount[], destinations: string[]): MountView[] =>
  mounts
    .filter((mount, index) => mounts.findLastIndex((later) => later.target === mount.target) === index)
    .filter((mount) => mount.target === '/' || destinations.some((destination) => isWithin(mount.target, destination)))
    .map(({ target, root, deleted, fsType, readOnly }) => ({ destination: target, root, deleted, fsType, readOnly }));

/** Is the path this folder, or below it? Both absolute, without a slash at the end. */
export const isWithin = (path: string, folder: string): boolean => folder === '/' || path === folder || path.startsWith(`${folder}/`);

const joinPath = (folder: string, rest: string): string => (folder === '/' ? rest || '/' : folder + (rest === '/' ? '' : rest));

const isReadOnly = (options: string): boolean => options.split(',').includes('ro');

/** Blank, tab, line end, backslash and `#` are written as three octal digits. */
const unescapePath = (path: string): string =>
  path.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
