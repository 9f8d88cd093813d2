/** Reads a Dockerfile as BuildKit does, as far as its lines tell without a build: stages, what they copy, what they run. Pure. */
import { posix } from 'node:path';
import { shellWords } from '../model/command-line.ts';

export interface Instruction {
  /** From 1: where it begins. */
  line: number;
  /** In capitals: `COPY`. */
  name: string;
  /** What follows, continued lines joined, without comments. */
  rest: string;
  /** It brings lines of its own (`<<EOF`), which are not in `rest`. */
  heredoc: boolean;
}

export interface Stage {
  /** `AS name`, in small letters. */
  name: string | null;
  /** Of `FROM`: an image or another stage. */
  base: string;
  instructions: Instruction[];
}

export interface Copy {
  line: number;
  sources: string[];
  destination: string;
  /** `--from`; `null`: the context. */
  from: string | null;
  /** `--chmod`. */
  mode: string | null;
}

/** Instructions before the first `FROM` (`ARG`) belong to no stage. */
export const stagesOf = (text: string): Stage[] => {
  const stages: Stage[] = [];
  for (const instruction of instructionsOf(text)) {
    const words = instruction.rest.replace(/^(?:--\S+\s+)+/, '').split(/\s+/);
    if (instruction.name === 'FROM') {
      const name = words[1]?.toUpperCase() === 'AS' ? (words[2]?.toLowerCase() ?? null) : null;
      stages.push({ name, base: words[0] ?? '', instructions: [] });
    } else stages.at(-1)?.instructions.push(instruction);
  }
  return stages;
};

const HEREDOC = /<<(-?)(["']?)(\w+)\2/g;

const instructionsOf = (text: string): Instruction[] => {
  const lines = text.replace(/^\uFEFF/, '').split(/\r?\n/);
  const mark = /^#\s*escape\s*=\s*`/im.test(text.split(/^\s*[^#\s]/m)[0] ?? '') ? '`' : '\\';
  const found: Instruction[] = [];
  for (let at = 0; at < lines.length; at++) {
    const line = at + 1;
    let whole = lines[at]!.trim();
    if (whole === '' || whole.startsWith('#')) continue;
    while (whole.endsWith(mark) && at + 1 < lines.length) {
      const next = lines[++at]!.trim();
      // Comments and empty lines do not end what is continued.
      whole = next === '' || next.startsWith('#') ? whole : `${whole.slice(0, -1).trimEnd()} ${next}`;
    }
    const [, name = '', rest = ''] = /^(\w+)\s*(.*)$/s.exec(whole) ?? [];
    const documents = /^(RUN|COPY|ADD)$/i.test(name) ? [...rest.matchAll(HEREDOC)] : [];
    let own = rest;
    for (const [, dash, , word] of documents) {
      while (at + 1 < lines.length) {
        const next = lines[++at]!;
        if ((dash ? next.trimStart() : next) === word) break;
        own += ` ${next}`;
      }
    }
    found.push({ line, name: name.toUpperCase(), rest: name.toUpperCase() === 'RUN' ? own : rest, heredoc: documents.length > 0 });
  }
  return found;
};

/** The stages that a build of the target makes, the target first: BuildKit leaves out the others. `null`: the target is none of them. */
export const builtStages = (stages: readonly Stage[], target: string | null): Stage[] | null => {
  const named = (name: string, before: number): number => {
    const place = stages.findIndex((each, index) => index < before && each.name === name.toLowerCase());
    return place >= 0 ? place : /^\d+$/.test(name) && Number(name) < before ? Number(name) : -1;
  };
  const first = target === null ? stages.length - 1 : named(target, stages.length);
  if (first < 0) return null;
  const order = [first];
  for (const place of order) {
    const { base, instructions } = stages[place]!;
    const sources = instructions.flatMap(({ rest }) => [...rest.matchAll(/(?:^|[\s,])(?:--)?from=([^\s,]+)/g)].map(([, from]) => from!));
    for (const name of [base, ...sources]) {
      const other = named(name, place);
      if (other >= 0 && !order.includes(other)) order.push(other);
    }
  }
  return order.map((place) => stages[place]!);
};

/** A stage, and those it stands on by `FROM`, itself first; the last one's `base` is an image. */
export const ancestry = (stages: readonly Stage[], stage: Stage): Stage[] => {
  const below = stages.slice(0, stages.indexOf(stage)).findLast((each) => each.name === stage.base.toLowerCase());
  return below ? [stage, ...ancestry(stages, below)] : [stage];
};

/** `null`: no `COPY` or `ADD`, or one of a heredoc. */
export const copyOf = ({ name, rest, line, heredoc }: Instruction): Copy | null => {
  if ((name !== 'COPY' && name !== 'ADD') || heredoc) return null;
  const flags = /^(?:--\S+\s+)*/.exec(rest)![0];
  const plain = rest.slice(flags.length).trim();
  const words = execForm(plain) ?? plain.split(/\s+/);
  const destination = words.at(-1);
  if (words.length < 2 || destination === undefined) return null;
  return {
    line,
    sources: words.slice(0, -1),
    destination,
    from: /--from=(\S+)/.exec(flags)?.[1] ?? null,
    mode: /--chmod=(\S+)/.exec(flags)?.[1] ?? null,
  };
};

/** `["a", "b"]`; `null`: not of that form. */
export const execForm = (text: string): string[] | null => {
  if (!text.startsWith('[')) return null;
  try {
    const words: unknown = JSON.parse(text);
    return Array.isArray(words) && words.every((each) => typeof each === 'string') ? words : null;
  } catch {
    return null;
  }
};

/** Of the context, and plain: no other stage, no pattern, no variable, no URL. */
export const plainSources = (copy: Copy): string[] =>
  copy.from === null ? copy.sources.filter((source) => source !== '' && !/[*?[\]$\\"']|^\w+:\/\/|^git@/.test(source)) : [];

export interface Program {
  line: number;
  /** Absolute, in the image. */
  path: string;
  /** The kernel runs it, and a shell of ours does not: `["./start.sh"]`. */
  direct: boolean;
  /** A shell or interpreter is given the script, so that it needs no permission to be executed. */
  interpreted: boolean;
}

export interface CommandLine {
  line: number;
  words: string[];
  /** `["./start.sh"]`: no shell around it. */
  direct: boolean;
}

/** The last `ENTRYPOINT` or `CMD` of the stages, nearest first. `null`: none, or one that takes the base's away. */
export const commandIn = (stages: readonly Stage[], name: 'ENTRYPOINT' | 'CMD'): CommandLine | null => {
  for (const stage of stages) {
    const found = stage.instructions.findLast((each) => each.name === name);
    if (!found) continue;
    const words = execForm(found.rest);
    return { line: found.line, words: words ?? shellWords(found.rest), direct: words !== null };
  }
  return null;
};

const INTERPRETER = /^(?:.*\/)?(?:sh|bash|ash|dash|zsh)$/;

/** The script that a command line begins with: `/start.sh`, `sh ./start.sh`, `exec /start.sh`. `null`: it begins with none. */
export const scriptOf = ({ words, direct, line }: CommandLine, folder: string): Program | null => {
  const own = words[0] === 'exec' ? words.slice(1) : words;
  const interpreted = INTERPRETER.test(own[0] ?? '');
  const name = interpreted ? own[1] : own[0];
  if (name === undefined || !/^[\w./@+-]+$/.test(name) || name.startsWith('-')) return null;
  // A bare name is looked for on the PATH, unless a shell opens it.
  if (!name.includes('/') && !interpreted) return null;
  if (!name.startsWith('/') && folder === '') return null;
  return { line, path: posix.resolve(folder || '/', name), direct: direct && !interpreted, interpreted };
};

/** The folder that `WORKDIR` makes; `''`: the image's own, which nobody knows. */
export const workingFolder = (stages: readonly Stage[]): string =>
  stages
    .toReversed()
    .flatMap((stage) => stage.instructions)
    .filter(({ name }) => name === 'WORKDIR')
    .reduce(
      (folder, { rest }) => (/\$/.test(rest) ? '' : folder === '' && !rest.startsWith('/') ? '' : posix.resolve(folder || '/', rest)),
      '',
    );

/** Where a path of the image comes from: the last copy that brings it. `isFolder` tells of a source of the context. */
export const originOf = (
  path: string,
  stages: readonly Stage[],
  isFolder: (source: string) => boolean,
): { copy: Copy; source: string } | null => {
  let folder = '';
  let found: { copy: Copy; source: string } | null = null;
  for (const instruction of stages.toReversed().flatMap((stage) => stage.instructions)) {
    if (instruction.name === 'WORKDIR') folder = /\$/.test(instruction.rest) ? '' : posix.resolve(folder || '/', instruction.rest);
    const copy = copyOf(instruction);
    if (!copy || /\$/.test(copy.destination) || (folder === '' && !copy.destination.startsWith('/'))) continue;
    const destination = posix.resolve(folder || '/', copy.destination);
    for (const source of copy.sources) {
      const brought = broughtBy(path, source, destination, /\/$|(^|\/)\.$/.test(copy.destination) || copy.sources.length > 1, isFolder);
      if (brought !== null) found = { copy, source: brought };
    }
  }
  return found;
};

const broughtBy = (path: string, source: string, to: string, intoFolder: boolean, isFolder: (source: string) => boolean): string | null => {
  if (isFolder(source)) {
    const inside = posix.relative(to, path);
    return inside !== '' && !inside.startsWith('..') ? posix.join(source, inside) : null;
  }
  return path === (intoFolder ? posix.join(to, posix.basename(source)) : to) ? source : null;
};

/** Which line of a `.dockerignore` takes a path of the context away; `null`: none, or nobody can say. */
export const ignoredBy = (source: string, ignoreFile: string): number | null => {
  const path = posix.join('/', source).slice(1);
  if (path === '') return null;
  let by: number | null = null;
  for (const [index, raw] of ignoreFile
    .replace(/^\uFEFF/, '')
    .split(/\r?\n/)
    .entries()) {
    const line = raw.trim();
    if (line === '' || line.startsWith('#')) continue;
    const again = line.startsWith('!');
    const pattern = posix
      .join('/', again ? line.slice(1).trim() : line)
      .slice(1)
      .replace(/\/$/, '');
    if (pattern === '') continue;
    // What lies below a folder that is left out may be taken in again, and brings the folder with it.
    if (again && (pattern.startsWith(`${path}/`) || /[*?[]/.test(pattern.split('/')[0]!))) return null;
    if (/[[\]\\]/.test(pattern)) return null;
    if (matchesPath(pattern, path)) by = again ? null : index + 1;
  }
  return by;
};

/** A pattern fits a path, or a folder above it. `*` and `?` do not cross a `/`; `**` does. */
const matchesPath = (pattern: string, path: string): boolean => {
  const source = pattern
    .split('/')
    .map((part) =>
      part === '**'
        ? '\0'
        : part
            .replace(/[.+^${}()|]/g, '\\$&')
            .replaceAll('**', '\u0001')
            .replaceAll('*', '[^/]*')
            .replaceAll('?', '[^/]')
            .replaceAll('\u0001', '.*'),
    )
    .join('/')
    .replaceAll('\0/', '(?:.*/)?')
    .replaceAll('/\0', '(?:/.*)?')
    .replaceAll('\0', '.*');
  return new RegExp(`^${source}(?:/.*)?$`).test(path);
};

const NEITHER = ['curl', 'wget'];
/** Official images of which it is known what they lack. Alpine's busybox has a `wget`, and never a `curl`. */
const LACKING: [RegExp, string[]][] = [
  [/^(?:debian|ubuntu)(?::.*)?$/, NEITHER],
  [/^(?:python|node|ruby|rust):(?:[\w.]+-)*slim(?:-[\w.]+)*$/, NEITHER],
  [/^(?:python|node|ruby|golang|rust):(?:[\w.]+-)*alpine[\d.]*$/, ['curl']],
  [/^alpine(?::.*)?$/, ['curl']],
];

/** Of the image that a stage stands on: is the program known not to be in it? */
const isLacking = (image: string, program: string): boolean => {
  const ref = image.replace(/^(?:docker\.io\/)?(?:library\/)?/, '').replace(/@sha256:[0-9a-f]{64}$/, '');
  return LACKING.some(([pattern, programs]) => pattern.test(ref) && programs.includes(program));
};

/** Nothing that the Dockerfile does can have brought the program, and its base is known to lack it. */
export const isKnownMissing = (program: string, stages: readonly Stage[]): boolean => {
  const base = stages.at(-1)?.base ?? '';
  if (!isLacking(base, program)) return false;
  return stages
    .flatMap((stage) => stage.instructions)
    .every(({ name, rest }) => {
      if (name === 'RUN')
        return !new RegExp(`\\b${program}\\b|\\$|\\.sh\\b|xargs|ansible|playwright|https?://`).test(rest) && !/\bmake\b/.test(rest);
      // A binary, or a whole file system, of another stage or image.
      return name !== 'COPY' && name !== 'ADD'
        ? name !== 'ONBUILD'
        : !/--from=/.test(rest) && !new RegExp(`\\b${program}\\b|\\s/\\s*$`).test(rest);
    });
};

/** An image that is used as it is. */
export const isMissingFrom = (image: string, program: string): boolean => isLacking(image, program);
