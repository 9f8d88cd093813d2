/**
 * A server that speaks as much of Postgres's protocol as one login and any question take: an answer per message, byte by byte as
 * documented.
 */
import type { Socket } from 'node:net';
import { listen, type Listening } from './loopback.ts';

const message = (letter: string, body: Buffer): Buffer => {
  const head = Buffer.alloc(5);
  head.write(letter);
  head.writeInt32BE(body.length + 4, 1);
  return Buffer.concat([head, body]);
};

const text = (...parts: string[]): Buffer => Buffer.from(parts.map((part) => `${part}\0`).join(''));
const int32 = (value: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value);
  return bytes;
};
const int16 = (value: number): Buffer => {
  const bytes = Buffer.alloc(2);
  bytes.writeInt16BE(value);
  return bytes;
};

export const errorMessage = (code: string, words: string): Buffer =>
  message('E', Buffer.concat([text('SFATAL', 'VFATAL', `C${code}`, `M${words}`), Buffer.from([0])]));

const rows = (columns: string[], values: (string | null)[][]): Buffer =>
  Buffer.concat([
    message(
      'T',
      Buffer.concat([
        int16(columns.length),
        ...columns.map((name) => Buffer.concat([text(name), int32(0), int16(0), int32(25), int16(-1), int32(-1), int16(0)])),
      ]),
    ),
    ...values.map((row) =>
      message(
        'D',
        Buffer.concat([
          int16(row.length),
          ...row.map((value) => (value === null ? int32(-1) : Buffer.concat([int32(Buffer.byteLength(value)), Buffer.from(value)]))),
        ]),
      ),
    ),
    message('C', text(`SELECT ${values.length}`)),
  ]);

const ready = message('Z', Buffer.from('I'));
const accepted = Buffer.concat([message('R', int32(0)), ready]);

export interface PostgresBehaviour {
  startedAt?: string;
  address?: string;
  /** What the server says to a login, instead of asking for a password. */
  refuse?: (startup: Record<string, string>) => Buffer | null;
  /** Asked for in plain text when given. */
  password?: string;
  sessions?: (string | null)[][];
  waits?: (string | null)[][];
  /** A prepared statement's one value; `null`: none. An error's message is sent as it is. */
  value?: (statement: string) => string | null | Buffer;
}

export interface PostgresStandIn extends Listening {
  /** Startup parameters of each login. */
  logins: Record<string, string>[];
  /** Passwords given, in plain. */
  passwords: string[];
  /** Prepared statements, in order. */
  statements: string[];
}

export const servePostgres = async (behaviour: PostgresBehaviour = {}): Promise<PostgresStandIn> => {
  const logins: Record<string, string>[] = [];
  const passwords: string[] = [];
  const statements: string[] = [];
  const serve = (socket: Socket) => {
    let buffered: Buffer = Buffer.alloc(0);
    let isStarted = false;
    socket.on('data', (chunk: Buffer) => {
      buffered = Buffer.concat([buffered, chunk]);
      for (;;) {
        if (!isStarted) {
          if (buffered.length < 8 || buffered.length < buffered.readInt32BE(0)) return;
          const length = buffered.readInt32BE(0);
          const body = buffered.subarray(4, length);
          buffered = buffered.subarray(length);
          if (body.readInt32BE(0) === 80877103) {
            socket.write('N');
            continue;
          }
          isStarted = true;
          const words = body.subarray(4).toString('utf8').split('\0').slice(0, -2);
          const startup = Object.fromEntries(words.flatMap((word, index) => (index % 2 === 0 ? [[word, words[index + 1] ?? '']] : [])));
          logins.push(startup);
          const refusal = behaviour.refuse?.(startup) ?? null;
          if (refusal) socket.end(refusal);
          else if (behaviour.password !== undefined) socket.write(message('R', int32(3)));
          else socket.write(accepted);
          continue;
        }
        if (buffered.length < 5 || buffered.length < buffered.readInt32BE(1) + 1) return;
        const letter = String.fromCharCode(buffered[0]!);
        const body = buffered
          .subarray(5, buffered.readInt32BE(1) + 1)
          .toString('utf8')
          .replace(/\0$/, '');
        buffered = buffered.subarray(buffered.readInt32BE(1) + 1);
        if (letter === 'X') return socket.end();
        if (letter === 'p') {
          passwords.push(body);
          if (body === behaviour.password) socket.write(accepted);
          else socket.end(errorMessage('28P01', 'password authentication failed for user "app"'));
        }
        // Parse: the name, which is empty, then the statement. Everything else of it is answered at its Sync.
        if (letter === 'P') statements.push(body.split('\0')[1] ?? '');
        if (letter === 'S') socket.write(Buffer.concat([prepared(statements.at(-1) ?? '', behaviour), ready]));
        if (letter === 'Q') socket.write(Buffer.concat([answer(body, behaviour), ready]));
      }
    });
  };
  return { ...(await listen(serve)), logins, passwords, statements };
};

/** ParseComplete and BindComplete, then what the statement gives. */
const prepared = (statement: string, { value = () => null }: PostgresBehaviour): Buffer => {
  const given = value(statement);
  if (Buffer.isBuffer(given)) return given;
  const done = [message('1', Buffer.alloc(0)), message('2', Buffer.alloc(0))];
  return Buffer.concat([...done, rows(['value'], given === null ? [] : [[given]])]);
};

const answer = (
  question: string,
  { startedAt = '2026-11-23T06:00:00.000Z', address = '172.18.0.2', sessions = [], waits = [] }: PostgresBehaviour,
): Buffer => {
  if (!question.includes('pg_stat_activity')) {
    return rows(
      ['address', 'port', 'started', 'version', 'recovery', 'read_only', 'most'],
      [[address, '5432', startedAt, '18.1', 'false', 'off', '100']],
    );
  }
  return Buffer.concat([
    message('C', text('BEGIN')),
    message('C', text('SET')),
    rows(['address', 'application', 'user', 'state', 'count', 'oldest'], sessions),
    rows(['pid', 'blocker', 'address', 'application', 'state', 'seconds'], waits),
    message('C', text('ROLLBACK')),
  ]);
};
