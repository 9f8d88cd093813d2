/** The right word for a wrong one. */

/** Edits between two words: a letter added, dropped, changed, or two neighbours swapped. */
const distance = (a: string, b: string): number => {
  let before: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (let row = 1; row <= a.length; row++) {
    const next = [row];
    for (let column = 1; column <= b.length; column++) {
      const same = a[row - 1] === b[column - 1];
      let best = Math.min(last[column]! + 1, next[column - 1]! + 1, last[column - 1]! + (same ? 0 : 1));
      const swapped = row > 1 && column > 1 && a[row - 1] === b[column - 2] && a[row - 2] === b[column - 1];
      if (swapped) best = Math.min(best, before[column - 2]! + 1);
      next.push(best);
    }
    before = last;
    last = next;
  }
  return last[b.length]!;
};

/** Longer words are no slip of the hand, and comparing them takes time. */
const LONGEST = 100;

/** `mongodb/auth-rejected` is not meant where `postgres/auth-rejected` is a letter away. */
const MUCH_FARTHER = 3;

/** The words that are a slip of the hand away from this one (a third of its letters), or begin like it; nearest first. */
export const nearest = (word: string, words: Iterable<string>, most = 3): string[] => {
  const wanted = word.toLowerCase();
  if (wanted === '' || wanted.length > LONGEST) return [];
  const allowed = Math.max(1, Math.floor(wanted.length / 3));
  const near: { each: string; away: number }[] = [];
  for (const each of new Set(words)) {
    const candidate = each.toLowerCase();
    if (candidate.length > LONGEST) continue;
    const begins = wanted.length >= 3 && (candidate.startsWith(wanted) || wanted.startsWith(candidate));
    const away = begins ? 0.5 : distance(wanted, candidate);
    if (away <= allowed) near.push({ each, away });
  }
  near.sort((a, b) => a.away - b.away || (a.each < b.each ? -1 : 1));
  const [first] = near;
  return near.flatMap(({ each, away }) => (away <= first!.away + MUCH_FARTHER ? each : [])).slice(0, most);
};

/** `; did you mean x or y?`, or `''`. */
export const didYouMean = (word: string, words: Iterable<string>): string => {
  const near = nearest(word, words);
  if (near.length === 0) return '';
  const list = near.length === 1 ? near[0]! : `${near.slice(0, -1).join(', ')} or ${near.at(-1)}`;
  return `; did you mean ${list}?`;
};
