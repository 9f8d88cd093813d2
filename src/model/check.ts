/** The nouns of judging: a check, what it may find, and what came of asking it. */
import type { Fact, FactName, FactTypes, OwnFactName, ServiceFactName, StackFactName } from './facts.ts';
import type { Service, Stack } from './stack.ts';
import type { Thresholds } from './thresholds.ts';

/** From the ground up. Of two explanations, the lower layer is the likelier root. `own`: what a team asks beyond what the doctor knows. */
export const LAYERS = ['engine', 'host', 'compose', 'data', 'migration', 'app', 'proxy', 'own'] as const;
export type Layer = (typeof LAYERS)[number];

export type Severity = 'warn' | 'fail';

export interface Evidence {
  /** Where it was seen: `postgres 28P01 from backend`, `docker inspect db: State.Error`, `nginx log`. */
  source: string;
  text: string;
}

/** One way in which a check's question is answered "no". Declared with the check, once. */
export interface FindingSpec {
  severity: Severity;
  layer: Layer;
  /**
   * `cause`: its own proof says where the fault is. `symptom`: something is wrong here, and the reason may lie elsewhere;
   * the explainer looks for it at the suspects, in the same service, then along the connections.
   */
  kind: 'cause' | 'symptom';
  /** What the finding means, in one sentence with no values in it. */
  means: string;
  /** What proves it: the field, the code, the inode, the byte. */
  proof: string;
  /** Nothing else can be asked of this service while it holds (the container does not run). */
  blocks?: boolean;
  /** It may pass by itself: something is still being started or made. Any other cause lasts, and `--wait` need not wait for it. */
  passes?: boolean;

  // What the explainer must know to leave the innocent alone. All of it may be left out.

  /**
   * How a symptom looks to who asks: an answer that is an `error`, no answer (`silence`), or the word of Docker's healthcheck
   * (`probe`). Missing files explain only an error; who is told at once that he may not enter is not silent for it.
   */
  shows?: 'error' | 'silence' | 'probe';
  /** Who can notice it: somebody on the host, through a published port; its own service; Docker's healthcheck. Absent: everybody. */
  noticed?: 'on-host' | 'at-home' | 'by-probe';
  /** Who asks is turned away at once, with a word. */
  answers?: boolean;
  /** It is about whom the service can reach: no reason for an error that its own log lays to something else. */
  ofConnection?: boolean;
  /** The fault is of the folder of the host in the value `hostPath`, and so one for all who mount it. */
  ofFolder?: boolean;
  /** The fault is of the code or of the modules beside it, and so one for all who are made of the same. */
  ofCode?: boolean;
  /**
   * That the container is not as the files say harms nobody by itself: it explains only what nothing else does. Of a `value` in its
   * environment, named by the value `variable`, or of what it was `made` from.
   */
  drift?: 'value' | 'made';
  /** The heading of the section of a runbook that a configuration names for it. */
  section?: string;
}

/** The same, where it may pass by itself. */
export const mayPass = (spec: FindingSpec): FindingSpec => ({ ...spec, passes: true });

/** A finding as observed. */
export interface Finding {
  /** The part after the slash of the code. */
  reason: string;
  /** What was observed, for which service, and what was expected; one line, no advice. */
  message: string;
  evidence: Evidence[];
  /** Overrides the severity of the spec where the case decides. */
  severity?: Severity;
  /** Somebody has only just started, and it may be well in a moment: `--wait` looks again. */
  starting?: true;
  /** Overrides `blocks` of the spec: another replica still answers. */
  blocks?: boolean;
  /** Where the evidence points: the explainer takes a failing finding there as the cause. */
  suspects?: Suspect[];
  /** The program itself says why, and that it is nothing of anybody else's: only what it says so of, or what it was made from, explains it. */
  ownWord?: boolean;
  /** Services that were seen to be served all the same, at the same time. */
  spares?: string[];
  /** ISO 8601: when it had failed, where that is certain. What was well at that time does not explain it. */
  failedAt?: string;
  /** ISO 8601: the last span in which what fails here was seen to be up. */
  well?: { from: string; until: string };
  /** The program was loaded anew since this fault came, and from what it took away: its silence may come of it, too. */
  reloaded?: true;
  /** Values for the placeholders of the runbook: `{client}`, `{port}`, … `{service}` is always there. */
  values?: Record<string, string>;
}

/** A pointer to where the cause may be found. Absent fields match anything. */
export interface Suspect {
  service?: string;
  check?: string;
  /** Full code or `check/*`. */
  code?: string;
}

/** What `evaluate` returns. An empty list of findings is a pass. */
export type Verdict = { findings: Finding[]; note?: string } | { skip: string } | { cannotLook: string };

/** The facts a check declared, by name. Each may be a gap. */
export type Known<N extends FactName> = { [K in N]: Fact<FactTypes[K]> };

interface Case<N extends FactName, P extends ServiceFactName> {
  stack: Stack;
  facts: Known<N>;
  /** Facts of the services that this one connects to, by service name. */
  peers: Record<string, Known<P>>;
  /** ISO 8601: when the facts were gathered. Checks have no clock. */
  now: string;
  /** The team's; absent: `DEFAULT_THRESHOLDS`. */
  thresholds?: Thresholds;
}

interface CheckBase<N extends FactName, P extends ServiceFactName> {
  id: string;
  /** The good state, as a sentence: "Postgres accepts the app's connection". */
  title: string;
  /** The question, for `doctor list`. */
  question: string;
  /** Short names people may say for it: `db`, `cache`. */
  aliases?: readonly string[];
  needs: readonly N[];
  /** Facts needed of the services that this one connects to. */
  peerNeeds?: readonly P[];
  /**
   * Those of its facts that come of files alone. With these it is asked even while what it stands on fails, of a service that has no container;
   * all its other facts are gaps then, and it is reported only for what it finds.
   */
  onFiles?: readonly (N | P)[];
  /** Checks that must hold (be without a blocking finding) for this one to be asked; of the same service where they are of services. */
  after: readonly string[];
  findings: Record<string, FindingSpec>;
  /** Whose it is, where it is not the doctor's own: `doctor.yaml`, `plugin kafka`. */
  by?: string;
}

export interface ServiceCheck<N extends FactName = FactName, P extends ServiceFactName = ServiceFactName> extends CheckBase<N, P> {
  scope: 'service';
  appliesTo(service: Service, stack: Stack): boolean;
  /** Services whose facts are needed although this one may not connect to them, by name. */
  peersOf?(service: Service, stack: Stack): string[];
  evaluate(given: Case<N, P> & { service: Service }): Verdict;
}

export interface StackCheck<N extends StackFactName | OwnFactName = StackFactName | OwnFactName> extends CheckBase<N, never> {
  scope: 'stack';
  evaluate(given: Case<N, never>): Verdict;
}

/** Any check, with the types of its facts forgotten. */
// oxlint-disable-next-line typescript/no-explicit-any -- each check knows its own facts; the list of them cannot
export type Check = ServiceCheck<any, any> | StackCheck<any>;

/** Gives `evaluate` the types of the facts it declared. */
export const defineCheck = <const N extends FactName, const P extends ServiceFactName = never>(
  check: Omit<ServiceCheck<N, P>, 'scope'>,
): ServiceCheck<N, P> => ({ scope: 'service', ...check });

export const defineStackCheck = <const N extends StackFactName | OwnFactName>(check: Omit<StackCheck<N>, 'scope'>): StackCheck<N> => ({
  scope: 'stack',
  ...check,
});

export type Status = 'pass' | 'warn' | 'fail' | 'blocked' | 'skip' | 'error';

/** What came of asking one check of one service. */
export interface Outcome {
  /** `db/postgres`, or `engine` for a check of the whole stack. */
  id: string;
  check: string;
  service: string | null;
  title: string;
  status: Status;
  /** Failing ones first, then by order of the spec. */
  findings: Finding[];
  /** The id of the outcome that stands in the way. */
  blockedBy: string | null;
  /** For `skip` and `error`. */
  reason: string | null;
  /** What a pass saw, when that is worth a word. */
  note: string | null;
  /** Findings that a team bears with for a while (`doctor.yaml`). */
  ignored?: IgnoredFinding[];
  durationMs: number;
}

export interface IgnoredFinding {
  finding: Finding;
  owner: string;
  /** `YYYY-MM-DD`. */
  until: string;
  why: string;
}

/** A finding with its address: unique within a run. */
export interface Located {
  id: string;
  check: string;
  service: string | null;
  code: string;
  finding: Finding;
  spec: FindingSpec;
  severity: Severity;
}
