/** What Compose refuses of well-formed files, in its own words: names that nobody has, services of nothing, circles. */
import type { ConfigModel, ConfigService } from './compose-model.ts';

/** The first of it; `null`: nothing. */
export const inconsistencyIn = (model: ConfigModel): string | null => {
  const services = model.services ?? {};
  for (const [name, service] of Object.entries(services)) {
    const why = unmade(service) ?? unknownService(service, services) ?? unknownThing(service, model);
    if (why) return `service "${name}" ${why}: invalid compose project`;
  }
  const circle = circleIn(services);
  return circle && `dependency cycle detected: ${circle.join(' -> ')}`;
};

const unmade = ({ image, build, provider }: ConfigService): string | null =>
  image || build || provider ? null : 'has neither an image nor a build context specified';

const unknownService = ({ depends_on: dependsOn }: ConfigService, services: object): string | null => {
  const missing = Object.keys(dependsOn ?? {}).find((on) => !Object.hasOwn(services, on));
  return missing === undefined ? null : `depends on undefined service "${missing}"`;
};

const unknownThing = ({ networks, volumes, secrets, configs }: ConfigService, model: ConfigModel): string | null => {
  const nameOf = (each: string | { source?: string }): string => (typeof each === 'string' ? each : (each.source ?? ''));
  const named = {
    network: Object.keys(networks ?? {}),
    volume: (volumes ?? []).filter(({ type }) => type === 'volume').map(({ source }) => source ?? ''),
    secret: (secrets ?? []).map(nameOf),
    config: (configs ?? []).map(nameOf),
  };
  for (const [kind, names] of Object.entries(named)) {
    const missing = names.find(
      (name) => name !== '' && !Object.hasOwn(model[`${kind}s` as 'networks' | 'volumes' | 'secrets' | 'configs'] ?? {}, name),
    );
    if (missing !== undefined) return `refers to undefined ${kind} ${missing}`;
  }
  return null;
};

const circleIn = (services: Record<string, ConfigService>): string[] | null => {
  const done = new Set<string>();
  const from = (name: string, way: readonly string[]): string[] | null => {
    if (way.includes(name)) return [...way.slice(way.indexOf(name)), name];
    if (done.has(name)) return null;
    for (const on of Object.keys(services[name]?.depends_on ?? {})) {
      const circle = from(on, [...way, name]);
      if (circle) return circle;
    }
    done.add(name);
    return null;
  };
  for (const name of Object.keys(services)) {
    const circle = from(name, []);
    if (circle) return circle;
  }
  return null;
};
