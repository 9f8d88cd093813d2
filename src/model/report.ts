/** What comes out: the report, whose JSON form is the contract with users and tools. Additions only; a rename bumps the version. */
import type { Evidence, Status } from './check.ts';
import type { ConnectionKind, Role } from './stack.ts';

export const SCHEMA_VERSION = 1;

/** What a step does to the stack: looks, changes (restart, recreate, rebuild, edit), or loses data. */
export type Effect = 'read-only' | 'changes' | 'destructive';

export interface Step {
  text: string;
  /** Ready to paste; placeholders filled and shell-quoted. `null` where the step is prose. */
  command: string | null;
  effect: Effect;
}

export interface Remedy {
  /** A team's file is named relative to the project's folder. */
  source: { file: string; heading: string; lines: [number, number] };
  /** Why this section. */
  why?: string;
  steps: Step[];
}

export interface RootCause {
  id: string;
  check: string;
  service: string | null;
  code: string;
  summary: string;
  evidence: Evidence[];
  /** Ids of the failing and blocked check instances that this explains. */
  explains: string[];
  /** Waiting does not mend it. */
  lasting: boolean;
  remedy: Remedy | null;
  /** Only where the evidence does not decide: what it may be, this one first. */
  candidates?: Candidate[];
  /** Then: what would decide. It only looks. */
  decide?: { command: string };
}

export interface Candidate {
  id: string;
  service: string | null;
  code: string;
  summary: string;
}

export interface CheckReport {
  id: string;
  check: string;
  service: string | null;
  title: string;
  status: Status;
  code: string | null;
  message: string;
  evidence: Evidence[];
  causedBy: string | null;
  blockedBy: string | null;
  reason: string | null;
  durationMs: number;
  remedy: Remedy | null;
  /** It may be otherwise in a moment, because somebody has only just started. Absent: not so. */
  starting?: true;
  /** Findings that doctor.yaml tells to bear with; absent: none. */
  ignored?: { code: string; message: string; owner: string; until: string; reason: string }[];
  /** Further findings of the same instance. */
  alsoFound: { code: string; severity: 'warn' | 'fail'; message: string; evidence: Evidence[]; causedBy: string | null }[];
}

export interface Report {
  schemaVersion: typeof SCHEMA_VERSION;
  tool: { name: string; version: string };
  startedAt: string;
  durationMs: number;
  status: 'pass' | 'warn' | 'fail' | 'error';
  stack: {
    project: string;
    workingDir: string;
    composeFiles: string[];
    engine: { host: string; version: string | null; apiVersion: string | null };
    services: { name: string; role: Role; image: string | null; state: string; health: string | null; replicas: number }[];
    connections: { from: string; to: string | null; kind: ConnectionKind; source: string }[];
  };
  counts: Record<Status, number>;
  rootCauses: RootCause[];
  checks: CheckReport[];
  /** Remarks on the run itself: a runbook section that fell back, the deadline that cut it short, what a replay is of. */
  notes: string[];
  /** With `-v` alone: what the run cost. */
  effort?: { engineCalls: number; connections: number; facts: number };
  /** With `--wait`. */
  waited?: {
    looks: number;
    elapsedMs: number;
    /** Milliseconds after the first look began; `null`: never ready. By service name. */
    ready: { service: string; afterMs: number | null }[];
  };
}
