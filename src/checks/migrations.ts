/** Is the schema that the app expects there? In the words of the migration tool, and of the database itself. */
import { accepted, listed, unique } from '../model/attempt.ts';
import { defineCheck, mayPass, type Evidence, type Finding, type FindingSpec, type Known, type Verdict } from '../model/check.ts';
import { crashIn, isUnreachedPeer } from '../model/crash.ts';
import { keepsFailing } from '../model/crash-loop.ts';
import type { LogLine, MountsFact, SchemaLook } from '../model/facts.ts';
import { knownErrorIn, type KnownError } from '../model/log-signatures.ts';
import { migrationReason } from '../model/startup-reason.ts';
import { serversThrough } from '../model/pooler-setup.ts';
import { connectionsFrom, type Service, type Stack } from '../model/stack.ts';

const cause = (means: string, proof: string): FindingSpec => ({ severity: 'fail', layer: 'migration', kind: 'cause', means, proof });

interface Scene {
  service: Service;
  stack: Stack;
  lines: LogLine[];
  /** Whether the container ends by itself, so that the log's last error is the reason. */
  ends: boolean;
  peers: Record<string, Known<'postgres' | 'mysql' | 'mounts'>>;
}

export const migrations = defineCheck({
  id: 'migrations',
  title: 'The database has the schema that the app expects',
  question: 'Did the migrations run, and are the tables there that the app asks for?',
  aliases: ['schema', 'alembic'],
  needs: ['logs'],
  peerNeeds: ['postgres', 'mysql', 'mounts'],
  peersOf: (service, stack) => serversThrough(stack, service.name),
  after: ['engine', 'compose'],
  appliesTo: (service, stack) =>
    ['http', 'worker', 'one-shot', 'unknown'].includes(service.role) &&
    connectionsFrom(stack, service.name).some(({ kind, to }) => to !== null && (kind === 'postgres' || kind === 'mysql')),
  findings: {
    'multiple-heads': cause(
      'Two migrations claim to be the newest, so that the tool does not know which to take.',
      'The words of Alembic since the last start: `Multiple head revisions are present`.',
    ),
    'unknown-revision': cause(
      'The database is at a revision that this checkout does not have: the volume comes from another branch.',
      "The words of Alembic since the last start: `Can't locate revision identified by`.",
    ),
    'concurrent-run': mayPass(
      cause(
        'Two services ran the same migrations at the same time, and the second one lost.',
        "A unique violation in the server's own catalogue (`pg_type_typname_nsp_index`), or a version table that had just been made.",
      ),
    ),
    failed: mayPass(
      cause(
        'A migration failed, so the schema is not the one that the app expects.',
        'The last error of the migration tool since the last start.',
      ),
    ),
    'schema-missing': mayPass(
      cause(
        'The app asks for tables or columns that the database does not have: its migrations did not run there.',
        "The app's log names a table or a column, and the catalogue of the server, asked by the app's own user in its database, has none.",
      ),
    ),
  },
  evaluate({ service, stack, facts: { logs }, peers }): Verdict {
    if (!logs.ok) return { cannotLook: logs.reason };
    const container = service.containers.find((each) => each.name === logs.value.container);
    const scene: Scene = { service, stack, lines: logs.value.lines, ends: container !== undefined && keepsFailing(container), peers };
    const missing = schemaMissing(scene);
    const told = toolError(scene, missing.length > 0);
    // A migration that failed is why tables are missing.
    const findings = told.length > 0 ? told : missing;
    if (findings.length > 0) return { findings };
    if (!scene.ends && scene.lines.some(({ text }) => TOOL.test(text)))
      return { findings: [], note: 'its migrations ran without an error' };
    return !scene.ends && isLetIn(service, peers)
      ? { findings: [], note: 'its log misses no table' }
      : { skip: `the log of ${service.name} tells of no migration` };
  },
});

const isLetIn = ({ name }: Service, peers: Scene['peers']): boolean =>
  Object.values(peers).some(
    ({ postgres }) => postgres.ok && postgres.value.attempts.some((each) => each.client === name && accepted(each)),
  );

/** Migration tools at work. */
const TOOL = /\[alembic\.runtime\.migration\]|Applying migration `|No pending migrations to apply|Running migrations:/;

/** Frames of a traceback, and last words, that are of a migration and of nothing else. */
const MIGRATING = /[/\\]alembic[/\\]|\bFAILED: |management[/\\]commands[/\\]migrate|^\s*(?:File "|at )\S*migrat/;

/** Tools that print a line and no traceback. */
const SAYS_FAILED =
  /\bmigrations?\b.{0,80}\bfail(?:ed|s|ure)\b|\bfailed to (?:run|apply) (?:the )?migrations?\b|\berror (?:running|applying) migrations?\b/i;

/** What runs once the migrations are done: an app that serves says so. */
const SERVES = /Uvicorn running on|Application startup complete|Listening at: |Starting development server at|Booting worker|listening on/i;

const toolError = (scene: Scene, isSchemaMissing: boolean): Finding[] => {
  const { service, lines } = scene;
  const isServing = ({ text }: LogLine): boolean => SERVES.test(text);
  // Of a container that keeps ending, an earlier run may have served: what matters came after it.
  const serves = scene.ends ? -1 : lines.findIndex(isServing);
  const before = scene.ends ? lines.slice(lines.findLastIndex(isServing) + 1) : serves < 0 ? lines : lines.slice(0, serves);
  const known = knownErrorIn(before, service.role);
  const reason = known && migrationReason(known);
  const line = known && reason && reason !== 'schema-missing' ? known : null;
  if (line && reason) return [found(reason, line, scene, serves >= 0 && !isSchemaMissing)];
  // Any other known error is not the migration's own: a module that is missing, a database that does not answer.
  return known && !reason ? [] : failedRun(before, scene, serves >= 0 && !isSchemaMissing);
};

/** An app that started all the same may do well without: `harmless`. */
const found = (reason: string, known: KnownError, scene: Scene, harmless: boolean): Finding => {
  const { service } = scene;
  const others = reason === 'concurrent-run' ? alsoMigrating(scene) : [];
  return {
    reason,
    ...(harmless ? { severity: 'warn' as const } : {}),
    message: `${messageOf(reason, known.line, service, others)}${scene.ends ? '' : '; the app started all the same'}`,
    evidence: [
      { source: `${service.name} log: ${known.says}`, text: known.line },
      ...others.map((other): Evidence => ({
        source: 'docker inspect',
        text: `${other} runs the image and the entry point of ${service.name}`,
      })),
    ],
    values: { ...databaseOf(scene), ...(others[0] ? { target: others[0] } : {}) },
  };
};

const messageOf = (reason: string, line: string, service: Service, others: string[]): string => {
  const revision = /identified by '([^']+)'/.exec(line)?.[1];
  switch (reason) {
    case 'multiple-heads':
      return `the migrations of ${service.name} have two heads, so none of them is run`;
    case 'unknown-revision':
      return `the database of ${service.name} is at revision ${revision}, which this checkout does not have`;
    case 'concurrent-run':
      return `${listed([service.name, ...others])} migrated the same database at the same time${others.length > 0 ? '' : ' as another service'}, and ${service.name} lost`;
    default:
      return `a migration of ${service.name} failed: ${line.trim()}`;
  }
};

/** Services that run the same program on the same database start with the same entry point. */
const alsoMigrating = ({ service, stack }: Scene): string[] => {
  const [own] = service.containers;
  const databases = databasesOf(service, stack);
  return stack.services
    .filter((each) => each.name !== service.name && each.containers[0]?.imageId === own?.imageId)
    .filter((each) => each.containers[0]?.entrypoint.join(' ') === own?.entrypoint.join(' ') && own?.entrypoint.length !== 0)
    .filter((each) => databasesOf(each, stack).some((database) => databases.includes(database)))
    .map(({ name }) => name);
};

const databasesOf = ({ name }: Service, stack: Stack): string[] =>
  connectionsFrom(stack, name).flatMap(({ kind, to, database }) => (kind === 'postgres' && to !== null ? [`${to}/${database ?? ''}`] : []));

const databaseOf = ({ service, stack }: Scene): Record<string, string> => {
  const to = connectionsFrom(stack, service.name).find(({ kind }) => kind === 'postgres' || kind === 'mysql');
  return {
    ...(to?.to ? { target: to.to } : {}),
    ...(to?.database ? { database: to.database } : {}),
    ...(to?.user ? { user: to.user } : {}),
  };
};

/** The tool's own traceback. That the database did not let it in, or was not there, is the database's business. */
const failedRun = (before: LogLine[], scene: Scene, harmless: boolean): Finding[] => {
  const from = Math.max(
    0,
    before.findLastIndex(({ text }) => text.startsWith('Traceback (most recent call last)')),
  );
  const last = before.slice(from);
  const spoken = scene.ends ? before.findLast(({ text }) => SAYS_FAILED.test(text))?.text.trim() : undefined;
  const crash = last.some(({ text }) => MIGRATING.test(text)) ? crashIn(last) : spoken ? { error: spoken.slice(0, 300), at: null } : null;
  if (!crash || isUnreachedPeer(crash.error)) return [];
  const { service } = scene;
  return [
    {
      reason: 'failed',
      ...(harmless ? { severity: 'warn' as const } : {}),
      message: `a migration of ${service.name} failed: ${crash.error}${crash.at ? ` (${crash.at})` : ''}${scene.ends ? '' : '; the app started all the same'}`,
      evidence: [{ source: `${service.name} log`, text: crash.error }],
      // It may fail for the address that it was given; a mount that matters would have ended it with other words.
      suspects: [{ service: service.name, code: 'address/*' }],
      values: { ...databaseOf(scene), ...(crash.at ? { file: crash.at } : {}) },
    },
  ];
};

/** The log may be older than the table: only what is missing now counts. */
const schemaMissing = ({ service, peers }: Scene): Finding[] =>
  Object.entries(peers).flatMap(([server, { postgres, mysql, mounts }]) => {
    const former = mounts.ok ? mounts.value.twins[0] : undefined;
    return [
      ...(postgres.ok ? merged(postgres.value.schemas ?? [], service).map((schema) => missingParts(schema, server, service, former)) : []),
      ...(mysql.ok ? merged(mysql.value.schemas ?? [], service).map((schema) => missingParts(schema, server, service, former)) : []),
    ];
  });

const merged = (schemas: SchemaLook[], service: Service): SchemaLook[] =>
  schemas
    .filter(({ client, missing, columns = [] }) => client === service.name && missing.length + columns.length > 0)
    .filter(({ database }, index, all) => all.findIndex((each) => each.database === database) === index);

/** An older volume beside the one that the server began with. */
type Former = MountsFact['twins'][number];

const missingParts = (
  { database, missing, columns = [], tables, alembic }: SchemaLook,
  server: string,
  { name }: Service,
  former: Former | undefined,
): Finding => {
  const spelled = columns.map((each) => (each.table === null ? each.name : `${each.table}.${each.name}`));
  const what = missing.length > 0 ? `table ${listed(unique(missing.slice(0, 3)))}` : `column ${listed(unique(spelled.slice(0, 3)))}`;
  const first = missing[0] ?? spelled[0]!;
  return {
    reason: 'schema-missing',
    message:
      tables === 0
        ? `database "${database}" of ${server} has no table at all, and ${name} asks for ${first}: ${former ? `its volume ${former.volume} is new, and the data may be in ${former.other}` : 'its migrations have not been run'}`
        : `database "${database}" of ${server} has no ${what}, which ${name} asks for`,
    evidence: [
      { source: `${name} log`, text: missing.length > 0 ? `"${first}" does not exist` : `column "${first}" does not exist` },
      { source: `catalogue of database ${database} of ${server}`, text: `no ${first}; ${tables} tables in all` },
      ...(tables === 0 && former
        ? [{ source: `docker volume inspect ${former.other}`, text: `project ${former.project}, made ${former.createdAt}` }]
        : []),
      ...(alembic === null ? [] : [{ source: 'alembic_version', text: alembic.join(', ') || 'empty' }]),
    ],
    values: { target: server, database },
  };
};
