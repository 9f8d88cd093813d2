/** The health path of a service, asked over HTTP. Any answer shows that it lives; what the answer says is judged next. */
import { isRecent, isStarting, WHILE_STARTING } from '../model/age.ts';
import { listed } from '../model/attempt.ts';
import { defineCheck, type Evidence, type Finding, type Known, type Verdict } from '../model/check.ts';
import { servesSocketFile } from '../model/command-line.ts';
import { sinceLastReload } from '../model/crash.ts';
import type { Fact, HttpAnswer, HttpFact, HttpTry, InsideFact, LogLine } from '../model/facts.ts';
import { listensElsewhere } from '../model/listeners.ts';
import { readHealthBody, wordsOf, type Part } from '../model/health-body.ts';
import {
  connectionsFrom,
  connectionsTo,
  running,
  serviceNamed,
  spokenBy,
  type ConnectionKind,
  type Service,
  type Stack,
} from '../model/stack.ts';
import { DEFAULT_THRESHOLDS } from '../model/thresholds.ts';

const BODY_SHOWN = 300;

interface Given {
  service: Service;
  stack: Stack;
  fact: HttpFact;
  inside: Fact<InsideFact>;
  now: string;
  /** Milliseconds. */
  slowHealth: number;
}

export const httpHealth = defineCheck({
  id: 'http-health',
  title: 'The service answers its health path',
  question: 'Does the service answer HTTP in time, and what does it say of itself?',
  aliases: ['health', 'api'],
  needs: ['http', 'logs', 'inside'],
  after: ['engine', 'container'],
  appliesTo: (service) => service.role === 'http',
  findings: {
    refused: {
      severity: 'fail',
      layer: 'app',
      kind: 'symptom',
      means: 'Nothing listens on the port of the service, though its container runs.',
      proof: 'Every try ended with a refused connection.',
    },
    hung: {
      severity: 'fail',
      layer: 'app',
      kind: 'symptom',
      means: 'The service takes the connection and never answers.',
      proof: 'Connected, and no byte of an answer within the limit.',
      shows: 'silence',
    },
    reset: {
      severity: 'fail',
      layer: 'app',
      kind: 'symptom',
      means: 'The service closes the connection without an answer.',
      proof: 'The connection was closed or reset before a status line came.',
    },
    'dependency-failing': {
      severity: 'fail',
      layer: 'app',
      kind: 'symptom',
      means: 'The service lives and says that a part that it needs fails.',
      proof: 'The body of the answer names the part.',
      shows: 'error',
    },
    'server-error': {
      severity: 'fail',
      layer: 'app',
      kind: 'symptom',
      means: 'The service answers with an error of its own.',
      proof: 'A status of 500 or more, or a body that says the service is ill, without naming a part.',
      shows: 'error',
    },
    'pool-exhausted': {
      severity: 'fail',
      layer: 'app',
      kind: 'cause',
      means: 'The app has used up its own pool of database connections; the database has more to give.',
      proof: "The pool's own words in the log within the last minutes; a warning where they are older.",
    },
    'template-missing': {
      severity: 'fail',
      layer: 'app',
      kind: 'symptom',
      means: 'A page is made from a template that is not where the app looks for it.',
      proof: 'The exception in the log within the last minutes, which names the template; a warning where it is older.',
    },
    'worker-timeout': {
      severity: 'warn',
      layer: 'app',
      kind: 'cause',
      means: 'gunicorn killed a worker that took longer for one request than its timeout allows.',
      proof: "`WORKER TIMEOUT` in gunicorn's log within the last minutes.",
    },
    'not-found': {
      severity: 'warn',
      layer: 'app',
      kind: 'cause',
      means: 'The path that the healthcheck asks for does not exist in the service.',
      proof: 'Status 404 for the path of the healthcheck.',
    },
    slow: {
      severity: 'warn',
      layer: 'app',
      kind: 'symptom',
      means: 'The service answers well, and late.',
      proof: 'The time of the fastest answer.',
    },
  },
  evaluate({ service, stack, facts, now, thresholds: { slowHealth } = DEFAULT_THRESHOLDS }): Verdict {
    const verdict = judgeHttp(facts, { service, stack, now, slowHealth });
    const logged = facts.logs.ok ? ownWords(service, facts.logs.value.lines, now) : [];
    return logged.length === 0 ? verdict : { findings: [...('findings' in verdict ? verdict.findings : []), ...logged] };
  },
});

const LOGGED: [reason: string, pattern: RegExp, says: (found: RegExpExecArray) => string][] = [
  [
    'pool-exhausted',
    /QueuePool limit of size (\d+) overflow (\d+) reached|Timed out fetching a new connection from the connection pool|TimeoutError: Knex: Timeout acquiring a connection/,
    ([, size, overflow]) =>
      `has used up its own pool of database connections${size ? ` (${size} and ${overflow} more)` : ''}; the database is not at fault`,
  ],
  [
    'template-missing',
    /(?:jinja2\.exceptions\.TemplateNotFound|TemplateDoesNotExist): ([^\s'"]{1,200})/,
    ([, template]) => `does not find the template ${template}`,
  ],
  [
    'worker-timeout',
    /\[CRITICAL\] WORKER TIMEOUT/,
    () => 'lost a worker of gunicorn, which took longer for one request than the timeout allows',
  ],
];

/** What a good answer of the health path does not show: other paths fail. */
const ownWords = ({ name }: Service, lines: readonly LogLine[], now: string): Finding[] =>
  LOGGED.flatMap(([reason, pattern, says]) => {
    const line = sinceLastReload(lines).findLast(({ text }) => pattern.test(text));
    if (!line || (reason === 'worker-timeout' && !isRecent(line.time, now))) return [];
    return [
      {
        reason,
        ...(isRecent(line.time, now) ? {} : { severity: 'warn' as const }),
        message: `${name} ${says(pattern.exec(line.text)!)}`,
        evidence: [{ source: `${name} log`, text: line.text }],
        // Only the folder of the templates can be the reason: not built, not mounted.
        ...(reason === 'template-missing' ? { suspects: [] } : {}),
      },
    ];
  });

const isAskedBySocket = (service: Service, stack: Stack): boolean =>
  running(service).slice(0, 1).some(servesSocketFile) || connectionsTo(stack, service.name).some(({ kind }) => kind === 'socket');

const isAskedByPort = ({ service, stack }: Given): boolean =>
  running(service).some(({ ports }) => ports.some(({ hostPort }) => hostPort > 0)) ||
  connectionsTo(stack, service.name).some(({ kind }) => kind !== 'depends-on' && kind !== 'socket');

const judgeHttp = ({ http, inside }: Known<'http' | 'inside'>, about: Omit<Given, 'fact' | 'inside'>): Verdict => {
  const bySocket: Verdict = { skip: `${about.service.name} serves a socket file, and no port` };
  if (!http.ok) return isAskedBySocket(about.service, about.stack) ? bySocket : { cannotLook: http.reason };
  const given: Given = { ...about, fact: http.value, inside };
  const tries = relevant(http.value);
  const answered = tries.filter((each) => each.answer !== null);
  if (answered.length > 0) return judgeAnswers(answered, given);
  const silent = tries.filter((each) => each.trial.outcome !== 'no-tool' && each.trial.layer !== 'name');
  if (silent.length === 0) return { cannotLook: tries[0]?.trial.text || `${given.service.name} could not be asked over HTTP` };
  // A port that only the image exposes is nobody's concern.
  if (silent.every(({ trial }) => trial.outcome === 'refused') && isAskedBySocket(given.service, given.stack) && !isAskedByPort(given))
    return bySocket;
  return { findings: [unanswered(silent, given)] };
};

/** Of the path that was settled on; by a way that leads to this very container, where one got an answer. */
const relevant = ({ tries, path }: HttpFact): HttpTry[] => {
  const ofPath = tries.filter((each) => pathOf(each.url) === path);
  const chosen = ofPath.length > 0 ? ofPath : tries;
  const direct = chosen.filter((each) => each.view.kind !== 'published' && each.answer !== null);
  return direct.length > 0 ? direct : chosen;
};

const pathOf = (url: string): string => url.replace(/^[a-z]+:\/\/[^/]*/i, '') || '/';

/** One good answer shows that the service is well; else the first bad one speaks. */
const judgeAnswers = (answered: HttpTry[], given: Given): Verdict => {
  const judged = answered.map((each) => ({ each, finding: judgeAnswer(each, each.answer!, given) }));
  const good = judged.filter(({ finding }) => finding === null).map(({ each }) => each);
  if (good.length === 0) return { findings: [judged[0]!.finding!] };
  const fastest = good.toSorted((a, b) => a.trial.ms - b.trial.ms)[0]!;
  if (fastest.trial.ms > given.slowHealth) return { findings: [slow(fastest, given)] };
  return { findings: [], note: `${pathOf(fastest.url)} answers ${fastest.answer!.status} in ${Math.round(fastest.trial.ms)} ms` };
};

const judgeAnswer = (asked: HttpTry, answer: HttpAnswer, given: Given): Finding | null => {
  const body = saysOfParts(asked, answer) ? readHealthBody(answer.body) : null;
  const ill = (body?.ill ?? []).map((part) => ({ ...part, services: servicesOf(part, given) }));
  // A service that calls itself well, with status 200, is believed about parts that nobody here knows.
  const counted = answer.status >= 500 || body?.overall === 'ill' ? ill : ill.filter((part) => part.services.length > 0);
  if (counted.length > 0) return dependencyFailing(asked, answer, counted, given);
  if (answer.status >= 500 || body?.overall === 'ill') return serverError(asked, answer, given);
  return answer.status === 404 && isTold(asked) ? notFound(asked, given) : null;
};

/** The path is no guess: somebody wrote it down as the one that tells the health. */
const isTold = ({ pathFrom }: HttpTry): boolean => pathFrom === 'healthcheck' || pathFrom === 'doctor.yaml';

/** Of other pages, `false` and `error` are mere data. */
const saysOfParts = (asked: HttpTry, { status, body }: HttpAnswer): boolean =>
  body.trimStart().startsWith('{') &&
  (status >= 500 || isTold(asked) || /health|ready|live|status|ping|heartbeat|actuator/i.test(pathOf(asked.url))) &&
  (status < 400 || status >= 500);

const KIND_WORDS: [ConnectionKind, RegExp][] = [
  ['postgres', /^(db|database|postgres|postgresql|pg|psql|pgsql|sql|datasource|sqlalchemy|orm|primary)\d*$/],
  ['redis', /^(redis|valkey|cache|caching|queue|broker|jobs?|celery|sidekiq|bull(mq)?|sessions?)\d*$/],
  ['mysql', /^(db|database|mysql|mariadb|sql|datasource)\d*$/],
  ['mongodb', /^(db|database|mongo|mongodb)\d*$/],
  ['amqp', /^(amqp|rabbit|rabbitmq|queue|broker|mq)\d*$/],
];

/** The services that a part can mean: one of that name, else those that the service connects to for such a part. */
const servicesOf = ({ name }: Part, { service, stack }: Given): string[] => {
  const words = wordsOf(name);
  const own = connectionsFrom(stack, service.name);
  const exact = stack.services.filter(
    (each) => each.name !== service.name && (each.name === name.toLowerCase() || words.includes(each.name.toLowerCase())),
  );
  if (exact.length > 0) return exact.map((each) => each.name);
  const kinds = KIND_WORDS.filter(([, pattern]) => words.some((word) => pattern.test(word))).map(([kind]) => kind);
  const peers = own
    .filter(
      ({ to, kind }) =>
        to !== null &&
        (kinds.includes(kind) ||
          (kind === 'depends-on' && kinds.some((each) => spokenBy(serviceNamed(stack, to)?.role ?? 'unknown') === each))),
    )
    .map(({ to }) => to!);
  return [...new Set(peers)];
};

const shown = (body: string): string => body.replace(/\s+/g, ' ').trim().slice(0, BODY_SHOWN);

const answerEvidence = ({ url }: HttpTry, answer: HttpAnswer): Evidence => ({
  source: `HTTP ${url}`,
  text: `status ${answer.status}${answer.body ? `: ${shown(answer.body)}` : ''}`,
});

const valuesOf = (asked: HttpTry, { fact }: Given): Record<string, string> => ({ path: pathOf(asked.url), port: String(fact.port) });

const dependencyFailing = (asked: HttpTry, answer: HttpAnswer, ill: (Part & { services: string[] })[], given: Given): Finding => {
  const suspects = [...new Set(ill.flatMap((part) => part.services))];
  return {
    reason: 'dependency-failing',
    message: `${given.service.name} answers ${answer.status} on ${pathOf(asked.url)} and says that ${listed(ill.map((part) => part.name))} ${ill.length === 1 ? 'fails' : 'fail'}: ${ill[0]!.says}`,
    evidence: [answerEvidence(asked, answer)],
    ...(suspects.length > 0
      ? {
          suspects: [
            // A part of a database may be missing, and not the database.
            { service: given.service.name, check: 'migrations' },
            ...suspects.map((service) => ({ service })),
            // A firewall stands in the way of all alike, and another client is enough to show it.
            { service: given.service.name, code: 'network/traffic-dropped' },
            { code: 'network/traffic-dropped' },
          ],
        }
      : {}),
    values: { ...valuesOf(asked, given), ...(suspects[0] ? { target: suspects[0] } : {}) },
  };
};

const serverError = (asked: HttpTry, answer: HttpAnswer, given: Given): Finding => ({
  reason: 'server-error',
  message: `${given.service.name} answers ${answer.status} on ${pathOf(asked.url)}${answer.status < 500 ? ', and its body says that it is ill' : ''}`,
  evidence: [answerEvidence(asked, answer)],
  values: valuesOf(asked, given),
});

const notFound = (asked: HttpTry, given: Given): Finding => ({
  reason: 'not-found',
  message: `${given.service.name} answers 404 on ${pathOf(asked.url)}, ${asked.pathFrom === 'healthcheck' ? 'the path of its healthcheck' : 'which doctor.yaml names as its health path'}`,
  evidence: [answerEvidence(asked, asked.answer!)],
  values: valuesOf(asked, given),
});

const slow = (asked: HttpTry, given: Given): Finding => ({
  reason: 'slow',
  message: `${given.service.name} takes ${(asked.trial.ms / 1000).toFixed(1)} s to answer ${pathOf(asked.url)}`,
  evidence: [{ source: `HTTP ${asked.url}`, text: `status ${asked.answer!.status} after ${Math.round(asked.trial.ms)} ms` }],
  values: valuesOf(asked, given),
});

/** A published port says "reset" for what its container refuses, so it speaks last. Of a refusal and a silence, the silence is the service's. */
const unanswered = (silent: HttpTry[], given: Given): Finding => {
  const direct = silent.filter((each) => each.view.kind !== 'published');
  const tries = direct.length > 0 ? direct : silent;
  const asked = tries.find((each) => each.trial.layer !== 'tcp') ?? tries.find((each) => each.trial.outcome === 'refused') ?? tries[0]!;
  const { reason, says } = silenceOf(asked);
  const { name } = given.service;
  const starting = isStarting(given.service, given.now);
  return {
    reason,
    ...(starting ? WHILE_STARTING : {}),
    message: `${name} ${says} on port ${given.fact.port}${starting ? '; it has just started' : ''}${reason === 'refused' ? listensElsewhere(given.fact.port, given.inside) : ''}`,
    evidence: [{ source: `HTTP ${asked.url}`, text: `${asked.trial.outcome}${asked.trial.text ? `: ${asked.trial.text}` : ''}` }],
    suspects: (reason === 'hung' ? ['hot-reload'] : ['hot-reload', 'container', 'ports']).map((check) => ({ service: name, check })),
    values: valuesOf(asked, given),
  };
};

const silenceOf = ({ trial }: HttpTry): { reason: string; says: string } => {
  if (trial.outcome === 'refused') return { reason: 'refused', says: 'refuses connections' };
  if (trial.outcome === 'timeout' || trial.outcome === 'unreachable')
    return {
      reason: 'hung',
      says: trial.layer === 'tcp' ? 'does not take connections in time' : 'takes the connection and does not answer',
    };
  return { reason: 'reset', says: trial.outcome === 'failed' ? 'does not answer in HTTP' : 'closes the connection without an answer' };
};
