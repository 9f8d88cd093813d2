/** The project as a whole: do its files load, with every variable set, and is it up, alone under its name? */
import { secondsSince } from '../model/age.ts';
import { listed, withVerb } from '../model/attempt.ts';
import { defineStackCheck, type Evidence, type Finding } from '../model/check.ts';
import { isStopCode } from '../model/exit-code.ts';
import type { ProjectFact } from '../model/facts.ts';
import { absentFiles, placeOf, plainPath, samePath } from '../model/project-files.ts';
import { isSecretName } from '../model/secrets.ts';
import { commandLine, connectionsFrom, serviceNamed, shouldRun, spokenBy, type Container, type Stack } from '../model/stack.ts';

export const compose = defineStackCheck({
  id: 'compose',
  title: 'The project loads and is up',
  question: 'Do the compose files load with every variable set, and are their containers the ones that exist?',
  needs: ['project', 'containers'],
  onFiles: ['project'],
  after: ['engine'],
  findings: {
    invalid: {
      severity: 'fail',
      layer: 'compose',
      kind: 'cause',
      means: 'Compose cannot load the compose files.',
      proof: 'The error of `docker compose config`, with file and line where it names them.',
    },
    'required-variable': {
      severity: 'fail',
      layer: 'compose',
      kind: 'cause',
      means: 'A variable that the compose files require has no value.',
      proof: 'The error of `docker compose config` that names the variable.',
    },
    'env-file-missing': {
      severity: 'fail',
      layer: 'compose',
      kind: 'cause',
      means: 'An env file that the compose files name does not exist.',
      proof: 'The error of `docker compose config` that names the file.',
    },
    'variable-unset': {
      severity: 'warn',
      layer: 'compose',
      kind: 'cause',
      means: 'A variable is not set, and Compose put a blank in its place; a failure where the blank is a credential that is in use.',
      proof: 'The warning of `docker compose config`, and the keys of the services that the blank went to.',
    },
    'profile-inactive': {
      severity: 'fail',
      layer: 'compose',
      kind: 'cause',
      means: 'A service depends on one whose profile is not active, so that Compose refuses the whole project.',
      proof: 'The `depends_on` of the one, the `profiles` of the other, and the profiles that are active.',
    },
    'half-recreated': {
      severity: 'warn',
      layer: 'compose',
      kind: 'cause',
      means: 'Compose was broken off while it made a container anew: the former one lies there under a name of its making.',
      proof: 'A container of the project whose name is twelve hexadecimal digits before the name of another.',
    },
    'one-off-left': {
      severity: 'warn',
      layer: 'compose',
      kind: 'cause',
      means: 'A container of `docker compose run` runs what its service runs, beside it, since long ago.',
      proof: 'The label `com.docker.compose.oneoff`, the same command as that of the service, and its start.',
    },
    'not-up': {
      severity: 'fail',
      layer: 'compose',
      kind: 'cause',
      passes: true,
      blocks: true,
      means: 'Services should run and the project has no containers, or all of them were stopped.',
      proof: 'The list of the containers with the label of the project.',
    },
    'name-collision': {
      severity: 'warn',
      layer: 'compose',
      kind: 'cause',
      means: 'Two folders use the same project name, so each takes the other’s containers for its own.',
      proof: 'Containers with the label of the project whose `working_dir` labels differ.',
    },
    orphans: {
      severity: 'warn',
      layer: 'compose',
      kind: 'cause',
      means: 'Containers of the project belong to no service of the compose files.',
      proof: 'The service label of the container, and the list of declared services.',
    },
  },
  evaluate({ stack, facts, now }) {
    const containers = facts.containers.ok ? facts.containers.value.filter((each) => !each.oneOff) : null;
    const project = facts.project.ok ? facts.project.value : null;
    const findings = [
      ...(project?.error ? [loadError(project.error, project.loadedBy)] : []),
      ...(project ? [...unsetVariables(project, stack), ...behindProfile(project)] : []),
      ...(containers ? [...notUp(containers, stack), ...strangers(containers, project, stack), ...halfRecreated(containers)] : []),
      ...oneOffs(stack, now),
    ];
    if (findings.length > 0) return { findings };
    if (!facts.project.ok) return { cannotLook: facts.project.reason };
    if (!facts.containers.ok) return { cannotLook: facts.containers.reason };
    return { findings };
  },
});

const loadError = (error: NonNullable<ProjectFact['error']>, loadedBy: ProjectFact['loadedBy']): Finding => {
  const source = loadedBy === 'compose' ? 'docker compose config' : 'a plain reading, without the Compose CLI';
  const evidence: Evidence[] = [{ source, text: error.message }];
  const values = {
    file: error.file,
    ...(error.line === null ? {} : { line: String(error.line) }),
    ...(error.variable ? { variable: error.variable } : {}),
  };
  const place = error.file ? ` (${placeOf(error)})` : '';
  switch (error.kind) {
    case 'required-variable':
      return {
        reason: 'required-variable',
        message: `the required variable ${error.variable ?? ''} has no value${place}`.replace('  ', ' '),
        evidence,
        values,
      };
    case 'env-file-missing':
      return {
        reason: 'env-file-missing',
        message: `the env file that the project names does not exist: ${error.message}`,
        evidence,
        values,
      };
    default:
      return { reason: 'invalid', message: `the compose files do not load${place}: ${error.message}`, evidence, values };
  }
};

/** All in one finding: they are mostly one missing .env. The first to be named is one that hurts. */
const unsetVariables = (project: ProjectFact, stack: Stack): Finding[] => {
  // No variables at all, but pieces of a value with a `$` in it: the service's own check has them.
  const pieces = new Set((project.altered ?? []).flatMap((each) => (each.how === 'dollar' ? [each.variable] : [])));
  const variables = [...new Set([...project.unsetVariables, ...project.blanks].map((each) => each.variable))].filter(
    (name) => !pieces.has(name),
  );
  if (variables.length === 0) return [];
  const harmful = project.blanks
    .filter((blank) => variables.includes(blank.variable) && isCredentialInUse(blank, stack))
    .map((blank) => blank.variable);
  const sorted = [...new Set([...harmful, ...variables])];
  const used = project.blanks
    .filter((blank) => (harmful.length > 0 ? harmful : variables).includes(blank.variable))
    .map((blank) => `${blank.service}.${blank.key}`);
  const places = project.unsetVariables.find((each) => each.variable === sorted[0]);
  return [
    {
      reason: 'variable-unset',
      ...(harmful.length > 0 ? { severity: 'fail' } : {}),
      message: `${withVerb(sorted, 'is', 'are')} not set, so that ${used.length > 0 ? `${listed(used)} got` : 'Compose put in'} a blank`,
      evidence: sorted.map((variable) => {
        const place = project.unsetVariables.find((each) => each.variable === variable);
        return { source: place ? placeOf(place) : 'docker compose config', text: `the variable ${variable} is not set` };
      }),
      values: {
        variable: sorted[0]!,
        ...(places ? { file: places.file, ...(places.line === null ? {} : { line: String(places.line) }) } : {}),
      },
    },
  ];
};

/** A blank key of some outside service may be meant so; one that a server is set up with, or a client logs in with, is not. */
const isCredentialInUse = ({ variable, service: name, key }: ProjectFact['blanks'][number], stack: Stack): boolean => {
  const loginKey = connectionsFrom(stack, name).some((connection) => connection.to !== null && connection.source === `env ${key}`);
  if (loginKey) return isSecretName(variable) || isSecretName(key) || /user|name|database|_db$/i.test(variable);
  if (!isSecretName(key) && !isSecretName(variable)) return false;
  const service = serviceNamed(stack, name);
  if (!service || !shouldRun(service)) return false;
  const sibling = connectionsFrom(stack, name).some((connection) => connection.to !== null && samePrefix(connection.source, key));
  return spokenBy(service.role) !== null || sibling || service.containers.some((each) => each.state.status !== 'running');
};

/** `env DB_HOST` and `DB_PASSWORD`: parts of one connection. */
const samePrefix = (source: string, key: string): boolean => {
  const prefix = /^env (.+_)HOST(?:NAME)?$/.exec(source)?.[1];
  return prefix !== undefined && key.startsWith(prefix);
};

/** With each of these `docker compose up` ends before the stack is there. */
const KEEPS_IT_DOWN = [
  'host/no-free-subnet',
  'compose/profile-inactive',
  'compose/required-variable',
  'image/build-input-missing',
  'mounts/source-missing',
  'compose/name-taken',
  'ports/published-twice',
  'ports/taken',
];

const notUp = (containers: Container[], stack: Stack): Finding[] => {
  const expected = stack.services.filter((service) => service.spec !== null && shouldRun(service));
  if (expected.length === 0) return [];
  const values = { project: stack.project };
  if (containers.length === 0) {
    const text = `none with the label com.docker.compose.project=${stack.project}`;
    const message = `no container of project ${stack.project} exists; ${listed(expected.map((each) => each.name))} should run`;
    const suspects = KEEPS_IT_DOWN.map((code) => ({ code }));
    return [{ reason: 'not-up', message, evidence: [{ source: 'containers of the engine', text }], suspects, values }];
  }
  const own = expected.flatMap((service) => service.containers);
  if (!stoppedTogether(own, expected.length)) return [];
  const evidence = own.map((each) => ({
    source: `docker inspect ${each.name}: State`,
    text: `exited (${each.state.exitCode}) at ${each.state.finishedAt ?? 'an unknown time'}`,
  }));
  return [{ reason: 'not-up', message: `all ${own.length} containers of project ${stack.project} are stopped`, evidence, values }];
};

/** `docker compose stop`, or the machine went down: all ended within a minute, each as a stop ends a program. */
const TOGETHER_MS = 60_000;

const stoppedTogether = (containers: Container[], services: number): boolean => {
  if (services < 2 || containers.length < services) return false;
  const ends = containers.map((each) => Date.parse(each.state.finishedAt ?? ''));
  const asStopped = containers.every(
    ({ state }) =>
      state.status === 'exited' &&
      state.error === '' &&
      !state.oomKilled &&
      (state.exitCode === 0 || state.exitCode === 255 || isStopCode(state.exitCode)),
  );
  return asStopped && Math.max(...ends) - Math.min(...ends) <= TOGETHER_MS;
};

/** One folder may have two paths by a symbolic link: the same last two names are taken for that, unless the containers disagree. */
const foreignTo = (workingDir: string, containers: Container[]): Container[] => {
  const known = containers.filter((each) => each.compose.workingDir !== '');
  const foreign = known.filter((each) => workingDir !== '' && !samePath(each.compose.workingDir, workingDir));
  const disagree = known.some((each) => !samePath(each.compose.workingDir, known[0]!.compose.workingDir));
  return disagree ? foreign : foreign.filter((each) => lastNames(each.compose.workingDir) !== lastNames(workingDir));
};

const lastNames = (path: string): string => plainPath(path).split('/').slice(-2).join('/');

/** Containers of another folder explain orphans; a container from compose files that were not read now is no orphan at all. */
const strangers = (containers: Container[], project: ProjectFact | null, stack: Stack): Finding[] => {
  const elsewhere = foreignTo(stack.workingDir, containers);
  if (elsewhere.length > 0) {
    const folders = [...new Set(elsewhere.map((each) => each.compose.workingDir))];
    return [
      {
        reason: 'name-collision',
        message: `${withVerb(
          elsewhere.map(({ name }) => name),
          'comes',
          'come',
        )} from ${listed(folders)}, not from ${stack.workingDir}`,
        evidence: elsewhere.map((each) => ({ source: `docker inspect ${each.name}: label working_dir`, text: each.compose.workingDir })),
        values: { project: stack.project, path: folders[0]!, container: elsewhere[0]!.name },
      },
    ];
  }
  if (!project?.services) return [];
  const declared = new Set(project.services.map((spec) => spec.name));
  const orphans = containers.filter((each) => !declared.has(each.service) && absentFiles(each, project).length === 0);
  if (orphans.length === 0) return [];
  return [
    {
      reason: 'orphans',
      message: `${withVerb(
        orphans.map(({ name }) => name),
        'belongs',
        'belong',
      )} to no service that the compose files declare`,
      evidence: orphans.map((each) => ({ source: `docker inspect ${each.name}`, text: `service "${each.service}", ${each.state.status}` })),
      values: { project: stack.project, container: orphans[0]!.name },
    },
  ];
};

/** The files are loaded with every profile, lest a service be unknown here; Compose itself does not do that. */
const behindProfile = ({ services }: ProjectFact): Finding[] => {
  const inactive = new Map((services ?? []).flatMap((each) => (each.active ? [] : [[each.name, each.profiles] as const])));
  const waiting = (services ?? []).flatMap((each) =>
    each.active
      ? Object.keys(each.dependsOn).flatMap((on) => (inactive.has(on) && !each.optional?.includes(on) ? [{ name: each.name, on }] : []))
      : [],
  );
  const [first] = waiting;
  if (!first) return [];
  return [
    {
      reason: 'profile-inactive',
      message: `${first.name} depends on ${first.on}, which is behind profile ${listed(inactive.get(first.on)!)}, and that is not active: Compose refuses the project`,
      evidence: waiting.map(({ name, on }) => ({ source: `${name}: depends_on`, text: `${on}, profiles: ${listed(inactive.get(on)!)}` })),
      values: { client: first.name, target: first.on },
    },
  ];
};

/** `3f1b…_p-db-1`: Compose takes the former container out of the way by its name, and removes it at the end. */
const halfRecreated = (containers: Container[]): Finding[] => {
  const left = containers.filter(({ name }) => /^[0-9a-f]{12}_./.test(name));
  if (left.length === 0) return [];
  return [
    {
      reason: 'half-recreated',
      message: `${withVerb(
        left.map(({ name }) => name),
        'is',
        'are',
      )} left from a recreate that was broken off`,
      evidence: left.map((each) => ({
        source: `docker inspect ${each.name}`,
        text: `service "${each.service}", ${each.state.status}, made by Compose ${each.compose.version || 'of an unknown version'}`,
      })),
      values: { container: left[0]!.name },
    },
  ];
};

/** Long enough not to be somebody's present work. */
const LEFT_SECONDS = 3_600;

const oneOffs = (stack: Stack, now: string): Finding[] => {
  const left = stack.oneOffs.filter(
    (each) =>
      each.state.status === 'running' &&
      secondsSince(each.state.startedAt, now) > LEFT_SECONDS &&
      serviceNamed(stack, each.service)?.containers.some((own) => commandLine(own) === commandLine(each)),
  );
  const [first] = left;
  if (!first) return [];
  return [
    {
      reason: 'one-off-left',
      message: `${first.name}, of a \`docker compose run\`, has run beside ${first.service} since ${first.state.startedAt}, with the same command`,
      evidence: left.map((each) => ({
        source: `docker inspect ${each.name}: label oneoff`,
        text: `True, running since ${each.state.startedAt}`,
      })),
      values: { container: first.name, target: first.service },
    },
  ];
};
