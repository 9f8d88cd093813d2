/** `EngineClient` on dockerode, with one pool of kept connections. */
import type Dockerode from 'dockerode';
import { Agent as HttpAgent, type AgentOptions, type IncomingMessage } from 'node:http';
import { posix } from 'node:path';
import { Duplex, PassThrough, type Readable } from 'node:stream';
import { inspect } from 'node:util';
import { timeLimit } from '../time-limit.ts';
import type { EngineAddress } from './engine-address.ts';
import { type EngineClient, EngineError, type EngineEvent } from './engine-client.ts';
import { collectText, demultiplex, frameReader, splitLines } from './engine-stream.ts';

const CALL_MS = 5_000;
const MEBIBYTE = 1024 * 1024;
const MOST_HOPS = 5;
const MOST_SOCKETS = 16;
/** Of logins at once: sshd turns more of them away. */
const MOST_SSH = 6;
const LOCAL = { hostname: null, port: null, tls: null };

/** docker-modem's own `dial`, which the typings leave out. */
interface Modem {
  dial(
    options: Record<string, unknown>,
    done: (error: (Error & { statusCode?: number; code?: string; json?: unknown }) | null, data: unknown) => void,
  ): void;
}

/** Errors: every method rejects with `EngineError`. */
export const openEngineClient = async (address: EngineAddress): Promise<EngineClient> => {
  const bridge = address.host.startsWith('ssh://') ? await (await import('./ssh-bridge.ts')).openSshBridge(address.host) : null;
  const agent = await keepAliveAgent(address, bridge ? MOST_SSH : MOST_SOCKETS);
  const open = new Set<{ destroy(): unknown }>();
  let calls = 0;

  let loaded: Promise<Modem> | null = null;
  const loadModem = async (): Promise<Modem> => {
    const { default: Docker } = await import('dockerode');
    const options = connectionOptions(bridge ? { ...address, ...LOCAL, socketPath: bridge.socketPath } : address, agent);
    return withoutDockerHost(() => new Docker(options)).modem as unknown as Modem;
  };

  const dial = async <T>(request: Record<string, unknown>, signal: AbortSignal): Promise<T> => {
    calls += 1;
    const modem = await (loaded ??= loadModem());
    return new Promise<T>((resolve, reject) => {
      // docker-modem forgets its caller when the engine hangs up in the middle of an answer.
      const stop = () => reject(toEngineError(new Error('the call was interrupted'), signal));
      if (signal.aborted) return stop();
      signal.addEventListener('abort', stop, { once: true });
      modem.dial({ statusCodes: { 200: true, 201: true, 204: true }, abortSignal: signal, ...request }, (error, data) => {
        signal.removeEventListener('abort', stop);
        const failure = error && bridge?.failure();
        if (failure) reject(new EngineError(failure, null, 'ESSH'));
        else if (error) reject(toEngineError(error, signal));
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
        options: {
          Cmd: command,
          WorkingDir: '/',
          AttachStdin: stdin,
          AttachStdout: true,
          AttachStderr: true,
          Tty: false,
          ...(user && { User: user }),
        },
      },
      signal,
    );
    const socket = await dial<Duplex>(
      // With stdin the connection is taken over (`Upgrade: tcp`); what comes back is a raw socket.
      {
        path: `/exec/${Id}/start`,
        method: 'POST',
        isStream: true,
        hijack: stdin,
        openStdin: stdin,
        options: { Detach: false, Tty: false },
      },
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
      return { server: header('server'), apiVersion: header('api-version'), date: header('date') };
    },

    async get<T>(path: string, query: Record<string, unknown> = {}, signal?: AbortSignal): Promise<T> {
      const within = limit(CALL_MS, signal);
      const stream = await openStream({ path: `${path}?`, method: 'GET', options: { _query: encodeQuery(query) } }, within);
      const chunks: Buffer[] = [];
      const take = (chunk: Buffer) => void chunks.push(chunk);
      await demultiplex(stream, true, { stdout: take, stderr: take }, within);
      try {
        return JSON.parse(Buffer.concat(chunks).toString()) as T;
      } catch {
        throw new EngineError('what answers there is no Docker Engine API: it does not answer in JSON', 200, '');
      }
    },

    async events(query, signal) {
      const within = limit(CALL_MS, signal);
      const stream = await openStream({ path: '/events?', method: 'GET', options: { _query: encodeQuery(query) } }, within);
      const chunks: Buffer[] = [];
      const take = (chunk: Buffer) => void chunks.push(chunk);
      await demultiplex(stream, true, { stdout: take, stderr: take }, within);
      try {
        const lines = Buffer.concat(chunks).toString().split('\n').filter(Boolean);
        return lines.map((line) => JSON.parse(line) as EngineEvent);
      } catch {
        throw new EngineError('its list of events is not in JSON', 200, '');
      }
    },

    async logs(id, { tty, since, tail = 200, signal, maxBytes = MEBIBYTE }) {
      const within = limit(CALL_MS, signal);
      const query = { stdout: true, stderr: true, timestamps: true, tail, ...(since && { since: unixTime(since) }) };
      const stream = await openStream({ path: `/containers/${id}/logs?`, method: 'GET', options: { _query: encodeQuery(query) } }, within);
      const lines: Awaited<ReturnType<EngineClient['logs']>> = [];
      let kept = 0;
      const sink = (name: 'stdout' | 'stderr') =>
        splitLines((text) => {
          const line = { stream: name, ...splitTime(text) };
          lines.push(line);
          kept += line.text.length;
          while (kept > maxBytes && lines.length > 1) kept -= lines.shift()!.text.length;
        });
      const [out, err] = [sink('stdout'), sink('stderr')];
      await demultiplex(stream, tty, { stdout: out.write, stderr: err.write }, within);
      out.end();
      err.end();
      return lines.toSorted((a, b) => compare(a.time ?? '', b.time ?? ''));
    },

    async exec(id, command, { timeoutMs = 2_000, signal, maxBytes = MEBIBYTE, user } = {}) {
      const within = limit(timeoutMs, signal);
      const { execId, socket } = await startExec(id, command, within, false, user);
      const [stdout, stderr] = [collectText(maxBytes), collectText(maxBytes)];
      const ended = await demultiplex(socket, false, { stdout: stdout.write, stderr: stderr.write }, within).then(
        () => true,
        () => false,
      );
      socket.destroy();
      const text = { stdout: stdout.text(), stderr: stderr.text() };
      if (!ended) return { exitCode: null, ...text };
      const state = await dial<{ ExitCode: number | null }>({ path: `/exec/${execId}/json`, method: 'GET' }, limit(CALL_MS, signal));
      return { exitCode: state.ExitCode, ...text };
    },

    async execStream(id, command, { signal, onStderr } = {}) {
      const { socket } = await startExec(id, command, limit(CALL_MS, signal), true);
      return demultiplexedDuplex(socket, onStderr);
    },

    async readFile(id, path, { maxBytes = MEBIBYTE, cut = false, signal } = {}) {
      const files = await client.readTree(id, path, { maxBytes, cut, ...(signal && { signal }) });
      return files?.values().next().value ?? null;
    },

    async readTree(id, path, { maxBytes = 4 * MEBIBYTE, cut = false, signal } = {}) {
      const within = limit(CALL_MS, signal);
      const wanted = posix.normalize(path).replace(/(?<=.)\/$/, '');
      let at = wanted;
      // The archive of a link is the link.
      for (let hop = 0; hop < MOST_HOPS; hop++) {
        const stream = await openStream(
          { path: `/containers/${id}/archive?`, method: 'GET', options: { _query: { path: at } } },
          within,
        ).catch((error: EngineError) => {
          if (error.status === 404) return null;
          throw error;
        });
        if (!stream) return null;
        const { files, link } = await untar(stream, at, { maxBytes, cut }, within);
        if (link === null) return new Map([...files].map(([name, content]) => [wanted + name.slice(at.length), content]));
        at = link;
      }
      return null;
    },

    close() {
      for (const each of open) each.destroy();
      agent.destroy();
      bridge?.close();
    },
  };
  return client;
};

/**
 * docker-modem prints its request options for a debug line on every call, switched on or not, and would walk through every socket
 * of the agent: 30 to 100 times slower without this.
 */
const keepAliveAgent = async (address: EngineAddress, maxSockets: number): Promise<HttpAgent> => {
  const options = { keepAlive: true, maxSockets };
  // The name of a TLS server: without one given, Node works it out for each request, of a plain connection too.
  const agent = address.tls
    ? new (await import('node:https')).Agent({ ...options, rejectUnauthorized: address.tls.verify })
    : new HttpAgent({ ...options, servername: '' } as AgentOptions);
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

/** With this variable docker-modem reads the certificates of the process's own folder, whatever it is given, and throws where one is missing. */
const withoutDockerHost = <T>(make: () => T): T => {
  const { DOCKER_HOST: host } = process.env;
  delete process.env['DOCKER_HOST'];
  try {
    return make();
  } finally {
    if (host !== undefined) process.env['DOCKER_HOST'] = host;
  }
};

/** With a short way to be printed, as the agent has. */
const limit = (ms: number, signal: AbortSignal | undefined): AbortSignal =>
  Object.assign(timeLimit(ms, signal), { [inspect.custom]: () => 'AbortSignal' });

const toEngineError = (error: Error & { statusCode?: number; code?: string; json?: unknown }, signal: AbortSignal): EngineError => {
  const said = (error.json as { message?: string } | null | undefined)?.message ?? error.message.replace(/^\(HTTP code \d+\) .*? - /, '');
  const timedOut = signal.aborted && (signal.reason as Error | undefined)?.name === 'TimeoutError';
  return new EngineError(
    timedOut ? 'the engine did not answer in time' : wordsOf(said),
    error.statusCode ?? null,
    timedOut ? 'ETIMEDOUT' : (error.code ?? ''),
  );
};

/** A proxy before the socket answers with a page. */
const wordsOf = (said: string): string =>
  /^\s*</.test(said)
    ? said
        .replace(/<[^>]*>/g, ' ')
        .replace(/\s+/g, ' ')
        .trim()
    : said.trim();

/** Docker wants `filters` as JSON; docker-modem would repeat an array as several parameters. */
const encodeQuery = (query: Record<string, unknown>): Record<string, unknown> =>
  Object.fromEntries(
    Object.entries(query).map(([key, value]) => [key, value !== null && typeof value === 'object' ? JSON.stringify(value) : value]),
  );

/** Seconds with nanoseconds, as the logs API takes them. */
const unixTime = (iso: string): string => {
  const fraction = /\.(\d+)/.exec(iso)?.[1] ?? '0';
  return `${Math.floor(Date.parse(iso) / 1000)}.${fraction.padEnd(9, '0').slice(0, 9)}`;
};

/** Times of one form; the language's own order would cost its first caller ten milliseconds. */
const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

const splitTime = (line: string): { time: string | null; text: string } => {
  const found = /^(\d{4}-\d\d-\d\dT[\d:.]+Z) ?(.*)$/s.exec(line);
  return found ? { time: found[1]!, text: found[2]! } : { time: null, text: line };
};

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

/** Files by their paths; `link` is where the path itself leads, when it is a link and nothing else. */
const untar = async (
  stream: Readable,
  path: string,
  { maxBytes, cut }: { maxBytes: number; cut: boolean },
  signal: AbortSignal,
): Promise<{ files: Map<string, Buffer>; link: string | null }> => {
  const { extract } = await import('tar-stream');
  const unpack = extract();
  const stop = () => stream.destroy(new EngineError('the engine did not answer in time', null, 'ETIMEDOUT'));
  signal.addEventListener('abort', stop, { once: true });
  stream.once('error', (error) => unpack.destroy(error));
  stream.pipe(unpack);
  const parent = path.replace(/\/[^/]*$/, '');
  const files = new Map<string, Buffer>();
  const links: [from: string, to: string][] = [];
  let total = 0;
  try {
    for await (const entry of unpack) {
      const chunks: Buffer[] = [];
      for await (const chunk of entry as AsyncIterable<Buffer>) {
        total += chunk.length;
        if (total > maxBytes && cut) {
          const whole = Buffer.concat([...chunks, chunk]);
          return { files: new Map([[path, whole.subarray(0, maxBytes)]]), link: null };
        }
        if (total > maxBytes) throw new EngineError(`${path} is larger than ${maxBytes} bytes`, null, 'EFBIG');
        chunks.push(chunk);
      }
      const name = `${parent}/${entry.header.name}`.replace(/\/$/, '');
      if (entry.header.type === 'file') files.set(name, Buffer.concat(chunks));
      else if (entry.header.linkname) links.push([name, posix.resolve(posix.dirname(name), entry.header.linkname)]);
    }
  } finally {
    signal.removeEventListener('abort', stop);
    stream.destroy();
  }
  // Debian's nginx: `sites-enabled/x` → `../sites-available/x`.
  for (const [from, to] of links) if (files.has(to)) files.set(from, files.get(to)!);
  return { files, link: links.find(([from]) => from === path)?.[1] ?? null };
};
