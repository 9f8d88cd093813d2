/** Outcomes and their explanation → the report. Pure: the runbook is handed in as a function. */
import { listed } from '../model/attempt.ts';
import type { Evidence, Located, Outcome } from '../model/check.ts';
import { serviceNode } from '../model/graph.ts';
import { SCHEMA_VERSION, type Candidate, type CheckReport, type Remedy, type Report } from '../model/report.ts';
import { running, type Service, type Stack } from '../model/stack.ts';
import { keyOf, type Explanation, type Root } from './explain.ts';

type Shared = NonNullable<Root['shared']>;

export interface Told {
  tool: Report['tool'];
  startedAt: string;
  durationMs: number;
  stack: Stack;
  engine: Report['stack']['engine'];
  outcomes: Outcome[];
  found: Located[];
  explanation: Explanation;
  remedyFor(located: Located): Remedy | null;
  notes: string[];
}

export const reportOf = (told: Told): Report => {
  const found = new Map<string, Located[]>();
  const effects = new Map<Located, Located[]>();
  for (const each of told.found) {
    push(found, each.id, each);
    const cause = told.explanation.causes.get(keyOf(each));
    if (cause) push(effects, cause, each);
  }
  const checks = told.outcomes.map((outcome) => checkReport(outcome, found.get(outcome.id) ?? [], told));
  const counts = { pass: 0, warn: 0, fail: 0, blocked: 0, skip: 0, error: 0 };
  for (const check of checks) counts[check.status] += 1;
  return {
    schemaVersion: SCHEMA_VERSION,
    tool: told.tool,
    startedAt: told.startedAt,
    durationMs: told.durationMs,
    status: counts.fail > 0 ? 'fail' : counts.error > 0 ? 'error' : counts.warn > 0 ? 'warn' : 'pass',
    stack: {
      project: told.stack.project,
      workingDir: told.stack.workingDir,
      composeFiles: told.stack.composeFiles,
      engine: told.engine,
      services: told.stack.services.map(serviceNode),
      connections: told.stack.connections.map(({ from, to, kind, source }) => ({ from, to, kind, source })),
    },
    counts,
    rootCauses: told.explanation.roots.map(({ located, explains, candidates, ask, shared }) => ({
      id: located.id,
      check: located.check,
      service: located.service,
      code: located.code,
      summary: shared
        ? `${located.finding.message}; the same fault is in ${listed(shared.services)}${placed(shared)}`
        : located.finding.message,
      evidence: [...located.finding.evidence, ...(shared ? sharedEvidence(shared) : [])],
      explains,
      lasting: located.spec.kind === 'cause' && !located.spec.passes,
      remedy: remedyWithTwins(located, effects.get(located) ?? [], told),
      ...(candidates && { candidates: candidates.map(candidateOf) }),
      ...(ask !== undefined && { decide: { command: `docker compose logs --tail 50 ${quoted(ask)}` } }),
    })),
    checks,
    notes: told.notes,
  };
};

const placed = ({ at, variable }: Shared): string => (at === null ? '' : variable === null ? ` (${at})` : ` (${variable} in ${at})`);

const sharedEvidence = ({ at, variable, services }: Shared): Evidence[] => [
  { source: at ?? 'the same image', text: `${variable === null ? '' : `${variable}, `}shared by ${listed(services)}` },
];

const push = <K>(to: Map<K, Located[]>, key: K, each: Located): void => {
  const known = to.get(key);
  if (known) known.push(each);
  else to.set(key, [each]);
};

const candidateOf = ({ id, service, code, finding }: Located): Candidate => ({ id, service, code, summary: finding.message });

/** A name of Compose needs no quotes; whose it is, a label of a container says. */
const quoted = (name: string): string => (/^\w[\w.-]*$/.test(name) ? name : `'${name.replaceAll("'", `'\\''`)}'`);

/** A folder that one container holds by an old mount is held so by all that mount it: what mends it in one is added for the others. */
const remedyWithTwins = (root: Located, effects: readonly Located[], told: Told): Remedy | null => {
  const remedy = told.remedyFor(root);
  const twins = effects.filter((each) => each.code === root.code);
  const sharers = root.code.endsWith('/stale-mount')
    ? alsoMounting(root, told.stack).map(({ name }): Located => ({ ...root, service: name }))
    : [];
  const known = new Set(remedy?.steps.map(({ command }) => command));
  const more = [...twins, ...sharers]
    .flatMap((twin) => told.remedyFor(twin)?.steps ?? [])
    .filter(({ command, effect }) => effect === 'changes' && command !== null && !known.has(command) && known.add(command));
  return remedy && { ...remedy, steps: [...remedy.steps, ...more] };
};

const alsoMounting = (root: Located, stack: Stack): Service[] => {
  const hostPath = root.finding.values?.['hostPath'];
  const mounts = (service: Service) =>
    running(service).some((each) => each.mounts.some(({ type, source }) => type === 'bind' && source === hostPath));
  return hostPath === undefined ? [] : stack.services.filter((service) => service.name !== root.service && mounts(service));
};

const checkReport = (outcome: Outcome, found: readonly Located[], told: Told): CheckReport => {
  const [main, ...more] = found;
  const causeOf = (located: Located) => told.explanation.causes.get(keyOf(located))?.id ?? null;
  return {
    id: outcome.id,
    check: outcome.check,
    service: outcome.service,
    title: outcome.title,
    status: outcome.status,
    code: main?.code ?? null,
    message: main?.finding.message ?? outcome.note ?? outcome.reason ?? outcome.title,
    evidence: main?.finding.evidence ?? [],
    causedBy: main ? causeOf(main) : null,
    blockedBy: outcome.blockedBy,
    reason: outcome.reason,
    durationMs: outcome.durationMs,
    remedy: main ? told.remedyFor(main) : null,
    ...(found.some(({ finding, severity }) => finding.starting && severity === 'warn') && { starting: true as const }),
    ...(outcome.ignored && {
      ignored: outcome.ignored.map(({ finding, owner, until, why }) => ({
        code: `${outcome.check}/${finding.reason}`,
        message: finding.message,
        owner,
        until,
        reason: why,
      })),
    }),
    alsoFound: more.map((located) => ({
      code: located.code,
      severity: located.severity,
      message: located.finding.message,
      evidence: located.finding.evidence,
      causedBy: causeOf(located),
    })),
  };
};
