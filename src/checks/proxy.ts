/** nginx and the services that it passes requests on to: one request for each proxied location, and nginx's own words about it. */
import { listed } from '../model/attempt.ts';
import { defineCheck, type Verdict } from '../model/check.ts';
import { isFlapping } from '../model/crash-loop.ts';
import { running } from '../model/stack.ts';
import { bodyTooLarge, certificateExpired, configInvalid, notReloaded, whyEnded } from './proxy/config.ts';
import type { Given } from './proxy/given.ts';
import { troubles } from './proxy/location.ts';

export const proxy = defineCheck({
  id: 'proxy',
  title: 'nginx reaches its upstreams',
  question: 'Is the configuration valid, and does each proxied location get an answer from the service behind it?',
  needs: ['nginx', 'logs', 'inside'],
  peerNeeds: ['http', 'logs'],
  after: ['engine', 'compose'],
  appliesTo: (service) => service.role === 'nginx',
  findings: {
    'config-invalid': {
      severity: 'fail',
      layer: 'proxy',
      kind: 'cause',
      means: 'The configuration on disk is not valid; nginx runs on the one that it loaded before, or cannot start.',
      proof: '`nginx -t` fails, and names file and line.',
    },
    'upstream-not-found': {
      severity: 'fail',
      layer: 'proxy',
      kind: 'cause',
      passes: true,
      means: 'The configuration names an upstream host that no service of the stack answers to.',
      proof: 'The name is no service, alias or extra host, and nginx says that it does not resolve, or answers 502.',
    },
    'upstream-loopback': {
      severity: 'fail',
      layer: 'proxy',
      kind: 'cause',
      passes: true,
      means: "The upstream is loopback, which inside the container is nginx's own; nothing listens there.",
      proof: "The configuration's host is loopback, and no socket of the container listens on that port.",
    },
    'socket-not-shared': {
      severity: 'fail',
      layer: 'proxy',
      kind: 'cause',
      means: 'The socket file that nginx passes requests to lies in a folder that it does not share with the service that makes it.',
      proof: 'Status 502, the mounts of both containers at that path, and the socket that the service listens on.',
    },
    'socket-elsewhere': {
      severity: 'fail',
      layer: 'proxy',
      kind: 'cause',
      means: 'The service behind nginx listens on another socket file than the one that nginx passes requests to, or on a port.',
      proof: "Status 502, and the kernel's table of sockets in the service, without that file.",
    },
    'socket-forbidden': {
      severity: 'fail',
      layer: 'proxy',
      kind: 'cause',
      means: "nginx's workers may not use the socket file of the service.",
      proof: 'Status 502, and the mode of the socket or of a folder on the way to it, for the user of the workers.',
    },
    'script-not-found': {
      severity: 'fail',
      layer: 'proxy',
      kind: 'symptom',
      means: 'The script that nginx tells the FastCGI server to run does not exist in the container of that server.',
      proof: '`Primary script unknown` or `File not found.` with status 404, and the file, or its folder, as both containers have it.',
      shows: 'error',
    },
    'stale-upstream': {
      severity: 'fail',
      layer: 'proxy',
      kind: 'cause',
      means:
        'nginx still sends to an address that the service had before it was recreated; it resolves names only when it loads its configuration.',
      proof: 'The address in the newest upstream error is none of the addresses that the service has now.',
    },
    'host-rejected': {
      severity: 'fail',
      layer: 'app',
      kind: 'cause',
      means: 'The app behind nginx answers only to host names on a list of its own, and the name that nginx passes on is not on it.',
      proof: "Status 400 or 403 with the framework's own words on the host; Django says them in its log.",
    },
    'certificate-expired': {
      severity: 'fail',
      layer: 'proxy',
      kind: 'cause',
      means: 'The certificate that nginx shows is no longer valid, or not yet: browsers and clients refuse the connection.',
      proof: 'The dates in the certificate of the TLS handshake, against the clock of this machine.',
    },
    'body-too-large': {
      severity: 'warn',
      layer: 'proxy',
      kind: 'cause',
      means: 'nginx refused a request because its body was larger than `client_max_body_size` allows.',
      proof: "`client intended to send too large body` in nginx' log within the last minutes.",
    },
    'config-not-reloaded': {
      severity: 'warn',
      layer: 'proxy',
      kind: 'cause',
      means: 'The configuration on disk is newer than the one that runs.',
      proof: 'A file changed after the start and the log tells of no reload since; or the container holds the file that was replaced.',
    },
    'upstream-stopped': {
      severity: 'fail',
      layer: 'proxy',
      kind: 'symptom',
      means: 'The service behind the proxy does not run.',
      proof: 'The state of the containers of the upstream service.',
    },
    'bad-gateway': {
      severity: 'fail',
      layer: 'proxy',
      kind: 'symptom',
      means: 'The upstream refuses the connection, or breaks it off.',
      proof: "Status 502, with an upstream error that names the service's current address.",
    },
    'gateway-timeout': {
      severity: 'fail',
      layer: 'proxy',
      kind: 'symptom',
      means: 'The upstream does not answer in time.',
      proof:
        'Status 504, or no answer through the proxy within the limit; a warning where a service that is well answers another path meanwhile.',
      shows: 'silence',
    },
    'upstream-error': {
      severity: 'fail',
      layer: 'proxy',
      kind: 'symptom',
      means: 'The upstream answers with an error of its own, which nginx passes on.',
      proof: 'A status of 500 or more that is not from nginx itself.',
      shows: 'error',
    },
    'no-answer': {
      severity: 'fail',
      layer: 'proxy',
      kind: 'symptom',
      means: 'nginx itself does not answer.',
      proof: 'The connection to nginx is refused, or ends without an answer.',
    },
  },
  evaluate({ service, stack, facts: { nginx, logs, inside }, peers, now }): Verdict {
    if (running(service).every(isFlapping)) {
      // Its log tells, also where the configuration lies in an image that nobody can look into now.
      const ended = whyEnded(service, stack, logs);
      if (ended) return { findings: [ended] };
      if (nginx.ok) return { skip: `${service.name} ${running(service).length === 0 ? 'is not running' : 'keeps ending'}` };
    }
    if (!nginx.ok) return { cannotLook: nginx.reason };
    const given: Given = { service, stack, nginx: nginx.value, inside, logs, peers, now };
    const findings = [
      ...configInvalid(given),
      ...troubles(given),
      ...notReloaded(given),
      ...certificateExpired(given),
      ...bodyTooLarge(given),
    ];
    if (findings.length > 0) return { findings };
    const { upstreams, files, proxied } = nginx.value;
    if (upstreams.length === 0)
      return files.length > 0
        ? { skip: `${service.name} proxies to nothing` }
        : { cannotLook: `the configuration of ${service.name} could not be read` };
    const asked = proxied.filter(({ http }) => http.trial.outcome !== 'no-tool');
    if (asked.length === 0) return { cannotLook: `no proxied location of ${service.name} could be asked` };
    return { findings: [], note: `${listed(asked.map(({ location }) => location))} ${asked.length === 1 ? 'answers' : 'answer'}` };
  },
});
