/** How services reach each other along their connections. By numbers: a stack of a thousand services is walked a thousand times. */
import type { Stack } from '../model/stack.ts';

export interface Ways {
  /**
   * The services that one reaches, in groups of those equally near, the nearest first: those that it says to, by addresses in its
   * environment or upstreams of a proxy, before those that it only waits for at its start.
   */
  rings(from: string): Generator<readonly string[]>;
  /** Does a way lead from one to the other, through what each says to? */
  speaks(from: string, to: string): boolean;
  /** Does any way lead there, past none of the others? */
  leads(from: string, to: string, past?: readonly string[]): boolean;
}

/** Each service is walked from once, and only when somebody asks. */
export const waysOf = ({ services, connections }: Stack): Ways => {
  const names = [...new Set([...services.map(({ name }) => name), ...connections.flatMap(({ from, to }) => [from, to ?? from])])];
  const numbers = new Map(names.map((name, number) => [name, number]));
  const [spoken, any, back] = [0, 1, 2].map(() => names.map((): number[] => [])) as [Arrows, Arrows, Arrows];
  for (const { from, to, kind } of connections) {
    if (to === null) continue;
    const [tail, head] = [numbers.get(from)!, numbers.get(to)!];
    if (kind !== 'depends-on') spoken[tail]!.push(head);
    any[tail]!.push(head);
    back[head]!.push(tail);
  }
  const nowhere: Walk = { reached: [], distance: new Int32Array(names.length).fill(UNREACHED) };
  const reaches = ({ distance }: Walk, to: string) => (distance[numbers.get(to) ?? -1] ?? UNREACHED) !== UNREACHED;
  const walks = new Map<string, { spoken: Walk; any: Walk }>();
  const from = (service: string) =>
    once(walks, service, () => {
      const number = numbers.get(service);
      return number === undefined ? { spoken: nowhere, any: nowhere } : { spoken: walk(spoken, number), any: walk(any, number) };
    });
  const arriving = new Map<string, Walk>();
  return {
    *rings(service) {
      const ways = from(service);
      const groups = function* (walked: readonly number[], distances: readonly Int32Array[]): Generator<string[]> {
        let group: number[] = [];
        for (const each of walked) {
          if (group.length > 0 && distances.some((distance) => distance[each] !== distance[group[0]!])) {
            yield group.map((number) => names[number]!);
            group = [];
          }
          group.push(each);
        }
        if (group.length > 0) yield group.map((number) => names[number]!);
      };
      // A walk has the nearest first already; of those equally near to be spoken to, the nearer by any way.
      const { reached, distance } = ways.spoken;
      const near = (a: number, b: number) => distance[a]! - distance[b]! || ways.any.distance[a]! - ways.any.distance[b]!;
      yield* groups(reached.toSorted(near), [distance, ways.any.distance]);
      yield* groups(
        ways.any.reached.filter((each) => distance[each] === UNREACHED),
        [ways.any.distance],
      );
    },
    speaks: (service, to) => reaches(from(service).spoken, to),
    leads: (service, to, past = []) => {
      const target = numbers.get(to);
      if (target === undefined) return false;
      const there = once(arriving, [to, ...past].join('\n'), () =>
        walk(back, target, new Set(past.map((each) => numbers.get(each) ?? -1))),
      );
      return reaches(there, service);
    },
  };
};

type Arrows = number[][];

interface Walk {
  /** In the order of distance, without the start. */
  reached: number[];
  /** By number. */
  distance: Int32Array;
}

const UNREACHED = -1;

const walk = (arrows: Arrows, start: number, but: ReadonlySet<number> = new Set()): Walk => {
  const distance = new Int32Array(arrows.length).fill(UNREACHED);
  distance[start] = 0;
  const reached = [start];
  // What is added on the way is walked too.
  for (const at of reached) {
    for (const to of arrows[at]!) {
      if (distance[to] !== UNREACHED || but.has(to)) continue;
      distance[to] = distance[at]! + 1;
      reached.push(to);
    }
  }
  distance[start] = UNREACHED;
  return { reached: reached.slice(1), distance };
};

const once = <T>(known: Map<string, T>, key: string, make: () => T): T => {
  const value = known.get(key) ?? make();
  known.set(key, value);
  return value;
};
