/** Evidence against an explanation: it overrules wherever suspicion and connections point. */
import type { Finding, Located } from '../model/check.ts';
import type { Ways } from './paths.ts';

/** A dying server turns its clients away some time before it has ended, and serves none for some time after its start. */
const MARGIN_MS = 60_000;

export const cannotExplain = (candidate: Located, effect: Located, { ways }: { ways: Ways }): boolean =>
  isNoticedElsewhere(candidate, effect) ||
  isNothingToWaitFor(candidate, effect) ||
  isOwnWord(candidate, effect) ||
  wasWellThen(candidate, effect) ||
  servesThem(candidate, effect, ways);

/** Nobody who stands where the effect was seen can notice such a fault. */
const isNoticedElsewhere = (candidate: Located, effect: Located): boolean => {
  const elsewhere = candidate.service !== effect.service;
  switch (candidate.spec.noticed) {
    // A container's own probe does not go through a published port either.
    case 'on-host':
      return elsewhere || effect.check === 'container';
    case 'at-home':
      return elsewhere;
    // Docker alone asks it, and Compose, which waits for its answer.
    case 'by-probe':
      return effect.spec.shows !== 'probe';
    case undefined:
      return false;
  }
};

/** Who is turned away with a word does not wait for one; a file that is not there is an error, and so is a wrong value. */
const isNothingToWaitFor = ({ spec, service, finding }: Located, effect: Located): boolean =>
  effect.spec.shows === 'silence' &&
  ((spec.answers === true && service !== effect.service) ||
    (spec.ofFolder === true && !(finding.reloaded === true && service === effect.service)) ||
    (spec.drift === 'value' && !namesValueOf(finding, effect)));

/** The log of a program that ended said why, and that it was no connection and no value: then it was none. */
const isOwnWord = (candidate: Located, effect: Located): boolean => {
  if (!saysWhy(effect.finding) || candidate.service !== effect.service || effect.spec.kind !== 'symptom') return false;
  if (candidate.spec.ofConnection) return true;
  return candidate.spec.drift === 'value' && !namesValueOf(candidate.finding, effect);
};

/** Nobody is suspected, or it says itself what it was. */
export const saysWhy = ({ suspects, ownWord }: Finding): boolean => ownWord === true || suspects?.length === 0;

const namesValueOf = ({ values }: Finding, { finding }: Located): boolean => {
  const name = values?.['variable'];
  return name !== undefined && [finding.message, ...finding.evidence.map(({ text }) => text)].some((text) => text.includes(name));
};

/** It failed at a time when the other had long been up, and had long to live. */
const wasWellThen = ({ finding: { well } }: Located, { finding: { failedAt } }: Located): boolean => {
  if (!well || failedAt === undefined) return false;
  const [from, until, at] = [well.from, well.until, failedAt].map((iso) => Date.parse(iso)) as [number, number, number];
  return from + MARGIN_MS < at && at < until - MARGIN_MS;
};

/** The server turns others away and serves this one, or all through whom this one uses it. */
const servesThem = (candidate: Located, { service }: Located, ways: Ways): boolean => {
  const { spares } = candidate.finding;
  if (!spares || service === null || candidate.service === null || service === candidate.service) return false;
  if (spares.includes(service)) return true;
  return ways.leads(service, candidate.service) && !ways.leads(service, candidate.service, spares);
};
