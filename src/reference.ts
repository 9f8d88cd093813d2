/** What can be told without looking at a stack: the findings, what they mean, and which runbook section answers them. */
import { checksHere, type Place } from './doctor.ts';
import type { Check, FindingSpec } from './model/check.ts';
import { didYouMean } from './model/nearest.ts';
import type { Remedy } from './model/report.ts';
import type { Role } from './model/stack.ts';
import { UsageError } from './model/usage-error.ts';
import { readRunbooks } from './runbook/prescribe.ts';
import { prescriptionFor } from './runbook/remedy.ts';
import type { Runbook } from './runbook/runbook.ts';
import { sectionNamed, type About } from './runbook/section-for.ts';
import { verifyRunbook, type Verification } from './runbook/verify.ts';

export interface RunbookChoice extends Place {
  /** The team's own; `null`: the shipped one alone. */
  runbook: string | null;
  shippedRunbook: string;
}

/** A check, asked of the stack or of its services: one thing to people, though it may be two entries of the registry. */
export interface Question {
  id: string;
  title: string;
  question: string;
  findings: Record<string, FindingSpec>;
}

/** In registry order. */
export const questionsOf = (all: readonly Check[]): Question[] =>
  [...new Set(all.map(({ id }) => id))].map((id) => {
    const [first, ...others] = all.filter((check) => check.id === id) as [Check, ...Check[]];
    return {
      id,
      title: first.title,
      question: first.question,
      findings: Object.assign({}, first.findings, ...others.map(({ findings }) => findings)) as Record<string, FindingSpec>,
    };
  });

const codesOf = (questions: readonly Question[]): string[] =>
  questions.flatMap(({ id, findings }) => Object.keys(findings).map((reason) => `${id}/${reason}`));

/** The role of the services that a check is mostly about: a heading such as "Postgres rejects the password" is matched with it. */
const TYPICAL_ROLE: Record<string, Role> = {
  postgres: 'postgres',
  redis: 'redis',
  mysql: 'mysql',
  rabbitmq: 'rabbitmq',
  worker: 'worker',
  proxy: 'nginx',
  'static-files': 'nginx',
  'http-health': 'http',
  'hot-reload': 'http',
};

/** A finding as such, of no service in particular. */
const aboutCode = (code: string): About => ({
  service: null,
  role: TYPICAL_ROLE[code.slice(0, code.indexOf('/'))] ?? null,
  targetRole: null,
  affected: [],
  services: [],
});

export type Explained =
  | { kind: 'finding'; code: string; question: Question; spec: FindingSpec; remedy: Remedy | null; why: string | null }
  | { kind: 'check'; question: Question };

/** A code, or a whole check. Errors: `UsageError` for what is neither. */
export const explainCode = async (code: string, choice: RunbookChoice): Promise<Explained> => {
  const { checks, runbooks } = await checksHere(choice);
  const questions = questionsOf(checks);
  const whole = questions.find(({ id }) => id === code);
  if (whole) return { kind: 'check', question: whole };
  const slash = code.indexOf('/');
  const question = questions.find(({ id }) => id === code.slice(0, slash));
  const reason = code.slice(slash + 1);
  if (!question || !Object.hasOwn(question.findings, reason)) {
    const words = slash < 0 ? questions.map(({ id }) => id) : codesOf(questions);
    throw new UsageError(`no finding has the code "${code}"${didYouMean(code, words) || '; "doctor list -v" shows all codes'}`);
  }
  const spec = question.findings[reason]!;
  const files = { ...runbooks, runbook: choice.runbook ?? runbooks.runbook, shippedRunbook: choice.shippedRunbook };
  const prescription = prescriptionFor(code, aboutCode(code), await readRunbooks(files), {}, spec.section);
  return {
    kind: 'finding',
    code,
    question,
    spec,
    remedy: prescription?.remedy ?? null,
    why: prescription?.why ?? null,
  };
};

export interface RunbookIndex {
  /** The runbooks in the order in which they are asked; the shipped one is last. */
  files: { file: string; sections: number }[];
  /** `place: null`: no section in any of them. */
  entries: { code: string; place: Remedy['source'] | null; why: string | null }[];
  verification: Verification;
}

/** Which section serves which finding. Errors: `RunbookError`, a `UsageError`. */
export const indexRunbooks = async (choice: RunbookChoice): Promise<RunbookIndex> => {
  const { checks, runbooks: files } = await checksHere(choice);
  const runbooks = await readRunbooks({ ...files, runbook: choice.runbook ?? files.runbook, shippedRunbook: choice.shippedRunbook });
  const isOwn = ({ by }: Check): boolean => by !== undefined;
  const codes = codesOf(questionsOf(checks.filter((each) => !isOwn(each))));
  const own = checks.filter(isOwn);
  const ownCodes = codesOf(questionsOf(own));
  const sections = new Map(
    own.flatMap(({ id, findings }) => Object.entries(findings).map(([reason, { section }]) => [`${id}/${reason}`, section])),
  );
  const entries = [...codes, ...ownCodes].map((code) => {
    const prescription = prescriptionFor(code, aboutCode(code), runbooks, {}, sections.get(code));
    return { code, place: prescription?.remedy.source ?? null, why: prescription?.why ?? null };
  });
  const team = runbooks.length > 1 && !runbooks[0]!.onlyNamed ? runbooks[0]! : null;
  const found = (code: string): string | null => placeIn(team, entries.find((entry) => entry.code === code)?.place ?? null);
  const verification = verifyRunbook(runbooks, codes, found, ownCodes);
  return {
    files: runbooks.map(({ file, sections }) => ({ file, sections: sections.length })),
    entries,
    verification: { ...verification, problems: [...verification.problems, ...headingsNowhere(own, runbooks)] },
  };
};

/** Sections that the configuration names and nobody has. */
const headingsNowhere = (own: readonly Check[], runbooks: readonly Runbook[]): Verification['problems'] =>
  own.flatMap(({ id, findings, by }) => {
    const heading = Object.values(findings)[0]?.section;
    if (heading === undefined || sectionNamed(heading, runbooks) !== null) return [];
    return [{ file: by ?? '', line: null, text: `${id} names the section "${heading}", which no runbook has` }];
  });

const placeIn = (runbook: Runbook | null, place: Remedy['source'] | null): string | null =>
  runbook !== null && place !== null && place.file === runbook.file ? `${place.file}:${place.lines[0]}` : null;
