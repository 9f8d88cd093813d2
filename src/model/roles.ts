/** What a service is, from evidence: the program it runs, its image, what it listens on, how others wait for it. Names count least. */
import type { Container, DependencyCondition, Role, ServiceSpec } from './stack.ts';

export interface RoleEvidence {
  spec: ServiceSpec | null;
  containers: Container[];
  /** How other services wait for this one. */
  awaitedAs: DependencyCondition[];
}

interface Judgement {
  role: Role;
  reason: string;
}

/** First match wins: the program itself outranks the image's name, which outranks hints. */
export const roleOf = (evidence: RoleEvidence): Judgement => {
  const line = wholeCommand(evidence);
  const image = evidence.containers[0]?.image ?? evidence.spec?.image ?? '';
  const exposed = evidence.containers[0]?.exposedPorts ?? [];
  if (evidence.awaitedAs.includes('service_completed_successfully')) {
    return { role: 'one-shot', reason: 'another service waits for it with service_completed_successfully' };
  }
  return (
    byProgram(line) ??
    byImage(image) ??
    idle(line, evidence) ??
    finishedJob(line, evidence) ??
    byHints(line, evidence, exposed) ?? { role: 'unknown', reason: 'nothing tells: no known program, image, port or healthcheck' }
  );
};

const wholeCommand = ({ spec, containers }: RoleEvidence): string => {
  const container = containers[0];
  const parts = container ? [...container.entrypoint, ...container.command] : [...(spec?.entrypoint ?? []), ...(spec?.command ?? [])];
  return parts.join(' ');
};

/** A program's name as a word of the command line, with or without its path. */
const program = (names: string): RegExp => new RegExp(`(?:^|[\\s/"'=])(?:${names})(?=$|[\\s"';:])`);

const PROGRAMS: [Role, RegExp][] = [
  ['postgres', program('postgres|postmaster|pg_ctl')],
  ['redis', program('redis-server|valkey-server|keydb-server|dragonfly')],
  ['worker', program('taskiq worker|taskiq scheduler|celery|rq worker|rqworker|arq|dramatiq|huey_consumer(?:\\.py)?|sidekiq|resque|good_job|solid_queue')],
  ['nginx', program('nginx|openresty')],
  ['http', program('uvicorn|gunicorn|hypercorn|daphne|granian|waitress-serve|fastapi|flask|puma|rails|unicorn|vite|next|nuxt|astro dev|nodemon|http-server|serve|php -S|caddy|traefik|httpd|apache2-foreground')],
  ['http', /manage\.py runserver|mix phx\.server|python3? -m http\.server|artisan serve/],
];

const byProgram = (line: string): Judgement | null => {
  const found = PROGRAMS.find(([, pattern]) => pattern.test(line));
  return found ? { role: found[0], reason: `runs \`${line.length > 60 ? `${line.slice(0, 57)}…` : line}\`` } : null;
};

const IMAGES: [Role, RegExp][] = [
  ['postgres', /^(postgres|postgresql|postgis|timescaledb(-ha)?|pgvector|paradedb|supabase-postgres|citus|alloydbomni)$/],
  ['redis', /^(redis|redis-stack(-server)?|valkey|keydb|dragonfly)$/],
  ['nginx', /^(nginx(-unprivileged|-light)?|openresty)$/],
];

const byImage = (image: string): Judgement | null => {
  const segments = image.replace(/@.*$/, '').replace(/:[^/]*$/, '').split('/');
  const name = segments.at(-1) ?? '';
  const found = IMAGES.find(([, pattern]) => pattern.test(name) || (name === 'postgres' && segments.includes('supabase')));
  return found ? { role: found[0], reason: `image ${image}` } : null;
};

/** A container that only waits to be exec'ed into. */
const idle = (line: string, { spec }: RoleEvidence): Judgement | null =>
  /^(\S*\/)?(sleep (infinity|\d+[dhms]?)|tail -f \/dev\/null|cat)$|\b(sleep infinity|tail -f \/dev\/null)\b/.test(line) && !spec?.ports.length
    ? { role: 'build-only', reason: `only waits (\`${line}\`)` }
    : null;

const BUILD = /\b(build|compile|generate|bundle|codegen|collectstatic)\b/;
const JOB = /\b(migrate|migrations?|alembic|seed|init|setup|bootstrap|prisma (migrate|db)|db:migrate|flyway|liquibase|createdb|mc |restore|backup|import|fixtures?)\b/;

/** Ran to its end with 0, publishes nothing, and nobody restarts it: that is how a job looks. A server that stopped has ports, a healthcheck or a program. */
const finishedJob = (line: string, { spec, containers }: RoleEvidence): Judgement | null => {
  const container = containers[0];
  const hasPorts = (container ? container.portBindings : (spec?.ports ?? [])).length > 0;
  const hasCheck = (container ? container.healthcheck : spec?.healthcheck) !== null && (container ?? spec) !== null;
  if (hasPorts || hasCheck) return null;
  const restart = container?.restartPolicy ?? spec?.restart ?? 'no';
  if (BUILD.test(line)) return { role: 'build-only', reason: `builds (\`${line}\`) and publishes nothing` };
  if (JOB.test(line) && (restart === 'no' || restart === 'on-failure')) return { role: 'one-shot', reason: `a job by its command (\`${line}\`)` };
  if (spec && !spec.active && spec.profiles.length > 0) return null;
  if (container?.state.status === 'exited' && container.state.exitCode === 0 && restart === 'no' && containers.every((each) => each.state.status === 'exited')) {
    return { role: 'one-shot', reason: 'ran to its end with exit code 0, publishes nothing, is not restarted' };
  }
  return null;
};

const byHints = (line: string, { spec, containers }: RoleEvidence, exposed: number[]): Judgement | null => {
  const container = containers[0];
  const check = (container?.healthcheck ?? spec?.healthcheck)?.test.join(' ') ?? '';
  if (/\bhttps?:\/\//.test(check)) return { role: 'http', reason: 'its healthcheck asks over HTTP' };
  if (/\bpg_isready\b/.test(check)) return { role: 'postgres', reason: 'its healthcheck is pg_isready' };
  if (/\b(redis|valkey)-cli\b/.test(check)) return { role: 'redis', reason: 'its healthcheck is redis-cli' };
  if (/\b(workers?|consumers?|queue:work|bullmq|scheduler)\b|[\w/](worker|consumer)s?\.(py|js|ts|mjs|rb)/.test(line)) {
    return { role: 'worker', reason: `its command names a worker (\`${line}\`)` };
  }
  const ports = [...(container?.portBindings ?? spec?.ports ?? []).map((port) => port.containerPort), ...exposed];
  const web = ports.find((port) => [80, 443, 3000, 3001, 4000, 4321, 5000, 5173, 8000, 8080, 8081, 8888, 9000].includes(port));
  if (web !== undefined) return { role: 'http', reason: `it offers port ${web}` };
  return null;
};
