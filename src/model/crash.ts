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
/** `PHP Fatal error:  Uncaught TypeError: … in /srv/app.php:12`, `Parse error: … in /srv/app.php on line 12`. */
const PHP_ERROR = /^(?:\[[^\]]{1,60}\] )?(?:PHP )?(?:Fatal|Parse|Compile|Recoverable fatal) error:\s+(?:Uncaught )?(\S.*)/;
const PHP_PLACE = / in (\/[^\s():]+)(?::| on line )(\d+)/;
const PHP_FRAME = /^#\d+ (\/[^\s():]+)\((\d+)\)/;
/** Frames of libraries do not say where the mistake is. */
const LIBRARY = /site-packages|dist-packages|node_modules|\/vendor\/|\/lib\/python|<frozen|<string>|node:internal/;

/** `Failed running 'index.js'. Waiting for file changes before restarting...` is an end. */
const isReload = ({ text }: LogLine): boolean => RESTART.test(text) && !LAST_WORDS.test(text);

/** Of the code that runs now. */
export const sinceLastReload = (lines: readonly LogLine[]): LogLine[] => {
  const last = lines.findLastIndex(isReload);
  return lines.slice(last + 1);
};

export const lastReload = (lines: readonly LogLine[]): LogLine | null => lines.findLast(isReload) ?? null;

/** Of the newest load of the code; `null` when it says of no failure. */
export const crashIn = (lines: readonly LogLine[]): Crash | null => {
  const recent = sinceLastReload(lines).map(({ text }) => text.trim());
  const php = phpCrash(recent);
  if (php) return php;
  const ends = recent.findLastIndex((text) => ERROR.test(text));
  const error = ends >= 0 ? recent[ends]! : recent.findLast((text) => LAST_WORDS.test(text));
  if (error === undefined) return null;
  return { error: error.slice(0, 300), at: placeIn(ends >= 0 ? recent.slice(0, ends + 1) : recent) };
};

/** The error line has the innermost frame; the others follow it, outwards. */
const phpCrash = (lines: readonly string[]): Crash | null => {
  const ends = lines.findLastIndex((text) => PHP_ERROR.test(text));
  if (ends < 0 || lines.slice(ends + 1).some((text) => ERROR.test(text))) return null;
  const frames = [PHP_PLACE.exec(lines[ends]!), ...lines.slice(ends + 1).map((text) => PHP_FRAME.exec(text) ?? PHP_PLACE.exec(text))];
  const own = frames.find((found) => found && !LIBRARY.test(found[1]!));
  const said = PHP_ERROR.exec(lines[ends]!)![1]!.replace(PHP_PLACE, '');
  return { error: said.slice(0, 300), at: own ? `${own[1]}:${own[2]}` : null };
};

export interface Raised extends Crash {
  at: string;
  time: string | null;
  /** The task that it was raised in, where the worker says so. */
  task: string | null;
}

const TRACE = /Traceback \(most recent call last\):/;
/** Celery's words, before the traceback; rq's, dramatiq's and arq's lines name none that a success would name as well. */
const TASK = /\bTask ([\w.]+)\[[\w-]+\]/;
const DONE = /\bTask ([\w.]+)\[[\w-]+\] succeeded\b/;

/** Exceptions that a program which goes on wrote down, each with the line of its own code, but for those whose task succeeded later. */
export const raisedIn = (lines: readonly LogLine[]): Raised[] => {
  const recent = sinceLastReload(lines);
  return recent.flatMap(({ text, time }, begin): Raised[] => {
    if (!TRACE.test(text)) return [];
    const next = recent.findIndex((each, index) => index > begin && TRACE.test(each.text));
    // A chain of causes is one: the last of it was raised.
    if (next >= 0 && recent.slice(begin, next).some((each) => /^(?:During handling|The above exception)/.test(each.text.trim()))) return [];
    const block = recent.slice(begin, next < 0 ? undefined : next);
    const end = block.findIndex((each, index) => index > 0 && /^\S/.test(each.text) && ENDS_TRACE.test(each.text));
    if (end < 0) return [];
    const at = placeIn(block.slice(0, end).map((each) => each.text.trim()));
    if (at === null) return [];
    const named = [recent[begin - 1]?.text ?? '', text].map((each) => TASK.exec(each)?.[1]).find(Boolean) ?? null;
    const later = recent.slice(begin).some((each) => named !== null && DONE.exec(each.text)?.[1] === named);
    return later ? [] : [{ error: block[end]!.text.trim().slice(0, 300), at, time, task: named }];
  });
};

/** Python ends a traceback with the class of the exception, whatever it is called. */
const ENDS_TRACE = /^(?!File\b|Traceback\b)[A-Za-z_][\w.]*(?:: |$)/;

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
