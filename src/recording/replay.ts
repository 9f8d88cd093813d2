/** Facts from a recording: the same diagnosis, with no Docker at all. */
import { assembleStack } from '../model/assemble.ts';
import type { ServiceSettings } from '../model/config.ts';
import type { Fact, FactName, FactSource, HaproxyFact, NginxFact, PoolerFact, ProjectFact } from '../model/facts.ts';
import type { Container, Service, Stack } from '../model/stack.ts';

export const replayFacts = (facts: Record<string, Fact<unknown>>, recordedAt: string, settings: ServiceSettings = {}): FactSource => {
  const known = <T>(key: string): T | null => {
    const fact = facts[key];
    return fact?.ok ? (fact.value as T) : null;
  };
  const containers = known<Container[]>('containers') ?? [];
  const proxies = Object.keys(facts).flatMap((key) => {
    const service = /^(?:nginx|haproxy):(.+)$/.exec(key)?.[1];
    const fact = service ? known<NginxFact | HaproxyFact>(key) : null;
    return service && fact ? [[service, fact] as const] : [];
  });
  const poolers = Object.keys(facts).flatMap((key) => {
    const service = /^pooler:(.+)$/.exec(key)?.[1];
    const setup = service ? known<PoolerFact>(key)?.setup : null;
    return service && setup ? [[service, setup] as const] : [];
  });
  const labels = containers[0]?.compose;
  const stack: Stack = assembleStack({
    project: known<ProjectFact>('project') ?? {
      name: labels?.project ?? '',
      workingDir: labels?.workingDir ?? '',
      files: labels?.configFiles ?? [],
      services: null,
    },
    containers,
    proxies: Object.fromEntries(proxies),
    poolers: Object.fromEntries(poolers),
    settings,
  });
  const missing: Fact<unknown> = { ok: false, reason: 'the recording does not hold this fact', timedOut: false, ms: 0 };
  return {
    startedAt: recordedAt,
    fact: async (name: FactName, service?: Service) => facts[service ? `${name}:${service.name}` : name] ?? missing,
    stack: async () => stack,
    early: async () => stack,
    recorded: async () => facts,
    engineCalls: () => 0,
    connections: () => 0,
    close: () => {},
  };
};
