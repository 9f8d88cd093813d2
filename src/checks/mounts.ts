/** Are the container's mounts what the files mean: the right kind, made by the user, readable, and not another project's? */
import { secondsSince } from '../model/age.ts';
import { listed } from '../model/attempt.ts';
import { defineCheck, type Evidence, type Finding, type FindingSpec } from '../model/check.ts';
import { isFlapping } from '../model/crash-loop.ts';
import type { DeclaredSource, ImageFact, InsideFact, LogLine, MakingFact, MountsFact } from '../model/facts.ts';
import { nearest } from '../model/nearest.ts';
import { placeOf, plainPath } from '../model/project-files.ts';
import { holdsAnother, liesIn } from '../model/stale-mount.ts';
import { obstacleOf } from '../model/start-error.ts';
import { isRunning, running, type Container, type Service, type Stack } from '../model/stack.ts';

const cause = (means: string, proof: string, severity: FindingSpec['severity'] = 'fail'): FindingSpec => ({
  severity,
  layer: 'compose',
  kind: 'cause',
  means,
  proof,
});

export const mounts = defineCheck({
  id: 'mounts',
  title: 'Its mounts are what they should be',
  question: 'Does each mount hold what the compose files mean, and may the service use it?',
  needs: ['mounts', 'inside', 'logs', 'images', 'making'],
  onFiles: ['making'],
  // Not after `container`: a mount that is wrong is why a container does not run.
  after: ['engine', 'compose'],
  appliesTo: ({ containers: [container], spec }) => (container?.mounts ?? [...(spec?.mounts ?? []), ...(spec?.files ?? [])]).length > 0,
  findings: {
    'file-became-folder': cause(
      'Where a file should be mounted, the host has an empty folder: the file was missing once, and Docker made a folder of its name.',
      'The source on the host is an empty folder, and its name is that of a file.',
    ),
    'source-missing': cause(
      'What should be mounted is not on the host, and a container without it cannot be made, or finds an empty folder instead of a file.',
      'The path under `volumes:`, `secrets:` or `configs:`, looked for on the host; the service has no container yet.',
    ),
    'source-made-by-docker': {
      ...cause(
        'The folder that is mounted did not exist, and Docker made an empty one.',
        'The folder on the host is empty, and was made at the moment when the container was.',
      ),
      kind: 'symptom',
    },
    'stale-file': cause(
      'The container still holds the file that had this name when it started; an editor, git or a tool has put another in its place.',
      'mountinfo says `//deleted` or another name for the mounted file, and its bytes differ from those on the host.',
    ),
    'stale-folder': {
      ...cause(
        'The container still holds the folder that had this name when it started; another one has the name now.',
        'mountinfo says `//deleted` for the mounted folder.',
      ),
      kind: 'symptom',
      // Who mounts the same folder tells of the same fault.
      shows: 'error',
      ofFolder: true,
    },
    'capability-dropped': cause(
      'The program may not do what only a capability allows that `cap_drop` takes from it: change owners, or become another user.',
      "`Operation not permitted` in the program's log, and `HostConfig.CapDrop` without that capability in `CapAdd`.",
    ),
    'not-permitted': cause(
      "The container's user may not use what is mounted.",
      'The log denies a permission on a path of the mount; owner and mode of its source, and the user of the process.',
    ),
    selinux: cause(
      'SELinux keeps the container from what is mounted, though owner and mode allow it.',
      'The log denies a permission on a path of the mount; SELinux enforces its rules, and the mode bits allow the access.',
    ),
    'read-only': cause(
      'The service writes where its mount is read-only.',
      'The log says that the file system is read-only on a path that lies in a mount without write access.',
    ),
    'shared-by-databases': cause(
      'Two database servers run on one data volume, and destroy it.',
      'Two running containers of the same kind of server mount the same volume.',
    ),
    'data-in-anonymous-volume': cause(
      'The data lies in an anonymous volume, which is lost with the container; the named volume is mounted where the program does not look.',
      'A path that the image declares as a volume has an anonymous one, and the named volume is at no such path.',
      'warn',
    ),
    'other-project-volume': cause(
      'The volume is new, and one of the same name with older data belongs to another project name.',
      'The labels `com.docker.compose.volume` and `com.docker.compose.project` of both, and when they were made.',
      'warn',
    ),
  },
  evaluate({ service, stack, facts, now }) {
    const container = service.containers[0];
    if (!container) {
      const findings = facts.making.ok && facts.making.value ? beforeUp(service, facts.making.value) : [];
      return findings.length > 0 ? { findings } : { skip: `${service.name} has no container` };
    }
    const fact = facts.mounts.ok ? facts.mounts.value : null;
    const of = service.containers.find((each) => each.name === fact?.container) ?? container;
    const scene: Scene = {
      service,
      stack,
      container: of,
      inside: facts.inside.ok && facts.inside.value.container === of.name ? facts.inside.value : null,
      log: facts.logs.ok && facts.logs.value.container === of.name ? facts.logs.value.lines : [],
      now,
    };
    const findings = [
      ...sharedByDatabases(scene),
      ...sharedWithOthers(service, fact?.sharers, container.name),
      ...(fact?.sources ?? []).flatMap((source) => judgeSource(source, scene).slice(0, 1)),
      ...denied(scene, fact),
      ...(facts.images.ok ? anonymousData(scene, facts.images.value) : []),
      ...otherProject(scene, fact),
    ];
    if (findings.length > 0) return { findings };
    return facts.mounts.ok ? { findings } : { cannotLook: facts.mounts.reason };
  },
});

interface Scene {
  service: Service;
  stack: Stack;
  container: Container;
  inside: InsideFact | null;
  log: LogLine[];
  now: string;
}

type Source = MountsFact['sources'][number];

/** Names that nobody gives to a folder. */
const FILE_NAME =
  /\.(conf|cfg|cnf|ini|json5?|ya?ml|toml|env|xml|properties|sql|sh|bash|py|rb|php|[cm]?[jt]sx?|html?|css|txt|md|pem|crt|cer|key|p12|jks|csv|acl|rules|htpasswd|lua|tmpl|template|lock|log)$|(^|\/)(Caddyfile|Dockerfile|Makefile|Procfile|Gemfile|\.env|\.npmrc|\.htpasswd|\.pgpass|crontab)$/i;

const judgeSource = (source: Source, scene: Scene): Finding[] => [
  ...becameFolder(source, scene),
  ...stale(source, scene),
  ...madeByDocker(source, scene),
];

const valuesOf = ({ destination, source }: Source, { container }: Scene): Record<string, string> => ({
  container: container.name,
  path: destination,
  hostPath: source,
});

const lookedAt = ({ source, uid, mode, bornAt }: Source): Evidence => ({
  source: `host: ${source}`,
  text: `an empty folder, owner ${uid ?? 'unknown'}, mode ${mode ?? 'unknown'}${bornAt ? `, made ${bornAt}` : ''}`,
});

const becameFolder = (source: Source, scene: Scene): Finding[] => {
  const { container, service, log } = scene;
  if (source.kind !== 'folder' || source.empty !== true) return [];
  const { error } = container.state;
  const refused = obstacleOf(error) === 'mount' && error.includes(source.source) && /not a directory|onto a file/i.test(error);
  const said = log.findLast(({ text }) => /is a directory|EISDIR/i.test(text) && text.includes(source.destination));
  if (!refused && !said && !(FILE_NAME.test(source.source) && FILE_NAME.test(source.destination))) return [];
  return [
    {
      reason: 'file-became-folder',
      message: `${source.source}, which ${service.name} mounts as the file ${source.destination}, is an empty folder`,
      evidence: [
        lookedAt(source),
        ...(refused ? [{ source: `docker inspect ${container.name}: State.Error`, text: error }] : []),
        ...(said ? [{ source: `${service.name} log`, text: said.text }] : []),
      ],
      values: valuesOf(source, scene),
    },
  ];
};

const stale = (source: Source, scene: Scene): Finding[] => {
  const { service, inside, container } = scene;
  const view = isRunning(container) ? inside?.mounts.find((mount) => mount.destination === source.destination) : undefined;
  if (!view) return [];
  const evidence: Evidence[] = [
    { source: `mountinfo of ${service.name}`, text: `${source.destination} is ${view.root}${view.deleted ? '//deleted' : ''}` },
  ];
  const values = valuesOf(source, scene);
  if (source.kind === 'file') {
    if (!holdsAnother(view, source.source) || source.sameBytes !== false) return [];
    const message = `${service.name} still holds the ${view.deleted ? 'deleted' : 'former'} file at ${source.destination}; ${source.source} is another one now`;
    return [{ reason: 'stale-file', message, evidence: [...evidence, { source: 'bytes compared', text: 'they differ' }], values }];
  }
  if (!view.deleted || (source.kind !== 'folder' && source.kind !== 'missing')) return [];
  const now = source.kind === 'missing' ? 'nothing has that name now' : 'another one has that name now';
  return [
    {
      reason: 'stale-folder',
      message: `${service.name} still holds the deleted ${source.source} at ${source.destination}; ${now}`,
      evidence,
      suspects: ['static-files/stale-mount', 'static-files/not-built', 'hot-reload/stale-mount', 'hot-reload/source-missing'].map(
        (code) => ({
          service: service.name,
          code,
        }),
      ),
      values,
    },
  ];
};

/** Docker makes a missing source while it makes or starts the container. */
const MADE_WITHIN_SECONDS = 30;

/** A folder for data or logs begins empty, and that is well; one that may only be read, or whose files are missed, does not. */
const madeByDocker = (source: Source, scene: Scene): Finding[] => {
  const { container, service, log } = scene;
  // One that was emptied was full once: its time of modification is later than its birth.
  if (source.kind !== 'folder' || source.empty !== true || source.untouched !== true || source.bornAt === null) return [];
  const together = [container.createdAt, container.state.startedAt].some(
    (time) => time !== null && Math.abs(secondsSince(source.bornAt, time)) < MADE_WITHIN_SECONDS,
  );
  if (!together) return [];
  const readOnly = container.mounts.some(({ destination, readOnly: ro }) => destination === source.destination && ro);
  const missed = isIll(scene)
    ? log.findLast(({ text }) => /no such file|not found|ENOENT|cannot open|does not exist/i.test(text) && names(text, source.destination))
    : undefined;
  if (!readOnly && !missed) return [];
  return [
    {
      reason: 'source-made-by-docker',
      ...(isIll(scene) ? {} : { severity: 'warn' as const }),
      message: `${source.source}, which ${service.name} mounts at ${source.destination}, is an empty folder that Docker made with the container`,
      evidence: [
        lookedAt(source),
        { source: `docker inspect ${container.name}: Created`, text: container.createdAt },
        ...(missed ? [{ source: `${service.name} log`, text: missed.text }] : []),
      ],
      suspects: ['hot-reload/source-missing', 'static-files/not-built'].map((code) => ({ service: service.name, code })),
      values: valuesOf(source, scene),
    },
  ];
};

/** A path of the folder, and not of one whose name begins like it. */
const names = (text: string, folder: string): boolean =>
  [...text.matchAll(/\/[^\s'"`:;,)\]]+/g)].some(([path]) => liesIn(path.replace(/[.]+$/, ''), folder));

const isIll = ({ container }: Scene): boolean =>
  ['exited', 'restarting', 'dead'].includes(container.state.status) || isFlapping(container) || container.health?.status === 'unhealthy';

const DENIED = /permission denied|EACCES|operation not permitted|EPERM/i;
const READ_ONLY = /read-only file system|EROFS/i;

/** "can not modify /etc/nginx/conf.d/default.conf (read-only file system?)": an entrypoint that looked first, and lets it be. */
const GUESS = /\?\)?\s*$|: info: /;

/** A command of an entrypoint could not, and the service is well all the same. */
const TOOL = /^\s*(?:\/\S*\/)?(?:chown|chmod|chgrp|sed|touch|cp|mv|ln|mkdir|install|rm|find|tar|rsync)(?:\[\d+\])?: /;

/** Of what a service that is well complains, only the latest is worth a word. */
const LATELY_SECONDS = 120;

const denied = (scene: Scene, fact: MountsFact | null): Finding[] => {
  const { service, container, log } = scene;
  const severity = isIll(scene) ? 'fail' : 'warn';
  const line = log.findLast(
    ({ text }) => (DENIED.test(text) || READ_ONLY.test(text)) && !GUESS.test(text) && (isIll(scene) || !TOOL.test(text)),
  );
  if (!line || (!isIll(scene) && secondsSince(line.time, scene.now) > LATELY_SECONDS)) return [];
  const mount = container.mounts
    .filter(({ destination }) => names(line.text, destination))
    .toSorted((a, b) => b.destination.length - a.destination.length)[0];
  const said: Evidence = { source: `${service.name} log`, text: line.text };
  const capability = isIll(scene) ? lacking(line.text, container) : null;
  if (capability) {
    return [
      {
        reason: 'capability-dropped',
        message: `${service.name} may not ${capability.what}: its cap_drop takes ${capability.name} from it`,
        evidence: [
          said,
          {
            source: `docker inspect ${container.name}: HostConfig`,
            text: `CapDrop ${listed(container.capabilities!.dropped)}; CapAdd ${listed(container.capabilities!.added) || 'nothing'}`,
          },
        ],
        values: { container: container.name },
      },
    ];
  }
  if (READ_ONLY.test(line.text)) {
    if (!mount?.readOnly && !(container.readOnlyRoot && !mount)) return [];
    const where = mount ? `${mount.destination}, which is mounted read-only` : 'its own file system, which is read-only';
    return [
      {
        reason: 'read-only',
        severity,
        message: `${service.name} writes to ${where}`,
        evidence: [
          said,
          { source: `docker inspect ${container.name}`, text: mount ? `Mounts: ${mount.destination} RW=false` : 'ReadonlyRootfs true' },
        ],
        values: {
          container: container.name,
          path: mount?.destination ?? '/',
          ...(mount?.type === 'bind' ? { hostPath: mount.source } : {}),
        },
      },
    ];
  }
  if (!mount) return [];
  const source = fact?.sources.find((each) => each.destination === mount.destination);
  const user = fact?.uid ?? null;
  const values = {
    container: container.name,
    path: mount.destination,
    ...(mount.type === 'bind' ? { hostPath: mount.source } : { volume: mount.source }),
  };
  const owner: Evidence[] = source
    ? [
        {
          source: `host: ${source.source}`,
          text: `owner ${source.uid ?? 'unknown'}, mode ${source.mode ?? 'unknown'}${user === null ? '' : `; the process has the user id ${user}`}`,
        },
      ]
    : [];
  const allowed = source !== undefined && user !== null && mayWrite(source, user);
  if (allowed && !fact?.selinux) return [];
  return [
    {
      reason: allowed ? 'selinux' : 'not-permitted',
      severity,
      message: allowed
        ? `SELinux keeps ${service.name} from ${mount.destination}`
        : `${service.name}${user === null ? '' : ` runs as user id ${user} and`} may not use ${mount.destination}${source ? `, which belongs to ${source.uid} (mode ${source.mode})` : ''}`,
      evidence: [said, ...owner],
      values,
      // A server that says itself what it cannot do about it knows more of it.
      ...(service.role === 'redis' && { suspects: [{ service: service.name, code: 'redis/cannot-persist' }] }),
    },
  ];
};

/** What is attempted → what it takes. */
const CAPABILITIES: [RegExp, names: string[], what: string][] = [
  [/\bchown\b/i, ['CHOWN'], 'change owners'],
  [/set(?:res)?[ug]id|setgroups|initgroups|switching (?:user|to)|failed switching/i, ['SETUID', 'SETGID'], 'become another user'],
];

/** The kernel says "operation not permitted" of a right that is missing, "permission denied" of a file. */
const lacking = (text: string, { capabilities }: Container): { name: string; what: string } | null => {
  if (!capabilities || !/operation not permitted|EPERM/i.test(text)) return null;
  const { dropped, added } = capabilities;
  const isHeld = (name: string): boolean =>
    added.includes(name) || added.includes('ALL') || !(dropped.includes('ALL') || dropped.includes(name));
  const found = CAPABILITIES.find(([pattern, wanted]) => pattern.test(text) && !wanted.every(isHeld));
  return found ? { name: listed(found[1].filter((name) => !isHeld(name))), what: found[2] } : null;
};

const mayWrite = ({ uid, mode }: Source, user: number): boolean => {
  const bits = Number.parseInt(mode ?? '0', 8);
  return user === 0 || (uid === user ? (bits & 0o200) !== 0 : (bits & 0o002) !== 0);
};

const DATABASE = /(^|\/)(postgres|postgis|timescaledb|mysql|mariadb|percona|mongo|redis|valkey|couchdb|neo4j|rabbitmq)/i;

const serverOf = ({ role }: Service, { image }: Container): string | null =>
  role === 'postgres' || role === 'redis' ? role : (DATABASE.exec(image)?.[2]?.toLowerCase() ?? null);

/** Both are the first process of their container, so that neither sees the other's lock. */
const sharedByDatabases = ({ service, stack, container }: Scene): Finding[] => {
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
const sharedWithOthers = (
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

/** While the service has no container: what `docker compose up` would meet. */
const beforeUp = (service: Service, { sources = [], twins = [], sharers = [], lines }: MakingFact): Finding[] => [
  ...sharedWithOthers(service, sharers, undefined, lines),
  ...sources.flatMap((source) => judgeDeclared(service, source)).slice(0, MOST_DECLARED),
  ...twins.slice(0, 1).map(({ volume, other, project }): Finding => ({
    reason: 'other-project-volume',
    message: `${service.name} would begin with the new volume ${volume}; ${other} of project ${project} has the same name, and data`,
    evidence: twins.map((each) => ({
      source: `docker volume inspect ${each.other}`,
      text: `project ${each.project}, made ${each.createdAt}`,
    })),
    values: { volume: other, project },
  })),
];

const MOST_DECLARED = 3;

/** Only what certainly goes wrong: a folder for data is made in its time, and what another service may write is not missing yet. */
const judgeDeclared = (service: Service, source: DeclaredSource): Finding[] => {
  const { of, destination, kind, empty, near, readOnly, isMade, writer, at } = source;
  if (writer !== null || (!near && isMade)) return [];
  const isFile = of !== 'volume' || (FILE_NAME.test(source.source) && FILE_NAME.test(destination));
  const path = source.source;
  const what = of === 'volume' ? `which ${service.name} mounts at ${destination}` : `the file of ${of} ${destination} of ${service.name}`;
  const values = {
    path: destination,
    hostPath: path,
    ...(at ? { file: at.file, ...(at.line === null ? {} : { line: String(at.line) }) } : {}),
  };
  const place = at ? ` (${placeOf(at)})` : '';
  const declared: Evidence[] = at
    ? [{ source: placeOf(at), text: of === 'volume' ? `${path} → ${destination}` : `${of} ${destination}: ${path}` }]
    : [];
  if (kind === 'folder' && empty === true && isFile && near)
    return [
      {
        reason: 'file-became-folder',
        message: `${path}, ${what} as a file, is an empty folder${place}`,
        evidence: [{ source: `host: ${path}`, text: 'an empty folder' }, ...declared],
        values,
      },
    ];
  if (kind !== 'missing' || (isMade && !isFile && !readOnly)) return [];
  const instead = isMade ? `; Docker would make an empty folder there` : '';
  return [
    {
      reason: 'source-missing',
      // A folder that may only be read is of no use when it is empty, and breaks nothing by itself.
      ...(isMade && !isFile ? { severity: 'warn' as const } : {}),
      message: `${path}, ${what}, does not exist${place}${instead}`,
      evidence: [{ source: `host: ${path}`, text: 'no such file or folder' }, ...declared],
      values,
    },
  ];
};

const isAnonymous = (name: string): boolean => /^[0-9a-f]{64}$/.test(name);

/** Postgres 18 and its old path have a finding of their own. */
const anonymousData = ({ service, container }: Scene, images: readonly ImageFact[]): Finding[] => {
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

const otherProject = ({ service, container }: Scene, fact: MountsFact | null): Finding[] => {
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
