/** What a configuration or a plugin asks for. */
import type { OwnQuestion } from '../model/config.ts';
import type { PluginContext, PluginFact } from '../model/plugin.ts';
import { hideMarks } from '../model/secrets.ts';
import type { Service } from '../model/stack.ts';
import { abortedWith } from '../time-limit.ts';
import { CannotLook, type Gathering } from './gathering.ts';
import { askOwn } from './own-question.ts';
import type { Vault } from './vault.ts';

export type OwnFact = { ask: OwnQuestion; timeoutMs: number | null } | { by: string; gather: PluginFact['gather'] };

const PLUGIN_MS = 5_000;

/** Errors: `CannotLook`, `EngineError`. */
export const gatherOwn = (fact: OwnFact, service: Service | null, given: Gathering): Promise<unknown> =>
  'ask' in fact ? askOwn(fact.ask, fact.timeoutMs, service, given) : gatherForPlugin(fact, service!, given);

const gatherForPlugin = async ({ by, gather }: Extract<OwnFact, { by: string }>, service: Service, given: Gathering): Promise<unknown> => {
  const limit = abortedWith(given.signal);
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new CannotLook(`${by} did not end within ${PLUGIN_MS / 1_000} s`, { timedOut: true })), PLUGIN_MS);
  });
  try {
    const value: unknown = await Promise.race([gather(contextOf(service, { ...given, signal: limit.signal })), late]);
    return masked(JSON.parse(JSON.stringify(value ?? null)), given.vault);
  } catch (error) {
    if (error instanceof CannotLook) throw error;
    const why = error instanceof Error ? error.message : String(error);
    throw new CannotLook(`${by} could not look: ${given.vault.maskText(why).slice(0, 500)}`, { cause: error });
  } finally {
    clearTimeout(timer);
    limit.abort();
  }
};

const contextOf = (service: Service, given: Gathering): PluginContext => {
  const ask = async (question: OwnQuestion) => {
    const answer = await askOwn(question, null, service, given);
    return { ...answer, text: hideMarks(answer.text ?? ''), failure: answer.failure === null ? null : hideMarks(answer.failure) };
  };
  return {
    ...structuredClone({ service, stack: given.stack }),
    signal: given.signal,
    async http(path, { port = null }: { port?: number | null } = {}) {
      const { failure, code, text } = await ask({ kind: 'http', path, url: null, port, status: [] });
      return failure === null ? { ok: true, status: code ?? 0, body: text } : { ok: false, error: failure };
    },
    async tcp(port, { host = null }: { host?: string | null } = {}) {
      const { failure } = await ask({ kind: 'tcp', host, port });
      return failure === null ? { ok: true } : { ok: false, error: failure };
    },
    async exec(command) {
      const { failure, code, text, aside } = await ask({ kind: 'exec', command, exitCode: 0 });
      return failure === null
        ? { ok: true, exitCode: code ?? 0, stdout: text, stderr: hideMarks(aside ?? '') }
        : { ok: false, error: failure };
    },
    async logs() {
      const log = await given.fact('logs', service);
      if (!log.ok) throw new CannotLook(log.reason, { timedOut: log.timedOut });
      return log.value.lines.map((line) => ({ ...line, text: hideMarks(line.text) }));
    },
  };
};

/** Every text in it, wherever it stands. */
const masked = (value: unknown, vault: Vault): unknown => {
  if (typeof value === 'string') return vault.maskText(value);
  if (Array.isArray(value)) return value.map((each) => masked(each, vault));
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, masked(each, vault)]));
};
