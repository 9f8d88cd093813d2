/** A configuration, ready to take part in a run: checks, what they ask for, and what is said of services. */
import type { Check } from '../model/check.ts';
import type { Config } from '../model/config.ts';
import type { OwnFactName } from '../model/facts.ts';
import { didYouMean } from '../model/nearest.ts';
import { ConfigError } from '../model/usage-error.ts';
import type { ConfigFile } from './find.ts';
import { checkOf, isAsked, ownFactName } from './own-check.ts';
import { readConfig } from './read.ts';

export interface Loaded {
  config: Config;
  checks: Check[];
  /** By the name of the fact. */
  own: Record<OwnFactName, { ask: Config['checks'][number]['ask']; timeoutMs: number | null }>;
}

/** `builtIn`: the doctor's own checks. Errors: `ConfigError`. */
export const loadConfig = async (file: ConfigFile, builtIn: readonly Check[]): Promise<Loaded> => {
  const config = await readConfig(file.path, file.shownAs);
  for (const { id, place } of config.checks)
    if (builtIn.some((check) => check.id === id))
      throw new ConfigError(`${config.file}:${place.line}:${place.column}: "${id}" is a check of the doctor's own; choose another name`);
  const checks = config.checks.map(checkOf);
  refuseUnknownCodes(config, [...builtIn, ...checks]);
  const own: Loaded['own'] = {};
  for (const each of config.checks) if (isAsked(each)) own[ownFactName(each.id)] = { ask: each.ask, timeoutMs: each.timeoutMs };
  return { config, checks, own };
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
