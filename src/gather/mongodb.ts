/** What a MongoDB server says to the words that its clients really use, and where a replica set sends them. */
import { isLoopback, namesFor, nameTable } from '../model/connections.ts';
import type { LogLine, MongodbFact, Trial } from '../model/facts.ts';
import { optionsIn } from '../model/mongodb-answer.ts';
import { running, serviceNamed, type Container } from '../model/stack.ts';
import { askAll, listeningPort, type Attempt } from './attempts.ts';
import { mongodbClients, mongodbPort, ownMongodbCredentials, unknownCredentials, type Credentials } from './credentials.ts';
import { CannotLook, TRY_MS, speaker, type Gathering, type ServiceGatherer } from './gathering.ts';
import { readLogQuietly } from './logs.ts';
import { askMongodb, probeMongodb, type MongodbAnswer } from './mongodb-session.ts';
import { isBelowLogin, knock, type Limits } from './trial.ts';
import { fromClient, type Vantage } from './vantage.ts';

interface Answer extends Partial<MongodbAnswer> {
  acceptedIn: string | null;
}

interface Heard {
  trial: Trial;
  answer: Answer | null;
}

export const gatherMongodb: ServiceGatherer<'mongodb'> = async (service, given) => {
  const container = speaker(service);
  const clients = mongodbClients(given.stack, service.name);
  const declared = ownMongodbCredentials(container);
  const port = clients.length > 0 ? mongodbPort(container) : await listeningPort(service, mongodbPort(container), given);
  const own = declared && { ...declared, port };
  const unknown = own === null && clients.length === 0 ? unknownCredentials(container, port) : null;
  const limits = { ms: TRY_MS, signal: given.signal, vault: given.vault };
  let isRejected = false;

  const ask = async (vantage: Vantage, credentials: Credentials): Promise<Heard> => {
    if (credentials === unknown) {
      const { trial, answer } = await probeMongodb(vantage, false, limits);
      return { trial: knock(trial), answer: answer && { ...answer, acceptedIn: null } };
    }
    const heard = await asClient(vantage, credentials, given, limits);
    if (heard.trial.code === WRONG) isRejected = true;
    return heard;
  };

  const attempts = await askAll<Answer>(service, container, given, {
    clients,
    own: own ?? unknown,
    always: () => isRejected,
    ask,
    concernsAll,
  });
  return {
    attempts: attempts.map(toFact),
    version: attempts.find(({ answer }) => answer?.version)?.answer?.version ?? null,
    members: await lookAtMembers(attempts, container, given, limits),
    serverLog: attempts.some(({ trial }) => trial.outcome !== 'ok') ? await readServerLog(container, given, isRejected) : [],
  };
};

/** AuthenticationFailed: the user, the password or the database that was asked for them. */
const WRONG = '18';

/** NotYetInitialized and the end of a process are met by everybody. */
const concernsAll = (trial: Trial): boolean => isBelowLogin(trial) || trial.outcome === 'timeout' || /^(91|94|11600)$/.test(trial.code);

/** Every mechanism but these needs a file, a directory or a cloud that only the client has. */
const SPOKEN = /^SCRAM-SHA-(1|256)$/i;

const asClient = async (vantage: Vantage, credentials: Credentials, given: Gathering, limits: Limits): Promise<Heard> => {
  const { user, password, database, tls, query = '' } = credentials;
  const { authMechanism, tlsCertificateKeyFile } = optionsIn(query);
  const foreign =
    authMechanism && !SPOKEN.test(authMechanism)
      ? `authentication by ${authMechanism}`
      : tlsCertificateKeyFile && 'a certificate of the client';
  if (foreign)
    return {
      trial: { layer: 'login', outcome: 'no-tool', code: '', text: `it logs in with ${foreign}, which the doctor does not have`, ms: 0 },
      answer: null,
    };

  const login = { user, password: password === null ? '' : given.vault.reveal(password), tls, database };
  const [source = 'admin', ...others] = authSourcesOf(credentials);
  const plainly = await askMongodb(vantage, { ...login, authSource: source }, limits);
  const first = await overTls(plainly, vantage, tls, limits);
  const asked = new Set([source]);
  const askIn = async (where: readonly string[]): Promise<{ source: string; heard: Awaited<ReturnType<typeof askMongodb>> } | null> => {
    for (const each of where.filter((name) => !asked.has(name))) {
      asked.add(each);
      const heard = await askMongodb(vantage, { ...login, authSource: each }, limits);
      if (heard.trial.code !== WRONG) return { source: each, heard };
    }
    return null;
  };
  if (first.trial.code !== WRONG || user === null)
    return { trial: first.trial, answer: first.answer && { ...first.answer, acceptedIn: null } };
  const told = await askIn(others);
  if (told) return { trial: told.heard.trial, answer: told.heard.answer && { ...told.heard.answer, acceptedIn: null } };
  const elsewhere = await askIn(['admin', ...(database ? [database] : [])]);
  return { trial: first.trial, answer: { ...first.answer, acceptedIn: elsewhere?.heard.trial.outcome === 'ok' ? elsewhere.source : null } };
};

/** A server that takes TLS alone hangs up on whoever comes without. That it answers with TLS shows it. */
const overTls = async (
  plainly: Awaited<ReturnType<typeof askMongodb>>,
  vantage: Vantage,
  tls: boolean,
  limits: Limits,
): Promise<typeof plainly> => {
  const { layer, outcome } = plainly.trial;
  if (tls || layer !== 'protocol' || outcome !== 'reset') return plainly;
  const { trial } = await probeMongodb(vantage, true, limits);
  if (isBelowLogin(trial)) return plainly;
  const text = 'the server closes a connection without TLS, and answers over TLS';
  return { trial: { ...plainly.trial, layer: 'tls', outcome: 'rejected', text }, answer: null };
};

/** In which databases the user is looked for: the one that the client tells, else those that are usual. */
const authSourcesOf = ({ database, query = '' }: Credentials): string[] => {
  const told = optionsIn(query)['authSource'];
  return told ? [told] : ['admin', ...(database ? [database] : [])];
};

/** Where a client goes on to, who asks one member of a set for all of them. */
const lookAtMembers = async (
  attempts: Attempt<Answer>[],
  container: Container,
  given: Gathering,
  limits: Limits,
): Promise<MongodbFact['members']> => {
  const table = nameTable(given.stack.services);
  const tried = attempts.flatMap(({ credentials, answer }) => {
    const client = serviceNamed(given.stack, credentials.client);
    const { directConnection } = optionsIn(credentials.query ?? '');
    if (!client || client.name === container.service || directConnection === 'true' || !answer?.node?.setName) return [];
    const names = namesFor(client, table);
    const extra = running(client)[0]?.extraHosts ?? [];
    return answer.node.hosts.slice(0, MOST_MEMBERS).flatMap((member) => {
      const [, host = '', port = '27017'] = /^(.*?)(?::(\d+))?$/.exec(member) ?? [];
      const isStranger =
        isLoopback(host) || !(names.has(host) || host.includes('.') || host.includes(':') || extra.some((each) => each.startsWith(host)));
      return isStranger ? [{ client, source: credentials.source, host, port: Number(port) }] : [];
    });
  });
  const once = [...new Map(tried.map((each) => [`${each.client.name} ${each.host} ${each.port}`, each])).values()];
  const looked = await Promise.all(
    once.map(async ({ client, ...each }) => {
      const vantage = fromClient(given.engine, client, each.host, each.port, container);
      if (!vantage) return [];
      try {
        return [{ ...each, client: client.name, trial: (await probeMongodb(vantage, false, limits)).trial }];
      } catch (error) {
        if (error instanceof CannotLook && !given.signal.aborted) return [];
        throw error;
      }
    }),
  );
  return looked.flat();
};

const MOST_MEMBERS = 3;

const toFact = ({ credentials, view, trial, answer }: Attempt<Answer>): MongodbFact['attempts'][number] => {
  const { client, source, host, port, user, password, database, tls, query = '' } = credentials;
  const { replicaSet, directConnection, readPreference } = optionsIn(query);
  return {
    client,
    source,
    host,
    port,
    user,
    database: database ?? '',
    password,
    tls,
    authSources: user === null ? [] : authSourcesOf(credentials),
    acceptedIn: answer?.acceptedIn ?? null,
    options: {
      ...(replicaSet && { replicaSet }),
      ...(directConnection && { directConnection }),
      ...(readPreference && { readPreference }),
    },
    view,
    trial,
    node: answer?.node ?? null,
    hasRights: answer?.hasRights ?? null,
  };
};

const LOG_LINES = 200;
const LOG_WAITS_MS = [0, 80, 200];

/** Why a login was rejected is told to the log alone; the engine gets it a moment after we get the answer. */
const readServerLog = async (container: Container, given: Gathering, isRejected: boolean): Promise<LogLine[]> => {
  let lines: LogLine[] = [];
  for (const wait of isRejected ? LOG_WAITS_MS : [0]) {
    await new Promise((resolve) => setTimeout(resolve, wait));
    lines = await readLogQuietly(given, container, container.state.startedAt, LOG_LINES);
    if (lines.some(({ text }) => /"msg":"(?:Failed to authenticate|Authentication failed)"/.test(text))) break;
  }
  return lines;
};
