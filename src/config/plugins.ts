/** Plugins, from their names to checks like any other. What a plugin does wrong is an error of its own checks, and of nothing else. */
import { dirname, resolve } from 'node:path';
import { defineStackCheck, type Check, type Evidence, type Finding, type ServiceCheck, type Verdict } from '../model/check.ts';
import type { Config } from '../model/config.ts';
import type { OwnFactName } from '../model/facts.ts';
import { plain, wordOf } from '../model/plain.ts';
import type { CausalRow, Plugin, PluginFact } from '../model/plugin.ts';
import type { Service, Stack } from '../model/stack.ts';
import { ConfigError } from '../model/usage-error.ts';
import { bounded } from './bounded.ts';
import { importPlugin } from './import-plugin.ts';
import { mistakesOf } from './plugin-mistakes.ts';

export interface LoadedPlugins {
  checks: Check[];
  facts: Record<OwnFactName, { by: string; gather: PluginFact['gather'] }>;
  causes: CausalRow[];
  /** Absolute paths. */
  runbooks: string[];
}

/** `builtIn`: ids of the doctor's own checks. Errors: `ConfigError`: a plugin that is not there, or not as it must be. */
export const loadPlugins = async (config: Config, folder: string, builtIn: readonly string[]): Promise<LoadedPlugins> => {
  const all = await Promise.all(
    config.plugins.map(async ({ name, place }) => ({ name, place, imported: await importPlugin(name, folder) })),
  );
  const loaded: LoadedPlugins = { checks: [], facts: {}, causes: [], runbooks: [] };
  const taken = new Set(builtIn);
  for (const { name, place, imported } of all) {
    const fail = (what: string): never => {
      throw new ConfigError(`${config.file}:${place.line}:${place.column}: plugin ${name}: ${what}`);
    };
    if ('missing' in imported) return fail(imported.missing);
    if ('failed' in imported) {
      loaded.checks.push(notLoaded(name, imported.failed));
      continue;
    }
    const mistakes = mistakesOf(imported.exported, [...taken]);
    if (mistakes.length > 0) return fail(mistakes.join(' '));
    const plugin = imported.exported as Plugin;
    for (const check of plugin.checks) {
      const id = `${plugin.id}-${check.id}`;
      if (taken.has(id)) fail(`The check "${id}" is there already.`);
      taken.add(id);
      loaded.checks.push(asCheck(check, plugin));
    }
    for (const [fact, { gather }] of Object.entries(plugin.facts ?? {}))
      loaded.facts[factName(plugin, fact)] = { by: `plugin ${plugin.id}`, gather };
    loaded.causes.push(...(plugin.causes ?? []));
    if (plugin.runbook !== undefined) loaded.runbooks.push(resolve(dirname(imported.path), plugin.runbook));
  }
  return loaded;
};

const notLoaded = (name: string, why: string): Check => {
  const id = `plugin-${name
    .replace(/^.*[\\/]/, '')
    .replace(/\.\w+$/, '')
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '-')}`;
  return defineStackCheck({
    id,
    title: `The plugin ${name} is loaded`,
    question: `Can the plugin ${name} be loaded?`,
    needs: [],
    after: [],
    findings: {},
    evaluate: () => ({ cannotLook: `plugin ${name} could not be loaded: ${plain(why).slice(0, 500)}` }),
  });
};

const factName = ({ id }: Plugin, fact: string): OwnFactName => `own:${id}.${fact}`;

/** The plugin sees copies: what it does to them is its own affair. */
const asCheck = (check: Check, plugin: Plugin): Check => {
  const inPlugin = (id: string): string => (plugin.checks.some((each) => each.id === id) ? `${plugin.id}-${id}` : id);
  const written = ((check.needs as readonly string[] | undefined) ?? []).map(String);
  const named = new Map(written.map((need) => [need, need.startsWith('own:') ? factName(plugin, need.slice('own:'.length)) : need]));
  const shared = {
    ...check,
    scope: check.scope ?? 'service',
    id: `${plugin.id}-${check.id}`,
    needs: [...named.values()],
    after: (check.after ?? ['engine', ...(check.scope === 'stack' ? [] : ['container'])]).map(inPlugin),
    by: `plugin ${plugin.id}`,
    evaluate: (given: { facts: Record<string, unknown> }) => {
      const facts = Object.fromEntries([...named].map(([own, full]) => [own, given.facts[full]]));
      const copy = structuredClone({ ...given, facts });
      return verdictOf(bounded(() => (check.evaluate as (given: unknown) => unknown)(copy)));
    },
  };
  if (check.scope === 'stack') return shared as unknown as Check;
  const { appliesTo } = check as ServiceCheck;
  const copies = new WeakMap<Stack, Stack>();
  return {
    ...shared,
    appliesTo: (service: Service, stack: Stack) => {
      const copy = copies.get(stack) ?? structuredClone(stack);
      copies.set(stack, copy);
      try {
        return bounded(() => appliesTo(copy.services.find(({ name }) => name === service.name) ?? service, copy));
      } catch {
        // Then it is asked, and says itself what is wrong with it.
        return true;
      }
    },
  } as unknown as Check;
};

const textOf = (value: unknown): string => plain(wordOf(value));

const isText = (value: unknown): value is string => typeof value === 'string';

/** A verdict of somebody else's making, in the form that ours have. Errors: an `Error` with a sentence. */
const verdictOf = (given: unknown): Verdict => {
  const verdict = given as { skip?: unknown; cannotLook?: unknown; findings?: unknown; note?: unknown } | null | undefined;
  if (isText(verdict?.skip)) return { skip: plain(verdict.skip) };
  if (isText(verdict?.cannotLook)) return { cannotLook: plain(verdict.cannotLook) };
  if (!Array.isArray(verdict?.findings)) throw new Error('it gave no verdict: { findings: [] }, { skip } or { cannotLook }');
  return { findings: verdict.findings.map(findingOf), ...(isText(verdict.note) && { note: plain(verdict.note) }) };
};

const findingOf = (given: unknown): Finding => {
  const finding = given as Partial<Finding> | null;
  if (!isText(finding?.reason) || !isText(finding.message)) throw new Error('a finding of it has no reason or no message');
  const evidence: unknown = finding.evidence ?? [];
  if (!Array.isArray(evidence)) throw new Error('the evidence of a finding is no list');
  return {
    ...(finding as Finding),
    message: plain(finding.message),
    evidence: evidence.map((each: Partial<Record<keyof Evidence, unknown>> | null) => ({
      source: textOf(each?.source),
      text: textOf(each?.text),
    })),
  };
};
