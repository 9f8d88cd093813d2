/** A container's command → the programs that it runs, without what merely starts them (shells, init, wrappers, waiting scripts). */

import type { Container } from './stack.ts';

/** Quotes hold together, wherever they stand; what a shell would expand is left as written. */
export const shellWords = (line: string): string[] =>
  [...line.matchAll(/(?:[^\s"'\\]|\\.|"(?:[^"\\]|\\.)*"|'[^']*')+/gs)].map(([word]) => word.replace(QUOTED, unquoted));

const QUOTED = /"((?:[^"\\]|\\.)*)"|'([^']*)'|\\(.)/gs;

/** Between single quotes a backslash is a backslash. */
const unquoted = (_: string, double?: string, single?: string, escaped?: string): string =>
  single ?? escaped ?? (double ?? '').replace(/\\(.)/gs, '$1');

const nameOf = (path: string): string => path.replace(/^.*[\\/]/, '');

/** What comes before the program, with the flags that take a word of their own. */
const WRAPPERS: Record<string, RegExp | null> = {
  exec: null,
  env: null,
  nice: /^-n$/,
  time: null,
  nohup: null,
  sudo: /^-u$/,
  tini: null,
  'docker-init': null,
  'dumb-init': null,
  catatonit: null,
  's6-setuidgid': null,
  gosu: null,
  'su-exec': null,
  npx: /^(-p|--package|-c)$/,
  pnpx: null,
  bunx: null,
  'newrelic-admin': null,
  'ddtrace-run': null,
  'opentelemetry-instrument': null,
  dotenv: /^-[ef]$/,
  doppler: null,
  watchmedo: /^-[dp]$|^--(directory|pattern)$/,
  watchexec: /^-[ewr]$|^--(exts|watch)$/,
  watchfiles: /^--filter$/,
  reflex: /^-[rgs]$/,
  timeout: null,
  'xvfb-run': null,
  thrust: null,
};
/** Words of a wrapper itself, before the program. */
const WRAPPER_WORDS = /^(run|exec|run-program|auto-restart|tool|--)$/;

const RUNNERS = /^(uv|poetry|pipenv|pdm|hatch|rye|conda|bundle|dotenv|doppler|mise|asdf|newrelic-admin|watchmedo)$/;

/** Scripts that prepare, and then run what they are given. */
const isEntrypoint = (word: string): boolean =>
  /(^|[-_/.])(entry-?point|docker-start|wait-for(-it)?|wait|start-?up|init)(\.\w+)?$/i.test(word) || nameOf(word) === 'dockerize';

export const commandsOf = (words: readonly string[]): string[][] => {
  const known = words.length === 1 && /\s/.test(words[0]!) ? shellWords(words[0]!) : [...words];
  return simple(known, 0);
};

const DEEPEST = 8;

const simple = (words: readonly string[], depth: number): string[][] => {
  const rest = dropAssignments(words);
  const [first] = rest;
  if (first === undefined) return [];
  if (depth > DEEPEST) return [rest];
  const name = nameOf(first);
  if (/^(sh|bash|ash|dash|zsh)$/.test(name)) {
    const at = rest.findIndex((word, index) => index > 0 && /^-\w*c$/.test(word));
    if (at > 0) return lines(rest[at + 1] ?? '').flatMap((line) => simple(line, depth + 1));
    const script = rest.findIndex((word, index) => index > 0 && !word.startsWith('-'));
    return script > 0 ? simple(rest.slice(script), depth + 1) : [[name, ...rest.slice(1)]];
  }
  const own = wrapped(rest, name);
  if (own) return simple(own, depth + 1);
  if (isEntrypoint(first) && rest.length > 1) {
    const end = rest.lastIndexOf('--');
    const given = end > 0 ? rest.slice(end + 1) : rest.slice(1);
    if (given.length > 0 && !given[0]!.startsWith('-')) return simple(given, depth + 1);
  }
  return [[name, ...rest.slice(1)]];
};

const wrapped = (words: readonly string[], name: string): string[] | null => {
  // `python -m uvicorn`, `python3.12 -m celery`, but not `python -m http.server`.
  const module = /^python[\d.]*$/.test(name) ? words.findIndex((word, index) => index > 0 && word === '-m') : -1;
  if (
    module > 0 &&
    /^(uvicorn|gunicorn|hypercorn|granian|daphne|flask|celery|taskiq|rq|arq|dramatiq|alembic|pytest|fastapi|streamlit)$/.test(
      words[module + 1] ?? '',
    )
  ) {
    return words.slice(module + 1);
  }
  if (RUNNERS.test(name) || /^(npm|pnpm|yarn|bun)$/.test(name)) {
    const at = words.findIndex(
      (word, index) => index > 0 && (word === 'run' || word === 'exec' || word === 'run-program' || word === 'auto-restart'),
    );
    // Of a package manager `run` names a script, `exec` a program; `yarn vite` is `yarn exec vite`.
    if (/^(npm|pnpm|yarn|bun)$/.test(name) && words[at] !== 'exec') return null;
    if (at < 0) return name === 'bundle' || name === 'mise' ? words.slice(1) : null;
    return skipFlags(
      words.slice(at + 1),
      (Object.hasOwn(WRAPPERS, name) ? WRAPPERS[name] : null) ?? /^(--directory|--project|--with|--extra|--group|-p|--python|-d)$/,
    );
  }
  if (!Object.hasOwn(WRAPPERS, name)) return null;
  const inner = skipFlags(words.slice(1), WRAPPERS[name] ?? null);
  // `gosu postgres postgres`, `timeout 30 x`: one word of their own.
  const own = /^(gosu|su-exec|s6-setuidgid|timeout)$/.test(name) ? inner.slice(1) : inner;
  // `watchfiles "uvicorn app:app" src`: the program is one word.
  return name === 'watchfiles' || name === 'reflex' ? shellWords(own[0] ?? '') : own;
};

const skipFlags = (words: readonly string[], taking: RegExp | null): string[] => {
  let at = 0;
  while (at < words.length && (words[at]!.startsWith('-') || WRAPPER_WORDS.test(words[at]!))) at += taking?.test(words[at]!) ? 2 : 1;
  return words.slice(at);
};

const dropAssignments = (words: readonly string[]): string[] => {
  const at = words.findIndex((word) => !/^[A-Za-z_]\w*=/.test(word));
  return at < 0 ? [] : words.slice(at);
};

/** Of `a || b`, only `a`: what follows is for the case that it fails. */
const lines = (script: string): string[][] =>
  withoutHeredocs(script)
    .replace(/\\\n/g, ' ')
    .split(/&&|;|\n|(?<!\|)\|(?!\|)|(?<![&>])&(?![&>\d])/)
    .map((line) =>
      shellWords(
        line
          .split('||')[0]!
          .replace(/^[\s({]*(?:(?:do|then|else|if|while|until|!)\s+)*/, '')
          .replace(/[\s)}]+$/, ''),
      ),
    )
    .filter((words) => words.length > 0);

/** `cat > file <<EOF … EOF` is text; what a shell is given so (`bash -s <<EOF`) is a script. */
const withoutHeredocs = (script: string): string =>
  script.includes('<<')
    ? script.replace(
        /^(.*?)<<-?\s*(["']?)(\w+)\2(.*)\n([\s\S]*?)\n[ \t]*\3[ \t]*$/gm,
        (_, before: string, _quote, _word, after: string, text: string) =>
          /^\s*(exec\s+)?(\/\S*\/)?(ba|da|a|z)?sh(\s+-\w+)*\s*$/.test(before) ? text : before + after,
      )
    : script;

/** `uvicorn --uds /run/app.sock`, `gunicorn -b unix:/run/app.sock`. */
export const servesSocketFile = ({ entrypoint, command }: Pick<Container, 'entrypoint' | 'command'>): boolean =>
  /\s(--uds|-b|--bind|--socket|--http-socket|--unix-socket)[\s=]+(?:unix:\/*|\/)\S/.test([...entrypoint, ...command].join(' '));
