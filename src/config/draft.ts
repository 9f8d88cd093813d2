/** A `doctor.yaml` to begin with, from the stack as it is: every line a comment, what is prose with two marks. Pure. */
import { spokenBy, type Role, type Service, type Stack } from '../model/stack.ts';

export const draftOf = (stack: Stack, nextYear: string): string => {
  const { services } = stack;
  const first = (...roles: Role[]) => services.find(({ role }) => roles.includes(role));
  const web = first('http', 'nginx');
  const worker = first('worker') ?? web;
  const checks = [
    web && check('orders-answer', web, 'Does the page of orders answer?', `http: { path: /orders, status: 200 }`),
    ...[first('postgres')].flatMap((db) =>
      db ? [check('orders-exist', db, 'Are there orders?', `postgres: { query: select count(*) from orders, expect: "> 0" }`)] : [],
    ),
    ...[first('redis')].flatMap((redis) =>
      redis ? [check('jobs-taken', redis, 'Is the queue short?', `redis: { command: LLEN jobs, expect: "< 1000" }`, 'warn')] : [],
    ),
    worker && check('log-clean', worker, 'Is the log free of panics?', 'log: "panic|FATAL"'),
  ].filter((each) => each !== undefined);
  const [any] = services;
  return [
    '# yaml-language-server: $schema=./node_modules/stack-doctor/doctor.schema.json',
    `## What stack-doctor is told about ${name(stack.project)}. Everything may be left out, and all of it is a comment so far:`,
    '## take the "# " away from what you want to say. Lines with "##" explain.',
    '',
    "## Your team's runbook; its sections come before the doctor's own.",
    '# runbook: RUNBOOK.md',
    '',
    '## What each service is. These roles were found; correct those that are wrong. A health path is looked for where none is named.',
    '# services:',
    ...services.flatMap(said),
    '',
    '## Checks without code: http, tcp, postgres, redis, exec, file, log, env.',
    ...(checks.length > 0 ? ['# checks:', ...checks.flat()] : []),
    '',
    '## Findings that you bear with for a while. Codes: doctor list -v.',
    ...(any
      ? [
          '# ignore:',
          '#   - finding: container/restarting',
          `#     service: ${name(any.name)}`,
          '#     reason: it is being rewritten',
          '#     owner: ana',
          `#     until: ${nextYear}-01-31`,
        ]
      : []),
    '',
    '## Where good ends.',
    '# thresholds:',
    '#   disk_free: 16MiB',
    '#   slow_health: 2.5s',
    '#   blocked_for: 1s',
    '#   clock_apart: 5s',
    '',
    '## Checks with code: files (./doctor/kafka.mjs) or packages that are installed here.',
    '# plugins:',
    '#   - ./doctor/kafka.mjs',
    '',
  ].join('\n');
};

const said = ({ name: service, role, roleReason }: Service): string[] => [
  `##   ${oneLine(roleReason)}`,
  `#   ${name(service)}:`,
  `#     role: ${role}`,
  ...(role === 'http' ? ['#     health_path: /health'] : []),
  ...(spokenBy(role) === null ? [] : ['##     credentials: { service: <its client>, variable: <the variable with its address> }']),
];

const check = (id: string, service: Service, question: string, asks: string, severity?: 'warn'): string[] => [
  `#   ${id}:`,
  `#     service: ${name(service.name)}`,
  `#     question: ${question}`,
  `#     ${asks}`,
  ...(severity ? [`#     severity: ${severity}`] : []),
];

/** A label of a container says it, so that it may be anything. */
const oneLine = (text: string): string => text.replaceAll(/[^\P{C}]+/gu, ' ');

const name = (text: string): string =>
  /^[A-Za-z][\w.-]*$/.test(text) && !/^(true|false|null|yes|no|on|off|y|n)$/i.test(text) ? text : JSON.stringify(oneLine(text));
