/** `doctor check <selector>`: which check instances a person means. */
import { didYouMean } from './nearest.ts';
import type { Check } from './check.ts';
import type { Role, Service, Stack } from './stack.ts';
import { UsageError } from './usage-error.ts';

/** A check, asked of one service or (`null`) of the whole stack. */
export interface Instance {
  id: string;
  check: Check;
  service: Service | null;
}

/** In registry order, then by service. */
export const instancesOf = (stack: Stack, checks: readonly Check[]): Instance[] =>
  checks.flatMap((check): Instance[] =>
    check.scope === 'stack'
      ? [{ id: check.id, check, service: null }]
      : stack.services
          .filter((service) => check.appliesTo(service, stack))
          .map((service) => ({ id: `${service.name}/${check.id}`, check, service })),
  );

const ROLE_ALIASES: Record<string, Role[]> = {
  db: ['postgres', 'mysql', 'mongodb'],
  database: ['postgres', 'mysql', 'mongodb'],
  cache: ['redis'],
  queue: ['redis', 'rabbitmq', 'worker'],
  broker: ['rabbitmq', 'redis'],
  web: ['nginx', 'haproxy', 'http'],
  api: ['http'],
  proxy: ['nginx', 'haproxy'],
  workers: ['worker'],
};

/** Errors: `UsageError` for a selector that fits nothing, with the nearest words that do. */
export const select = (instances: Instance[], selectors: readonly string[]): Instance[] => {
  if (selectors.length === 0) return instances;
  const chosen = new Set<Instance>();
  for (const selector of selectors) {
    const found = instances.filter(matcher(selector, instances));
    if (found.length === 0) throw unknown(selector, instances);
    for (const instance of found) chosen.add(instance);
  }
  return instances.filter((instance) => chosen.has(instance));
};

const matcher = (selector: string, instances: Instance[]): ((instance: Instance) => boolean) => {
  if (/[*?]/.test(selector)) {
    const pattern = glob(selector);
    return ({ id, check, service }) => pattern.test(id) || pattern.test(check.id) || (service !== null && pattern.test(service.name));
  }
  const named = ({ id, check, service }: Instance) => id === selector || check.id === selector || service?.name === selector;
  if (instances.some(named)) return named;
  const roles = Object.hasOwn(ROLE_ALIASES, selector) ? ROLE_ALIASES[selector] : undefined;
  return ({ check, service }) =>
    (check.aliases?.includes(selector) ?? false) || (service !== null && (roles?.includes(service.role) ?? false));
};

const glob = (text: string): RegExp =>
  new RegExp(
    `^${text
      .replace(/[.+^${}()|[\]\\]/g, '\\$&')
      .replace(/\*+/g, '.*')
      .replaceAll('?', '.')}$`,
  );

const unknown = (selector: string, instances: Instance[]): UsageError => {
  const words = instances.flatMap(({ id, check, service }) => [id, check.id, ...(check.aliases ?? []), ...(service ? [service.name] : [])]);
  // Only those that would find something here.
  const roles = Object.keys(ROLE_ALIASES).filter((alias) => instances.some(matcher(alias, instances)));
  const hint = didYouMean(selector, [...words, ...roles]) || '; see `doctor list`';
  return new UsageError(`"${selector}" is no check and no service of this stack${hint}`);
};
