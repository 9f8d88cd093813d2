/** Reads nginx's configuration: which folders it serves, where it listens, whom it proxies to. Pure, tolerant of anything, never throws. */

export interface NginxConfig {
  servers: NginxServer[];
  /** TCP proxies of a `stream` block. */
  streams: NginxUpstream[];
  /** Includes that no given file fits, with where they stand; a pattern may rightly fit none. */
  missing: { path: string; at: Place }[];
  /** The given files that were read, the main one first. */
  reached: string[];
  /** What cannot be right: a block that never ends, a brace too many. */
  problems: { text: string; at: Place }[];
}

export interface Place {
  file: string;
  line: number;
}

export interface NginxServer {
  names: string[];
  listens: { address: string; port: number; tls: boolean }[];
  /** Answers every request by itself: `return` at the level of the server. */
  answersItself: boolean;
  at: Place;
  /** The level of the server itself is the first: a request that no location takes. */
  locations: NginxLocation[];
}

export interface NginxLocation {
  /** `''` is the server's own level. */
  modifier: '' | '=' | '~' | '~*' | '^~' | '@';
  path: string;
  at: Place;
  folder: NginxFolder | null;
  /** Files tried, in order: arguments of `try_files`. */
  tryFiles: string[];
  index: string[];
  upstreams: NginxUpstream[];
  /** `proxy_pass` and its like, as written; `null` where nothing is passed on. */
  passesTo: string | null;
  /** The file that a FastCGI server is to run, as written: `$document_root$fastcgi_script_name`. */
  script: string | null;
  /** `internal`: nginx answers 404 to any request from outside. */
  internal: boolean;
  returns: boolean;
  /** The body may differ from the file: `sub_filter`, SSI, and their like. */
  rewritesBody: boolean;
}

export interface NginxFolder {
  path: string;
  /** An alias replaces the location's prefix, a root stands before the whole path. */
  alias: boolean;
  at: Place;
}

export interface NginxUpstream {
  /** Of a socket file `unix:/run/app.sock`, with port 0. */
  host: string;
  port: number;
  scheme: string;
  at: Place;
  /** Looked up once, at start. A host in a variable, or with `resolve`, is looked up again. */
  literal: boolean;
}

interface Directive {
  name: string;
  args: string[];
  at: Place;
  block: Directive[] | null;
}

type Notes = Pick<NginxConfig, 'missing' | 'reached' | 'problems'>;

const DEEPEST = 20;
const MOST_DIRECTIVES = 50_000;

/** `files`: path in the container → text; includes are looked up there. */
export const parseNginx = (files: Map<string, string>, main: string): NginxConfig => {
  const notes: Notes = { missing: [], reached: [], problems: [] };
  const top = readFile(files, main, main, notes, new Set());
  const http = top.flatMap((each) => (each.name === 'http' && each.block ? each.block : []));
  const groups = new Map(inBlocks(http, 'upstream').map((group) => [group.args[0] ?? '', group.block ?? []]));
  const stream = top.flatMap((each) => (each.name === 'stream' && each.block ? each.block : []));
  const streamGroups = new Map(inBlocks(stream, 'upstream').map((group) => [group.args[0] ?? '', group.block ?? []]));
  return {
    servers: inBlocks(http, 'server').map((server) => readServer(server, http, groups, main)),
    streams: inBlocks(stream, 'server').flatMap((server) => passed(server.block ?? [], [server.block ?? []], streamGroups, 'tcp')),
    ...notes,
  };
};

/** The files that an include names: exact ones, or those that fit its pattern, sorted as nginx reads them. */
export const includedFiles = (paths: Iterable<string>, pattern: string): string[] => {
  const wanted = globPattern(pattern);
  return [...paths].filter((path) => wanted.test(path)).toSorted();
};

const globPattern = (glob: string): RegExp =>
  new RegExp(
    `^${glob
      .replace(/[.+^${}()|\\]/g, '\\$&')
      .replace(/\*+/g, '[^/]*')
      .replaceAll('?', '[^/]')
      .replace(/\[(?!\^\/\])([^\]]*)$/, '\\[$1')}$`,
  );

export const isGlob = (path: string): boolean => /[*?[]/.test(path);

const folderOf = (path: string): string => path.replace(/\/[^/]*$/, '');

/** Relative paths are relative to the folder of the main file. */
const absolute = (path: string, main: string): string => (path.startsWith('/') ? path : `${folderOf(main)}/${path}`).replace(/\/+/g, '/');

const readFile = (files: Map<string, string>, path: string, main: string, notes: Notes, open: Set<string>): Directive[] => {
  const text = files.get(path);
  if (text === undefined || open.has(path) || open.size > DEEPEST) return [];
  if (!notes.reached.includes(path)) notes.reached.push(path);
  const { directives, problems } = readDirectives(text, path);
  notes.problems.push(...problems);
  return withIncludes(directives, files, main, notes, new Set([...open, path]));
};

/** An include stands for what is in the files, at any level. */
const withIncludes = (directives: Directive[], files: Map<string, string>, main: string, notes: Notes, open: Set<string>): Directive[] =>
  directives.flatMap((directive) => {
    const { name, args, at, block } = directive;
    if (block) return [{ ...directive, block: withIncludes(block, files, main, notes, open) }];
    if (name !== 'include' || args[0] === undefined) return [directive];
    const path = absolute(args[0], main);
    const found = isGlob(path) ? safeGlob(files, path) : files.has(path) ? [path] : [];
    if (found.length === 0) notes.missing.push({ path, at });
    return found.flatMap((file) => readFile(files, file, main, notes, open));
  });

const safeGlob = (files: Map<string, string>, pattern: string): string[] => {
  try {
    return includedFiles(files.keys(), pattern);
  } catch {
    return [];
  }
};

/** Words are parted by blanks; quotes and `${…}` hold them together; `;` ends a directive, braces make a block. */
const readDirectives = (text: string, file: string): { directives: Directive[]; problems: NginxConfig['problems'] } => {
  const problems: NginxConfig['problems'] = [];
  const top: Directive[] = [];
  const open: { block: Directive[]; at: Place }[] = [{ block: top, at: { file, line: 1 } }];
  let words: string[] = [];
  let start: Place = { file, line: 1 };
  let count = 0;
  const close = (block: Directive[] | null) => {
    const [name, ...args] = words;
    if (name !== undefined && count++ < MOST_DIRECTIVES) open.at(-1)!.block.push({ name, args, at: start, block });
    words = [];
  };
  for (const { word, line, quoted } of wordsOf(text)) {
    const at = { file, line };
    if (quoted || !['{', '}', ';'].includes(word)) {
      if (words.length === 0) start = at;
      words.push(word);
    } else if (word === ';') {
      close(null);
    } else if (word === '{') {
      const block: Directive[] = [];
      const from = words.length > 0 ? start : at;
      close(block);
      open.push({ block, at: from });
    } else {
      if (words.length > 0) problems.push({ text: `"${words[0]}" does not end with ";"`, at: start });
      close(null);
      if (open.length > 1) open.pop();
      else problems.push({ text: 'a "}" too many', at });
    }
  }
  if (words.length > 0) problems.push({ text: `"${words[0]}" does not end with ";"`, at: start });
  if (open.length > 1) problems.push({ text: 'a block does not end: "}" is missing', at: open.at(-1)!.at });
  return { directives: top, problems };
};

const TOKEN =
  /\n|[^\S\n]+|#[^\n]*|"((?:[^"\\]|\\[^])*)"|'((?:[^'\\]|\\[^])*)'|[{};]|(?:\\[^]|\$\{[^}\s]*\}|[^\s{};"'\\]|(?<=\S)["'])+|[^]/g;

const wordsOf = function* (text: string): Generator<{ word: string; line: number; quoted: boolean }> {
  let line = 1;
  for (const match of text.matchAll(TOKEN)) {
    const [token, double, single] = match;
    const inQuotes = double ?? single;
    if (inQuotes !== undefined) yield { word: inQuotes.replace(/\\([^])/g, '$1'), line, quoted: true };
    else if (token.trim() !== '' && !token.startsWith('#')) yield { word: token, line, quoted: false };
    for (let at = token.indexOf('\n'); at >= 0; at = token.indexOf('\n', at + 1)) line += 1;
  }
};

const inBlocks = (directives: Directive[], name: string): Directive[] =>
  directives.filter((each) => each.name === name && each.block !== null);

const lastOf = (levels: Directive[][], name: string): Directive | undefined => {
  for (const level of levels) {
    const found = level.findLast((each) => each.name === name && each.block === null);
    if (found) return found;
  }
  return undefined;
};

const readServer = (server: Directive, http: Directive[], groups: Map<string, Directive[]>, main: string): NginxServer => {
  const block = server.block ?? [];
  const listens = block.filter((each) => each.name === 'listen').flatMap((each) => readListen(each.args));
  const read = (modifier: NginxLocation['modifier'], path: string, at: Place, levels: Directive[][]) =>
    readLocation({ modifier, path, at }, levels, groups, main);
  const nested = (levels: Directive[][]): NginxLocation[] =>
    inBlocks(levels[0] ?? [], 'location').flatMap((location) => {
      const [modifier, path] = readLocationName(location.args);
      const inner = [location.block ?? [], ...levels];
      return [read(modifier, path, location.at, inner), ...(inner.length < DEEPEST ? nested(inner) : [])];
    });
  return {
    names: block.filter((each) => each.name === 'server_name').flatMap((each) => each.args),
    // Without a word nginx listens on port 80.
    listens: listens.length > 0 || block.some((each) => each.name === 'listen') ? listens : [{ address: '', port: 80, tls: false }],
    answersItself: block.some((each) => each.name === 'return'),
    at: server.at,
    locations: [read('', '', server.at, [block, http]), ...nested([block, http])],
  };
};

/** `80`, `*:80`, `127.0.0.1:8080`, `[::]:80`, `localhost`, each with options; a socket file is none for us. */
const readListen = ([address = '', ...options]: string[]): NginxServer['listens'] => {
  if (address.startsWith('unix:')) return [];
  const [, host = '', port] = /^(?:(.*):)?(\d+)$/.exec(address) ?? [null, address, '80'];
  return [{ address: host.replace(/^\*$/, ''), port: Number(port), tls: options.includes('ssl') }];
};

const readLocationName = (args: string[]): [NginxLocation['modifier'], string] => {
  const [first = '', second] = args;
  if (second !== undefined && ['=', '~', '~*', '^~'].includes(first)) return [first as NginxLocation['modifier'], second];
  if (first.startsWith('@')) return ['@', first];
  // `location =/health` without a blank is the same.
  const glued = /^(=|\^~|~\*|~)(.+)$/.exec(first);
  return glued ? [glued[1] as NginxLocation['modifier'], glued[2]!] : ['', first];
};

const BODY_FILTERS = [
  'sub_filter',
  'add_before_body',
  'add_after_body',
  'image_filter',
  'js_body_filter',
  'body_filter_by_lua_block',
  'body_filter_by_lua_file',
];
const BODY_SWITCHES = ['ssi', 'gunzip', 'addition', 'mp4', 'pagespeed'];

const readLocation = (
  name: Pick<NginxLocation, 'modifier' | 'path' | 'at'>,
  levels: Directive[][],
  groups: Map<string, Directive[]>,
  main: string,
): NginxLocation => {
  const own = levels[0] ?? [];
  const pass = passDirective(own);
  const alias = lastOf([own], 'alias');
  const root = alias ?? lastOf(levels, 'root');
  const folder = root?.args[0] === undefined ? null : { path: tidy(absolute(root.args[0], main)), alias: root === alias, at: root.at };
  return {
    ...name,
    folder,
    tryFiles: lastOf(levels, 'try_files')?.args ?? [],
    index: lastOf(levels, 'index')?.args ?? ['index.html'],
    upstreams: passed(own, levels, groups, 'http'),
    passesTo: pass?.args[0] ?? null,
    script: pass?.name === 'fastcgi_pass' ? scriptIn(levels) : null,
    internal: own.some((each) => each.name === 'internal'),
    returns: own.some((each) => each.name === 'return'),
    rewritesBody:
      BODY_FILTERS.some((each) => lastOf(levels, each) !== undefined) ||
      BODY_SWITCHES.some((each) => lastOf(levels, each)?.args[0] === 'on'),
  };
};

/** A level with any parameter of its own takes none of the level above. */
const scriptIn = (levels: Directive[][]): string | null => {
  const own = levels.find((level) => level.some(({ name }) => name === 'fastcgi_param')) ?? [];
  const param = own.findLast(({ name, args }) => name === 'fastcgi_param' && args[0] === 'SCRIPT_FILENAME');
  return param?.args[1] ?? null;
};

const tidy = (path: string): string => path.replace(/(.)\/+$/, '$1');

const PASS = /^(proxy|fastcgi|uwsgi|scgi|grpc)_pass$/;

const passDirective = (block: Directive[]): Directive | undefined =>
  block.find((each) => PASS.test(each.name)) ??
  inBlocks(block, 'if')
    .flatMap((each) => each.block ?? [])
    .find((each) => PASS.test(each.name));

const DEFAULT_PORTS: Record<string, number> = { http: 80, https: 443, grpc: 80, grpcs: 443 };

/** All servers that a block passes requests to. What cannot be known from the files (a variable that is not `set`) is left out. */
const passed = (own: Directive[], levels: Directive[][], groups: Map<string, Directive[]>, scheme: string): NginxUpstream[] => {
  const pass = passDirective(own);
  const target = pass?.args[0];
  if (!pass || target === undefined) return [];
  const value = withVariables(target, levels);
  const kind = /^(\w+)_pass$/.exec(pass.name)?.[1] ?? '';
  const [, named, rest = ''] = /^(?!unix:)([a-z]+):\/\/(.*)$/i.exec(value) ?? [null, undefined, value];
  const spoken = named?.toLowerCase() ?? (kind === 'proxy' ? scheme : kind);
  if (rest.startsWith('unix:')) return readSocket(rest).map((each) => ({ ...each, scheme: spoken, at: pass.at, literal: true }));
  const end = rest.replace(/[/?].*$/, '');
  if (end === '') return [];
  const group = groups.get(end);
  const isVariable = target.includes('$');
  if (!group) return readEnd(end, DEFAULT_PORTS[spoken]).map((each) => ({ ...each, scheme: spoken, at: pass.at, literal: !isVariable }));
  return group
    .filter((each) => each.name === 'server' && each.args[0] !== undefined && !each.args.includes('down'))
    .flatMap((each) => {
      const ends = each.args[0]!.startsWith('unix:') ? readSocket(each.args[0]!) : readEnd(each.args[0]!, 80);
      return ends.map((server) => ({ ...server, scheme: spoken, at: each.at, literal: !each.args.includes('resolve') }));
    });
};

/** `unix:/run/app.sock`, and after one more colon the path that is asked for. Where a relative one begins, or a variable leads, is not known here. */
const readSocket = (end: string): { host: string; port: number }[] => {
  const path = /^unix:(\/[^:$]*)(?::|$)/.exec(end)?.[1];
  return path === undefined ? [] : [{ host: `unix:${path.replace(/\/+/g, '/')}`, port: 0 }];
};

const readEnd = (end: string, port: number | undefined): { host: string; port: number }[] => {
  const [, host, written] = /^(\[[^\]]*\]|[^:]+)(?::(\d+))?$/.exec(end) ?? [];
  const number = written === undefined ? port : Number(written);
  return host === undefined || host.includes('$') || number === undefined || number < 1 || number > 65_535 ? [] : [{ host, port: number }];
};

/** `set $upstream http://backend:8000;` in the block or around it. */
const withVariables = (text: string, levels: Directive[][]): string =>
  text.replace(/\$(?:\{(\w+)\}|(\w+))/g, (written, braced: string | undefined, bare: string | undefined) => {
    const name = `$${braced ?? bare}`;
    for (const level of levels) {
      const set = level.findLast((each) => each.name === 'set' && each.args[0] === name);
      if (set?.args[1] !== undefined && !set.args[1].includes('$')) return set.args[1];
    }
    // What follows the host does not matter.
    return ['$request_uri', '$uri', '$is_args', '$args'].includes(name) ? '' : written;
  });

/** The location that nginx picks for a path. `null`: not decided here (a pattern that only PCRE understands). */
export const locationFor = (server: NginxServer, path: string): NginxLocation | null => {
  const candidates = server.locations.filter((each) => each.path !== '' && each.modifier !== '@');
  const exact = candidates.find((each) => each.modifier === '=' && each.path === path);
  if (exact) return exact;
  const prefixes = candidates.filter((each) => (each.modifier === '' || each.modifier === '^~') && path.startsWith(each.path));
  const longest = prefixes.toSorted((a, b) => b.path.length - a.path.length)[0];
  if (longest?.modifier === '^~') return longest;
  for (const each of candidates) {
    if (each.modifier !== '~' && each.modifier !== '~*') continue;
    const fits = matches(each, path);
    if (fits === null) return null;
    if (fits) return each;
  }
  return longest ?? server.locations[0] ?? null;
};

const matches = ({ path: pattern, modifier }: NginxLocation, path: string): boolean | null => {
  try {
    return new RegExp(pattern, modifier === '~*' ? 'i' : '').test(path.slice(0, 200));
  } catch {
    return null;
  }
};

/** The file of the container that a path of a URL stands for; `null` when its location serves no files. */
export const fileFor = (location: NginxLocation, path: string): string | null => {
  const { folder } = location;
  if (!folder || location.passesTo !== null || location.returns || folder.path.includes('$')) return null;
  if (!folder.alias) return (folder.path === '/' ? '' : folder.path) + path;
  if (location.modifier === '~' || location.modifier === '~*') return null;
  return `${folder.path}/${path.slice(location.path.length)}`.replace(/\/+/g, '/');
};

/** The script that a FastCGI server is told to run for a path of a URL; `null` where a variable decides that is not known here. */
export const scriptFor = (
  { script, folder }: NginxLocation,
  path: string,
): { file: string; root: string; page: string; isResolved: boolean } | null => {
  if (script === null || folder === null || !path.endsWith('.php')) return null;
  const file = script
    .replace(/\$\{?(document_root|realpath_root)\b\}?/, folder.path)
    .replace(/\$\{?(fastcgi_script_name|uri|document_uri)\b\}?/, path)
    .replace(/\/+/g, '/');
  if (!file.startsWith('/') || /[$]/.test(file)) return null;
  const root = file.endsWith(path) ? file.slice(0, -path.length) : file.replace(/\/[^/]*$/, '');
  return { file, root: root || '/', page: `${folder.path}${path}`.replace(/\/+/g, '/'), isResolved: script.includes('realpath_root') };
};
