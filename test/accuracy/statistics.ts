/** The little arithmetic that the scores need. */

export interface Share {
  hits: number;
  n: number;
}

/** Where the true share lies with 95 % confidence (Wilson), as [low, high]. Of nothing, nothing is known. */
export const wilson = ({ hits, n }: Share, z = 1.96): [number, number] => {
  if (n === 0) return [0, 1];
  const p = hits / n;
  const spread = z * Math.sqrt((p * (1 - p)) / n + (z * z) / (4 * n * n));
  const middle = p + (z * z) / (2 * n);
  return [Math.max(0, (middle - spread) / (1 + (z * z) / n)), Math.min(1, (middle + spread) / (1 + (z * z) / n))];
};

export const share = <T>(all: readonly T[], isHit: (each: T) => boolean): Share => ({ hits: all.filter(isHit).length, n: all.length });

/** The value that this part of all is not above: 0.5 is the median. */
export const quantile = (values: readonly number[], part: number): number => {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.ceil(part * sorted.length) - 1)] ?? NaN;
};

export type Group<T> = readonly [string, T[]];

/** In the order in which their names come up. */
export const groups = <T>(all: readonly T[], nameOf: (each: T) => string): Group<T>[] => {
  const found = new Map<string, T[]>();
  for (const each of all) found.set(nameOf(each), [...(found.get(nameOf(each)) ?? []), each]);
  return [...found];
};
