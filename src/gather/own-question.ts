/** A check without code: one question, asked as the doctor asks its own, by the cheapest way that proves it. */
import type { OwnAnswer, OwnQuestion } from '../model/config.ts';
import type { Trial } from '../model/facts.ts';
import { plain, plainLines, wordOf } from '../model/plain.ts';
import { running, type Container, type Service } from '../model/stack.ts';
import { askHttp } from './ask-http.ts';
import { clientCredentials, ownPostgresCredentials, ownRedisCredentials, type Credentials } from './credentials.ts';
import { dialTcp } from './dial.ts';
import { CannotLook, speaker, TRY_MS, type Gathering } from './gathering.ts';
import { healthcheckUrl, isTlsPort } from './health-path.ts';
import { findPort } from './http.ts';
import { askPostgres } from './postgres-session.ts';
import { askRedis } from './redis-session.ts';
import { runInside } from './run-inside.ts';
import { isBelowProtocol, tryOut } from './trial.ts';
import { byAddress, byPublishedPort, fromClient, fromInside, fromItself, type Vantage } from './vantage.ts';

const TEXT_LENGTH = 64 * 1024;
const FILE_BYTES = 1024 * 1024;

type Of<K extends OwnQuestion['kind']> = Extract<OwnQuestion, { kind: K }>;
type Answer = Omit<OwnAnswer, 'ms' | 'cut'> & { cut?: boolean };

/** Errors: `CannotLook`, `EngineError`. */
export const askOwn = async (ask: OwnQuestion, timeoutMs: number | null, service: Service | null, given: Gathering): Promise<OwnAnswer> => {
  const began = performance.now();
  const answer = await askAs(ask, timeoutMs ?? TRY_MS, service, given);
  const text = answer.text === null ? null : plainLines(given.vault.maskText(answer.text));
  return {
    ...answer,
    failure: answer.failure === null ? null : plain(given.vault.maskText(answer.failure)).slice(0, 2_000),
    text: text?.slice(0, TEXT_LENGTH) ?? null,
    cut: (answer.cut ?? false) || (text?.length ?? 0) > TEXT_LENGTH,
    ms: Math.round(performance.now() - began),
  };
};

const askAs = async (ask: OwnQuestion, ms: number, service: Service | null, given: Gathering): Promise<Answer> => {
  if (service === null) {
    if (ask.kind === 'http') return askUrl(ask, ms, given);
    if (ask.kind === 'tcp') return askTcp(ask, [{ ...here(ask.host!, ask.port), port: ask.port }], ms, given);
    throw new Error(`${ask.kind} needs a service`);
  }
  switch (ask.kind) {
    case 'http':
      return ask.url === null ? askPath(ask, ms, service, given) : askUrl(ask, ms, given);
    case 'tcp':
      return askTcp(ask, portWays(ask, service, given), ms, given);
    case 'postgres':
      return askQuery(ask, ms, service, given);
    case 'redis':
      return askCommand(ask, ms, service, given);
    case 'exec':
      return runCommand(ask, ms, service, given);
    case 'file':
      return readInside(ask, service, given);
    default:
      throw new Error(`${ask.kind} is judged by facts that are there already`);
  }
};

const here = (host: string, port: number): Vantage => ({
  view: { kind: 'published', address: `${host}:${port}` },
  host,
  port,
  dial: dialTcp(host, port),
});

const failureOf = (trial: Trial): string | null => (trial.outcome === 'ok' ? null : trial.text || trial.outcome);

const askUrl = async (ask: Of<'http'>, ms: number, given: Gathering): Promise<Answer> => {
  const url = ask.url!;
  const view = { kind: 'published', address: new URL(url).host } as const;
  const { trial, answer } = await askHttp({ url, view, vault: given.vault, signal: given.signal, timeoutMs: ms });
  return { asked: `GET ${url}`, failure: failureOf(trial), code: answer?.status ?? null, text: answer?.body ?? null, cut: isCut(answer) };
};

const isCut = (answer: { body: string; bytes: number; truncated: boolean } | null): boolean =>
  answer !== null && (answer.truncated || answer.bytes > Buffer.byteLength(answer.body));

const askPath = async (ask: Of<'http'>, ms: number, service: Service, given: Gathering): Promise<Answer> => {
  const container = speaker(service);
  const known = healthcheckUrl(container);
  const port = ask.port ?? known?.port ?? (await findPort(service, container, given));
  const scheme = known?.port === port ? known.scheme : isTlsPort(port) ? 'https' : 'http';
  return firstToConnect(waysTo(container, port, given), async (vantage) => {
    const host = vantage.host.includes(':') ? `[${vantage.host}]` : vantage.host;
    const url = new URL(ask.path, `${scheme}://${host}:${vantage.port}`).href;
    const { trial, answer } = await askHttp({
      url,
      view: vantage.view,
      vault: given.vault,
      signal: given.signal,
      connect: vantage.dial,
      headers: { host: `localhost:${vantage.port}` },
      timeoutMs: ms,
    });
    return {
      trial,
      answer: {
        asked: `GET ${url}`,
        failure: failureOf(trial),
        code: answer?.status ?? null,
        text: answer?.body ?? null,
        cut: isCut(answer),
      },
    };
  });
};

/** Cheapest first; the last one needs a tool in the image. */
const waysTo = (container: Container, port: number, given: Gathering): Vantage[] =>
  [
    byAddress(given.engine, given.stack, container, port),
    byPublishedPort(given.engine, container, port),
    fromItself(given.engine, given.stack, container, port),
  ].filter((each) => each !== null);

/** The next way is taken only where nothing was connected. A tunnel that cannot be had leaves the earlier word standing. */
const firstToConnect = async (ways: Vantage[], ask: (way: Vantage) => Promise<{ trial: Trial; answer: Answer }>): Promise<Answer> => {
  let last: Answer | null = null;
  for (const way of ways) {
    try {
      const { trial, answer } = await ask(way);
      if (trial.outcome === 'no-tool' && last) return last;
      if (!isBelowProtocol(trial)) return answer;
      last = answer;
    } catch (error) {
      if (!(error instanceof CannotLook) || !last) throw error;
    }
  }
  if (!last) throw new CannotLook('it can be reached neither by address nor by a published port nor from inside a container');
  return last;
};

/** To another host from inside the service; to its own port as its clients would come. */
const portWays = ({ host, port }: Of<'tcp'>, service: Service, given: Gathering): Vantage[] => {
  const container = speaker(service);
  return host === null ? waysTo(container, port, given) : [fromInside(given.engine, container, host, port, null)];
};

const askTcp = (ask: Of<'tcp'>, ways: Vantage[], ms: number, given: Gathering): Promise<Answer> =>
  firstToConnect(ways, async (way) => {
    const trial = await tryOut({ ms, signal: given.signal, vault: given.vault }, async (at, limit) => {
      const stream = await way.dial(at, limit);
      at.layer = 'done';
      stream.destroy();
    });
    if (trial.outcome === 'no-tool') throw new CannotLook(trial.text);
    const from = way.view.kind === 'inside' && ask.host !== null ? ` from ${way.view.service}` : '';
    return { trial, answer: { asked: `TCP ${way.host}:${way.port}${from}`, failure: failureOf(trial), code: null, text: null } };
  });

/** With whose words: those of the client that is named, else the server's own, else its first client's. */
const wordsFor = (
  server: Service,
  kind: 'postgres' | 'redis',
  as: string | null,
  own: Credentials | null,
  given: Gathering,
): Credentials => {
  const clients = clientCredentials(given.stack, server.name, kind);
  const chosen = as === null || as === server.name ? (own ?? clients[0]) : clients.find(({ client }) => client === as);
  if (!chosen)
    throw new CannotLook(
      as === null ? `no credentials of ${server.name} are known` : `no credentials are known with which ${as} uses ${server.name}`,
    );
  return chosen;
};

const serverWays = (container: Container, words: Credentials, given: Gathering): Vantage[] => {
  const client = given.stack.services.find(({ name }) => name === words.client && name !== container.service);
  return [
    byAddress(given.engine, given.stack, container, words.port, client && running(client)[0]),
    byPublishedPort(given.engine, container, words.port),
    fromClient(given.engine, client, words.host, words.port, container) ?? fromItself(given.engine, given.stack, container, words.port),
  ].filter((each) => each !== null);
};

type Said = { text: string | null } | { failure: string };

const SILENT = 'no answer came in time';

const answered = (asked: string, said: Said): Answer =>
  'failure' in said ? { asked, failure: said.failure, code: null, text: null } : { asked, failure: null, code: null, text: said.text };

const askQuery = async (ask: Of<'postgres'>, ms: number, service: Service, given: Gathering): Promise<Answer> => {
  const container = speaker(service);
  const words = wordsFor(service, 'postgres', ask.as, ownPostgresCredentials(container), given);
  if (words.user === null) throw new CannotLook(`no user of ${service.name} is known`);
  const user = words.user;
  const database = ask.database ?? words.database ?? user;
  const asked = `postgres ${database} as ${user}: ${plain(ask.query).slice(0, 200)}`;
  return firstToConnect(serverWays(container, words, given), async (vantage) => {
    let said: Said = { failure: SILENT };
    const login = {
      user,
      password: words.password === null ? null : given.vault.reveal(words.password),
      database,
      tls: words.tls,
      wantSessions: () => false,
      inquire: async (query: (sql: string, values: unknown[]) => Promise<Record<string, unknown>[]>) => {
        try {
          await query('begin transaction read only', []);
          await query(`set local statement_timeout = ${ms}`, []);
          const [row] = await query(ask.query, []);
          said = { text: row ? sqlText(Object.values(row)[0]) : null };
          await query('rollback', []);
        } catch (error) {
          said = { failure: (error as Error).message };
        }
      },
    };
    const { trial } = await askPostgres(vantage, login, { ms, signal: given.signal, vault: given.vault });
    const stopped = failureOf(trial);
    const result = stopped === null ? said : { failure: stopped };
    return { trial, answer: answered(asked, result) };
  });
};

const sqlText = (value: unknown): string => {
  if (value === null || value === undefined) return 'null';
  if (value instanceof Date) return value.toISOString();
  return typeof value === 'object' ? JSON.stringify(value) : wordOf(value);
};

const askCommand = async (ask: Of<'redis'>, ms: number, service: Service, given: Gathering): Promise<Answer> => {
  const container = speaker(service);
  const words = wordsFor(service, 'redis', ask.as, ownRedisCredentials(container), given);
  return firstToConnect(serverWays(container, words, given), async (vantage) => {
    let said: Said = { failure: SILENT };
    const login = {
      user: words.user,
      password: words.password === null ? null : given.vault.reveal(words.password),
      database: ask.database,
      tls: words.tls,
      wantSessions: () => false,
      inquire: async (call: (command: readonly string[]) => Promise<unknown>) => {
        try {
          said = { text: redisText(await call(ask.command)) };
        } catch (error) {
          said = { failure: (error as Error).message };
        }
      },
    };
    const { trial } = await askRedis(vantage, login, { ms, signal: given.signal, vault: given.vault });
    const stopped = failureOf(trial);
    const result = stopped === null ? said : { failure: stopped };
    return { trial, answer: answered(`redis ${ask.command.join(' ')}`, result) };
  });
};

const redisText = (value: unknown): string | null =>
  value === null || value === undefined ? null : typeof value === 'object' ? JSON.stringify(value) : wordOf(value);

const runCommand = async ({ command }: Of<'exec'>, ms: number, service: Service, given: Gathering): Promise<Answer> => {
  const container = speaker(service);
  const line = command[0] === 'sh' && command[1] === '-c' && command.length === 3 ? command[2]! : command.join(' ');
  const asked = plain(given.vault.maskText(`exec in ${container.name}: ${line}`)).slice(0, 300);
  const result = await runInside(container, command, given, ms);
  if (!result) return { asked, failure: `the image has no program ${command[0]}`, code: null, text: null };
  return {
    asked,
    failure: null,
    code: result.exitCode,
    text: result.stdout,
    aside: plain(given.vault.maskText(result.stderr)).slice(0, 500),
  };
};

const readInside = async ({ path }: Of<'file'>, service: Service, given: Gathering): Promise<Answer> => {
  const container = running(service)[0] ?? service.containers[0];
  if (!container) throw new CannotLook(`${service.name} has no container`);
  const content = await given.engine.readFile(container.id, path, { maxBytes: FILE_BYTES, cut: true, signal: given.signal });
  return { asked: `file ${path} in ${container.name}`, failure: null, code: null, text: content?.toString('utf8') ?? null };
};
