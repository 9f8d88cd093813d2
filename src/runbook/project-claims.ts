/** What a document says of the project, held against the project's own files. */
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import type { ServiceSpec } from '../model/stack.ts';
import {
  environmentAgainst,
  grouped,
  hostsOf,
  isPlainName,
  servicesSpokenOf,
  wrongLogins,
  type DatabaseSetup,
  type Remark,
} from './contradictions.ts';
import { operandsOf } from './docker-words.ts';
import type { Document, Said, SaidCommand } from './document.ts';
import type { Runbook } from './runbook.ts';

export interface Project {
  /** Its folder. */
  folder: string;
  name: string;
  /** `null`: there are no compose files, or they do not load. */
  services: ServiceSpec[] | null;
  /** Relative to the folder. */
  composeFiles: string[];
}

interface Place {
  /** Of the compose files, all in one. */
  composeText: string;
  composeFile: string;
  services: ServiceSpec[];
  name: string;
  /** From the project's folder, the document's, or that of a compose file. */
  exists(path: string): boolean;
  read(name: string): string | null;
}

type Claim = (document: Document, place: Place) => Remark[];

const problem = (line: number, text: string): Remark => ({ line, text, grade: 'problem' });

const namesOf = (services: readonly ServiceSpec[]): string => services.map(({ name }) => name).join(', ');

const services: Claim = (document, { services: declared, composeFile }) =>
  grouped(
    servicesSpokenOf(document).filter(({ value }) => !declared.some(({ name }) => name === value)),
    (name) => name,
  ).map(({ value, line, also }) => problem(line, `${composeFile} has no service "${value}"; it has ${namesOf(declared)}${also}`));

/** A compose file that is shown and shares most of its services with the real one is meant to be it. */
const shownServices: Claim = ({ compose }, { services: declared, composeFile }) => {
  if (compose === null) return [];
  const shown = [...compose.services.values()];
  const strangers = shown.filter(({ name }) => !declared.some((service) => service.name === name));
  return shown.length - strangers.length < 2 || strangers.length * 2 > shown.length
    ? []
    : strangers.map(({ name, line }) =>
        problem(line, `shows a service "${name}" that ${composeFile} does not have; it has ${namesOf(declared)}`),
      );
};

/** Where the document shows a compose file, its addresses are held against that. */
const hosts: Claim = (document, { services: declared, composeFile }) => {
  if (document.compose !== null) return [];
  const known = new Set([
    ...declared.flatMap(({ name, containerName }) => [name, containerName]),
    ...document.services.map(({ name }) => name),
  ]);
  return grouped(
    hostsOf(document).filter(({ value }) => !known.has(value)),
    (host) => host,
  ).map(({ value, line, also }) =>
    problem(line, `no service has the name "${value}" of this address; ${composeFile} has ${namesOf(declared)}${also}`),
  );
};

const logins: Claim = (document, { services: declared, composeFile }) => {
  const setups = declared
    .filter(
      ({ image, mounts }) =>
        /(^|\/)(postgres|postgis|pgvector)[:@]/.test(image ?? '') &&
        !mounts.some(({ destination }) => destination.startsWith('/docker-entrypoint-initdb.d')),
    )
    .map(({ name, environment }): DatabaseSetup => ({
      service: name,
      user: environment['POSTGRES_USER'] || 'postgres',
      database: environment['POSTGRES_DB'] ?? null,
      where: ` in ${composeFile}`,
    }));
  // What the document shows of the server itself is told where it shows it.
  const shown = new Set(document.compose?.services.keys() ?? []);
  return wrongLogins(
    document,
    setups.filter(({ service }) => !shown.has(service)),
  );
};

const CONTAINER_COMMANDS = new Set([
  'logs',
  'exec',
  'restart',
  'stop',
  'start',
  'kill',
  'rm',
  'inspect',
  'attach',
  'top',
  'stats',
  'port',
  'cp',
  'pause',
  'unpause',
]);
const STANDS_FOR_A_NAME = /^(my|your|some)|^(container|name|id|service|app)([-_]?(name|id))?$|^[A-Z_]+$|^[0-9a-f]{12,}$/;

const containers: Claim = (document, { services: declared, name, composeFile }) => {
  const known = (word: string): boolean =>
    declared.some((service) => service.containerName === word || new RegExp(`^${escaped(name)}-${escaped(service.name)}-\\d+$`).test(word));
  const spoken = document.commands.flatMap(({ words, line }): Said[] => {
    const at = words[1] === 'container' ? 2 : 1;
    if (words[0] !== 'docker' || !CONTAINER_COMMANDS.has(words[at] ?? '')) return [];
    const rest = words.slice(at + 1);
    const word =
      words[at] === 'cp' ? (rest.find((each) => /^[\w.-]+:/.test(each))?.split(':')[0] ?? '') : (operandsOf(words[at]!, rest)[0] ?? '');
    return isPlainName(word) && !STANDS_FOR_A_NAME.test(word) && words[at + 1] !== '--type' ? [{ value: word, line }] : [];
  });
  return grouped(
    spoken.filter(({ value }) => !known(value)),
    (word) => word,
  ).map(({ value, line, also }) => {
    const service = declared.find((each) => each.name === value || value.split(/[-_]/).includes(each.name));
    const meant = service ? `; the container of ${service.name} is ${service.containerName ?? `${name}-${service.name}-1`}` : '';
    return problem(line, `${composeFile} makes no container "${value}"${meant}${also}`);
  });
};

const escaped = (text: string): string => text.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&');

/** Only what is asked from the host, by a command: prose may speak of anything. */
const ports: Claim = (document, { services: declared, composeFile }) => {
  if (declared.some(({ networkMode }) => networkMode === 'host')) return [];
  const published = new Set(declared.flatMap((service) => service.ports.map(({ hostPort }) => hostPort)));
  const asked = document.commands.flatMap(({ words, line }) =>
    /^(curl|wget|open|xdg-open|http|nc|psql|redis-cli|pg_isready)$/.test(words[0] ?? '')
      ? words.slice(1).flatMap((word) =>
          [...word.matchAll(/^(?:\w+:\/\/)?(?:[^@\s/]*@)?(?:localhost|127\.0\.0\.1):(\d{2,5})\b/g)].map((found) => ({
            value: Number(found[1]),
            line,
          })),
        )
      : [],
  );
  return grouped(
    asked.filter(({ value }) => !published.has(value) && !published.has(0)),
    String,
  ).map(({ value, line, also }) =>
    problem(
      line,
      `no service publishes port ${value}; ${composeFile} publishes ${[...published].toSorted((a, b) => a - b).join(', ') || 'none'}${also}`,
    ),
  );
};

const READERS = new Set([
  'cat',
  'ls',
  'less',
  'tail',
  'head',
  'source',
  '.',
  'sh',
  'bash',
  'cd',
  'chmod',
  'stat',
  'wc',
  'grep',
  'diff',
  'file',
]);
/** Made by working with it, or kept out of the repository. */
const COMES_AND_GOES =
  /(^|\/)(node_modules|dist|build|out|target|\.venv|venv|tmp|logs?|data|backups?|dumps?|coverage|\.cache|secrets?)(\/|$)|\.(log|sql|dump|gz|tar|tgz|zip|pem|crt|key|bak)$|(^|\/)\.env|(^|\/)\.[\w-]+\.json$/;
const NO_PATH = /[*?[\]{}<>$~|&;`'"\s=:@,\\()]|^-|^\/|^\.{1,3}$|^…$/;

const files: Claim = (document, { exists, composeFile }) => {
  const made = new Set(
    document.commands.flatMap(({ words, writes }) => [
      ...writes,
      ...(/^(mkdir|touch|cp|mv|git)$/.test(words[0] ?? '') ? words.slice(1) : []),
    ]),
  );
  const moved = new Set(document.commands.filter(({ words }) => words[0] === 'cd' || words[0] === 'pushd').map(({ step }) => step));
  const named = document.commands.flatMap((command): Said[] =>
    [...pathsOf(command.words, moved.has(command.step))].map((value) => ({ value, line: command.line })),
  );
  return grouped(
    named.filter(({ value }) => !made.has(value) && !COMES_AND_GOES.test(value) && !exists(value)),
    (path) => path,
  ).map(({ value, line, also }) => problem(line, `there is no ${value} beside ${composeFile}${also}`));
};

/** The files that a command wants to be there. Below another folder, only where that folder is. */
const pathsOf = (words: readonly string[], isElsewhere: boolean): string[] => {
  const [program = '', ...rest] = words;
  const isPath = (word: string): boolean => !NO_PATH.test(word) && (word.includes('/') || /\.[a-z]{1,5}$/i.test(word));
  if (program === 'docker' || program === 'docker-compose')
    return isElsewhere
      ? []
      : rest.filter((word, i) => (rest[i - 1] === '-f' || rest[i - 1] === '--file') && /\.ya?ml$/.test(word) && isPath(word));
  if (isElsewhere) return program === 'cd' && rest[0] !== undefined && isPath(rest[0]) ? [rest[0]] : [];
  if (/^\.\/[\w./-]+$/.test(program)) return [program];
  if (!READERS.has(program)) return [];
  const operands = rest.filter((word) => !word.startsWith('-'));
  return (program === 'grep' || program === 'chmod' ? operands.slice(1) : operands).filter(isPath);
};

/** Recipes of `just` and `make`, scripts of `npm`. */
const recipes: Claim = (document, { read, exists }) => {
  const moved = new Set(document.commands.filter(({ words }) => words[0] === 'cd').map(({ step }) => step));
  const runs = document.commands.filter(({ step }) => !moved.has(step)).flatMap((command) => recipeOf(command));
  return grouped(runs, ({ tool, recipe }) => `${tool} ${recipe}`).flatMap(({ value: { tool, recipe }, line, also }) => {
    const kind =
      tool === 'just'
        ? ['justfile', 'Justfile', '.justfile']
        : tool === 'make'
          ? ['Makefile', 'makefile', 'GNUmakefile']
          : ['package.json'];
    const file = kind.find((name) => exists(name));
    if (file === undefined) return [problem(line, `"${tool} ${recipe}" needs a ${kind[0]!}, and there is none${also}`)];
    const text = read(file) ?? '';
    const isThere =
      tool === 'npm run'
        ? text.includes(`"${recipe}"`)
        : new RegExp(`^@?${escaped(recipe)}\\b[^=\\n]*:|^(include|import|mod)\\b|^[^#\\n]*%`, 'm').test(text) ||
          new RegExp(`^alias ${escaped(recipe)}\\b`, 'm').test(text);
    return isThere ? [] : [problem(line, `${file} has no "${recipe}"${also}`)];
  });
};

const recipeOf = ({ words, line }: SaidCommand): Said<{ tool: 'just' | 'make' | 'npm run'; recipe: string }>[] => {
  const [tool, first, second] = words;
  if ((tool === 'just' || tool === 'make') && first !== undefined && /^[a-z][\w-]*$/.test(first))
    return [{ value: { tool, recipe: first }, line }];
  return tool === 'npm' && first === 'run' && second !== undefined && /^[a-z][\w:-]*$/.test(second)
    ? [{ value: { tool: 'npm run', recipe: second }, line }]
    : [];
};

const environment: Claim = (document, { services: declared, composeText, composeFile }) =>
  document.compose === null && declared.length > 0
    ? environmentAgainst(document, composeText, /^\s*env_file:/m.test(composeText), (line) =>
        line > 0 ? `${composeFile}:${line}` : composeFile,
      )
    : [];

const shownFolders: Claim = ({ compose }, { exists }) =>
  [...(compose?.services.values() ?? [])].flatMap(({ name, context, mounts }) => {
    const sources = [...(context ? [context] : []), ...mounts.map(({ value, line }) => ({ value: value.source, line }))];
    return grouped(
      sources.filter(({ value }) => /^\.\/?\w/.test(value) && !NO_PATH.test(value) && !COMES_AND_GOES.test(value) && !exists(value)),
      (path) => path,
    ).map(({ value, line, also }) =>
      problem(line, `${name} is made from ${value}, which is not there: Docker would put an empty folder in its place${also}`),
    );
  });

const LINK = /(?<!!)\[[^\]]*\]\(\s*<?([^)\s>]+)>?(?:\s+"[^"]*")?\s*\)/g;

/** Links need no project. */
export const deadLinks = (document: Document, runbook: Runbook): Remark[] => {
  const folder = runbook.path === undefined ? null : dirname(resolve(runbook.path));
  const headings = new Set(runbook.sections.map(({ heading }) => bare(heading)));
  const text = document.sentences.map(({ value, line }) => ({ value: value.replaceAll(/`[^`]*`/g, ''), line }));
  const links = text.flatMap(({ value, line }) => [...value.matchAll(LINK)].map((found) => ({ value: found[1]!, line })));
  const dead = links.filter(({ value }) => {
    if (/^([a-z][\w+.-]*:|\/\/|\/)/i.test(value)) return false;
    const [path = '', anchor] = value.split('#');
    if (path === '')
      return anchor !== undefined && anchor !== '' && !headings.has(bare(anchor.replace(/-\d+$/, ''))) && !headings.has(bare(anchor));
    return folder !== null && !existsSync(join(folder, decoded(path.replace(/\?.*$/, ''))));
  });
  return grouped(dead, (link) => link).map(({ value, line, also }) => problem(line, `the link ${value} leads nowhere${also}`));
};

const bare = (text: string): string =>
  decoded(text)
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N}]+/gu, '');

const decoded = (text: string): string => {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
};

const CLAIMS: readonly Claim[] = [services, shownServices, hosts, logins, containers, ports, files, recipes, environment, shownFolders];

/** In the order of the lines. Without services of the project only what needs none. */
export const againstProject = (document: Document, runbook: Runbook, project: Project): Remark[] => {
  const links = deadLinks(document, runbook);
  if (project.services === null) return links;
  const read = (path: string): string | null => {
    try {
      return readFileSync(path, 'utf8').slice(0, 1_000_000);
    } catch {
      return null;
    }
  };
  const own = runbook.path === undefined ? project.folder : dirname(resolve(runbook.path));
  const folders = [project.folder, own, ...project.composeFiles.map((file) => dirname(resolve(project.folder, file)))];
  const top = folders.map((folder) => above(folder)).find((folder) => folder !== null);
  const at = (path: string): string | undefined =>
    [...folders, ...(top ? [top] : [])].map((folder) => resolve(folder, path)).find((each) => existsSync(each));
  const place: Place = {
    composeText: project.composeFiles.map((file) => read(resolve(project.folder, file)) ?? '').join('\n'),
    composeFile: project.composeFiles[0] ?? 'the project',
    services: project.services,
    name: project.name,
    exists: (path) => at(path) !== undefined,
    read: (name) => read(at(name) ?? ''),
  };
  return [...links, ...CLAIMS.flatMap((claim) => claim(document, place))].toSorted((a, b) => a.line - b.line);
};

/** The top of the repository: people write paths from there too. */
const above = (folder: string): string | null => {
  for (let at = folder, i = 0; i < 8; i += 1, at = dirname(at)) if (existsSync(join(at, '.git'))) return at;
  return null;
};
