/** What is mounted from the host: the kind that was meant, made by the user, and still there. */
import { secondsSince } from '../../model/age.ts';
import type { Evidence, Finding } from '../../model/check.ts';
import { isFlapping } from '../../model/crash-loop.ts';
import type { DeclaredSource, MakingFact } from '../../model/facts.ts';
import { placeOf } from '../../model/project-files.ts';
import { isRunning, type Service } from '../../model/stack.ts';
import { holdsAnother, liesIn } from '../../model/stale-mount.ts';
import { obstacleOf } from '../../model/start-error.ts';
import { lookedAt, type Scene, type Source, valuesOf } from './scene.ts';
import { sharedWithOthers } from './sharing.ts';

/** Names that nobody gives to a folder. */
const FILE_NAME =
  /\.(conf|cfg|cnf|ini|json5?|ya?ml|toml|env|xml|properties|sql|sh|bash|py|rb|php|[cm]?[jt]sx?|html?|css|txt|md|pem|crt|cer|key|p12|jks|csv|acl|rules|htpasswd|lua|tmpl|template|lock|log)$|(^|\/)(Caddyfile|Dockerfile|Makefile|Procfile|Gemfile|\.env|\.npmrc|\.htpasswd|\.pgpass|crontab)$/i;

export const judgeSource = (source: Source, scene: Scene): Finding[] => [
  ...becameFolder(source, scene),
  ...stale(source, scene),
  ...madeByDocker(source, scene),
];

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
export const names = (text: string, folder: string): boolean =>
  [...text.matchAll(/\/[^\s'"`:;,)\]]+/g)].some(([path]) => liesIn(path.replace(/[.]+$/, ''), folder));

export const isIll = ({ container }: Scene): boolean =>
  ['exited', 'restarting', 'dead'].includes(container.state.status) || isFlapping(container) || container.health?.status === 'unhealthy';

/** While the service has no container: what `docker compose up` would meet. */
export const beforeUp = (service: Service, { sources = [], twins = [], sharers = [], lines }: MakingFact): Finding[] => [
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
