/** HAProxy's configuration: where it listens, whom it asks, and which request goes to whom. */

export interface HaproxyServer {
  name: string;
  host: string;
  port: number;
  tls: boolean;
  /** `http`, `tcp`, `fcgi`: what it is spoken to in. */
  scheme: string;
  /** HAProxy asks it by itself whether it is well. */
  checked: boolean;
  backup: boolean;
  disabled: boolean;
  /** Its name is looked up again while HAProxy runs (`resolvers`); otherwise once, at the start. */
  resolvedLater: boolean;
  /** It takes a line of its own before the first request: nobody else can ask it. */
  wantsProxyLine: boolean;
  at: Place;
}

/** The request by which HAProxy asks whether a server is well. */
export interface HaproxyHealthCheck {
  method: string;
  path: string;
  version: string;
  host: string | null;
  /** `http-check expect …`; `null`: any 2xx or 3xx will do. */
  expects: string | null;
  at: Place;
}

export interface HaproxyBackend {
  name: string;
  mode: 'http' | 'tcp';
  servers: HaproxyServer[];
  healthCheck: HaproxyHealthCheck | null;
  /** Files that HAProxy answers with instead of its own pages, by status. */
  errorFiles: Record<string, string>;
  /** It answers these statuses by a rule of its own, whoever is behind it. */
  answers: number[];
}

/** What a condition is about, and what it wants. `null`: something that cannot be told from here. */
type Acl = { of: 'host' | 'path'; how: 'is' | 'begins' | 'ends' | 'within'; values: string[] } | null;

interface Route {
  backend: string;
  /** Any of these, of which each wants all. `null`: no condition. */
  when: { acl: Acl; not: boolean }[][] | null;
}

export interface HaproxyEntry {
  name: string;
  mode: 'http' | 'tcp';
  /** What it can be asked on: no sockets, nothing behind a proxy line. */
  binds: { address: string; port: number; tls: boolean }[];
  routes: Route[];
  fallback: string | null;
  answers: number[];
}

export interface HaproxyConfig {
  entries: HaproxyEntry[];
  backends: HaproxyBackend[];
}

export interface Place {
  file: string;
  line: number;
}

/** What a section has, and hands down where it is a `defaults`. */
interface Section {
  kind: string;
  name: string;
  mode: 'http' | 'tcp';
  binds: HaproxyEntry['binds'];
  acls: Map<string, Acl[]>;
  routes: { backend: string; condition: string[] }[];
  fallback: string | null;
  answers: number[];
  servers: HaproxyServer[];
  defaultServer: string[];
  healthCheck: HaproxyHealthCheck | null;
  errorFiles: Record<string, string>;
  fcgi: boolean;
  /** `disabled` as a line of its own. */
  isOff: boolean;
}

const blank = (kind: string, name: string): Section => ({
  kind,
  name,
  mode: 'tcp',
  binds: [],
  acls: new Map(),
  routes: [],
  fallback: null,
  answers: [],
  servers: [],
  defaultServer: [],
  healthCheck: null,
  errorFiles: {},
  fcgi: false,
  isOff: false,
});

const SECTIONS =
  /^(global|defaults|frontend|backend|listen|resolvers|userlist|peers|program|ring|log-forward|mailers|cache|http-errors|fcgi-app|crt-store|traces|log-profile|acme)$/;

/** Files in the order that HAProxy reads them. `env`: variables of its container. */
export const parseHaproxy = (files: ReadonlyMap<string, string>, env: Readonly<Record<string, string>> = {}): HaproxyConfig => {
  const sections: Section[] = [];
  let defaults = blank('defaults', '');
  const named = new Map<string, Section>();
  let current: Section | null = null;
  for (const [file, text] of files) {
    for (const [index, line] of text.split(/\r?\n/).entries()) {
      const [word = '', ...rest] = wordsOf(line, env);
      if (SECTIONS.test(word)) {
        current = begin(word, rest, defaults, named);
        if (word === 'defaults') {
          defaults = current;
          named.set(rest[0] ?? '', current);
        } else sections.push(current);
      } else if (current) keyword(current, word, rest, { file, line: index + 1 });
    }
  }
  return {
    entries: sections.filter(({ kind }) => kind === 'frontend' || kind === 'listen').map(entryOf),
    backends: sections.filter(({ kind }) => kind === 'backend' || kind === 'listen').map(backendOf),
  };
};

const begin = (kind: string, words: string[], defaults: Section, named: ReadonlyMap<string, Section>): Section => {
  const name = words[0] ?? '';
  const own = blank(kind, name);
  if (!/^(defaults|frontend|backend|listen)$/.test(kind)) return own;
  const from = words[1] === 'from' ? named.get(words[2] ?? '') : kind === 'defaults' ? undefined : defaults;
  if (!from) return own;
  const { mode, fallback, healthCheck, errorFiles, defaultServer, answers } = from;
  return { ...own, mode, fallback, healthCheck, errorFiles: { ...errorFiles }, defaultServer: [...defaultServer], answers: [...answers] };
};

/** Quotes hold together; a `#` begins a comment; a variable is what the container was given. */
const wordsOf = (line: string, env: Readonly<Record<string, string>>): string[] => {
  const words: string[] = [];
  for (const [whole] of line.matchAll(/(?:\\.|"(?:\\.|[^"\\])*"|'[^']*'|[^\s#"'\\])+|#.*/g)) {
    if (whole.startsWith('#')) break;
    words.push(
      whole.replace(
        /\\(.)|"((?:\\.|[^"\\])*)"|'([^']*)'|([^\\"']+)/g,
        (_, escaped?: string, double?: string, single?: string, bare?: string) =>
          escaped ?? single ?? expanded(double?.replace(/\\(.)/g, '$1') ?? bare ?? '', env),
      ),
    );
  }
  return words;
};

const expanded = (text: string, env: Readonly<Record<string, string>>): string =>
  text.replace(
    /\$\{([A-Za-z_]\w*)(?:-([^}]*))?\}|\$([A-Za-z_]\w*)/g,
    (whole, braced?: string, instead?: string, plain?: string) => env[braced ?? plain ?? ''] ?? instead ?? whole,
  );

const keyword = (section: Section, word: string, rest: string[], at: Place): void => {
  switch (word) {
    case 'mode':
      section.mode = rest[0] === 'http' ? 'http' : 'tcp';
      return;
    case 'bind':
      section.binds.push(...bindsOf(rest));
      return;
    case 'acl':
      section.acls.set(rest[0] ?? '', [...(section.acls.get(rest[0] ?? '') ?? []), aclOf(rest.slice(1))]);
      return;
    case 'use_backend':
      section.routes.push({ backend: rest[0] ?? '', condition: rest.slice(1) });
      return;
    case 'default_backend':
      section.fallback = rest[0] ?? null;
      return;
    case 'default-server':
      section.defaultServer.push(...rest);
      return;
    case 'server':
      section.servers.push(...serverOf(rest[0] ?? '', rest[1] ?? '', rest.slice(2), section, at));
      return;
    case 'server-template':
      section.servers.push(...serverOf(`${rest[0] ?? ''}1`, rest[2] ?? '', rest.slice(3), section, at));
      return;
    case 'use-fcgi-app':
      section.fcgi = true;
      return;
    case 'disabled':
      section.isOff = true;
      return;
    case 'errorfile':
      if (rest[1]) section.errorFiles[rest[0]!] = rest[1];
      return;
    case 'option':
      if (rest[0] === 'httpchk') section.healthCheck = checkOf(rest.slice(1), at);
      return;
    case 'http-check':
      if (rest[0] === 'send') section.healthCheck = sentBy(rest.slice(1), section.healthCheck, at);
      if (rest[0] === 'expect' && section.healthCheck) section.healthCheck = { ...section.healthCheck, expects: rest.slice(1).join(' ') };
      return;
    case 'http-request':
    case 'http-response':
    case 'monitor':
      section.answers.push(...statusOf(word, rest));
      return;
    default:
  }
};

/** `return status 503 …`, `deny deny_status 503 …`, `monitor fail if …`. */
const statusOf = (word: string, rest: readonly string[]): number[] => {
  if (word === 'monitor') return rest[0] === 'fail' ? [503] : [];
  if (!/^(return|deny|reject|tarpit)$/.test(rest[0] ?? '')) return [];
  const at = rest.findIndex((each) => each === 'status' || each === 'deny_status');
  const status = Number(rest[at + 1]);
  return at > 0 && Number.isInteger(status) ? [status] : rest[0] === 'tarpit' ? [500] : [];
};

/** `*:80`, `:443,:8443 ssl crt …`, `[::]:80`, `ipv4@0.0.0.0:80`; no sockets of files. */
const bindsOf = ([addresses = '', ...options]: string[]): HaproxyEntry['binds'] =>
  options.some((each) => each === 'accept-proxy' || each === 'accept-netscaler-cip' || each === 'verify')
    ? []
    : addresses.split(',').flatMap((each) => {
        const [, address = '', port] = /^(?:ipv[46]@)?(.*):(\d{1,5})(?:-\d+)?$/.exec(each) ?? [];
        return port === undefined || /[/@]/.test(address)
          ? []
          : [{ address: address.replace(/^\[(.*)\]$/, '$1').replace(/^\*$/, ''), port: Number(port), tls: options.includes('ssl') }];
      });

const serverOf = (name: string, address: string, own: string[], section: Section, at: Place): HaproxyServer[] => {
  const [, host, port] = /^(?:ipv[46]@)?([\w.-]+|\[[0-9a-f:]+\]):(\d{1,5})$/i.exec(address) ?? [];
  // Without a port it is that of the request; sockets of files, and what a variable would tell, are left out.
  if (host === undefined || Number(port) < 1 || Number(port) > 65_535) return [];
  const options = [...section.defaultServer, ...own];
  /** The later word wins. */
  const has = (word: string) => options.lastIndexOf(word) > options.lastIndexOf(`no-${word}`);
  return [
    {
      name,
      host: host.replace(/^\[(.*)\]$/, '$1'),
      port: Number(port),
      tls: has('ssl'),
      scheme: section.fcgi ? 'fcgi' : section.mode,
      checked: has('check'),
      backup: has('backup'),
      disabled: options.lastIndexOf('disabled') > options.lastIndexOf('enabled'),
      resolvedLater: options.includes('resolvers'),
      wantsProxyLine: options.some((each) => /^send-proxy/.test(each)),
      at,
    },
  ];
};

/** `option httpchk`, `… /health`, `… GET /health`, `… GET /health HTTP/1.1\r\nHost:\ app`. */
const checkOf = (words: string[], at: Place): HaproxyHealthCheck => {
  const [method, path] = words.length === 1 ? ['OPTIONS', words[0]!] : [words[0] ?? 'OPTIONS', words[1] ?? '/'];
  const rest = words.slice(2).join(' ');
  return {
    method,
    path,
    version: /^HTTP\/[\d.]+/.exec(rest)?.[0] ?? 'HTTP/1.0',
    host: /(?:\\r\\n|[rn\r\n])host:\s*([^\s\\]+)/i.exec(rest)?.[1] ?? null,
    expects: null,
    at,
  };
};

/** `http-check send meth GET uri /health ver HTTP/1.1 hdr Host app`, over what `option httpchk` said. */
const sentBy = (words: string[], before: HaproxyHealthCheck | null, at: Place): HaproxyHealthCheck => {
  const after = (word: string) => (words.includes(word) ? (words[words.indexOf(word) + 1] ?? null) : null);
  const header = words.findIndex((each, index) => each === 'hdr' && words[index + 1]?.toLowerCase() === 'host');
  const known = before ?? checkOf([], at);
  return {
    method: after('meth') ?? known.method,
    path: after('uri') ?? known.path,
    version: after('ver') ?? known.version,
    host: header >= 0 ? (words[header + 2] ?? null) : known.host,
    expects: known.expects,
    at,
  };
};

const HOW: Record<string, 'is' | 'begins' | 'ends' | 'within'> = {
  '': 'is',
  str: 'is',
  beg: 'begins',
  dir: 'within',
  end: 'ends',
  dom: 'within',
};

/** `path_beg -i /api /v1`, `path -m beg /api`, `hdr(host) -i shop.example.com`, `hdr_dom(host) example.com`. */
const aclOf = ([fetch = '', ...words]: string[]): Acl => {
  const [, path, host] = /^path(?:_(beg|end|dir|str))?$|^(?:req\.)?hdr(?:_(beg|end|dom|str))?\(host\)$/i.exec(fetch) ?? [];
  if (!/^path|host/i.test(fetch)) return null;
  const method = words.indexOf('-m');
  const how = HOW[(method >= 0 ? words[method + 1] : (path ?? host ?? '')) ?? ''];
  const values = words.filter((each, index) => !each.startsWith('-') && (method < 0 || index !== method + 1));
  // Patterns, lists in files and whatever else is there are not for us.
  const isPlain = /^(path(_(beg|end|dir|str))?|(req\.)?hdr(_(beg|end|dom|str))?\(host\))$/i.test(fetch) && !words.includes('-f');
  return isPlain && how && values.length > 0 ? { of: fetch.startsWith('path') ? 'path' : 'host', how, values } : null;
};

/** `if a b || !c`, `unless a`, `if { path_beg /api } || x`. */
const conditionOf = (words: string[], acls: ReadonlyMap<string, Acl[]>): Route['when'] => {
  const [kind, ...rest] = words;
  if (kind === undefined) return null;
  const groups: { acl: Acl; not: boolean }[][] = [[]];
  for (let i = 0; i < rest.length; i += 1) {
    const word = rest[i]!;
    if (word === '||' || word.toLowerCase() === 'or') {
      groups.push([]);
      continue;
    }
    const not = word.startsWith('!');
    const name = word.replace(/^!/, '') || rest[(i += 1)]!;
    if (name === '{') {
      const end = rest.indexOf('}', i);
      groups.at(-1)!.push({ acl: aclOf(rest.slice(i + 1, end < 0 ? undefined : end)), not });
      i = end < 0 ? rest.length : end;
    } else groups.at(-1)!.push({ acl: merged(acls.get(name) ?? []), not });
  }
  // Of `unless a b` the opposite is not a list of such lists, but for one condition.
  if (kind === 'if') return groups;
  const [only] = groups.flat();
  return groups.flat().length === 1 ? [[{ acl: only!.acl, not: !only!.not }]] : [[{ acl: null, not: false }]];
};

/** Lines of one name are alternatives; those of one kind become one. */
const merged = (acls: readonly Acl[]): Acl => {
  const [first] = acls;
  if (!first || acls.some((each) => each?.of !== first.of || each.how !== first.how)) return null;
  return { ...first, values: acls.flatMap((each) => each!.values) };
};

const entryOf = ({ name, kind, mode, binds, acls, routes, fallback, answers, isOff }: Section): HaproxyEntry => ({
  name,
  mode,
  binds: isOff ? [] : binds,
  routes: routes.map(({ backend, condition }) => ({ backend, when: conditionOf(condition, acls) })),
  fallback: fallback ?? (kind === 'listen' ? name : null),
  answers,
});

const backendOf = ({ name, mode, servers, healthCheck, errorFiles, answers, isOff }: Section): HaproxyBackend => ({
  name,
  mode,
  servers: isOff ? [] : servers,
  healthCheck,
  errorFiles,
  answers,
});

export interface HaproxyQuestion {
  host: string;
  path: string;
}

const matches = ({ acl, not }: { acl: Acl; not: boolean }, question: HaproxyQuestion): boolean | null => {
  if (acl === null) return null;
  const given = question[acl.of].toLowerCase();
  const found = acl.values.some((each) => {
    const value = each.toLowerCase();
    if (acl.how === 'begins') return given.startsWith(value);
    if (acl.how === 'ends') return given.endsWith(value);
    if (acl.how === 'is') return given === value;
    return given
      .split(acl.of === 'path' ? '/' : '.')
      .join('\0')
      .includes(
        value
          .replace(/^[/.]|[/.]$/g, '')
          .split(/[/.]/)
          .join('\0'),
      );
  });
  return found !== not;
};

/** The name of the backend that gets such a request. `null`: it cannot be told. */
export const routeFor = ({ routes, fallback }: HaproxyEntry, question: HaproxyQuestion): string | null => {
  for (const { backend, when } of routes) {
    if (when === null) return backend;
    const groups = when.map((group) => group.map((each) => matches(each, question)));
    if (groups.some((group) => group.every((each) => each === true))) return backend;
    if (!groups.every((group) => group.includes(false))) return null;
  }
  return fallback;
};

/** A request that surely goes to this backend; `null` where none is known. */
export const questionFor = (entry: HaproxyEntry, backend: string): HaproxyQuestion | null => {
  const wanted = entry.routes.filter((route) => route.backend === backend).flatMap(({ when }) => when ?? []);
  const valuesOf = (of: 'host' | 'path') =>
    wanted.flatMap((group) =>
      group.flatMap(({ acl, not }) => (acl?.of === of && !not ? acl.values.map((each) => sampleOf(acl, each)) : [])),
    );
  const paths = ['/', ...valuesOf('path')].filter((path) => path.startsWith('/'));
  const hosts = ['localhost', ...valuesOf('host')];
  return hosts.flatMap((host) => paths.map((path) => ({ host, path }))).find((each) => routeFor(entry, each) === backend) ?? null;
};

const sampleOf = ({ of, how }: NonNullable<Acl>, value: string): string => {
  if (of === 'host') return how === 'begins' ? `${value.replace(/\.$/, '')}.localhost` : value.replace(/^\./, 'www.');
  return how === 'ends' ? `/x${value.replace(/^\//, '')}` : how === 'within' ? `/${value.replace(/^\/|\/$/g, '')}/` : value;
};
