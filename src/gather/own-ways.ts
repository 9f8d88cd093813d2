/** How an own question reaches whom it asks, and with whose words. */
import type { OwnAnswer, OwnQuestion } from '../model/config.ts';
import type { Trial } from '../model/facts.ts';
import { running, type Container, type Service } from '../model/stack.ts';
import { clientCredentials, type Credentials } from './credentials.ts';
import { CannotLook, type Gathering } from './gathering.ts';
import { isBelowProtocol } from './trial.ts';
import { byAddress, byPublishedPort, fromClient, fromItself, type Vantage } from './vantage.ts';

export type Of<K extends OwnQuestion['kind']> = Extract<OwnQuestion, { kind: K }>;
export type Answer = Omit<OwnAnswer, 'ms' | 'cut'> & { cut?: boolean };

export const failureOf = (trial: Trial): string | null => (trial.outcome === 'ok' ? null : trial.text || trial.outcome);

/** Cheapest first; the last one needs a tool in the image. */
export const waysTo = (container: Container, port: number, given: Gathering): Vantage[] =>
  [
    byAddress(given.engine, given.stack, container, port),
    byPublishedPort(given.engine, container, port),
    fromItself(given.engine, given.stack, container, port),
  ].filter((each) => each !== null);

/** The next way is taken only where nothing was connected. A tunnel that cannot be had leaves the earlier word standing. */
export const firstToConnect = async (
  ways: Vantage[],
  ask: (way: Vantage) => Promise<{ trial: Trial; answer: Answer }>,
): Promise<Answer> => {
  let last: Answer | null = null;
  for (const way of ways) {
    try {
      const { trial, answer } = await ask(way);
      if (trial.outcome === 'no-tool' && last) return last;
      // By its address it is this container and no other: its no is final.
      if (!isBelowProtocol(trial) || (way.view.kind === 'address' && trial.outcome === 'refused')) return answer;
      last = answer;
    } catch (error) {
      if (!(error instanceof CannotLook) || !last) throw error;
    }
  }
  if (!last) throw new CannotLook('it can be reached neither by address nor by a published port nor from inside a container');
  return last;
};

/** With whose words: those of the client that is named, else the server's own, else its first client's. */
export const wordsFor = (
  server: Service,
  kind: 'postgres' | 'redis',
  as: string | null,
  own: Credentials | null,
  given: Gathering,
): Credentials => {
  const clients = clientCredentials(given.stack, server.name, kind);
  const chosen = as === null || as === server.name ? (own ?? clients[0]) : clients.find(({ client }) => client === as);
  if (!chosen)
    throw new CannotLook(
      as === null ? `no credentials of ${server.name} are known` : `no credentials are known with which ${as} uses ${server.name}`,
    );
  return chosen;
};

export const serverWays = (container: Container, words: Credentials, given: Gathering): Vantage[] => {
  const client = given.stack.services.find(({ name }) => name === words.client && name !== container.service);
  return [
    byAddress(given.engine, given.stack, container, words.port, client && running(client)[0]),
    byPublishedPort(given.engine, container, words.port),
    fromClient(given.engine, client, words.host, words.port, container) ?? fromItself(given.engine, given.stack, container, words.port),
  ].filter((each) => each !== null);
};

export type Said = { text: string | null } | { failure: string };

export const SILENT = 'no answer came in time';

export const answered = (asked: string, said: Said): Answer =>
  'failure' in said ? { asked, failure: said.failure, code: null, text: null } : { asked, failure: null, code: null, text: said.text };
