/** Did it start at the right time: not before what it needs was ready, and not waiting for ever? */
import { serviceAt } from '../model/addresses.ts';
import { secondsSince } from '../model/age.ts';
import { defineCheck, type Evidence, type Finding, type FindingSpec } from '../model/check.ts';
import { namesFor, nameTable } from '../model/connections.ts';
import { failedBeside, isFlapping, keepsFailing } from '../model/crash-loop.ts';
import { commandsOf } from '../model/command-line.ts';
import type { InsideFact, LogLine, MakingFact } from '../model/facts.ts';
import { placeOf } from '../model/project-files.ts';
import { knownErrorIn, type KnownError } from '../model/log-signatures.ts';
import { isAddress } from '../model/routes.ts';
import {
  connectionsFrom,
  isRunning,
  running,
  serviceNamed,
  type Container,
  type DependencyCondition,
  type Service,
  type Stack,
} from '../model/stack.ts';

const cause = (means: string, proof: string): FindingSpec => ({ severity: 'fail', layer: 'compose', kind: 'cause', means, proof });

export const startOrder = defineCheck({
  id: 'start-order',
  title: 'It starts in the right order',
  question: 'Did the service start when what it needs was ready?',
  needs: ['containers', 'logs', 'inside', 'making'],
  onFiles: ['making'],
  // Not after `container`: a start at the wrong time is why it does not run.
  after: ['engine', 'compose'],
  appliesTo: () => true,
  findings: {
    'too-early': cause(
      'It was started before what it needs was ready, and ended instead of waiting.',
      'The log names the other side; that one runs now, had just been started then, and `depends_on` does not wait for its health.',
    ),
    'healthy-too-early': cause(
      'It waited for a healthcheck that passes before the server takes connections over the network.',
      'As with a start too early; the healthcheck asks the socket file, which a temporary server of the first start has, too.',
    ),
    'not-awaited': {
      ...cause(
        'Its command begins with a tool that asks the database once and ends when nobody answers, and nothing makes it wait for the database.',
        'The command, with no entry point before it; no `restart:`; and a `depends_on` that does not wait for health.',
      ),
      severity: 'warn',
    },
    'gave-up-waiting': cause(
      'What it needs took longer to become healthy than its healthcheck allows, so that Compose did not start this one.',
      'The container was created together with the other and never started; the other is healthy now.',
    ),
    'waits-in-vain': {
      severity: 'fail',
      layer: 'app',
      kind: 'symptom',
      means: 'Its start script still waits for something, and the program has not begun.',
      proof: 'The last lines of the log say so, again and again, and nothing listens in the container.',
    },
  },
  evaluate({ service, stack, facts, now }) {
    const container = service.containers.find((each) => !isRunning(each)) ?? service.containers[0];
    if (!container) {
      const findings = facts.making.ok && facts.making.value ? notAwaited(service, stack, facts.making.value) : [];
      return findings.length > 0 ? { findings } : { skip: `${service.name} has no container` };
    }
    const scene: Scene = {
      service,
      stack,
      container,
      log: facts.logs.ok && facts.logs.value.container === container.name ? facts.logs.value.lines : [],
      inside: facts.inside.ok && facts.inside.value.container === container.name ? facts.inside.value : null,
      now,
    };
    const findings = [...tooEarly(scene), ...gaveUpWaiting(scene), ...waitsInVain(scene)].slice(0, 1);
    if (findings.length > 0) return { findings };
    return facts.logs.ok ? { findings } : { cannotLook: facts.logs.reason };
  },
});

interface Scene {
  service: Service;
  stack: Stack;
  container: Container;
  log: LogLine[];
  inside: InsideFact | null;
  now: string;
}

const dependenciesOf = ({ container, service }: Scene): Record<string, DependencyCondition> => ({
  ...service.spec?.dependsOn,
  ...container.compose.dependsOn,
});

/** They ask once; none of them waits by itself. */
const ASKS_ONCE =
  /^(alembic|(?:flask|prisma|drizzle-kit|knex|sequelize|sequelize-cli|typeorm|rails|rake|python[\d.]*|manage\.py|psql|createdb|dbmate|goose|migrate)\b.*\b(?:migrate|db|upgrade|up|migration:run|-c|-f)\b)/;
/** Flags and tools with which they do wait. */
const WAITS = /wait|until|retry|retries|sleep|dockerize/i;

const notAwaited = ({ name, spec }: Service, stack: Stack, { command, lines = {} }: MakingFact): Finding[] => {
  if (!spec || !command || !/^(no)?$/.test(spec.restart ?? '')) return [];
  const first = commandsOf(command)[0]?.join(' ') ?? '';
  if (!ASKS_ONCE.test(first) || WAITS.test(command.join(' '))) return [];
  const servers = connectionsFrom(stack, name).flatMap(({ to, kind }) =>
    to !== null && (kind === 'postgres' || kind === 'mysql') && (spec.dependsOn[to] ?? 'service_started') === 'service_started' ? [to] : [],
  );
  const [server] = servers;
  const target = server === undefined ? undefined : serviceNamed(stack, server);
  if (server === undefined || !target || target.containers.some(isRunning)) return [];
  const at = lines[`depends_on ${server}`] ?? lines['command'] ?? lines['service'];
  const how = spec.dependsOn[server] === undefined ? 'has no depends_on for it' : 'its depends_on does not wait for health';
  return [
    {
      reason: 'not-awaited',
      message: `${name} begins with \`${first}\`, which asks ${server} once, and ${how}${at ? ` (${placeOf(at)})` : ''}`,
      evidence: [
        { source: at ? placeOf(at) : `${name}: depends_on ${server}`, text: spec.dependsOn[server] ?? 'not there' },
        { source: `command of ${name}`, text: command.join(' ') },
      ],
      values: { target: server, client: name },
    },
  ];
};

/** What a server needs at most, from its start, to take connections. */
const READY_SECONDS = 60;
/** Of what Compose makes and starts in one go. */
const TOGETHER_SECONDS = 5;

/** Ended by itself, for good, over somebody who runs now and had just begun then. */
const tooEarly = (scene: Scene): Finding[] => {
  const { container, service, stack, log } = scene;
  const { status, finishedAt } = container.state;
  if (status !== 'exited' || !keepsFailing(container) || !finishedAt) return [];
  const known = knownErrorIn(log, service.role);
  if (!known || !isUnready(known)) return [];
  const other = othersOf(known, scene).find((each) => {
    const youngest = running(each)[0];
    const began = youngest && !isFlapping(youngest) ? youngest.state.startedAt : null;
    return began !== null && began !== undefined && secondsSince(began, finishedAt) < READY_SECONDS;
  });
  const server = other && running(other)[0];
  if (!other || !server || serviceNamed(stack, other.name) !== other) return [];
  const condition = dependenciesOf(scene)[other.name];
  const trusting = condition === 'service_healthy';
  if (trusting && !isFooledAtFirst(server)) return [];
  const seconds = Math.round(secondsSince(server.state.startedAt, finishedAt));
  const when = seconds >= 0 ? `${seconds} s after the start of ${other.name}` : `before ${other.name} was started`;
  const evidence: Evidence[] = [
    { source: `docker inspect ${container.name}: State.FinishedAt`, text: finishedAt },
    { source: `docker inspect ${server.name}: State.StartedAt`, text: `${server.state.startedAt ?? 'unknown'}, running` },
    { source: `${service.name} log`, text: known.line },
    trusting
      ? { source: `healthcheck of ${server.name}`, text: (server.healthcheck?.test ?? []).join(' ') }
      : { source: `${service.name}: depends_on ${other.name}`, text: condition ?? 'not there' },
  ];
  return [
    {
      reason: trusting ? 'healthy-too-early' : 'too-early',
      message: trusting
        ? `${service.name} ended ${when}, which its healthcheck called healthy before it took connections`
        : `${service.name} ended ${when}, and did not wait until that was ready`,
      evidence,
      values: { container: container.name, target: other.name, client: service.name },
    },
  ];
};

const isUnready = ({ id, blame }: KnownError): boolean =>
  blame === 'name' || blame === 'connection' || id === 'postgres-starting' || id === 'redis-loading';

const othersOf = ({ host, blame }: KnownError, { service, stack }: Scene): Service[] => {
  // Drivers name the address that the name had then; whose it was is known while that one still has it.
  const owner = host !== null && isAddress(host) ? serviceAt(stack, host) : undefined;
  if (owner) return [owner];
  const byAddress = host !== null && isAddress(host);
  // A name that nobody has is no matter of waiting.
  if (blame === 'name' && host !== null && !namesFor(service, nameTable(stack.services)).has(host)) return [];
  const connections = connectionsFrom(stack, service.name).filter(
    (each) =>
      each.to !== null &&
      (host === null || byAddress || each.host === host || each.kind === 'depends-on') &&
      (blame !== 'postgres' || each.kind === 'postgres'),
  );
  const named = host === null ? undefined : serviceNamed(stack, host);
  return [...(named ? [named] : []), ...connections.flatMap((each) => serviceNamed(stack, each.to!) ?? [])];
};

/** Without a host the tool asks the socket file, and the images' temporary server of the first start has that alone. */
const isFooledAtFirst = ({ healthcheck }: Container): boolean => {
  const test = (healthcheck?.test ?? []).join(' ');
  if (/pg_isready/.test(test)) return !/\s(-h|--host)\b/.test(test);
  return /mysqladmin.*\bping\b|mariadb-admin.*\bping\b/.test(test) && !/\s(-h\s*|--host[= ])(?!localhost\b)\S/.test(test);
};

const gaveUpWaiting = (scene: Scene): Finding[] => {
  const { container, service, stack } = scene;
  if (container.state.status !== 'created' || container.state.error !== '' || failedBeside(container, stack).length > 0) return [];
  const awaited = Object.entries(dependenciesOf(scene)).filter(([, condition]) => condition === 'service_healthy');
  const others = awaited.flatMap(([name]) => serviceNamed(stack, name)?.containers[0] ?? []);
  if (others.length === 0 || !others.every((each) => isRunning(each) && each.health?.status === 'healthy')) return [];
  // What still does not hold is why, whatever else took its time.
  if (Object.entries(dependenciesOf(scene)).some(([name, condition]) => !holds(serviceNamed(stack, name)?.containers ?? [], condition)))
    return [];
  const slow = others.find(
    (each) =>
      each.healthcheck !== null && Math.abs(secondsSince(container.createdAt, each.createdAt)) < TOGETHER_SECONDS && !isStartedTwice(each),
  );
  if (!slow?.healthcheck) return [];
  const { startPeriodMs, intervalMs, retries } = slow.healthcheck;
  const allowed = Math.round((startPeriodMs + intervalMs * retries) / 1000);
  return [
    {
      reason: 'gave-up-waiting',
      message: `${service.name} was never started: ${slow.service} is healthy now, and was not within the ${allowed} s that its healthcheck allows`,
      evidence: [
        { source: `docker inspect ${container.name}`, text: `created ${container.createdAt}, never started` },
        {
          source: `docker inspect ${slow.name}: State.Health`,
          text: `healthy; start_period ${startPeriodMs / 1000} s, interval ${intervalMs / 1000} s, ${retries} retries`,
        },
      ],
      values: { container: container.name, target: slow.service, client: service.name },
    },
  ];
};

const holds = (containers: Container[], condition: DependencyCondition): boolean =>
  condition === 'service_completed_successfully'
    ? containers.some(({ state }) => state.status === 'exited' && state.exitCode === 0)
    : containers.some((each) => isRunning(each) && !isFlapping(each));

/** Its present start is not the one that was waited for. */
const isStartedTwice = ({ createdAt, state }: Container): boolean =>
  state.restartCount > 0 || secondsSince(createdAt, state.startedAt ?? createdAt) > READY_SECONDS;

const WAITING =
  /\bwait(?:ing)?(?:-for-it)?\b.{0,40}\b(?:for|until|on)\b|\b(?:is|are) (?:not (?:yet )?(?:ready|available|reachable|up)|unavailable)\b|\bsleeping\b/i;
const WAITING_SECONDS = 20;
const REPEATED = 3;

const waitsInVain = ({ container, service, stack, log, inside, now }: Scene): Finding[] => {
  if (!isRunning(container) || isFlapping(container) || secondsSince(container.state.startedAt, now) < WAITING_SECONDS) return [];
  const last = log.filter(({ text }) => text.trim() !== '').slice(-REPEATED);
  if (last.length < REPEATED || !last.every(({ text }) => WAITING.test(text)) || inside === null || inside.listeners.length > 0) return [];
  const line = last.at(-1)!.text;
  const named = stack.services.filter(
    (each) => each.name !== service.name && new RegExp(`(?<![\\w.-])${each.name.replaceAll('.', '\\.')}(?![\\w-])`).test(line),
  );
  return [
    {
      reason: 'waits-in-vain',
      message: `${service.name} still waits, and its program has not begun: ${line}`,
      evidence: [
        { source: `${service.name} log`, text: line },
        { source: `listening sockets inside ${service.name}`, text: 'none' },
      ],
      suspects: [{ service: service.name, check: 'network' }, ...named.map((each) => ({ service: each.name }))],
      values: { container: container.name, ...(named[0] ? { target: named[0].name } : {}) },
    },
  ];
};
