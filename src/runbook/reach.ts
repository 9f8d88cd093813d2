/** Which sections the findings lead to, over every finding and everything that it may be about. */
import type { Remedy } from '../model/report.ts';
import { connectionsTo, type Role, type Stack } from '../model/stack.ts';
import { prescriptionFor, resetOf } from './remedy.ts';
import type { Runbook, Section } from './runbook.ts';
import { sectionFor, sectionNamed, type About, type Match } from './section-for.ts';

export interface Reach {
  /** `place: null`: no section in any runbook. A section of the team's before the shipped one. */
  entries: { code: string; place: Remedy['source'] | null; why: string | null; how: Match['how'] | null }[];
  reached: ReadonlySet<Section>;
}

/** The role of the services that a check is mostly about: a heading such as "Postgres rejects the password" is matched with it. */
const TYPICAL_ROLE: Record<string, Role> = {
  postgres: 'postgres',
  redis: 'redis',
  mysql: 'mysql',
  rabbitmq: 'rabbitmq',
  mongodb: 'mongodb',
  pooler: 'pooler',
  worker: 'worker',
  migrations: 'http',
  proxy: 'nginx',
  'static-files': 'nginx',
  'http-health': 'http',
  'hot-reload': 'http',
};

const typicalRole = (code: string): Role | null => TYPICAL_ROLE[code.slice(0, code.indexOf('/'))] ?? null;

type Services = About['services'];

/** A finding as such, of no service in particular. */
export const aboutCode = (code: string, services: Services = []): About => ({
  service: null,
  role: typicalRole(code),
  targetRole: null,
  affected: [],
  services,
});

/** Where there is no project, a service of each role, with a name that no heading has. */
const ANY_SERVICES: Services = (['postgres', 'redis', 'mysql', 'rabbitmq', 'mongodb', 'pooler', 'nginx', 'http', 'worker'] as const).map(
  (role) => ({
    name: `\u0001${role}`,
    role,
  }),
);

/** Everything that a finding may be about: a service, or one with another that it reaches for. */
const subjectsOf = (code: string, services: Services, pairs: readonly (readonly [string, string])[]): About[] => {
  const role = typicalRole(code);
  const roleOf = new Map(services.map((each) => [each.name, each.role]));
  const fitting = services.filter((service) => role === null || service.role === role);
  const one = fitting.map((service): About => ({
    service: service.name,
    role: service.role,
    targetRole: null,
    affected: [service.name],
    services,
  }));
  const two = pairs.flatMap(([from, to]): About[] =>
    [from, to]
      .filter((name) => fitting.some((service) => service.name === name))
      .map((name) => ({ service: name, role: roleOf.get(name)!, targetRole: roleOf.get(to)!, affected: [from, to], services })),
  );
  return [aboutCode(code, services), ...one, ...two];
};

/** `stack`: as declared or as it runs; `null`: there is no project here. `headings`: by code, where a configuration names one. */
export const reachOf = (
  codes: readonly string[],
  runbooks: readonly Runbook[],
  stack: Stack | null,
  headings: ReadonlyMap<string, string | undefined> = new Map(),
): Reach => {
  const known: Services = stack ? stack.services.map(({ name, role }) => ({ name, role })) : ANY_SERVICES;
  const pairs = stack
    ? known.flatMap(({ name }) => [...new Set(connectionsTo(stack, name).map(({ from }) => from))].map((from) => [from, name] as const))
    : known.flatMap(({ name }) => known.filter((other) => other.name !== name).map((other) => [other.name, name] as const));
  const reached = new Set<Section>();
  const entries = codes.map((code): Reach['entries'][number] => {
    let best: { about: About; match: Match } | null = null;
    const heading = headings.get(code);
    const named = heading === undefined ? null : sectionNamed(heading, runbooks);
    for (const about of subjectsOf(code, known, pairs)) {
      const match = named ?? sectionFor(code, about, runbooks);
      if (match === null) continue;
      reached.add(match.section);
      if (best === null || (best.match.how === 'shipped' && match.how !== 'shipped')) best = { about, match };
    }
    const prescription = best && prescriptionFor(code, best.about, runbooks, {}, heading);
    return { code, place: prescription?.remedy.source ?? null, why: prescription?.why ?? null, how: best?.match.how ?? null };
  });
  const reset = resetOf(runbooks.slice(0, -1));
  if (reset) reached.add(reset.section);
  return { entries, reached };
};
