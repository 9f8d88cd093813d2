/** Values of the files that contradict each other, or do not arrive as they are written. */
import { accepted, grouped, listed } from '../../model/attempt.ts';
import type { Finding } from '../../model/check.ts';
import type { AlteredValue, MakingFact, ProjectFact } from '../../model/facts.ts';
import { taggedMajor } from '../../model/image-ref.ts';
import { placeOf, plainPath } from '../../model/project-files.ts';
import { differences, setupOf } from '../../model/server-setup.ts';
import {
  type Connection,
  connectionsFrom,
  isRunning,
  type Service,
  serviceNamed,
  type ServiceSpec,
  type Stack,
} from '../../model/stack.ts';
import { type Lines, type Peers, written } from './written.ts';

const DATA_PATH = '/var/lib/postgresql/data';

/** The entry point looks for the old path only where PGDATA is its own default. */
export const dataPath = (service: Service, spec: ServiceSpec, lines: Lines): Finding[] => {
  if (service.role !== 'postgres') return [];
  const container = service.containers[0];
  const image = spec.image ?? container?.image ?? '';
  const major = Number(container?.env['PG_MAJOR'] ?? taggedMajor(image, 'postgres') ?? 0);
  const mount = (container?.mounts ?? spec.mounts).find((each) => plainPath(each.destination) === DATA_PATH);
  const data = container?.env['PGDATA'] ?? spec.environment['PGDATA'];
  if (!(major >= 18) || !mount || (data !== undefined && plainPath(data) !== `/var/lib/postgresql/${major}/docker`)) return [];
  const runs = service.containers.some(isRunning);
  return [
    {
      reason: 'postgres-data-path',
      message: runs
        ? `${service.name} runs Postgres ${major} with a mount at ${DATA_PATH}, which it does not use: its data lies outside it`
        : `${service.name} mounts a ${mount.type} at ${DATA_PATH}, which Postgres ${major} refuses; it expects /var/lib/postgresql`,
      evidence: [
        {
          source: container
            ? `docker inspect ${container.name}: Mounts`
            : written(lines, `volumes ${mount.destination}`, `${service.name}: volumes`),
          text: `${mount.source || 'anonymous'} → ${mount.destination}`,
        },
        {
          source: container ? `docker inspect ${container.name}` : written(lines, 'image', `${service.name}: image`),
          text: container?.env['PG_MAJOR'] ? `PG_MAJOR=${major}` : image,
        },
      ],
      values: {
        path: DATA_PATH,
        image,
        ...(mount.type === 'volume' && mount.source ? { volume: mount.source } : {}),
        ...(container ? { container: container.name } : {}),
      },
    },
  ];
};

/** Other roles and databases may have been made since: a login that works ends all doubt. */
export const credentialConflicts = (service: Service, stack: Stack, peers: Peers, lines: Lines): Finding[] =>
  connectionsFrom(stack, service.name).flatMap((connection) => {
    const server = connection.to === null || connection.to === connection.from ? undefined : serviceNamed(stack, connection.to);
    const setup = server && setupOf(connection, server);
    if (!server || !setup || hasLoggedIn(connection, peers)) return [];
    const differing = differences(connection, setup);
    if (differing.length === 0) return [];
    const making = Object.hasOwn(peers, server.name) ? peers[server.name]!.making : null;
    const made = making?.ok ? making.value : null;
    const theirs = made?.lines ?? {};
    const [container] = server.containers;
    const told = ['POSTGRES_PASSWORD', 'POSTGRES_USER', 'POSTGRES_DB'].find((key) => Object.hasOwn(theirs, `environment ${key}`));
    const variable = connection.source.startsWith('env ') ? connection.source.slice(4) : null;
    return [
      {
        reason: 'credentials-conflict',
        ...(isForNew(server, made) ? { severity: 'fail' as const } : {}),
        message: `${connection.source} of ${service.name} gives ${server.name} ${listed(differing)}`,
        evidence: [
          { source: written(lines, `environment ${variable ?? ''}`, `${service.name}: ${connection.source}`), text: connection.url },
          {
            source: container
              ? `environment of ${container.name}`
              : written(theirs, `environment ${told ?? ''}`, `environment of ${server.name}`),
            text:
              [
                setup.user && `user ${setup.user}`,
                setup.database && `database ${setup.database}`,
                setup.password === '' ? 'no password' : null,
              ]
                .filter(Boolean)
                .join(', ') || 'a password',
          },
        ],
        values: {
          client: service.name,
          target: server.name,
          ...(connection.user ? { user: connection.user } : {}),
          ...(connection.database ? { database: connection.database } : {}),
          ...(variable === null ? {} : { variable }),
        },
      },
    ];
  });

/** Its data is yet to be made, by the image's own script and with nothing but these variables: nobody else could have made other users. */
const isForNew = ({ containers, spec, role }: Service, made: MakingFact | null): boolean =>
  role === 'postgres' &&
  containers.length === 0 &&
  spec !== null &&
  spec.build === null &&
  /(^|\/)postgres(:|@|$)/.test(spec.image ?? '') &&
  spec.mounts.every(
    ({ type, source, destination }) =>
      !destination.startsWith('/docker-entrypoint-initdb.d') &&
      type !== 'bind' &&
      (type !== 'volume' || (made?.newVolumes ?? []).includes(source)),
  ) &&
  (made?.newVolumes ?? null) !== null &&
  (made?.twins ?? []).length === 0 &&
  spec.entrypoint === null &&
  (spec.files ?? []).length === 0;

const hasLoggedIn = (connection: Connection, peers: Peers): boolean => {
  const known = Object.hasOwn(peers, connection.to!) ? peers[connection.to!]! : null;
  const attempts = [...(known?.postgres.ok ? known.postgres.value.attempts : []), ...(known?.redis.ok ? known.redis.value.attempts : [])];
  return attempts.some((each) => each.client === connection.from && each.source === connection.source && accepted(each));
};

/** `container_name:` is of the whole engine. */
export const nameTaken = (service: Service, { nameTakenBy }: MakingFact, lines: Lines): Finding[] => {
  if (!nameTakenBy) return [];
  const { container, project, status } = nameTakenBy;
  const owner = project ? `project ${project}` : 'no project';
  return [
    {
      reason: 'name-taken',
      message: `${service.name} has no container: its container_name "${container}" belongs to a container of ${owner}`,
      evidence: [
        { source: `docker inspect ${container}`, text: `${status}, label com.docker.compose.project=${project ?? '(none)'}` },
        ...(lines['container_name'] ? [{ source: placeOf(lines['container_name']), text: `container_name: ${container}` }] : []),
      ],
      values: { container, ...(project ? { project } : {}) },
    },
  ];
};

const ALTERED: Record<AlteredValue['how'], string> = { dollar: 'dollar-in-value', comment: 'comment-in-value', shell: 'shell-overrides' };

/** While a login with the value works, it is only worth a word. */
export const alteredValues = (service: Service, stack: Stack, project: ProjectFact, peers: Peers): Finding[] => {
  const own = (project.altered ?? []).filter((each) => each.service === service.name);
  return grouped(own, ({ how }) => how).map((alike): Finding => {
    const [first] = alike as [AlteredValue, ...AlteredValue[]];
    const { variable, key, file, line, how } = first;
    const isFor = ({ source }: Connection) => alike.some((each) => source === `env ${each.key}` || samePrefix(source, each.key));
    const used = connectionsFrom(stack, service.name).filter((connection) => connection.to !== null && isFor(connection));
    const refused = used.some((connection) => isRefused(connection, peers));
    return {
      reason: ALTERED[how],
      ...(refused ? { severity: 'fail' as const } : {}),
      message: `${alteredWords(first)}, and ${service.name} got ${how === 'shell' ? 'that' : 'the rest'} as ${listed(alike.map((each) => each.key))}`,
      evidence: alike.map((each) => ({ source: line === null ? file : `${each.file}:${each.line ?? '?'}`, text: alteredText(each) })),
      values: { variable: how === 'dollar' ? key : variable, file, ...(line === null ? {} : { line: String(line) }) },
    };
  });
};

const alteredWords = ({ how, variable, file, line }: AlteredValue): string => {
  const place = line === null ? file : `${file}:${line}`;
  switch (how) {
    case 'dollar':
      return `"$${variable}" in ${place} was taken for a variable that nobody sets`;
    case 'comment':
      return `what stands behind " #" in ${place} was taken for a comment`;
    case 'shell':
      return `the shell exports ${variable} with another value than ${place} has`;
  }
};

const alteredText = ({ how, variable, key }: AlteredValue): string => {
  if (how === 'dollar') return `a value with "$${variable}" in it, unescaped, for ${key}`;
  return how === 'comment' ? `${variable}: unquoted, cut at " #"` : `${variable} differs from the one of the shell`;
};

/** `env DB_HOST` and `DB_PASSWORD`: parts of one connection. */
const samePrefix = (source: string, key: string): boolean => {
  const prefix = /^env (.+_)HOST(?:NAME)?$/.exec(source)?.[1];
  return prefix !== undefined && key.startsWith(prefix);
};

const isRefused = (connection: Connection, peers: Peers): boolean => {
  const known = Object.hasOwn(peers, connection.to!) ? peers[connection.to!]! : null;
  const attempts = [...(known?.postgres.ok ? known.postgres.value.attempts : []), ...(known?.redis.ok ? known.redis.value.attempts : [])];
  const own = attempts.filter((each) => each.client === connection.from && each.source === connection.source);
  return own.some(({ trial }) => trial.layer === 'login' && trial.outcome === 'rejected') && !own.some(accepted);
};
