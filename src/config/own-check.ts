/** A check without code → a check like any other: which facts it needs, and what its answer is worth. Pure. */
import type { Expectation, OwnAnswer, OwnCheck } from '../model/config.ts';
import { defineCheck, defineStackCheck, type Check, type Evidence, type Finding, type FindingSpec, type Verdict } from '../model/check.ts';
import type { Fact, LogFact, OwnFactName } from '../model/facts.ts';
import { isMark } from '../model/secrets.ts';
import { running, toldTo, type Service } from '../model/stack.ts';

/** What of a check's answer has to be asked for: the log and the environment are known anyway. */
export const isAsked = ({ ask }: OwnCheck): boolean => ask.kind !== 'log' && ask.kind !== 'env';

export const ownFactName = (id: string): OwnFactName => `own:${id}`;

export const checkOf = (own: OwnCheck): Check => {
  const { id, question, services, ask } = own;
  const shared = { id, title: own.title ?? titleOf(own), question, findings: findingsOf(own), by: 'doctor.yaml' };
  const name = ownFactName(id);
  if (services.length === 0)
    return defineStackCheck({
      ...shared,
      needs: [name],
      after: ['engine'],
      evaluate: ({ facts }) => judged(own, null, facts[name] as Fact<OwnAnswer>),
    });
  const appliesTo = ({ name: service }: Service) => services.includes(service);
  if (ask.kind === 'log')
    return defineCheck({
      ...shared,
      appliesTo,
      needs: ['logs'],
      after: ['engine'],
      evaluate: ({ service, facts }) => judgedLog(own, service, facts.logs),
    });
  if (ask.kind === 'env')
    return defineCheck({ ...shared, appliesTo, needs: [], after: ['engine'], evaluate: ({ service }) => judgedVariable(own, service) });
  return defineCheck({
    ...shared,
    appliesTo,
    needs: [name],
    after: ['engine', 'container'],
    evaluate: ({ service, facts }) => judged(own, service, facts[name] as Fact<OwnAnswer>),
  });
};

/** What comes of nothing else: a variable is as it was given, and so is a file of an image. Whether anything comes of it, nobody knows. */
const STATE = { env: 'value', file: 'made' } as const;

const placeOf = ({ ask, kind }: OwnCheck): Pick<FindingSpec, 'kind' | 'layer' | 'drift'> => {
  if (kind !== null) return { kind, layer: kind === 'cause' ? 'app' : 'own' };
  return ask.kind === 'env' || ask.kind === 'file'
    ? { kind: 'cause', layer: 'own', drift: STATE[ask.kind] }
    : { kind: 'symptom', layer: 'own' };
};

const findingsOf = (own: OwnCheck): Record<string, FindingSpec> => {
  const { question, severity, section } = own;
  const shared = { severity, ...placeOf(own), ...(section !== null && { section }) };
  return {
    unexpected: { ...shared, means: `The answer to "${question}" is not the one that doctor.yaml expects.`, proof: 'The answer itself.' },
    'no-answer': { ...shared, means: `"${question}" could be asked, and got no answer.`, proof: 'The error of the one who was asked.' },
  };
};

const titleOf = ({ ask, expect }: OwnCheck): string => {
  switch (ask.kind) {
    case 'http':
      return `${ask.url ?? ask.path} answers as expected`;
    case 'tcp':
      return `Port ${ask.port}${ask.host === null ? '' : ` of ${ask.host}`} takes connections`;
    case 'postgres':
      return `The query gives ${expect.equals}`;
    case 'redis':
      return `${ask.command.join(' ')} gives ${expect.equals}`;
    case 'exec':
      return 'The command ends as expected';
    case 'file':
      return `${ask.path} is ${ask.exists ? 'as expected' : 'not there'}`;
    case 'log':
      return `The log ${ask.present ? 'has' : 'is free of'} ${ask.pattern}`;
    case 'env':
      return `${ask.name} is ${ask.exists ? 'set as expected' : 'not set'}`;
  }
};

const LONGEST = 300;
const short = (text: string): string => {
  const line = text.replace(/\s+/g, ' ').trim();
  return line.length > LONGEST ? `${line.slice(0, LONGEST)}…` : line;
};

const found = (reason: string, message: string, evidence: Evidence[], values?: Finding['values']): Verdict => ({
  findings: [{ reason, message, evidence, ...(values && { values }) }],
});

const of = (service: Service | null): string => (service === null ? '' : `${service.name}: `);

const judged = (own: OwnCheck, service: Service | null, fact: Fact<OwnAnswer>): Verdict => {
  if (!fact.ok) return { cannotLook: fact.reason };
  const answer = fact.value;
  if (answer.failure !== null)
    return found('no-answer', `${of(service)}${own.question} No answer: ${short(answer.failure)}`, [
      { source: answer.asked, text: answer.failure },
    ]);
  const wrong = whatIsWrong(own, answer);
  if (wrong === null) return { findings: [], note: noteOf(own, answer) };
  if ('cannotLook' in wrong) return wrong;
  const said = [
    answer.code === null ? '' : `${own.ask.kind === 'http' ? 'status' : 'exit code'} ${answer.code}`,
    own.ask.kind === 'file' && !own.ask.exists ? 'it is there' : short(answer.text ?? 'nothing'),
    answer.aside ?? '',
  ];
  return found('unexpected', `${of(service)}${own.question} ${wrong.seen}, expected ${wrong.expected}`, [
    { source: answer.asked, text: said.filter(Boolean).join(': ') },
  ]);
};

/** What a file holds is nobody's business while it is as expected: it may be a key. */
const noteOf = ({ ask }: OwnCheck, { asked, code, text }: OwnAnswer): string =>
  ask.kind === 'file'
    ? asked
    : [asked, [code ?? '', short(text ?? '').slice(0, 80)].filter((each) => each !== '').join(' ')].filter(Boolean).join(': ');

type Wrong = { seen: string; expected: string };

const whatIsWrong = ({ ask, expect }: OwnCheck, answer: OwnAnswer): Wrong | { cannotLook: string } | null => {
  if (ask.kind === 'http') {
    const code = answer.code ?? 0;
    const isWanted = ask.status.length > 0 ? ask.status.includes(code) : code >= 200 && code < 400;
    if (!isWanted) return { seen: `Status ${code}`, expected: ask.status.length > 0 ? ask.status.join(' or ') : '200 to 399' };
  }
  if (ask.kind === 'exec' && answer.code !== ask.exitCode) return { seen: `Exit code ${answer.code}`, expected: String(ask.exitCode) };
  if (ask.kind === 'file') {
    if (answer.text === null) return ask.exists ? { seen: 'No such file', expected: ask.path } : null;
    if (!ask.exists) return { seen: `${ask.path} is there`, expected: 'no such file' };
  }
  return asExpected(expect, answer.text, answer.cut);
};

const asExpected = (expect: Expectation, text: string | null, cut: boolean): Wrong | { cannotLook: string } | null => {
  const { equals, contains, matches } = expect;
  const seen = text === null ? 'Nothing' : `"${short(text)}"`;
  const said = text ?? '';
  const wrong =
    equals !== null && !isEqual(said.trim(), equals.trim())
      ? { seen, expected: equals }
      : contains !== null && !said.includes(contains)
        ? { seen, expected: `it to contain "${contains}"` }
        : matches !== null && !new RegExp(matches, 'm').test(said)
          ? { seen, expected: `it to match /${matches}/` }
          : null;
  // What was not read may hold it.
  return wrong && cut ? { cannotLook: `only the beginning of the answer was read, and it has not what is looked for` } : wrong;
};

const COMPARISON = /^(<=|>=|!=|<|>|=)\s*(-?\d+(?:\.\d+)?)$/;

const isEqual = (said: string, wanted: string): boolean => {
  const [, operator, text] = COMPARISON.exec(wanted) ?? [];
  if (operator === undefined) return said === wanted;
  const number = Number(said);
  if (said === '' || Number.isNaN(number)) return false;
  const limit = Number(text);
  switch (operator) {
    case '<':
      return number < limit;
    case '<=':
      return number <= limit;
    case '>':
      return number > limit;
    case '>=':
      return number >= limit;
    case '!=':
      return number !== limit;
    default:
      return number === limit;
  }
};

const judgedLog = (own: OwnCheck, { name }: Service, logs: Fact<LogFact>): Verdict => {
  if (!logs.ok) return { cannotLook: logs.reason };
  const ask = own.ask as Extract<OwnCheck['ask'], { kind: 'log' }>;
  const pattern = new RegExp(ask.pattern);
  const lines = logs.value.lines.filter(({ text }) => pattern.test(text));
  if (ask.present === lines.length > 0) return { findings: [] };
  if (ask.present)
    return found('unexpected', `${name}: ${own.question} No line matches /${ask.pattern}/, expected one`, [
      { source: `${name} log`, text: `${logs.value.lines.length} lines since ${logs.value.since ?? 'the start'}, none of them` },
    ]);
  const last = lines.at(-1)!.text;
  return found(
    'unexpected',
    `${name}: ${own.question} ${lines.length === 1 ? 'A line matches' : `${lines.length} lines match`} /${ask.pattern}/, expected none`,
    [{ source: `${name} log`, text: short(last) }],
  );
};

const judgedVariable = (own: OwnCheck, service: Service): Verdict => {
  const ask = own.ask as Extract<OwnCheck['ask'], { kind: 'env' }>;
  const container = running(service)[0] ?? service.containers[0];
  if (!container) return { cannotLook: `${service.name} has no container` };
  const told = toldTo(container);
  const value = Object.hasOwn(told, ask.name) ? told[ask.name]! : null;
  const differs = (what: string, text: string): Verdict =>
    found('unexpected', `${service.name}: ${own.question} ${ask.name} ${what}`, [{ source: `env of ${container.name}`, text }], {
      variable: ask.name,
    });
  if (value === null) return ask.exists ? differs('is not set, expected it to be', `no ${ask.name}`) : { findings: [] };
  if (!ask.exists) return differs('is set, expected it not to be', `${ask.name} is set`);
  const isLooked = (own.expect.equals ?? own.expect.contains ?? own.expect.matches) !== null;
  if (isLooked && isMark(value)) return { cannotLook: `${ask.name} holds a secret: only whether it is set can be asked` };
  const wrong = asExpected(own.expect, value, false);
  if (wrong === null || 'cannotLook' in wrong) return wrong ?? { findings: [] };
  return differs(`is ${wrong.seen}, expected ${wrong.expected}`, `${ask.name}=${short(value)}`);
};
