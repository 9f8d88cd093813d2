/** What a document says of the stack besides its steps: the compose file, the Dockerfiles and the `.env` that it shows, its commands, its words. */
import { isAlias, isMap, isScalar, isSeq, LineCounter, parseDocument, type Node } from 'yaml';
import { plain } from './plain-text.ts';
import type { Block, Runbook, RunbookStep, Section } from './runbook.ts';
import { isIgnored } from './section-for.ts';
import { simpleCommands } from './shell.ts';

/** Something that the document says, and where. */
export interface Said<T = string> {
  value: T;
  line: number;
}

/** A command of the document, as one program with its words. */
export interface SaidCommand {
  words: string[];
  /** The files that it writes. */
  writes: string[];
  line: number;
  step: RunbookStep;
  section: Section;
}

export interface SaidService {
  name: string;
  line: number;
  image: Said | null;
  context: Said | null;
  dockerfile: string;
  entrypoint: Said | null;
  command: Said | null;
  environment: ReadonlyMap<string, Said>;
  hasEnvFile: boolean;
  ports: Said[];
  mounts: Said<{ source: string; target: string }>[];
  dependsOn: Said<{ service: string; condition: string; isShort: boolean }>[];
  healthcheck: Said<{ test: string; hasStartPeriod: boolean }> | null;
  init: boolean;
}

/** A compose file that the document shows. */
export interface SaidCompose {
  line: number;
  text: string;
  services: ReadonlyMap<string, SaidService>;
}

export interface Instruction {
  name: string;
  words: string;
  line: number;
}

export interface SaidDockerfile {
  /** As its first comment names it: `backend/Dockerfile.dev`; `null` without one. */
  file: string | null;
  line: number;
  stages: { image: string; line: number; instructions: Instruction[] }[];
  /** Comments, which tell what an instruction is for. */
  comments: Said[];
}

export interface SaidEnvironment {
  /** `.env.example`. */
  file: string;
  line: number;
  variables: ReadonlyMap<string, Said>;
}

export interface Document {
  file: string;
  /** The one that is meant to be whole. */
  compose: SaidCompose | null;
  /** Services of that and of all that is shown in part. */
  services: SaidService[];
  dockerfiles: SaidDockerfile[];
  environments: SaidEnvironment[];
  commands: SaidCommand[];
  /** Lines of paragraphs and list items, as Markdown. */
  sentences: Said[];
  tables: Extract<Block, { kind: 'table' }>[];
  /** Every line that is text or code, as written. */
  lines: Said[];
}

export const documentOf = (runbook: Runbook): Document => {
  const sections = runbook.sections.filter((section) => !isIgnored(section));
  const blocks = sections.flatMap((section) => flattened(section.blocks));
  const code = blocks.flatMap((block) => (block.kind === 'code' ? [block] : []));
  const shown = code.flatMap((block) => (isYaml(block) ? [composeIn(block)] : [])).filter((each) => each !== null);
  const whole = shown.filter(({ isWhole }) => isWhole).toSorted((a, b) => b.services.size - a.services.size)[0] ?? null;
  const sentences = blocks.flatMap((block) => (block.kind === 'paragraph' ? linesOf(block.markdown, block.line) : []));
  return {
    file: runbook.file,
    compose: whole,
    services: shown.flatMap(({ services }) => [...services.values()]),
    dockerfiles: code.flatMap((block) => dockerfileIn(block) ?? []),
    environments: code.flatMap((block) => environmentIn(block) ?? []),
    commands: sections.flatMap(commandsOf),
    sentences,
    tables: blocks.flatMap((block) => (block.kind === 'table' ? [block] : [])),
    lines: [...sentences, ...code.flatMap(({ text, line }) => linesOf(text, line))].toSorted((a, b) => a.line - b.line),
  };
};

const linesOf = (text: string, first: number): Said[] => text.split('\n').map((value, i) => ({ value, line: first + i }));

const flattened = (blocks: readonly Block[], depth = 0): Block[] =>
  blocks.flatMap((block) =>
    block.kind === 'list' && depth < 20 ? block.items.flatMap((item) => flattened(item.blocks, depth + 1)) : [block],
  );

const commandsOf = (section: Section): SaidCommand[] => {
  const code = codeByLine(section.blocks);
  return section.steps.flatMap((step) => {
    if (step.command === null || step.command.length > 20_000) return [];
    return simpleCommands(step.command).map(({ words, writes }) => ({
      words: unwrapped(words),
      writes,
      line: lineOfCommand(step, words, code.get(step.line)),
      step,
      section,
    }));
  });
};

interface CodeLines {
  first: number;
  lines: string[];
}

/** Looked through once for all steps: a list may have thousands. */
const codeByLine = (blocks: readonly Block[]): Map<number, CodeLines> => {
  const found = new Map<number, CodeLines>();
  for (const block of flattened(blocks)) {
    if (block.kind !== 'code') continue;
    const code = { first: block.line, lines: block.text.split('\n') };
    for (const index of code.lines.keys()) if (!found.has(code.first + index)) found.set(code.first + index, code);
  }
  return found;
};

/** `sudo X=1 docker …` is `docker …`. */
const unwrapped = (words: string[]): string[] => {
  const from = words.findIndex((word) => word !== 'sudo' && word !== 'time' && !/^[A-Za-z_]\w*=/.test(word));
  return from < 0 ? [] : words.slice(from);
};

/** A step is known by its caption; what it runs stands some lines below. */
const lineOfCommand = (step: RunbookStep, words: readonly string[], code: CodeLines | undefined): number => {
  if (!code) return step.line;
  const { first, lines } = code;
  const start = words.slice(0, 4).join(' ');
  for (let i = step.line - first; i < lines.length; i += 1) {
    if (
      !/^\s*#/.test(lines[i]!) &&
      lines[i]!.replaceAll(/["'\\]|\s+/g, ' ')
        .replaceAll(/ +/g, ' ')
        .includes(start)
    )
      return first + i;
  }
  return step.line;
};

type Code = Extract<Block, { kind: 'code' }>;

const isYaml = ({ language }: Code): boolean => ['yaml', 'yml', 'compose', 'docker-compose'].includes(language);

const scalar = (value: unknown): string => (typeof value === 'string' ? value : JSON.stringify(value));

const SERVICE_KEYS = new Set(['image', 'build', 'healthcheck', 'environment', 'ports', 'command', 'depends_on', 'entrypoint']);

const composeIn = ({ text, line }: Code): (SaidCompose & { isWhole: boolean }) | null => {
  const counter = new LineCounter();
  const document = parseDocument(text, { lineCounter: counter, merge: true, logLevel: 'silent' });
  if (document.errors.length > 0 || !isMap(document.contents)) return null;
  const at = (node: Node | null | undefined): number => line + counter.linePos(node?.range?.[0] ?? 0).line - 1;
  const resolved = (node: unknown): Node | null =>
    isAlias(node) ? ((node.resolve(document) as Node | undefined) ?? null) : ((node as Node | null) ?? null);
  const entries = (node: unknown, depth = 0): { key: string; keyLine: number; value: Node | null }[] => {
    const map = resolved(node);
    if (!isMap(map) || depth > 5) return [];
    return map.items.flatMap((item) => {
      const key = isScalar(item.key) ? scalar(item.key.value) : null;
      if (key === null) return [];
      if (key === '<<') return entries(item.value, depth + 1);
      return [{ key, keyLine: at(item.key as Node), value: resolved(item.value) }];
    });
  };
  const said = (node: Node | null): Said | null => {
    if (isScalar(node)) return node.value === null ? null : { value: scalar(node.value), line: at(node) };
    if (isSeq(node)) return { value: node.items.map((item) => (isScalar(item) ? scalar(item.value) : '')).join(' '), line: at(node) };
    return null;
  };
  const list = (node: Node | null): Node[] => (isSeq(node) ? node.items.map(resolved).filter((item) => item !== null) : []);

  const serviceOf = (name: string, keyLine: number, node: Node | null): SaidService => {
    const of = new Map(entries(node).map(({ key, value }) => [key, value]));
    const get = (key: string): Node | null => of.get(key) ?? null;
    const build = get('build');
    const buildOf = new Map(entries(build).map(({ key, value }) => [key, value]));
    const health = new Map(entries(get('healthcheck')).map(({ key, value }) => [key, value]));
    const test = said(health.get('test') ?? null);
    const environment = get('environment');
    const variables = isSeq(environment)
      ? list(environment).flatMap((item): [string, Said][] => {
          const [key, ...rest] = (said(item)?.value ?? '').split('=');
          return rest.length > 0 ? [[key!, { value: rest.join('='), line: at(item) }]] : [];
        })
      : entries(environment).flatMap(({ key, value }): [string, Said][] => {
          const text = said(value);
          return text ? [[key, text]] : [];
        });
    const depends = get('depends_on');
    const dockerfile = said(buildOf.get('dockerfile') ?? null)?.value ?? 'Dockerfile';
    return {
      name,
      line: keyLine,
      image: said(get('image')),
      context: isScalar(build) ? said(build) : said(buildOf.get('context') ?? null),
      dockerfile,
      entrypoint: said(get('entrypoint')),
      command: said(get('command')),
      environment: new Map(variables),
      hasEnvFile: of.has('env_file'),
      ports: list(get('ports')).flatMap((item) => said(item) ?? []),
      mounts: list(get('volumes')).flatMap((item) => {
        const parts = isMap(item) ? new Map(entries(item).map(({ key, value }) => [key, said(value)?.value ?? ''])) : null;
        const words = parts ? [parts.get('source') ?? '', parts.get('target') ?? ''] : (said(item)?.value ?? '').split(':');
        const [source = '', target = ''] = words.length > 1 ? words : ['', words[0]];
        return [{ value: { source, target }, line: at(item) }];
      }),
      dependsOn: isSeq(depends)
        ? list(depends).map((item) => ({
            value: { service: said(item)?.value ?? '', condition: 'service_started', isShort: true },
            line: at(item),
          }))
        : entries(depends).map(({ key, keyLine: dependsLine, value }) => {
            const condition = entries(value).find((each) => each.key === 'condition');
            return {
              value: { service: key, condition: said(condition?.value ?? null)?.value ?? 'service_started', isShort: false },
              line: dependsLine,
            };
          }),
      healthcheck: test
        ? { value: { test: test.value.replace(/^CMD(-SHELL)? /, ''), hasStartPeriod: health.has('start_period') }, line: test.line }
        : null,
      init: said(get('init'))?.value === 'true',
    };
  };

  const top = entries(document.contents);
  const declared = top.find(({ key }) => key === 'services');
  const found = declared ? entries(declared.value) : top.filter(({ value }) => entries(value).some(({ key }) => SERVICE_KEYS.has(key)));
  const services = found.map(({ key, keyLine, value }) => serviceOf(key, keyLine, value));
  if (services.length === 0) return null;
  const made = services.filter(({ image, context }) => image !== null || context !== null);
  return {
    line: declared?.keyLine ?? line,
    text,
    services: new Map(services.map((service) => [service.name, service])),
    // One service alone is an example of something.
    isWhole: declared !== undefined && made.length >= 2 && made.length === services.length,
  };
};

const dockerfileIn = ({ language, text, line }: Code): SaidDockerfile | null => {
  const lines = text.split('\n');
  const first = lines.find((each) => each.trim() !== '' && !/^\s*#/.test(each)) ?? '';
  if (!/^(dockerfile|docker)$/.test(language) && !(language === '' && /^FROM \S+/.test(first))) return null;
  const stages: SaidDockerfile['stages'] = [];
  const comments: Said[] = [];
  for (let i = 0; i < lines.length; i += 1) {
    const start = i;
    if (/^\s*#/.test(lines[i]!)) {
      comments.push({ value: lines[i]!.replace(/^\s*#+\s*/, ''), line: line + i });
      continue;
    }
    let whole = lines[i]!;
    while (/\\\s*$/.test(whole) && i + 1 < lines.length) whole = `${whole.replace(/\\\s*$/, ' ')}${lines[(i += 1)]!}`;
    const [, name, words] = /^\s*([A-Za-z]+)\s+(.*)$/s.exec(whole) ?? [];
    if (name === undefined) continue;
    if (name.toUpperCase() === 'FROM')
      stages.push({ image: words!.split(/\s+/).find((word) => !word.startsWith('--')) ?? '', line: line + start, instructions: [] });
    stages.at(-1)?.instructions.push({ name: name.toUpperCase(), words: words!.trim(), line: line + start });
  }
  const named = /^#\s*(\S*[Dd]ockerfile\S*)\s*$/.exec(lines[0] ?? '')?.[1] ?? null;
  return stages.length > 0 ? { file: named, line, stages, comments } : null;
};

const ASSIGNMENT = /^\s*(?:export\s+)?([A-Za-z_]\w*)=(.*?)\s*$/;

const environmentIn = ({ text, line, language }: Code): SaidEnvironment | null => {
  const lines = text.split('\n');
  const named = /^#\s*(\S*\.env\S*|\S*\benv\.\w+)\s*$/.exec(lines[0] ?? '')?.[1] ?? (/^(dotenv|env)$/.test(language) ? '.env' : null);
  if (named === null) return null;
  const variables = new Map<string, Said>();
  for (const [i, each] of lines.entries()) {
    const [, key, value] = ASSIGNMENT.exec(each) ?? [];
    if (key !== undefined) variables.set(key, { value: value!.replaceAll(/^["']|["']$/g, ''), line: line + i });
  }
  return variables.size > 0 ? { file: named, line, variables } : null;
};

/** The first column of a table of services. */
export const servicesInTables = (document: Document): Said[] =>
  document.tables.flatMap(({ header, rows, line }) =>
    /^(compose )?services?$/i.test(plain(header[0] ?? ''))
      ? rows.map((cells, i) => ({ value: plain(cells[0] ?? '').replaceAll('`', ''), line: line + 2 + i }))
      : [],
  );
