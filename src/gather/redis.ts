/** What a Redis server says to the words that its clients really use, and whether it takes work. */
import type { RedisFact, Trial } from '../model/facts.ts';
import { askAll, listeningPort, type Attempt } from './attempts.ts';
import { clientCredentials, ownRedisCredentials, type Credentials } from './credentials.ts';
import { TRY_MS, speaker, type ServiceGatherer } from './gathering.ts';
import { askRedis, type RedisAnswer, type RedisServer } from './redis-session.ts';
import { isBelowLogin } from './trial.ts';
import { byAddress, type Vantage } from './vantage.ts';

export const gatherRedis: ServiceGatherer<'redis'> = async (service, given) => {
  const container = speaker(service);
  // No database is database 0, to whoever shares a session.
  const declared = { ...ownRedisCredentials(container), database: '0' };
  const clients = clientCredentials(given.stack, service.name, 'redis').map((each) => ({ ...each, database: String(databaseOf(each)) }));
  const own = clients.length > 0 ? declared : { ...declared, port: await listeningPort(service, declared.port, given) };
  const limits = { ms: TRY_MS, signal: given.signal, vault: given.vault };
  // Where the address can be asked, another server may be on the published port.
  const hasAddress = byAddress(given.engine, given.stack, container, own.port) !== null;
  const isHere = (vantage: Vantage): boolean => !hasAddress || vantage.view.kind !== 'published';

  let isAsked = false;
  let server: RedisServer | null = null;
  const ask = async (vantage: Vantage, credentials: Credentials): Promise<{ trial: Trial; answer: RedisAnswer | null }> => {
    let isAskedHere = false;
    const result = await askRedis(
      vantage,
      {
        user: credentials.user,
        password: credentials.password === null ? null : given.vault.reveal(credentials.password),
        database: databaseOf(credentials),
        tls: credentials.tls,
        wantSessions: () => isHere(vantage) && !isAsked && (isAskedHere = isAsked = true),
      },
      limits,
    );
    // A server that rejects PING (MISCONF, LOADING) tells about itself all the same.
    // Sessions and queues are asked for once: the answer that has them is the one to keep.
    if (result.answer && isHere(vantage) && (!server || isAskedHere)) server = result.answer.server;
    return result;
  };

  const attempts = await askAll<RedisAnswer>(service, container, given, { clients, own, always: false, ask, concernsAll });
  return { attempts: attempts.map(toFact), server };
};

const databaseOf = ({ database }: Credentials): number => {
  const index = Number(database ?? 0);
  return Number.isInteger(index) && index >= 0 ? index : 0;
};

const concernsAll = (trial: Trial): boolean =>
  isBelowLogin(trial) ||
  trial.outcome === 'timeout' ||
  ['LOADING', 'MISCONF', 'DENIED'].includes(trial.code) ||
  /max number of clients/.test(trial.text);

const toFact = ({ credentials, view, trial, answer }: Attempt<RedisAnswer>): RedisFact['attempts'][number] => {
  const { client, source, host, port, user, password, tls } = credentials;
  return { client, source, host, port, user, password, database: databaseOf(credentials), tls, view, trial, runId: answer?.runId ?? null };
};
