/** Findings that a team bears with for a while: what they do to outcomes. Pure; the day is handed in. */
import type { Check, IgnoredFinding, Outcome } from './check.ts';
import type { Ignore } from './config.ts';

/** What became of an ignore. `unknown`: its check was not asked, or could not look. */
export type IgnoreState = 'matched' | 'expired' | 'unmatched' | 'unknown';

export interface JudgedIgnore {
  ignore: Ignore;
  state: IgnoreState;
}

/** It holds through its last day, wherever that ends last. */
const isExpired = (ignore: Ignore, now: string): boolean => Date.parse(`${ignore.until}T23:59:59Z`) + LATEST_ZONE_MS < Date.parse(now);
const LATEST_ZONE_MS = 12 * 3_600_000;

/** Outcomes with what is ignored put aside, and what became of each ignore. */
export const applyIgnores = (
  outcomes: readonly Outcome[],
  ignores: readonly Ignore[],
  checks: readonly Check[],
  now: string,
): { outcomes: Outcome[]; judged: JudgedIgnore[] } => {
  const judged = ignores.map((ignore): JudgedIgnore => ({ ignore, state: stateOf(ignore, outcomes, now) }));
  const counting = judged.filter(({ state }) => state === 'matched').map(({ ignore }) => ignore);
  const bare = outcomes.map((outcome) => without(outcome, counting, checks));
  const aside = new Set(bare.filter((each, index) => each.status === 'skip' && outcomes[index]!.status !== 'skip').map(({ id }) => id));
  return { outcomes: bare.map((outcome) => unblocked(outcome, aside)), judged };
};

const codeOf = ({ check }: Outcome, reason: string): string => `${check}/${reason}`;

const isMeant = ({ finding, service }: Ignore, outcome: Outcome, reason: string): boolean =>
  service === outcome.service && finding === codeOf(outcome, reason);

const stateOf = (ignore: Ignore, outcomes: readonly Outcome[], now: string): IgnoreState => {
  const asked = outcomes.filter((each) => each.service === ignore.service && ignore.finding.startsWith(`${each.check}/`));
  if (asked.some((each) => each.findings.some(({ reason }) => isMeant(ignore, each, reason))))
    return isExpired(ignore, now) ? 'expired' : 'matched';
  return asked.some(({ status }) => ['pass', 'warn', 'fail'].includes(status)) ? 'unmatched' : 'unknown';
};

const without = (outcome: Outcome, ignores: readonly Ignore[], checks: readonly Check[]): Outcome => {
  const ignored = outcome.findings.flatMap((finding): IgnoredFinding[] => {
    const ignore = ignores.find((each) => isMeant(each, outcome, finding.reason));
    return ignore ? [{ finding, owner: ignore.owner, until: ignore.until, why: ignore.reason }] : [];
  });
  const [first] = ignored;
  if (!first) return outcome;
  const findings = outcome.findings.filter((finding) => !ignored.some((each) => each.finding === finding));
  const reason = `ignored by ${first.owner} until ${first.until}: ${first.why} (${first.finding.message})`;
  if (findings.length === 0) return { ...outcome, findings, ignored, status: 'skip', reason, note: null };
  const check = checks.find((each) => each.id === outcome.check && (each.scope === 'stack') === (outcome.service === null));
  const isFailing = findings.some(({ severity, reason: name }) => (severity ?? check?.findings[name]?.severity ?? 'fail') === 'fail');
  return { ...outcome, findings, ignored, status: isFailing ? 'fail' : 'warn' };
};

/** What was not asked for a finding that is ignored is not asked for a reason that is known. */
const unblocked = (outcome: Outcome, aside: ReadonlySet<string>): Outcome =>
  outcome.status === 'blocked' && outcome.blockedBy !== null && aside.has(outcome.blockedBy)
    ? { ...outcome, status: 'skip', blockedBy: null, reason: `not asked: ${outcome.blockedBy} fails, which is ignored` }
    : outcome;
