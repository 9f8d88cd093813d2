/** Broken stacks in a few words: which checks found what, as the explainer sees it. */
import { checks } from '../../src/checks/index.ts';
import type { Finding, Located, Outcome, Status } from '../../src/model/check.ts';
import type { Connection, Container, Stack } from '../../src/model/stack.ts';
import { makeConnection, makeService, makeStack } from '../checks/make.ts';

export type Parts = Partial<Omit<Finding, 'reason' | 'evidence'>>;

/** `'db container/exited'`, or `'compose/invalid'` for the whole stack: a finding with the spec that its check declares. */
export const located = (name: string, parts: Parts = {}): Located => {
  const [code, service] = name.split(' ').toReversed() as [string, string | undefined];
  const [id, reason] = code.split('/') as [string, string];
  const check = checks.find((each) => each.id === id && (each.scope === 'service') === (service !== undefined));
  const spec = check?.findings[reason];
  if (!spec) throw new Error(`no check finds ${name}`);
  return {
    id: service ? `${service}/${id}` : id,
    check: id,
    service: service ?? null,
    code,
    finding: { reason, message: `${name} was seen`, evidence: [], ...parts },
    spec,
    severity: parts.severity ?? spec.severity,
  };
};

/** In report order. `blocked` names instances that were not asked, and by what: `{ 'db/postgres': 'db/container' }`. */
export const outcomesOf = (found: readonly Located[], blocked: Record<string, string> = {}, passing: readonly string[] = []): Outcome[] => {
  const ids = [...new Set([...found.map((each) => each.id), ...Object.keys(blocked), ...passing])];
  const outcomes = ids.map((id): Outcome => {
    const own = found.filter((each) => each.id === id);
    const [check, service = null] = id.split('/').toReversed() as [string, string?];
    const status: Status = blocked[id]
      ? 'blocked'
      : own.some((each) => each.severity === 'fail')
        ? 'fail'
        : own.length > 0
          ? 'warn'
          : 'pass';
    return {
      id,
      check,
      service,
      title: '',
      status,
      findings: own.map((each) => each.finding),
      blockedBy: blocked[id] ?? null,
      reason: null,
      note: null,
      durationMs: 0,
    };
  });
  const place = (outcome: Outcome) =>
    checks.findIndex((each) => each.id === outcome.check && (each.scope === 'stack') === (outcome.service === null));
  return outcomes.toSorted((a, b) => place(a) - place(b) || ((a.service ?? '') < (b.service ?? '') ? -1 : 1));
};

/** `'nginx>backend'` speaks HTTP to it, `'backend>>db'` only depends on it. `folders` of the host are mounted by service. */
export const stackOf = (arrows: readonly string[], folders: Record<string, string[]> = {}): Stack => {
  const connections = arrows.map((arrow): Connection => {
    const [from, to] = arrow.split(/>+/) as [string, string];
    return makeConnection({ from, to, kind: arrow.includes('>>') ? 'depends-on' : 'http', host: to });
  });
  const names = [...new Set(connections.flatMap((each) => [each.from, each.to!]))];
  return makeStack({
    services: names.map((name) => makeService({ name, containers: [{ mounts: (folders[name] ?? []).map(mountOf) }] })),
    connections,
  });
};

const mountOf = (source: string, index: number): Container['mounts'][number] => ({
  type: 'bind',
  source,
  name: null,
  destination: `/mnt/${index}`,
  readOnly: false,
});
