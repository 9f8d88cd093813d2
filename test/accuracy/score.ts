/** What a report is worth, given what was really broken. Pure. */
import { checks } from '../../src/checks/index.ts';
import type { Layer } from '../../src/model/check.ts';
import type { Report } from '../../src/model/report.ts';
import type { Fault } from '../lab/faults/fault.ts';

export type Expected = Fault['expect'];

/** A cause as somebody named it: a service (`null`: the whole stack), and why. */
export interface Named {
  service: string | null;
  code: string | null;
}

export interface Verdict {
  /** The first cause is of the right service. */
  service: boolean;
  /** And its code is one of the accepted ones. */
  reason: boolean;
  /** Every expected cause is among those named. */
  found: boolean;
  /** Services named as a cause that are known to be well. */
  blamed: string[];
  /** Causes named beside the expected ones. */
  extra: string[];
  /** The first cause's steps are the right ones, and do not begin with a loss of data. */
  remedy: boolean;
  /** Where the doctor said that it cannot decide: is the true cause among those it names? `null`: it did not say so. */
  amongCandidates: boolean | null;
  /** Every failing or blocked check leads to an expected cause; those that do not. */
  strays: string[];
}

export const codesOf = ({ code }: Expected): string[] => [code].flat();

/** `db/postgres` is of db; `compose` is of the whole stack. */
export const serviceOf = ({ root }: Expected): string | null => (root.includes('/') ? root.slice(0, root.indexOf('/')) : null);

export const expectedText = (expected: Expected): string => `${expected.root} ${codesOf(expected).join(' or ')}`;

/** The layer of the true cause, as the checks declare it. */
export const layerOf = (expected: Expected): Layer | null => {
  for (const code of codesOf(expected)) {
    const [check = '', reason = ''] = code.split('/');
    const spec = checks.filter(({ id }) => id === check).find(({ findings }) => findings[reason])?.findings[reason];
    if (spec) return spec.layer;
  }
  return null;
};

export const isNamed = (expected: Expected, named: Named | undefined): boolean =>
  named !== undefined && named.service === serviceOf(expected) && named.code !== null && codesOf(expected).includes(named.code);

/** `roots` were injected; `hidden` too, but the roots hide them, so that nobody is asked to find them. */
export const judge = (report: Report, roots: readonly Expected[], hidden: readonly Expected[] = []): Verdict => {
  const said = roots.every(({ status }) => status === 'warn') ? warnings(report, roots) : report.rootCauses;
  const all = [...roots, ...hidden];
  const top = said[0];
  const matched = all.find((each) => isNamed(each, top));
  const steps = top?.remedy?.steps ?? [];
  const innocents = roots[0]!.innocents.filter((service) =>
    all.every((each) => each.innocents.includes(service) && serviceOf(each) !== service),
  );
  return {
    service: top !== undefined && all.some((each) => serviceOf(each) === top.service),
    reason: matched !== undefined,
    found: roots.every((each) => said.some((cause) => isNamed(each, cause))),
    blamed: report.rootCauses.flatMap(({ service }) => (service !== null && innocents.includes(service) ? [service] : [])),
    extra: report.rootCauses.filter((cause) => !all.some((each) => isNamed(each, cause))).map(({ id, code }) => `${id} ${code}`),
    remedy:
      (matched ?? roots[0]!).remedy.test(steps.map(({ text, command }) => `${text} ${command ?? ''}`).join('\n')) &&
      steps[0]?.effect !== 'destructive',
    amongCandidates: amongCandidates(report, all),
    strays: strays(report, all),
  };
};

type Cause = Pick<Report['rootCauses'][number], 'id' | 'service' | 'code' | 'remedy'>;

/** Where a warning is all there should be: the one at the expected place, unless something is said to be broken. */
const warnings = (report: Report, roots: readonly Expected[]): Cause[] => {
  if (report.rootCauses.length > 0) return report.rootCauses;
  const warned = report.checks.filter(({ status, code }) => status === 'warn' && code !== null) as (Report['checks'][number] & Cause)[];
  return warned.toSorted((a, b) => Number(roots.some(({ root }) => root === b.id)) - Number(roots.some(({ root }) => root === a.id)));
};

const amongCandidates = ({ rootCauses }: Report, expected: readonly Expected[]): boolean | null => {
  const candidates = rootCauses[0]?.candidates;
  return candidates ? candidates.some((each) => expected.some((one) => isNamed(one, each))) : null;
};

/** Failing and blocked checks whose chain of causes ends at something that was not broken. */
const strays = (report: Report, expected: readonly Expected[]): string[] => {
  const byId = new Map(report.checks.map((check) => [check.id, check]));
  const ends = new Set([
    ...expected.map(({ root }) => root),
    ...report.rootCauses.filter((cause) => expected.some((each) => isNamed(each, cause))).map(({ id }) => id),
  ]);
  const endOf = (from: string): string => {
    const seen = new Set<string>();
    for (let id = from; ;) {
      const next = byId.get(id)?.causedBy ?? byId.get(id)?.blockedBy;
      if (!next || next === id || seen.has(next) || ends.has(id)) return id;
      seen.add(id);
      id = next;
    }
  };
  return report.checks.flatMap(({ id, status, code, causedBy, blockedBy, alsoFound }) => {
    const findings = [
      ...(status === 'fail' || status === 'blocked' ? [{ what: `${id} ${code ?? status}`, from: causedBy ?? blockedBy }] : []),
      ...alsoFound.filter(({ severity }) => severity === 'fail').map((also) => ({ what: `${id} ${also.code}`, from: also.causedBy })),
    ];
    return findings
      .map(({ what, from }) => ({ what, end: from === null ? id : endOf(from) }))
      .flatMap(({ what, end }) => (ends.has(end) ? [] : [`${what} ← ${end}`]));
  });
};
