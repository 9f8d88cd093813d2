/** What nginx' error log says of its upstreams. Pure. */
import type { NginxFact } from '../model/facts.ts';

type UpstreamError = NginxFact['upstreamErrors'][number];

/** In the words of nginx' source and of the C library; the number is Linux's errno. */
const KINDS: [RegExp, UpstreamError['kind']][] = [
  [/connect\(\) to unix:\S+ failed \(2:/, 'missing'],
  [/connect\(\) to unix:\S+ failed \(13:/, 'forbidden'],
  [/connect\(\) to unix:\S+ failed \(11:/, 'full'],
  [/connect\(\)(?: to unix:\S+)? failed \(111:|connection refused/i, 'refused'],
  [/upstream timed out .* while connecting to upstream/, 'timeout-connecting'],
  [/upstream timed out/, 'timeout-reading'],
  [/connect\(\) failed \(1(?:01|13):|no route to host|network is unreachable/i, 'unreachable'],
  [/host not found in upstream|could not be resolved|no resolver defined to resolve/, 'not-found'],
  [/upstream prematurely closed connection|reset by peer\) while (?:reading|sending|connecting)|\(104:/, 'reset'],
  [/FastCGI sent in stderr: "(?:Primary script unknown|Unable to open primary script)/, 'no-script'],
  [/no live upstreams|\bupstream\b/, 'other'],
];

const ERROR_LINE = /\[(?:warn|error|crit|alert|emerg)\]/;

/** `null`: a line about something else. */
export const readUpstreamError = (text: string): Pick<UpstreamError, 'kind' | 'upstream'> | null => {
  if (!ERROR_LINE.test(text)) return null;
  const kind = KINDS.find(([words]) => words.test(text))?.[1];
  if (kind === undefined) return null;
  const named = /\bupstream: "([^"]+)"/.exec(text)?.[1] ?? null;
  // A refused connection may be that of a log server or a resolver.
  if (named === null && kind !== 'not-found' && !/\bupstream\b/.test(text)) return null;
  return { kind, upstream: named };
};
