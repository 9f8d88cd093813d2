/** argv → what is asked for, and the help text. Loaded before anything else: it imports next to nothing. */
import type { StackOptions } from './model/stack-options.ts';
import { didYouMean } from './model/nearest.ts';
import { UsageError } from './model/usage-error.ts';

export interface Looks {
  json: boolean;
  quiet: boolean;
  verbose: boolean;
  /** `false`: `--no-color` was given. Whether colour is used is for the terminal and the environment to say. */
  color: boolean;
}

export type Command =
  | { kind: 'help' }
  | { kind: 'version' }
  | {
      kind: 'run';
      stack: StackOptions;
      looks: Looks;
      format: ReportFormat;
      selectors: string[];
      strict: boolean;
      waitMs: number | null;
      replay: string | null;
    }
  | { kind: 'list'; stack: StackOptions; looks: Looks; replay: string | null }
  | { kind: 'graph'; stack: StackOptions; looks: Looks; format: GraphFormat; replay: string | null }
  | { kind: 'explain'; stack: StackOptions; looks: Looks; code: string }
  | { kind: 'runbook'; stack: StackOptions; looks: Looks; verify: boolean }
  | { kind: 'record'; stack: StackOptions; looks: Looks; file: string }
  | { kind: 'init'; stack: StackOptions; looks: Looks };

export const REPORT_FORMATS = ['text', 'json', 'junit', 'markdown'] as const;
export type ReportFormat = (typeof REPORT_FORMATS)[number];
export const GRAPH_FORMATS = ['text', 'mermaid', 'dot', 'json'] as const;
export type GraphFormat = (typeof GRAPH_FORMATS)[number];

const DEFAULT_TIMEOUT_MS = 30_000;
const LONGEST_MS = 24 * 3_600_000;

type Group = 'check' | 'list' | 'graph' | 'explain' | 'runbook' | 'record' | 'init';

interface OptionSpec {
  short?: string;
  /** The word for its value in the help; none for a switch. */
  value?: string;
  repeatable?: boolean;
  help: string;
  /** The commands it is for. */
  of: readonly Group[];
}

const EVERY: readonly Group[] = ['check', 'list', 'graph', 'explain', 'runbook', 'record', 'init'];
const LOOKING: readonly Group[] = ['check', 'list', 'graph', 'record', 'init'];

/** In the order of the help text. */
const OPTIONS: Record<string, OptionSpec> = {
  file: { short: 'f', value: 'file', repeatable: true, help: 'Compose file; may be given again', of: EVERY },
  'project-name': { short: 'p', value: 'name', help: 'Project name', of: EVERY },
  'project-directory': { value: 'dir', help: 'Project folder (default: that of the first file)', of: EVERY },
  profile: { value: 'name', repeatable: true, help: 'Profile to enable; may be given again', of: EVERY },
  'env-file': { value: 'file', repeatable: true, help: 'Environment file; may be given again', of: EVERY },
  context: { short: 'c', value: 'name', help: 'Docker context', of: LOOKING },
  runbook: { value: 'file', help: "Your team's runbook, before the doctor's own", of: EVERY },
  config: { value: 'file', help: 'What your team says of the stack (doctor.yaml)', of: EVERY },
  timeout: { value: 'time', help: 'For the whole run: 30s, 1500ms, 2m (default 30s)', of: LOOKING },
  wait: { value: 'time', help: 'Look again until nothing fails, or the time is up', of: ['check'] },
  strict: { help: 'Warnings fail too', of: ['check'] },
  json: { help: 'One JSON document on stdout', of: ['check', 'list', 'graph', 'runbook'] },
  format: { value: 'form', help: 'json, junit, markdown; of a graph: mermaid, dot', of: ['check', 'graph'] },
  replay: { value: 'file', help: 'Diagnose from a recording; needs no Docker', of: ['check', 'list', 'graph'] },
  quiet: { short: 'q', help: 'Only the verdict and the root causes', of: EVERY },
  verbose: { short: 'v', help: 'Everything: timings, evidence in full', of: EVERY },
  'no-color': { help: 'No colours (NO_COLOR too; FORCE_COLOR=1: always)', of: EVERY },
  help: { short: 'h', help: 'This text', of: EVERY },
  version: { help: 'The version', of: EVERY },
};

const COMMANDS = ['check', 'list', 'graph', 'explain', 'runbook', 'record', 'init', 'help', 'version'] as const;

/** Throws `UsageError`. */
export const parseArgs = (argv: readonly string[]): Command => {
  const { given, words } = split(argv);
  if (given.has('help') || words[0] === 'help') return { kind: 'help' };
  if (given.has('version') || words[0] === 'version') return { kind: 'version' };

  const first = words[0] ?? 'check';
  if (!isCommand(first)) throw new UsageError(`unknown command "${first}"${rightCommand(first)}`);
  const rest = words.slice(1);
  const group = first as Group;
  for (const name of given.keys()) {
    const spec = OPTIONS[name]!;
    if (!spec.of.includes(group))
      throw new UsageError(
        `--${name} is not an option of "doctor ${group}"; it goes with ${spec.of.map((each) => `"doctor ${each}"`).join(', ')}`,
      );
  }
  if (given.has('quiet') && given.has('verbose')) throw new UsageError('--quiet and --verbose contradict each other; give one of them');

  const stack = stackOptions(given);
  const looks: Looks = { json: given.has('json'), quiet: given.has('quiet'), verbose: given.has('verbose'), color: !given.has('no-color') };
  const replay = one(given, 'replay');

  switch (group) {
    case 'check': {
      const empty = rest.findIndex((selector) => selector.trim() === '');
      if (empty >= 0) throw new UsageError('an empty selector; name a service, a check, or both as in "db/postgres"');
      const waitMs = given.has('wait') ? duration('--wait', one(given, 'wait')!) : null;
      if (waitMs !== null && replay !== null)
        throw new UsageError('--wait and --replay contradict each other: a recording does not change');
      const format = formatOf('doctor check', REPORT_FORMATS, one(given, 'format'), looks.json);
      return { kind: 'run', stack, looks, format, selectors: rest, strict: given.has('strict'), waitMs, replay };
    }
    case 'list':
      noMore(rest, 0, 'doctor list');
      return { kind: 'list', stack, looks, replay };
    case 'graph':
      noMore(rest, 0, `doctor graph${isFormat(rest[0]) ? ` --format ${rest[0]}` : ''}`);
      return { kind: 'graph', stack, looks, format: formatOf('doctor graph', GRAPH_FORMATS, one(given, 'format'), looks.json), replay };
    case 'explain':
      if (rest[0] === undefined)
        throw new UsageError(
          '"doctor explain" needs a code, as in "doctor explain postgres/auth-rejected"; "doctor list" shows the checks',
        );
      noMore(rest, 1, 'doctor explain <code>');
      return { kind: 'explain', stack, looks, code: rest[0] };
    case 'runbook':
      if (rest[0] !== undefined && rest[0] !== 'verify')
        throw new UsageError(`unknown word "${rest[0]}" after "doctor runbook"; it takes only "verify"`);
      noMore(rest, 1, 'doctor runbook verify');
      return { kind: 'runbook', stack, looks, verify: rest[0] === 'verify' };
    case 'record':
      if (rest[0] === undefined || rest[0] === '')
        throw new UsageError('"doctor record" needs a file to write, as in "doctor record broken.json"');
      noMore(rest, 1, 'doctor record <file>');
      return { kind: 'record', stack, looks, file: rest[0] };
    case 'init':
      noMore(rest, 0, 'doctor init');
      return { kind: 'init', stack, looks };
  }
};

const isCommand = (word: string): word is (typeof COMMANDS)[number] => (COMMANDS as readonly string[]).includes(word);

/** A word that is no command is mostly a slip of the hand, or a service that was meant to be checked. */
const rightCommand = (word: string): string => {
  const meant = didYouMean(word, COMMANDS);
  if (meant !== '') return meant;
  return /^[\w.*/-]+$/.test(word) ? `; to ask about one service or check: doctor check ${word}` : '; see doctor --help';
};

const isFormat = (word: string | undefined): boolean => (GRAPH_FORMATS as readonly (string | undefined)[]).includes(word);

const formatOf = <F extends string>(command: string, formats: readonly F[], asked: string | null, json: boolean): F | 'text' | 'json' => {
  if (asked === null) return json ? 'json' : 'text';
  const format = formats.find((each) => each === asked);
  if (format === undefined)
    throw new UsageError(
      `--format "${asked}" is no format of "${command}"${didYouMean(asked, formats) || `; it takes ${formats.join(', ')}`}`,
    );
  if (json && asked !== 'json') throw new UsageError(`--json and --format ${asked} contradict each other; give one of them`);
  return format;
};

type Given = Map<string, string[]>;

/** Options, by long name, with their values; and the other words. An option may stand before or after the command, as Compose's may. */
const split = (argv: readonly string[]): { given: Given; words: string[] } => {
  const given: Given = new Map();
  const words: string[] = [];
  const queue = [...argv];
  while (queue.length > 0) {
    const arg = queue.shift()!;
    if (arg === '--') {
      words.push(...queue);
      break;
    }
    if (arg === '-' || !arg.startsWith('-')) {
      words.push(arg);
      continue;
    }
    const { name, shown, inline, more } = option(arg);
    if (more !== null) queue.unshift(more);
    const spec = OPTIONS[name]!;
    const earlier = given.get(name) ?? [];
    if (spec.value === undefined) {
      if (inline !== null) throw new UsageError(`${shown} takes no value`);
      given.set(name, earlier);
      continue;
    }
    const value = inline ?? queue.shift();
    // `--timeout --json` is a forgotten value; a file that really begins with a dash can be written `--file=-x`.
    if (value === undefined || value === '' || (inline === null && value.startsWith('-') && value !== '-')) {
      throw new UsageError(`${shown} needs a value: ${shown} <${spec.value}>`);
    }
    if (earlier.length > 0 && !spec.repeatable) throw new UsageError(`${shown} is given twice: "${earlier[0]!}" and "${value}"`);
    given.set(name, [...earlier, value]);
  }
  return { given, words };
};

/** `more`: what is left of a cluster of short options (`-qv`). */
const option = (arg: string): { name: string; shown: string; inline: string | null; more: string | null } => {
  if (arg.startsWith('--')) {
    const equals = arg.indexOf('=');
    const name = equals < 0 ? arg.slice(2) : arg.slice(2, equals);
    if (!Object.hasOwn(OPTIONS, name)) {
      const options = Object.keys(OPTIONS).map((each) => `--${each}`);
      throw new UsageError(`unknown option --${name}${didYouMean(`--${name}`, options) || '; see doctor --help'}`);
    }
    return { name, shown: `--${name}`, inline: equals < 0 ? null : arg.slice(equals + 1), more: null };
  }
  const letter = arg[1]!;
  const name = Object.keys(OPTIONS).find((each) => OPTIONS[each]!.short === letter);
  if (name === undefined) {
    const long = Object.hasOwn(OPTIONS, arg.slice(1)) ? `; did you mean -${arg}?` : '; see doctor --help';
    throw new UsageError(`unknown option ${arg.length > 2 && long.includes('mean') ? arg : `-${letter}`}${long}`);
  }
  const tail = arg.slice(2);
  if (OPTIONS[name]!.value !== undefined)
    return { name, shown: `-${letter}`, inline: tail === '' ? null : tail.replace(/^=/, ''), more: null };
  return { name, shown: `-${letter}`, inline: null, more: tail === '' ? null : `-${tail}` };
};

const one = (given: Given, name: string): string | null => given.get(name)?.[0] ?? null;

const noMore = (rest: string[], most: number, usage: string): void => {
  if (rest.length > most) throw new UsageError(`too many words: "${rest[most]!}"; the call is "${usage}"`);
};

const stackOptions = (given: Given): StackOptions => ({
  files: given.get('file') ?? [],
  projectName: one(given, 'project-name'),
  projectDirectory: one(given, 'project-directory'),
  profiles: given.get('profile') ?? [],
  envFiles: given.get('env-file') ?? [],
  context: one(given, 'context'),
  runbook: one(given, 'runbook'),
  config: one(given, 'config'),
  timeoutMs: given.has('timeout') ? duration('--timeout', one(given, 'timeout')!) : DEFAULT_TIMEOUT_MS,
});

const UNITS: Record<string, number> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 };

/** As Compose writes durations: `1m30s`, `1.5s`, `500ms`. A bare number is seconds, as in `docker compose --timeout 10`. */
const duration = (option: string, text: string): number => {
  const form = `${option} "${text}" is not a duration; write it as 30s, 1500ms or 2m`;
  let total = 0;
  if (/^\d+$/.test(text)) {
    total = Number(text) * 1_000;
  } else {
    if (!/^(\d+(\.\d+)?(ms|s|m|h))+$/.test(text)) throw new UsageError(form);
    for (const [, amount, unit] of text.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h)/g)) total += Number(amount) * UNITS[unit!]!;
  }
  if (total < 1) throw new UsageError(`${option} "${text}" must be more than nothing`);
  if (total > LONGEST_MS) throw new UsageError(`${option} "${text}" is longer than a day`);
  return Math.round(total);
};

/** At most 80 columns. */
export const helpText = (): string => `doctor: finds the one cause behind a broken Docker Compose stack, proves it, and
prints the fix from the runbook. It only looks; it changes nothing.

Usage: doctor [options]                  everything, in the stack of this folder
       doctor check <what>... [options]  only this: a service (db), a check
                                         (postgres), one of one (db/postgres),
                                         a glob ('*/ports'), or db, cache, web
       doctor list                       the checks, and what they apply to
       doctor graph                      who reaches for whom, as which user
       doctor explain <code>             what a finding means, how it is proved
       doctor runbook [verify]           which section serves which finding
       doctor record <file>              save what was seen, without secrets
       doctor init                       write a doctor.yaml to begin with

Which stack (as in docker compose, with its COMPOSE_* and DOCKER_* variables):
${optionLines(['file', 'project-name', 'project-directory', 'profile', 'env-file', 'context'])}

How:
${optionLines(['timeout', 'wait', 'strict', 'json', 'format', 'config', 'runbook', 'replay', 'quiet', 'verbose', 'no-color', 'help', 'version'])}

Exit code: 0 nothing fails, 1 something fails, 2 wrong call or configuration,
           3 nothing fails, but something could not be looked at,
           130, 143 interrupted (what was found is printed)

Examples:
  doctor                                 what is wrong here?
  doctor check db                        only the database
  doctor --json --wait 60s --strict      a smoke test in CI
  doctor runbook verify --json           what in the runbook is not so, for CI
  doctor record broken.json && doctor --replay broken.json
`;

const optionLines = (names: string[]): string =>
  names
    .map((name) => {
      const { short, value, help } = OPTIONS[name]!;
      const call = `${short === undefined ? '    ' : `-${short}, `}--${name}${value === undefined ? '' : ` <${value}>`}`;
      return `  ${call.padEnd(28).padEnd(call.length + 1)}${help}`;
    })
    .join('\n');
