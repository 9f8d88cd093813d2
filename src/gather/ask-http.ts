/** One HTTP request, with no redirect followed, no proxy used, and a limit on everything that an answer can be. */
import { createHash } from 'node:crypto';
import type { PeerCertificate } from 'node:tls';
import type { HttpAnswer, HttpTry, View } from '../model/facts.ts';
import { plain, plainLines } from '../model/plain.ts';
import { ADDRESS_MS, asSocket, dialTcp, guarded, secure, type Dial } from './dial.ts';
import { TRY_MS } from './gathering.ts';
import { TryStopped, systemFailure, tryOut, type Progress } from './trial.ts';
import type { Vantage } from './vantage.ts';
import type { Vault } from './vault.ts';

export interface HttpQuestion {
  /** Host and port are dialled, unless `connect` gives the stream. */
  url: string;
  view: View;
  vault: Vault;
  signal: AbortSignal;
  connect?: Dial;
  method?: 'GET' | 'HEAD';
  headers?: Record<string, string>;
  timeoutMs?: number;
}

const TEXT_BYTES = 4 * 1024;
const HASH_BYTES = 8 * 1024 * 1024;
const HEADER_BYTES = 32 * 1024;
const FIELD_LENGTH = 500;

/** `trial` is `done`/`ok` whenever an HTTP answer came, of any status; its time is that of the headers. Errors: `CannotLook`. */
export const askHttp = async (question: HttpQuestion): Promise<Pick<HttpTry, 'trial' | 'answer' | 'certificate'>> => {
  const { url: text, view, vault, signal, method = 'GET', headers = {}, timeoutMs = TRY_MS } = question;
  const url = new URL(text);
  const tls = url.protocol === 'https:';
  const host = url.hostname.replace(/^\[|\]$/g, '');
  const dial = question.connect ?? dialTcp(host, Number(url.port) || (tls ? 443 : 80), view.kind === 'address' ? ADDRESS_MS : undefined);
  const body = createBodyReader(vault);
  let certificate: HttpTry['certificate'];
  let head: Pick<HttpAnswer, 'status' | 'contentType' | 'location' | 'server'> | null = null;

  const [{ default: Client }, { default: request }] = await Promise.all([
    import('undici/lib/dispatcher/client.js'),
    import('undici/lib/api/api-request.js'),
  ]);
  const trial = await tryOut({ ms: timeoutMs, signal, vault }, async (at, limit) => {
    const stream = await dial(at, limit);
    const socket = asSocket(tls ? await secure(stream, host, at, limit, (seen) => (certificate = validityOf(seen))) : guarded(stream));
    at.layer = 'protocol';
    const client = new Client(url.origin, {
      // Not at once: undici is not ready for a connection that is there already.
      connect: (_options, done) => queueMicrotask(() => done(null, socket)),
      maxHeaderSize: HEADER_BYTES,
      headersTimeout: 0,
      bodyTimeout: 0,
    });
    client.on('connectionError', () => {});
    try {
      const response = await request.call(client, {
        path: url.pathname + url.search,
        method,
        headers: { 'user-agent': 'stack-doctor', accept: '*/*', ...headers },
        reset: true,
        signal: limit,
      });
      head = {
        status: response.statusCode,
        contentType: field(response.headers['content-type'], vault) ?? '',
        location: field(response.headers.location, vault),
        server: field(response.headers.server, vault),
      };
      at.layer = 'done';
      response.body.on('error', () => {});
      // A body that breaks off or never ends is still an answer.
      await body.read(response.body);
    } catch (error) {
      throw httpFailure(error, at);
    } finally {
      socket.destroy();
      client.destroy().catch(() => {});
    }
  });
  // Assigned inside the callback, which the type checker does not follow.
  const answered = head as Pick<HttpAnswer, 'status' | 'contentType' | 'location' | 'server'> | null;
  return { trial, answer: answered && { ...answered, ...body.result() }, ...(certificate ? { certificate } : {}) };
};

/** A path of a server, from one vantage point. `host`: what it is called where it compares names. */
export const askPath = async (
  vantage: Vantage,
  { scheme, path, host, headers, ms }: { scheme: string; path: string; host: string; headers?: Record<string, string>; ms?: number },
  { vault, signal }: Pick<HttpQuestion, 'vault' | 'signal'>,
): Promise<Omit<HttpTry, 'pathFrom'>> => {
  const at = vantage.host.includes(':') ? `[${vantage.host}]` : vantage.host;
  const url = new URL(`${scheme}://${at}:${vantage.port}${path.startsWith('/') ? '' : '/'}${path}`).href;
  const { view, dial } = vantage;
  const question = { url, view, vault, signal, connect: dial, headers: { host, ...headers } };
  return { url, view, ...(await askHttp(ms === undefined ? question : { ...question, timeoutMs: ms })) };
};

const validityOf = ({ valid_from, valid_to, subject }: PeerCertificate): HttpTry['certificate'] => {
  const [from, to] = [Date.parse(valid_from), Date.parse(valid_to)];
  if (Number.isNaN(from) || Number.isNaN(to)) return undefined;
  return { name: plain([subject?.CN].flat()[0] ?? '').slice(0, 200), from: new Date(from).toISOString(), to: new Date(to).toISOString() };
};

const field = (value: string | string[] | undefined, vault: Vault): string | null => {
  const text = Array.isArray(value) ? value[0] : value;
  return text === undefined ? null : plain(vault.maskText(text.slice(0, FIELD_LENGTH)));
};

const httpFailure = (error: unknown, at: Progress): Error => {
  if (at.layer !== 'protocol' || error instanceof TryStopped) return error as Error;
  const { code, message } = error as { code?: string; message: string };
  if (code === 'UND_ERR_SOCKET')
    return new TryStopped({ layer: 'protocol', outcome: 'reset', code: '', text: 'the server closed the connection without an answer' });
  if (code?.startsWith('HPE_'))
    return new TryStopped({ layer: 'protocol', outcome: 'failed', code, text: `the answer is not HTTP: ${message}` });
  return new TryStopped(systemFailure(error, 'protocol'));
};

const createBodyReader = (vault: Vault) => {
  const hash = createHash('sha256');
  const start: Buffer[] = [];
  let kept = 0;
  let bytes = 0;
  let whole = false;
  return {
    async read(body: AsyncIterable<Buffer>) {
      for await (const chunk of body) {
        bytes += chunk.length;
        if (bytes > HASH_BYTES) return;
        hash.update(chunk);
        if (kept < TEXT_BYTES) start.push(chunk.subarray(0, TEXT_BYTES - kept));
        kept += chunk.length;
      }
      whole = true;
    },
    result(): Pick<HttpAnswer, 'body' | 'sha256' | 'bytes' | 'truncated'> {
      // A character cut in two at the end becomes a replacement character; it goes.
      const text = Buffer.concat(start)
        .toString('utf8')
        .replace(/\ufffd$/, '');
      return { body: plainLines(vault.maskText(text)), sha256: whole ? hash.digest('hex') : null, bytes, truncated: !whole };
    },
  };
};
