/** A section → the steps to take here and now. */
import type { Remedy, Step } from '../model/report.ts';
import { isSecretName } from '../model/secrets.ts';
import { afterOwnOptions, operandsOf } from './docker-words.ts';
import { effectOfStep } from './effect.ts';
import { fillCommand, fillText } from './fill.ts';
import type { Runbook, RunbookStep, Section } from './runbook.ts';
import { withParts, sectionFor, sectionNamed, type About } from './section-for.ts';
import { isReset } from './vocabulary.ts';
import { simpleCommands } from './shell.ts';

/**
 * The steps of a section, filled, in its order but for the destructive ones, which come last.
 *
 * Commands are quoted as they stand: only placeholders are filled. A team's `docker compose logs backend` is not made into `logs db`
 * (who knows what else in it is meant for backend); the step says for which service it was written.
 */
export const remedyFrom = (section: Section, runbook: Runbook, values: Record<string, string>): Remedy => {
  const { steps, lines } = withParts(section, runbook);
  // Named by the code, a section may be prose: "Ask the platform team."
  const taken = steps.length > 0 ? steps : section.prose.map(({ text, line }): RunbookStep => ({ text, command: null, line }));
  return {
    source: { file: runbook.file, heading: section.heading, lines },
    steps: destructiveLast(taken.map((step) => filled(step, values))),
  };
};

const filled = (written: RunbookStep, values: Record<string, string>): Step => {
  const step = { text: withoutSecrets(written.text), command: written.command === null ? null : withoutSecrets(written.command) };
  const command = step.command === null ? null : fillCommand(step.command, values);
  const effect = effectOfStep(step.text, step.command);
  const other = step.command === null ? null : writtenFor(step.command, values);
  const text = fillText(step.text, values);
  return { text: other === null ? text : `${text} (written for ${other})`, command, effect };
};

/** Passwords that a team wrote into its runbook: they come out of the doctor as little as any other. */
const withoutSecrets = (text: string): string =>
  text
    .replaceAll(/([a-z][a-z0-9+.-]*:\/\/[^\s:/@'"]*:)([^\s/@'"]+)(?=@)/gi, (whole, before: string, secret: string) =>
      isStandIn(secret) ? whole : `${before}<password>`,
    )
    .replaceAll(/\b([A-Z][A-Z0-9_]*=)("[^"]*"|'[^']*'|[^\s;&|"']+)/g, (whole, name: string, secret: string) =>
      isSecretName(name.slice(0, -1)) && !isStandIn(secret.replaceAll(/^["']|["']$/g, '')) ? `${name}<password>` : whole,
    )
    .replaceAll(/\b(redis-cli\b[^|;&\n]*?\s(?:-a|--pass)\s+)(\S+)/g, (whole, before: string, secret: string) =>
      isStandIn(secret.replaceAll(/^["']|["']$/g, '')) ? whole : `${before}<password>`,
    );

/** A variable, a placeholder, or a word that stands for a password. */
const isStandIn = (secret: string): boolean => /^(\$|\{|<|…|\.{3}|\*{2,}|x{3,}$|your[-_]?|\[)/i.test(secret) || secret === '';

const destructiveLast = (steps: Step[]): Step[] => [
  ...steps.filter(({ effect }) => effect !== 'destructive'),
  ...steps.filter(({ effect }) => effect === 'destructive'),
];

/** Which values name services. */
const SERVICES = ['service', 'client', 'target', 'nearest', 'owner'];
/** Compose commands whose words are services. */
const OF_SERVICES = new Set([
  'logs',
  'restart',
  'start',
  'stop',
  'up',
  'build',
  'ps',
  'rm',
  'pull',
  'create',
  'kill',
  'pause',
  'unpause',
  'top',
  'exec',
  'run',
]);
/** The services that one `docker compose` command names. */
export const namedServices = (words: readonly string[]): string[] => {
  const own = words[0] === 'docker' && words[1] === 'compose' ? 2 : words[0] === 'docker-compose' ? 1 : null;
  if (own === null) return [];
  const [command = '', ...rest] = afterOwnOptions(words.slice(own));
  if (!OF_SERVICES.has(command)) return [];
  const operands = operandsOf(command, rest);
  return command === 'exec' || command === 'run' ? operands.slice(0, 1) : operands;
};

/** The service that a quoted command is for, when it is none that the finding is about. */
const writtenFor = (command: string, values: Record<string, string>): string | null => {
  const here = new Set(SERVICES.flatMap((name) => values[name] ?? []));
  if (here.size === 0) return null;
  const named = simpleCommands(command.slice(0, 4000)).flatMap(({ words }) => namedServices(words));
  const known = named.filter((name) => /^[\w.-]+$/.test(name));
  return known.length === 0 || known.length < named.length || known.some((name) => here.has(name)) ? null : [...new Set(known)].join(', ');
};

/**
 * For some codes one action is known to help and nothing else does: a stale mount needs a restart. A section found by its heading
 * that has no such command gets the shipped step in front.
 */
const CURES: readonly [codes: readonly string[], command: RegExp][] = [
  [['static-files/stale-mount', 'hot-reload/stale-mount'], /\brestart\b|--force-recreate|\bcompose down\b/],
  [['compose/env-drift', 'compose/image-drift', 'compose/mount-drift', 'compose/config-drift', 'container/missing'], /\bcompose up\b/],
  // The traceback is what matters; a restart ends in the same one.
  [['hot-reload/child-dead'], /\blogs\b/],
  [['container/network-gone'], /--force-recreate|\bcompose down\b/],
  [['container/paused'], /\bunpause\b/],
  [['proxy/stale-upstream', 'proxy/config-not-reloaded'], /-s reload|\brestart\b|--force-recreate/],
  [['postgres/password-volume-mismatch'], /\balter (role|user)\b|\\password/i],
  [['postgres/database-missing'], /\bcreatedb\b|\bcreate database\b/i],
  [['postgres/blocked-sessions'], /pg_(terminate|cancel)_backend/],
  [['redis/read-only-replica'], /\b(replicaof|slaveof) no one\b/i],
  [['hot-reload/watchers-exhausted'], /inotify/],
];

export interface Prescription {
  remedy: Remedy;
  why: string;
}

/** The whole of it: the section, its steps, and the cure where the section has none. */
export const prescriptionFor = (
  code: string,
  about: About,
  runbooks: readonly Runbook[],
  values: Record<string, string>,
  /** The heading that a configuration names. */
  heading?: string,
): Prescription | null => {
  const match = (heading === undefined ? null : sectionNamed(heading, runbooks)) ?? sectionFor(code, about, runbooks);
  if (match === null) return null;
  const remedy = remedyFrom(match.section, match.runbook, values);
  const told = (steps: Step[], why: string): Prescription => ({ remedy: { ...remedy, why, steps: destructiveLast(steps) }, why });
  if (match.how === 'shipped') {
    const reset = remedy.steps.some(losesVolumes) ? resetOf(runbooks.slice(0, -1)) : null;
    if (reset === null) return told(remedy.steps, match.why);
    const { section, runbook, step } = reset;
    const text = `Or your team's way, which takes everything with it: ${step.text} (from ${runbook.file}:${step.line} "${section.heading}")`;
    return told([...remedy.steps, filled({ ...step, text }, values)], match.why);
  }
  const cure = match.how === 'meaning' ? CURES.find(([codes]) => codes.includes(code))?.[1] : undefined;
  if (cure === undefined || remedy.steps.some(({ command }) => command !== null && cure.test(command)))
    return told(remedy.steps, match.why);
  const shipped = sectionFor(code, about, runbooks.slice(-1));
  const step = shipped?.section.steps.find(({ command }) => command !== null && cure.test(command));
  if (!shipped || !step) return told(remedy.steps, match.why);
  const text = `${step.text} (from ${shipped.runbook.file}:${step.line})`;
  return told(
    [filled({ ...step, text }, values), ...remedy.steps],
    `${match.why}; it lacks the step that helps, which ${shipped.runbook.file} has`,
  );
};

/** A last resort that begins anew with an empty volume. */
const losesVolumes = ({ command, effect }: Step): boolean =>
  effect === 'destructive' && command !== null && /\bvolume rm\b|\bdown\b.*\s(-v|--volumes)\b/.test(command);

export interface Reset {
  section: Section;
  runbook: Runbook;
  step: RunbookStep;
}

/**
 * How a team begins anew: the one section that no finding leads to by itself, since it loses everything. It stands beside the last resort
 * of those findings that have one. `null`: no runbook has it.
 */
export const resetOf = (runbooks: readonly Runbook[]): Reset | null => {
  for (const runbook of runbooks) {
    for (const section of runbook.sections) {
      if (!isReset(section.heading)) continue;
      const step = section.steps.find(({ command }) => command !== null && /\bdown\b.*\s(-v|--volumes)\b|\bvolume rm\b/.test(command));
      if (step) return { section, runbook, step };
    }
  }
  return null;
};
