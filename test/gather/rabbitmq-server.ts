/** A server that speaks as much of AMQP 0-9-1 as one login and a look at queues take, byte by byte as documented. */
import type { Socket } from 'node:net';
import { listen, type Listening } from './loopback.ts';

const short = (text: string): Buffer => Buffer.concat([Buffer.from([Buffer.byteLength(text)]), Buffer.from(text)]);
const int16 = (value: number): Buffer => Buffer.from([value >> 8, value & 0xff]);
const int32 = (value: number): Buffer => Buffer.concat([int16(value >>> 16), int16(value & 0xffff)]);
const long = (text: string | Buffer): Buffer => Buffer.concat([int32(Buffer.byteLength(text)), Buffer.from(text)]);

/** A method frame: class and method, then its arguments. */
export const method = (channel: number, classId: number, methodId: number, ...body: Buffer[]): Buffer => {
  const payload = Buffer.concat([int16(classId), int16(methodId), ...body]);
  return Buffer.concat([Buffer.from([1]), int16(channel), int32(payload.length), payload, Buffer.from([0xce])]);
};

/** `connection.close` and `channel.close` have the same arguments. */
const close = (channel: number, classId: number, methodId: number, code: number, text: string): Buffer =>
  method(channel, classId, methodId, int16(code), short(text), int16(0), int16(0));

const START = method(
  0,
  10,
  10,
  Buffer.from([0, 9]),
  long(
    Buffer.concat(
      Object.entries({ product: 'RabbitMQ', version: '4.1.0', cluster_name: 'rabbit@post' }).map(([name, value]) =>
        Buffer.concat([short(name), Buffer.from('S'), long(value)]),
      ),
    ),
  ),
  long('PLAIN AMQPLAIN'),
  long('en_US'),
);

export interface RabbitmqBehaviour {
  user?: string;
  password?: string;
  vhosts?: string[];
  /** Messages and consumers by name. */
  queues?: Record<string, [number, number]>;
}

export interface RabbitmqStandIn extends Listening {
  /** `user password vhost` of each login that was let in. */
  logins: string[];
  /** Class and method of every frame that came, in order: `50.10 passive`. */
  methods: string[];
}

export const serveRabbitmq = async ({
  user = 'courier',
  password = 'open-sesame',
  vhosts = ['/'],
  queues = {},
}: RabbitmqBehaviour = {}): Promise<RabbitmqStandIn> => {
  const logins: string[] = [];
  const methods: string[] = [];
  const serve = (socket: Socket) => {
    let buffered: Buffer = Buffer.alloc(0);
    let isOpen = false;
    let who = '';
    const answer = (channel: number, classId: number, methodId: number, body: Buffer): void => {
      const name = `${classId}.${methodId}`;
      methods.push(name === '50.10' ? `${name} ${body[3 + body[2]!]! & 1 ? 'passive' : 'active'}` : name);
      if (name === '10.11') {
        // The table of the client, then the mechanism, then `\0user\0password`.
        let at = 4 + body.readUInt32BE(0);
        at += 1 + body[at]!;
        const [, given = '', secret = ''] = body.toString('utf8', at + 4, at + 4 + body.readUInt32BE(at)).split('\0');
        who = `${given} ${secret}`;
        const isRight = given === user && secret === password;
        const text = 'ACCESS_REFUSED - Login was refused using authentication mechanism PLAIN. For details see the broker logfile.';
        socket.write(isRight ? method(0, 10, 30, int16(2047), int32(131_072), int16(60)) : close(0, 10, 50, 403, text));
      }
      if (name === '10.40') {
        const vhost = body.toString('utf8', 1, 1 + body[0]!);
        if (vhosts.includes(vhost)) logins.push(`${who} ${vhost}`);
        socket.write(
          vhosts.includes(vhost) ? method(0, 10, 41, short('')) : close(0, 10, 50, 530, `NOT_ALLOWED - vhost ${vhost} not found`),
        );
      }
      if (name === '10.50') socket.end(method(0, 10, 51));
      if (name === '20.10') socket.write(method(channel, 20, 11, long('')));
      if (name === '50.10') {
        const queue = body.toString('utf8', 3, 3 + body[2]!);
        const [messages, consumers] = queues[queue] ?? [];
        socket.write(
          messages === undefined
            ? close(channel, 20, 40, 404, `NOT_FOUND - no queue '${queue}' in vhost '/'`)
            : method(channel, 50, 11, short(queue), int32(messages), int32(consumers ?? 0)),
        );
      }
    };
    socket.on('data', (chunk: Buffer) => {
      buffered = Buffer.concat([buffered, chunk]);
      if (!isOpen) {
        if (buffered.length < 8) return;
        isOpen = true;
        buffered = buffered.subarray(8);
        socket.write(START);
      }
      while (buffered.length >= 8 && buffered.length >= 8 + buffered.readUInt32BE(3)) {
        const end = 7 + buffered.readUInt32BE(3);
        const frame = buffered.subarray(0, end);
        buffered = buffered.subarray(end + 1);
        if (frame[0] === 1) answer(frame.readUInt16BE(1), frame.readUInt16BE(7), frame.readUInt16BE(9), frame.subarray(11));
      }
    });
  };
  return { ...(await listen(serve)), logins, methods };
};
