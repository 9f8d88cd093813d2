/** How far services lie from each other along their connections. */
import type { Stack } from '../model/stack.ts';

/** Services that one reaches, itself excluded, with the number of connections between. */
export interface Paths {
  /** By what the service says to: addresses in its environment, upstreams of a proxy. */
  spoken: Map<string, number>;
  /** By `depends_on` too, which may be no more than an order of starts. */
  any: Map<string, number>;
}

export interface Ways {
  from(service: string): Paths;
  /** Services from which a way leads to this one, past none of the others. */
  leadTo(service: string, past: readonly string[]): ReadonlySet<string>;
}

/** Each is walked once, and only when somebody asks. */
export const waysOf = ({ connections }: Stack): Ways => {
  const spoken: Arrows = new Map();
  const any: Arrows = new Map();
  const back: Arrows = new Map();
  for (const { from, to, kind } of connections) {
    if (to === null) continue;
    if (kind !== 'depends-on') draw(spoken, from, to);
    draw(any, from, to);
    draw(back, to, from);
  }
  const paths = new Map<string, Paths>();
  const leading = new Map<string, ReadonlySet<string>>();
  return {
    from: (service) => once(paths, service, () => ({ spoken: walk(spoken, service), any: walk(any, service) })),
    leadTo: (service, past) => once(leading, [service, ...past].join('\n'), () => new Set(walk(back, service, new Set(past)).keys())),
  };
};

type Arrows = Map<string, Set<string>>;

const draw = (on: Arrows, from: string, to: string): void => {
  const drawn = on.get(from);
  if (drawn) drawn.add(to);
  else on.set(from, new Set([to]));
};

const once = <T>(known: Map<string, T>, key: string, make: () => T): T => {
  const value = known.get(key) ?? make();
  known.set(key, value);
  return value;
};

const walk = (arrows: Arrows, from: string, but: ReadonlySet<string> = new Set()): Map<string, number> => {
  const distances = new Map([[from, 0]]);
  // What is added on the way is walked too.
  for (const [at, distance] of distances) {
    for (const to of arrows.get(at) ?? []) if (!distances.has(to) && !but.has(to)) distances.set(to, distance + 1);
  }
  distances.delete(from);
  return distances;
};
