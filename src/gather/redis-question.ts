/** A team's command, one that only reads, with the words that a client really uses. */
import { wordOf } from '../model/plain.ts';
import type { Service } from '../model/stack.ts';
import { ownRedisCredentials } from './credentials.ts';
import { speaker, type Gathering } from './gathering.ts';
import { answered, failureOf, firstToConnect, serverWays, SILENT, wordsFor, type Answer, type Of, type Said } from './own-ways.ts';
import { askRedis } from './redis-session.ts';

/** Errors: `CannotLook`. */
export const askCommand = async (ask: Of<'redis'>, ms: number, service: Service, given: Gathering): Promise<Answer> => {
  const container = speaker(service);
  const words = wordsFor(service, 'redis', ask.as, ownRedisCredentials(container), given);
  return firstToConnect(serverWays(container, words, given), async (vantage) => {
    let said: Said = { failure: SILENT };
    const login = {
      user: words.user,
      password: words.password === null ? null : given.vault.reveal(words.password),
      database: ask.database,
      tls: words.tls,
      wantSessions: () => false,
      inquire: async (call: (command: readonly string[]) => Promise<unknown>) => {
        try {
          said = { text: redisText(await call(ask.command)) };
        } catch (error) {
          said = { failure: (error as Error).message };
        }
      },
    };
    const { trial } = await askRedis(vantage, login, { ms, signal: given.signal, vault: given.vault });
    const stopped = failureOf(trial);
    const result = stopped === null ? said : { failure: stopped };
    return { trial, answer: answered(`redis ${ask.command.join(' ')}`, result) };
  });
};

const redisText = (value: unknown): string | null =>
  value === null || value === undefined ? null : typeof value === 'object' ? JSON.stringify(value) : wordOf(value);
