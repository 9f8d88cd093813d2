/** How an app that died while it was loaded says so in its log: the last error, and the line of source that it names. */
import type { LogLine } from './facts.ts';

export interface Crash {
  /** `ModuleNotFoundError: No module named 'x'`. */
  error: string;
  /** `/app/app/main.py:3`; `null` where no line names one. */
  at: string | null;
}

/** The reloader begins anew here; what stands before belongs to code that is no longer there. */
const RESTART = /Reloading\.\.\.|detected changes|restarting due to changes|\bRestarting\b|Started reloader process|change in \S+ Re/i;

/** An exception's last line in Python, Node, Ruby, Go and others. */
const ERROR = /^(?:[\w.]+\.)?((?:[A-Z]\w*)?(?:Error|Exception|Exit|Interrupt)|gaierror|panic)\b(?: \[\w+\])?(?::|$)/;
const LAST_WORDS =
  /Error loading ASGI app|Application startup failed|app crashed - waiting|Failed running '|Worker failed to boot|failed to build|build failed|Attribute "[^"]+" not found in module|exit status [1-9]/i;
const PYTHON_PLACE = /^\s*File "([^"]+)", line (\d+)/;
const NODE_PLACE = /(?:^|\(|file:\/\/| at )(\/[^\s():]+\.[cm]?[jt]sx?):(\d+)/;
/** Frames of libraries do not say where the mistake is. */
const LIBRARY = /site-packages|dist-packages|node_modules|\/lib\/python|<frozen|<string>|node:internal/;

/** `Failed running 'index.js'. Waiting for file changes before restarting...` is an end. */
const isReload = ({ text }: LogLine): boolean => RESTART.test(text) && !LAST_WORDS.test(text);

/** Of the code that runs now. */
export const sinceLastReload = (lines: readonly LogLine[]): LogLine[] => {
  const last = lines.findLastIndex(isReload);
  return lines.slice(last + 1);
};

export const lastReloadAt = (lines: readonly LogLine[]): string | null => lines.findLast(isReload)?.time ?? null;

/** Of the newest load of the code; `null` when it says of no failure. */
export const crashIn = (lines: readonly LogLine[]): Crash | null => {
  const recent = sinceLastReload(lines).map(({ text }) => text.trim());
  const ends = recent.findLastIndex((text) => ERROR.test(text));
  const error = ends >= 0 ? recent[ends]! : recent.findLast((text) => LAST_WORDS.test(text));
  if (error === undefined) return null;
  return { error: error.slice(0, 300), at: placeIn(ends >= 0 ? recent.slice(0, ends + 1) : recent) };
};

const placeIn = (lines: string[]): string | null => {
  const places = lines.flatMap((text) => {
    const found = PYTHON_PLACE.exec(text) ?? NODE_PLACE.exec(text);
    return found && !LIBRARY.test(found[1]!) ? [`${found[1]}:${found[2]}`] : [];
  });
  // Python names the innermost frame last; Node names it in the line before the error, or first in the stack behind it.
  return places.at(-1) ?? null;
};

/** It could not reach another service: the code is not at fault. */
export const isUnreachedPeer = (error: string): boolean =>
  /ConnectionRefused|ConnectionError|OperationalError|Connect call failed|gaierror|TimeoutError|InvalidPassword|InvalidCatalogName|CannotConnectNow|InvalidAuthorization|AuthenticationError|ConnectionDoesNotExist|\b(ECONNREFUSED|ENOTFOUND|EAI_AGAIN|ETIMEDOUT)\b|[Cc]onnection refused|no such host|name resolution|Name or service not known|password authentication failed/.test(
    error,
  );
