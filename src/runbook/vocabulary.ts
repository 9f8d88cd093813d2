/**
 * What the headings of a team's runbook are about. A heading is read word by word: it must have no word that is not known here,
 * since an unknown one may be what it is about ("Database backup fails"). The rest is a table: these concepts, those codes.
 */
import type { Role } from '../model/stack.ts';

/** Phrases of each concept, tried in this order; what one has taken is gone for the next. */
const CONCEPTS = {
  unknownHost:
    "(could not|cannot|can't|unable to) (translate|resolve) (the )?(host ?names?|hosts?)( to address)?|name or service not known|getaddrinfo( enotfound| eai again)?|enotfound|eai again|temporary failure in name resolution|(no such host|host not found|unknown host)( in upstream)?",
  modules:
    "(cannot|can't|could not) (find|import|resolve)( the)? (modules?|packages?)|(modules?|packages?|dependency|dependencies)( is| are)? (not found|missing|not installed)|missing (modules?|packages?|dependency|dependencies)|no module named|modulenotfounderror|importerror|import errors?",
  migrations: '(database |db |schema |alembic )?migrations?|alembic|migrate|relation (\\S+ )?does not exist|undefinedtable',
  engine:
    "(cannot|can't|could not|unable to) connect to (the )?docker( daemon| engine)?|docker (daemon|engine|desktop|socket)|docker sock|docker (is )?(not|isn't) (running|responding|started|reachable)|is the docker daemon running",
  badGateway: '502s?|bad gateway',
  gatewayTimeout: '504s?|gateway time ?outs?',
  tooMany:
    'too many (connections|clients)( already)?|max(imum)? (number of )?(clients|connections)( reached)?|maxclients|connection (limit|slots)( reached)?',
  watchers: 'inotify( limits?| watches)?( reached)?|too many open files|(file )?watch(er|ers|es)? limit|file watchers',
  memory: 'oom( ?kill(ed|s|er)?)?|out of memory|(exit code|code|exit) 137|137|memory( limits?)?',
  disk: 'no space( left)?( on device)?|disk( space)?( is)?( full)?|enospc|misconf',
  loop: '(keeps?|kept|constantly|repeatedly|continuously|endlessly) (on )?(restarting|crashing|dying|exiting|stopping)|(restarts?|restarting|crashes|crashing) (constantly|repeatedly|continuously|in a loop|forever)|(restart|restarting|crash|boot) ?loops?|stuck restarting|crashloop|containers? (is |are )?restarting',
  start:
    "(won't|wont|will not|does not|doesn't|do not|don't|did not|didn't|cannot|can't|not|isn't|aren't|fails?|failed|failing|failure|unable|never|refuses)( to)?( (the |my |our |any )?(containers?|services?|stack))? (start|starts|started|starting|boot|booting|come up|coming up|run|running|launch|launching)( up)?|(startup|start) (failures?|errors?|issues?|problems?|fails?|failed)|(exits?|exited|exiting|crash|crashes|crashed|crashing|dies|stops)( immediately| at once| instantly| unexpectedly| right away| on (startup|start|boot)| at startup| with (an )?error( code)?| with (exit |status )?code)*|stopped|down",
  roleMissing: "(roles?|users?) (\\S+ )?(does not|doesn't) exist|missing (database )?(role|user)",
  databaseMissing: "(databases?|db) (\\S+ )?(does not|doesn't) exist|missing database",
  health: 'health ?checks?|unhealthy|health status',
  unresponsive:
    '(not|no|never|stops?|stopped) (responding|respond|responds|response|answering|answer)|unresponsive|hangs?|hanging|health (endpoint|route|url|page)|internal server errors?|(http )?50[03]s?( errors?)?|5xx',
  changes: '((code|source|file|my|local|live) )?(changes|edits|modifications)',
  reload: '(hot|live|auto|automatic) ?reload(ing|s|er)?|hmr|hot module (replacement|reload(ing)?)|reloader|reload(ing|s)?',
  update:
    "(not|isn't|aren't|doesn't|don't|never|no longer|won't|fails?)( being| be| to| get| getting)? (updat(e|es|ed|ing)|refresh(ed|ing|es)?|reflect(ed|ing)?|show(n|ing|s)?( up)?|appear(ing|s)?|visible|picked up|picking up|pick up|applied|apply|taking effect|take effect|detected|loaded|loading|load|served|serving|rendering|found)|stale|outdated|old (version|content|files|page|build|css|assets)s?( served)?",
  unprocessed:
    "(not|isn't|aren't|never) (being )?(process(ed|ing)|consum(ed|ing)|pick(ed|ing) up|execut(ed|ing)|running|run|completing|finishing)|stuck|piling up|backlog|growing|pending",
  environment: 'environment( variables?| files?| values?)?|env( vars?| variables?| files?)?|dotenv( files?)?|variables?',
  database: 'data ?bases?|db|postgres|postgresql|pg|psql',
  mysql: 'mysql|mariadb|percona',
  rabbitmq: 'rabbit ?mq|amqp',
  mongodb: 'mongo(db|d|ose)?|mongo db',
  redis: 'redis|valkey',
  proxy: 'nginx|reverse prox(y|ies)|prox(y|ies)|upstreams?',
  worker: 'workers?|queues?|background (jobs?|tasks?|workers?)|jobs?|tasks?|celery|taskiq|consumers?',
  static:
    'front ?end( (files?|assets?|templates?|pages?))?|static( (files?|assets?|content|pages?|site))?|assets?|templates?|stylesheets?|css|web ?root|dist',
  taken: '(is |are )?(already |currently )?(in use|taken|allocated|bound|occupied|used)|conflicts?|eaddrinuse|clash(es)?',
  port: 'host ports?|ports?|(bind )?address',
  authentication:
    '((password )?authentication|auth)( required| failed| failure)?|passwords?|(wrong|invalid|bad|incorrect) (password|credentials)|log ?ins?|logging in|credentials?|noauth|wrongpass|28p01',
  permission: 'permissions?( is)?( denied)?|access denied|eacces|forbidden|403|not readable|unreadable',
  mount: 'bind mounts?|volumes?( mounts?)?|mounts?|mounting|mounted',
  network: 'networks?|networking|dns|name resolution|hostnames?|service discovery|resolv(e|es|ing)|communicat(e|ion|ing)|talk(ing)?( to)?',
  connect:
    "(does not |doesn t |not |wont |won't |doesn't )?accept(s|ed|ing)? connections?|connect|connects|connected|connecting|connections?|connectivity|econnrefused|refused|unreachable|reach|reaches|reaching|reachable|time(d)? ?outs?|access|accessing|accessible",
  missing: 'not set|unset|missing|undefined|not defined|not found',
  app: 'back ?end|api|apps?|applications?|web ?server|server|python|fastapi|uvicorn|django|flask|gunicorn|node( ?js)?|express|rails',
} as const satisfies Record<string, string>;

export type Concept = keyof typeof CONCEPTS;

/** Words that say nothing on the subject. */
const NEUTRAL = new Set(
  (
    "a an the is are was be been being to in on of for with and or if when how why what it its it's this that from by at after my your our we you i do does did can could " +
    "cannot can't won't will not isn't aren't doesn't don't get gets getting have has each other between via other any all some " +
    'docker compose container containers service services stack host locally local development dev inside outside ' +
    'issue issues problem problems error errors trouble troubleshooting fail fails failed failing failure failures broken broke working work works ' +
    'return returns returning show shows give gives throw throws say says ' +
    'fix fixing fixes debug debugging diagnose diagnosing diagnosis symptom common general known typical cause resolve unable q faq fatal sorry'
  ).split(' '),
);

const TROUBLE =
  /n't\b|\b(not|fail\w*|errors?|issues?|problems?|trouble\w*|broken|broke|cannot|unable|never|down|crash\w*|dies|exit(s|ed|ing)|stopped|refused|denied|missing|stale|stuck|hang\w*|time(d)? ?outs?|unreachable|unhealthy|full|conflicts?|already|outdated|oom\w*|loops?|too many|out of|no space|forbidden|bad gateway|40[34]|50[0234]|137|e[a-z]{4,}|unset|undefined|keeps|constantly|repeatedly|debug\w*|diagnos\w*|fix\w*|noauth|wrongpass|misconf|28p01)\b/;

/** A chapter that holds problems. */
const CHAPTER_OF_TROUBLE =
  /\b(troubleshoot\w*|problems?|issues?|errors?|debug\w*|faq|gotchas?|pitfalls?|failures?|incidents?|when (things|something|it)|diagnos\w*)\b/;

const PATTERNS = (Object.entries(CONCEPTS) as [Concept, string][]).map(
  ([concept, phrases]) => [concept, new RegExp(`(?<= )(?:${phrases})(?= )`, 'g')] as const,
);

export interface Meaning {
  concepts: ReadonlySet<Concept>;
  /** Words that are no concept, nor neutral. */
  unknown: string[];
  isTrouble: boolean;
}

/** Lower case, one space between words, one at each end. */
const normal = (heading: string): string =>
  ` ${heading
    .slice(0, 200)
    .toLowerCase()
    .replaceAll(/[’‘`´]/g, "'")
    .replaceAll(/(^|[^a-z0-9])\.env\b/g, '$1 dotenv ')
    .replace(/^\s*\d{1,2}(\.\d+)*[.)]?\s/, ' ')
    .replaceAll(/[^a-z0-9']+/g, ' ')
    .replaceAll(/(^| )'+|'+(?= |$)/g, '$1')
    .trim()} `;

/** When it happens, not what: "… after a pull". */
const WHEN =
  / (after|since|following) (a |an |the |every |each |my |your |last )?(git )?(pull|pulling|merge|merging|rebase|rebasing|checkout|reboot|update|upgrade|updating|upgrading|switching branch(es)?|branch switch|sleep|wake up)( main| master)? /;

const wordsOf = (name: string): string[] => normal(name).trim().split(' ');

/** `names`: services of the stack; their names are known words. */
export const meaningOf = (heading: string, names: readonly string[]): Meaning => {
  const text = normal(heading);
  let rest = text.replace(WHEN, ' | ');
  const concepts = new Set<Concept>();
  for (const [concept, pattern] of PATTERNS) {
    const without = rest.replaceAll(pattern, '|').replaceAll(/ ?\| ?/g, ' | ');
    if (without !== rest) concepts.add(concept);
    rest = without;
  }
  const known = new Set(names.flatMap(wordsOf));
  const unknown = rest.split(/[ |]+/).filter((word) => word !== '' && !NEUTRAL.has(word) && !known.has(word) && !/^\d+$/.test(word));
  return { concepts, unknown, isTrouble: TROUBLE.test(text) };
};

export const isChapterOfTrouble = (heading: string): boolean => CHAPTER_OF_TROUBLE.test(normal(heading));

const RESET =
  / (reset(ting)?|wipe|wiping|nuke|clean ?up|clear|start(ing)? (over|again|afresh|anew|fresh|from scratch)|begin(ning)? (again|anew)|from scratch|fresh start|clean (slate|start|install)|factory reset|blow(ing)? away) /;
const WHOLE = / (everything|all|stack|environment|database|db|data|volumes?|local|containers?|docker|completely|setup|it) /;
const WHOLE_ALONE = / (from scratch|fresh start|clean slate|(start|begin)(n?ing)? (over|anew|afresh)|factory reset) /;

/** "Reset everything", "Start from scratch". */
export const isReset = (heading: string): boolean => {
  const text = normal(heading);
  return WHOLE_ALONE.test(text) || (RESET.test(text) && WHOLE.test(text));
};

/** Does the heading name this service, as a whole word? */
export const namesService = (heading: string, service: string): boolean => normal(heading).includes(normal(service));

/** The concept that stands for services of a role: "Postgres won't start". */
export const ROLE_OF: Partial<Record<Concept, readonly Role[]>> = {
  database: ['postgres', 'mysql', 'mongodb'],
  mysql: ['mysql'],
  rabbitmq: ['rabbitmq'],
  mongodb: ['mongodb'],
  redis: ['redis'],
  proxy: ['nginx'],
  worker: ['worker'],
  app: ['http', 'unknown'],
};

interface Topic {
  /** All of these. */
  of: readonly Concept[];
  /** None but these beside. */
  beside?: readonly Concept[];
  codes: readonly string[];
  /** Of findings about a service, only those whose other end has this role. */
  toward?: Role;
  /** The heading is about the service as such: a concept of `ROLE_OF` in it must be the service's role. */
  byRole?: true;
}

/** A container that does not stay up, for any reason. Reasons that a look at the log does not help with (a deleted network) are not here. */
const WONT_START = ['exited', 'restarting', 'start-failed', 'command-not-found', 'not-executable', 'dependency-failed', 'dead'].map(
  (reason) => `container/${reason}`,
);
const OUT_OF_REACH = ['refused', 'timeout', 'dependency-stopped', 'dns-fault', 'no-common-network'].map((reason) => `network/${reason}`);
const OUT_OF_NAME = ['unknown-host', 'dependency-stopped', 'dns-fault', 'no-common-network'].map((reason) => `network/${reason}`);
/** Everything between a client and its first answer; not what goes wrong later (locks, disk, a read-only server). */
const POSTGRES_LOGIN = [
  'auth-rejected',
  'password-volume-mismatch',
  'role-missing',
  'database-missing',
  'too-many-clients',
  'starting-up',
  'refused',
  'no-answer',
  'tls-required',
  'no-hba-entry',
  'not-postgres',
  'error',
].map((reason) => `postgres/${reason}`);
const REDIS_LOGIN = [
  'auth-required',
  'wrong-password',
  'unexpected-password',
  'loading',
  'max-clients',
  'protected-mode',
  'refused',
  'no-answer',
  'not-redis',
  'database-out-of-range',
  'error',
].map((reason) => `redis/${reason}`);
const MYSQL_LOGIN = [
  'auth-rejected',
  'password-volume-mismatch',
  'user-missing',
  'host-not-allowed',
  'database-missing',
  'database-denied',
  'too-many-clients',
  'starting-up',
  'refused',
  'no-answer',
  'auth-plugin',
  'tls-required',
  'not-mysql',
  'error',
].map((reason) => `mysql/${reason}`);
const RABBITMQ_LOGIN = [
  'auth-rejected',
  'password-volume-mismatch',
  'guest-remote',
  'vhost-missing',
  'vhost-denied',
  'too-many-connections',
  'starting-up',
  'refused',
  'no-answer',
  'tls-required',
  'not-amqp',
  'error',
].map((reason) => `rabbitmq/${reason}`);
const MONGODB_LOGIN = [
  'auth-rejected',
  'password-volume-mismatch',
  'auth-source',
  'user-missing',
  'credentials-missing',
  'database-denied',
  'replica-set-uninitiated',
  'replica-set-name',
  'no-primary',
  'not-primary',
  'member-unreachable',
  'starting-up',
  'refused',
  'no-answer',
  'tls-required',
  'not-mongodb',
  'error',
].map((reason) => `mongodb/${reason}`);
const ROLES: readonly Concept[] = ['app', 'database', 'mysql', 'rabbitmq', 'mongodb', 'redis', 'proxy', 'worker'];

export const TOPICS: readonly Topic[] = [
  { of: ['start'], beside: [...ROLES, 'static'], byRole: true, codes: WONT_START },
  { of: ['loop'], beside: [...ROLES, 'static'], byRole: true, codes: ['container/restarting', 'container/exited'] },
  { of: ['loop', 'start'], beside: ROLES, byRole: true, codes: WONT_START },
  { of: ['memory'], beside: [...ROLES, 'start'], byRole: true, codes: ['container/oom-killed', 'container/child-oom-killed'] },
  { of: ['health'], beside: ROLES, byRole: true, codes: ['container/unhealthy', 'container/healthcheck-broken'] },

  { of: ['database'], beside: ['connect', 'network', 'app'], codes: [...POSTGRES_LOGIN, ...MYSQL_LOGIN] },
  { of: ['database', 'connect'], beside: ['network', 'app', 'worker'], toward: 'postgres', codes: OUT_OF_REACH },
  {
    of: ['database', 'authentication'],
    beside: ['connect', 'app'],
    codes: ['auth-rejected', 'password-volume-mismatch', 'no-hba-entry']
      .map((reason) => `postgres/${reason}`)
      .concat('mysql/auth-rejected', 'mysql/password-volume-mismatch'),
  },
  {
    of: ['authentication', 'connect'],
    beside: ['database', 'app'],
    codes: ['postgres/auth-rejected', 'postgres/password-volume-mismatch'],
  },
  { of: ['tooMany'], beside: ['database', 'app'], codes: ['postgres/too-many-clients', 'mysql/too-many-clients'] },
  { of: ['roleMissing'], beside: ['database'], codes: ['postgres/role-missing'] },
  { of: ['databaseMissing'], beside: ['database'], codes: ['postgres/database-missing', 'mysql/database-missing'] },
  { of: ['database', 'disk'], codes: ['postgres/disk-full', 'mysql/disk-full'] },

  { of: ['mysql'], beside: ['database', 'connect', 'network', 'app', 'worker'], codes: MYSQL_LOGIN },
  { of: ['mysql', 'connect'], beside: ['database', 'network', 'app', 'worker'], toward: 'mysql', codes: OUT_OF_REACH },
  { of: ['mysql', 'authentication'], beside: ['database', 'connect'], codes: ['mysql/auth-rejected', 'mysql/password-volume-mismatch'] },
  { of: ['rabbitmq'], beside: ['connect', 'network', 'app', 'worker'], codes: RABBITMQ_LOGIN },
  {
    of: ['rabbitmq', 'authentication'],
    beside: ['connect', 'app'],
    codes: ['auth-rejected', 'password-volume-mismatch', 'guest-remote'].map((reason) => `rabbitmq/${reason}`),
  },
  { of: ['rabbitmq', 'connect'], beside: ['network', 'app', 'worker'], toward: 'rabbitmq', codes: OUT_OF_REACH },

  { of: ['mongodb'], beside: ['database', 'connect', 'network', 'app', 'worker'], codes: MONGODB_LOGIN },
  {
    of: ['mongodb', 'authentication'],
    beside: ['database', 'connect', 'app'],
    codes: ['auth-rejected', 'password-volume-mismatch', 'auth-source', 'credentials-missing'].map((reason) => `mongodb/${reason}`),
  },
  { of: ['mongodb', 'connect'], beside: ['database', 'network', 'app', 'worker'], toward: 'mongodb', codes: OUT_OF_REACH },

  { of: ['redis'], beside: ['connect', 'network', 'app', 'worker'], codes: REDIS_LOGIN },
  { of: ['redis', 'connect'], beside: ['network', 'app', 'worker'], toward: 'redis', codes: OUT_OF_REACH },
  {
    of: ['redis', 'authentication'],
    beside: ['connect'],
    codes: ['redis/auth-required', 'redis/wrong-password', 'redis/unexpected-password'],
  },
  { of: ['redis', 'memory'], codes: ['redis/out-of-memory'] },
  { of: ['redis', 'disk'], codes: ['redis/cannot-persist'] },
  { of: ['redis', 'tooMany'], codes: ['redis/max-clients'] },

  { of: ['reload'], beside: ['app', 'changes', 'update', 'mount'], codes: ['hot-reload/*'] },
  { of: ['changes', 'update'], beside: ['app'], codes: ['hot-reload/*'] },
  { of: ['watchers'], beside: ['reload'], codes: ['hot-reload/watchers-exhausted'] },

  { of: ['static'], beside: ['update', 'changes', 'proxy', 'mount', 'missing'], codes: ['static-files/*'] },
  { of: ['static', 'permission'], beside: ['proxy'], codes: ['static-files/unreadable'] },

  { of: ['proxy'], beside: ['connect', 'app', 'network'], codes: ['proxy/*'] },
  {
    of: ['badGateway'],
    beside: ['proxy', 'app'],
    codes: ['bad-gateway', 'upstream-stopped', 'stale-upstream', 'upstream-loopback', 'upstream-not-found'].map(
      (reason) => `proxy/${reason}`,
    ),
  },
  { of: ['gatewayTimeout'], beside: ['proxy', 'app'], codes: ['proxy/gateway-timeout'] },
  {
    of: ['badGateway', 'gatewayTimeout'],
    beside: ['proxy', 'app'],
    codes: ['proxy/bad-gateway', 'proxy/stale-upstream', 'proxy/upstream-stopped', 'proxy/gateway-timeout'],
  },

  { of: ['migrations'], beside: ['app', 'start'], codes: ['migrations/*'] },
  {
    of: ['modules'],
    beside: ['app', 'start', 'static'],
    codes: [
      'startup/module-missing',
      'image/packages-hidden',
      'image/packages-outdated',
      'image/stale-volume',
      'image/stale-anonymous-volume',
    ],
  },
  {
    of: ['unknownHost'],
    beside: ['app', 'network', 'connect'],
    codes: ['unknown-host', 'dependency-stopped', 'dns-fault', 'no-common-network'].map((reason) => `network/${reason}`),
  },
  { of: ['unknownHost', 'database'], beside: ['app', 'network', 'connect'], toward: 'postgres', codes: OUT_OF_NAME },
  { of: ['unknownHost', 'redis'], beside: ['app', 'network', 'connect', 'worker'], toward: 'redis', codes: OUT_OF_NAME },
  { of: ['unknownHost', 'proxy'], codes: ['proxy/upstream-not-found'] },

  { of: ['unresponsive'], beside: ['app'], codes: ['http-health/*'] },
  { of: ['port', 'taken'], beside: ['network'], codes: ['ports/taken'] },
  { of: ['port'], beside: ['connect', 'network', 'missing'], codes: ['ports/*'] },
  { of: ['network'], beside: ['connect', 'app'], codes: ['network/*'] },
  { of: ['mount'], beside: ['missing', 'permission'], codes: ['container/mount-failed', 'compose/mount-drift'] },

  { of: ['environment', 'update'], codes: ['compose/env-drift'] },
  { of: ['changes', 'environment'], beside: ['update'], codes: ['compose/env-drift'] },
  { of: ['environment', 'missing'], codes: ['compose/env-file-missing', 'compose/required-variable', 'compose/variable-unset'] },
  { of: ['environment'], codes: ['compose/env-drift', 'compose/env-file-missing', 'compose/required-variable', 'compose/variable-unset'] },

  { of: ['worker'], beside: ['unprocessed', 'update', 'redis'], codes: ['worker/*'] },
  {
    of: ['engine'],
    beside: ['connect', 'start'],
    codes: ['socket-missing', 'not-running', 'no-answer', 'unreachable'].map((reason) => `engine/${reason}`),
  },
  { of: ['engine', 'permission'], beside: ['connect'], codes: ['engine/permission-denied'] },
];

/** "Connection refused" and "password authentication failed" are told apart by whoever wrote them. */
const REFUSED = / (refused|econnrefused|not accepting connections) /;
const OF_REFUSED = new Set([
  'refused',
  'no-answer',
  'starting-up',
  'loading',
  'timeout',
  'dependency-stopped',
  'no-common-network',
  'dns-fault',
  'not-bound',
  'no-listener',
]);

/** Does the heading speak of another way to fail than this one? */
export const speaksOfAnother = (heading: string, code: string): boolean => {
  const text = normal(heading);
  return REFUSED.test(text) && !/ (auth\w*|password|login|permission) /.test(text) && !OF_REFUSED.has(code.slice(code.indexOf('/') + 1));
};

/** Codes that a general heading of their check does not mean: nothing that it would say mends them. */
const ONLY_BY_NAME = new Set(['hot-reload/watchers-exhausted']);

export const isCoveredBy = (code: string, pattern: string): boolean =>
  pattern === code || (pattern.endsWith('/*') && code.startsWith(pattern.slice(0, -1)) && !ONLY_BY_NAME.has(code));
