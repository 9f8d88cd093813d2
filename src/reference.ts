/** What can be told without looking at a stack: the findings, what they mean, and which runbook section answers them. */
import type { FilesHere } from './here.ts';
import { assembleStack } from './model/assemble.ts';
import type { Check, FindingSpec } from './model/check.ts';
import { didYouMean } from './model/nearest.ts';
import type { Remedy } from './model/report.ts';
import type { ServiceSpec, Stack } from './model/stack.ts';
import { UsageError } from './model/usage-error.ts';
import { openLibrary, type RunbookChoice } from './runbook/prescribe.ts';
import { prescriptionFor } from './runbook/remedy.ts';
import { aboutCode, reachOf, type Reach } from './runbook/reach.ts';
import type { Runbook } from './runbook/runbook.ts';
import { inOrder, verifyRunbook, type Verification } from './runbook/verify.ts';
import { sectionNamed } from './runbook/section-for.ts';

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

export type Explained =
  | { kind: 'finding'; code: string; question: Question; spec: FindingSpec; remedy: Remedy | null; why: string | null }
  | { kind: 'check'; question: Question };

/** A code, or a whole check. Errors: `UsageError` for what is neither. */
export const explainCode = async (code: string, checks: readonly Check[], choice: RunbookChoice): Promise<Explained> => {
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
  const prescription = prescriptionFor(code, aboutCode(code), (await openLibrary(choice)).runbooks, {}, spec.section);
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
  files: { file: string; sections: number; why: string }[];
  entries: Reach['entries'];
  /** Where it was asked for. */
  verification: Verification | null;
  /** What looked like a runbook and is not used. */
  notes: string[];
}

interface Codes {
  builtIn: string[];
  /** Those of the team's own checks. */
  own: string[];
}

const verified = async (runbooks: readonly Runbook[], codes: Codes, reach: Reach, here: FilesHere): Promise<Verification> => {
  const { problems, warnings, notes } = verifyRunbook(runbooks, codes.builtIn, reach, codes.own);
  const { documentOf } = await import('./runbook/document.ts');
  const { contradictionsIn } = await import('./runbook/contradictions.ts');
  const { againstProject } = await import('./runbook/project-claims.ts');
  const project = { folder: here.folder, name: here.name, services: here.services, composeFiles: here.composeFiles };
  const teams = runbooks.slice(0, -1).filter(({ onlyNamed }) => !onlyNamed);
  const said = teams.flatMap((runbook) => {
    const document = documentOf(runbook);
    const remarks = [...contradictionsIn(document), ...againstProject(document, runbook, project)];
    return remarks.map(({ grade, line, text }) => ({ grade, remark: { file: runbook.file, line, text } }));
  });
  const of = (wanted: string) => said.filter(({ grade }) => grade === wanted).map(({ remark }) => remark);
  const blind =
    teams.length > 0 && here.note !== null ? [{ file: teams[0]!.file, line: null, text: `not compared with a project: ${here.note}` }] : [];
  return {
    problems: inOrder(runbooks, [...problems, ...of('problem')]),
    warnings: inOrder(runbooks, [...warnings, ...of('warning')]),
    notes: [...blind, ...of('note'), ...notes],
  };
};

/** Which section serves which finding. `here`: what the compose files say. Errors: `RunbookError`, a `UsageError`. */
export const indexRunbooks = async (
  checks: readonly Check[],
  choice: RunbookChoice,
  here: FilesHere,
  verify: boolean,
): Promise<RunbookIndex> => {
  const { runbooks, why, notes } = await openLibrary(choice);
  const own = checks.filter(({ by }) => by !== undefined);
  const codes = { builtIn: codesOf(questionsOf(checks.filter((each) => !own.includes(each)))), own: codesOf(questionsOf(own)) };
  const headings = new Map(
    own.flatMap(({ id, findings }) => Object.entries(findings).map(([reason, { section }]) => [`${id}/${reason}`, section])),
  );
  const stack = here.services ? stackOf(here, here.services) : null;
  const reach = reachOf([...codes.builtIn, ...codes.own], runbooks, stack, headings);
  const verification = verify ? await verified(runbooks, codes, reach, here) : null;
  return {
    files: runbooks.map(({ file, sections }, i) => ({ file, sections: sections.length, why: why[i]! })),
    entries: reach.entries,
    verification: verification && { ...verification, problems: [...verification.problems, ...headingsNowhere(own, runbooks)] },
    notes,
  };
};

/** Sections that the configuration names and nobody has. */
const headingsNowhere = (own: readonly Check[], runbooks: readonly Runbook[]): Verification['problems'] =>
  own.flatMap(({ id, findings, by }) => {
    const heading = Object.values(findings)[0]?.section;
    if (heading === undefined || sectionNamed(heading, runbooks) !== null) return [];
    return [{ file: by ?? '', line: null, text: `${id} names the section "${heading}", which no runbook has` }];
  });

const stackOf = ({ folder, composeFiles }: FilesHere, services: ServiceSpec[]): Stack =>
  assembleStack({ project: { name: '', workingDir: folder, files: composeFiles, services }, containers: [], proxies: {} });
