/** What a container would run, as compose file and Dockerfile tell: its first script, the program of its healthcheck, its command. */
import { closeSync, openSync, readSync } from 'node:fs';
import { join } from 'node:path';
import { shellWords } from '../model/command-line.ts';
import type { DeclaredScript, FileLine, MakingFact, ProjectFact } from '../model/facts.ts';
import type { ServiceSpec } from '../model/stack.ts';
import type { ComposeLines } from './compose-lines.ts';
import {
  ancestry,
  commandIn,
  execForm,
  isKnownMissing,
  isMissingFrom,
  originOf,
  scriptOf,
  workingFolder,
  type CommandLine,
  type Stage,
} from './dockerfile.ts';
import { onThisMachine, statNow } from './host-files.ts';
import { isWithin } from './mountinfo.ts';

interface Scene {
  spec: ServiceSpec;
  project: ProjectFact;
  lines: ComposeLines;
  /** `null`: nothing is built, or its Dockerfile could not be read. */
  stages: { all: Stage[]; built: Stage[]; file: string } | null;
  context: string | null;
}

type Located = CommandLine & { at: FileLine | null };

/** Official images whose entry point, where they have one, runs the command as it is given. */
const PASSES_ON = /^(?:docker\.io\/)?(?:library\/)?(?:python|node|ruby|golang|rust|alpine|debian|ubuntu|eclipse-temurin|php)(?::|@|$)/;

const ownStages = ({ stages }: Scene): Stage[] => (stages ? ancestry(stages.all, stages.built[0]!) : []);

/** What stands first in the container, as far as it is known: an entry point, else a command that is passed on to. */
const beginning = (scene: Scene): Located | null => {
  const { spec, lines, stages } = scene;
  const own = ownStages(scene);
  if (spec.entrypoint?.length) return { words: spec.entrypoint, direct: true, line: 0, at: lines.find(spec.name, 'entrypoint') };
  const entry = commandIn(own, 'ENTRYPOINT');
  if (entry && entry.words.length > 0) return { ...entry, at: { file: stages!.file, line: entry.line } };
  if (!stages || !PASSES_ON.test(own.at(-1)!.base)) return null;
  if (spec.command?.length) return { words: spec.command, direct: true, line: 0, at: lines.find(spec.name, 'command') };
  const command = commandIn(own, 'CMD');
  return command && { ...command, at: { file: stages.file, line: command.line } };
};

/** The command, where nothing stands before it but an entry point that passes it on. */
export const commandOf = (scene: Scene): string[] | null => {
  const { spec } = scene;
  const own = ownStages(scene);
  const entry = commandIn(own, 'ENTRYPOINT');
  if (spec.entrypoint?.length || (entry && entry.words.length > 0)) return null;
  const base = own.length > 0 ? own.at(-1)!.base : (spec.image ?? '');
  if (!PASSES_ON.test(base)) return null;
  return spec.command ?? commandIn(own, 'CMD')?.words ?? null;
};

/** An image that is here was built from files that may have been others. */
export const scriptOfService = (scene: Scene, isBuilt: boolean): DeclaredScript | null => {
  const begin = beginning(scene);
  const own = ownStages(scene);
  const script = begin && scriptOf(begin, begin.line > 0 ? workingFolder(own) : '');
  if (!begin || !script) return null;
  const file = fileOf(script.path, scene, own, isBuilt);
  const stat = file && statNow(file.hostPath);
  const head = file && stat?.isFile() ? headOf(file.hostPath) : null;
  if (!file || !stat || head === null || head.includes('\0')) return null;
  const first = head.slice(0, head.indexOf('\n') + 1);
  const hasShebang = head.startsWith('#!');
  const isScript = hasShebang || /\.\w*sh$/.test(script.path);
  return {
    path: script.path,
    hostPath: file.hostPath,
    from: file.from,
    windowsLineEnds: isScript && first.endsWith('\r\n') && !file.mended.lineEnds,
    lacksShebang: script.direct && !hasShebang && isScript && head.trim() !== '',
    // Where there are no permission bits, Docker sets them.
    lacksPermission: !script.interpreted && (stat.mode & 0o111) === 0 && process.platform !== 'win32' && !file.mended.mode,
    at: begin.at,
  };
};

interface HostFile {
  hostPath: string;
  from: DeclaredScript['from'];
  /** What the build does to it. */
  mended: { mode: boolean; lineEnds: boolean };
}

const fileOf = (path: string, { spec, context }: Scene, own: readonly Stage[], isBuilt: boolean): HostFile | null => {
  const mount = spec.mounts
    .filter(({ destination }) => isWithin(path, destination))
    .toSorted((a, b) => b.destination.length - a.destination.length)[0];
  if (mount)
    return mount.type === 'bind'
      ? {
          hostPath: join(onThisMachine(mount.source), path.slice(mount.destination.length)),
          from: 'mount',
          mended: { mode: false, lineEnds: false },
        }
      : null;
  if (context === null || isBuilt) return null;
  const folder = onThisMachine(context);
  const origin = originOf(path, own, (source) => statNow(join(folder, source))?.isDirectory() ?? false);
  if (!origin || origin.copy.from !== null) return null;
  const runs = own.flatMap(({ instructions }) => instructions.filter(({ name }) => name === 'RUN')).map(({ rest }) => rest);
  return {
    hostPath: join(folder, origin.source),
    from: 'image',
    mended: {
      mode:
        (origin.copy.mode !== null && /[1357]|x|\$/.test(origin.copy.mode)) ||
        runs.some((run) => /chmod|install\s+-|\bsetfacl\b/.test(run)),
      lineEnds: runs.some((run) => /dos2unix|\\r|\\015|fromdos/.test(run)),
    },
  };
};

const HEAD_BYTES = 1024;

const headOf = (path: string): string | null => {
  try {
    const file = openSync(path, 'r');
    try {
      const bytes = Buffer.alloc(HEAD_BYTES);
      return bytes.subarray(0, readSync(file, bytes, 0, HEAD_BYTES, 0)).toString('latin1');
    } finally {
      closeSync(file);
    }
  } catch {
    return null;
  }
};

export const probeOf = (scene: Scene, isBuilt: boolean): MakingFact['probe'] => {
  const { spec, lines, stages } = scene;
  const own = ownStages(scene);
  if (spec.build && (isBuilt || !stages)) return null;
  const inDockerfile = lines.has(spec.name, 'healthcheck') ? null : healthcheckIn(own, stages?.file ?? '');
  const found = spec.healthcheck ? { line: askedBy(spec.healthcheck.test), at: lines.find(spec.name, 'healthcheck') } : inDockerfile;
  const program = found?.line && /^(?:\/usr\/bin\/)?(curl|wget)\s/.exec(found.line)?.[1];
  // `curl … || wget …`, `command -v curl && …`: the author knows.
  if (!found || !program || /(?:\|\||&&|;)\s*(?!exit\b|false\b|true\b|kill\b)\S/.test(found.line!)) return null;
  const base = stages ? own.at(-1)!.base : (spec.image ?? '');
  const isMissing = stages ? isKnownMissing(program, own) : isMissingFrom(base, program);
  return isMissing ? { program, base, at: found.at } : null;
};

const askedBy = ([kind, ...words]: readonly string[]): string | null => {
  if (kind === 'CMD-SHELL') return words[0] ?? null;
  return kind === 'CMD' && !/^(?:\/bin\/)?(?:ba)?sh$/.test(words[0] ?? '') ? words.join(' ').replace(/[|&;]/g, '') : null;
};

const healthcheckIn = (stages: readonly Stage[], file: string): { line: string | null; at: FileLine } | null => {
  for (const stage of stages) {
    const found = stage.instructions.findLast(({ name }) => name === 'HEALTHCHECK');
    if (!found) continue;
    const command = /(?:^|\s)CMD\s+(.*)$/s.exec(found.rest)?.[1];
    if (command === undefined) return null;
    const words = execForm(command);
    return { line: words ? askedBy(['CMD', ...words]) : shellWords(command).join(' '), at: { file, line: found.line } };
  }
  return null;
};
