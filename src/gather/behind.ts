/** A proxy whose own requests are not to be seen (Caddy, Traefik) hands out an error: what do those behind it say to the same question? */
import type { HttpFact, HttpTry } from '../model/facts.ts';
import { nameTable } from '../model/connections.ts';
import { isRunning, serviceNamed, type Service } from '../model/stack.ts';
import { askPath } from './ask-http.ts';
import type { Gathering } from './gathering.ts';
import { byAddress } from './vantage.ts';

type Behind = NonNullable<HttpFact['behind']>;

/** Routes by path are not known here, so that all of them are asked; who has no such page has no error. */
const MOST_BEHIND = 4;

export const askBehind = async (proxy: Service, http: HttpTry, given: Gathering): Promise<Behind> => {
  const { pathname, search } = new URL(http.url);
  const ends = await endsOf(proxy, given);
  const found = ends.slice(0, MOST_BEHIND).map(async ({ service, port }): Promise<Behind> => {
    const container = service.containers.find(isRunning);
    const vantage = container ? byAddress(given.engine, given.stack, container, port) : null;
    if (!vantage) return [];
    const asked = await askPath(vantage, { scheme: 'http', path: pathname + search, host: 'localhost' }, given);
    return [{ service: service.name, http: { ...asked, pathFrom: http.pathFrom } }];
  });
  return (await Promise.all(found)).flat();
};

/** By the files that it mounts, and by the labels that it reads. */
const endsOf = async (proxy: Service, given: Gathering): Promise<{ service: Service; port: number }[]> => {
  const { stack } = given;
  const labelled = stack.connections.filter(
    ({ from, kind, source, tls }) => from === proxy.name && kind === 'http' && !tls && source.startsWith('label '),
  );
  const project = await given.fact('project');
  const written = ((project.ok && project.value.proxied?.[proxy.name]) || []).filter(
    ({ tls, scheme = 'http' }) => !tls && scheme === 'http',
  );
  const names = nameTable(stack.services);
  const ends = [...labelled, ...written].flatMap(({ host, port }) => {
    const service = serviceNamed(stack, names.get(host) ?? '');
    return service && service.name !== proxy.name ? [{ service, port }] : [];
  });
  return ends.filter((each, index) => ends.findIndex(({ service, port }) => service === each.service && port === each.port) === index);
};
