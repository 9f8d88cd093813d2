/** A check without code: one question, asked as the doctor asks its own, by the cheapest way that proves it. */
import type { OwnAnswer, OwnQuestion } from '../model/config.ts';
import type { HttpAnswer, Trial } from '../model/facts.ts';
import { plain, plainLines } from '../model/plain.ts';
import { running, type Service } from '../model/stack.ts';
import { askHttp, askPath } from './ask-http.ts';
import { dialTcp } from './dial.ts';
import { CannotLook, speaker, TRY_MS, type Gathering } from './gathering.ts';
import { healthcheckUrl, schemeOf } from './health-path.ts';
import { findPort } from './http.ts';
import { failureOf, firstToConnect, waysTo, type Answer, type Of } from './own-ways.ts';
import { askQuery } from './postgres-question.ts';
import { askCommand } from './redis-question.ts';
import { runInside } from './run-inside.ts';
import { tryOut } from './trial.ts';
import { fromInside, type Vantage } from './vantage.ts';

const TEXT_LENGTH = 64 * 1024;
const FILE_BYTES = 1024 * 1024;

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
      return ask.url === null ? askService(ask, ms, service, given) : askUrl(ask, ms, given);
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

const askUrl = async (ask: Of<'http'>, ms: number, given: Gathering): Promise<Answer> => {
  const url = ask.url!;
  const view = { kind: 'published', address: new URL(url).host } as const;
  const { trial, answer } = await askHttp({ url, view, vault: given.vault, signal: given.signal, timeoutMs: ms });
  return answerOf(url, trial, answer);
};

const answerOf = (url: string, trial: Trial, answer: HttpAnswer | null): Answer => ({
  asked: `GET ${url}`,
  failure: failureOf(trial),
  code: answer?.status ?? null,
  text: answer?.body ?? null,
  cut: answer !== null && (answer.truncated || answer.bytes > Buffer.byteLength(answer.body)),
});

const askService = async (ask: Of<'http'>, ms: number, service: Service, given: Gathering): Promise<Answer> => {
  const container = speaker(service);
  const known = healthcheckUrl(container);
  const port = ask.port ?? known?.port ?? (await findPort(service, container, given));
  const scheme = known?.port === port ? known.scheme : schemeOf(given.stack, service, port);
  return firstToConnect(waysTo(container, port, given), async (vantage) => {
    const { url, trial, answer } = await askPath(vantage, { scheme, path: ask.path, host: `localhost:${vantage.port}`, ms }, given);
    return { trial, answer: answerOf(url, trial, answer) };
  });
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
