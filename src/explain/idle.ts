/** Findings that the team ignores, among the causes. */
import type { Located, Outcome } from '../model/check.ts';
import type { Explanation } from './explain.ts';

/** An ignored finding is a root cause only while something else fails of it. */
export const withoutIdle = ({ roots, causes }: Explanation, outcomes: readonly Outcome[]): Explanation => {
  const ignored = new Map(outcomes.flatMap(({ id, ignored: each = [] }) => each.map((one) => [one.finding, { id, ...one }] as const)));
  const failing = new Set(outcomes.filter(({ status }) => status === 'fail').map(({ id }) => id));
  const marked = (located: Located): Located => {
    const { owner, until } = ignored.get(located.finding)!;
    return { ...located, finding: { ...located.finding, message: `${located.finding.message} (ignored by ${owner} until ${until})` } };
  };
  return {
    causes,
    roots: roots.flatMap((root) => {
      if (!ignored.has(root.located.finding)) return [root];
      return root.explains.some((id) => failing.has(id)) ? [{ ...root, located: marked(root.located) }] : [];
    }),
  };
};
