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

/** Not a port before a path: `http://web:3000/@scope` has no password. */
const URL_PASSWORD = /([a-z][a-z0-9+.-]*:\/\/[^\s:/?#@"']*):(?!\d+\/)([^\s"'<>]*)@/gi;
const QUERY_SECRET = /([?&;](?:password|passwd|pwd|token|secret|api_?key|access_token)=)([^&\s"'#;]+)/gi;
/** libpq and ADO style: `password=… host=…`. */
const KEY_VALUE_SECRET = /(\b(?:password|passwd|pwd)\s*=\s*)('[^']*'|"[^"]*"|[^\s;,&]+)/gi;

const SHELL_FLAG = /((?:--requirepass|--masterauth|--pass(?:word)?|REDISCLI_AUTH=|PGPASSWORD=|MYSQL_PWD=)\s*=?\s*)(?![$‹])([^\s"'‹]+)/g;

const isSecretFlag = (flag: string): boolean => /^-/.test(flag) && (/^--?(requirepass|masterauth)$/.test(flag) || isSecretName(flag.replace(/^-+/, '').replaceAll('-', '_')));

export const createVault = (): Vault => {
  const key = randomBytes(32);
  const byMark = new Map<string, string>();
  const secrets = new Set<string>();
  const publicWords = new Set<string>();

  const mark = (secret: string): string => {
    if (secret === '' || byMark.has(secret)) return secret;
    const made = `‹secret:${createHmac('sha256', key).update(secret).digest('hex').slice(0, 8)}›`;
    byMark.set(made, secret);
    secrets.add(secret);
    return made;
  };

  /** The greedy `@` takes the last one before a space, so that an unescaped `@` in a password is masked with it. */
  const maskUrls = (text: string): string =>
    text
      .replace(URL_PASSWORD, (_, head: string, password: string) => `${head}:${maskPassword(password)}${rawHint(password)}@`)
      .replace(QUERY_SECRET, (_, head: string, value: string) => head + mark(safeDecode(value)))
      .replace(KEY_VALUE_SECRET, (_, head: string, value: string) => head + mark(value.replace(/^(['"])(.*)\1$/, '$2')));

  /** A masked password stays as it is, with its hint. */
  const maskPassword = (password: string): string => (password.startsWith('‹secret:') ? password : mark(safeDecode(password)));

  return {
    mark,
    reveal: (text) => text.replace(/‹secret:[0-9a-f]{8}›/g, (found) => byMark.get(found) ?? found),
    maskEnv: (name, value) => (isSecretName(name) && value !== '' ? mark(value) : maskUrls(value)),
    maskArguments: (words) =>
      words.map((word, index) => {
        const [, flag, value] = /^(-{1,2}[\w-]+)=(.+)$/s.exec(word) ?? [];
        if (flag && value && isSecretFlag(flag)) return `${flag}=${mark(value)}`;
        if (index > 0 && isSecretFlag(words[index - 1]!) && word !== '') return mark(word);
        // A whole shell line in one word: `sh -c "redis-server --requirepass x"`.
        return maskUrls(word).replace(SHELL_FLAG, (_, head: string, secret: string) => head + mark(secret));
      }),
    maskText(text) {
      let masked = maskUrls(text);
      for (const secret of secrets) {
        // Short or everyday words would turn prose into riddles and give nothing away by standing there.
        if (secret.length >= 4 && !publicWords.has(secret) && masked.includes(secret)) masked = masked.replaceAll(secret, mark(secret));
      }
      return masked;
    },
    allowWords(words) {
      for (const word of words) publicWords.add(word);
    },
  };
};

/** Which delimiters stand unescaped in a URL's password: clients split the URL there, each its own way. */
const rawHint = (password: string): string => {
  if (/^(‹secret:[0-9a-f]{8}›)?(‹raw:.*›)?$/.test(password)) return '';
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
