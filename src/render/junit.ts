/** Report → JUnit XML, as CI servers read it: a suite for each service, a case for each check. */
import type { CheckReport, Report, RootCause } from '../model/report.ts';
import { shown, shownLines } from './words.ts';

export const renderJUnit = (report: Report, { strict }: { strict: boolean }): string => {
  const services = [...new Set(report.checks.map(({ service }) => service))];
  const suites = services.map((service) => {
    const checks = report.checks.filter((check) => check.service === service);
    const cases = checks.map((check) => testCase(check, report, strict));
    return element('testsuite', { name: service ?? 'the stack', ...totals(checks, strict), timestamp: report.startedAt }, cases.join('\n'));
  });
  const all = { name: report.stack.project, ...totals(report.checks, strict), time: seconds(report.durationMs) };
  return `<?xml version="1.0" encoding="UTF-8"?>\n${element('testsuites', all, suites.join('\n'))}\n`;
};

const fails = ({ status }: CheckReport, strict: boolean): boolean => status === 'fail' || (strict && status === 'warn');

const totals = (checks: CheckReport[], strict: boolean): Record<string, string> => ({
  tests: String(checks.length),
  failures: String(checks.filter((check) => fails(check, strict)).length),
  errors: String(checks.filter(({ status }) => status === 'error').length),
  skipped: String(checks.filter(({ status }) => status === 'skip' || status === 'blocked').length),
});

const testCase = (check: CheckReport, report: Report, strict: boolean): string => {
  const where = { classname: `${report.stack.project}.${check.service ?? 'stack'}`, name: `${check.check}: ${check.title}` };
  return element('testcase', { ...where, time: seconds(check.durationMs) }, outcome(check, report, strict));
};

const outcome = (check: CheckReport, report: Report, strict: boolean): string => {
  if (fails(check, strict))
    return element('failure', { type: check.code ?? check.check, message: check.message }, text(details(check, report)));
  switch (check.status) {
    case 'warn':
      return element('system-out', {}, text(details(check, report)));
    case 'error':
      return element('error', { type: 'could-not-look', message: check.reason ?? check.message }, '');
    case 'blocked':
      return element('skipped', { message: `blocked by ${check.blockedBy ?? 'another check'}` }, '');
    case 'skip':
      return element('skipped', { message: check.reason ?? 'does not apply' }, '');
    default:
      return '';
  }
};

/** What a person reads who opens the failed case: message, proof, cause, and the steps where it is the root. */
const details = (check: CheckReport, report: Report): string => {
  const root = report.rootCauses.find(({ id, code }) => id === check.id && code === check.code);
  return [
    check.message,
    ...check.evidence.map((each) => `Proof: ${each.source}: ${each.text}`),
    ...check.alsoFound.map(({ message }) => `Also: ${message}`),
    ...(check.causedBy ? [`Caused by ${check.causedBy}`] : []),
    // The first is this one.
    ...(root?.candidates ?? []).slice(1).map(({ id, summary }) => `Or: ${id}: ${summary}`),
    ...(root?.decide ? [`Decide: ${root.decide.command}`] : []),
    ...(root ? steps(root) : []),
  ].join('\n');
};

const steps = ({ remedy }: RootCause): string[] =>
  remedy === null
    ? []
    : [
        `Fix, from ${remedy.source.file}:${remedy.source.lines[0]} "${remedy.source.heading}":`,
        ...remedy.steps.map((step, index) => {
          const effect = step.effect === 'destructive' ? ' [DELETES DATA]' : step.effect === 'changes' ? ' [changes]' : '';
          return `${index + 1}. ${step.text}${effect}${step.command === null ? '' : `\n   ${step.command}`}`;
        }),
      ];

const seconds = (ms: number): string => (ms / 1_000).toFixed(3);

const element = (name: string, attributes: Record<string, string>, body: string): string => {
  const head = [name, ...Object.entries(attributes).map(([key, value]) => `${key}="${escaped(shown(value))}"`)].join(' ');
  return body === '' ? `<${head}/>` : `<${head}>${body.startsWith('<') ? `\n${body}\n` : body}</${name}>`;
};

const text = (lines: string): string => escaped(shownLines(lines).join('\n'));

/** Control characters, which XML cannot hold at all, are gone already (`shown`); these two are no characters either. */
const escaped = (plainText: string): string =>
  plainText
    .replaceAll(/[\ufffe\uffff]/g, '\ufffd')
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;');
