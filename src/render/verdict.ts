/** The report in one sentence, the same in every format. */
import type { Report } from '../model/report.ts';
import { count } from './words.ts';

export const verdictOf = (report: Report): string => (runsNothing(report) ? `nothing runs; ${sentence(report)}` : sentence(report));

/** Where the engine answered. A stack of jobs that are all done is no such thing. */
const runsNothing = ({ stack: { engine, services } }: Report): boolean =>
  engine.apiVersion !== null &&
  services.some(({ role }) => role !== 'one-shot' && role !== 'build-only') &&
  services.every(({ state }) => state === 'missing' || state === 'exited' || state === 'created' || state === 'dead');

const sentence = ({ status, counts, rootCauses }: Report): string => {
  const unseen = counts.error > 0 ? [`${count(counts.error, 'check')} could not look`] : [];
  if (status === 'fail') {
    const blocked = counts.blocked > 0 ? [`${counts.blocked} blocked`] : [];
    return [
      count(rootCauses.length, 'root cause'),
      `${count(counts.fail, 'check')} ${counts.fail === 1 ? 'fails' : 'fail'}`,
      ...blocked,
      ...unseen,
    ].join(', ');
  }
  if (status === 'error') return unseen.length > 0 ? `nothing fails, but ${unseen[0]!}` : 'nothing fails, but not everything was looked at';
  if (status === 'warn') return `nothing fails, ${count(counts.warn, 'warning')}`;
  if (counts.pass === 0) return 'no check applies';
  return counts.pass === 1 ? 'the check passes' : `all ${counts.pass} checks pass`;
};
