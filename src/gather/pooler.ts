/** What a pooler before Postgres says to the words that its clients really use, and what the server behind it says to the same words. */
import type { PoolerFact, PoolerSetup } from '../model/facts.ts';
import { entryFor } from '../model/pooler-setup.ts';
import { connectionsFrom, connectionsTo, running, serviceNamed, type Stack } from '../model/stack.ts';
import { askAll, listeningPort, type Attempt } from './attempts.ts';
import { clientCredentials, unknownCredentials, type Credentials } from './credentials.ts';
import { TRY_MS, speaker, type Gathering, type ServiceGatherer } from './gathering.ts';
import { readLogQuietly } from './logs.ts';
import { readPoolerSetup } from './pooler-setup.ts';
import { askPostgres, probePostgres, toFact, type PostgresAnswer } from './postgres-session.ts';
import { isBelowLogin, knock } from './trial.ts';
import { byAddress } from './vantage.ts';

/** The console of pgbouncer has the name of a database. */
const CONSOLE = 'pgbouncer';
const LOG_LINES = 200;
/** So long does pgbouncer remember that a login at the server failed (`server_login_retry` is 15 s), and says so once. */
const MEMORY_MS = 20_000;
/** What it says of every client. */
const IDLE_TALK = /login attempt: |client close request|client unexpected eof|new connection to server/;

export const gatherPooler: ServiceGatherer<'pooler'> = async (service, given) => {
  const container = speaker(service);
  const setup = await readPoolerSetup(container, given);
  const clients = clientCredentials(given.stack, service.name, 'postgres')
    .filter((each) => each.user !== null)
    .map((each) => ({ ...each, database: each.database ?? each.user, query: optionsOf(each, given.stack, service.name) }))
    // Who may use the console is none of the apps' business.
    .filter(({ database }) => database !== CONSOLE);
  const limits = { ms: TRY_MS, signal: given.signal, vault: given.vault };

  const attempts = await askAll<PostgresAnswer>(service, container, given, {
    clients,
    own: clients.length === 0 ? unknownCredentials(container, await listeningPort(service, 5432, given)) : null,
    always: false,
    // A client waits for a server that cannot be had, and others with it; their own words may lead to another one.
    concernsAll: isBelowLogin,
    ask: async (vantage, credentials) => {
      if (credentials.user === null) return { trial: knock(await probePostgres(vantage, limits)), answer: null };
      return askPostgres(vantage, loginOf(credentials, credentials.database, given), limits);
    },
  });
  // What it said before its last start was of other settings.
  const since = [new Date(Date.now() - MEMORY_MS).toISOString(), container.state.startedAt ?? ''].toSorted().at(-1)!;
  const failed = attempts.filter(({ trial }) => !['ok', 'no-tool'].includes(trial.outcome));
  return {
    setup,
    attempts: attempts.map(toFact),
    straight: (await Promise.all(failed.map((each) => askStraight(each, service.name, setup, given)))).flat(),
    poolerLog:
      failed.length > 0 ? (await readLogQuietly(given, container, since, LOG_LINES)).filter(({ text }) => !IDLE_TALK.test(text)) : [],
  };
};

const loginOf = ({ user, password, tls, query }: Credentials, database: string | null, { vault }: Gathering) => ({
  user: user!,
  password: password === null ? null : vault.reveal(password),
  database: database ?? user!,
  tls,
  ...(query && { options: query }),
  // The sessions are the server's own: asked there.
  wantSessions: () => false,
});

/** `?options=-c%20search_path%3Dapp`: a pooler that does not know them turns the client away. */
const optionsOf = ({ client, source, host, port }: Credentials, stack: Stack, server: string): string => {
  const url = connectionsTo(stack, server).find(
    (each) => each.from === client && each.source === source && each.host === host && each.port === port,
  )?.url;
  const written = /[?&]options=([^&#]+)/.exec(url ?? '')?.[1];
  try {
    return decodeURIComponent((written ?? '').replaceAll('+', ' '));
  } catch {
    return '';
  }
};

/** Of the server that the pooler would go to for this database. The pooler may log in as somebody else: this is the client's own word. */
const askStraight = async (
  { credentials, view }: Attempt<PostgresAnswer>,
  pooler: string,
  setup: PoolerSetup | null,
  given: Gathering,
): Promise<PoolerFact['straight']> => {
  const entry = setup && credentials.database !== null ? entryFor(setup, credentials.database) : undefined;
  const behind = connectionsFrom(given.stack, pooler).filter(({ kind, to }) => kind === 'postgres' && to !== null);
  const way = behind.find(({ host }) => entry?.hosts.includes(host)) ?? behind[0];
  const server = way && serviceNamed(given.stack, way.to!);
  const container = server && running(server)[0];
  const vantage = container && byAddress(given.engine, given.stack, container, way.port);
  if (!vantage || credentials.user === null || view.kind === 'published') return [];
  const database = entry?.database ?? credentials.database ?? credentials.user;
  const limits = { ms: TRY_MS, signal: given.signal, vault: given.vault };
  const { trial } = await askPostgres(vantage, loginOf(credentials, database, given), limits);
  return [{ client: credentials.client, source: credentials.source, server: server.name, database, trial }];
};
