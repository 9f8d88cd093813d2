/** What is wrong with a plugin, a sentence for each mistake. Pure. */
import { LAYERS } from '../model/check.ts';
import { FACT_NAMES, isStackFact, type FactName } from '../model/facts.ts';
import { didYouMean } from '../model/nearest.ts';
import { ID } from './table.ts';

const KEYS = ['id', 'facts', 'checks', 'causes', 'runbook'];
const CHECK_KEYS = 'scope id title question aliases needs peerNeeds after findings by appliesTo peersOf evaluate'.split(' ');
const SPEC_KEYS = 'severity layer kind means proof blocks passes shows noticed answers ofConnection ofFolder drift section'.split(' ');
const REASON = /^[a-z]+(-[a-z]+)*$/;

type Loose = Record<string, unknown>;

/** `builtIn`: ids of the doctor's own checks. `[]`: it is as it must be. */
export const mistakesOf = (given: unknown, builtIn: readonly string[]): string[] => {
  if (!isRecord(given)) return ['Its default export is no plugin: write "export default definePlugin({ … })".'];
  const found = unknownKeys(given, KEYS, 'the plugin');
  if (typeof given['id'] !== 'string' || !ID.test(given['id'])) found.push('Its id must be small letters, digits and single dashes.');
  const facts = given['facts'] ?? {};
  if (!isRecord(facts)) found.push('Its facts must be an object, from names to { gather }.');
  else
    for (const [name, fact] of Object.entries(facts)) {
      if (!/^[a-z][A-Za-z0-9]*$/.test(name)) found.push(`The fact "${name}" must be named by letters and digits.`);
      if (!isRecord(fact) || typeof fact['gather'] !== 'function') found.push(`The fact "${name}" has no function gather.`);
    }
  const { checks } = given;
  if (!Array.isArray(checks) || checks.length === 0) found.push('Its checks must be a list with at least one check.');
  else {
    const ids = checks.map((each: unknown) => (isRecord(each) ? each['id'] : undefined));
    for (const [index, check] of checks.entries()) {
      found.push(...mistakesOfCheck(check, index, isRecord(facts) ? Object.keys(facts) : []));
      const id = ids[index];
      if (typeof id !== 'string') continue;
      if (ids.indexOf(id) !== index) found.push(`Two checks have the id "${id}".`);
      const full = `${String(given['id'])}-${id}`;
      if (builtIn.includes(full)) found.push(`With its prefix the check "${id}" is "${full}", which is one of the doctor's own.`);
      const after = (check as Loose)['after'];
      for (const on of Array.isArray(after) ? after : [])
        if (!builtIn.includes(String(on)) && !ids.slice(0, index).includes(on))
          found.push(
            `The check "${id}" stands on "${String(on)}", which is no check of the doctor's, nor one before it in the plugin${sentence(didYouMean(String(on), builtIn))}`,
          );
    }
  }
  const { causes, runbook } = given;
  if (
    causes !== undefined &&
    !(Array.isArray(causes) && causes.every((row: unknown) => isRecord(row) && isText(row['effect']) && isText(row['cause'])))
  )
    found.push('Its causes must be a list of { effect, cause }, both codes of findings.');
  if (runbook !== undefined && !isText(runbook)) found.push('Its runbook must be the path of a Markdown file.');
  return found;
};

const mistakesOfCheck = (check: unknown, index: number, facts: readonly string[]): string[] => {
  if (!isRecord(check)) return [`Check ${index + 1} is no object.`];
  const name = isText(check['id']) ? `The check "${check['id']}"` : `Check ${index + 1}`;
  const found = unknownKeys(check, CHECK_KEYS, name.replace(/^T/, 't').replace(/^C/, 'c'));
  if (!isText(check['id']) || !ID.test(check['id'])) found.push(`${name} has no id of small letters, digits and single dashes.`);
  if (!isText(check['title'])) found.push(`${name} has no title, the good state as a sentence.`);
  if (!isText(check['question'])) found.push(`${name} has no question.`);
  const isOfStack = check['scope'] === 'stack';
  if (check['scope'] !== undefined && check['scope'] !== 'service' && !isOfStack)
    found.push(`${name} has a scope that is neither "service" nor "stack".`);
  if (!isOfStack && typeof check['appliesTo'] !== 'function') found.push(`${name} has no function appliesTo.`);
  if (typeof check['evaluate'] !== 'function') found.push(`${name} has no function evaluate.`);
  const needs = check['needs'] ?? [];
  if (!Array.isArray(needs)) found.push(`${name} must have its needs as a list of facts.`);
  else
    for (const need of needs.map(String)) {
      const known = need.startsWith('own:')
        ? facts.includes(need.slice(4)) && !isOfStack
        : FACT_NAMES.includes(need) && (!isOfStack || isStackFact(need as FactName));
      if (!known)
        found.push(
          `${name} needs the fact "${need}", which there is not${isOfStack ? ' for a check of the whole stack' : ''}${sentence(didYouMean(need, [...FACT_NAMES, ...facts.map((each) => `own:${each}`)]))}`,
        );
    }
  const { findings } = check;
  if (!isRecord(findings) || Object.keys(findings).length === 0) found.push(`${name} declares no findings.`);
  else for (const [reason, spec] of Object.entries(findings)) found.push(...mistakesOfSpec(`${name}, finding "${reason}":`, reason, spec));
  return found;
};

const mistakesOfSpec = (name: string, reason: string, spec: unknown): string[] => {
  if (!isRecord(spec)) return [`${name} it is no object.`];
  const found = unknownKeys(spec, SPEC_KEYS, name.replace(/^T/, 't').replace(/:$/, ''));
  if (!REASON.test(reason)) found.push(`${name} it must be named by small letters and dashes.`);
  if (!['warn', 'fail'].includes(String(spec['severity']))) found.push(`${name} its severity is "warn" or "fail".`);
  if (!['cause', 'symptom'].includes(String(spec['kind']))) found.push(`${name} its kind is "cause" or "symptom".`);
  if (!(LAYERS as readonly unknown[]).includes(spec['layer'])) found.push(`${name} its layer is one of ${LAYERS.join(', ')}.`);
  if (!isText(spec['means'])) found.push(`${name} it does not say what it means.`);
  if (!isText(spec['proof'])) found.push(`${name} it does not say what proves it.`);
  return found;
};

const unknownKeys = (given: Loose, keys: readonly string[], what: string): string[] =>
  Object.keys(given)
    .filter((key) => !keys.includes(key))
    .map((key) => `Unknown key "${key}" in ${what}${sentence(didYouMean(key, keys))}`);

/** `; did you mean x?` ends a sentence; nothing needs a full stop. */
const sentence = (hint: string): string => hint || '.';

const isText = (value: unknown): value is string => typeof value === 'string' && value.trim() !== '';

const isRecord = (value: unknown): value is Loose => value !== null && typeof value === 'object' && !Array.isArray(value);
