/** What a service is, from evidence: the program it runs, its image, what it listens on, how others wait for it. Names count least. */
import { commandsOf } from './command-line.ts';
import { imageName } from './image-ref.ts';
import type { Container, DependencyCondition, Role, ServiceSpec } from './stack.ts';
import { webPortOf } from './web-images.ts';

export interface RoleEvidence {
  spec: ServiceSpec | null;
  containers: Container[];
  /** How other services wait for this one. */
  awaitedAs: DependencyCondition[];
  /** Another service runs the same image by another command, and publishes these container ports: they are that one's. */
  portsOfOthers?: number[];
  /** Others live in its network namespace (`network_mode: service:…`): what it publishes may be theirs. */
  lendsNetwork?: boolean;
}

interface Judgement {
  role: Role;
  reason: string;
}

/** First match wins: the program itself outranks the image's name, which outranks hints. */
export const roleOf = (evidence: RoleEvidence): Judgement => {
  if (evidence.awaitedAs.includes('service_completed_successfully')) {
    return { role: 'one-shot', reason: 'another service waits for it with service_completed_successfully' };
  }
  const container = evidence.containers[0];
  const words = container
    ? [...container.entrypoint, ...container.command]
    : [...(evidence.spec?.entrypoint ?? []), ...(evidence.spec?.command ?? [])];
  const steps = commandsOf(words);
  const main = mainOf(steps.filter((command) => !SAYS_NOTHING.test(command[0]!)));
  const image = container?.image ?? evidence.spec?.image ?? '';
  return (
    inLoop(main, words) ??
    byProgram(main) ??
    byImage(image, main) ??
    workerScript(main) ??
    byProbe(evidence) ??
    idle(main, evidence) ??
    builder(main, evidence) ??
    job(main, steps, image, evidence) ??
    foreign(image, main) ??
    bySetup(evidence) ??
    workerByName(main, evidence) ??
    byWebImage(image, main, evidence) ??
    byPorts(evidence) ??
    finished(evidence) ?? { role: 'unknown', reason: 'nothing tells: no known program, image, port or healthcheck' }
  );
};

/** Around the work of a script, not the work. */
const SAYS_NOTHING =
  /^(echo|printf|set|exit|true|cd|export|trap|wait|done|fi|esac|return|test|\[|\[\[|:|tee|grep|sed|awk|rm|mkdir|touch|ulimit|umask|source|\.|\d+)$/;

/** The last of several is what stays (`migrate && serve`), but for the nap at the end of a loop. */
const mainOf = (commands: readonly string[][]): string[] => {
  const work = commands.filter((command) => !/^sleep \d/.test(command.join(' ')));
  return work.at(-1) ?? commands.at(-1) ?? [];
};

const shown = (words: readonly string[]): string => {
  const line = words.join(' ');
  return line.length > 60 ? `${line.slice(0, 57)}…` : line;
};

const runs = (role: Role, main: readonly string[]): Judgement => ({ role, reason: `runs \`${shown(main)}\`` });

/** `while true; do pg_dump …; sleep 86400; done` never ends: no job, whatever its program is. */
const inLoop = (main: readonly string[], words: readonly string[]): Judgement | null => {
  const loops = words.some((word) => /\bwhile\s+(true|:|\/bin\/true|\[\s+1\s+\]|sleep\s)|\bfor\s*\(\(\s*;\s*;/.test(word));
  return loops && byProgram(main)?.role === 'one-shot' ? { role: 'unknown', reason: `runs \`${shown(main)}\` again and again` } : null;
};

const SCHEDULER: Judgement = { role: 'unknown', reason: 'schedules work and consumes none' };

/** Programs by name. */
const PROGRAMS: [Role, RegExp][] = [
  ['postgres', /^(postgres|postmaster|pg_ctl|timescaledb_entrypoint)$/],
  ['redis', /^(redis-server|valkey-server|keydb-server|dragonfly|kvrocks)$/],
  ['mysql', /^(mysqld|mysqld_safe|mariadbd|mariadbd-safe)$/],
  ['rabbitmq', /^rabbitmq-server$/],
  ['mongodb', /^(mongod|mongos)$/],
  ['pooler', /^(pgbouncer|pgcat|pgpool)$/],
  ['nginx', /^(nginx|openresty|nginx-debug)$/],
  ['haproxy', /^haproxy(-systemd-wrapper)?$/],
  ['worker', /^(rqworker|arq|dramatiq(-gevent)?|huey_consumer(\.py)?|sidekiq|resque|good_job|faktory-worker|procrastinate|bullmq)$/],
  [
    'http',
    /^(uvicorn|gunicorn|hypercorn|daphne|granian|waitress-serve|uwsgi|puma|unicorn|thin|falcon|http-server|live-server|serve|caddy|traefik|sanic|bjoern|httpd|httpd-foreground|apache2|apache2ctl|apache2-foreground|frankenphp|lighttpd|webpack-dev-server|json-server|postgrest|graphql-engine|flower|streamlit|jupyter|jupyter-lab|jupyter-notebook|catalina\.sh)$/i,
  ],
  [
    'one-shot',
    /^(alembic|flyway|liquibase|dbmate|goose|migrate|sqitch|atlas|psql|pg_dump|pg_dumpall|pg_restore|createdb|dropdb|initdb|mysql|mariadb|mysqldump|mariadb-dump|mongosh|mongodump|mongorestore|redis-cli|valkey-cli|mc|wp|drush|composer|terraform|tofu|ansible-playbook|pytest|jest|vitest|mocha|cypress|playwright|k6|chown|chmod|cp|openssl|mkcert|aws|awslocal)$/,
  ],
  ['build-only', /^(tsc|esbuild|rollup|sass|tailwindcss|gulp|grunt)$/],
];

/** Programs whose first words decide. */
const SUBCOMMANDS: [name: RegExp, words: RegExp, Role | 'scheduler'][] = [
  [/^celery$/, /\bbeat\b/, 'scheduler'],
  [/^celery$/, /\bflower\b/, 'http'],
  [/^celery$/, /\bworker\b/, 'worker'],
  [/^taskiq$/, /\bscheduler\b/, 'scheduler'],
  [/^taskiq$/, /\bworker\b/, 'worker'],
  [/^rq$/, /^worker/, 'worker'],
  [/^rqscheduler$/, /^/, 'scheduler'],
  [/^(flask|litestar)$/, /\brun\b/, 'http'],
  [/^ollama$/, /^(pull|create|push|cp|rm)\b/, 'one-shot'],
  [/^(prisma|drizzle-kit)$/, /^studio\b/, 'http'],
  [/^(fastapi)$/, /^(dev|run)\b/, 'http'],
  [
    /^(vite|nuxt|nuxi|next|astro|gatsby|remix|parcel|vitepress|docusaurus|eleventy|webpack|ng|vue-cli-service|react-scripts|svelte-kit|hugo|jekyll|mkdocs|vinxi|rsbuild|storybook)$/,
    /^(build|generate|compile|export|check)\b/,
    'build-only',
  ],
  [
    /^(next|astro|nuxt|nuxi|gatsby|remix|vitepress|docusaurus|ng|vue-cli-service|react-scripts|svelte-kit|webpack|hugo|jekyll|mkdocs|strapi|directus|nest|vinxi|rsbuild|storybook)$/,
    /^(dev|start|serve|server|develop|preview)\b/,
    'http',
  ],
  [/^(vite|parcel|eleventy)$/, /^/, 'http'],
  [/^(webpack|hugo|jekyll|mkdocs)$/, /^/, 'build-only'],
  [/^(rails|bin\/rails)$/, /^(server|s)\b/, 'http'],
  [/^(rails|rake)$/, /^(db:|assets:)/, 'one-shot'],
  [/^(rails|rake)$/, /^(tailwindcss|css|javascript|dartsass):(watch|build)/, 'build-only'],
  [/^(rails|rake)$/, /^(jobs:work|solid_queue|resque:work|good_job)/, 'worker'],
  [/^(jobs|bin\/jobs)$/, /^/, 'worker'],
  [/^php\d?$/, /\bartisan (serve|octane)/, 'http'],
  [/^php\d?$/, /\bartisan (queue:|horizon)/, 'worker'],
  [/^php\d?$/, /\bartisan schedule:/, 'scheduler'],
  [/^php\d?$/, /\bartisan (migrate|db:seed)/, 'one-shot'],
  [/^php\d?$/, /\b(console|bin\/console) messenger:consume/, 'worker'],
  [/^php\d?$/, /(^|\s)-S\s/, 'http'],
  [/^mix$/, /^phx\.server/, 'http'],
  [/^mix$/, /^ecto\.|^deps\./, 'one-shot'],
  [
    /^(prisma|drizzle-kit|knex|sequelize|sequelize-cli|typeorm|mikro-orm|node-pg-migrate)$/,
    /^(migrate|migrations?|db|push|seed|up|db:|migrate:|migration:)/,
    'one-shot',
  ],
  [/^(python[\d.]*|manage\.py)$/, /(^|\/)?manage\.py (runserver|runserver_plus|testserver)|^runserver/, 'http'],
  [/^(python[\d.]*|manage\.py)$/, /manage\.py (rqworker|qcluster|process_tasks|run_huey|db_worker)/, 'worker'],
  [/^(python[\d.]*|manage\.py)$/, /manage\.py (migrate|loaddata|collectstatic|createsuperuser|seed)|^(migrate|collectstatic)/, 'one-shot'],
  [/^python[\d.]*$/, /^-m http\.server/, 'http'],
  [/^npm$/, /^(ci|install|i)\b/, 'one-shot'],
  [/^npm$/, /^(t|test)\b/, 'one-shot'],
  [/^(npm|pnpm|yarn|bun)$/, /^(run )?(build|compile|generate|codegen|bundle)(:\S+)?(\s|$)/, 'build-only'],
  [/^(npm|pnpm|yarn|bun)$/, /^(run )?(\S*migrate\S*|\S*seed\S*|db:\S+|test(:\S+)?|lint)(\s|$)/, 'one-shot'],
  [/^(npm|pnpm|yarn|bun)$/, /^(run )?\S*(worker|consumer)\S*(\s|$)/, 'worker'],
  [/^(pnpm|yarn|bun)$/, /^(install|i)\b/, 'one-shot'],
  [/^(make|mvn|mvnw|gradle|gradlew)$/, /^(clean )?(build|package|assemble|compile)\b/, 'build-only'],
  [/^(go|cargo|dotnet)$/, /^(build|test|restore|publish)\b/, 'build-only'],
];

const byProgram = (main: readonly string[]): Judgement | null => {
  const [program, ...rest] = main;
  if (!program) return null;
  const line = rest.join(' ');
  if (program === 'redis-sentinel' || (program === 'redis-server' && rest.includes('--sentinel'))) {
    return { role: 'unknown', reason: `runs \`${shown(main)}\`: a sentinel holds no data` };
  }
  const sub = SUBCOMMANDS.find(([wanted, pattern]) => wanted.test(program) && pattern.test(line));
  if (sub) return sub[2] === 'scheduler' ? SCHEDULER : runs(sub[2], main);
  const found = PROGRAMS.find(([, pattern]) => pattern.test(program));
  if (found) return runs(found[0], main);
  // `yarn vite build` and `pnpm storybook dev` run the program of that name.
  return /^(pnpm|yarn|bun)$/.test(program) ? byProgram(rest) : null;
};

const IMAGES: [Role, RegExp][] = [
  [
    'postgres',
    /^(postgres|postgresql|postgis|timescaledb(-ha)?|pgvector|pgvecto-rs|vchord-postgres|paradedb|supabase-postgres|citus|alloydbomni|spilo-\d+|postgresql-repmgr)$/,
  ],
  ['redis', /^(redis|redis-stack(-server)?|valkey(-bundle)?|keydb|dragonfly|kvrocks|rejson|redis-alpine)$/],
  ['mysql', /^(mysql|mysql-server|mysql-community-server|mariadb|percona|percona-server|mysql-\d+\S*|mariadb-\d+\S*)$/],
  ['rabbitmq', /^rabbitmq$/],
  ['mongodb', /^(mongo|mongodb|mongodb-community-server|percona-server-mongodb)$/],
  ['pooler', /^((crunchy-)?pgbouncer|pgcat|pgpool(-?(ii|2))?)$/],
  ['nginx', /^(nginx|nginx-unprivileged|nginx-light|openresty)$/],
  ['haproxy', /^haproxy(-(alpine|debian|ubuntu))?$/],
];

/** Of one of these images, yet another program: a client, a shell, a timer. */
const NO_SERVER =
  /^(sleep|tail|cat|sh|bash|ash|cron|crond|supercronic|curl|wget|nc|while|for|until|node|python[\d.]*|watch|pg_isready|pg_basebackup|pgbench|pg_receivewal|mysqladmin|mariadb-admin|mysqlsh|rabbitmqctl|rabbitmqadmin|rabbitmq-(diagnostics|plugins))$|backup|dump|restore/;

const byImage = (image: string, main: readonly string[]): Judgement | null => {
  const { name } = imageName(image);
  const found = IMAGES.find(([, pattern]) => pattern.test(name));
  return found && !NO_SERVER.test(main[0] ?? '') ? { role: found[0], reason: `image ${image}` } : null;
};

const PROBES: [Role, RegExp][] = [
  ['redis', /\b(?:redis|valkey)-cli\b/],
  ['mysql', /\b(?:mysqladmin|mariadb-admin)\b|\bhealthcheck\.sh\b(?=.*--(?:connect|innodb_initialized))/],
  ['rabbitmq', /\brabbitmq-diagnostics\b|\brabbitmqctl\b/],
  ['mongodb', /\bmongosh\b|\bmongo (?=.*--eval\b)/],
];

/** The probe of a server asks itself; with another host in it, it asks somebody else. */
const byProbe = ({ spec, containers }: RoleEvidence): Judgement | null => {
  const image = containers[0]?.image ?? spec?.image ?? '';
  const probe = (containers[0]?.healthcheck ?? spec?.healthcheck)?.test.join(' ') ?? '';
  const web = /\bhttps?:\/\/(\[[^\]]+\]|[^/:\s"']+)/.exec(probe)?.[1];
  const own = [spec?.name, spec?.containerName, containers[0]?.service, containers[0]?.name];
  if (web && (/^(localhost|127\.|0\.0\.0\.0|\[::1?\]|\$|host(name)?$)/i.test(web) || own.includes(web)))
    return { role: 'http', reason: 'its healthcheck asks over HTTP' };
  // bash speaks it by hand where the image has no client.
  if (/\/dev\/tcp\/(localhost|127\.[\d.]+)\/\d/.test(probe) && /\b(GET|HEAD) \/\S* HTTP\/1/.test(probe))
    return { role: 'http', reason: 'its healthcheck asks over HTTP' };
  const asked = /(?:\s-h|--host)[\s=]*([^\s"']+)|mongodb:\/\/(?:[^@\s]*@)?([^\s:/"']+)/.exec(probe)?.slice(1).find(Boolean);
  if (asked && !/^(localhost|127\.|\$)/.test(asked) && !own.includes(asked)) return null;
  if (/\bpg_isready\b/.test(probe) && !/pgbouncer|pgpool|pgcat/.test(image))
    return { role: 'postgres', reason: 'its healthcheck is pg_isready' };
  const found = PROBES.find(([, pattern]) => pattern.test(probe));
  return found ? { role: found[0], reason: `its healthcheck is ${found[1].exec(probe)![0]}` } : null;
};

/** A container that only waits to be entered, or in which somebody starts things by hand. */
const idle = (main: readonly string[], { spec, containers }: RoleEvidence): Judgement | null => {
  const line = main.join(' ');
  const waits =
    /^sleep (infinity|inf|\d+[dhms]?)$/.test(line) ||
    /^tail -[fF] \/dev\/(null|stdin)$/.test(line) ||
    /^(cat|bash|sh|ash|zsh|fish|irb|pause|python[\d.]*|node)( -[il]+)*$/.test(line);
  const isProbed = (containers[0] ? containers[0].healthcheck : spec?.healthcheck) ?? null;
  return waits && isProbed === null ? { role: 'build-only', reason: `only waits (\`${shown(main)}\`)` } : null;
};

/** A script that is named after a job: `./migrate.sh`, `python seed.py`, `node dist/migrate.js`. */
const JOB_SCRIPT =
  /^((db|run|do)[-_])?(migrate|migrations?|seed|seeder|setup|bootstrap|init[-_]?db|create[-_]\w+|load[-_]?fixtures|fixtures|import|restore|backup)([-_]\w+)?(\.(sh|py|js|mjs|cjs|ts|rb|php))?$/i;

const scriptOf = (main: readonly string[]): string => {
  const [name = '', ...rest] = main;
  if (!/^(python[\d.]*|node|tsx|ts-node|deno|bun|ruby|php\d?|perl|nodemon|sh|bash)$/.test(name)) return name;
  const module = rest.indexOf('-m');
  const found =
    module >= 0 ? rest[module + 1]?.split('.').at(-1) : rest.find((word) => !word.startsWith('-') && !/^(run|watch)$/.test(word));
  return (found ?? '').replace(/^.*\//, '');
};

const offersPorts = ({ spec, containers }: RoleEvidence): boolean => (containers[0]?.portBindings ?? spec?.ports ?? []).length > 0;

/** Somebody relies on it while it runs. */
const isAwaited = ({ awaitedAs }: RoleEvidence): boolean => awaitedAs.length > 0;

/** `node build.mjs`, `./build.sh`; not `node build`, which is how a built server is started. */
const BUILD_SCRIPT = /^(build|compile|bundle|generate|codegen)([-_]\w+)*\.(sh|py|js|mjs|cjs|ts|rb)$/i;

const builder = (main: readonly string[], evidence: RoleEvidence): Judgement | null => {
  if (offersPorts(evidence) || isAwaited(evidence)) return null;
  if (BUILD_SCRIPT.test(scriptOf(main))) return { role: 'build-only', reason: `builds (\`${shown(main)}\`)` };
  const profile = evidence.spec?.profiles.find((each) => /^build(er|s)?$/i.test(each));
  return profile ? { role: 'build-only', reason: `stands behind the profile ${profile}, and publishes nothing` } : null;
};

/** Images of programs that do one thing and end. */
const JOB_IMAGES =
  /^(flyway|liquibase|migrate|dbmate|goose|mc|k6|openssl|mkcert|terraform|opentofu|aws-cli|wait-for-dependencies|wait-for-it|dockerize)$/;

const job = (main: readonly string[], steps: readonly string[][], image: string, evidence: RoleEvidence): Judgement | null => {
  const restart = evidence.containers[0]?.restartPolicy ?? evidence.spec?.restart ?? 'no';
  if (offersPorts(evidence) || !/^(no|on-failure.*|false)$/.test(restart)) return null;
  const last = steps.at(-1) ?? [];
  // No server stays where a script says its last word.
  if (steps.length > 1 && /^(echo|printf|exit)$/.test(last[0]!))
    return { role: 'one-shot', reason: `its script ends with \`${shown(last)}\`` };
  if (isAwaited(evidence)) return null;
  if (JOB_SCRIPT.test(scriptOf(main))) return { role: 'one-shot', reason: `a job by its command (\`${shown(main)}\`)` };
  return JOB_IMAGES.test(imageName(image).name) && !startsOtherwise(evidence) ? { role: 'one-shot', reason: `image ${image}` } : null;
};

/** What it is told to begin with is not the image's own entry point. */
const startsOtherwise = ({ spec }: RoleEvidence): boolean => (spec?.entrypoint?.length ?? 0) > 0;

/**
 * Ran to its end with 0, offers nothing, nobody restarts or waits for it: that is how a job looks. A server that was stopped has ports, a probe,
 * a program that is known, or somebody who depends on it.
 */
const finished = (evidence: RoleEvidence): Judgement | null => {
  const [first] = evidence.containers;
  if (
    !first ||
    offersPorts(evidence) ||
    isAwaited(evidence) ||
    first.healthcheck !== null ||
    first.exposedPorts.length > 0 ||
    first.restartPolicy !== 'no'
  )
    return null;
  const ended = evidence.containers.every(({ state }) => state.status === 'exited' && state.exitCode === 0 && state.error === '');
  return ended ? { role: 'one-shot', reason: 'ran to its end with exit code 0, publishes nothing, is not restarted' } : null;
};

/** An entry point of the image that is told what to be: `./run.sh worker`. */
const TOLD_TO_WORK = /^\S*\.(?:sh|bash) (?:celery[-_]?)?(?:workers?|consumers?)$/i;

const workerScript = (main: readonly string[]): Judgement | null =>
  TOLD_TO_WORK.test(main.slice(0, 2).join(' ')) ||
  /^(\w+[-_.])?(workers?|consumers?)([-_.]\w+)?(\.(py|js|mjs|cjs|ts|rb|php|sh|jar))?$/i.test(scriptOf(main))
    ? { role: 'worker', reason: `its command names a worker (\`${shown(main)}\`)` }
    : null;

const workerByName = (main: readonly string[], evidence: RoleEvidence): Judgement | null => {
  const name = evidence.spec?.name ?? evidence.containers[0]?.service ?? '';
  // Of a service that is only declared, the image's own command is not known.
  const runs = main.length > 0 || evidence.containers.length === 0;
  const isNamed = /(^|[-_])(workers?|consumers?)($|[-_]?\d*$)/i.test(name) && !offersPorts(evidence) && runs;
  return isNamed ? { role: 'worker', reason: `the service is called ${name}, and publishes nothing` } : null;
};

/** Servers that speak their own protocols, also on ports that are the web's elsewhere (PHP-FPM on 9000, ClickHouse, Aerospike on 3000). */
const FOREIGN_PROGRAMS = /^(php-fpm[\d.]*|memcached|clickhouse-server|asd|etcd|nats-server|mosquitto|ssh|sshd|dockerd|crond?|supercronic)$/;
const FOREIGN_IMAGES =
  /^(kafka|cp-kafka|redpanda|zookeeper|cp-zookeeper|clickhouse|clickhouse-server|cassandra|scylla|aerospike-server|memcached|nats|eclipse-mosquitto|etcd|docker|openldap|hivemq\d*|postgres_exporter|postgres-exporter|redis_exporter|redis-exporter|mysqld-exporter|nginx-prometheus-exporter)$/;

const foreign = (image: string, main: readonly string[]): Judgement | null => {
  const { name } = imageName(image);
  if (FOREIGN_PROGRAMS.test(main[0] ?? ''))
    return { role: 'unknown', reason: `runs \`${shown(main)}\`, which is looked at as a container alone` };
  return FOREIGN_IMAGES.test(name) ? { role: 'unknown', reason: `image ${image}, which is looked at as a container alone` } : null;
};

/** An image of one's own: the port of a store, and the variables that such a store takes at its first start. */
const SETUPS: [Role, number, RegExp][] = [
  ['mysql', 3306, /^(MYSQL|MARIADB)_(ALLOW_EMPTY_|RANDOM_)?ROOT_PASSWORD(_FILE|_HASH)?$/],
  ['rabbitmq', 5672, /^RABBITMQ_(DEFAULT_USER|DEFAULT_PASS|ERLANG_COOKIE|NODENAME)$/],
  ['mongodb', 27_017, /^MONGO_INITDB_ROOT_/],
];

const portsOf = ({ spec, containers: [container], portsOfOthers = [] }: RoleEvidence): number[] => [
  ...(container?.portBindings ?? spec?.ports ?? []).filter((port) => port.protocol === 'tcp').map((port) => port.containerPort),
  // What a worker's image exposes is often the server's that shares it.
  ...(container?.exposedPorts ?? spec?.exposed ?? []).filter((port) => !portsOfOthers.includes(port)),
];

const bySetup = (evidence: RoleEvidence): Judgement | null => {
  const names = Object.keys(evidence.containers[0]?.env ?? evidence.spec?.environment ?? {});
  const ports = portsOf(evidence);
  for (const [role, port, pattern] of SETUPS) {
    const name = ports.includes(port) && names.find((each) => pattern.test(each));
    if (name) return { role, reason: `it offers port ${port} and is set up by ${name}` };
  }
  return null;
};

/** Of the image's own program; of another that is run from it, its name says nothing. */
const byWebImage = (image: string, main: readonly string[], evidence: RoleEvidence): Judgement | null =>
  webPortOf(image) !== null && !NO_SERVER.test(main[0] ?? '') && !startsOtherwise(evidence)
    ? { role: 'http', reason: `image ${image}` }
    : null;

/** As frameworks and their tools choose them; not 8005 and 8009 (Tomcat's own), 9092, 9229. */
const WEB_PORTS = new Set(
  (
    '80 1313 1337 2368 3000 3001 3002 3003 3004 3005 3006 3007 3008 3009 3010 3030 3333 4000 4173 4200 4321 5000 5001 5173 5174 5175 6006 7860 8000 8001 ' +
    '8002 8003 8004 8008 8010 8080 8081 8082 8083 8084 8085 8086 8087 8088 8089 8090 8180 8501 8888 9000 9090'
  )
    .split(' ')
    .map(Number),
);

const byPorts = (evidence: RoleEvidence): Judgement | null => {
  const web = evidence.lendsNetwork ? undefined : portsOf(evidence).find((port) => WEB_PORTS.has(port));
  return web === undefined ? null : { role: 'http', reason: `it offers port ${web}` };
};
