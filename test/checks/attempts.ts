/** Tries and answers as the facts hold them, for tests of the checks that judge them. */
import type { Finding, Verdict } from '../../src/model/check.ts';
import type { Fact, HttpAnswer, HttpTry, InsideFact, LogFact, LogLine, Trial, View } from '../../src/model/facts.ts';

export const OK: Trial = { layer: 'done', outcome: 'ok', code: '', text: '', ms: 3 };

export const stopped = (layer: Trial['layer'], outcome: Trial['outcome'], code = '', text = ''): Trial => ({
  layer,
  outcome,
  code,
  text,
  ms: 3,
});

export const ADDRESS: View = { kind: 'address', address: '172.18.0.2', network: 'p_default' };
export const PUBLISHED: View = { kind: 'published', address: '127.0.0.1:5432' };
export const insideOf = (service: string): View => ({ kind: 'inside', service, network: 'p_default' });

export const answer = (parts: Partial<HttpAnswer> = {}): HttpAnswer => ({
  status: 200,
  contentType: 'text/plain',
  location: null,
  server: null,
  body: '',
  sha256: 'aa'.repeat(32),
  bytes: 10,
  truncated: false,
  ...parts,
});

/** Answered, unless a trial that failed is given. */
export const httpTry = (parts: Partial<Omit<HttpTry, 'answer'>> & { answer?: Partial<HttpAnswer> } = {}): HttpTry => ({
  url: 'http://172.18.0.5:8000/health',
  pathFrom: 'healthcheck',
  view: ADDRESS,
  trial: OK,
  ...parts,
  answer: (parts.trial ?? OK).outcome === 'ok' ? answer(parts.answer) : null,
});

/** What listens inside a container, on all addresses or, as `127.0.0.1:5432`, on one; `undefined`: could not look. */
export const listening = (ends: (number | string)[] | undefined): Fact<InsideFact> =>
  ends === undefined
    ? { ok: false, reason: 'could not look', timedOut: false, ms: 1 }
    : {
        ok: true,
        ms: 1,
        value: {
          container: 'c',
          via: 'proc',
          listeners: ends.map((end) => {
            const [address = '', port] = String(end).includes(':') ? String(end).split(':') : ['0.0.0.0', String(end)];
            return { family: 4, address, port: Number(port) };
          }),
          peers: [],
          mounts: [],
          processes: [],
          processesKnown: true,
        },
      };

export const logLine = (text: string, time: string | null = null): LogLine => ({ time, stream: 'stderr', text });

export const logOf = (container: string, lines: (string | LogLine)[]): LogFact => ({
  container,
  since: null,
  lines: lines.map((line) => (typeof line === 'string' ? logLine(line) : line)),
});

/** The findings of a verdict; fails the test when there is none because nothing could be seen. */
export const findingsOf = (verdict: Verdict): Finding[] => {
  if ('findings' in verdict) return verdict.findings;
  throw new Error(`no findings but ${JSON.stringify(verdict)}`);
};

export const reasonsOf = (verdict: Verdict): string[] =>
  'findings' in verdict
    ? verdict.findings.map(({ reason, severity }) => (severity === undefined ? reason : `${reason}:${severity}`))
    : 'skip' in verdict
      ? ['skip']
      : ['cannotLook'];
