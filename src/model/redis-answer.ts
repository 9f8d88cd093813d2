/** What an answer of Redis means. Error replies begin with a word of their own; the older ones with `ERR`. */
import type { RedisAttempt } from './facts.ts';
import { fellSilent, unreachedReason } from './rejection.ts';

/** By the whole reply, `code` and `text` together. */
const REPLIES: [string, RegExp][] = [
  ['auth-required', /\bNOAUTH\b|Authentication required/i],
  // Before Redis 6: `ERR invalid password`.
  ['wrong-password', /\bWRONGPASS\b|ERR invalid password/],
  ['unexpected-password', /without any password configured|Client sent AUTH, but no password is set/],
  ['loading', /\bLOADING\b/],
  ['cannot-persist', /\bMISCONF\b/],
  ['out-of-memory', /\bOOM\b/],
  ['read-only-replica', /\bREADONLY\b/],
  ['max-clients', /max number of clients/],
  ['protected-mode', /\bDENIED\b|protected mode/],
  ['database-out-of-range', /(DB|database) index is out of range/i],
];

/** The reason of check `redis` that one try gives; `null` where it went well, or never came to the server. */
export const redisReason = ({ trial, tls }: RedisAttempt): string | null => {
  const { layer, code, text } = trial;
  const unreached = unreachedReason(trial);
  if (unreached !== undefined) return unreached;
  const reply = REPLIES.find(([, pattern]) => pattern.test(`${code} ${text}`));
  if (reply) return reply[0];
  // `rediss://` to a server without TLS: it waits for more of what it takes for a command, so mostly a timeout.
  if (layer === 'tls' || (tls && layer === 'protocol')) return 'tls-mismatch';
  if (fellSilent(trial)) return 'no-answer';
  return layer === 'protocol' ? 'not-redis' : 'error';
};
