/** A server that speaks as much of Redis's protocol as is asked here: a table of replies, by command. */
import type { Socket } from 'node:net';
import { listen, type Listening } from './loopback.ts';

export type Reply = string | number | null | Reply[] | { error: string };

const encode = (reply: Reply): string => {
  if (reply === null) return '$-1\r\n';
  if (typeof reply === 'number') return `:${reply}\r\n`;
  if (typeof reply === 'string') return `$${Buffer.byteLength(reply)}\r\n${reply}\r\n`;
  if (Array.isArray(reply)) return `*${reply.length}\r\n${reply.map(encode).join('')}`;
  return `-${reply.error}\r\n`;
};

export const INFO = [
  '# Server',
  'redis_version:8.4.0',
  'run_id:0123456789abcdef',
  '# Clients',
  'connected_clients:3',
  'maxclients:10000',
  '# Memory',
  'used_memory:1000000',
  'maxmemory:0',
  'maxmemory_policy:noeviction',
  '# Persistence',
  'loading:0',
  'rdb_last_bgsave_status:ok',
  'aof_last_write_status:ok',
  '# Replication',
  'role:master',
  '# Keyspace',
  '',
].join('\r\n');

export interface RedisStandIn extends Listening {
  /** Commands of all connections, in order. */
  asked: string[][];
}

/** `answer` may leave a command to the usual reply by returning `undefined`. */
export const serveRedis = async (
  answer: (command: string[], info: string) => Reply | undefined = () => undefined,
): Promise<RedisStandIn> => {
  const asked: string[][] = [];
  const serve = (socket: Socket) => {
    let buffered = '';
    socket.on('data', (chunk: Buffer) => {
      buffered += chunk.toString('latin1');
      for (let command = take(); command; command = take()) {
        asked.push(command);
        const reply = answer(command, INFO);
        socket.write(encode(reply === undefined ? usual(command) : reply));
      }
    });
    /** `*2\r\n$4\r\nAUTH\r\n$6\r\nsecret\r\n` */
    const take = (): string[] | null => {
      const lines = buffered.split('\r\n');
      const count = Number(/^\*(\d+)$/.exec(lines[0] ?? '')?.[1]);
      if (!count || lines.length < 2 + count * 2) return null;
      const words = lines.slice(1, 1 + count * 2).filter((_, index) => index % 2 === 1);
      buffered = lines.slice(1 + count * 2).join('\r\n');
      return words;
    };
  };
  return { ...(await listen(serve)), asked };
};

const usual = ([name]: string[]): Reply => {
  if (name === 'PING') return 'PONG';
  if (name === 'INFO') return INFO;
  if (name === 'SCAN') return ['0', []];
  return 'OK';
};
