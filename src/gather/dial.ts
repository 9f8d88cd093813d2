/** Opens streams for the drivers, which then have nothing left to resolve or connect: every layer has its own place to fail. */
import { connect as connectTcp, isIP, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { PeerCertificate } from 'node:tls';
import { countConnection } from './connections-opened.ts';
import { TRY_MS } from './gathering.ts';
import { TryStopped, systemFailure, type Progress } from './trial.ts';

/** More than any answer asked for here; a server that sends on without end must not fill the memory. */
const MOST_BYTES = 16 * 1024 * 1024;

/** A container's address on a bridge of this host: it answers at once or not at all. */
export const ADDRESS_MS = TRY_MS / 5;

/** How a try gets its stream, from one vantage point. Errors: `TryStopped`, `CannotLook`. */
export type Dial = (at: Progress, limit: AbortSignal) => Promise<Duplex>;

/** `connectMs`: a shorter limit for the connection alone. Errors: `TryStopped`. */
export const dialTcp =
  (host: string, port: number, connectMs?: number): Dial =>
  (at, limit) =>
    new Promise((resolve, reject) => {
      countConnection();
      at.layer = isIP(host) ? 'tcp' : 'name';
      const socket: Socket = connectTcp({ host, port, noDelay: true });
      const giveUp = () => !isSettled && fail(slow(host, port, connectMs!));
      // What came while we were busy is read before the time is called over.
      const timer = connectMs === undefined ? undefined : setTimeout(() => setImmediate(giveUp), connectMs);
      let isSettled = false;
      const fail = (error: Error) => {
        isSettled = true;
        clearTimeout(timer);
        socket.destroy();
        reject(error);
      };
      socket.once('lookup', () => (at.layer = 'tcp'));
      socket.once('connect', () => {
        isSettled = true;
        clearTimeout(timer);
        at.layer = 'protocol';
        resolve(guarded(socket));
      });
      socket.on('error', (error) => fail(new TryStopped(systemFailure(error, at.layer))));
      closeWith(limit, socket, () => clearTimeout(timer));
    });

const slow = (host: string, port: number, ms: number): TryStopped =>
  new TryStopped({ layer: 'tcp', outcome: 'timeout', code: 'ETIMEDOUT', text: `no connection to ${host}:${port} within ${ms} ms` });

/** TLS over an open stream. The certificate is not judged: on a developer's machine it is self-signed. */
export const secure = async (
  stream: Duplex,
  host: string,
  at: Progress,
  limit: AbortSignal,
  shown: (certificate: PeerCertificate) => void = () => {},
): Promise<Duplex> => {
  at.layer = 'tls';
  const { connect } = await import('node:tls');
  return new Promise((resolve, reject) => {
    const socket = connect({ socket: stream, rejectUnauthorized: false, ...(isIP(host) ? {} : { servername: host }) });
    socket.once('secureConnect', () => {
      at.layer = 'protocol';
      shown(socket.getPeerCertificate());
      resolve(guarded(socket));
    });
    socket.on('error', (error: NodeJS.ErrnoException) => reject(new TryStopped({ ...systemFailure(error, 'tls'), layer: 'tls' })));
    socket.once('close', () =>
      reject(new TryStopped({ layer: 'tls', outcome: 'reset', code: '', text: 'the connection was closed during the TLS handshake' })),
    );
    closeWith(limit, socket);
  });
};

const closeWith = (limit: AbortSignal, stream: Duplex, also?: () => void): void => {
  const close = () => {
    also?.();
    stream.destroy();
  };
  if (limit.aborted) close();
  else limit.addEventListener('abort', close, { once: true });
};

/**
 * A driver that throws on hostile bytes throws inside the stream's event, where nobody could catch it; and none of them limits how much it
 * takes in. Both end the stream with an error instead.
 */
export const guarded = <T extends Duplex>(stream: T): T => {
  const emit = stream.emit.bind(stream) as (name: string | symbol, ...values: unknown[]) => boolean;
  let bytes = 0;
  stream.emit = (name: string | symbol, ...values: unknown[]): boolean => {
    if (name === 'error') return emit(name, ...values);
    try {
      if (name === 'data') bytes += (values[0] as Buffer).length;
      if (bytes > MOST_BYTES) throw new Error(`the answer is longer than ${MOST_BYTES} bytes`);
      return emit(name, ...values);
    } catch (error) {
      stream.destroy(error as Error);
      return false;
    }
  };
  stream.on('error', () => {});
  return stream;
};

/** What the drivers ask of a socket and a tunnel's stream does not have. */
export const asSocket = (stream: Duplex): Socket => {
  const same = () => stream;
  const missing: Record<string, unknown> = { setNoDelay: same, setKeepAlive: same, setTimeout: same, ref: same, unref: same };
  for (const [name, value] of Object.entries(missing)) if (!(name in stream)) Object.assign(stream, { [name]: value });
  return stream as Socket;
};
