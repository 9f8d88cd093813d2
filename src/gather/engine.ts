/** Can we talk to Docker, and to which one? */
import type { EngineFact } from '../model/facts.ts';
import { timeLimit } from '../time-limit.ts';
import { otherEngines, type EngineAddress } from './engine-address.ts';
import { EngineError, type EngineClient } from './engine-client.ts';

/** Engine API 1.40 is Docker 19.03: the oldest whose fields the gatherers rely on. */
const OLDEST_API = '1.40';

export const gatherEngine = async (engine: EngineClient, address: EngineAddress, signal: AbortSignal): Promise<EngineFact> => {
  const base = { host: address.host, source: address.source, detail: '', version: null, apiVersion: null, elsewhere: null };
  try {
    const { server, apiVersion, date } = await engine.ping(signal);
    const told = date ? Date.parse(date) : Number.NaN;
    // `Server: Docker/28.5.2 (linux)`; Podman says `Libpod/…`.
    const found = {
      ...base,
      ...(Number.isNaN(told) ? {} : { clockAheadSeconds: Math.round((told - Date.now()) / 1000) }),
      version: /^\w+\/(\S+)/.exec(server ?? '')?.[1] ?? null,
      ...(server?.startsWith('Libpod/') && { product: 'Podman' }),
      apiVersion,
    };
    if (!apiVersion) return { ...found, state: 'not-docker', detail: 'what answers there is no Docker Engine API' };
    if (apiNumber(apiVersion) < apiNumber(OLDEST_API)) {
      return { ...found, state: 'too-old', detail: `it speaks API ${apiVersion}, ${OLDEST_API} is needed` };
    }
    return { ...found, state: 'ok' };
  } catch (error) {
    if (!(error instanceof EngineError)) throw error;
    return { ...base, state: stateOf(error), detail: error.message };
  }
};

const apiNumber = (version: string): number => {
  const [major = '0', minor = '0'] = version.split('.');
  return Number(major) * 1000 + Number(minor);
};

const STATES: Record<string, EngineFact['state']> = {
  ENOENT: 'socket-missing',
  ECONNREFUSED: 'refused',
  EACCES: 'permission-denied',
  EPERM: 'permission-denied',
  ETIMEDOUT: 'no-answer',
  ABORT_ERR: 'no-answer',
  ECONNRESET: 'no-answer',
  EPIPE: 'no-answer',
  ENOTSOCK: 'socket-missing',
};

const stateOf = (error: EngineError): EngineFact['state'] => {
  // `Client sent an HTTP request to an HTTPS server.`
  if (/HTTPS server/.test(error.message)) return 'tls';
  // Docker Desktop's proxy says 500 and 503 while the engine behind it starts or is down.
  if (error.status !== null) return error.status >= 500 ? 'no-answer' : 'not-docker';
  if (/certificate|tls|ssl/i.test(error.message) || error.code.startsWith('ERR_TLS') || error.code.startsWith('CERT_')) return 'tls';
  if (/^HPE_|EPROTO/.test(error.code)) return 'not-docker';
  return STATES[error.code] ?? 'unreachable';
};

/** The engine of this machine that does hold containers of the project; asked only when ours holds none. */
export const findElsewhere = async (
  project: string,
  used: EngineAddress,
  env: Record<string, string | undefined>,
  signal: AbortSignal,
): Promise<EngineFact['elsewhere']> => {
  const { openEngineClient } = await import('./docker-client.ts');
  const counts = await Promise.all(
    (await otherEngines(used, env)).map(async (address) => {
      if (address.host.startsWith('ssh://')) return null;
      const client = await openEngineClient(address);
      try {
        const list = await client.get<unknown[]>(
          '/containers/json',
          { all: true, filters: JSON.stringify({ label: [`com.docker.compose.project=${project}`] }) },
          timeLimit(1_000, signal),
        );
        return list.length > 0 ? { host: address.host, source: address.source, containers: list.length } : null;
      } catch {
        return null;
      } finally {
        client.close();
      }
    }),
  );
  return counts.find((each) => each !== null) ?? null;
};
