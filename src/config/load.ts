/** A configuration, ready to take part in a run: checks, what they ask for, and what is said of services. */
import { dirname } from 'node:path';
import type { Check } from '../model/check.ts';
import type { Config, OwnQuestion } from '../model/config.ts';
import type { OwnFactName } from '../model/facts.ts';
import { didYouMean } from '../model/nearest.ts';
import type { CausalRow, PluginFact } from '../model/plugin.ts';
import { ConfigError } from '../model/usage-error.ts';
import type { ConfigFile } from './find.ts';
import { checkOf, isAsked, ownFactName } from './own-check.ts';
import { readConfig } from './read.ts';

export interface Loaded {
  config: Config;
  /** Those of plugins, then those without code. */
  checks: Check[];
  /** What they ask for, by the name of the fact. */
  own: Record<OwnFactName, Asked>;
  causes: CausalRow[];
  /** Runbooks of plugins: absolute paths. */
  runbooks: string[];
}

type Asked = { ask: OwnQuestion; timeoutMs: number | null } | { by: string; gather: PluginFact['gather'] };

/** `builtIn`: the doctor's own checks. Errors: `ConfigError`. */
export const loadConfig = async (file: ConfigFile, builtIn: readonly Check[]): Promise<Loaded> => {
  const config = await readConfig(file.path, file.shownAs);
  const ids = builtIn.map(({ id }) => id);
  // Most configurations name none, and need nothing of what loads them.
  const plugins =
    config.plugins.length > 0
      ? await (await import('./plugins.ts')).loadPlugins(config, dirname(file.path), ids)
      : { checks: [], facts: {}, causes: [], runbooks: [] };
  const known = [...builtIn, ...plugins.checks];
  for (const { id, place } of config.checks) {
    const other = known.find((check) => check.id === id);
    if (other)
      throw new ConfigError(
        `${config.file}:${place.line}:${place.column}: "${id}" is a check of ${other.by ?? "the doctor's own"}; choose another name`,
      );
  }
  const checks = [...plugins.checks, ...config.checks.map(checkOf)];
  refuseUnknownCodes(config, [...builtIn, ...checks]);
  const own: Loaded['own'] = { ...plugins.facts };
  for (const each of config.checks) if (isAsked(each)) own[ownFactName(each.id)] = { ask: each.ask, timeoutMs: each.timeoutMs };
  return { config, checks, own, causes: plugins.causes, runbooks: plugins.runbooks };
};

const refuseUnknownCodes = ({ file, ignore }: Config, checks: readonly Check[]): void => {
  const codes = new Set(checks.flatMap((check) => Object.keys(check.findings).map((reason) => `${check.id}/${reason}`)));
  for (const { finding, service, place } of ignore) {
    const at = `${file}:${place.line}:${place.column}`;
    if (!codes.has(finding)) throw new ConfigError(`${at}: no finding has the code "${finding}"${didYouMean(finding, codes)}`);
    const owners = checks.filter(
      (check) => Object.hasOwn(check.findings, finding.slice(finding.indexOf('/') + 1)) && finding.startsWith(`${check.id}/`),
    );
    if (service === null && owners.every(({ scope }) => scope === 'service'))
      throw new ConfigError(`${at}: ${finding} is a finding on one service: name it by the key service`);
    if (service !== null && owners.every(({ scope }) => scope === 'stack'))
      throw new ConfigError(`${at}: ${finding} is a finding of the whole stack: leave the key service out`);
  }
};
