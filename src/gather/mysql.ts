/** What a MySQL or MariaDB server says to the words that its clients really use. */
import type { LogLine, MysqlFact, SchemaLook, Trial } from '../model/facts.ts';
import { serviceNamed, type Container } from '../model/stack.ts';
import { askAll, type Attempt } from './attempts.ts';
import { clientCredentials, mysqlPort, ownMysqlCredentials, unknownCredentials, type Credentials } from './credentials.ts';
import { TRY_MS, speaker, type Gathering, type ServiceGatherer } from './gathering.ts';
import { readLogQuietly } from './logs.ts';
import { askMysql, isStuck, probeMysql, type MysqlAnswer, type MysqlServer } from './mysql-session.ts';
import { askSchema } from './mysql-schema.ts';
import { missedBy } from './schema.ts';
import { isBelowLogin, knock } from './trial.ts';
import { byAddress, type Vantage } from './vantage.ts';

export const gatherMysql: ServiceGatherer<'mysql'> = async (service, given) => {
  const container = speaker(service);
  const clients = clientCredentials(given.stack, service.name, 'mysql').filter((each) => each.user !== null);
  const own = ownMysqlCredentials(container);
  const port = own?.port ?? mysqlPort(container);
  const limits = { ms: TRY_MS, signal: given.signal, vault: given.vault };
  // Where the address can be asked, another server may be on the published port.
  const hasAddress = byAddress(given.engine, given.stack, container, port) !== null;
  const isHere = (vantage: Vantage): boolean => !hasAddress || vantage.view.kind !== 'published';

  let isAsked = false;
  let isRejected = false;
  const answers: MysqlAnswer[] = [];
  const ask = async (vantage: Vantage, credentials: Credentials): Promise<{ trial: Trial; answer: MysqlAnswer | null }> => {
    if (credentials.user === null) return { trial: knock(await probeMysql(vantage, limits)), answer: null };
    const login = {
      user: credentials.user,
      password: credentials.password === null ? null : given.vault.reveal(credentials.password),
      database: credentials.database,
      tls: credentials.tls,
      // By the first that gets in, and with the server's own words, which see more.
      wantSessions: () => isHere(vantage) && (!isAsked || credentials === own) && (isAsked = true),
      wantAccounts: () => isHere(vantage) && isRejected && credentials === own,
    };
    const plainly = await askMysql(vantage, login, limits);
    // Most clients would have tried TLS first, where the URL leaves it open.
    const result = !login.tls && WANTS_TLS.has(plainly.trial.code) ? await askMysql(vantage, { ...login, tls: true }, limits) : plainly;
    if (ABOUT_ACCOUNTS.has(result.trial.code)) isRejected = true;
    if (result.answer && isHere(vantage)) answers.push(result.answer);
    return result;
  };

  const words = own ?? (clients.length === 0 ? unknownCredentials(container, port) : null);
  // A healthy stack is asked with the words of its clients alone.
  const always = () => isRejected || sessionsOf(answers).some(isStuck);
  const asked = await askAll<MysqlAnswer>(service, container, given, { clients, own: words, always, ask, concernsAll, dependsOnPlace });
  const schemaFor = async ({ credentials, view }: Attempt<MysqlAnswer>): Promise<SchemaLook[]> => {
    const missed = await missedBy('mysql', serviceNamed(given.stack, credentials.client), service.name, given);
    const vantage = missed && view.kind === 'address' ? byAddress(given.engine, given.stack, container, credentials.port) : null;
    if (!vantage || !missed || credentials.user === null || credentials.database === null) return [];
    const schemas: SchemaLook[] = [];
    await askMysql(
      vantage,
      {
        user: credentials.user,
        password: credentials.password === null ? null : given.vault.reveal(credentials.password),
        database: credentials.database,
        tls: credentials.tls,
        wantSessions: () => false,
        wantAccounts: () => false,
        inquire: askSchema(missed, (schema) => schemas.push({ client: credentials.client, ...schema })),
      },
      limits,
    );
    return schemas;
  };

  const seen = asked.filter((attempt) => attempt.credentials !== own || isTelling(attempt, container));
  return {
    attempts: (seen.length > 0 ? seen : asked).map(toFact),
    server: serverOf(answers),
    accounts: answers.findLast((each) => each.accounts)?.accounts ?? null,
    databases: answers.findLast((each) => each.databases)?.databases ?? null,
    schemas: (await Promise.all(asked.filter(({ trial }) => trial.outcome === 'ok').map(schemaFor))).flat(),
    serverLog: asked.some(({ trial }) => trial.outcome !== 'ok') ? await readServerLog(container, given) : [],
  };
};

/** No way in without TLS, said as such. */
const WANTS_TLS = new Set(['3159']);

/** What the list of accounts and databases explains: access denied, to a database, from a host; no such database. */
const ABOUT_ACCOUNTS = new Set(['1045', '1698', '1130', '1044', '1049']);

/** Accounts are made of a name and a place. */
const dependsOnPlace = ({ code }: Trial): boolean => ['1045', '1698', '1130', '1129'].includes(code);

/**
 * Everybody is out of luck with these: starting or stopping, out of connections. Access denied is another thing for each, and so is a database.
 */
const concernsAll = (trial: Trial): boolean =>
  isBelowLogin(trial) || trial.outcome === 'timeout' || ['1040', '1053', '1129', '1130'].includes(trial.code);

/** Root may be for the server's own container alone: that it is rejected from elsewhere is then as it should be. */
const isTelling = ({ credentials, trial }: Attempt<MysqlAnswer>, { env }: Container): boolean =>
  !(credentials.user === 'root' && dependsOnPlace(trial) && (env['MARIADB_ROOT_HOST'] || env['MYSQL_ROOT_HOST'] || '%') !== '%');

const sessionsOf = (answers: readonly MysqlAnswer[]): MysqlServer['sessions'] => answers.flatMap((each) => each.server.sessions);

/** The one that was shown most. */
const serverOf = (answers: readonly MysqlAnswer[]): MysqlServer | null =>
  answers
    .map((each) => each.server)
    .toSorted((a, b) => b.blockers.length - a.blockers.length || b.sessions.length - a.sessions.length)[0] ?? null;

const toFact = ({ credentials, view, trial, answer }: Attempt<MysqlAnswer>): MysqlFact['attempts'][number] => {
  const { client, source, host, port, user, password, database, tls } = credentials;
  return {
    client,
    source,
    host,
    port,
    user: user ?? '',
    database: database ?? '',
    password,
    tls,
    view,
    trial,
    identity: answer?.identity ?? null,
  };
};

const LOG_LINES = 100;

/** Is it still setting itself up? */
const readServerLog = (container: Container, given: Gathering): Promise<LogLine[]> =>
  readLogQuietly(given, container, container.state.startedAt, LOG_LINES);
