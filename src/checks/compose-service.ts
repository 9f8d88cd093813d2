/** Does the container match the files? Fields are compared, not hashes: a hash differs with the Compose version and the flags, too. */
import { accepted, grouped, listed } from '../model/attempt.ts';
import { defineCheck, type Evidence, type Finding, type FindingSpec, type Known } from '../model/check.ts';
import type { AlteredValue, ImageFact, MakingFact, ProjectFact } from '../model/facts.ts';
import { isPinned, isSameRef, taggedMajor } from '../model/image-ref.ts';
import { madeOfTheseFiles, placeOf, plainPath } from '../model/project-files.ts';
import { differences, setupOf } from '../model/server-setup.ts';
import {
  connectionsFrom,
  isRunning,
  serviceNamed,
  type Connection,
  type Container,
  type MountSpec,
  type PortMapping,
  type Service,
  type ServiceSpec,
  type Stack,
} from '../model/stack.ts';

const cause = (means: string, proof: string): FindingSpec => ({ severity: 'fail', layer: 'compose', kind: 'cause', means, proof });
const drift = (of: 'value' | 'made', means: string, proof: string): FindingSpec => ({ ...cause(means, proof), drift: of });

export const composeService = defineCheck({
  id: 'compose',
  title: 'The container matches the compose files',
  question: 'Does what runs match what the compose files say, and do their values agree with each other?',
  needs: ['project', 'images', 'making'],
  peerNeeds: ['postgres', 'redis', 'making'],
  onFiles: ['project', 'making'],
  after: ['engine', 'compose'],
  appliesTo: (service) => service.spec !== null,
  findings: {
    'postgres-data-path': cause(
      'From version 18 on, the Postgres images refuse a mount at /var/lib/postgresql/data.',
      'PG_MAJOR of the container (or the tag of the image), and a mount with that destination.',
    ),
    'env-drift': drift(
      'value',
      'The container runs with other environment values than the compose files give now.',
      'The values in `Config.Env` of the container, against the resolved files.',
    ),
    'image-drift': drift(
      'made',
      'The container runs another image than its reference names now.',
      'The image id of the container, against the id of the reference.',
    ),
    'mount-drift': drift(
      'made',
      'The container has other mounts than the compose files declare.',
      '`Mounts` of the container, against the resolved files.',
    ),
    'config-drift': drift(
      'made',
      'The container was created with other ports, command or entry point than the compose files declare.',
      '`HostConfig.PortBindings`, `Config.Cmd` and `Config.Entrypoint` of the container, against the resolved files.',
    ),
    'credentials-conflict': {
      severity: 'warn',
      layer: 'compose',
      kind: 'cause',
      means: 'The credentials that the client is given contradict those that the server is set up with.',
      proof: 'The environment of both containers; passwords are compared by their marks. Nobody has logged in with them.',
    },
    'dollar-in-value': {
      severity: 'warn',
      layer: 'compose',
      kind: 'cause',
      means:
        'A `$` in a value was taken for the begin of a variable, so that a piece of the value is missing; a failure where nobody can log in with it.',
      proof: 'The line that holds the value, and the warning of `docker compose config` that names the piece as an unset variable.',
    },
    'comment-in-value': {
      severity: 'warn',
      layer: 'compose',
      kind: 'cause',
      means: 'A ` #` in a secret of an env file was taken for the begin of a comment; a failure where nobody can log in with it.',
      proof: 'The line of the env file, unquoted, with a `#` that no blank follows.',
    },
    'shell-overrides': {
      severity: 'warn',
      layer: 'compose',
      kind: 'cause',
      means:
        'The shell exports a variable with another value than the one in `.env`, and the shell comes first; a failure where nobody can log in with it.',
      proof:
        'The value of the environment that the doctor was called in, against the line of `.env`; values are compared, and never shown.',
    },
    'name-taken': cause(
      'The name that the files give to the container is that of a container of another project.',
      'The service has no container, and a container of that `container_name` has the label of another project.',
    ),
  },
  evaluate({ service, stack, facts, peers }) {
    const lines = (facts.making.ok && facts.making.value?.lines) || {};
    const conflicts = [
      ...credentialConflicts(service, stack, peers, lines),
      ...(facts.making.ok && facts.making.value ? nameTaken(service, facts.making.value, lines) : []),
      ...(facts.project.ok ? alteredValues(service, stack, facts.project.value, peers) : []),
    ];
    if (!facts.project.ok) return conflicts.length > 0 ? { findings: conflicts } : { cannotLook: facts.project.reason };
    const { spec } = service;
    if (!spec) return { skip: `${service.name} is in none of the compose files that were read` };
    const project = facts.project.value;
    const images = facts.images.ok ? facts.images.value : [];
    const findings = [
      ...dataPath(service, spec, lines),
      ...firstOf(service.containers, (container) => envDrift(container, spec, project)),
      ...firstOf(service.containers, (container) => imageDrift(container, spec, stack, images)),
      ...firstOf(service.containers, (container) => mountDrift(container, spec, project)),
      ...firstOf(service.containers, (container) => configDrift(container, spec, project)),
    ].flatMap((finding) => softened(finding, service, project));
    if (findings.length + conflicts.length > 0) return { findings: [...findings, ...conflicts] };
    if (service.containers.length === 0) return { skip: `${service.name} has no container to compare` };
    if (!facts.images.ok) return { cannotLook: facts.images.reason };
    return { findings };
  },
});

type Lines = NonNullable<MakingFact['lines']>;

/** `compose.yaml:12` where the line is known. */
const written = (lines: Lines, what: string, otherwise: string): string => {
  const at = Object.hasOwn(lines, what) ? lines[what] : undefined;
  return at ? placeOf(at) : otherwise;
};

const firstOf = (containers: Container[], compare: (container: Container) => Finding | null): Finding[] => {
  for (const container of containers) {
    const finding = compare(container);
    if (finding) return [finding];
  }
  return [];
};

/**
 * A difference that came of an edit is one that somebody waits for. Where no file is newer than the container, the call that made it had
 * other flags, or other variables in its shell: that is worth a word, not an alarm. A job that is done is made anew when it runs.
 */
const softened = (finding: Finding, service: Service, project: ProjectFact): Finding[] => {
  if (!finding.reason.endsWith('-drift')) return [finding];
  if ((service.role === 'build-only' || service.role === 'one-shot') && !service.containers.some(isRunning)) return [];
  const warned = (why: string): Finding[] => [{ ...finding, severity: 'warn', message: `${finding.message} (${why})` }];
  if (!service.containers.every((container) => madeOfTheseFiles(container, project)))
    return warned('it was made from other files or flags than were read now');
  // That an image was built again, or pulled, is no edit of a file: such a finding brings its own severity.
  const differs = service.containers.find(({ name }) => name === finding.values?.['container']);
  if (finding.severity === undefined && differs && !isEditedSince(differs, project)) {
    return warned('no file has changed since it was made; a variable of the shell may have');
  }
  return [finding];
};

const isEditedSince = (container: Container, { changedAt }: ProjectFact): boolean =>
  changedAt === null || Date.parse(changedAt) > Date.parse(container.createdAt);

const DATA_PATH = '/var/lib/postgresql/data';

/** The entry point looks for the old path only where PGDATA is its own default. */
const dataPath = (service: Service, spec: ServiceSpec, lines: Lines): Finding[] => {
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

/** The image adds variables of its own: only what the files give is compared. What an unset variable left blank is another finding. */
const envDrift = (container: Container, spec: ServiceSpec, project: ProjectFact): Finding | null => {
  const keys = Object.entries(spec.environment)
    .filter(
      ([key, value]) =>
        !isBlanked(value, valueOf(container, key) ?? '', project) &&
        !isUnresolved(value, project) &&
        valueOf(container, key) !== value &&
        !(value === '' && valueOf(container, key) === undefined),
    )
    .map(([key]) => key);
  if (keys.length === 0) return null;
  return {
    reason: 'env-drift',
    message: `${spec.name} runs with other values than the compose files give now: ${listed(keys)}`,
    evidence: keys.slice(0, 5).flatMap((key) => [
      { source: `docker inspect ${container.name}: ${key}`, text: cut(valueOf(container, key) ?? 'not set') },
      { source: `compose files: ${key}`, text: cut(spec.environment[key]!) },
    ]),
    values: { variable: keys[0]!, container: container.name, ...(project.files[0] ? { file: project.files[0] } : {}) },
  };
};

const valueOf = (container: Container, key: string): string | undefined =>
  Object.hasOwn(container.env, key) ? container.env[key] : undefined;

/** An unset variable left a gap: the value is the container's with a piece cut out of it. */
const isBlanked = (declared: string, actual: string, project: ProjectFact): boolean => {
  if (project.unsetVariables.length === 0 || declared.length >= actual.length) return false;
  let same = 0;
  while (same < declared.length && declared[same] === actual[same]) same += 1;
  return actual.endsWith(declared.slice(same));
};

/** Without the Compose CLI, some forms of interpolation stay as they are written. */
const isUnresolved = (value: string, project: ProjectFact): boolean => project.loadedBy !== 'compose' && value.includes('$');

const cut = (text: string): string => (text.length > 200 ? `${text.slice(0, 199)}…` : text);

/** An image that was only pulled again, by whomever, harms nobody; one that was built again may be the cure that has not arrived. */
const imageDrift = (container: Container, spec: ServiceSpec, stack: Stack, images: readonly ImageFact[]): Finding | null => {
  const values = { container: container.name, image: container.image };
  if (spec.image !== null && !isPinned(container.image) && !isSameRef(spec.image, container.image)) {
    return {
      reason: 'image-drift',
      message: `${spec.name} runs ${container.image}, and the compose files say ${spec.image}`,
      evidence: [
        { source: `docker inspect ${container.name}: Config.Image`, text: container.image },
        { source: 'compose files: image', text: spec.image },
      ],
      values: { ...values, image: spec.image },
    };
  }
  const now = images.find((each) => each.ref === container.image);
  if (!now?.id || isPinned(container.image) || (spec.image !== null && isPinned(spec.image)) || now.id === container.imageId) return null;
  const built =
    !now.pulled || stack.services.some((each) => each.spec?.build && each.containers.some((other) => other.image === container.image));
  const since = now.taggedAt ?? now.createdAt;
  const newer = since !== null && Date.parse(since) > Date.parse(container.createdAt);
  return {
    reason: 'image-drift',
    severity: built && newer ? 'fail' : 'warn',
    message: `${spec.name} runs an older image than the one that ${container.image} names now${built ? ', which was built again' : ''}`,
    evidence: [
      { source: `docker inspect ${container.name}: Image`, text: container.imageId },
      { source: `docker image inspect ${container.image}: Id`, text: `${now.id}${since ? `, since ${since}` : ''}` },
    ],
    values,
  };
};

const mountDrift = (container: Container, spec: ServiceSpec, project: ProjectFact): Finding | null => {
  const differing = spec.mounts.flatMap((mount) => {
    const actual = container.mounts.find((each) => plainPath(each.destination) === plainPath(mount.destination));
    const difference = mountDifference(mount, actual, container, project);
    return difference ? [{ mount, actual, difference }] : [];
  });
  const [first] = differing;
  if (!first) return null;
  const places = differing.map((each) => `${each.mount.destination} ${each.difference}`);
  return {
    reason: 'mount-drift',
    message: `${spec.name} has other mounts than the compose files declare: ${listed(places)}`,
    evidence: differing.flatMap(({ mount, actual }) => [
      { source: `docker inspect ${container.name}: Mounts`, text: actual ? mountText(actual) : `nothing at ${mount.destination}` },
      { source: 'compose files: volumes', text: mountText(mount) },
    ]),
    values: {
      container: container.name,
      path: first.mount.destination,
      ...(first.mount.type === 'bind' ? { hostPath: first.mount.source } : {}),
    },
  };
};

const mountText = (mount: MountSpec): string =>
  `${mount.type} ${mount.source || 'anonymous'} → ${mount.destination}${mount.readOnly ? ' (read-only)' : ''}`;

/** tmpfs, secrets and configs are not listed alike by every engine. */
const mountDifference = (mount: MountSpec, actual: MountSpec | undefined, container: Container, project: ProjectFact): string | null => {
  if (mount.type !== 'bind' && mount.type !== 'volume') return null;
  if (!actual) return 'is not mounted';
  if (actual.type !== mount.type) return `is a ${actual.type}`;
  if (actual.readOnly !== mount.readOnly) return actual.readOnly ? 'is read-only' : 'is writable';
  if (mount.source === '' || isUnresolved(mount.source, project)) return null;
  const same = mount.type === 'bind' ? sameBind(mount, actual, container, project) : sameVolume(mount, actual, project);
  return same ? null : `is ${actual.source}`;
};

/** The same folder may be written by way of a symbolic link: then the paths agree below the project's folder, each below its own. */
const sameBind = (mount: MountSpec, actual: MountSpec, container: Container, project: ProjectFact): boolean =>
  plainPath(mount.source) === plainPath(actual.source) ||
  below(project.workingDir, mount.source) === below(container.compose.workingDir, actual.source);

const below = (folder: string, path: string): string => {
  const [base, full] = [plainPath(folder), plainPath(path)];
  return full === base || full.startsWith(`${base}/`) ? full.slice(base.length) || '/' : full;
};

const sameVolume = (mount: MountSpec, actual: MountSpec, project: ProjectFact): boolean =>
  actual.source === mount.source || actual.source === `${project.name}_${mount.source}` || project.loadedBy !== 'compose';

const configDrift = (container: Container, spec: ServiceSpec, project: ProjectFact): Finding | null => {
  const differences: { what: string; actual: string; declared: string }[] = [];
  const compare = (what: string, declared: string[] | null, actual: string[]): void => {
    // An empty list means "none" or "the image's own", by where it stands.
    if (declared?.length && project.loadedBy === 'compose' && declared.join('\0') !== actual.join('\0'))
      differences.push({ what, actual: actual.join(' '), declared: declared.join(' ') });
  };
  compare('command', spec.command, container.command);
  compare('entry point', spec.entrypoint, container.entrypoint);
  if (!samePorts(container, spec))
    differences.push({ what: 'ports', actual: portsText(container.portBindings), declared: portsText(spec.ports) });
  if (differences.length === 0) return null;
  return {
    reason: 'config-drift',
    message: `${spec.name} was created otherwise than the compose files say now: ${listed(differences.map(({ what }) => what))}`,
    evidence: differences.flatMap(({ what, actual, declared }): Evidence[] => [
      { source: `docker inspect ${container.name}: ${what}`, text: cut(actual || 'none') },
      { source: `compose files: ${what}`, text: cut(declared || 'none') },
    ]),
    values: { container: container.name },
  };
};

const portsText = (ports: PortMapping[]): string =>
  listed(ports.map((each) => `${each.hostIp ? `${each.hostIp}:` : ''}${each.hostPort || 'any'}:${each.containerPort}/${each.protocol}`));

/** Docker ignores ports on the host's network. A declared range or "any" (0) is met by whatever was bound. */
const samePorts = (container: Container, spec: ServiceSpec): boolean => {
  if (/^(host|none|container:|service:)/.test(container.networkMode) || spec.networkMode === 'host') return true;
  const meets = (a: PortMapping, b: PortMapping): boolean =>
    a.containerPort === b.containerPort &&
    a.protocol === b.protocol &&
    (a.hostPort === b.hostPort || a.hostPort === 0 || b.hostPort === 0 || spec.replicas > 1) &&
    sameIp(a.hostIp, b.hostIp);
  return (
    spec.ports.every((port) => container.portBindings.some((each) => meets(port, each))) &&
    container.portBindings.every((each) => spec.ports.some((port) => meets(port, each)))
  );
};

const WILDCARDS = ['', '0.0.0.0', '::', '[::]'];

const sameIp = (a: string, b: string): boolean => a === b || (WILDCARDS.includes(a) && WILDCARDS.includes(b));

type Peers = Record<string, Known<'postgres' | 'redis' | 'making'>>;

/** Other roles and databases may have been made since: a login that works ends all doubt. */
const credentialConflicts = (service: Service, stack: Stack, peers: Peers, lines: Lines): Finding[] =>
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
const nameTaken = (service: Service, { nameTakenBy }: MakingFact, lines: Lines): Finding[] => {
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
const alteredValues = (service: Service, stack: Stack, project: ProjectFact, peers: Peers): Finding[] => {
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
