/** Image references, as people write them and as Docker completes them. */

const DIGEST = /@sha256:[0-9a-f]{64}$/;

export const isPinned = (ref: string): boolean => DIGEST.test(ref) || /^sha256:/.test(ref);

/** `postgres` → `docker.io/library/postgres:latest`. */
export const fullRef = (ref: string): string => {
  const bare = ref.replace(DIGEST, '');
  const segments = bare.split('/');
  const hasHost = segments.length > 1 && /[.:]|^localhost$/.test(segments[0]!);
  const path = hasHost ? bare : segments.length > 1 ? `docker.io/${bare}` : `docker.io/library/${bare}`;
  const tagged = /:[^/]+$/.test(path.slice(path.indexOf('/')));
  return tagged || DIGEST.test(ref) ? path : `${path}:latest`;
};

/** Podman puts `localhost/` before the name of an image that came from no registry. */
export const isSameRef = (asked: string, runs: string): boolean =>
  fullRef(asked) === fullRef(runs) || (runs.startsWith('localhost/') && fullRef(asked) === fullRef(runs.slice('localhost/'.length)));

/** Major version in the tag of an official image: `postgres:18-alpine` → 18; `null` when the tag does not tell. */
export const taggedMajor = (ref: string, name: string): number | null => {
  const found = new RegExp(`(?:^|/)${name}:(\\d+)(?:[.-]|$)`).exec(ref.replace(DIGEST, ''));
  return found ? Number(found[1]) : null;
};

/** Of `registry:5000/team/postgres:16@sha256:…`: `postgres`, and the tag `16`. */
export const imageName = (ref: string): { name: string; tag: string } => {
  const last = ref.replace(/@.*$/, '').split('/').at(-1) ?? '';
  const [name = '', tag = ''] = last.split(':');
  return { name, tag };
};
