/** nginx' own part: its configuration, its certificate, what it refuses and what it has not loaded. */
import { isRecent, secondsSince, startOf } from '../../model/age.ts';
import type { Finding } from '../../model/check.ts';
import { namesFor, nameTable } from '../../model/connections.ts';
import { keepsFailing } from '../../model/crash-loop.ts';
import type { Fact, LogFact, NginxFact } from '../../model/facts.ts';
import { type Service, shouldRun, type Stack } from '../../model/stack.ts';
import { type Given, RELOADED } from './given.ts';

export const NAME_UNKNOWN = /host not found in upstream "([^":]+)/;
/** What a test run by another user, or on a read-only root, complains of. */
const NOT_THE_CONFIGURATION = /(Permission denied|Read-only file system|Address already in use)\)?$/m;

export const configInvalid = ({ service, nginx: { test } }: Given): Finding[] => {
  if (!test || test.ok || NAME_UNKNOWN.test(test.text)) return [];
  const line = test.text.split('\n').find((each) => /\[emerg\]/.test(each)) ?? test.text.split('\n')[0] ?? '';
  if (NOT_THE_CONFIGURATION.test(line)) return [];
  const place = / in (\/[^\s:]+:\d+)/.exec(line)?.[1];
  return [
    {
      reason: 'config-invalid',
      message: `the configuration of ${service.name} is not valid: ${inWords(line)}`,
      evidence: [{ source: `nginx -t in ${service.name}`, text: line.trim() }],
      values: place ? { file: place } : {},
    },
  ];
};

/** OpenSSL says it at length. */
const inWords = (line: string): string => {
  const said = line.replace(/^.*?\[emerg\]\s*(\d+#\d+:\s*)?/, '').trim();
  const [, what, path] = /cannot load (certificate(?: key)?) "([^"]+)".*No such file or directory/.exec(said) ?? [];
  if (path) return `its ${what} ${path} is not there`;
  const key = /SSL_CTX_use_PrivateKey\("([^"]+)"\) failed .*key values mismatch/.exec(said)?.[1];
  return key ? `the key ${key} does not belong to its certificate` : said;
};

/** nginx ends at its start over a name that is none, or a mistake in a file. A name that a service has is that service's business. */
export const whyEnded = (service: Service, stack: Stack, logs: Fact<LogFact>): Finding | null => {
  // A reload that failed leaves such a line, too: one that was paused or stopped later did not end over it.
  if (!shouldRun(service) || !service.containers.some(keepsFailing)) return null;
  const line = logs.ok ? logs.value.lines.findLast(({ text }) => /\[emerg\]/.test(text))?.text : undefined;
  if (!line || NOT_THE_CONFIGURATION.test(line)) return null;
  const evidence = [{ source: `${service.name} log`, text: line }];
  const said = inWords(line);
  const file = / in (\/[^\s:]+:\d+)/.exec(line)?.[1];
  const host = NAME_UNKNOWN.exec(line)?.[1];
  if (host === undefined) {
    return {
      reason: 'config-invalid',
      message: `${service.name} ended at its start, its configuration is not valid: ${said}`,
      evidence,
      values: file ? { file } : {},
    };
  }
  if (namesFor(service, nameTable(stack.services)).has(host)) return null;
  return {
    reason: 'upstream-not-found',
    message: `${service.name} ended at its start: it proxies to ${host}, and no service of the stack answers to that name`,
    evidence,
    values: { upstream: host, host, ...(file ? { file } : {}) },
  };
};

/** That it is self-signed is as it should be here; that its time is over is not. */
export const certificateExpired = ({ service, nginx, now }: Given): Finding[] => {
  const shown = nginx.proxied
    .map(({ http }) => http)
    .find(({ certificate }) => certificate && (certificate.to < now || certificate.from > now));
  if (!shown?.certificate) return [];
  const { name, from, to } = shown.certificate;
  const when = to < now ? `expired on ${to.slice(0, 10)}` : `is not valid before ${from.slice(0, 10)}`;
  return [
    {
      reason: 'certificate-expired',
      message: `the certificate that ${service.name} shows${name ? ` for ${name}` : ''} ${when}`,
      evidence: [{ source: `TLS handshake of ${shown.url}`, text: `valid from ${from} to ${to}` }],
      values: name ? { host: name } : {},
    },
  ];
};

const TOO_LARGE = /client intended to send too large (?:chunked )?body(?:: (\d+) bytes)?/;

export const bodyTooLarge = ({ service, logs, now }: Given): Finding[] => {
  const line = logs.ok ? logs.value.lines.findLast(({ text, time }) => TOO_LARGE.test(text) && isRecent(time, now)) : undefined;
  if (!line) return [];
  const bytes = TOO_LARGE.exec(line.text)?.[1];
  return [
    {
      reason: 'body-too-large',
      message: `${service.name} refused a request body${bytes ? ` of ${bytes} bytes` : ''} as too large (413); the app behind it never saw it`,
      evidence: [{ source: `${service.name} log`, text: line.text }],
    },
  ];
};

const STARTED = /start worker process(es)?\b/;

/** Told only where it is certain: the log goes back to the start, tells of starts, and of no reload after the change. */
export const notReloaded = ({ service, nginx, logs, inside }: Given): Finding[] => {
  const replaced = nginx.files.find(
    (file) => inside.ok && inside.value.mounts.some((mount) => mount.destination === file.path && mount.deleted),
  );
  if (replaced)
    return [
      notReloadedFinding(
        service,
        replaced,
        `${service.name} still holds the ${replaced.path} that was replaced on the host`,
        `mountinfo of ${service.name}: ${replaced.path} is deleted`,
      ),
    ];
  const started = startOf(service);
  const changed = nginx.files
    .filter((file) => file.modifiedAt !== null && started !== null && file.modifiedAt > started)
    .toSorted((a, b) => (a.modifiedAt! < b.modifiedAt! ? 1 : -1))[0];
  if (!changed || nginx.test?.ok !== true || !logs.ok) return [];
  const { lines } = logs.value;
  const tellsOfStart = lines.some(({ time, text }) => STARTED.test(text) && time !== null && Math.abs(secondsSince(started, time)) < 30);
  const reloaded = lines.some(({ time, text }) => RELOADED.test(text) && (time === null || time >= changed.modifiedAt!));
  if (!tellsOfStart || reloaded) return [];
  return [
    notReloadedFinding(
      service,
      changed,
      `${changed.path} of ${service.name} changed after its start, and was not loaded since`,
      `changed ${changed.modifiedAt}, nginx started ${started}`,
    ),
  ];
};

const notReloadedFinding = (service: Service, file: NginxFact['files'][number], message: string, proof: string): Finding => ({
  reason: 'config-not-reloaded',
  message,
  evidence: [{ source: file.hostPath ?? `${service.name}:${file.path}`, text: proof }],
  values: { file: file.path, path: file.path, ...(file.hostPath ? { hostPath: file.hostPath } : {}) },
});
