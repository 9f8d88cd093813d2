/** Does the configuration speak of services that are not there? Pure. */
import type { Config, Place } from '../model/config.ts';
import { didYouMean } from '../model/nearest.ts';
import { spokenBy, type Stack } from '../model/stack.ts';
import { ConfigError } from '../model/usage-error.ts';

/** Only where all services are known: a stack that cannot be read has faults of its own. Errors: `ConfigError`. */
export const refuseContradictions = ({ file, services, checks, ignore }: Config, stack: Stack): void => {
  const names = stack.services.map(({ name }) => name);
  const fail = ({ line, column }: Place, what: string): never => {
    throw new ConfigError(`${file}:${line}:${column}: ${what}`);
  };
  const known = (name: string, place: Place): void => {
    if (!names.includes(name))
      fail(place, `the stack has no service "${name}"${didYouMean(name, names) || `; it has ${names.join(', ')}`}`);
  };
  for (const [name, { credentials, place, credentialsPlace }] of Object.entries(services)) {
    known(name, place);
    if (credentials) known(credentials.service, credentialsPlace ?? place);
  }
  for (const { id, services: asked, ask, place } of checks) {
    for (const name of asked) known(name, place);
    if (ask.kind !== 'postgres' && ask.kind !== 'redis') continue;
    if (ask.as !== null) known(ask.as, place);
    for (const { name, role } of stack.services)
      if (asked.includes(name) && spokenBy(role) !== ask.kind && role !== 'unknown')
        fail(place, `${id} asks ${name} for ${ask.kind}, and its role is ${role}; if it is not, say so under services`);
  }
  for (const { service, place } of ignore) if (service !== null) known(service, place);
};
