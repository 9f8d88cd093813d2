/** Why a container ended, keeps ending, or lost a process. */
import { secondsSince, WHILE_STARTING } from '../../model/age.ts';
import type { Evidence, Finding, Suspect } from '../../model/check.ts';
import { isFlapping } from '../../model/crash-loop.ts';
import { explainExitCode, isStopCode } from '../../model/exit-code.ts';
import { type KnownError, knownErrorIn } from '../../model/log-signatures.ts';
import { commandLine, connectionsTo, type Container, running, serviceNamed, shouldRun } from '../../model/stack.ts';
import { suspectsOf } from '../../model/suspects.ts';
import { LAST_LINES, linesOf, logEvidence, ownWord, saying, type Scene, stateOf, timesOf, timesWord } from './scene.ts';
import { notStartedFor } from './start.ts';

/** A job that is done; a builder that was stopped; a service that says `restart: "no"` and ended well; one that nobody reaches for. */
export const endedAsMeant = (each: Container, { service, stack }: Scene): boolean => {
  const { status, exitCode, oomKilled } = each.state;
  if (status !== 'exited' || oomKilled) return false;
  if (service.role === 'build-only' && isStopCode(exitCode)) return true;
  if (exitCode !== 0) return false;
  if (!shouldRun(service) || service.spec?.restart === 'no') return true;
  const inUse = each.portBindings.length > 0 || each.healthcheck !== null || connectionsTo(stack, service.name).length > 0;
  return service.role === 'unknown' && each.restartPolicy === 'no' && !inUse;
};

export const ended = (each: Container, scene: Scene): Finding => {
  const { service, stack } = scene;
  const { exitCode, oomKilled, status, restartCount } = each.state;
  const lines = linesOf(each, scene);
  // One that was stopped may have complained long before; only its last words count then.
  const calm = exitCode === 0 || isStopCode(exitCode);
  const known = knownErrorIn(calm ? lines.slice(-LAST_LINES) : lines, service.role);
  const reason = oomKilled ? 'oom-killed' : (programReason(exitCode, known) ?? endReason(scene, status));
  const times = restartCount > 0 ? `, restarted ${timesWord(restartCount)}` : '';
  const limit = oomKilled ? limitOf(each) : '';
  const says = oomKilled ? '' : saying(known);
  const what = oomKilled
    ? `was killed for its memory${limit}`
    : status === 'restarting'
      ? `keeps ending (${explainExitCode(exitCode)}${times})`
      : `is stopped (${explainExitCode(exitCode)}${times})`;
  const suspects =
    reason === 'exited' || reason === 'restarting' || reason === 'job-failed'
      ? calm && !known
        ? notStartedFor(each, scene)
        : suspectsOf(known, service, stack)
      : reason === 'oom-killed'
        ? undefined
        : [{ service: service.name, check: 'image' }];
  const young = reason === 'restarting' ? youngTarget(each.state.finishedAt, suspects, known, scene) : null;
  return {
    reason,
    ...(young ? WHILE_STARTING : {}),
    message: `${service.name} ${what}${says}${young ? `; ${young} had only just started` : ''}`,
    evidence: [stateOf(each), ...logEvidence(lines, known, service)],
    ...(suspects ? { suspects } : {}),
    ...ownWord(known),
    ...timesOf(each, calm),
    values: { container: each.name, ...programValue(reason, each, known) },
  };
};

/** A server is given this long to take connections. */
const BOOT_SECONDS = 30;

/**
 * Whom the program did not reach when it ended last, and who had then only just started itself: Docker tries again, and what the next start
 * will meet is not known. What is wrong with the connection now is a question of other checks.
 */
const youngTarget = (endedAt: string | null, suspects: Suspect[] | undefined, known: KnownError | null, scene: Scene): string | null => {
  if (known?.blame !== 'connection' || endedAt === null) return null;
  const targets = (suspects ?? []).flatMap(({ service }) => (service && service !== scene.service.name ? [service] : []));
  const wasYoung = (name: string): boolean => {
    const target = serviceNamed(scene.stack, name);
    return (
      target !== undefined &&
      running(target).length > 0 &&
      running(target).every((each) => secondsSince(each.state.startedAt, endedAt) < BOOT_SECONDS && each.state.restartCount === 0)
    );
  };
  return targets.length > 0 && targets.every(wasYoung) ? targets[0]! : null;
};

const endReason = ({ service }: Scene, status: Container['state']['status']): string => {
  if (status === 'restarting') return 'restarting';
  return service.role === 'one-shot' ? 'job-failed' : 'exited';
};

const limitOf = ({ memoryLimit }: Container): string =>
  memoryLimit > 0 ? ` at its limit of ${Math.round(memoryLimit / 1024 / 1024)} MiB` : '';

/** The number alone proves nothing: programs use 126 and 127 too, and a missing interpreter ends with 1 or 255. */
const programReason = (exitCode: number, known: KnownError | null): string | null => {
  if (known?.blame === 'format') return 'not-executable';
  if (known?.id === 'exec-missing' || (known?.blame === 'command' && exitCode === 127)) return 'command-not-found';
  return exitCode === 126 && known?.id === 'permission' ? 'not-executable' : null;
};

const programValue = (reason: string, each: Container, known: KnownError | null): Record<string, string> => {
  if (reason !== 'command-not-found' && reason !== 'not-executable') return {};
  const named = /exec (\S+?):|(\S+): (?:command )?not found/.exec(known?.line ?? '');
  return { program: named?.[1] ?? named?.[2] ?? commandLine(each).split(' ')[0] ?? '' };
};

export const flapping = (each: Container, scene: Scene): Finding[] => {
  if (!isFlapping(each)) return [];
  const { restartCount, startedAt, lastEnd } = each.state;
  const { name } = scene.service;
  const up = Math.max(0, Math.round(secondsSince(startedAt, scene.now)));
  const seen: Evidence[] = [
    { source: `docker inspect ${each.name}`, text: `running, RestartCount ${restartCount}, started at ${startedAt}` },
    ...(lastEnd
      ? [{ source: `docker events of ${each.name}`, text: `${lastEnd.oomKilled ? 'oom, ' : ''}die with exit code ${lastEnd.exitCode}` }]
      : []),
  ];
  if (lastEnd?.oomKilled) {
    return [
      {
        reason: 'oom-killed',
        message: `${name} is killed for its memory${limitOf(each)} again and again: restarted ${timesWord(restartCount)}, last ${up} s ago`,
        evidence: seen,
        values: { container: each.name },
      },
    ];
  }
  const lines = linesOf(each, scene);
  const known = knownErrorIn(lines, scene.service.role);
  const suspects = suspectsOf(known, scene.service, scene.stack);
  const young = youngTarget(startedAt, suspects, known, scene);
  const code = lastEnd ? ` (${explainExitCode(lastEnd.exitCode)})` : '';
  return [
    {
      reason: 'restarting',
      ...(young ? WHILE_STARTING : {}),
      message: `${name} keeps ending${code}: restarted ${timesWord(restartCount)}, last ${up} s ago${saying(known)}${young ? `; ${young} had only just started` : ''}`,
      evidence: [...seen, ...logEvidence(lines, known, scene.service)],
      ...(suspects ? { suspects } : {}),
      ...ownWord(known),
      values: { container: each.name },
    },
  ];
};

export const childKilled = (each: Container): Finding[] =>
  each.state.oomKilled
    ? [
        {
          reason: 'child-oom-killed',
          message: `a process inside ${each.name} was killed for its memory${limitOf(each)}; the main process runs`,
          evidence: [{ source: `docker inspect ${each.name}: State`, text: 'running, OOMKilled true' }],
          values: { container: each.name },
        },
      ]
    : [];
