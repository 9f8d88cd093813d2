/** What the pure part costs for a stack of a thousand services with ten thousand findings, whatever its shape. No engine is needed. */
import { checks } from '../src/checks/index.ts';
import { explain } from '../src/explain/explain.ts';
import { reportOf } from '../src/explain/report.ts';
import type { Check, Located, Outcome, Suspect } from '../src/model/check.ts';
import type { Connection, Stack } from '../src/model/stack.ts';

const SERVICES = 1_000;
const GOAL_MS = 1_000;

/** Which services each one connects to, by number. */
const SHAPES: Record<string, (service: number) => number[]> = {
  'a chain': (service) => [service + 1],
  'a ring': (service) => [(service + 1) % SERVICES],
  'all on one': () => [0],
  'a tree': (service) => [2 * service + 1, 2 * service + 2],
  'a thicket': (service) => Array.from({ length: 20 }, (_, step) => (service * 7 + step * 131 + 1) % SERVICES),
  'nobody knows another': () => [],
};

const SUSPECTS: Record<string, (service: number, to: number[]) => Suspect[] | undefined> = {
  'nobody is suspected': () => undefined,
  'the next are suspected': (_, to) => to.map((each) => ({ service: `s${each}` })),
  'a kind is suspected': () => [{ check: 'container' }, { code: 'postgres/*' }],
  'everybody is suspected': () => [{}],
};

/** Of this process alone: a busy machine makes the clock run on. */
const cpuMs = (): number => process.cpuUsage().user / 1_000;

const nameOf = (service: number): string => `s${service}`;

const stackOf = (shape: (service: number) => number[]): Stack => ({
  project: 'bench',
  workingDir: '/',
  composeFiles: [],
  oneOffs: [],
  services: Array.from({ length: SERVICES }, (_, index) => ({
    name: nameOf(index),
    role: 'http',
    roleReason: '',
    spec: null,
    containers: [],
  })),
  connections: Array.from({ length: SERVICES }, (_, index) =>
    shape(index)
      .filter((to) => to < SERVICES)
      .map((to): Connection => ({
        from: nameOf(index),
        to: nameOf(to),
        kind: 'http',
        host: nameOf(to),
        port: 80,
        user: null,
        password: null,
        database: null,
        tls: false,
        url: '',
        source: 'env',
        malformed: null,
      })),
  ).flat(),
});

/** Ten of each service, one kind after another: all that checks may find, or symptoms alone, which lead far. */
const findingsOf = (
  shape: (service: number) => number[],
  suspects: (service: number, to: number[]) => Suspect[] | undefined,
  symptomsOnly: boolean,
): Located[] => {
  const kinds = checks.flatMap((check: Check) =>
    check.scope === 'service'
      ? Object.entries(check.findings).flatMap(([reason, spec]) =>
          spec.severity === 'fail' && !(symptomsOnly && spec.kind === 'cause') ? [{ check, reason, spec }] : [],
        )
      : [],
  );
  return Array.from({ length: SERVICES }, (_, service) =>
    Array.from({ length: 10 }, (__, index): Located => {
      const { check, reason, spec } = kinds[(service * 3 + index * 11) % kinds.length]!;
      const pointed = spec.kind === 'symptom' ? suspects(service, shape(service)) : undefined;
      return {
        id: `${nameOf(service)}/${check.id}`,
        check: check.id,
        service: nameOf(service),
        code: `${check.id}/${reason}`,
        finding: {
          reason,
          message: `seen ${index}`,
          evidence: [],
          ...(pointed && { suspects: pointed }),
          ...(index === 0 && { spares: [nameOf(service + 1)] }),
          values: { hostPath: `/src/${service}` },
        },
        spec,
        severity: 'fail',
      };
    }),
  ).flat();
};

const outcomesOf = (found: readonly Located[]): Outcome[] =>
  [...new Map(found.map((each) => [each.id, each])).values()].map(({ id, check, service }): Outcome => ({
    id,
    check,
    service,
    title: '',
    status: 'fail',
    findings: [],
    blockedBy: null,
    reason: null,
    note: null,
    durationMs: 0,
  }));

export const benchExplain = (print: (line: string) => void): void => {
  let worst = 0;
  let findings = 0;
  for (const [shapeName, shape] of Object.entries(SHAPES)) {
    for (const [suspectsName, suspects] of Object.entries(SUSPECTS)) {
      for (const symptomsOnly of [false, true]) {
        const stack = stackOf(shape);
        const found = findingsOf(shape, suspects, symptomsOnly);
        const outcomes = outcomesOf(found);
        findings = found.length;
        const begun = cpuMs();
        const explanation = explain(found, outcomes, stack);
        const explained = cpuMs();
        reportOf({
          tool: { name: 'bench', version: '0' },
          startedAt: '',
          durationMs: 0,
          engine: { host: '', version: null, apiVersion: null },
          notes: [],
          remedyFor: () => null,
          stack,
          outcomes,
          found,
          explanation,
        });
        const told = cpuMs();
        worst = Math.max(worst, told - begun);
        const column = (ms: number) => `${ms.toFixed(0).padStart(6)} ms`;
        print(
          `${`${shapeName}, ${suspectsName}${symptomsOnly ? ', symptoms' : ''}`.padEnd(56)} explain ${column(explained - begun)}  report ${column(told - explained)}  ${explanation.roots.length} roots`,
        );
      }
    }
  }
  print(
    `\n${SERVICES} services, ${findings} findings: at most ${worst.toFixed(0)} ms  goal ≤ ${GOAL_MS} ms  ${worst <= GOAL_MS ? 'met' : 'NOT met'}`,
  );
};
