/**
 * Findings + connections → root causes and consequences. Pure. A finding that its own proof places (`cause`) is a root unless it
 * points elsewhere itself; a `symptom` is explained by what fails where its evidence points, else in the same service, else along
 * the connections it has. Each is linked to what is nearest to it, which is explained in its turn. What nothing explains is a root.
 */
import { LAYERS, type Located, type Outcome, type Suspect } from '../model/check.ts';
import { connectionsFrom, type Service, type Stack } from '../model/stack.ts';

export interface Explanation {
  /** Most likely first. */
  roots: Root[];
  /** Failing finding → what it was taken for, by `keyOf`. */
  causes: Map<string, Located>;
}

export interface Root {
  located: Located;
  /** Ids of failing and blocked instances that come of it, in report order, without its own. */
  explains: string[];
}

/** Two findings of one instance are two things to explain, also of one code: two hosts that are not found. */
export const keyOf = (located: Located): string => `${located.id}#${located.code}#${located.finding.message}`;

export const explain = (found: readonly Located[], outcomes: readonly Outcome[], stack: Stack): Explanation => {
  const failing = found.filter((each) => each.severity === 'fail').toSorted((a, b) => compare(keyOf(a), keyOf(b)));
  const scene: Scene = {
    failing,
    distances: new Map(stack.services.map((service) => [service.name, distancesFrom(stack, service.name)])),
    ranks: new Map(outcomes.map((outcome, index) => [outcome.id, index])),
    folders: new Map(stack.services.map((service) => [service.name, bindSources(service)])),
  };
  const causes = new Map<string, Located>();
  for (const effect of failing) {
    const cause = candidates(effect, scene).find((each) => !leadsTo(each, effect, causes));
    if (cause) causes.set(keyOf(effect), cause);
  }
  const roots = failing
    .filter((each) => !causes.has(keyOf(each)))
    .map((located) => ({ located, explains: explainedBy(located, failing, causes, outcomes) }));
  return { roots: roots.toSorted(byLikelihood), causes };
};

interface Scene {
  failing: readonly Located[];
  distances: Map<string, Distances>;
  /** Place of each instance in the report: the later, the more particular its question. */
  ranks: Map<string, number>;
  /** Host folders that each service mounts. */
  folders: Map<string, string[]>;
}

const bindSources = (service: Service): string[] => [
  ...new Set(service.containers.flatMap((container) => container.mounts.filter(({ type }) => type === 'bind').map(({ source }) => source))),
];

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

interface Distances {
  /** By what the service says to: addresses in its environment, upstreams of a proxy. */
  spoken: Map<string, number>;
  /** By `depends_on` too, which may be no more than an order of starts. */
  any: Map<string, number>;
}

const distancesFrom = (stack: Stack, service: string): Distances => ({
  spoken: distances(stack, service, (kind) => kind !== 'depends-on'),
  any: distances(stack, service, () => true),
});

/** How many connections lie between a service and each one that it reaches, itself excluded. */
const distances = (stack: Stack, service: string, counts: (kind: string) => boolean): Map<string, number> => {
  const found = new Map<string, number>();
  let frontier = [service];
  for (let step = 1; frontier.length > 0; step++) {
    const next = new Set(
      frontier.flatMap((each) => connectionsFrom(stack, each).flatMap(({ kind, to }) => (to !== null && counts(kind) ? [to] : []))),
    );
    frontier = [...next].filter((each) => each !== service && !found.has(each));
    for (const each of frontier) found.set(each, step);
  }
  return found;
};

/** What may explain a finding, best first. */
const candidates = (effect: Located, scene: Scene): Located[] => {
  const others = scene.failing.filter((each) => each !== effect && !isNoMatterTo(effect, each));
  const { suspects } = effect.finding;
  const pointedAt = suspects ? others.filter((each) => suspects.some((suspect) => matches(suspect, each, effect))) : [];
  const folder = scene.failing.filter((each) => isOfFolder(each, effect, scene));
  if (pointedAt.length > 0 && !(folder.length > 0 && pointedAt.every(isDrift))) {
    const place = (each: Located) => suspects!.findIndex((suspect) => matches(suspect, each, effect));
    return pointedAt.toSorted((a, b) => place(a) - place(b) || byNearness(a, b, scene));
  }
  // All point at the first that tells of the folder.
  if (effect.spec.kind === 'cause') return folder.toSorted((a, b) => byNearness(b, a, scene));
  if (folder.length > 0) return folder.toSorted((a, b) => byNearness(a, b, scene));
  const here = others.filter((each) => each.service === effect.service && isBelow(each, effect, scene));
  // Evidence that points at somebody else in particular clears everybody else, but for what may stand between the two: files, networks, the same question.
  if (suspects && pointsElsewhere(effect)) {
    return here.filter((each) => isGround(each) || each.check === effect.check).toSorted((a, b) => byNearness(a, b, scene));
  }
  const strong = here
    .filter((each) => !isDrift(each))
    .toSorted((a, b) => Number(isAbove(a, effect)) - Number(isAbove(b, effect)) || byNearness(a, b, scene));
  if (strong.length > 0) return strong;
  return [...upstream(effect, others, scene), ...here];
};

/** What fails along the connections, the nearest first: those that the service says to before those that it only waits for at its start. */
const upstream = (effect: Located, others: readonly Located[], scene: Scene): Located[] => {
  const reach = effect.service === null ? undefined : scene.distances.get(effect.service);
  const far = (distance: Map<string, number> | undefined, each: Located) => distance?.get(each.service ?? '') ?? LAYERS.length * 1_000;
  return others
    .filter((each) => each.service !== null && each.service !== effect.service && !isDrift(each) && reach?.any.has(each.service))
    .toSorted(
      (a, b) => far(reach?.spoken, a) - far(reach?.spoken, b) || far(reach?.any, a) - far(reach?.any, b) || byNearness(a, b, scene),
    );
};

const pointsElsewhere = ({ finding, service }: Located): boolean =>
  (finding.suspects ?? []).length === 0 ||
  finding.suspects!.some((suspect) => suspect.service !== undefined && suspect.service !== service);

/** That the container is not as the files say harms nobody by itself: it explains only what nothing else does. */
const isDrift = ({ code }: Located): boolean => /^compose\/(env|image|mount|config)-drift$/.test(code);

const FOLDER_FAULT = /^(static-files\/(not-built|stale-mount|unreadable)|hot-reload\/(stale-mount|source-missing|unreadable))$/;

/** A fault of a host folder is one fault, whoever mounts it: the app that renders its templates from there fails too. */
const isOfFolder = (candidate: Located, effect: Located, { folders, ranks }: Scene): boolean => {
  const { hostPath } = candidate.finding.values ?? {};
  if (!hostPath || !FOLDER_FAULT.test(candidate.code) || candidate.id === effect.id) return false;
  if (effect.spec.kind === 'cause') {
    return (
      effect.code === candidate.code &&
      effect.finding.values?.['hostPath'] === hostPath &&
      (ranks.get(candidate.id) ?? 0) < (ranks.get(effect.id) ?? 0)
    );
  }
  if (effect.check !== 'http-health' && effect.check !== 'proxy') return false;
  const services = [effect.service, ...(effect.finding.suspects ?? []).map((suspect) => suspect.service)];
  return services.some(
    (service) => service && service !== candidate.service && folders.get(service)?.some((source) => overlaps(source, hostPath)),
  );
};

const overlaps = (a: string, b: string): boolean => a === b || a.startsWith(`${b}/`) || b.startsWith(`${a}/`);

/** What only somebody on the host can notice: inside the stack nobody goes through a published port, and a container's own probe does not either. */
const ON_HOST_ONLY = /^ports\/(not-bound|other-server|wrong-container-port|unreachable)$/;
/** Files that a web server serves wrongly are no fault in the eyes of other services. */
const AT_HOME_ONLY = /^static-files\//;

const isNoMatterTo = (effect: Located, candidate: Located): boolean => {
  const elsewhere = candidate.service !== effect.service;
  return (
    (ON_HOST_ONLY.test(candidate.code) && (elsewhere || effect.check === 'container')) || (AT_HOME_ONLY.test(candidate.code) && elsewhere)
  );
};

const matches = (suspect: Suspect, located: Located, effect: Located): boolean =>
  (suspect.service === undefined || suspect.service === located.service) &&
  (suspect.check === undefined || suspect.check === located.check) &&
  (suspect.code === undefined ||
    suspect.code === located.code ||
    (suspect.code.endsWith('/*') && located.code.startsWith(suspect.code.slice(0, -1)))) &&
  // Two findings of one kind do not explain each other.
  (located.id !== effect.id || located.code !== effect.code);

/** Within one service: a cause explains a symptom; of two symptoms the one nearer the ground, else the one that knows more. */
const isBelow = (candidate: Located, effect: Located, { ranks }: Scene): boolean => {
  if (candidate.spec.kind === 'cause') return true;
  if (layer(candidate) !== layer(effect)) return layer(candidate) < layer(effect);
  if (blocks(candidate) !== blocks(effect)) return blocks(candidate);
  return (ranks.get(candidate.id) ?? 0) > (ranks.get(effect.id) ?? 0);
};

/** Does it keep everything else of its service from being asked? */
const blocks = ({ finding, spec }: Located): boolean => finding.blocks ?? spec.blocks ?? false;

const layer = (located: Located): number => LAYERS.indexOf(located.spec.layer);
const isGround = (located: Located): boolean => layer(located) <= LAYERS.indexOf('compose');
const isAbove = (candidate: Located, effect: Located): boolean => layer(candidate) > layer(effect);

/** Drift comes last. What does not run comes first; then what lies highest; a symptom, which is explained in its turn, before a cause; then the more particular. */
const byNearness = (a: Located, b: Located, { ranks }: Scene): number =>
  Number(isDrift(a)) - Number(isDrift(b)) ||
  Number(blocks(b)) - Number(blocks(a)) ||
  layer(b) - layer(a) ||
  Number(b.spec.kind === 'symptom') - Number(a.spec.kind === 'symptom') ||
  (ranks.get(b.id) ?? 0) - (ranks.get(a.id) ?? 0) ||
  compare(keyOf(a), keyOf(b));

const leadsTo = (from: Located, to: Located, causes: Map<string, Located>): boolean => {
  for (let at: Located | undefined = from; at; at = causes.get(keyOf(at))) if (keyOf(at) === keyOf(to)) return true;
  return false;
};

const explainedBy = (root: Located, failing: readonly Located[], causes: Map<string, Located>, outcomes: readonly Outcome[]): string[] => {
  const effects = failing.filter((each) => leadsTo(each, root, causes));
  const ids = new Set(effects.map((each) => each.id));
  const blockers = new Set(effects.filter(blocks).map((each) => each.id));
  return outcomes
    .filter(
      (outcome) =>
        outcome.id !== root.id &&
        (ids.has(outcome.id) || (outcome.status === 'blocked' && outcome.blockedBy !== null && blockers.has(outcome.blockedBy))),
    )
    .map((outcome) => outcome.id);
};

/** Nearest the ground first; then what its own proof places; then what explains most. Drift that explains nothing comes last. */
const byLikelihood = (a: Root, b: Root): number =>
  Number(isIdleDrift(a)) - Number(isIdleDrift(b)) ||
  layer(a.located) - layer(b.located) ||
  Number(a.located.spec.kind === 'symptom') - Number(b.located.spec.kind === 'symptom') ||
  b.explains.length - a.explains.length ||
  compare(keyOf(a.located), keyOf(b.located));

const isIdleDrift = ({ located, explains }: Root): boolean => isDrift(located) && explains.length === 0;
