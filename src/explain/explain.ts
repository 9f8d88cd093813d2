/**
 * Findings + connections → root causes and consequences. Pure. A finding that its own proof places (`cause`) is a root unless it
 * points elsewhere itself; a `symptom` is explained by what fails where its evidence points, else in the same service, else along
 * the connections it has. Evidence against an explanation overrules all of that. Each is linked to what is nearest to it, which is
 * explained in its turn. What nothing explains is a root.
 */
import { LAYERS, type Layer, type Located, type Outcome, type Suspect } from '../model/check.ts';
import type { SharedValue } from '../model/facts.ts';
import type { Role, Stack } from '../model/stack.ts';
import { cannotExplain, saysWhy } from './contradiction.ts';
import { foldersOf, overlaps } from './folders.ts';
import { waysOf, type Ways } from './paths.ts';
import { likenessOf, sharedFault, type SharedFault } from './shared-fault.ts';

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
  /** Where the evidence does not decide: it and the others that it may be, likeliest first. */
  candidates?: Located[];
  /** The service whose log would decide. */
  ask?: string;
  /** The place of the fault, where other services fail over the very same, and who they are. */
  shared?: SharedFault & { services: string[] };
}

/** Two findings of one instance are two things to explain, also of one code: two hosts that are not found. */
export const keyOf = (located: Located): string => `${located.id}#${located.code}#${located.finding.message}`;

export const explain = (
  found: readonly Located[],
  outcomes: readonly Outcome[],
  stack: Stack,
  sharedValues: readonly SharedValue[] = [],
): Explanation => {
  const scene = sceneOf(found, outcomes, stack);
  const causes = new Map<Located, Located>();
  const ends = new Map<Located, Located>();
  const rootOf = (each: Located): Located => {
    let root = each;
    for (let next = ends.get(root); next; next = ends.get(root)) root = next;
    // What was walked is walked once.
    for (let at = each; at !== root;) {
      const next = ends.get(at)!;
      ends.set(at, root);
      at = next;
    }
    return root;
  };
  /** What would have explained a finding, had it not been explained by it itself. */
  const circles = new Map<Located, Located>();
  for (const effect of scene.failing) {
    for (const candidate of candidates(effect, scene)) {
      if (rootOf(candidate) === effect) {
        if (!circles.has(effect)) circles.set(effect, candidate);
        continue;
      }
      causes.set(effect, candidate);
      ends.set(effect, candidate);
      break;
    }
  }
  const shared = new Map<Located, NonNullable<Root['shared']>>();
  for (const [likeness, alike] of grouped(scene.failing, likenessOf)) {
    if (likeness === null) continue;
    for (const [index, each] of alike.entries()) {
      // What was taken for another's consequence already may be so for this very reason.
      const by = causes.get(each);
      const before = alike.slice(0, index).filter((other) => !causes.has(other) && (by === undefined || by === other));
      const first = before.find((other) => sharedFault(other, each, stack, sharedValues) !== null);
      if (!first) continue;
      causes.set(each, first);
      ends.set(each, first);
      const services = shared.get(first)?.services ?? [first.service!];
      shared.set(first, { ...sharedFault(first, each, stack, sharedValues)!, services: [...services, each.service!] });
    }
  }
  const explains = explainedBy(scene.failing, rootOf, outcomes);
  const roots = scene.failing
    .filter((each) => !causes.has(each))
    .map((located): Root => {
      const of = shared.get(located);
      return { located, explains: explains.get(located) ?? [], ...undecided(located, causes, circles, scene), ...(of && { shared: of }) };
    });
  return {
    roots: roots.toSorted((a, b) => byLikelihood(a, b, scene)),
    causes: new Map([...causes].map(([effect, cause]) => [scene.keys.get(effect)!, cause])),
  };
};

interface Scene {
  /** By key: the order of the input never matters. */
  failing: readonly Located[];
  keys: Map<Located, string>;
  /** Place of each among all that fail, nearest to an effect first. */
  near: Map<Located, number>;
  /** These two in that order. */
  byService: Map<string | null, Located[]>;
  byCheck: Map<string, Located[]>;
  /** Failing faults of folders of the host, by folder. */
  byFolder: Map<string | undefined, Located[]>;
  ways: Ways;
  /** What fails among the services that one reaches, ring by ring. */
  upstream: (service: string) => Iterable<Located>;
  /** Place of each instance in the report: the later, the more particular its question. */
  ranks: Map<string, number>;
  /** Host folders that each service mounts. */
  folders: Map<string, string[]>;
  roles: Map<string, Role>;
  /** When something of a service was last made, started or ended, in milliseconds. */
  changed: Map<string, number>;
}

const sceneOf = (found: readonly Located[], outcomes: readonly Outcome[], stack: Stack): Scene => {
  const keys = new Map(found.map((each) => [each, keyOf(each)]));
  const failing = found.filter((each) => each.severity === 'fail').toSorted((a, b) => compare(keys.get(a)!, keys.get(b)!));
  const ranks = new Map(outcomes.map((outcome, index) => [outcome.id, index]));
  const nearest = failing.toSorted((a, b) => byNearness(a, b, ranks));
  const near = new Map(nearest.map((each, place) => [each, place]));
  const byService = grouped(nearest, (each) => each.service);
  const ways = waysOf(stack);
  return {
    failing,
    keys,
    near,
    byService,
    byCheck: grouped(nearest, (each) => each.check),
    byFolder: grouped(
      nearest.filter((each) => each.spec.ofFolder && each.finding.values?.['hostPath']),
      (each) => each.finding.values?.['hostPath'],
    ),
    ways,
    upstream: upstreamIn(ways, byService, near),
    ranks,
    folders: foldersOf(stack),
    roles: new Map(stack.services.map(({ name, role }) => [name, role])),
    changed: new Map(
      stack.services.map(({ name, containers }) => [
        name,
        Math.max(0, ...containers.flatMap(({ createdAt, state }) => [createdAt, state.startedAt, state.finishedAt].map(timeOf))),
      ]),
    ),
  };
};

const timeOf = (iso: string | null): number => Date.parse(iso ?? '') || 0;

const grouped = <K>(all: readonly Located[], by: (each: Located) => K): Map<K, Located[]> => {
  const groups = new Map<K, Located[]>();
  for (const each of all) {
    const group = groups.get(by(each));
    if (group) group.push(each);
    else groups.set(by(each), [each]);
  }
  return groups;
};

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

/** What may explain a finding, best first. As few are looked at as are asked for. */
function* candidates(effect: Located, scene: Scene): Generator<Located> {
  const may = (each: Located) => each !== effect && !cannotExplain(each, effect, scene);
  const folder = ofSameFolder(effect, scene);
  if (points(effect, scene, (each) => may(each) && !(folder.length > 0 && each.spec.drift))) {
    for (const each of pointedAt(effect, scene)) if (may(each)) yield each;
    return;
  }
  // All point at the first that tells of the folder.
  if (effect.spec.kind === 'cause') return yield* folder.toReversed();
  if (folder.length > 0) return yield* folder;
  const here = (scene.byService.get(effect.service) ?? []).filter((each) => may(each) && isBelow(each, effect, scene));
  // Evidence that points at somebody else in particular clears everybody else, but for what may stand between the two: files, networks, the same question.
  if (pointsElsewhere(effect)) return yield* here.filter((each) => isGround(each) || each.check === effect.check);
  const strong = here.filter((each) => !each.spec.drift);
  if (strong.length > 0) return yield* strong.toSorted((a, b) => Number(isAbove(a, effect)) - Number(isAbove(b, effect)));
  if (effect.service !== null) for (const each of scene.upstream(effect.service)) if (may(each)) yield each;
  yield* here;
}

/** What fails where a finding points, in the order of its suspects. */
function* pointedAt(effect: Located, { byService, byCheck, near }: Scene): Generator<Located> {
  const seen = new Set<Located>();
  for (const suspect of effect.finding.suspects ?? []) {
    const check = suspect.check ?? suspect.code?.split('/')[0];
    const all = suspect.service !== undefined ? byService.get(suspect.service) : check !== undefined ? byCheck.get(check) : near.keys();
    for (const each of all ?? []) {
      if (seen.has(each) || !matches(suspect, each, effect)) continue;
      seen.add(each);
      yield each;
    }
  }
}

const points = (effect: Located, scene: Scene, at: (each: Located) => boolean): boolean => {
  for (const each of pointedAt(effect, scene)) if (at(each)) return true;
  return false;
};

/** A ring is put in order when somebody comes that far. */
const upstreamIn = (
  ways: Ways,
  byService: Scene['byService'],
  near: ReadonlyMap<Located, number>,
): ((service: string) => Iterable<Located>) => {
  const known = new Map<string, { rings: Generator<readonly string[]>; done: Located[][] }>();
  const inOrder = (ring: readonly string[]): Located[] => {
    const found = ring.flatMap((name) => byService.get(name) ?? []).filter((each) => !each.spec.drift);
    return ring.length > 1 ? found.toSorted((a, b) => near.get(a)! - near.get(b)!) : found;
  };
  return function* (service) {
    const walk = known.get(service) ?? { rings: ways.rings(service), done: [] };
    known.set(service, walk);
    for (let index = 0; ; index++) {
      if (index === walk.done.length) {
        const next = walk.rings.next();
        if (next.done) return;
        walk.done.push(inOrder(next.value));
      }
      yield* walk.done[index]!;
    }
  };
};

const pointsElsewhere = ({ finding, service }: Located): boolean =>
  saysWhy(finding) || (finding.suspects ?? []).some((suspect) => suspect.service !== undefined && suspect.service !== service);

/** A fault of a host folder is one fault, whoever mounts it: the app that renders its templates from there fails too. Nearest first. */
const ofSameFolder = (effect: Located, { byFolder, folders, near, ranks }: Scene): Located[] => {
  if (effect.spec.kind === 'cause') {
    const told = (each: Located) =>
      each.id !== effect.id && each.code === effect.code && (ranks.get(each.id) ?? 0) < (ranks.get(effect.id) ?? 0);
    return byFolder.get(effect.finding.values?.['hostPath'])?.filter(told) ?? [];
  }
  // A file that is not there makes an error; nobody waits for it.
  if (effect.spec.shows !== 'error') return [];
  const services = [effect.service, ...(effect.finding.suspects ?? []).map((suspect) => suspect.service)];
  const mounts = services.flatMap((service) => (service ? (folders.get(service) ?? []).map((source) => ({ service, source })) : []));
  if (mounts.length === 0) return [];
  return [...byFolder]
    .flatMap(([hostPath, faults]) =>
      faults.filter(
        (each) => each.id !== effect.id && mounts.some(({ service, source }) => service !== each.service && overlaps(source, hostPath!)),
      ),
    )
    .toSorted((a, b) => near.get(a)! - near.get(b)!);
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

/** Drift comes last, and before it what a team asks beyond what the doctor knows. What does not run comes first; then what lies highest; a symptom, which is explained in its turn, before a cause; then the more particular. */
const byNearness = (a: Located, b: Located, ranks: ReadonlyMap<string, number>): number =>
  Number(a.spec.drift !== undefined) - Number(b.spec.drift !== undefined) ||
  Number(a.spec.layer === 'own') - Number(b.spec.layer === 'own') ||
  Number(blocks(b)) - Number(blocks(a)) ||
  layer(b) - layer(a) ||
  Number(b.spec.kind === 'symptom') - Number(a.spec.kind === 'symptom') ||
  (ranks.get(b.id) ?? 0) - (ranks.get(a.id) ?? 0);

/** Of each root, what comes of it: instances that fail for it, and those that were not asked for one that does. */
const explainedBy = (
  failing: readonly Located[],
  rootOf: (each: Located) => Located,
  outcomes: readonly Outcome[],
): Map<Located, string[]> => {
  const rootsOf = new Map<string, Set<Located>>();
  const blockedBy = new Map<string, Set<Located>>();
  const add = (to: Map<string, Set<Located>>, id: string, root: Located) => to.set(id, (to.get(id) ?? new Set()).add(root));
  for (const each of failing) {
    const root = rootOf(each);
    add(rootsOf, each.id, root);
    if (blocks(each)) add(blockedBy, each.id, root);
  }
  const explained = new Map<Located, string[]>();
  for (const { id, status, blockedBy: blocker } of outcomes) {
    const own = rootsOf.get(id) ?? [];
    const others = status === 'blocked' && blocker !== null ? (blockedBy.get(blocker) ?? []) : [];
    for (const root of new Set([...own, ...others])) {
      if (root.id === id) continue;
      const ids = explained.get(root);
      if (ids) ids.push(id);
      else explained.set(root, [id]);
    }
  }
  return explained;
};

/** What the evidence leaves open: a symptom that somebody may be the reason of who only may, and nothing says that he is. */
const undecided = (
  root: Located,
  causes: ReadonlyMap<Located, Located>,
  circles: ReadonlyMap<Located, Located>,
  scene: Scene,
): Pick<Root, 'candidates' | 'ask'> => {
  if (root.spec.kind === 'symptom') {
    const other = circles.get(root);
    // Two that fail alike, each a client of the other, and neither says that it is the other.
    if (other && other.service !== root.service && !suspects(other, root) && !suspects(root, other) && root.code === other.code)
      return { candidates: [root, other], ask: root.service! };
    const maybe = mayWaitFor(root, scene);
    return maybe.length > 0 ? { candidates: [root, ...maybe], ask: root.service! } : {};
  }
  if (!root.spec.drift) return {};
  // The container is not as the files say, and something is wrong with it: that the one comes of the other is a guess.
  const guessed = scene.byService.get(root.service)?.find((each) => causes.get(each) === root && !suspects(each, root));
  return guessed ? { candidates: [root, guessed], ask: root.service! } : {};
};

const MOST_CANDIDATES = 2;

/** A service that is silent, and uses one that turns it away at once: some clients try again and again, and wait. */
const mayWaitFor = (root: Located, scene: Scene): Located[] => {
  const { service } = root;
  if (root.spec.shows !== 'silence' || service === null || pointsElsewhere(root)) return [];
  const asError: Located = { ...root, spec: { ...root.spec, shows: 'error' } };
  const found: Located[] = [];
  for (const each of scene.upstream(service)) {
    if (each.spec.answers && scene.ways.speaks(service, each.service!) && !cannotExplain(each, asError, scene)) found.push(each);
    if (found.length === MOST_CANDIDATES) break;
  }
  return found;
};

const suspects = (from: Located, to: Located): boolean => (from.finding.suspects ?? []).some((suspect) => matches(suspect, to, from));

/** Proof before inference; then what lies nearest the ground; then what explains most; then what changed last. Drift that explains nothing comes last. */
const byLikelihood = (a: Root, b: Root, scene: Scene): number =>
  Number(isIdleDrift(a)) - Number(isIdleDrift(b)) ||
  Number(isInferred(a.located)) - Number(isInferred(b.located)) ||
  ground(a.located, scene) - ground(b.located, scene) ||
  Number(a.located.spec.kind === 'symptom') - Number(b.located.spec.kind === 'symptom') ||
  b.explains.length - a.explains.length ||
  changedAt(b.located, scene) - changedAt(a.located, scene) ||
  compare(scene.keys.get(a.located)!, scene.keys.get(b.located)!);

const isIdleDrift = ({ located, explains }: Root): boolean => located.spec.drift !== undefined && explains.length === 0;

/** Something is wrong here, and nothing says that it comes from here. That a container does not run was seen. */
const isInferred = (located: Located): boolean => located.spec.kind === 'symptom' && !blocks(located) && !saysWhy(located.finding);

const LAYER_OF: Partial<Record<Role, Layer>> = {
  postgres: 'data',
  redis: 'data',
  mysql: 'data',
  rabbitmq: 'data',
  mongodb: 'data',
  pooler: 'data',
  nginx: 'proxy',
  haproxy: 'proxy',
  'one-shot': 'migration',
};

/** A container that ended lies where its service does: a database below the apps that use it. */
const ground = (located: Located, { roles }: Scene): number => {
  if (located.check !== 'container' || located.spec.layer !== 'app') return layer(located);
  return LAYERS.indexOf(LAYER_OF[roles.get(located.service ?? '') ?? 'unknown'] ?? 'app');
};

const changedAt = ({ service }: Located, { changed }: Scene): number => changed.get(service ?? '') ?? 0;
