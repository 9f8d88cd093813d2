/** Does the healthcheck tell the truth: does it fail when the service does, and pass when the service is well? */
import { defineCheck, type Evidence, type Finding } from '../model/check.ts';
import type { MakingFact } from '../model/facts.ts';
import { placeOf } from '../model/project-files.ts';
import { isRunning, type Container, type Service } from '../model/stack.ts';

export const healthcheck = defineCheck({
  id: 'healthcheck',
  title: 'Its healthcheck tells the truth',
  question: 'Does the healthcheck say what is so of the service?',
  needs: ['containers', 'making'],
  onFiles: ['making'],
  after: ['engine', 'container'],
  appliesTo: ({ containers, spec }) =>
    containers.length > 0
      ? containers.some((each) => each.healthcheck !== null)
      : Boolean(spec?.active && (spec.healthcheck ?? spec.build)),
  findings: {
    'timed-out': {
      severity: 'fail',
      layer: 'app',
      kind: 'symptom',
      means: 'The probe took longer than the healthcheck gives it.',
      proof: "Docker's words in place of the probe's output, and exit code -1.",
    },
    'passes-on-error': {
      severity: 'warn',
      layer: 'compose',
      kind: 'cause',
      means: 'The probe ends with 0 though the server answered it with an error, so that the container counts as healthy.',
      proof: 'Exit code 0 of the last probe, and the error in its output.',
    },
    'tool-missing': {
      severity: 'fail',
      layer: 'compose',
      kind: 'cause',
      means: 'The healthcheck calls a program that its image does not have, so that the container will never be healthy.',
      proof:
        'The healthcheck in the compose file or the Dockerfile; a base image that is known to lack the program, and no line of the Dockerfile that could have brought it.',
    },
    'arguments-dropped': {
      severity: 'warn',
      layer: 'compose',
      kind: 'cause',
      means: '`CMD-SHELL` takes one line; what stands behind it in the list is no argument of the command.',
      proof: 'The list of the healthcheck: `CMD-SHELL` and more than one word.',
    },
  },
  evaluate({ service, facts }) {
    const probe = facts.making.ok ? facts.making.value?.probe : null;
    if (probe) return { findings: [toolMissing(service, probe)] };
    if (!facts.containers.ok) return { cannotLook: facts.containers.reason };
    const alive = service.containers.filter((each) => isRunning(each) && each.healthcheck !== null);
    if (alive.length === 0) return { skip: `${service.name} is not running` };
    return { findings: alive.flatMap((each) => judge(each, service)).slice(0, 1) };
  },
});

const toolMissing = ({ name, spec }: Service, { program, base, at }: NonNullable<MakingFact['probe']>): Finding => ({
  reason: 'tool-missing',
  message: `the healthcheck of ${name}${at ? ` (${placeOf(at)})` : ''} calls ${program}, which ${base} does not have`,
  evidence: [
    { source: at ? placeOf(at) : `healthcheck of ${name}`, text: spec?.healthcheck?.test.join(' ') ?? program },
    { source: 'base image', text: `${base}, to which nothing adds ${program}` },
  ],
  values: { program, image: base },
});

/** Replies of a server that took the connection and refused the question. */
const REFUSAL =
  /^(?:\(error\) )?(?:-?(?:NOAUTH|WRONGPASS|MISCONF|READONLY|LOADING|DENIED|MASTERDOWN) )|Access denied for user|password authentication failed/m;

const judge = (each: Container, service: Service): Finding[] => {
  const test = each.healthcheck!.test;
  const probe = each.health?.log.at(-1);
  const output = probe?.output.trim() ?? '';
  const evidence: Evidence[] = [
    { source: `healthcheck of ${each.name}`, text: test.join(' ') },
    ...(probe ? [{ source: `last probe of ${each.name}: exit code ${probe.exitCode}`, text: output || 'no output' }] : []),
  ];
  const values = { container: each.name };
  if (each.health?.status === 'unhealthy' && probe?.exitCode === -1 && /exceeded timeout|timed out/i.test(output)) {
    const seconds = each.healthcheck!.timeoutMs / 1000;
    const message = `the probe of ${service.name} takes longer than the ${seconds} s that its healthcheck gives it`;
    const suspects = ['hot-reload', 'http-health', 'postgres', 'redis', 'ports'].map((check) => ({ service: service.name, check }));
    return [{ reason: 'timed-out', message, evidence, suspects, values }];
  }
  if (probe?.exitCode === 0 && REFUSAL.test(output)) {
    const message = `the healthcheck of ${service.name} passes on an error: ${output.split('\n').find((line) => REFUSAL.test(line)) ?? output}`;
    return [{ reason: 'passes-on-error', message, evidence, values }];
  }
  if (test[0] === 'CMD-SHELL' && test.length > 2) {
    const message = `the healthcheck of ${service.name} runs "${test[1]}" alone; ${test.slice(2).join(' ')} is not handed to it`;
    return [{ reason: 'arguments-dropped', message, evidence, values }];
  }
  return [];
};
