/** Does every container that should run, run? Docker's start error is read first, then status, then exit code: codes outlive runs. */
import { secondsSince } from '../model/age.ts';
import { grouped, listed, unique } from '../model/attempt.ts';
import { defineCheck, mayPass, type Evidence, type Finding, type FindingSpec, type Suspect } from '../model/check.ts';
import { isFlapping, failedBeside } from '../model/crash-loop.ts';
import { explainExitCode, isStopCode } from '../model/exit-code.ts';
import type { Fact, InsideFact, LogFact, LogLine } from '../model/facts.ts';
import { listensElsewhere } from '../model/listeners.ts';
import { brokenProbe } from '../model/health-probe.ts';
import { knownErrorIn, type KnownError } from '../model/log-signatures.ts';
import { coreOf, obstacleOf, portWanted, programIn, type StartObstacle } from '../model/start-error.ts';
import {
  commandLine,
  connectionsTo,
  isRunning,
  running,
  serviceNamed,
  shouldRun,
  type Container,
  type DependencyCondition,
  type Service,
  type Stack,
} from '../model/stack.ts';
import { allContainers } from '../model/routes.ts';
import { suspectsOf } from '../model/suspects.ts';

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

interface Scene {
  service: Service;
  stack: Stack;
  log: LogFact | null;
  inside: InsideFact | null;
  insideFact: Fact<InsideFact>;
  now: string;
}

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

const missing = (service: Service): Finding => ({
  reason: 'missing',
  message: `${service.name} should run and has no container`,
  evidence: [{ source: 'containers of the project', text: `none with the label com.docker.compose.service=${service.name}` }],
  suspects: [
    { service: service.name, code: 'compose/name-taken' },
    { service: service.name, check: 'image' },
  ],
});

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

const simply = (reason: string, each: Container, { service }: Scene, is: string): Finding => ({
  reason,
  message: `${service.name} ${is} (container ${each.name})`,
  evidence: [stateOf(each)],
  values: { container: each.name },
});

const stateOf = (each: Container): Evidence => ({
  source: `docker inspect ${each.name}: State`,
  text: each.state.status === 'exited' ? `exited (${each.state.exitCode})` : each.state.status,
});

const START_REASONS: Record<StartObstacle, string> = {
  port: 'start-failed',
  mount: 'mount-failed',
  network: 'network-gone',
  'not-found': 'command-not-found',
  'not-executable': 'not-executable',
  other: 'start-failed',
};

const startError = (each: Container, { service, stack }: Scene): Finding => {
  const { error } = each.state;
  const obstacle = obstacleOf(error);
  const port = obstacle === 'port' ? portWanted(error) : null;
  const program = obstacle === 'not-found' || obstacle === 'not-executable' ? programIn(error) : null;
  return {
    reason: START_REASONS[obstacle],
    message: `${service.name} did not start: ${coreOf(error)}`,
    evidence: [{ source: `docker inspect ${each.name}: State.Error`, text: error }],
    ...(obstacle === 'port' ? { suspects: [{ service: service.name, code: 'ports/taken' }] } : {}),
    ...(obstacle === 'network' ? { suspects: sameNetworkGone(each, stack) } : {}),
    // They have looked at the file itself.
    ...(obstacle === 'mount' ? { suspects: [{ service: service.name, check: 'mounts' }] } : {}),
    ...(program ? { suspects: [{ service: service.name, check: 'image' }] } : {}),
    values: {
      container: each.name,
      ...(port ? { port: String(port.port), hostPort: String(port.port) } : {}),
      ...(program ? { program } : {}),
    },
  };
};

/** One deleted network keeps every container from starting: the first of them stands for all. */
const sameNetworkGone = (each: Container, { services }: Stack): Suspect[] => {
  const alike = services.filter((service) => service.containers.some((other) => other.state.error === each.state.error));
  return alike
    .slice(
      0,
      alike.findIndex((service) => service.name === each.service),
    )
    .map((service) => ({ service: service.name, code: 'container/network-gone' }));
};

const neverStarted = (each: Container, scene: Scene): Finding => {
  const { service } = scene;
  const waiting = unmetDependencies(each, scene);
  const waits = Object.keys(dependenciesOf(each, service));
  const failed = waiting.some(({ unmet }) => !/^is (starting|running)$/.test(unmet)) ? [] : failedBeside(each, scene.stack);
  // Compose waits while a healthcheck has not spoken yet: no fault so far.
  const starting = failed.length === 0 && waiting.length > 0 && waiting.every(({ unmet }) => unmet === 'is starting');
  const why =
    failed.length > 0
      ? `: Docker could not start ${listed(failed)}, and Compose left the rest`
      : waiting.length > 0
        ? `: ${listed(waiting.map(({ name, unmet }) => `${name} ${unmet}`))}`
        : waits.length > 0
          ? ', though what it depends on is up now'
          : '';
  return {
    reason: 'dependency-failed',
    ...(starting ? { severity: 'warn' } : {}),
    message: `${service.name} was created and never started${why}`,
    evidence: [
      stateOf(each),
      ...waiting.map(({ name, unmet }) => ({ source: `${service.name} depends_on ${name}`, text: `${name} ${unmet}` })),
    ],
    suspects: (failed.length > 0 ? failed : waiting.map(({ name }) => name)).map((name): Suspect => ({ service: name })),
    values: { container: each.name, ...(waits[0] ? { target: waiting[0]?.name ?? waits[0] } : {}) },
  };
};

const dependenciesOf = (each: Container, service: Service) => ({ ...service.spec?.dependsOn, ...each.compose.dependsOn });

const unmetDependencies = (each: Container, { service, stack }: Scene): { name: string; unmet: string }[] =>
  Object.entries(dependenciesOf(each, service)).flatMap(([name, condition]) => {
    const unmet = unmetBy(serviceNamed(stack, name), condition);
    return unmet ? [{ name, unmet }] : [];
  });

/** How a dependency fails its condition, as the end of a sentence; `null` when it holds. */
const unmetBy = (dependency: Service | undefined, condition: DependencyCondition): string | null => {
  const first = dependency?.containers[0];
  if (!dependency || !first) return 'has no container';
  if (condition === 'service_completed_successfully') {
    if (dependency.containers.some((each) => each.state.status === 'exited' && each.state.exitCode === 0)) return null;
    return first.state.status === 'exited' ? `ended with exit code ${first.state.exitCode}` : `is ${first.state.status}`;
  }
  const alive = running(dependency);
  if (alive.length === 0)
    return first.state.status === 'created'
      ? 'was never started'
      : `is ${first.state.status}${first.state.status === 'exited' ? ` (${first.state.exitCode})` : ''}`;
  if (alive.every((each) => isFlapping(each))) return 'keeps ending';
  if (condition === 'service_started') return null;
  if (alive.some((each) => each.health?.status === 'unhealthy')) return 'is unhealthy';
  return alive.some((each) => each.health?.status === 'starting') ? 'is starting' : null;
};

/** A job that is done; a builder that was stopped; a service that says `restart: "no"` and ended well; one that nobody reaches for. */
const endedAsMeant = (each: Container, { service, stack }: Scene): boolean => {
  const { status, exitCode, oomKilled } = each.state;
  if (status !== 'exited' || oomKilled) return false;
  if (service.role === 'build-only' && isStopCode(exitCode)) return true;
  if (exitCode !== 0) return false;
  if (!shouldRun(service) || service.spec?.restart === 'no') return true;
  const inUse = each.portBindings.length > 0 || each.healthcheck !== null || connectionsTo(stack, service.name).length > 0;
  return service.role === 'unknown' && each.restartPolicy === 'no' && !inUse;
};

const ended = (each: Container, scene: Scene): Finding => {
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
  return {
    reason,
    message: `${service.name} ${what}${says}`,
    evidence: [stateOf(each), ...logEvidence(lines, known, service)],
    ...(suspects ? { suspects } : {}),
    ...ownWord(known),
    ...timesOf(each, calm),
    values: { container: each.name, ...programValue(reason, each, known) },
  };
};

const timesWord = (count: number): string => (count === 1 ? 'once' : `${count} times`);

const endReason = ({ service }: Scene, status: Container['state']['status']): string => {
  if (status === 'restarting') return 'restarting';
  return service.role === 'one-shot' ? 'job-failed' : 'exited';
};

/** What another check makes of the line is still of this service. */
const ownWord = (known: KnownError | null): Pick<Finding, 'ownWord'> =>
  known && ['self', 'command', 'format'].includes(known.blame) ? { ownWord: true } : {};

/** Of one that was never restarted: each end of a loop has times of its own. One that was stopped in good order did not fail. */
const timesOf = ({ state }: Container, calm: boolean): Pick<Finding, 'failedAt' | 'well'> => {
  const { status, restartCount, startedAt, finishedAt } = state;
  if (status !== 'exited' || restartCount > 0 || startedAt === null || finishedAt === null) return {};
  return { ...(calm ? {} : { failedAt: finishedAt }), well: { from: startedAt, until: finishedAt } };
};

const saying = (known: KnownError | null): string => (known ? `; its log says: ${known.line}` : '');

/** Stopped in good order, and not started again: Compose starts nothing before what it depends on. */
const notStartedFor = (each: Container, scene: Scene): Suspect[] =>
  unmetDependencies(each, scene).map(({ name }) => ({ service: name, check: 'container' }));

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

const LAST_LINES = 3;

/** The log is of one container: the first that failed. */
const linesOf = (each: Container, { log }: Scene): LogLine[] => (log && log.container === each.name ? log.lines : []);

const logEvidence = (lines: LogLine[], known: KnownError | null, service: Service): Evidence[] => {
  const source = `${service.name} log`;
  if (known) return [{ source: `${source}: ${known.says}`, text: known.line }];
  const texts = lines.map((line) => line.text).filter((text) => text.trim() !== '');
  return unique(texts.slice(-LAST_LINES)).map((text) => ({ source, text }));
};

const flapping = (each: Container, scene: Scene): Finding[] => {
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
  const code = lastEnd ? ` (${explainExitCode(lastEnd.exitCode)})` : '';
  return [
    {
      reason: 'restarting',
      message: `${name} keeps ending${code}: restarted ${timesWord(restartCount)}, last ${up} s ago${saying(known)}`,
      evidence: [...seen, ...logEvidence(lines, known, scene.service)],
      ...(suspects ? { suspects } : {}),
      ...ownWord(known),
      values: { container: each.name },
    },
  ];
};

/** `network_mode: service:x` joins the network namespace that `x` has at that moment; with its next start `x` gets a new one. */
const networkLost = (each: Container, { service, stack }: Scene): Finding[] => {
  const id = /^container:(.+)$/.exec(each.networkMode)?.[1];
  const declared = /^service:(.+)$/.exec(service.spec?.networkMode ?? '')?.[1];
  if (id === undefined || declared === undefined) return [];
  const host = allContainers(stack).find((other) => other.id === id || other.name === id);
  const [now] = running(serviceNamed(stack, declared) ?? service);
  const isGone = host === undefined && now !== undefined && now !== each;
  const isOlder = host !== undefined && isRunning(host) && (host.state.startedAt ?? '') > (each.state.startedAt ?? '9');
  if (!isGone && !isOlder) return [];
  const what = isGone ? 'was made anew' : 'was started again';
  return [
    {
      reason: 'network-lost',
      message: `${service.name} is cut off: it lives in the network that ${declared} had before it ${what}`,
      evidence: [
        { source: `docker inspect ${each.name}: HostConfig.NetworkMode`, text: each.networkMode },
        isGone
          ? { source: `containers of ${declared}`, text: `${now.name}, ${now.id.slice(0, 12)}; none has that id` }
          : {
              source: 'docker inspect',
              text: `${each.name} started ${each.state.startedAt}, ${host!.name} started ${host!.state.startedAt}`,
            },
      ],
      values: { container: each.name, target: declared },
    },
  ];
};

const health = (each: Container, scene: Scene): Finding[] => {
  if (each.health?.status !== 'unhealthy') return [];
  const { service, stack } = scene;
  const probe = each.health.log.at(-1);
  const output = probe?.output.trim() ?? '';
  const evidence: Evidence[] = [
    { source: `healthcheck of ${each.name}`, text: (each.healthcheck?.test ?? []).join(' ') },
    { source: `last probe of ${each.name}: exit code ${probe?.exitCode ?? 'unknown'}`, text: output || 'no output' },
  ];
  const values = { container: each.name };
  const listeners = scene.inside?.container === each.name ? scene.inside.listeners : [];
  const broken = probe ? brokenProbe(probe, listeners) : null;
  if (broken)
    return [
      {
        reason: 'healthcheck-broken',
        message: `the healthcheck of ${service.name} cannot work: ${broken.says}`,
        evidence,
        values: { ...values, ...broken.values },
      },
    ];
  const known = knownErrorIn(linesOf(each, scene), service.role);
  const suspects =
    known && known.blame !== 'self'
      ? suspectsOf(known, service, stack)?.filter((suspect) => suspect.service !== service.name || suspect.check === 'network')
      : undefined;
  const here: Suspect[] = ['hot-reload', 'http-health', 'postgres', 'redis', 'mysql', 'rabbitmq', 'mongodb', 'ports'].map((check) => ({
    service: service.name,
    check,
  }));
  return [
    {
      reason: 'unhealthy',
      message: `${service.name} runs and is unhealthy: ${firstLine(output) || `its probe ends with ${probe?.exitCode ?? 'no answer'}`}${askedElsewhere(each, scene)}`,
      evidence: [...evidence, ...(known ? [{ source: `${service.name} log: ${known.says}`, text: known.line }] : [])],
      // Without a word on somebody else, the explainer looks here first and then along the connections.
      ...(suspects?.length ? { suspects: [...here, ...suspects] } : {}),
      values,
    },
  ];
};

/** The probe names one port, nothing listens there, and the program listens on another. */
const askedElsewhere = (each: Container, { insideFact }: Scene): string => {
  const words = (each.healthcheck?.test ?? []).join(' ');
  const asked = [...words.matchAll(/(?:localhost|127\.0\.0\.1|\]|\$HOSTNAME):(\d{2,5})\b|\s(?:-p|--port)[\s=]*(\d{2,5})\b/g)].map((found) =>
    Number(found[1] ?? found[2]),
  );
  return new Set(asked).size === 1 && insideFact.ok && insideFact.value.container === each.name
    ? listensElsewhere(asked[0]!, insideFact)
    : '';
};

/** Of a traceback the last line says what it is. */
const firstLine = (text: string): string => {
  const lines = text.split('\n').filter((line) => line.trim() !== '');
  const traced = lines.findIndex((line) => /Traceback \(most recent call last\):/.test(line));
  const error = traced < 0 ? undefined : lines.slice(traced + 1).findLast((line) => /^[A-Za-z_][\w.]*(: |$)/.test(line));
  return (error ?? lines[0] ?? '').trim().slice(0, 200);
};

const API_TOO_OLD = /client version [\d.]+ is too old\. Minimum supported API version is [\d.]+/;

const dockerClient = (each: Container, scene: Scene): Finding[] => {
  const line = linesOf(each, scene).findLast(({ text }) => API_TOO_OLD.test(text));
  if (!line) return [];
  return [
    {
      reason: 'docker-client-too-old',
      message: `${scene.service.name} speaks a version of Docker's API that this engine no longer knows: ${API_TOO_OLD.exec(line.text)![0]}`,
      evidence: [{ source: `${scene.service.name} log`, text: line.text }],
      values: { container: each.name, image: each.image },
    },
  ];
};

const childKilled = (each: Container): Finding[] =>
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
