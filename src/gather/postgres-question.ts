/** A team's query, in a read-only transaction, with the words that a client really uses. */
import { plain, wordOf } from '../model/plain.ts';
import type { Service } from '../model/stack.ts';
import { ownPostgresCredentials } from './credentials.ts';
import { CannotLook, speaker, type Gathering } from './gathering.ts';
import { answered, failureOf, firstToConnect, serverWays, SILENT, wordsFor, type Answer, type Of, type Said } from './own-ways.ts';
import { askPostgres } from './postgres-session.ts';

/** Errors: `CannotLook`. */
export const askQuery = async (ask: Of<'postgres'>, ms: number, service: Service, given: Gathering): Promise<Answer> => {
  const container = speaker(service);
  const words = wordsFor(service, 'postgres', ask.as, ownPostgresCredentials(container), given);
  if (words.user === null) throw new CannotLook(`no user of ${service.name} is known`);
  const user = words.user;
  const database = ask.database ?? words.database ?? user;
  const asked = `postgres ${database} as ${user}: ${plain(ask.query).slice(0, 200)}`;
  return firstToConnect(serverWays(container, words, given), async (vantage) => {
    let said: Said = { failure: SILENT };
    const login = {
      user,
      password: words.password === null ? null : given.vault.reveal(words.password),
      database,
      tls: words.tls,
      wantSessions: () => false,
      inquire: async (query: (sql: string, values: unknown[]) => Promise<Record<string, unknown>[]>) => {
        try {
          await query('begin transaction read only', []);
          // The server stops by itself before we do: one that was left alone with a query would go on.
          await query(`set local statement_timeout = ${Math.ceil(ms * 0.8)}`, []);
          const [row] = await query(ask.query, []);
          said = { text: row ? sqlText(Object.values(row)[0]) : null };
          await query('rollback', []);
        } catch (error) {
          said = { failure: (error as Error).message };
        }
      },
    };
    const { trial } = await askPostgres(vantage, login, { ms, signal: given.signal, vault: given.vault });
    const stopped = failureOf(trial);
    const result = stopped === null ? said : { failure: stopped };
    return { trial, answer: answered(asked, result) };
  });
};

const sqlText = (value: unknown): string => {
  if (value === null || value === undefined) return 'null';
  if (value instanceof Date) return value.toISOString();
  return typeof value === 'object' ? JSON.stringify(value) : wordOf(value);
};
