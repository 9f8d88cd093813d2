/** Does every container that should run, run? Docker's start error is read first, then status, then exit code: codes outlive runs. */
import { grouped, listed } from '../model/attempt.ts';
import { defineCheck, type Finding, type FindingSpec, mayPass } from '../model/check.ts';
import { type Container, isRunning, running, type Service } from '../model/stack.ts';
import { childKilled, ended, endedAsMeant, flapping } from './container/end.ts';
import { dockerClient, health, networkLost } from './container/health.ts';
import { type Scene, simply } from './container/scene.ts';
import { missing, neverStarted, startError } from './container/start.ts';

const spec = (
  kind: FindingSpec['kind'],
  layer: FindingSpec['layer'],
  blocks: boolean,
  means: string,
  proof: string,
  more: Pick<FindingSpec, 'shows' | 'noticed'> = {},
): FindingSpec => ({
  severity: 'fail',
  layer,
  kind,
  ...(blocks ? { blocks } : {}),
  means,
  proof,
  ...more,
});

export const container = defineCheck({
  id: 'container',
  title: 'The containers that should run, run',
  question: 'Does every container of the service run, and is it healthy?',
  needs: ['containers', 'logs', 'inside'],
  after: ['engine', 'compose'],
  appliesTo: () => true,
  findings: {
    'start-failed': spec('cause', 'host', true, 'Docker could not start the container.', '`State.Error`, in the words of the engine.'),
    'mount-failed': spec(
      'cause',
      'host',
      true,
      'Docker could not put a mount in place, so the container did not start.',
      '`State.Error` that names the mount.',
    ),
    'network-gone': spec(
      'cause',
      'host',
      true,
      'The container is tied to a network that was deleted.',
      '`State.Error`: network not found.',
    ),
    'network-lost': spec(
      'cause',
      'compose',
      false,
      'The container lives in the network of another one, as that was before it was made or started anew: nobody reaches it there.',
      '`HostConfig.NetworkMode` names a container that is gone, or one that started after this one.',
    ),
    missing: mayPass(
      spec(
        'cause',
        'compose',
        true,
        'The service should run and has no container.',
        'No container with the labels of project and service exists.',
      ),
    ),
    'command-not-found': spec(
      'cause',
      'app',
      true,
      'The program that the container should run, or the interpreter that its first line names, is not in the container.',
      '`State.Error`, exit code 127 with the log line, or `exec …: no such file or directory` in the log.',
    ),
    'not-executable': spec(
      'cause',
      'app',
      true,
      'The program that the container should run may not be executed, or is in no format that this machine runs.',
      '`State.Error`, exit code 126, or `exec format error` in the log.',
    ),
    'oom-killed': mayPass(
      spec(
        'cause',
        'host',
        true,
        'The kernel killed the container because it reached its memory limit.',
        '`State.OOMKilled` is true and the container does not run; of one that is started again and again, the `oom` event before its last end.',
      ),
    ),
    paused: mayPass(
      spec('cause', 'host', true, 'The container is paused: it holds its ports and answers nothing.', '`State.Status` is `paused`.'),
    ),
    dead: spec('cause', 'host', true, 'Docker could not remove the container, and it cannot run again.', '`State.Status` is `dead`.'),
    restarting: spec(
      'symptom',
      'app',
      true,
      'The container ends again and again after its start.',
      '`State.Status` is `restarting`, or `RestartCount` grows while it is always just started.',
    ),
    exited: spec(
      'symptom',
      'app',
      true,
      'The container should run and has ended.',
      '`State.Status` is `exited`, with its exit code and the last log lines of this run.',
    ),
    'job-failed': spec(
      'symptom',
      'app',
      true,
      'A job that others wait for, such as a migration, ended with an error.',
      '`State.Status` is `exited` with another code than 0, and the service is one that runs once.',
    ),
    'dependency-failed': spec(
      'symptom',
      'app',
      true,
      'The container was created and never started, because what it depends on did not come up.',
      '`State.Status` is `created` without an error, and a dependency does not hold its condition.',
      { shows: 'probe' },
    ),
    'healthcheck-broken': spec(
      'cause',
      'compose',
      false,
      'The healthcheck itself cannot work; it says nothing about the service.',
      'The output of the last probe: its program is missing or malformed, or it asks an address on which nothing listens.',
      { noticed: 'by-probe' },
    ),
    unhealthy: spec(
      'symptom',
      'app',
      false,
      'The container runs and its healthcheck fails.',
      '`State.Health.Status` is `unhealthy` while running, with the output of the last probe.',
      { shows: 'probe' },
    ),
    'docker-client-too-old': spec(
      'cause',
      'compose',
      false,
      "A program that works with Docker's own API speaks a version of it that this engine no longer knows.",
      "The engine's answer in the log of the service.",
    ),
    'child-oom-killed': {
      severity: 'warn',
      layer: 'host',
      kind: 'cause',
      means: 'The kernel killed a process inside the container for its memory; the main process lives on.',
      proof: '`State.OOMKilled` is true and the container runs.',
    },
  },
  evaluate({ service, stack, facts, now }) {
    if (!facts.containers.ok) return { cannotLook: facts.containers.reason };
    const idle = notExpected(service);
    if (idle) return { skip: idle };
    const scene: Scene = {
      service,
      stack,
      log: facts.logs.ok ? facts.logs.value : null,
      inside: facts.inside.ok ? facts.inside.value : null,
      insideFact: facts.inside,
      now,
    };
    if (service.containers.length === 0) return { findings: [missing(service)] };
    const found = service.containers.map((each) => judge(each, scene));
    const answering = service.containers.some(
      (each, index) => isRunning(each) && found[index]!.every(({ reason }) => reason !== 'restarting' && reason !== 'oom-killed'),
    );
    return { findings: merged(found.flat(), service, answering), note: noteOf(scene) };
  },
});

/** Behind an inactive profile, scaled to zero, or a job that was not asked for. */
const notExpected = ({ spec: declared, containers, role }: Service): string | null => {
  const alive = containers.some((each) => isRunning(each) || each.state.status === 'paused' || each.state.status === 'restarting');
  if (declared && !declared.active && !alive) return `profile ${listed(declared.profiles)} is not active`;
  if (containers.length > 0) return null;
  if (declared?.replicas === 0) return 'scaled to 0 replicas';
  return role === 'build-only' || role === 'one-shot' ? `${role}: it runs when it is asked to` : null;
};

const judge = (each: Container, scene: Scene): Finding[] => {
  const { status, error } = each.state;
  if (status === 'running')
    return [
      ...networkLost(each, scene),
      ...flapping(each, scene),
      ...health(each, scene),
      ...dockerClient(each, scene),
      ...childKilled(each),
    ];
  if (status === 'paused') return [simply('paused', each, scene, 'is paused')];
  if (status === 'dead') return [simply('dead', each, scene, 'is dead')];
  if (status === 'removing') return [simply('missing', each, scene, 'is being removed')];
  if (error !== '') return [startError(each, scene)];
  if (status === 'created') return scene.service.role === 'build-only' ? [] : [neverStarted(each, scene)];
  if (endedAsMeant(each, scene)) return [];
  return [ended(each, scene)];
};

/** Replicas that fail alike are one finding. One that still runs keeps the service open to questions. */
const merged = (findings: Finding[], service: Service, answering: boolean): Finding[] =>
  grouped(findings, (finding) => finding.reason).map((alike) => {
    const [first, ...others] = alike as [Finding, ...Finding[]];
    return {
      ...(others.length > 0 ? timeless(first) : first),
      message:
        others.length > 0 ? `${first.message} (and ${others.length} more of ${service.containers.length} containers)` : first.message,
      evidence: alike.flatMap((each) => each.evidence),
      ...(answering ? { blocks: false } : {}),
    };
  });

/** The times of one are not those of all. */
const timeless = ({ failedAt: _failedAt, well: _well, ...rest }: Finding): Finding => rest;

const noteOf = ({ service }: Scene): string => {
  const { containers, role } = service;
  if (!containers.some(isRunning)) return role === 'build-only' || role === 'one-shot' ? `${role}, not running` : 'ended as meant';
  const starting = containers.some((each) => isRunning(each) && each.health?.status === 'starting');
  const restarts = Math.max(...containers.map((each) => each.state.restartCount));
  return [
    containers.length > 1 ? `${running(service).length} containers run` : 'runs',
    ...(starting ? ['health not known yet'] : []),
    ...(restarts > 0 ? [`restarted ${restarts} ${restarts === 1 ? 'time' : 'times'} before, stable since`] : []),
  ].join(', ');
};
