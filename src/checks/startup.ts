/** Why a program ended, in its own words: the data, the code, the modules, the machine. Asked only of what keeps ending. */
import { unique } from '../model/attempt.ts';
import { defineCheck, type Evidence, type Finding, type FindingSpec, type Verdict } from '../model/check.ts';
import { crashIn, isUnreachedPeer } from '../model/crash.ts';
import { keepsFailing } from '../model/crash-loop.ts';
import type { LogLine } from '../model/facts.ts';
import { knownErrorIn, type KnownError } from '../model/log-signatures.ts';
import { startupReason } from '../model/startup-reason.ts';
import { commandLine, shouldRun, connectionsFrom, type Container, type Service, type Stack } from '../model/stack.ts';
import { groundOf } from '../model/suspects.ts';

/** The log says what the program met; that it ended over it, the state of its container. */
const SAID_SO = 'The container ends by itself, and the last known error in the log of that run';

const cause = (layer: FindingSpec['layer'], means: string, proof: string, more: Pick<FindingSpec, 'ofCode'> = {}): FindingSpec => ({
  ...more,
  severity: 'fail',
  layer,
  kind: 'cause',
  means,
  proof: `${SAID_SO} ${proof}`,
});

interface Scene {
  service: Service;
  stack: Stack;
  container: Container;
  lines: LogLine[];
}

export const startup = defineCheck({
  id: 'startup',
  title: 'The program can start on what it is given',
  question: 'Why does the program end: its data, its code, its modules, or the machine?',
  needs: ['logs'],
  after: ['engine', 'compose'],
  appliesTo: (service) => (shouldRun(service) || service.role === 'one-shot') && service.containers.some(keepsFailing),
  findings: {
    'data-version': cause(
      'data',
      'The data was written by another major version of Postgres than the one of the image.',
      'is `database files are incompatible with server`, with both versions.',
    ),
    'mongodb-data-version': cause(
      'data',
      'The data was written by a version of MongoDB that this image does not open: one may go up, or back, a single major version at a time.',
      'is `Wrong mongod version`, or says that the data files are too old or too new.',
    ),
    'wal-damaged': cause(
      'data',
      'Postgres finds no valid checkpoint: its write-ahead log is damaged or missing.',
      'is `could not locate a valid checkpoint record`.',
    ),
    'init-script-failed': cause(
      'data',
      'A script of the first start failed, which leaves a volume that is filled by half and never initialised again.',
      'names the script in `/docker-entrypoint-initdb.d`.',
    ),
    'password-missing': cause(
      'compose',
      'The database image wants a password for its first start, and gets none.',
      'says that no password is specified.',
    ),
    'dump-too-new': cause(
      'data',
      'The dump of Redis was written by a newer version than the one of the image.',
      "is `Can't handle RDB format version`.",
    ),
    'append-file-damaged': cause('data', 'The append-only file of Redis is damaged.', 'says that it cannot be read.'),
    'disk-full': cause('host', 'There is no room left where the program writes.', 'is `No space left on device`.'),
    'module-missing': cause('app', 'The code imports a module that is not there.', 'names the module.', { ofCode: true }),
    'native-module': cause(
      'app',

      "The Node modules were installed on another platform than the container's.",
      'speaks of another platform, or of an ELF header.',
      { ofCode: true },
    ),
    'app-not-found': cause('app', 'The server does not find the app that its command names.', 'says that the app could not be loaded.'),
    'code-error': cause(
      'app',
      'The code itself fails while it is loaded.',
      'is an exception, with a line of the project in its traceback.',
      { ofCode: true },
    ),
    'setting-missing': cause('app', 'The app wants a setting that its environment does not have.', 'names the setting.', { ofCode: true }),
    'heap-limit': cause(
      'app',
      "Node reached the limit of its own heap, which is not the container's limit.",
      'is `JavaScript heap out of memory`.',
    ),
    'lockfile-outdated': cause('app', 'The lock file and package.json do not agree, so the packages are not installed.', 'says so.'),
    'corepack-keys': cause(
      'app',
      "The corepack of this Node image has outdated keys and refuses the package manager's signature.",
      'is `Cannot find matching keyid`.',
    ),
    'stale-pid-file': cause('app', 'A pid file of an earlier run is in the way.', 'names the file.'),
    'map-count': cause('host', "The host's vm.max_map_count is lower than the program wants.", 'names the limit.'),
    'cpu-unsupported': cause('host', 'The processor lacks instructions that this image needs.', 'names the instructions.'),
  },
  evaluate({ service, stack, facts: { logs } }): Verdict {
    if (!logs.ok) return { cannotLook: logs.reason };
    const container = service.containers.find((each) => each.name === logs.value.container && keepsFailing(each));
    if (!container) return { skip: `the log read is not of a container of ${service.name} that ended` };
    const found = endIn({ service, stack, container, lines: logs.value.lines });
    return found ? { findings: [found] } : { skip: `the log of ${service.name} says nothing known of its end` };
  },
});

const endIn = (scene: Scene): Finding | null => {
  const known = knownErrorIn(scene.lines, scene.service.role);
  const reason = known && startupReason(known);
  if (known && reason && reason !== 'code-error') return told(reason, known, scene);
  // Another known line speaks of somebody else.
  return known && !reason ? null : codeError(scene, known);
};

const told = (reason: string, known: KnownError, scene: Scene): Finding => {
  const { service, container } = scene;
  const { says, values = {}, evidence = [] } = describe(reason, known, scene);
  return {
    reason,
    message: `${service.name} ${says}`,
    evidence: [{ source: `${service.name} log: ${known.says}`, text: known.line }, ...evidence],
    ...suspects(reason, scene),
    values: { container: container.name, ...values },
  };
};

const suspects = (reason: string, { service, stack }: Scene): Pick<Finding, 'suspects'> => {
  switch (reason) {
    // What lies between the code and its files: mounts, volumes, the image.
    case 'module-missing':
    case 'native-module':
    case 'app-not-found':
      return { suspects: FILES.map((code) => ({ service: service.name, code })) };
    case 'password-missing':
      return { suspects: [{ code: 'compose/variable-unset' }, { code: 'compose/required-variable' }] };
    // Code may fail over an answer that it did not get.
    case 'code-error':
      return {
        suspects: [
          ...groundOf(service.name),
          ...unique(connectionsFrom(stack, service.name).flatMap(({ to }) => to ?? [])).map((to) => ({ service: to })),
        ],
      };
    case 'disk-full':
      return { suspects: [{ code: 'host/disk-full' }] };
    default:
      return {};
  }
};

const FILES = ['compose/mount-drift', 'compose/image-drift', 'image/*', 'mounts/*', 'hot-reload/*'];

interface Description {
  says: string;
  values?: Record<string, string>;
  evidence?: Evidence[];
}

const describe = (reason: string, { line }: KnownError, scene: Scene): Description => {
  const place = crashIn(scene.lines)?.at ?? null;
  const at = place ? { values: { file: place } } : {};
  switch (reason) {
    case 'data-version':
      return dataVersion(scene);
    case 'mongodb-data-version':
      return { says: `cannot open its data, which another version of MongoDB wrote${featureVersion(line)}` };
    case 'wal-damaged':
      return { says: 'finds no valid checkpoint in its data: the write-ahead log is damaged or missing' };
    case 'init-script-failed': {
      const script = /(\/docker-entrypoint-initdb\.d\/[^:\s]+)/.exec(line)?.[1] ?? '';
      return { says: `ended in its first start, ${script} failed: ${said(line)}`, values: { path: script } };
    }
    case 'password-missing':
      return { says: 'has no password for its first start, and refuses to begin without one' };
    case 'dump-too-new':
      return { says: `cannot read its dump, which a newer Redis wrote (RDB format ${/version (\d+)/.exec(line)?.[1] ?? 'unknown'})` };
    case 'append-file-damaged':
      return { says: 'cannot read its append-only file, which is damaged' };
    case 'disk-full':
      return { says: `ended because there is no room where it writes: ${line.trim()}` };
    case 'module-missing':
      return { says: `ends at its start: ${moduleIn(line)} is not in the container${place ? ` (${place})` : ''}`, ...at };
    case 'native-module':
      return { says: 'has Node modules that were installed on another platform' };
    case 'app-not-found':
      return { says: `does not find its app: ${line.trim()}`, values: { path: scene.container.workingDir || '/' } };
    case 'setting-missing':
      return { says: `misses a setting of its environment: ${line.trim()}${place ? ` (${place})` : ''}`, values: settingIn(line) };
    case 'heap-limit':
      return { says: "reached the limit of Node's own heap, which is not the container's limit" };
    case 'lockfile-outdated':
      return { says: 'does not install its packages: the lock file does not match package.json' };
    case 'corepack-keys':
      return { says: 'does not get its package manager: the keys of corepack in this Node image are outdated' };
    case 'stale-pid-file':
      return { says: 'takes a pid file of an earlier run for a server that still runs', values: pidFileIn(line) };
    case 'map-count':
      return { says: `wants a higher vm.max_map_count of the host: ${line.trim()}` };
    case 'cpu-unsupported':
    default:
      return { says: `needs instructions that this processor does not have: ${line.trim()}` };
  }
};

const VERSIONS = /initialized by PostgreSQL version ([\d.]+), which is not compatible with this version (\d+(?:\.\d+)*)/;

const dataVersion = ({ lines }: Scene): Description => {
  const detail = lines.findLast(({ text }) => VERSIONS.test(text));
  const [, data, program] = VERSIONS.exec(detail?.text ?? '') ?? [];
  return {
    says: data ? `is Postgres ${program}, and its data was written by Postgres ${data}` : 'cannot read data of another Postgres version',
  };
};

/** `{ _id: \\"featureCompatibilityVersion\\", version: \\"4.4\\" }` within a line that is JSON itself; older versions write it plainly. */
const featureVersion = (line: string): string => {
  const version = /version: \\*"(\d+\.\d+)\\*"/.exec(line)?.[1];
  return version ? ` (feature compatibility version ${version})` : '';
};

const said = (line: string): string => line.replace(/^.*?ERROR:\s*/, '').trim();

const moduleIn = (line: string): string => {
  const python = /(?:No module named|specification for) '?([\w.]+)/.exec(line)?.[1];
  const node = /Cannot find (?:module|package) '([^']+)'/.exec(line)?.[1];
  if (python) return `the Python module ${python}`;
  return node ? `the Node module ${node}` : 'a module';
};

const settingIn = (line: string): Record<string, string> => {
  const name = /KeyError: '([A-Z][A-Z0-9_]+)'|\b[Ee]nv(?:ironment)?[ -]var(?:iable)?s?:? ["'`]?([A-Z][A-Z0-9_]{2,})/
    .exec(line)
    ?.slice(1)
    .find(Boolean);
  return name ? { variable: name } : {};
};

const pidFileIn = (line: string): Record<string, string> => {
  const path = /Check (\/\S+?)\.?$/.exec(line.trim())?.[1];
  return path ? { path } : {};
};

/** An exception that names a line of the project. What it met at another service is that service's business. */
const codeError = (scene: Scene, known: KnownError | null): Finding | null => {
  const { service, container, lines } = scene;
  const crash = crashIn(lines);
  if (!crash?.at || isUnreachedPeer(crash.error)) return null;
  return {
    reason: 'code-error',
    message: `${service.name} ends while its code is loaded: ${crash.error} (${crash.at})`,
    evidence: [
      { source: `${service.name} log`, text: `${crash.error}, ${crash.at}` },
      { source: `command of ${container.name}`, text: commandLine(container) },
    ],
    // Code that does not parse is nobody else's fault.
    ...(known ? {} : suspects('code-error', scene)),
    values: { container: container.name, file: crash.at },
  };
};
