/** Routes that Traefik reads from labels: who is asked, and on which port. */
import { imageName } from './image-ref.ts';
import type { Connection, LabelRoute, Service } from './stack.ts';

const PORT = /^traefik\.http\.services\.([^.]+)\.loadbalancer\.server\.port$/i;
const ROUTER = /^traefik\.http\.routers\.[^.]+\.rule$/i;

/** Labels → what they have Traefik do over HTTP. Other labels may hold secrets and are not kept. */
export const labelRoutes = (labels: Readonly<Record<string, string>>): { routes?: LabelRoute[] } => {
  const entries = Object.entries(labels);
  const of = (name: string) => entries.find(([key]) => key.toLowerCase() === name.toLowerCase())?.[1];
  if (/^(false|0)$/i.test(of('traefik.enable') ?? '')) return {};
  const told = entries.flatMap(([label, value]): LabelRoute[] => {
    const service = PORT.exec(label)?.[1];
    const port = Number(value);
    if (service === undefined || !Number.isInteger(port) || port <= 0 || port > 65_535) return [];
    const tls = of(`traefik.http.services.${service}.loadbalancer.server.scheme`) === 'https';
    return [{ port, tls, label }];
  });
  const router = entries.find(([label]) => ROUTER.test(label))?.[0];
  const routes = told.length > 0 || router === undefined ? told : [{ port: null, tls: false, label: router }];
  return routes.length > 0 ? { routes } : {};
};

/** With one Traefik in the stack it is the one that reads them. On the host's network it goes by addresses, not by names. */
export const routedByLabels = (services: readonly Service[]): Connection[] => {
  const [proxy, ...others] = services.filter(isTraefik);
  const mode = proxy?.containers[0]?.networkMode ?? proxy?.spec?.networkMode;
  if (!proxy || others.length > 0 || mode === 'host') return [];
  return services
    .filter((service) => service !== proxy)
    .flatMap((service) => {
      const exposed = service.containers[0]?.exposedPorts ?? service.spec?.exposed ?? [];
      return (service.containers[0]?.routes ?? service.spec?.routes ?? []).flatMap(({ port, tls, label }): Connection[] => {
        const asked = port ?? (exposed.length === 1 ? exposed[0]! : null);
        if (asked === null) return [];
        return [
          {
            from: proxy.name,
            to: service.name,
            kind: 'http',
            host: service.name,
            port: asked,
            user: null,
            password: null,
            database: null,
            tls,
            url: `${tls ? 'https' : 'http'}://${service.name}:${asked}`,
            source: `label ${label} of ${service.name}`,
            malformed: null,
          },
        ];
      });
    });
};

const isTraefik = ({ containers: [container], spec }: Service): boolean =>
  imageName(container?.image ?? spec?.image ?? '').name === 'traefik' ||
  [...(container?.entrypoint ?? []), ...(container?.command ?? [])].some((word) => /(^|\/)traefik$/.test(word));
