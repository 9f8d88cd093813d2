/** What HAProxy says of its servers and of itself: its words, line by line. */
import type { LogLine } from './facts.ts';

export interface ServerWord {
  backend: string;
  server: string;
  isUp: boolean;
  /** `Layer7 wrong status`, `Layer4 connection problem`. */
  reason: string;
  /** Of an answer to its health check. */
  code: number | null;
  text: string;
}

const SERVER = /\bServer ([^\s/]+)\/(\S+) is (UP|DOWN)\b[^,]{0,60}(?:, reason: ([^,]+))?(?:, code: (\d{3}))?/;

/** The newest word on each server. */
export const serverWords = (lines: readonly Pick<LogLine, 'text'>[]): ServerWord[] => {
  const newest = new Map<string, ServerWord>();
  for (const { text } of lines) {
    const [, backend, server, state, reason = '', code] = SERVER.exec(text) ?? [];
    if (backend && server)
      newest.set(`${backend}/${server}`, {
        backend,
        server,
        isUp: state === 'UP',
        reason: reason.trim(),
        code: code ? Number(code) : null,
        text,
      });
  }
  return [...newest.values()];
};

/** Its master begins anew with what is on disk (SIGUSR2). */
export const RELOADED = /\(\d+\) : Reloading HAProxy\b|\bReexecuting Master process\b/;

export interface ConfigWord {
  text: string;
  /** What is wrong, without the frame around it. */
  says: string;
  /** `/usr/local/etc/haproxy/haproxy.cfg:12`. */
  place: string | null;
  /** A host that did not resolve. */
  host: string | null;
}

const ALERT = /\[ALERT\]\s+(?:\d+\/\d+ )?\(\d+\) : (?:config : )?(.+)/;
/** They only say that something was said before. */
const SUMMARY =
  /^(Fatal errors? found in configuration|Error\(s\) found in configuration|Failed to initialize server\(s\) addr|Fatal errors? )/;
const PLACED = /^(?:parsing )?\[([^\]\s]+:\d+)\]\s*:\s*(.+)/;
const OF_THE_CONFIGURATION =
  /^(?:parsing )?\[[^\]\s]+:\d+\]|unable to find required|no such backend|has no bind|Missing LF|^Proxy '|^proxy '[^']+'.*(?:required|unknown|missing)/;
const UNRESOLVED = /could not resolve address '([^']+)'/;

/** Why HAProxy ended at its start: its first complaint, which the others follow from. */
export const configWord = (lines: readonly Pick<LogLine, 'text'>[]): ConfigWord | null => {
  for (const { text } of lines) {
    const said = ALERT.exec(text)?.[1];
    if (said === undefined || SUMMARY.test(said) || !OF_THE_CONFIGURATION.test(said)) continue;
    const [, place, rest] = PLACED.exec(said) ?? [];
    return { text, says: rest ?? said, place: place?.replace(/\/{2,}/g, '/') ?? null, host: UNRESOLVED.exec(said)?.[1] ?? null };
  }
  return null;
};
