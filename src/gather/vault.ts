/** Keeps the secrets of a run, and hands out marks for them (see `model/secrets.ts`). Only gatherers hold it; nothing in it is ever printed. */
import { createHmac, randomBytes } from 'node:crypto';
import { isSecretName } from '../model/secrets.ts';

export interface Vault {
  /** The mark of a secret. `''` stays `''`: an empty password is no secret, and a finding. */
  mark(secret: string): string;
  /** Turns every mark in a text back. For building a client's configuration, nothing else. */
  reveal(text: string): string;
  /** An environment value as a fact: a mark when the name says secret, else with the userinfo of URLs masked. */
  maskEnv(name: string, value: string): string;
  /** A command line: values of flags such as `--requirepass` become marks. */
  maskArguments(words: readonly string[]): string[];
  /** Any text from outside (logs, errors, bodies): known secrets and URL credentials become marks. */
  maskText(text: string): string;
  /** Words that are no secret even where a password equals them: user, database and service names. */
  allowWords(words: Iterable<string>): void;
}

/** What people set as a password and read as a word: it gives nothing away by standing in a sentence. */
const EVERYDAY =
  'admin administrator app application changeme client container database default demo dev develop development docker example false guest ' +
  'host local localhost mariadb mongo mongodb mysql network nginx none null password postgres postgresql prod production public rabbitmq ' +
  'redis root secret server service staging system test tester testing token true undefined user username worker';

const MARK = /‹secret:[0-9a-f]{8}›/;
const QUERY_SECRET = /([?&;](?:password|passwd|pwd|pass|token|secret|api_?key|access_token|auth)=)([^&\s"'#;]+)/gi;
/**
 * libpq and ADO style, and configuration in a log: `password=… host=…`, `"password": "…"`, `PASSWORD '…'` of SQL. Not MySQL's
 * `(using password: YES)`, which tells whether there was one.
 */
const NAMED_SECRET =
  /((?<!\(using )\b(?:password|passwd|pwd)(?:["']?\s{0,4}[=:]\s{0,4}|\s{1,4}(?=')))('[^'\n]{0,500}'|"[^"\n]{0,500}"|[^\s;,&"']+)/gi;
const AUTHORIZATION = /(\bauthorization["']?\s{0,4}[:=]\s{0,4}["']?(?:basic|bearer|token)\s{1,4})([^\s"',]+)/gi;
/** An address without a scheme: `user:password@tcp(host:port)/db` of Go's MySQL driver, where `tcp` may be left out; `user:password@host:port`. */
const BARE_ADDRESS = /^([^:@/\s]*):(.*)@(?=(?:(?:tcp|unix)\d?)?\(|[\w.-]+:\d{1,5}(?:[/?]|$))/s;

/** Secrets of a shell line: assignments by name, and the flags of well-known programs. */
const SHELL_ASSIGNMENT = /(?<![\w$])([A-Za-z_]\w*)=("[^"]*"|'[^']*'|[^\s"';&|]+)/g;
const SHELL_FLAGS = [
  /((?:^|\s)--(?:requirepass|masterauth|pass(?:word)?|passwd|token|secret|api-key)(?:\s{1,4}|=))("[^"]*"|'[^']*'|[^\s"';&|-][^\s"';&|]*)/g,
  /(\b(?:redis|valkey|keydb)-cli\b[^;&|]{0,500}?\s(?:-a|--pass)\s{1,4})("[^"]*"|'[^']*'|[^\s"';&|]+)/g,
  /(\b(?:mysql|mysqladmin|mysqldump|mariadb|mariadb-admin)\b[^;&|]{0,500}?\s-p)("[^"]*"|'[^']*'|[^\s"';&|]+)/g,
  /(\b(?:mongo|mongosh|mongodump)\b[^;&|]{0,500}?\s-p\s{1,4})("[^"]*"|'[^']*'|[^\s"';&|]+)/g,
  /(\bcurl\b[^;&|]{0,500}?\s(?:-u|--user)\s{0,4}["']?[^\s"':]*:)([^\s"';&|]+)/g,
];

const isSecretFlag = (flag: string): boolean =>
  /^-/.test(flag) && (/^--?(requirepass|masterauth)$/.test(flag) || isSecretName(flag.replace(/^-+/, '')));

/** Flags whose next word is a secret for one program alone. */
const FLAGS_OF: [RegExp, RegExp][] = [
  [/(^|\/)(redis|valkey|keydb)-cli$/, /^(-a|--pass)$/],
  [/(^|\/)mongo(sh|dump|restore)?$/, /^-p$/],
];

export const createVault = (): Vault => {
  const key = randomBytes(32);
  const byMark = new Map<string, string>();
  /** What to look for in texts → the mark to put there. */
  const forms = new Map<string, string>();
  const publicWords = new Set(EVERYDAY.split(' '));
  let finders: Finder[] | null = null;

  const mark = (secret: string): string => {
    if (secret === '' || byMark.has(secret)) return secret;
    const made = `‹secret:${createHmac('sha256', key).update(secret).digest('hex').slice(0, 8)}›`;
    byMark.set(made, secret);
    return made;
  };

  /** A mark, with the secret looked for in every text from now on. */
  const keep = (secret: string): string => {
    const made = mark(secret);
    if (made === secret) return made;
    for (const form of formsOf(secret)) if (!forms.has(form)) forms.set(form, made);
    finders = null;
    return made;
  };

  const keepAlso = (form: string, made: string): void => {
    if (!MARK.test(form)) forms.set(form, made);
    finders = null;
  };

  /** Longest first, over everything but the marks that are there already. */
  const maskKnown = (text: string): string => {
    finders ??= findersOf([...forms.keys()].filter((form) => isTelling(form) && !publicWords.has(form.toLowerCase())));
    return finders.reduce<string>((masked, finder) => masked.replaceAll(finder, (found) => forms.get(found) ?? found), text);
  };

  const reveal = (text: string): string => text.replace(/‹secret:[0-9a-f]{8}›/g, (found) => byMark.get(found) ?? found);

  /** What a text alone says to be a secret is masked there; what configuration says is looked for everywhere from then on. */
  type Hold = (secret: string) => string;

  const maskPassword = (password: string, hold: Hold): string => {
    if (password === '' || /^‹secret:[0-9a-f]{8}›(‹raw:[^›]*›)?$/.test(password)) return password;
    const made = hold(safeDecode(reveal(password)));
    if (hold === keep) keepAlso(password, made);
    return made + rawHint(password);
  };

  /** An authority is masked up to the `@` that ends it; how far that is, is a guess where the password is not encoded. */
  const maskUrl = (scheme: string, rest: string, hold: Hold): string => {
    const end = userinfoEnd(scheme, rest);
    if (end < 0) return rest;
    const userinfo = rest.slice(0, end);
    const tail = rest.slice(end).replace(/([?&][\w.-]+=)([^&]*@[^&]*)/g, (_, name: string, value: string) => name + hold(value));
    // The user may be an e-mail address, and has no colon; a password may have many.
    const colon = userinfo.indexOf(':');
    // A web address with one word before the `@` has a token there.
    if (colon < 0) return (isWeb(scheme) ? maskPassword(userinfo, hold) : userinfo) + tail;
    return `${userinfo.slice(0, colon)}:${maskPassword(userinfo.slice(colon + 1), hold)}${tail}`;
  };

  const maskParameters = (text: string, hold: Hold): string => {
    const replace = (_: string, head: string, value: string) => head + (isReference(value) ? value : hold(unquote(safeDecode(value))));
    return [QUERY_SECRET, NAMED_SECRET, AUTHORIZATION].reduce((masked, each) => masked.replace(each, replace), text);
  };

  /** URLs inside a text end at a blank or a quote; a list of them at a comma. */
  const maskUrls = (text: string, hold: Hold): string => {
    // Most lines of a log hold none; the pattern would try every letter of them.
    if (!text.includes('://')) return text;
    return text.replace(/([a-z][a-z0-9+.-]{0,30})?:\/\/([^\s"'<>`]+)/gi, (_, scheme: string | undefined, found: string) => {
      const [first = '', ...others] = found.split(/(?=[,;|][a-z][a-z0-9+.-]{0,30}:\/\/)/i);
      const rest = others.map((each) => {
        const [, head = '', also = '', tail = ''] = /^(.)([^:]*):\/\/(.*)$/s.exec(each) ?? [];
        return `${head}${also}://${maskUrl(also, tail, hold)}`;
      });
      return `${scheme ?? ''}://${maskUrl(scheme ?? '', first, hold)}${rest.join('')}`;
    });
  };

  /** Several URLs in one value. What looks like another one before the first `@` stands in a password. */
  const isList = (rest: string): boolean => {
    const next = rest.search(/[,;|\s][a-z][a-z0-9+.-]{0,20}:\/\//i);
    return next >= 0 && (rest.slice(0, next).includes('@') || !rest.slice(next).includes('@'));
  };

  /** A value that is one URL is a URL to its end, whatever stands in its password. */
  const maskValue = (value: string): string => {
    const whole = /^(\s*(?:[a-z][a-z0-9+.-]*:){0,3}([a-z][a-z0-9+.-]*):\/\/)(.*)$/is.exec(value);
    if (whole && !isList(whole[3]!)) return maskParameters(whole[1]! + maskUrl(whole[2]!, whole[3]!, keep), keep);
    const bare = value.includes('://') ? null : BARE_ADDRESS.exec(value);
    if (bare) return `${bare[1]}:${keep(bare[2]!)}@${value.slice(bare[0].length)}`;
    return maskParameters(maskUrls(value, keep), keep);
  };

  const maskEnv = (name: string, value: string): string => {
    if (value === '' || !isSecretName(name)) return maskValue(value);
    // What frameworks write for "none" (Laravel's `REDIS_PASSWORD=null`) is none.
    if (/^\(?(null|nil|none)\)?$/i.test(value)) return value;
    if (!/dsn$/i.test(name)) return keep(value);
    // A DSN may be an address with a password in it, and is then more than a secret.
    const masked = maskValue(value);
    return masked === value && !value.includes('://') ? keep(value) : masked;
  };

  const maskShellLine = (line: string): string =>
    SHELL_FLAGS.reduce(
      (text, flag) => text.replace(flag, (all, head: string, value: string) => (isReference(value) ? all : head + keep(unquote(value)))),
      line.replace(SHELL_ASSIGNMENT, (all, name: string, value: string) =>
        isSecretName(name) && !isReference(value) ? `${name}=${keep(unquote(value))}` : all,
      ),
    );

  const maskWord = (word: string, index: number, words: readonly string[]): string => {
    const [, flag, value] = /^(-{1,2}[\w.-]+)=(.+)$/s.exec(word) ?? [];
    if (flag && value && isSecretFlag(flag) && !isReference(value)) return `${flag}=${keep(value)}`;
    const before = words[index - 1] ?? '';
    const isValue = isSecretFlag(before) || FLAGS_OF.some(([program, of]) => of.test(before) && words.some((each) => program.test(each)));
    if (isValue && word !== '' && !word.startsWith('-') && !isReference(word)) return keep(word);
    return maskKnown(maskValue(maskShellLine(word)));
  };

  return {
    mark: keep,
    reveal,
    maskEnv,
    maskArguments: (words) => words.map((word, index) => maskWord(word, index, words)),
    maskText: (text) => maskParameters(maskUrls(maskKnown(text), mark), mark),
    allowWords(words) {
      for (const word of words) publicWords.add(word.toLowerCase());
      finders = null;
    },
  };
};

const isWeb = (scheme: string): boolean => /^(https?|wss?|ftp|git|ssh)$/i.test(scheme.replace(/^.*[+:]/, ''));

/**
 * Where the userinfo ends (at its `@`), or -1. By the book an authority ends at the first `/`, `?` or `#`; a password that was never
 * encoded holds them, and then the last `@` is the one. Web addresses hold an `@` in their paths (`/@scope`), so they are taken by the book.
 */
const userinfoEnd = (scheme: string, rest: string): number => {
  const last = rest.lastIndexOf('@');
  if (last < 0) return -1;
  const authority = /^[^/?#]*/.exec(rest)![0];
  const strict = authority.lastIndexOf('@');
  const isHost = /^(\[[0-9a-f:.]*\]|[^:@[\]]*)(:\d{1,5})?$/i;
  if (isWeb(scheme)) {
    if (strict >= 0) return rest.slice(authority.length).split(/[?#]/, 1)[0]!.replaceAll('/@', '').includes('@') ? last : strict;
    return isHost.test(authority) ? -1 : last;
  }
  // `…@mail:25?from=a@b`: an `@` in a well-formed query is not of the authority.
  const query = /^(?:[^/?#]*@)?(?:\[[0-9a-f:.]+\]|[\w.-]+)(?::\d{1,5})?(?:\/[\w.%-]*)?\?[\w.-]+=/i.exec(rest);
  if (query && rest.indexOf('@', query[0].length) >= 0) return strict;
  return last;
};

/** The secret as it may stand in a log: itself, encoded for a URL, quoted for JSON; a key of many lines, line by line. */
const formsOf = (secret: string): string[] => {
  const lines = secret.includes('\n')
    ? secret
        .split('\n')
        .map((line) => line.trim())
        .filter((line) => line.length >= 16)
    : [];
  return [...new Set([secret, safeEncode(secret), JSON.stringify(secret).slice(1, -1), ...lines])];
};

/** Short words and numbers would turn prose into riddles. */
const isTelling = (form: string): boolean => form.length >= 4 && !/^\d{1,4}$/.test(form) && /[^\s./:-]/.test(form);

type Finder = RegExp | string;

/** A pattern may not grow without end: what is long is looked for by itself, the rest a few hundred at a time. */
const LONG = 500;
const AT_ONCE = 200;

const findersOf = (forms: string[]): Finder[] => {
  const sorted = forms.toSorted((a, b) => b.length - a.length);
  const short = sorted.filter((form) => form.length <= LONG).map(pattern);
  const groups = Array.from({ length: Math.ceil(short.length / AT_ONCE) }, (_, index) =>
    short.slice(index * AT_ONCE, (index + 1) * AT_ONCE),
  );
  return [...sorted.filter((form) => form.length > LONG), ...groups.map((group) => new RegExp([MARK.source, ...group].join('|'), 'g'))];
};

/** A word of letters is found as a word only: `hunter` is not in `hunters`. */
const pattern = (form: string): string => {
  const escaped = form.replace(/[.*+?^${}()|[\]\\/-]/g, '\\$&');
  return /^[a-z]{4,7}$/i.test(form) ? `(?<![A-Za-z])${escaped}(?![A-Za-z])` : escaped;
};

const unquote = (value: string): string => value.replace(/^(['"])(.*)\1$/s, '$2');

/** `$PASSWORD`, `${PASSWORD}`, `"$PASSWORD"`: the name of a secret. */
const isReference = (value: string): boolean => /^(["']?)\$(\w+|\{[^}]*\}|\([^)]*\))\1$/.test(value) || value.startsWith('‹');

/** Which delimiters stand unescaped in a URL's password: clients split the URL there, each its own way. */
const rawHint = (password: string): string => {
  const found = new Set(password.match(/[@/#?[\]]|%(?![0-9a-f]{2})/gi));
  return found.size > 0 ? `‹raw:${[...found].join('')}›` : '';
};

const safeDecode = (text: string): string => {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
};

/** A lone surrogate cannot be encoded. */
const safeEncode = (text: string): string => {
  try {
    return encodeURIComponent(text);
  } catch {
    return text;
  }
};
