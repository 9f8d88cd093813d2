/** Does the container match the files? Fields are compared, not hashes: a hash differs with the Compose version and the flags, too. */
import { defineCheck, type FindingSpec } from '../model/check.ts';
import { configDrift, envDrift, firstOf, imageDrift, mountDrift, softened } from './compose-service/drift.ts';
import { alteredValues, credentialConflicts, dataPath, nameTaken } from './compose-service/values.ts';

const cause = (means: string, proof: string): FindingSpec => ({ severity: 'fail', layer: 'compose', kind: 'cause', means, proof });
const drift = (of: 'value' | 'made', means: string, proof: string): FindingSpec => ({ ...cause(means, proof), drift: of });

export const composeService = defineCheck({
  id: 'compose',
  title: 'The container matches the compose files',
  question: 'Does what runs match what the compose files say, and do their values agree with each other?',
  needs: ['project', 'images', 'making'],
  peerNeeds: ['postgres', 'redis', 'making'],
  onFiles: ['project', 'making'],
  after: ['engine', 'compose'],
  appliesTo: (service) => service.spec !== null,
  findings: {
    'postgres-data-path': cause(
      'From version 18 on, the Postgres images refuse a mount at /var/lib/postgresql/data.',
      'PG_MAJOR of the container (or the tag of the image), and a mount with that destination.',
    ),
    'env-drift': drift(
      'value',
      'The container runs with other environment values than the compose files give now.',
      'The values in `Config.Env` of the container, against the resolved files.',
    ),
    'image-drift': drift(
      'made',
      'The container runs another image than its reference names now.',
      'The image id of the container, against the id of the reference.',
    ),
    'mount-drift': drift(
      'made',
      'The container has other mounts than the compose files declare.',
      '`Mounts` of the container, against the resolved files.',
    ),
    'config-drift': drift(
      'made',
      'The container was created with other ports, command or entry point than the compose files declare.',
      '`HostConfig.PortBindings`, `Config.Cmd` and `Config.Entrypoint` of the container, against the resolved files.',
    ),
    'credentials-conflict': {
      severity: 'warn',
      layer: 'compose',
      kind: 'cause',
      means: 'The credentials that the client is given contradict those that the server is set up with.',
      proof: 'The environment of both containers; passwords are compared by their marks. Nobody has logged in with them.',
    },
    'dollar-in-value': {
      severity: 'warn',
      layer: 'compose',
      kind: 'cause',
      means:
        'A `$` in a value was taken for the begin of a variable, so that a piece of the value is missing; a failure where nobody can log in with it.',
      proof: 'The line that holds the value, and the warning of `docker compose config` that names the piece as an unset variable.',
    },
    'comment-in-value': {
      severity: 'warn',
      layer: 'compose',
      kind: 'cause',
      means: 'A ` #` in a secret of an env file was taken for the begin of a comment; a failure where nobody can log in with it.',
      proof: 'The line of the env file, unquoted, with a `#` that no blank follows.',
    },
    'shell-overrides': {
      severity: 'warn',
      layer: 'compose',
      kind: 'cause',
      means:
        'The shell exports a variable with another value than the one in `.env`, and the shell comes first; a failure where nobody can log in with it.',
      proof:
        'The value of the environment that the doctor was called in, against the line of `.env`; values are compared, and never shown.',
    },
    'name-taken': cause(
      'The name that the files give to the container is that of a container of another project.',
      'The service has no container, and a container of that `container_name` has the label of another project.',
    ),
  },
  evaluate({ service, stack, facts, peers }) {
    const lines = (facts.making.ok && facts.making.value?.lines) || {};
    const conflicts = [
      ...credentialConflicts(service, stack, peers, lines),
      ...(facts.making.ok && facts.making.value ? nameTaken(service, facts.making.value, lines) : []),
      ...(facts.project.ok ? alteredValues(service, stack, facts.project.value, peers) : []),
    ];
    if (!facts.project.ok) return conflicts.length > 0 ? { findings: conflicts } : { cannotLook: facts.project.reason };
    const { spec } = service;
    if (!spec) return { skip: `${service.name} is in none of the compose files that were read` };
    const project = facts.project.value;
    const images = facts.images.ok ? facts.images.value : [];
    const findings = [
      ...dataPath(service, spec, lines),
      ...firstOf(service.containers, (container) => envDrift(container, spec, project)),
      ...firstOf(service.containers, (container) => imageDrift(container, spec, stack, images)),
      ...firstOf(service.containers, (container) => mountDrift(container, spec, project)),
      ...firstOf(service.containers, (container) => configDrift(container, spec, project)),
    ].flatMap((finding) => softened(finding, service, project));
    if (findings.length + conflicts.length > 0) return { findings: [...findings, ...conflicts] };
    if (service.containers.length === 0) return { skip: `${service.name} has no container to compare` };
    if (!facts.images.ok) return { cannotLook: facts.images.reason };
    return { findings };
  },
});
