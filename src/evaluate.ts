/** Asks each chosen check as soon as the facts it declared are there. Checks that stand on others wait for those, and are blocked by them. */
import { LAYERS, type Check, type Finding, type Located, type Outcome, type Verdict } from './model/check.ts';
import { isStackFact, mayBeAsked, type Fact, type FactName, type FactSource } from './model/facts.ts';
import type { Instance } from './model/selection.ts';
import { connectionsFrom, running, serviceNamed, type Service, type Stack } from './model/stack.ts';
import { DEFAULT_THRESHOLDS, type Thresholds } from './model/thresholds.ts';

/**
 * Outcomes in the order of the instances. Prerequisites that were not chosen are asked too; they are reported only where they fail,
 * because what they block would have no reason otherwise.
 */
export const evaluate = async (
  chosen: readonly Instance[],
  all: readonly Instance[],
  stack: Stack,
  source: FactSource,
  onDone: (outcome: Outcome) => void,
  thresholds: Thresholds = DEFAULT_THRESHOLDS,
): Promise<Outcome[]> => {
  const asked = new Map<Instance, Promise<Outcome>>();
  const ask = (instance: Instance): Promise<Outcome> => {
    const known = asked.get(instance);
    if (known) return known;
    const outcome = outcomeOf(instance, { all, stack, source, ask, thresholds });
    asked.set(instance, outcome);
    return outcome;
  };
  await Promise.all(chosen.map(async (instance) => onDone(await ask(instance))));
  const outcomes = await Promise.all(
    all.filter((instance) => asked.has(instance)).map(async (instance) => ({ instance, outcome: await asked.get(instance)! })),
  );
  return outcomes.filter(({ instance, outcome }) => chosen.includes(instance) || outcome.status === 'fail').map(({ outcome }) => outcome);
};

interface Asking {
  all: readonly Instance[];
  stack: Stack;
  source: FactSource;
  thresholds: Thresholds;
  ask(instance: Instance): Promise<Outcome>;
}

const outcomeOf = async (instance: Instance, { all, stack, source, ask, thresholds }: Asking): Promise<Outcome> => {
  const { id, check, service } = instance;
  const base: Outcome = {
    id,
    check: check.id,
    service: service?.name ?? null,
    title: check.title,
    status: 'pass',
    findings: [],
    blockedBy: null,
    reason: null,
    note: null,
    durationMs: 0,
  };
  const blocker = await firstBlocker(instance, all, ask);
  const blocked = blocker && { ...base, ...blockedBy(blocker) };
  // With nothing that runs there is nothing to look at but the files.
  const asked = blocker ? onFiles(instance, source) : source;
  if (blocked && !asked) return blocked;

  try {
    const [facts, peers] = await Promise.all([
      factsFor(check.needs, service, asked ?? source),
      peerFacts(check, service, stack, asked ?? source),
    ]);
    const durationMs = Math.max(0, ...Object.values(facts).map((fact) => fact.ms));
    const verdict = check.evaluate({ stack, service, facts, peers, now: source.startedAt, thresholds } as never);
    if (blocked) return 'findings' in verdict && verdict.findings.length > 0 ? { ...base, durationMs, ...judged(verdict, check) } : blocked;
    const standing = 'cannotLook' in verdict ? await firstFailingPeer(Object.keys(peers), check, all, ask) : null;
    if (standing) return { ...base, durationMs, ...blockedBy(standing) };
    // The container check says why; this one has nothing to add.
    if ('cannotLook' in verdict && service && (await isDown(service, source)))
      return { ...base, durationMs, status: 'skip', reason: `${service.name} is not running` };
    return { ...base, durationMs, ...judged(verdict, check) };
  } catch (error) {
    // A check that throws is our bug; it must not look like a fault of the stack, nor like a pass.
    return {
      ...base,
      status: 'error',
      reason: `${check.by ? `check ${check.id} of ${check.by} failed` : `internal error in check ${check.id}`}: ${messageOf(error)}`,
    };
  }
};

/** The facts of files alone; `null`: the check has none, or its service has containers that tell more. */
const onFiles = ({ check, service }: Instance, source: FactSource): Pick<FactSource, 'fact'> | null => {
  const { onFiles: names } = check;
  if (!names || (service?.containers.length ?? 0) > 0) return null;
  return {
    fact: async (name, of) =>
      names.includes(name)
        ? source.fact(name, of)
        : { ok: false, reason: `${name} is not asked while nothing runs`, timedOut: false, ms: 0 },
  };
};
const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/** No container runs, and that is known: where the containers could not be listed, nobody can say. */
const isDown = async (service: Service, source: FactSource): Promise<boolean> =>
  running(service).length === 0 && (await source.fact('containers')).ok;

const blockedBy = (blocker: Outcome): Pick<Outcome, 'status' | 'blockedBy' | 'reason'> => {
  const id = blocker.blockedBy ?? blocker.id;
  return { status: 'blocked', blockedBy: id, reason: `not asked: ${id} fails` };
};

/** A failing prerequisite with a blocking finding, or one that is itself blocked. */
const firstBlocker = async (
  { check, service }: Instance,
  all: readonly Instance[],
  ask: (instance: Instance) => Promise<Outcome>,
): Promise<Outcome | null> => {
  const prerequisites = all.filter(
    (other) => check.after.includes(other.check.id) && other.check !== check && (other.service === null || other.service === service),
  );
  return firstStanding(prerequisites, ask);
};

/** What could not be seen because a service that this one connects to does not run, or does not let anybody look. */
const firstFailingPeer = async (
  peers: string[],
  check: Check,
  all: readonly Instance[],
  ask: (instance: Instance) => Promise<Outcome>,
): Promise<Outcome | null> => {
  const ofPeers = all.filter(({ service }) => service !== null && peers.includes(service.name));
  const standing = await firstStanding(
    ofPeers.filter((each) => each.check.id === 'container'),
    ask,
  );
  if (standing || check.scope !== 'service') return standing;
  // Only those that wait for no peers themselves: two that waited for each other would wait for ever.
  const speaking = ofPeers.filter(
    (each) =>
      each.check.scope === 'service' && !each.check.peerNeeds && each.check.needs.some((need: FactName) => check.peerNeeds?.includes(need)),
  );
  const outcomes = await Promise.all(speaking.map(ask));
  return outcomes.find(({ status }) => status === 'fail') ?? null;
};

const firstStanding = async (instances: Instance[], ask: (instance: Instance) => Promise<Outcome>): Promise<Outcome | null> => {
  for (const instance of instances) {
    const outcome = await ask(instance);
    if (outcome.status === 'blocked' || outcome.findings.some((finding) => stands(finding, instance.check))) return outcome;
  }
  return null;
};

const stands = (finding: Finding, check: Check): boolean =>
  Boolean(finding.blocks ?? check.findings[finding.reason]?.blocks) && severityOf(finding, check) === 'fail';

const factsFor = async (
  needs: readonly FactName[],
  service: Service | null,
  source: Pick<FactSource, 'fact'>,
): Promise<Record<string, Fact<unknown>>> =>
  Object.fromEntries(
    await Promise.all(
      needs.map(async (name) => [name, await (!isStackFact(name) && service ? source.fact(name, service) : source.fact(name))] as const),
    ),
  );

const peerFacts = async (
  check: Check,
  service: Service | null,
  stack: Stack,
  source: Pick<FactSource, 'fact'>,
): Promise<Record<string, Record<string, Fact<unknown>>>> => {
  if (!service || check.scope !== 'service' || !check.peerNeeds?.length) return {};
  const connected = connectionsFrom(stack, service.name).flatMap((connection) => connection.to ?? []);
  const names = [...new Set([...connected, ...(check.peersOf?.(service, stack) ?? [])])];
  const peers = names.flatMap((name) => serviceNamed(stack, name) ?? []);
  const factsOf = async (peer: Service) => {
    const asked = check.peerNeeds!.filter((name) => mayBeAsked(name, peer.role));
    const notAsked = check.peerNeeds!.filter((name) => !asked.includes(name));
    return { ...(await factsFor(asked, peer, source)), ...Object.fromEntries(notAsked.map((name) => [name, unasked(name, peer)])) };
  };
  return Object.fromEntries(await Promise.all(peers.map(async (peer) => [peer.name, await factsOf(peer)] as const)));
};

const unasked = (name: string, { name: service, role }: Service): Fact<never> => ({
  ok: false,
  reason: `${name} is not asked of ${service} (${role})`,
  timedOut: false,
  ms: 0,
});

const judged = (verdict: Verdict, check: Check): Partial<Outcome> => {
  if ('skip' in verdict) return { status: 'skip', reason: verdict.skip };
  if ('cannotLook' in verdict) return { status: 'error', reason: verdict.cannotLook };
  const order = Object.keys(check.findings);
  const findings = verdict.findings.toSorted(
    (a, b) =>
      Number(severityOf(a, check) === 'warn') - Number(severityOf(b, check) === 'warn') ||
      layerOf(a, check) - layerOf(b, check) ||
      order.indexOf(a.reason) - order.indexOf(b.reason),
  );
  const unknown = findings.find((finding) => !check.findings[finding.reason]);
  if (unknown) throw new Error(`it found "${unknown.reason}", which it does not declare`);
  const status = findings.length === 0 ? 'pass' : severityOf(findings[0]!, check);
  return { status, findings, note: verdict.note ?? null };
};

const severityOf = (finding: Finding, check: Check) => finding.severity ?? check.findings[finding.reason]?.severity ?? 'fail';
const layerOf = (finding: Finding, check: Check) => LAYERS.indexOf(check.findings[finding.reason]?.layer ?? 'app');

/** Every finding with its address, in report order. */
export const locate = (outcomes: readonly Outcome[], checks: readonly Check[]): Located[] =>
  outcomes.flatMap((outcome) =>
    outcome.findings.map((finding) => {
      const check = checks.find((each) => each.id === outcome.check && (each.scope === 'stack') === (outcome.service === null))!;
      return {
        id: outcome.id,
        check: outcome.check,
        service: outcome.service,
        code: `${outcome.check}/${finding.reason}`,
        finding,
        spec: check.findings[finding.reason]!,
        severity: severityOf(finding, check),
      };
    }),
  );
