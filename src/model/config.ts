/** The nouns of `doctor.yaml`: what a team tells the doctor. Types alone; `config/` reads them from a file, and nothing here is trusted before. */
import type { Severity } from './check.ts';
import type { Role } from './stack.ts';
import type { Thresholds } from './thresholds.ts';

/** Where in the file, from 1. */
export interface Place {
  line: number;
  column: number;
}

export interface Config {
  /** As it is shown to people. */
  file: string;
  /** Absolute; `null`: not named. */
  runbook: string | null;
  services: Record<string, ServiceSetting>;
  checks: OwnCheck[];
  ignore: Ignore[];
  thresholds: Thresholds;
  plugins: { name: string; place: Place }[];
}

/** What the doctor is told of a service instead of finding it out. `null`: not told. */
export interface ServiceSetting {
  role: Role | null;
  healthPath: string | null;
  /** Where this machine reaches it over HTTP. */
  url: string | null;
  /** A variable, in the environment of a service, that holds the address with which this one is used. */
  credentials: { service: string; variable: string } | null;
  place: Place;
  credentialsPlace: Place | null;
}

export type ServiceSettings = Readonly<Record<string, ServiceSetting>>;

/** One finding on one service, known and borne for a while. */
export interface Ignore {
  /** `check/reason`. */
  finding: string;
  /** `null`: a finding of the whole stack. */
  service: string | null;
  reason: string;
  owner: string;
  /** `YYYY-MM-DD`: the last day on which it counts. */
  until: string;
  /** As the configuration is shown. */
  file: string;
  place: Place;
}

/** A check without code. */
export interface OwnCheck {
  id: string;
  /** Empty: asked of the whole stack. */
  services: string[];
  question: string;
  /** The good state; `null`: made from what is expected. */
  title: string | null;
  severity: Severity;
  /** `null`: as it is with questions of this kind. */
  kind: 'cause' | 'symptom' | null;
  /** The heading of a section of the runbook. */
  section: string | null;
  timeoutMs: number | null;
  ask: OwnQuestion;
  expect: Expectation;
  place: Place;
}

export type OwnQuestion =
  /** Without a service: of this machine, by `url`. `status` empty: any of 200–399. */
  | { kind: 'http'; path: string; url: string | null; port: number | null; status: readonly number[] }
  /** `host: null`: the service itself; else from inside the service, or from this machine where there is none. */
  | { kind: 'tcp'; host: string | null; port: number }
  /** `as`: the service with whose words; `null`: the server's own, else its first client's. */
  | { kind: 'postgres'; query: string; as: string | null; database: string | null }
  | { kind: 'redis'; command: string[]; as: string | null; database: number }
  | { kind: 'exec'; command: string[]; exitCode: number }
  | { kind: 'file'; path: string; exists: boolean }
  | { kind: 'log'; pattern: string; present: boolean }
  | { kind: 'env'; name: string; exists: boolean };

/** All that are given must hold. */
export interface Expectation {
  /** The very text, or a comparison of numbers: `> 0`, `<= 5`, `!= 0`. */
  equals: string | null;
  contains: string | null;
  /** A regular expression. */
  matches: string | null;
}

/** What came of an own question. That nothing came is a fact as well: it is in `failure`. */
export interface OwnAnswer {
  /** What was asked, for people: `GET http://172.18.0.3:8000/orders`, `psql as app: select …`. */
  asked: string;
  /** `null`: an answer came. */
  failure: string | null;
  /** HTTP status, exit code; `null` where there is no such thing. */
  code: number | null;
  /** Masked, at most 64 KiB; `null`: there is nothing (no such file, no row). */
  text: string | null;
  /** More followed than `text` holds. */
  cut: boolean;
  /** What went to stderr. */
  aside?: string;
  ms: number;
}
