/** Volumes: whose data they hold, and who else runs on them. */
import { listed } from '../../model/attempt.ts';
import type { Finding } from '../../model/check.ts';
import type { ImageFact, MakingFact, MountsFact } from '../../model/facts.ts';
import { nearest } from '../../model/nearest.ts';
import { placeOf, plainPath } from '../../model/project-files.ts';
import { type Container, isRunning, running, type Service } from '../../model/stack.ts';
import { liesIn } from '../../model/stale-mount.ts';
import type { Scene } from './scene.ts';

const DATABASE = /(^|\/)(postgres|postgis|timescaledb|mysql|mariadb|percona|mongo|redis|valkey|couchdb|neo4j|rabbitmq)/i;

const serverOf = ({ role }: Service, { image }: Container): string | null =>
  role === 'postgres' || role === 'redis' ? role : (DATABASE.exec(image)?.[2]?.toLowerCase() ?? null);

/** Both are the first process of their container, so that neither sees the other's lock. */
export const sharedByDatabases = ({ service, stack, container }: Scene): Finding[] => {
  const kind = serverOf(service, container);
  if (!kind || !isRunning(container)) return [];
  const volumes = container.mounts.filter(({ type, readOnly }) => type === 'volume' && !readOnly).map(({ source }) => source);
  const others = stack.services.flatMap((other) =>
    running(other)
      .filter((each) => each.name !== container.name && serverOf(other, each) === kind)
      .flatMap((each) =>
        each.mounts.flatMap((mount) => (!mount.readOnly && volumes.includes(mount.source) ? [{ each, volume: mount.source }] : [])),
      ),
  );
  const [first] = others;
  if (!first) return [];
  const names = [container.name, ...others.map(({ each }) => each.name)].toSorted();
  // Told once, of the first of them.
  if (names[0] !== container.name) return [];
  return [
    {
      reason: 'shared-by-databases',
      message: `${listed(names)} run on one data volume, ${first.volume}`,
      evidence: names.map((name) => ({ source: `docker inspect ${name}: Mounts`, text: `volume ${first.volume}, writable` })),
      values: { container: first.each.name, volume: first.volume },
    },
  ];
};

/** Another project that runs on the same volume, which has a name of its own. */
export const sharedWithOthers = (
  service: Service,
  sharers: MountsFact['sharers'] = [],
  own = `the container of ${service.name}`,
  lines: MakingFact['lines'] = {},
): Finding[] => {
  const [first] = sharers;
  if (!first) return [];
  const runs = service.containers.some(isRunning);
  const written = lines[`volumes ${first.destination}`];
  return [
    {
      reason: 'shared-by-databases',
      message: `${service.name} ${runs ? 'runs' : 'would start'} on volume ${first.volume}, on which ${first.container} of ${first.project === null ? 'no project' : `project ${first.project}`} runs`,
      evidence: sharers
        .map(({ container, volume, destination }) => ({
          source: `docker inspect ${container}: Mounts`,
          text: `volume ${volume} at ${destination}, as in ${own}`,
        }))
        .concat(written ? [{ source: placeOf(written), text: `mounts ${first.volume}` }] : []),
      values: { container: first.container, volume: first.volume, ...(first.project ? { project: first.project } : {}) },
    },
  ];
};

const isAnonymous = (name: string): boolean => /^[0-9a-f]{64}$/.test(name);

/** Postgres 18 and its old path have a finding of their own. */
export const anonymousData = ({ service, container }: Scene, images: readonly ImageFact[]): Finding[] => {
  const declared = images.find((each) => each.ref === container.image && each.id === container.imageId)?.volumes.map(plainPath) ?? [];
  const kept = container.mounts.filter((mount) => mount.type === 'bind' || (mount.type === 'volume' && !isAnonymous(mount.source)));
  const lost = container.mounts.find(
    ({ type, source, destination }) => type === 'volume' && isAnonymous(source) && declared.includes(plainPath(destination)),
  );
  const meant = lost && kept.find((mount) => mount.type === 'volume' && isNear(mount.destination, lost.destination));
  if (!lost || !meant || kept.some(({ destination }) => declared.some((path) => liesIn(path, destination) || liesIn(destination, path))))
    return [];
  return [
    {
      reason: 'data-in-anonymous-volume',
      message: `${service.name} keeps its data in an anonymous volume at ${lost.destination}; ${meant.source} is mounted at ${meant.destination}, where it does not look`,
      evidence: [
        { source: `docker image inspect ${container.image}: Volumes`, text: declared.join(' ') },
        {
          source: `docker inspect ${container.name}: Mounts`,
          text: `${meant.source} → ${meant.destination}, ${lost.source} → ${lost.destination}`,
        },
      ],
      values: { container: container.name, volume: meant.source, path: lost.destination },
    },
  ];
};

/** `/var/lib/postgres/data` for `/var/lib/postgresql/data`, `/dat` for `/data`. */
const isNear = (a: string, b: string): boolean => {
  const [first, second] = [a, b].map((path) => plainPath(path).split('/').slice(0, 3).join('/'));
  return first === second || nearest(a, [b]).length > 0;
};

export const otherProject = ({ service, container }: Scene, fact: MountsFact | null): Finding[] => {
  // A volume that this project had under another name was mostly given up on purpose; an empty database speaks of it (`migrations`).
  const twins = (fact?.twins ?? []).filter(({ project }) => project !== container.compose.project);
  const [first] = twins;
  if (!first) return [];
  return [
    {
      reason: 'other-project-volume',
      message: `${service.name} began with the new volume ${first.volume}; ${first.other} of project ${first.project} has the same name and is older`,
      evidence: twins.map(({ other, project, createdAt }) => ({
        source: `docker volume inspect ${other}`,
        text: `project ${project}, made ${createdAt}`,
      })),
      values: { container: container.name, volume: first.other, project: first.project },
    },
  ];
};
