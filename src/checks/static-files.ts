/** The built files: on the host, as nginx sees them through its mount, and as it serves them. In this order, since each is the reason for the next. */
import { defineCheck, type Evidence, type Finding, type Verdict } from '../model/check.ts';
import type { Fact, InsideFact, LogFact, NginxFact, Webroot } from '../model/facts.ts';
import { heldInstead, liesIn, staleMount, type Stale } from '../model/stale-mount.ts';
import { running, type MountSpec, type Service } from '../model/stack.ts';

type Sample = Webroot['samples'][number];

interface Given {
  service: Service;
  inside: Fact<InsideFact>;
  nginx: Fact<NginxFact>;
}

/** Places of an nginx container that hold no pages. */
const NOT_PAGES = /^\/(etc|var\/(log|cache|run|lib)|run|tmp|proc|dev|root|certs?|ssl|letsencrypt|docker-entrypoint[^/]*)(\/|$)/;
const BUILD_OUTPUT = /^(dist|build|out|output|public|_site|www|html|static|target|client|browser)$/i;

export const staticFiles = defineCheck({
  id: 'static-files',
  title: 'nginx sees and serves the built files',
  question: 'Are the files built on the host, the same inside nginx, and served byte for byte?',
  aliases: ['static', 'web', 'frontend'],
  needs: ['webroot', 'inside', 'nginx', 'logs'],
  after: ['engine', 'container'],
  appliesTo: (service) => service.role === 'nginx' && mountsOf(service).some(holdsPages),
  findings: {
    'stale-mount': {
      severity: 'fail',
      layer: 'app',
      kind: 'cause',
      means: 'nginx still holds the folder that had this name when its container started; the folder on the host is another one now.',
      proof: "mountinfo says `//deleted` or another path, or the folder's inode inside differs from the host's.",
      noticed: 'at-home',
      ofFolder: true,
    },
    'not-built': {
      severity: 'fail',
      layer: 'app',
      kind: 'cause',
      passes: true,
      means: 'There are no built files: the folder is missing or empty.',
      proof: 'The folder on the host (or the volume) is missing, or holds no file.',
      noticed: 'at-home',
      ofFolder: true,
    },
    'wrong-folder': {
      severity: 'fail',
      layer: 'app',
      kind: 'cause',
      means: 'The folder that nginx serves is not the one where the files are mounted.',
      proof: 'The root lies in no mount, or in a folder that its mount lacks, while a mount of the container is served by nothing.',
      noticed: 'at-home',
    },
    unreadable: {
      severity: 'fail',
      layer: 'app',
      kind: 'cause',
      means: "nginx's workers may not read the files.",
      proof: 'Status 403, and mode bits on the host that forbid others to read.',
      noticed: 'at-home',
      ofFolder: true,
    },
    'default-page': {
      severity: 'fail',
      layer: 'app',
      kind: 'cause',
      means: 'nginx serves its own welcome page: the server block of the project is not the one that answers.',
      proof: 'The body is the welcome page, while the index on the host is not.',
      noticed: 'at-home',
    },
    'missing-assets': {
      severity: 'fail',
      layer: 'app',
      kind: 'cause',
      passes: true,
      means: 'The index names scripts or styles that the build does not hold.',
      proof: 'Files of the same origin that index.html names do not exist on the host.',
      noticed: 'at-home',
    },
    'different-bytes': {
      severity: 'fail',
      layer: 'app',
      kind: 'cause',
      passes: true,
      means: 'What nginx serves is not what the file on the host holds.',
      proof: 'Status 200 with another sha256 than that of the file.',
      noticed: 'at-home',
    },
    'not-served': {
      severity: 'fail',
      layer: 'app',
      kind: 'symptom',
      means: 'A file that is there is not served.',
      proof: 'A status of 400 or more, or no answer, for a file that exists and is readable.',
      noticed: 'at-home',
    },
  },
  evaluate({ service, facts: { webroot, inside, nginx, logs } }): Verdict {
    const wrong = nginx.ok ? wrongRoots(service, nginx.value, logs) : [];
    if (!webroot.ok) return wrong.length > 0 ? { findings: wrong } : { cannotLook: webroot.reason };
    const folders = webroot.value.folders;
    const findings = [
      ...oncePerMount(folders.map((folder) => ({ folder, findings: judgeFolder(folder, { service, inside, nginx }) }))),
      ...wrong,
    ];
    if (findings.length > 0) return { findings };
    if (folders.length === 0) return nginx.ok ? { skip: `${service.name} serves no folder from a mount` } : { cannotLook: nginx.reason };
    const unseen = folders.find((folder) => !isSeen(folder, inside));
    if (unseen) return { cannotLook: `neither the files of ${unseen.path} in ${service.name} nor its answers could be seen` };
    return { findings: [], note: noteOf(folders) };
  },
});

/** Several folders of one mount are stale together: the topmost stands for all. */
const oncePerMount = (judged: { folder: Webroot; findings: Finding[] }[]): Finding[] =>
  judged.flatMap(({ folder, findings }) =>
    findings.filter(
      ({ reason }) =>
        reason !== 'stale-mount' ||
        !judged.some(
          (other) =>
            other.folder.destination === folder.destination &&
            folder.path.startsWith(`${other.folder.path}/`) &&
            other.findings.some((each) => each.reason === 'stale-mount'),
        ),
    ),
  );

const mountsOf = (service: Service): MountSpec[] => service.containers[0]?.mounts ?? service.spec?.mounts ?? [];

const holdsPages = (mount: MountSpec): boolean => (mount.type === 'bind' || mount.type === 'volume') && !NOT_PAGES.test(mount.destination);

const isServed = ({ http, hostSha256 }: Sample): boolean => http.answer?.status === 200 && http.answer.sha256 === hostSha256;

/** Served as it is; or at least mounted as it is. */
const isSeen = (folder: Webroot, inside: Fact<InsideFact>): boolean =>
  folder.samples.some((sample) => sample.http.answer !== null) ||
  (folder.inside?.entries ?? 0) > 0 ||
  (inside.ok && folder.hostPath !== null && inside.value.mounts.some((mount) => mount.destination === folder.destination));

const noteOf = (folders: Webroot[]): string => {
  const samples = folders.flatMap((folder) => folder.samples);
  const same = samples.filter(isServed).length;
  return samples.length > 0 ? `${same} of ${samples.length} files compared byte for byte` : 'no file was compared over HTTP';
};

const judgeFolder = (folder: Webroot, given: Given): Finding[] => {
  const { host, hostPath } = folder;
  const stale = hostPath === null ? null : staleFolder(folder, given);
  if (host && !host.exists) return [missingFolder(folder, given.service, stale)];
  const empty = emptyFolder(folder, given.service);
  if (stale) return [staleFinding(folder, given.service, stale), ...empty];
  if (empty.length > 0) return empty;
  return [...judgeAnswers(folder, given), ...missingAssets(folder, given.service)];
};

const valuesOf = (folder: Webroot): Record<string, string> => ({
  path: folder.path,
  ...(folder.hostPath === null ? {} : { hostPath: folder.hostPath }),
});

const staleFolder = (folder: Webroot, { service, inside }: Given): Stale | null => {
  const source = mountsOf(service).find((mount) => mount.destination === folder.destination)?.source ?? folder.hostPath!;
  const missesEntries = folder.inside?.entries === 0 && (folder.host?.files ?? 0) > 0;
  const otherBytes = folder.samples.some((sample) => sample.http.answer !== null && !isServed(sample));
  return staleMount(
    {
      service: service.name,
      source,
      destination: folder.destination,
      hostInode: folder.hostInode,
      insideInode: folder.inside?.inode ?? null,
      differs: missesEntries || otherBytes,
    },
    inside,
  );
};

const staleFinding = (folder: Webroot, service: Service, stale: Stale): Finding => ({
  reason: 'stale-mount',
  message: `${service.name} still holds ${heldInstead(stale, folder.hostPath!)} at ${folder.path}; the one on the host now has ${folder.host?.files ?? 'unknown'} files`,
  evidence: [...stale.evidence, ...failedSamples(folder)],
  values: valuesOf(folder),
});

const missingFolder = (folder: Webroot, service: Service, stale: Stale | null): Finding => {
  const within = folder.path !== folder.destination && !BUILD_OUTPUT.test(folder.path.split('/').at(-1)!);
  return {
    reason: within ? 'wrong-folder' : 'not-built',
    message: within
      ? `${service.name} serves ${folder.path}, and the mount at ${folder.destination} holds no such folder (${folder.hostPath})`
      : `${folder.hostPath}, which ${service.name} serves as ${folder.path}, does not exist on the host`,
    evidence: [{ source: 'host', text: `${folder.hostPath}: no such folder` }, ...(stale?.evidence ?? []), ...failedSamples(folder)],
    values: valuesOf(folder),
  };
};

const emptyFolder = (folder: Webroot, service: Service): Finding[] => {
  const { host, hostPath, samples, inside } = folder;
  const emptyOnHost =
    host !== null && host.exists && host.unreadable === null && (host.files === 0 || (!host.hasIndex && samples.length === 0));
  const emptyVolume = hostPath === null && inside?.entries === 0;
  if (!emptyOnHost && !emptyVolume) return [];
  const what = emptyVolume ? `the volume at ${folder.destination}` : hostPath!;
  return [
    {
      reason: 'not-built',
      message: `${what}, which ${service.name} serves as ${folder.path}, holds ${host && host.files > 0 ? 'no page' : 'no files'}`,
      evidence: [
        {
          source: emptyVolume ? `inside ${service.name}` : 'host',
          text: `${emptyVolume ? folder.path : hostPath}: ${host?.files ?? 0} files, no index`,
        },
      ],
      values: valuesOf(folder),
    },
  ];
};

const missingAssets = (folder: Webroot, service: Service): Finding[] => {
  const { missingAssets: missing, hostPath } = folder;
  if (missing.length === 0) return [];
  const more = missing.length > 1 ? ` and ${missing.length - 1} more` : '';
  return [
    {
      reason: 'missing-assets',
      message: `the index that ${service.name} serves names ${missing[0]}${more}, which ${hostPath ?? folder.path} does not hold`,
      evidence: missing.slice(0, 5).map((file) => ({ source: 'index.html', text: `names ${file}, which does not exist` })),
      values: { ...valuesOf(folder), file: missing[0]! },
    },
  ];
};

const answerEvidence = ({ http, file }: Sample): Evidence => ({
  source: `HTTP ${http.url}`,
  text: http.answer ? `status ${http.answer.status}, ${http.answer.bytes} bytes for ${file}` : http.trial.text || http.trial.outcome,
});

const failedSamples = (folder: Webroot): Evidence[] =>
  folder.samples
    .filter((sample) => sample.http.trial.outcome !== 'no-tool' && !isServed(sample))
    .slice(0, 1)
    .map(answerEvidence);

/** Behind a login, sent elsewhere, passed on to an app, or not read to the end: nothing to compare. */
const isComparable = (sample: Sample, folder: Webroot, nginx: Fact<NginxFact>): boolean => {
  const { answer } = sample.http;
  if (!answer) return false;
  if (answer.status === 401 || (answer.status >= 300 && answer.status < 400)) return false;
  if (answer.status === 200 && answer.sha256 === null) return false;
  return !isPassedOn(sample.url, folder, nginx);
};

/** The longest location wins; regular expressions are not followed. */
const isPassedOn = (url: string, folder: Webroot, nginx: Fact<NginxFact>): boolean => {
  if (!nginx.ok) return false;
  const path = url.replace(/^[a-z]+:\/\/[^/]*/i, '') || '/';
  const prefix = (location: string): string => location.replace(/^(=|\^~)\s*/, '');
  const own = Math.max(
    0,
    ...nginx.value.roots
      .filter((root) => liesIn(root.path, folder.path))
      .map((root) => prefix(root.location))
      .filter((each) => path.startsWith(each))
      .map((each) => each.length),
  );
  return nginx.value.upstreams.some(({ location }) => path.startsWith(prefix(location)) && prefix(location).length > own);
};

/** One finding for the worst sample; the index comes first, and counts most. */
const judgeAnswers = (folder: Webroot, { service, nginx }: Given): Finding[] => {
  const asked = folder.samples.filter((sample) => sample.http.trial.outcome !== 'no-tool');
  if (asked.length > 0 && asked.every((sample) => sample.http.answer === null)) return [unanswered(folder, asked[0]!, service)];
  const comparable = asked.filter((sample) => isComparable(sample, folder, nginx));
  const bad = comparable.find((sample) => !isServed(sample));
  if (!bad) return [];
  // Rules that deny some files, or rewrite pages on their way (sub_filter, SSI), are often meant.
  const meant = comparable.some(isServed) && (bad !== comparable[0] || (bad.http.answer!.status === 200 && !looksDefault(bad)));
  const { reason, message } = whyBad(bad, folder, service);
  return [
    {
      reason,
      message,
      evidence: [
        answerEvidence(bad),
        ...(reason === 'different-bytes'
          ? [{ source: 'sha256', text: `host ${bad.hostSha256.slice(0, 16)}, served ${bad.http.answer!.sha256!.slice(0, 16)}` }]
          : []),
      ],
      ...(meant ? { severity: 'warn' as const } : {}),
      values: { ...valuesOf(folder), file: bad.file },
      ...(reason === 'not-served' ? { suspects: [{ service: service.name, check: 'proxy' }] } : {}),
    },
  ];
};

const looksDefault = ({ http }: Sample): boolean =>
  /<title>\s*(Welcome to nginx!|Test Page for the|Welcome to OpenResty)/i.test(http.answer?.body ?? '');

const whyBad = (bad: Sample, folder: Webroot, service: Service): { reason: string; message: string } => {
  const { status, bytes } = bad.http.answer!;
  if (status === 200 && looksDefault(bad))
    return {
      reason: 'default-page',
      message: `${service.name} serves its own welcome page instead of ${bad.file} of ${folder.hostPath ?? folder.path}`,
    };
  if (status === 200)
    return {
      reason: 'different-bytes',
      message: `${service.name} serves ${bytes} bytes for ${bad.file} that are not those of the file in ${folder.hostPath ?? folder.path}`,
    };
  // `try_files` with a page to fall back on makes 404 of it, or goes round in circles until that is 500.
  const forbidden = status >= 400 && folder.host && (!folder.host.readableByAll || folder.host.unreadable !== null);
  if (forbidden)
    return {
      reason: 'unreadable',
      message: `${service.name} may not read ${folder.host!.unreadable ?? folder.hostPath}: it answers ${status} for ${bad.file}`,
    };
  return {
    reason: 'not-served',
    message: `${service.name} answers ${status} for ${bad.file}, which is in ${folder.hostPath ?? folder.path}`,
  };
};

const unanswered = (folder: Webroot, sample: Sample, service: Service): Finding => ({
  reason: 'not-served',
  message: `${service.name} does not answer for ${sample.file} of ${folder.path}: ${sample.http.trial.text || sample.http.trial.outcome}`,
  evidence: [answerEvidence(sample)],
  suspects: ['proxy', 'ports', 'container'].map((check) => ({ service: service.name, check })),
  values: valuesOf(folder),
});

/** A root outside every mount, and a mount that nothing serves. Files of the image are as good as mounted ones, so more must point to a mistake. */
const wrongRoots = (service: Service, nginx: NginxFact, logs: Fact<LogFact>): Finding[] => {
  const mounts = running(service)[0]?.mounts ?? [];
  const unserved = mounts
    .filter(holdsPages)
    .filter(({ destination }) => !nginx.roots.some(({ path }) => liesIn(path, destination) || liesIn(destination, path)));
  const outside = nginx.roots.filter(
    ({ path, location }) =>
      /^(\^~\s*|=\s*)?\/?$/.test(location) && !path.includes('$') && !mounts.some(({ destination }) => liesIn(path, destination)),
  );
  for (const root of outside) {
    const complaint = logs.ok ? logs.value.lines.find((line) => isComplaint(line.text, root.path)) : undefined;
    const mount = unserved.find(({ destination }) => complaint || isSibling(root.path, destination));
    if (!mount) continue;
    return [
      {
        reason: 'wrong-folder',
        message: `${service.name} serves ${root.path}, which no mount provides; ${mount.source || 'a volume'} is mounted at ${mount.destination}, which it does not serve`,
        evidence: [
          { source: root.at, text: `root ${root.path}` },
          ...(complaint ? [{ source: `${service.name} log`, text: complaint.text }] : []),
        ],
        values: { path: root.path, hostPath: mount.source, file: root.at },
      },
    ];
  }
  return [];
};

const isComplaint = (text: string, root: string): boolean =>
  (text.includes(`"${root}/`) || text.includes(`"${root}"`)) && /No such file or directory|is forbidden|is not found/.test(text);

/** `/usr/share/nginx/www` beside `/usr/share/nginx/html`: what is mounted there is meant to be served. */
const isSibling = (a: string, b: string): boolean => parentOf(a) !== '' && parentOf(a) === parentOf(b);

const parentOf = (path: string): string => path.replace(/\/+$/, '').replace(/\/[^/]*$/, '');
