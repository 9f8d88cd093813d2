/** Does an edit on the host reach the app that runs? Through the mount first, then through the reloader. */
import { secondsSince } from '../model/age.ts';
import { defineCheck, type Evidence, type Finding, type Verdict } from '../model/check.ts';
import { crashIn, isUnreachedPeer, lastReload, type Crash } from '../model/crash.ts';
import { servesSocketFile } from '../model/command-line.ts';
import type { Fact, InsideFact, LogFact, SourceFact } from '../model/facts.ts';
import { appsOf, couldReload, reloads, runsSource, supervisorIn } from '../model/reloader.ts';
import { heldInstead, liesIn, staleMount } from '../model/stale-mount.ts';
import { commandLine, connectionsFrom, running, type Container, type Service, type Stack } from '../model/stack.ts';

type Mount = SourceFact['mounts'][number];

interface Given {
  service: Service;
  stack: Stack;
  container: Container;
  source: Fact<SourceFact>;
  inside: Fact<InsideFact>;
  logs: Fact<LogFact>;
  now: string;
}

/** A reload takes a moment in which there is no app. */
const RELOAD_SECONDS = 5;
/** Between the comparison of a file's two sides, somebody may save it. */
const EDIT_SECONDS = 3;

/** Folders that are laid over the source on purpose: dependencies, caches, output, data. */
const LAID_OVER =
  /(^|\/)(node_modules|\.?venv|env|\.?cache|__pycache__|\.next|\.nuxt|\.output|\.svelte-kit|\.astro|\.vite|\.turbo|\.pnpm-store|dist|build|out|target|bin|obj|vendor|bundle|\.bundle|_build|deps|\.git|\.idea|\.tox|\.\w+_cache|tmp|temp|logs?|data|media|static(files)?|uploads?|storage|public|coverage|migrations?|[\w.-]+\.egg-info)(\/|$)/i;

export const hotReload = defineCheck({
  id: 'hot-reload',
  title: 'An edit reaches the running app',
  question: 'Is the source mounted as it is on the host, and does a living reloader run it?',
  aliases: ['reload'],
  needs: ['source', 'inside', 'logs'],
  after: ['engine', 'container'],
  appliesTo: (service) => ['http', 'worker', 'unknown'].includes(service.role) && runsMountedSource(service),
  findings: {
    'source-missing': {
      severity: 'fail',
      layer: 'app',
      kind: 'cause',
      means: 'The folder that is mounted as source is missing or empty on the host.',
      proof: 'The host path of the bind mount does not exist, or the folder that the app runs in is mounted from an empty one.',
      ofFolder: true,
    },
    'stale-mount': {
      severity: 'fail',
      layer: 'app',
      kind: 'cause',
      means: 'The container still holds the folder that had this name when it started; edits go to another one.',
      proof: "mountinfo says `//deleted` or another path, or the folder's inode inside differs from the host's.",
      ofFolder: true,
    },
    shadowed: {
      severity: 'fail',
      layer: 'app',
      kind: 'cause',
      means: 'Another mount lies over the source, and hides it.',
      proof: 'A volume is mounted at or above the folder that the app runs from, or over a source file that differs from the host.',
    },
    unreadable: {
      severity: 'fail',
      layer: 'app',
      kind: 'cause',
      means: "The container's user may not read the mounted source.",
      proof: 'Reading the folder inside the container is denied.',
      ofFolder: true,
    },
    'content-differs': {
      severity: 'fail',
      layer: 'app',
      kind: 'cause',
      passes: true,
      means: 'The newest source file holds other bytes inside the container than on the host.',
      proof: 'The bytes of one file, read on both sides.',
    },
    'watchers-exhausted': {
      severity: 'fail',
      layer: 'host',
      kind: 'cause',
      means: 'The host is out of inotify instances or watches, so the reloader hears of no edit.',
      proof: "The reloader's own error in the log, or the count of instances at its limit.",
    },
    'child-dead': {
      severity: 'fail',
      layer: 'app',
      kind: 'cause',
      passes: true,
      means: 'The reloader lives and the app that it started is dead: the container looks well and answers nothing.',
      proof: 'The list of processes has the reloader and no child that is the app; the log since the last reload says why.',
    },
    'no-events': {
      severity: 'warn',
      layer: 'host',
      kind: 'cause',
      means: 'The file system of the mounted source tells no watcher of an edit, and the reloader does not look for itself.',
      proof: 'The type of the file system in mountinfo, and no sign of polling in command, environment and log.',
    },
    'not-enabled': {
      severity: 'warn',
      layer: 'app',
      kind: 'cause',
      means: 'The source is mounted, and the server is not told to reload it.',
      proof: 'The command line and the processes have no reload option.',
    },
    'no-bind-mount': {
      severity: 'warn',
      layer: 'app',
      kind: 'cause',
      means: 'A reloader watches source that is part of the image: no edit on the host can reach it.',
      proof: 'No mount of the container covers the folder that the app runs in.',
    },
  },
  evaluate({ service, stack, facts: { source, inside, logs }, now }): Verdict {
    const container = running(service)[0];
    if (!container) return { cannotLook: `${service.name} has no running container` };
    const given: Given = { service, stack, container, source, inside, logs, now };
    const mounts = source.ok ? source.value.mounts : [];
    const findings = [
      ...mounts.flatMap((mount) => judgeMount(mount, given)),
      ...shadowedWhole(given),
      ...watchersExhausted(given),
      ...childDead(given),
      ...noEvents(given),
      ...(mounts.length > 0 || isMounted(container) ? notEnabled(given) : noBindMount(given)),
    ];
    if (findings.length > 0) return { findings };
    const unseen = unseenIn(given);
    if (unseen !== null) return { cannotLook: unseen };
    const note = mounts.map((mount) => olderCode(mount, given)).find((each) => each !== null);
    return { findings: [], ...(note ? { note } : {}) };
  },
});

const lineOf = (service: Service): string => {
  const [container] = service.containers;
  return container ? commandLine(container) : [...(service.spec?.entrypoint ?? []), ...(service.spec?.command ?? [])].join(' ');
};

const runsMountedSource = (service: Service): boolean => {
  const line = lineOf(service);
  const [container] = service.containers;
  return (
    reloads(line) ||
    (runsSource(line) &&
      container !== undefined &&
      container.mounts.some((mount) => mount.type === 'bind' && holdsCode(mount.destination, container)))
  );
};

/** Where the app's code is looked for: the working folder, and what paths of the interpreter name. */
const codeFolders = ({ workingDir, env }: Container): string[] =>
  [workingDir, ...(env['PYTHONPATH'] ?? '').split(':'), ...(env['NODE_PATH'] ?? '').split(':')].filter(
    (path) => path.startsWith('/') && path !== '/',
  );

const holdsCode = (destination: string, container: Container): boolean =>
  codeFolders(container).some((folder) => liesIn(folder, destination));

/** `./src:/app/src` covers a part of the working folder. */
const isMounted = (container: Container): boolean =>
  container.mounts.some(
    ({ type, destination }) =>
      (type === 'bind' || type === 'volume') &&
      (holdsCode(destination, container) ||
        (!LAID_OVER.test(destination) && (container.workingDir === '' || liesIn(destination, container.workingDir)))),
  );

/** What runs, in the container's words and in the kernel's. */
const commandsOf = ({ container, inside }: Given): string[] => [
  commandLine(container),
  ...(inside.ok ? inside.value.processes.map((each) => each.command) : []),
];

const isReloading = (given: Given): boolean => commandsOf(given).some(reloads);

/** The first thing that is wrong with a mount is the reason for the rest. */
const judgeMount = (mount: Mount, given: Given): Finding[] => {
  const { service, container } = given;
  const { hostPath, destination, host, inside } = mount;
  const values = { path: destination, hostPath };
  const found = (reason: string, message: string, evidence: Evidence[], more: Record<string, string> = {}): Finding[] => [
    { reason, message, evidence, values: { ...values, ...more } },
  ];

  if (!host.exists)
    return found('source-missing', `${hostPath}, which ${service.name} mounts at ${destination}, does not exist on the host`, [
      { source: 'host', text: `${hostPath}: no such folder` },
    ]);
  const stale = staleMount(
    {
      service: service.name,
      source: hostPath,
      destination,
      hostInode: host.inode,
      insideInode: inside?.inode ?? null,
      differs: mount.sample?.same === false || (inside?.entries === 0 && !host.empty),
    },
    given.inside,
  );
  if (stale) {
    const message = `${service.name} still holds ${heldInstead(stale, hostPath)} at ${destination}; edits go to the one on the host`;
    const reload = reloadFromNothing(mount, given);
    if (reload === null) return found('stale-mount', message, stale.evidence);
    return found('stale-mount', message, [...stale.evidence, reload]).map((each) => ({ ...each, reloaded: true }));
  }
  if (host.empty && holdsCode(destination, container)) {
    return found('source-missing', `${hostPath}, which ${service.name} mounts at ${destination} and runs from, is empty`, [
      { source: 'host', text: `${hostPath}: empty${host.bornAt ? `, made ${host.bornAt}` : ''}` },
    ]);
  }
  if (inside && !inside.readable)
    return found('unreadable', `${service.name} may not read ${destination}, which is ${hostPath} on the host`, [
      { source: `inside ${service.name}`, text: `${destination}: permission denied` },
    ]);
  return judgeSample(mount, given, found);
};

/** The line by which the program began anew after its folder was gone: in place of its code and its configuration it found an empty one. */
const reloadFromNothing = ({ destination, host, inside }: Mount, { service, container, logs }: Given): Evidence | null => {
  if (inside?.entries !== 0 || host.empty || host.bornAt === null || !holdsCode(destination, container)) return null;
  const line = logs.ok && logs.value.container === container.name ? lastReload(logs.value.lines) : null;
  if (!line?.time || Date.parse(line.time) < Date.parse(host.bornAt)) return null;
  return { source: `${service.name} log, after the folder was replaced`, text: line.text };
};

const judgeSample = (
  mount: Mount,
  { service, now }: Given,
  found: (reason: string, message: string, evidence: Evidence[], more?: Record<string, string>) => Finding[],
): Finding[] => {
  const { sample, destination, hostPath } = mount;
  if (sample?.same !== false) return [];
  const inContainer = sample.file.startsWith('/') ? sample.file : `${destination.replace(/\/$/, '')}/${sample.file}`;
  const evidence = [
    { source: 'bytes compared', text: `${sample.file}, changed ${sample.hostModifiedAt}, differs between ${hostPath} and ${destination}` },
  ];
  const over = mount.shadowedBy.find((other) => liesIn(inContainer, other));
  if (over)
    return found('shadowed', `a mount at ${over} hides ${sample.file} of ${hostPath} from ${service.name}`, evidence, {
      path: over,
      file: sample.file,
    });
  if (secondsSince(sample.hostModifiedAt, now) < EDIT_SECONDS) return [];
  return found('content-differs', `${sample.file} in ${service.name} is not the file that is in ${hostPath}`, evidence, {
    file: sample.file,
  });
};

/** A volume at the very folder that the app runs from, over a bind mount above it. */
const shadowedWhole = ({ container, service }: Given): Finding[] => {
  const over = container.mounts.find(
    ({ type, destination }) => type === 'volume' && destination === container.workingDir && !LAID_OVER.test(destination),
  );
  const under =
    over &&
    container.mounts.find(
      ({ type, destination }) => type === 'bind' && destination !== over.destination && liesIn(over.destination, destination),
    );
  if (!over || !under) return [];
  return [
    {
      reason: 'shadowed',
      message: `${service.name} runs from ${over.destination}, where a volume hides what ${under.source} mounts at ${under.destination}`,
      evidence: [
        {
          source: `mounts of ${container.name}`,
          text: `volume ${over.name ?? over.source} at ${over.destination}, bind ${under.source} at ${under.destination}`,
        },
      ],
      values: { path: over.destination, hostPath: under.source },
    },
  ];
};

const WATCHERS =
  /too many open files \(os error 24\)|EMFILE: too many open files, watch|System limit for number of file watchers|(OS file|inotify) (watch|instance) limit|inotify_(init|add_watch).*(too many|no space)/i;

const watchersExhausted = (given: Given): Finding[] => {
  const { service, source, logs } = given;
  const line = logs.ok ? logs.value.lines.findLast(({ text }) => WATCHERS.test(text)) : undefined;
  const inotify = source.ok ? source.value.inotify : null;
  const full = inotify !== null && inotify.used >= inotify.limit;
  if (!line && !(full && isReloading(given))) return [];
  return [
    {
      reason: 'watchers-exhausted',
      // Its own watcher may be among those that were still granted.
      ...(line ? {} : { severity: 'warn' as const }),
      message: line
        ? `the watcher of ${service.name} could not start: the host is out of inotify watches`
        : `the user of ${service.name} holds ${inotify!.used} of ${inotify!.limit} inotify instances`,
      evidence: [
        ...(line ? [{ source: `${service.name} log`, text: line.text }] : []),
        ...(inotify ? [{ source: 'fs.inotify.max_user_instances', text: `${inotify.used} of ${inotify.limit} used` }] : []),
      ],
    },
  ];
};

const childDead = (given: Given): Finding[] => {
  const { inside, logs, service, container, now } = given;
  if (!inside.ok || !inside.value.processesKnown) return [];
  const { processes, listeners } = inside.value;
  const crash = logs.ok && (logs.value.container === container.name || service.containers.length === 1) ? crashIn(logs.value.lines) : null;
  const supervisor = supervisorIn(processes);
  if (supervisor && appsOf(supervisor, processes).length === 0) {
    if (crash === null && isReloadingNow(given)) return [];
    return [deadChild(given, `${supervisor.command} (pid ${supervisor.pid}) has no app as child`, crash)];
  }
  // Django and others keep the child that failed, without its server.
  const silent =
    service.role === 'http' && listeners.length === 0 && !servesSocketFile(container) && processes.some(({ command }) => reloads(command));
  return silent && crash !== null && secondsSince(container.state.startedAt, now) > RELOAD_SECONDS
    ? [deadChild(given, 'no socket listens', crash)]
    : [];
};

const isReloadingNow = ({ container, logs, source, now }: Given): boolean => {
  const edits = source.ok ? source.value.mounts.map((mount) => mount.sample?.hostModifiedAt) : [];
  const times = [container.state.startedAt, logs.ok ? lastReload(logs.value.lines)?.time : null, ...edits];
  return times.some((time) => time && Math.abs(secondsSince(time, now)) < RELOAD_SECONDS);
};

const deadChild = ({ service, stack, logs }: Given, seen: string, crash: Crash | null): Finding => {
  const peers = crash && isUnreachedPeer(crash.error) ? connectionsFrom(stack, service.name).flatMap(({ to }) => to ?? []) : [];
  const why = crash
    ? `: ${crash.error}${crash.at ? ` (${crash.at})` : ''}`
    : logs.ok
      ? ', and its log does not say why'
      : ', and its log cannot be read';
  return {
    reason: 'child-dead',
    message: `the reloader of ${service.name} runs and its app does not${why}`,
    evidence: [
      { source: `processes of ${service.name}`, text: seen },
      ...(crash ? [{ source: `${service.name} log`, text: crash.at ? `${crash.error}, ${crash.at}` : crash.error }] : []),
    ],
    suspects: [{ service: service.name, check: 'image' }, ...[...new Set(peers)].map((peer) => ({ service: peer }))],
    values: crash?.at ? { file: crash.at } : {},
  };
};

/** Shared from another machine, or from Windows: what changes there is not told here. */
const SILENT_FILES = /^(9p|drvfs|nfs4?|cifs|smb[23]?|vboxsf|prl_fs|vmhgfs|fuse\.(sshfs|vmhgfs-fuse|s3fs))$/;
const POLLS = /StatReload|Restarting with stat|--poll\b|--legacy-watch|usePolling/;
const POLLING_SWITCHES = ['WATCHFILES_FORCE_POLLING', 'CHOKIDAR_USEPOLLING', 'WATCHPACK_POLLING', 'VITE_USE_POLLING'];

const noEvents = (given: Given): Finding[] => {
  const { service, container, inside, logs } = given;
  if (!inside.ok || !isReloading(given)) return [];
  const words = [...commandsOf(given), ...(logs.ok ? logs.value.lines.map(({ text }) => text) : [])];
  if (words.some((each) => POLLS.test(each)) || POLLING_SWITCHES.some((key) => container.env[key])) return [];
  const mount = inside.value.mounts.find((each) => SILENT_FILES.test(each.fsType) && holdsCode(each.destination, container));
  if (!mount) return [];
  return [
    {
      reason: 'no-events',
      message: `the source of ${service.name} lies on a file system (${mount.fsType}) that tells its reloader of no edit`,
      evidence: [{ source: `mountinfo of ${service.name}`, text: `${mount.destination}: ${mount.fsType}` }],
      values: { path: mount.destination },
    },
  ];
};

const notEnabled = (given: Given): Finding[] => {
  const { service, container } = given;
  const bind = container.mounts.find(({ type, destination }) => type === 'bind' && holdsCode(destination, container));
  const able = commandsOf(given).find((command) => couldReload(command, container.env));
  if (service.role !== 'http' || !bind || !able || isReloading(given)) return [];
  return [
    {
      reason: 'not-enabled',
      message: `${service.name} runs the source mounted at ${bind.destination} without reloading it`,
      evidence: [{ source: `command of ${container.name}`, text: able }],
      values: { path: bind.destination, hostPath: bind.source },
    },
  ];
};

const SOURCE = /\.(py|[cm]?[jt]sx?|rb|php|go)$/;

/** A worker that does not reload may never load the file that was edited: worth a word, and no more. */
const olderCode = ({ sample, destination }: Mount, given: Given): string | null => {
  const { service, container } = given;
  const { startedAt } = container.state;
  if (service.role !== 'worker' || isReloading(given) || !holdsCode(destination, container)) return null;
  if (sample?.same !== true || !SOURCE.test(sample.file) || !startedAt || sample.hostModifiedAt <= startedAt) return null;
  return `${service.name} started before the newest edit of its source (${sample.file}), and does not reload it`;
};

const noBindMount = (given: Given): Finding[] => {
  const { service, container } = given;
  const command = commandsOf(given).find(reloads);
  if (command === undefined || container.workingDir === '' || container.workingDir === '/') return [];
  return [
    {
      reason: 'no-bind-mount',
      message: `${service.name} reloads the source in ${container.workingDir}, and nothing of the host is mounted there`,
      evidence: [{ source: `command of ${container.name}`, text: command }],
      values: { path: container.workingDir },
    },
  ];
};

const unseenIn = ({ service, container, source, inside }: Given): string | null => {
  if (!source.ok) return source.reason;
  const blind = source.value.mounts.find(
    (mount) =>
      mount.inside === null &&
      mount.sample?.same !== true &&
      !(inside.ok && inside.value.mounts.some((view) => view.destination === mount.destination)),
  );
  if (blind) return `${blind.destination} in ${service.name} could not be compared with ${blind.hostPath}`;
  if (!supervisorIn([{ pid: 1, parent: 0, command: commandLine(container) }])) return null;
  if (!inside.ok) return inside.reason;
  return inside.value.processesKnown ? null : `the processes of ${service.name} could not be listed`;
};
