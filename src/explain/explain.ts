/**
 * Findings + connections → root causes and consequences. Pure. A finding that its own proof places (`cause`) is a root unless it
 * points elsewhere itself; a `symptom` is explained by what fails where its evidence points, else in the same service, else along
 * the connections it has. What nothing explains is a root.
 */
import { LAYERS, type Located, type Outcome, type Suspect } from '../model/check.ts';
import { connectionsFrom, type Stack } from '../model/stack.ts';

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

/** Two findings of one instance are two things to explain. */
export const keyOf = (located: Located): string => `${located.id}#${located.code}`;

export const explain = (found: readonly Located[], outcomes: readonly Outcome[], stack: Stack): Explanation => {
  const failing = found.filter((each) => each.severity === 'fail').toSorted((a, b) => compare(keyOf(a), keyOf(b)));
  const distances = new Map(stack.services.map((service) => [service.name, distancesFrom(stack, service.name)]));
  const causes = new Map<string, Located>();
  for (const effect of failing) {
    const cause = candidates(effect, failing, distances).find((each) => !leadsTo(each, effect, causes));
    if (cause) causes.set(keyOf(effect), cause);
  }
  const roots = failing.filter((each) => !causes.has(keyOf(each))).map((located) => ({ located, explains: explainedBy(located, failing, causes, outcomes) }));
  return { roots: roots.toSorted(byLikelihood), causes };
};

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

type Distances = Map<string, number>;

/** How many connections lie between a service and each one that it reaches, itself excluded. */
const distancesFrom = (stack: Stack, service: string): Distances => {
  const distances: Distances = new Map();
  let frontier = [service];
  for (let step = 1; frontier.length > 0; step++) {
    const next = new Set(frontier.flatMap((each) => connectionsFrom(stack, each).flatMap((connection) => connection.to ?? [])));
    frontier = [...next].filter((each) => each !== service && !distances.has(each));
    for (const each of frontier) distances.set(each, step);
  }
  return distances;
};

/** What may explain a finding, best first. */
const candidates = (effect: Located, failing: readonly Located[], distances: Map<string, Distances>): Located[] => {
  const others = failing.filter((each) => keyOf(each) !== keyOf(effect));
  const pointedAt = others.filter((each) => effect.finding.suspects?.some((suspect) => matches(suspect, each)));
  if (pointedAt.length > 0) return pointedAt.toSorted(byNature);
  if (effect.spec.kind === 'cause') return [];
  const here = others.filter((each) => each.service === effect.service && isBelow(each, effect));
  if (here.length > 0) return here.toSorted(byNature);
  // Evidence that points at somebody in particular clears everybody else.
  if (effect.finding.suspects || effect.service === null) return [];
  const reach = distances.get(effect.service) ?? new Map<string, number>();
  const upstream = others.filter((each) => each.service !== null && reach.has(each.service));
  return upstream.toSorted((a, b) => reach.get(a.service!)! - reach.get(b.service!)! || byNature(a, b));
};

const matches = (suspect: Suspect, located: Located): boolean =>
  (suspect.service === undefined || suspect.service === located.service) &&
  (suspect.check === undefined || suspect.check === located.check) &&
  (suspect.code === undefined || suspect.code === located.code || (suspect.code.endsWith('/*') && located.code.startsWith(suspect.code.slice(0, -1))));

/** Within one service: a cause explains a symptom; of two symptoms, the one nearer the ground. */
const isBelow = (candidate: Located, effect: Located): boolean =>
  candidate.spec.kind === 'cause' || layer(candidate) < layer(effect) || (layer(candidate) === layer(effect) && Boolean(candidate.spec.blocks) && !effect.spec.blocks);

const layer = (located: Located): number => LAYERS.indexOf(located.spec.layer);

const byNature = (a: Located, b: Located): number =>
  Number(a.spec.kind === 'symptom') - Number(b.spec.kind === 'symptom') || layer(a) - layer(b) || compare(keyOf(a), keyOf(b));

const leadsTo = (from: Located, to: Located, causes: Map<string, Located>): boolean => {
  for (let at: Located | undefined = from; at; at = causes.get(keyOf(at))) if (keyOf(at) === keyOf(to)) return true;
  return false;
};

const explainedBy = (root: Located, failing: readonly Located[], causes: Map<string, Located>, outcomes: readonly Outcome[]): string[] => {
  const effects = new Set(failing.filter((each) => leadsTo(each, root, causes)).map((each) => each.id));
  return outcomes
    .filter((outcome) => outcome.id !== root.id && (effects.has(outcome.id) || isBlockedBy(outcome, effects)))
    .map((outcome) => outcome.id);
};

const isBlockedBy = (outcome: Outcome, ids: Set<string>): boolean => outcome.status === 'blocked' && outcome.blockedBy !== null && ids.has(outcome.blockedBy);

/** Nearest the ground first; then what its own proof places; then what explains most. */
const byLikelihood = (a: Root, b: Root): number =>
  layer(a.located) - layer(b.located) ||
  Number(a.located.spec.kind === 'symptom') - Number(b.located.spec.kind === 'symptom') ||
  b.explains.length - a.explains.length ||
  compare(keyOf(a.located), keyOf(b.located));
