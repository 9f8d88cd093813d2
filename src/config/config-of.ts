/** Plain values that were held to the table → the nouns of the configuration; and what no table can say. */
import { shellWords } from '../model/command-line.ts';
import type { Config, Expectation, OwnCheck, OwnQuestion, Place, ServiceSetting } from '../model/config.ts';
import { ConfigError } from '../model/usage-error.ts';
import { DEFAULT_THRESHOLDS } from '../model/thresholds.ts';
import type { Role } from '../model/stack.ts';
import type { Held } from './hold.ts';
import { whyNotReadOnly } from './redis-command.ts';
import { CHECK_KINDS } from './table.ts';

/** The shape that the table leaves. */
interface Written {
  runbook?: string;
  services?: Record<string, WrittenService>;
  checks?: Record<string, WrittenCheck>;
  ignore?: { finding: string; service?: string; reason: string; owner: string; until: string }[];
  thresholds?: { disk_free?: number; slow_health?: number; blocked_for?: number; clock_apart?: number };
  plugins?: string[];
}

interface WrittenService {
  role?: Role;
  health_path?: string;
  url?: string;
  credentials?: { service: string; variable: string };
}

type WrittenCheck = {
  service?: string | string[];
  question: string;
  title?: string;
  severity?: 'fail' | 'warn';
  kind?: 'cause' | 'symptom';
  runbook?: string;
  timeout?: number;
} & Record<string, unknown>;

interface Asked {
  path?: string;
  url?: string;
  port?: number;
  status?: number | number[];
  host?: string;
  query?: string;
  command?: string | string[];
  as?: string;
  database?: string | number;
  exit_code?: number;
  exists?: boolean;
  pattern?: string;
  present?: boolean;
  name?: string;
  expect?: string;
  contains?: string;
  matches?: string;
}

interface Where {
  file: string;
  /** A path of the file → an absolute one. */
  path(name: string): string;
}

/** Errors: `ConfigError`. */
export const configOf = (held: Held, where: Where): Config => {
  const written = held.value as Written;
  const fail = (place: Place, what: string): never => {
    throw new ConfigError(`${where.file}:${place.line}:${place.column}: ${what}`);
  };
  const limits = written.thresholds ?? {};
  return {
    file: where.file,
    runbook: written.runbook === undefined ? null : where.path(written.runbook),
    services: Object.fromEntries(
      Object.entries(written.services ?? {}).map(([name, each]) => [name, settingOf(each, held, `services.${name}`)]),
    ),
    checks: Object.entries(written.checks ?? {}).map(([id, each]) =>
      checkOf(id, each, held.placeOf(`checks.${id}`), (key, what) => fail(held.placeOf(`checks.${id}${key && `.${key}`}`), what)),
    ),
    ignore: (written.ignore ?? []).map((each, index) => ({
      ...each,
      service: each.service ?? null,
      file: where.file,
      place: held.placeOf(`ignore.${index}`),
    })),
    thresholds: {
      diskFree: limits.disk_free ?? DEFAULT_THRESHOLDS.diskFree,
      slowHealth: limits.slow_health ?? DEFAULT_THRESHOLDS.slowHealth,
      blockedFor: limits.blocked_for ?? DEFAULT_THRESHOLDS.blockedFor,
      clockApart: limits.clock_apart ?? DEFAULT_THRESHOLDS.clockApart,
    },
    plugins: (written.plugins ?? []).map((name, index) => ({ name, place: held.placeOf(`plugins.${index}`) })),
  };
};

const settingOf = ({ role, health_path, url, credentials }: WrittenService, held: Held, path: string): ServiceSetting => ({
  role: role ?? null,
  healthPath: health_path ?? null,
  url: url ?? null,
  credentials: credentials ?? null,
  place: held.placeOf(path),
  credentialsPlace: credentials ? held.placeOf(`${path}.credentials`) : null,
});

const checkOf = (id: string, written: WrittenCheck, place: Place, fail: (key: string, what: string) => never): OwnCheck => {
  const kind = CHECK_KINDS.find((each) => each in written)!;
  const asked = written[kind] as Asked;
  const services = written.service === undefined ? [] : [written.service].flat();
  const ask = questionOf(kind, asked, (what) => fail(kind, what));
  const isFree = (ask.kind === 'http' && ask.url !== null) || (ask.kind === 'tcp' && ask.host !== null);
  if (services.length === 0 && !isFree)
    fail('', `${id} needs the key service${kind === 'http' ? ', or a url' : kind === 'tcp' ? ', or a host' : ''}`);
  if (ask.kind === 'http' && ask.url !== null && (services.length > 1 || ask.port !== null))
    fail(kind, `${id} has a url: that is one address, so that it takes no port and at most one service`);
  const expect: Expectation = { equals: asked.expect ?? null, contains: asked.contains ?? null, matches: asked.matches ?? null };
  if (ask.kind === 'env' && !ask.exists && anyOf(expect))
    fail(kind, `${id} wants ${ask.name} absent and looks at its value; leave one out`);
  if (ask.kind === 'file' && !ask.exists && anyOf(expect)) fail(kind, `${id} wants ${ask.path} absent and looks into it; leave one out`);
  if ((ask.kind === 'postgres' || ask.kind === 'redis') && expect.equals === null)
    fail(kind, `${id} does not say what to expect: add expect`);
  if (!written.question.trim().endsWith('?')) fail('question', `question "${written.question}" is none: end it with "?"`);
  return {
    id,
    services: [...new Set(services)],
    question: written.question,
    title: written.title ?? null,
    severity: written.severity ?? 'fail',
    kind: written.kind ?? null,
    section: written.runbook ?? null,
    timeoutMs: written.timeout ?? null,
    ask,
    expect,
    place,
  };
};

const anyOf = ({ equals, contains, matches }: Expectation): boolean => (equals ?? contains ?? matches) !== null;

const questionOf = (kind: string, asked: Asked, fail: (what: string) => never): OwnQuestion => {
  switch (kind) {
    case 'http':
      if (asked.url !== undefined && asked.path !== undefined) return fail('http has a path and a url; give one of them');
      if (asked.url === undefined && asked.path === undefined) return fail('http needs the key path or url');
      return {
        kind,
        path: asked.path ?? '/',
        url: asked.url ?? null,
        port: asked.port ?? null,
        status: asked.status === undefined ? [] : [asked.status].flat(),
      };
    case 'tcp':
      return { kind, host: asked.host ?? null, port: asked.port! };
    case 'postgres':
      return { kind, query: asked.query!, as: asked.as ?? null, database: (asked.database as string | undefined) ?? null };
    case 'redis': {
      const command = wordsOf(asked.command!);
      const why = whyNotReadOnly(command);
      return why === null ? { kind, command, as: asked.as ?? null, database: (asked.database as number | undefined) ?? 0 } : fail(why);
    }
    case 'exec': {
      const command = typeof asked.command === 'string' ? ['sh', '-c', asked.command] : asked.command!;
      if (command.length === 0) return fail('exec has no command');
      return { kind, command, exitCode: asked.exit_code ?? 0 };
    }
    case 'file':
      return { kind, path: asked.path!, exists: asked.exists ?? true };
    case 'log':
      return { kind, pattern: asked.pattern!, present: asked.present ?? false };
    default:
      return { kind: 'env', name: asked.name!, exists: asked.exists ?? true };
  }
};

const wordsOf = (command: string | string[]): string[] => (typeof command === 'string' ? shellWords(command) : command);
