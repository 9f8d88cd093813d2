/** Who holds whom up in a database. */

interface Wait {
  /** Sessions, by the number that the server gives them. */
  waiter: number;
  blocker: number;
}

/** Sessions that hold others up and wait for nobody themselves, as the wait tells of them; `blocked` counts everyone behind them. */
export const rootsOf = <W extends Wait>(waits: readonly W[]): (W & { blocked: number })[] => {
  const waiters = new Set(waits.map((each) => each.waiter));
  const roots = new Map(waits.filter((each) => !waiters.has(each.blocker)).map((each) => [each.blocker, each]));
  return [...roots.values()].map((root) => {
    const behind = new Set([root.blocker]);
    for (const session of behind) for (const each of waits) if (each.blocker === session) behind.add(each.waiter);
    return { ...root, blocked: behind.size - 1 };
  });
};
