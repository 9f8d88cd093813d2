/** What plugins know of causes: pointers for the explainer, put only where the cause is seen to fail. Pure. */
import type { Finding, Outcome, Suspect } from './check.ts';
import type { CausalRow } from './plugin.ts';
import { connectionsFrom, type Stack } from './stack.ts';

export const withCauses = (outcomes: readonly Outcome[], rows: readonly CausalRow[], stack: Stack): Outcome[] => {
  if (rows.length === 0) return [...outcomes];
  const failing = outcomes.flatMap(({ check, service, findings }) =>
    findings.map(({ reason }) => ({ service, code: `${check}/${reason}` })),
  );
  const suspectsOf = (effect: string, service: string | null): Suspect[] => {
    const within = service === null ? [] : [service, ...connectionsFrom(stack, service).flatMap(({ to }) => to ?? [])];
    const causes = rows.filter((row) => row.effect === effect).map(({ cause }) => cause);
    return failing
      .filter((each) => causes.includes(each.code) && (each.service === null || service === null || within.includes(each.service)))
      .map((each) => ({ code: each.code, ...(each.service !== null && { service: each.service }) }));
  };
  return outcomes.map((outcome) => ({
    ...outcome,
    findings: outcome.findings.map((finding): Finding => {
      const more = suspectsOf(`${outcome.check}/${finding.reason}`, outcome.service);
      // Nobody is suspected where the program itself said that it was nobody else.
      return more.length === 0 || finding.suspects?.length === 0
        ? finding
        : { ...finding, suspects: [...(finding.suspects ?? []), ...more] };
    }),
  }));
};
