/** Whom Caddy asks, from the Caddyfile that a service mounts. Read from the host: nothing is asked of the container. */
import { readFile, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import type { ProjectFact } from '../model/facts.ts';
import type { MountSpec, ServiceSpec } from '../model/stack.ts';

/** Nobody writes a longer one by hand. */
const LONGEST = 256 * 1024;

/** By service. Empty where no service mounts a Caddyfile of this machine. */
export const readCaddyfiles = async (services: readonly ServiceSpec[]): Promise<Pick<ProjectFact, 'proxied'>> => {
  const found = await Promise.all(
    services.flatMap(({ name, mounts }) => mounts.filter(isConfig).map(async (mount) => [name, await upstreamsIn(mount)] as const)),
  );
  const proxied = Object.fromEntries(found.filter(([, upstreams]) => upstreams.length > 0));
  return Object.keys(proxied).length > 0 ? { proxied } : {};
};

const isConfig = ({ type, destination }: MountSpec): boolean =>
  type === 'bind' && /^\/etc\/(caddy(\/Caddyfile)?\/?|Caddyfile)$/.test(destination);

const upstreamsIn = async ({ source, destination }: MountSpec): Promise<CaddyUpstream[]> => {
  const file = basename(destination) === 'Caddyfile' ? source : join(source, 'Caddyfile');
  try {
    const { size } = await stat(file);
    return size > LONGEST ? [] : parseCaddyfile(await readFile(file, 'utf8'), basename(file));
  } catch {
    return [];
  }
};

export interface CaddyUpstream {
  host: string;
  port: number;
  tls: boolean;
  /** `Caddyfile:12`. */
  at: string;
}

/** `reverse_proxy [matcher] host:port …`, and `to host:port …` in its block. Upstreams with placeholders, sockets and ranges are left out. */
export const parseCaddyfile = (text: string, file: string): CaddyUpstream[] => {
  const found: CaddyUpstream[] = [];
  let depth = 0;
  let inside: number | null = null;
  for (const [index, line] of text.split('\n').entries()) {
    const words = wordsOf(line);
    const [directive, ...rest] = words;
    const isProxy = directive === 'reverse_proxy';
    const given = isProxy ? rest : inside !== null && directive === 'to' ? rest : [];
    // A matcher: `@name`, `/path`, `*`.
    const upstreams = given.filter((word, at) => word !== '{' && !(isProxy && at === 0 && /^[@/*]/.test(word)));
    found.push(...upstreams.flatMap((word) => upstreamOf(word, `${file}:${index + 1}`)));
    if (isProxy && words.at(-1) === '{') inside = depth;
    depth += words.filter((word) => word === '{').length - words.filter((word) => word === '}').length;
    if (inside !== null && depth <= inside) inside = null;
  }
  return found;
};

const wordsOf = (line: string): string[] => {
  const words = [...line.matchAll(/"(?:[^"\\]|\\.)*"|`[^`]*`|\S+/g)].map(([word]) => word.replace(/^(["`])(.*)\1$/, '$2'));
  const comment = words.findIndex((word) => word.startsWith('#'));
  return comment < 0 ? words : words.slice(0, comment);
};

const upstreamOf = (word: string, at: string): CaddyUpstream[] => {
  const [, scheme = '', host = '', port] = /^(?:(https?|h2c):\/\/)?([\w.-]+)(?::(\d{1,5}))?$/.exec(word) ?? [];
  const tls = scheme === 'https';
  const number = Number(port ?? (tls ? 443 : 80));
  return host !== '' && number > 0 && number <= 65_535 ? [{ host, port: number, tls, at }] : [];
};
