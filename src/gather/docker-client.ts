/** `EngineClient` on dockerode, with one pool of kept connections. */
import type Dockerode from 'dockerode';
import { Agent as HttpAgent, type IncomingMessage } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import { Duplex, PassThrough, type Readable } from 'node:stream';
import { inspect } from 'node:util';
import type { EngineAddress } from './engine-address.ts';
import { EngineError, type EngineClient, type ExecResult } from './engine-client.ts';

const CALL_MS = 5_000;
const MEBIBYTE = 1024 * 1024;

/** docker-modem's own `dial`, which the typings leave out. */
interface Modem {
  dial(options: Record<string, unknown>, done: (error: (Error & { statusCode?: number; code?: string; json?: unknown }) | null, data: unknown) => void): void;
}

/** Errors: every method rejects with `EngineError`. */
export const openEngineClient = async (address: EngineAddress): Promise<EngineClient> => {
  const { default: Docker } = await import('dockerode');
  const agent = keepAliveAgent(address);
  const docker = new Docker(connectionOptions(address, agent));
  const modem = docker.modem as unknown as Modem;
  const open = new Set<{ destroy(): unknown }>();
  let calls = 0;

  const dial = <T>(request: Record<string, unknown>, signal: AbortSignal): Promise<T> => {
    calls += 1;
    return new Promise<T>((resolve, reject) => {
      modem.dial({ statusCodes: { 200: true, 201: true, 204: true }, abortSignal: signal, ...request }, (error, data) => {
        if (error) reject(toEngineError(error, signal));
        else resolve(data as T);
      });
    });
  };

  const openStream = async (request: Record<string, unknown>, signal: AbortSignal): Promise<Readable> => {
    const stream = await dial<Readable>({ ...request, isStream: true }, signal);
    open.add(stream);
    stream.once('close', () => open.delete(stream));
    return stream;
  };

  const startExec = async (id: string, command: string[], signal: AbortSignal, stdin: boolean, user?: string) => {
    const { Id } = await dial<{ Id: string }>(
      {
        path: `/containers/${id}/exec`,
        method: 'POST',
        // A stale mount at the container's own working directory would make runc refuse every exec.
        options: { Cmd: command, WorkingDir: '/', AttachStdin: stdin, AttachStdout: true, AttachStderr: true, Tty: false, ...(user && { User: user }) },
      },
      signal,
    );
    const socket = await dial<Duplex>(
      // With stdin the connection is taken over (`Upgrade: tcp`); what comes back is a raw socket.
      { path: `/exec/${Id}/start`, method: 'POST', isStream: true, hijack: stdin, openStdin: stdin, options: { Detach: false, Tty: false } },
      signal,
    );
    open.add(socket);
    socket.once('close', () => open.delete(socket));
    return { execId: Id, socket };
  };

  const client: EngineClient = {
    host: address.host,
    calls: () => calls,

    async ping(signal) {
      const response = await dial<IncomingMessage>({ path: '/_ping', method: 'GET', isStream: true }, limit(CALL_MS, signal));
      response.resume();
      const header = (name: string) => (typeof response.headers[name] === 'string' ? response.headers[name] : null);
      return { server: header('server'), apiVersion: header('api-version') };
    },

    get: (path, query = {}, signal) =>
      dial(
        { path: `${path}?`, method: 'GET', options: { _query: encodeQuery(query) } },
        limit(CALL_MS, signal),
      ),

    async logs(id, { tty, since, tail = 200, signal, maxBytes = MEBIBYTE }) {
      const within = limit(CALL_MS, signal);
      const query = { stdout: true, stderr: true, timestamps: true, tail, ...(since && { since: unixTime(since) }) };
      const stream = await openStream({ path: `/containers/${id}/logs?`, method: 'GET', options: { _query: encodeQuery(query) } }, within);
      const lines: Awaited<ReturnType<EngineClient['logs']>> = [];
      let kept = 0;
      const sink = (name: 'stdout' | 'stderr') =>
        splitLines((text) => {
          lines.push({ stream: name, ...splitTime(text) });
          kept += text.length;
          while (kept > maxBytes && lines.length > 1) kept -= lines.shift()!.text.length;
        });
      const [out, err] = [sink('stdout'), sink('stderr')];
      await demultiplex(stream, tty, { stdout: out.write, stderr: err.write }, within);
      out.end();
      err.end();
      return lines.toSorted((a, b) => (a.time ?? '').localeCompare(b.time ?? ''));
    },

    async exec(id, command, { timeoutMs = 2_000, signal, maxBytes = MEBIBYTE, user } = {}) {
      const within = limit(timeoutMs, signal);
      const { execId, socket } = await startExec(id, command, within, false, user);
      const text = { stdout: '', stderr: '' };
      const take = (name: 'stdout' | 'stderr') => (chunk: Buffer) => {
        if (text[name].length < maxBytes) text[name] += chunk.toString('utf8').slice(0, maxBytes - text[name].length);
      };
      const ended = await demultiplex(socket, false, { stdout: take('stdout'), stderr: take('stderr') }, within).then(
        () => true,
        () => false,
      );
      socket.destroy();
      if (!ended) return { exitCode: null, ...text } satisfies ExecResult;
      const state = await dial<{ ExitCode: number | null }>({ path: `/exec/${execId}/json`, method: 'GET' }, limit(CALL_MS, signal));
      return { exitCode: state.ExitCode, ...text };
    },

    async execStream(id, command, { signal, onStderr } = {}) {
      const { socket } = await startExec(id, command, limit(CALL_MS, signal), true);
      return demultiplexedDuplex(socket, onStderr);
    },

    async readFile(id, path, { maxBytes = MEBIBYTE, signal } = {}) {
      const files = await client.readTree(id, path, { maxBytes, ...(signal && { signal }) });
      return files?.values().next().value ?? null;
    },

    async readTree(id, path, { maxBytes = 4 * MEBIBYTE, signal } = {}) {
      const within = limit(CALL_MS, signal);
      const stream = await openStream(
        { path: `/containers/${id}/archive?`, method: 'GET', options: { _query: { path } } },
        within,
      ).catch((error: EngineError) => {
        if (error.status === 404) return null;
        throw error;
      });
      return stream && untar(stream, path, maxBytes, within);
    },

    close() {
      for (const each of open) each.destroy();
      agent.destroy();
    },
  };
  return client;
};

/**
 * docker-modem prints its request options for a debug line on every call, switched on or not, and would walk through every socket
 * of the agent: 30 to 100 times slower without this.
 */
const keepAliveAgent = (address: EngineAddress): HttpAgent => {
  const options = { keepAlive: true, maxSockets: 16 };
  const agent = address.tls ? new HttpsAgent({ ...options, rejectUnauthorized: address.tls.verify }) : new HttpAgent(options);
  return Object.assign(agent, { [inspect.custom]: () => 'Agent' });
};

/** Every field is given: docker-modem fills what is missing from the process's own DOCKER_* variables. */
const connectionOptions = (address: EngineAddress, agent: HttpAgent): Dockerode.DockerOptions & { agent: HttpAgent } => ({
  socketPath: address.socketPath ?? undefined,
  host: address.hostname ?? undefined,
  port: address.port ?? undefined,
  protocol: address.tls ? 'https' : 'http',
  ca: address.tls?.ca,
  cert: address.tls?.cert,
  key: address.tls?.key,
  agent,
  timeout: undefined,
});

const limit = (ms: number, signal: AbortSignal | undefined): AbortSignal =>
  signal ? AbortSignal.any([signal, AbortSignal.timeout(ms)]) : AbortSignal.timeout(ms);

const toEngineError = (error: Error & { statusCode?: number; code?: string; json?: unknown }, signal: AbortSignal): EngineError => {
  const said = (error.json as { message?: string } | null | undefined)?.message ?? error.message;
  const timedOut = signal.aborted && (signal.reason as Error | undefined)?.name === 'TimeoutError';
  return new EngineError(timedOut ? 'the engine did not answer in time' : said.trim(), error.statusCode ?? null, timedOut ? 'ETIMEDOUT' : (error.code ?? ''));
};

/** Docker wants `filters` as JSON; docker-modem would repeat an array as several parameters. */
const encodeQuery = (query: Record<string, unknown>): Record<string, unknown> =>
  Object.fromEntries(Object.entries(query).map(([key, value]) => [key, value !== null && typeof value === 'object' ? JSON.stringify(value) : value]));

/** Seconds with nanoseconds, as the logs API takes them. */
const unixTime = (iso: string): string => {
  const fraction = /\.(\d+)/.exec(iso)?.[1] ?? '0';
  return `${Math.floor(Date.parse(iso) / 1000)}.${fraction.padEnd(9, '0').slice(0, 9)}`;
};

const splitTime = (line: string): { time: string | null; text: string } => {
  const found = /^(\d{4}-\d\d-\d\dT[\d:.]+Z) ?(.*)$/s.exec(line);
  return found ? { time: found[1]!, text: found[2]! } : { time: null, text: line };
};

/** One line never grows past this; the rest of it is dropped. */
const LINE_LIMIT = 8_192;

const splitLines = (onLine: (line: string) => void) => {
  let rest = '';
  return {
    write(chunk: Buffer) {
      const parts = (rest + chunk.toString('utf8')).split('\n');
      rest = parts.pop()!.slice(0, LINE_LIMIT);
      for (const part of parts) onLine(part.replace(/\r$/, '').slice(0, LINE_LIMIT));
    },
    end() {
      if (rest) onLine(rest);
    },
  };
};

type Sinks = { stdout: (chunk: Buffer) => void; stderr: (chunk: Buffer) => void };

/** Docker's frame: stream (1 byte), three zeros, length (4 bytes, big endian), payload. A TTY has no frames. */
const frameReader = (sinks: Sinks) => {
  let buffered: Buffer = Buffer.alloc(0);
  return (chunk: Buffer): void => {
    buffered = buffered.length ? Buffer.concat([buffered, chunk]) : chunk;
    while (buffered.length >= 8) {
      const kind = buffered[0]!;
      if (kind > 2 || buffered[1] || buffered[2] || buffered[3]) {
        sinks.stdout(buffered);
        buffered = Buffer.alloc(0);
        return;
      }
      const end = 8 + buffered.readUInt32BE(4);
      if (buffered.length < end) return;
      sinks[kind === 2 ? 'stderr' : 'stdout'](buffered.subarray(8, end));
      buffered = buffered.subarray(end);
    }
  };
};

const demultiplex = (stream: Readable, tty: boolean, sinks: Sinks, signal: AbortSignal): Promise<void> =>
  new Promise((resolve, reject) => {
    const stop = () => {
      stream.destroy();
      reject(new EngineError('the engine did not answer in time', null, 'ETIMEDOUT'));
    };
    if (signal.aborted) return stop();
    signal.addEventListener('abort', stop, { once: true });
    const read = tty ? sinks.stdout : frameReader(sinks);
    stream.on('data', read);
    stream.once('error', (error: Error & { code?: string }) => reject(new EngineError(error.message, null, error.code ?? '')));
    stream.once('end', resolve);
    stream.once('close', () => {
      signal.removeEventListener('abort', stop);
      resolve();
    });
  });

/** Splits the answers of a taken-over exec connection; what is written passes through. */
const demultiplexedDuplex = (socket: Duplex, onStderr: ((text: string) => void) | undefined): Duplex => {
  const output = new PassThrough();
  const read = frameReader({ stdout: (chunk) => void output.write(chunk), stderr: (chunk) => onStderr?.(chunk.toString('utf8')) });
  socket.on('data', read);
  socket.once('end', () => output.end());
  socket.once('close', () => output.end());
  const duplex = new Duplex({
    read() {
      output.resume();
    },
    write(chunk: Buffer, _encoding, done) {
      if (socket.writable) socket.write(chunk, done);
      else done(new Error('the exec stream is closed'));
    },
    final(done) {
      socket.end();
      done();
    },
    destroy(error, done) {
      socket.destroy();
      done(error);
    },
  });
  output.on('data', (chunk: Buffer) => {
    if (!duplex.push(chunk)) output.pause();
  });
  output.once('end', () => duplex.push(null));
  socket.once('error', (error) => duplex.destroy(error));
  return duplex;
};

const untar = async (stream: Readable, path: string, maxBytes: number, signal: AbortSignal): Promise<Map<string, Buffer>> => {
  const { extract } = await import('tar-stream');
  const unpack = extract();
  const stop = () => stream.destroy(new EngineError('the engine did not answer in time', null, 'ETIMEDOUT'));
  signal.addEventListener('abort', stop, { once: true });
  stream.once('error', (error) => unpack.destroy(error));
  stream.pipe(unpack);
  const parent = path.replace(/\/[^/]*\/?$/, '');
  const files = new Map<string, Buffer>();
  let total = 0;
  try {
    for await (const entry of unpack) {
      const chunks: Buffer[] = [];
      for await (const chunk of entry as AsyncIterable<Buffer>) {
        total += chunk.length;
        if (total > maxBytes) throw new EngineError(`${path} is larger than ${maxBytes} bytes`, null, 'EFBIG');
        chunks.push(chunk);
      }
      if (entry.header.type === 'file') files.set(`${parent}/${entry.header.name}`.replace(/\/$/, ''), Buffer.concat(chunks));
    }
  } finally {
    signal.removeEventListener('abort', stop);
    stream.destroy();
  }
  return files;
};
