/** Commands of Redis that only read, and end at once. Everything else is refused when the configuration is read: the doctor changes nothing. */
import { didYouMean } from '../model/nearest.ts';

const READERS =
  'BITCOUNT BITPOS DBSIZE EXISTS EXPIRETIME GEODIST GEOHASH GEOPOS GET GETBIT GETRANGE HEXISTS HGET HGETALL HKEYS HLEN HMGET HSTRLEN HVALS ' +
  'INFO LASTSAVE LINDEX LLEN LPOS LRANGE MGET PEXPIRETIME PING PTTL SCARD SISMEMBER SMEMBERS SMISMEMBER SRANDMEMBER STRLEN TIME TTL ' +
  'TYPE XLEN XPENDING XRANGE XREVRANGE ZCARD ZCOUNT ZLEXCOUNT ZRANGE ZRANGEBYSCORE ZRANK ZREVRANGE ZREVRANK ZSCORE';
const ALLOWED = new Set(READERS.split(' '));
/** Those whose second word decides. */
const PAIRS: Record<string, string[]> = {
  CONFIG: ['GET'],
  CLIENT: ['LIST', 'INFO'],
  MEMORY: ['USAGE'],
  OBJECT: ['ENCODING', 'IDLETIME', 'FREQ'],
  PUBSUB: ['CHANNELS', 'NUMSUB', 'NUMPAT'],
  XINFO: ['STREAM', 'GROUPS', 'CONSUMERS'],
  ACL: ['WHOAMI'],
};

/** `null`: it may be asked. */
export const whyNotReadOnly = (command: readonly string[]): string | null => {
  const [first = '', second = ''] = command.map((word) => word.toUpperCase());
  if (first === '') return 'redis has no command';
  if (ALLOWED.has(first)) return null;
  const pair = Object.hasOwn(PAIRS, first) ? PAIRS[first]! : null;
  if (pair)
    return pair.includes(second)
      ? null
      : `redis command "${first} ${second}" is not one that only reads; of ${first} it takes ${pair.join(', ')}`;
  return `redis command "${first}" is not one that only reads${didYouMean(first, [...ALLOWED, ...Object.keys(PAIRS)])}`;
};
