/** Why a container does not exist, or never started. */
import { WHILE_STARTING } from '../../model/age.ts';
import { listed } from '../../model/attempt.ts';
import type { Finding, Suspect } from '../../model/check.ts';
import { failedBeside, isFlapping } from '../../model/crash-loop.ts';
import { type Container, type DependencyCondition, running, type Service, serviceNamed, type Stack } from '../../model/stack.ts';
import { coreOf, obstacleOf, portWanted, programIn, type StartObstacle } from '../../model/start-error.ts';
import { type Scene, stateOf } from './scene.ts';

export const missing = (service: Service): Finding => ({
  reason: 'missing',
  message: `${service.name} should run and has no container`,
  evidence: [{ source: 'containers of the project', text: `none with the label com.docker.compose.service=${service.name}` }],
  suspects: [
    { service: service.name, code: 'compose/name-taken' },
    { service: service.name, check: 'image' },
  ],
});

const START_REASONS: Record<StartObstacle, string> = {
  port: 'start-failed',
  mount: 'mount-failed',
  network: 'network-gone',
  'not-found': 'command-not-found',
  'not-executable': 'not-executable',
  other: 'start-failed',
};

export const startError = (each: Container, { service, stack }: Scene): Finding => {
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

export const neverStarted = (each: Container, scene: Scene): Finding => {
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
    ...(starting ? WHILE_STARTING : {}),
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

/** Stopped in good order, and not started again: Compose starts nothing before what it depends on. */
export const notStartedFor = (each: Container, scene: Scene): Suspect[] =>
  unmetDependencies(each, scene).map(({ name }) => ({ service: name, check: 'container' }));
