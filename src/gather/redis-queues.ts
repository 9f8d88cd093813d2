/** Lists and streams that hold work: bounded looks at the keyspace, by commands that change nothing. */
import type { Redis } from 'ioredis';
import type { RedisFact } from '../model/facts.ts';
import { plain } from '../model/plain.ts';
import type { Vault } from './vault.ts';

export type RedisQueue = NonNullable<RedisFact['server']>['queues'][number];
type Session = NonNullable<RedisFact['server']>['sessions'][number];

/** Over all databases; SCAN looks at about as many keys as COUNT says. */
const MOST_SCANNED = 1_000;
const MOST_DATABASES = 8;
const MOST_QUEUES = 50;
/** Between two looks at a list that nobody waits on: is somebody taking from it? */
const BETWEEN_MS = 150;

/** `blpop`, `brpop`, `blmove`, `brpoplpush`, `blmpop`: whoever waits with these takes what comes. */
const LIST_WAITS = /^b(l|r)(pop|move|mpop|poplpush)/;

export const queuesOf = async (
  redis: Redis,
  keyspace: Record<string, number>,
  sessions: Session[],
  vault: Vault,
): Promise<RedisQueue[]> => {
  const databases = Object.entries(keyspace)
    .filter(([, keys]) => keys > 0)
    .map(([database]) => Number(database))
    .slice(0, MOST_DATABASES);
  const found: RedisQueue[] = [];
  for (const database of databases) found.push(...(await queuesIn(redis, database, Math.ceil(MOST_SCANNED / databases.length), sessions)));
  return found.map((each) => ({ ...each, key: plain(vault.maskText(each.key)).slice(0, 200) }));
};

const queuesIn = async (redis: Redis, database: number, count: number, sessions: Session[]): Promise<RedisQueue[]> => {
  const scan = (type: string): string[] => ['SCAN', '0', 'COUNT', String(count), 'TYPE', type];
  const [, lists, streams] = await all(redis, [['SELECT', String(database)], scan('list'), scan('stream')]);
  const listKeys = keysOf(lists).slice(0, MOST_QUEUES);
  const streamKeys = keysOf(streams).slice(0, MOST_QUEUES);
  if (listKeys.length + streamKeys.length === 0) return [];

  const replies = await all(redis, [
    ...listKeys.map((key) => ['LLEN', key]),
    ...streamKeys.map((key) => ['XLEN', key]),
    ...streamKeys.map((key) => ['XINFO', 'GROUPS', key]),
  ]);
  const lengths = replies.slice(0, listKeys.length).map(toNumber);
  const isAwaited = sessions.some((each) => each.blocked && each.database === database && LIST_WAITS.test(each.command));
  const later = isAwaited || !lengths.some((each) => each > 0) ? lengths : await lengthsLater(redis, listKeys);

  const waiting = listKeys.map((key, index) => ({
    key,
    database,
    type: 'list' as const,
    length: lengths[index] ?? 0,
    lengthLater: later[index] ?? 0,
    groups: [],
  }));
  const flowing = streamKeys.map((key, index) => {
    const length = toNumber(replies[listKeys.length + index]);
    // A stream keeps what was read: its length tells little, its groups tell what waits.
    return {
      key,
      database,
      type: 'stream' as const,
      length,
      lengthLater: length,
      groups: groupsOf(replies[listKeys.length + streamKeys.length + index]),
    };
  });
  return [...waiting, ...flowing].filter((each) => each.length > 0 || each.groups.length > 0);
};

const lengthsLater = async (redis: Redis, keys: string[]): Promise<number[]> => {
  await new Promise((resolve) => setTimeout(resolve, BETWEEN_MS));
  return (
    await all(
      redis,
      keys.map((key) => ['LLEN', key]),
    )
  ).map(toNumber);
};

/** In one round trip; a command that fails (an older server, an ACL) gives `null`. */
const all = (redis: Redis, commands: string[][]): Promise<unknown[]> =>
  Promise.all(commands.map(([name = '', ...words]) => redis.call(name, ...words).catch(() => null)));

const keysOf = (reply: unknown): string[] => {
  const keys = Array.isArray(reply) && Array.isArray(reply[1]) ? reply[1] : [];
  return [...new Set(keys.map(String))].toSorted();
};

/** A flat list of names and values per group. */
const groupsOf = (reply: unknown): RedisQueue['groups'] =>
  (Array.isArray(reply) ? reply : []).slice(0, 20).flatMap((group: unknown) => {
    if (!Array.isArray(group)) return [];
    const fields = new Map<string, unknown>();
    for (let index = 0; index + 1 < group.length; index += 2) fields.set(String(group[index]), group[index + 1]);
    const [name, lag] = [fields.get('name'), fields.get('lag')];
    return [
      {
        name: typeof name === 'string' ? plain(name).slice(0, 200) : '',
        consumers: toNumber(fields.get('consumers')),
        pending: toNumber(fields.get('pending')),
        lag: lag === null || lag === undefined ? null : toNumber(lag),
      },
    ];
  });

const toNumber = (value: unknown): number => {
  const number = Number(value ?? 0);
  return Number.isFinite(number) ? number : 0;
};
