/** Socket files of the file system: where they lie outside of the containers that share them, and who should make them. Pure. */
import { commandsOf } from './command-line.ts';
import { liesIn } from './stale-mount.ts';
import type { MountSpec, Role, Service } from './stack.ts';

/** `unix:/run/app.sock` → its path; `null`: an address of a network. */
export const socketPath = (host: string): string | null => /^unix:(\/[^:]*)/.exec(host)?.[1] ?? null;

/** `/var/run` is a link to `/run` in all images that have both. */
const plainly = (path: string): string =>
  path
    .replace(/\/+/g, '/')
    .replace(/^\/var\/run(?=\/|$)/, '/run')
    .replace(/(.)\/$/, '$1');

export const isSamePath = (a: string, b: string): boolean => plainly(a) === plainly(b);

const mountsOf = ({ containers: [container], spec }: Service): MountSpec[] => container?.mounts ?? spec?.mounts ?? [];

/** What is mounted, in a word that is the same for all who mount it. */
const sourceOf = ({ type, source }: MountSpec): string | null => {
  if (source === '') return null;
  if (type === 'volume') return `volume ${source}`;
  return type === 'bind' ? plainly(source) : null;
};

/** The mount that a path of a service lies in. */
export const mountAround = (service: Service, path: string): MountSpec | undefined =>
  mountsOf(service)
    .filter(({ destination }) => liesIn(plainly(path), plainly(destination)))
    .toSorted((a, b) => plainly(b.destination).length - plainly(a.destination).length)[0];

/** Where a path of a service lies outside of it. `null`: in the container's own files. */
export const placeOf = (service: Service, path: string): string | null => {
  const mount = mountAround(service, path);
  const source = mount && sourceOf(mount);
  return source ? plainly(`${source}/${plainly(path).slice(plainly(mount.destination).length)}`) : null;
};

/** The paths by which a service has that place. */
export const pathsTo = (place: string, service: Service): string[] =>
  mountsOf(service).flatMap((mount) => {
    const source = sourceOf(mount);
    if (source === null || !liesIn(place, source)) return [];
    const path = plainly(`${mount.destination}/${place.slice(source.length)}`);
    return placeOf(service, path) === place ? [path] : [];
  });

/** What it is told to run, and how, names the path. */
export const isTold = ({ containers: [container], spec }: Service, path: string): boolean => {
  const told = container ?? (spec && { env: spec.environment, entrypoint: spec.entrypoint ?? [], command: spec.command ?? [] });
  const words = [...(told?.entrypoint ?? []), ...(told?.command ?? []), ...Object.values(told?.env ?? {})];
  return words.some((each) => plainWords(each).includes(plainly(path)));
};

/** `--bind=unix:/run/app.sock`, `unix:///run/app.sock`, `/run/app.sock,mode=666`. */
const plainWords = (text: string): string[] =>
  text.length > LONGEST ? [] : text.split(/[\s"'=,;]+/).map((word) => plainly(word.replace(/^[a-z]+:(?=\/)/, '')));

/** A certificate or a whole configuration is no address. */
const LONGEST = 8_192;

/** Its container is told to run other programs beside nginx: a socket of its own folders may well be theirs. */
export const runsMore = ({ containers: [container] }: Service): boolean =>
  container !== undefined && commandsOf([...container.entrypoint, ...container.command]).some(([program = '']) => !NGINX.test(program));

const NGINX = /^(nginx|openresty|angie|tengine|freenginx)(-debug)?$/;

const SERVES = new Set<Role>(['http', 'unknown']);

/** Who should make the socket that a client asks: by what they share and what they are told. `null`: nobody, or nobody knows. */
export const socketOwner = (path: string, client: string, services: readonly Service[]): string | null => {
  const own = services.find(({ name }) => name === client);
  const others = services.filter(({ name }) => name !== client);
  const place = own ? placeOf(own, path) : null;
  const sharers = place === null ? [] : others.filter((each) => pathsTo(place, each).length > 0);
  const told = sharers.filter((each) => pathsTo(place!, each).some((there) => isTold(each, there)));
  const servers = sharers.filter(({ role }) => SERVES.has(role));
  // One that was forgotten where the others got the volume is told a path that only they have.
  const paths = [path, ...sharers.flatMap((each) => pathsTo(place!, each))];
  const apart = own && runsMore(own) ? [] : others.filter((each) => paths.some((there) => isTold(each, there)));
  return [told, servers.filter(({ role }) => role === 'http'), servers, apart].find((each) => each.length === 1)?.[0]?.name ?? null;
};
