/** What a Postgres server says to the words that its clients really use. */
import type { LogLine, SchemaLook, Trial } from '../model/facts.ts';
import { clientsThrough } from '../model/pooler-setup.ts';
import { serviceNamed, type Container } from '../model/stack.ts';
import { askAll, listeningPort, type Attempt } from './attempts.ts';
import { clientCredentials, ownPostgresCredentials, postgresPort, unknownCredentials, type Credentials } from './credentials.ts';
import { TRY_MS, speaker, type Gathering, type ServiceGatherer } from './gathering.ts';
import { readLogQuietly } from './logs.ts';
import { askSchema } from './postgres-schema.ts';
import { askPostgres, probePostgres, toFact, type PostgresAnswer, type PostgresServer } from './postgres-session.ts';
import { missedBy } from './schema.ts';
import { isBelowLogin, knock } from './trial.ts';
import { byAddress, type Vantage } from './vantage.ts';

export const gatherPostgres: ServiceGatherer<'postgres'> = async (service, given) => {
  const container = speaker(service);
  // The engine's clock and ours may differ a little.
  const since = new Date(Date.now() - 1_000).toISOString();
  // Without a database in the URL it is the one named as the user.
  const clients = clientCredentials(given.stack, service.name, 'postgres')
    .filter((each) => each.user !== null)
    .map((each) => ({ ...each, database: each.database ?? each.user }));
  const declared = ownPostgresCredentials(container);
  const port = clients.length > 0 ? postgresPort(container) : await listeningPort(service, postgresPort(container), given);
  const own = declared && { ...declared, port };
  const limits = { ms: TRY_MS, signal: given.signal, vault: given.vault };

  // Where the address can be asked, another server may be on the published port.
  const hasAddress = byAddress(given.engine, given.stack, container, port) !== null;
  const isHere = (vantage: Vantage): boolean => !hasAddress || vantage.view.kind !== 'published';
  let isAsked = false;
  let sessions: PostgresServer | null = null;
  const ask = async (vantage: Vantage, credentials: Credentials): Promise<{ trial: Trial; answer: PostgresAnswer | null }> => {
    if (credentials.user === null) return { trial: knock(await probePostgres(vantage, limits)), answer: null };
    const login = {
      user: credentials.user,
      password: credentials.password === null ? null : given.vault.reveal(credentials.password),
      database: credentials.database ?? credentials.user,
      tls: credentials.tls,
      // By the first that gets in, and by the server's own role, which sees more than a client's does.
      wantSessions: () => isHere(vantage) && (!isAsked || credentials === own) && (isAsked = true),
    };
    const plainly = await askPostgres(vantage, login, limits);
    // Most clients would have tried TLS first, where the URL leaves it open.
    const result = !login.tls && wantsTls(plainly.trial) ? await askPostgres(vantage, { ...login, tls: true }, limits) : plainly;
    if (result.answer && isHere(vantage)) sessions = richer(sessions, result.answer.server);
    return result;
  };

  /** With its own words, or those of the pooler that it goes through. */
  const schemasFor = async (attempt: Attempt<PostgresAnswer>): Promise<SchemaLook[]> => {
    const { client, database } = attempt.credentials;
    const clients = [client, ...clientsThrough(given.stack, client, database)];
    return (await Promise.all(clients.map((each) => schemaFor(each, attempt)))).flat();
  };

  const schemaFor = async (client: string, { credentials, view }: Attempt<PostgresAnswer>): Promise<SchemaLook[]> => {
    const missed = await missedBy('postgres', serviceNamed(given.stack, client), service.name, given);
    const vantage = missed === null || view.kind !== 'address' ? null : byAddress(given.engine, given.stack, container, credentials.port);
    if (!vantage || !missed || credentials.user === null) return [];
    const schemas: SchemaLook[] = [];
    await askPostgres(
      vantage,
      {
        user: credentials.user,
        password: credentials.password === null ? null : given.vault.reveal(credentials.password),
        database: credentials.database ?? credentials.user,
        tls: credentials.tls,
        wantSessions: () => false,
        inquire: askSchema(missed, (schema) => schemas.push({ client, ...schema })),
      },
      limits,
    );
    return schemas;
  };

  const words = own ?? (clients.length === 0 ? unknownCredentials(container, port) : null);
  const attempts = await askAll<PostgresAnswer>(service, container, given, { clients, own: words, always: true, ask, concernsAll });
  return {
    attempts: attempts.map(toFact),
    server: sessions ?? attempts.find((each) => each.answer)?.answer?.server ?? null,
    schemas: (await Promise.all(attempts.filter(({ trial }) => trial.outcome === 'ok').map(schemasFor))).flat(),
    serverLog: attempts.some(({ trial }) => trial.outcome !== 'ok') ? await readServerLog(container, since, attempts, given) : [],
  };
};

/** `no pg_hba.conf entry for host …, no encryption`: the words of a server that would have us with TLS. */
const wantsTls = ({ code, text }: Trial): boolean => code === '28000' && /no encryption|SSL off/.test(text);

/** The server's own words may see more of the sessions than a client's. */
const richer = (known: PostgresServer | null, found: PostgresServer): PostgresServer =>
  known && known.sessions.length + known.blockers.length > found.sessions.length + found.blockers.length ? known : found;

/** SQLSTATE 53300 is met by every ordinary role; 57P01 to 57P03 (shutting down, starting up) and class 53 otherwise by everyone. */
const concernsAll = (trial: Trial): boolean => isBelowLogin(trial) || trial.outcome === 'timeout' || /^(53|57P0[1-3])/.test(trial.code);

const LOG_LINES = 60;
const LOG_WAITS_MS = [0, 80, 200];

/** The DETAIL of a rejection is told to the log alone; the engine gets it a moment after we get the answer. */
const readServerLog = async (
  container: Container,
  since: string,
  attempts: Attempt<PostgresAnswer>[],
  given: Gathering,
): Promise<LogLine[]> => {
  const isAnswered = attempts.some(({ trial }) => /^28|^3D/.test(trial.code));
  let lines: LogLine[] = [];
  for (const wait of isAnswered ? LOG_WAITS_MS : [0]) {
    await new Promise((resolve) => setTimeout(resolve, wait));
    lines = await readLogQuietly(given, container, since, LOG_LINES);
    if (lines.some(({ text }) => /FATAL/.test(text))) break;
  }
  return lines;
};
