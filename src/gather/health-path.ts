/** Where a service answers over HTTP, and which path tells its health: from its healthcheck first, then from what is declared around it. */
import { webPortOf } from '../model/web-images.ts';
import { connectionsTo, type Container, type Service, type Stack } from '../model/stack.ts';

export interface HealthUrl {
  scheme: 'http' | 'https';
  port: number;
  path: string;
}

/**
 * A word of the healthcheck's command that is a URL of the container itself (`curl -f http://localhost:8000/health`), with or without its
 * scheme.
 */
export const healthcheckUrl = (container: Container): HealthUrl | null => {
  const test = container.healthcheck?.test ?? [];
  if (test[0] === 'NONE') return null;
  const line = withVariables(test.slice(1).join(' '), container.env);
  // Spoken by hand, by bash: `exec 3<>/dev/tcp/127.0.0.1/9000; printf 'GET /health HTTP/1.1…' >&3`.
  const [, port] = /\/dev\/tcp\/(?:localhost|127\.[\d.]+)\/(\d{1,5})/.exec(line) ?? [];
  const [, path] = /\b(?:GET|HEAD) (\/\S*) HTTP\/1/.exec(line) ?? [];
  if (port && path) return { scheme: 'http', port: Number(port), path };
  for (const found of line.matchAll(URL_WORD)) {
    const [, scheme, host = '', port, path] = found;
    if (!isItself(host, container) || (!scheme && !port)) continue;
    const secure = scheme?.toLowerCase() === 'https';
    return { scheme: secure ? 'https' : 'http', port: Number(port ?? (secure ? 443 : 80)), path: path || '/' };
  }
  return null;
};

const URL_WORD = /(?:\b(https?):\/\/|(?<=^|[\s'"=]))(\[[0-9a-f:]+\]|[\w.-]+)(?::(\d{1,5}))?(\/[^\s'"`)|;&<>]*)?(?=$|[\s'"`)|;&<>])/gi;

const isItself = (host: string, container: Container): boolean =>
  ['localhost', '0.0.0.0', '[::1]', '[::]', 'ip6-localhost', container.service, container.name].includes(host) ||
  /^127\./.test(host) ||
  container.networks.some((each) => each.names.includes(host) || each.ip === host);

/** `$PORT`, `${PORT}`, `${PORT:-8000}`, as the shell in the container would fill them in. */
const withVariables = (line: string, env: Record<string, string>): string =>
  line.replace(
    /\$\{(\w+)(?::?-([^}]*))?\}|\$(\w+)/g,
    (whole, name: string | undefined, fallback: string | undefined, bare: string | undefined) => {
      const value = env[name ?? bare ?? ''];
      return value || (fallback ?? (name === 'HOSTNAME' || bare === 'HOSTNAME' ? 'localhost' : whole));
    },
  );

/** Of protocols that answer HTTP with noise in their logs, or not at all. */
const NOT_HTTP = new Set([
  20, 21, 22, 25, 53, 110, 143, 389, 465, 587, 636, 993, 995, 1025, 1110, 1433, 1521, 1883, 2181, 2379, 2525, 3306, 4222, 4317, 4369, 5222,
  5432, 5433, 5671, 5672, 5678, 6334, 6379, 6380, 6432, 7233, 7687, 8883, 9042, 9092, 9093, 9229, 9300, 11211, 15432, 25672, 26379, 27017,
  33060, 61613,
]);

export const couldBeHttp = (port: number): boolean => !NOT_HTTP.has(port);

const USUAL = [80, 8080, 8000, 3000, 5000, 4321, 5173, 443, 8443];

/**
 * `told`: what its clients use, what is published. `guessed`: what the image exposes, or is known for; nobody may listen there, and nobody miss it.
 * Best first; what the image is known for, and then the usual ones, first among equals.
 */
export const httpPorts = (stack: Stack, service: Service, container: Container): { told: number[]; guessed: number[] } => {
  const known = webPortOf(container.image);
  const used = connectionsTo(stack, service.name)
    .filter((each) => each.kind === 'http' && each.from !== service.name)
    .map((each) => each.port);
  const bound = [...container.ports, ...container.portBindings].filter((each) => each.protocol === 'tcp').map((each) => each.containerPort);
  const chosen = (ports: number[]) => [...new Set(ports)].filter((port) => port > 0 && (port === known || couldBeHttp(port)));
  const first = (ports: number[]) => [...ports.filter((port) => port === known), ...usualFirst(ports)];
  return {
    told: chosen([...used, ...first(bound)]),
    guessed: chosen([...first(container.exposedPorts), ...(known === null ? [] : [known])]),
  };
};

/** As its clients ask it there; without any, by the port. */
export const schemeOf = (stack: Stack, service: Service, port: number): 'http' | 'https' => {
  const clients = connectionsTo(stack, service.name).filter((each) => each.kind === 'http' && each.port === port);
  return (clients.length > 0 ? clients.every(({ tls }) => tls) : isTlsPort(port)) ? 'https' : 'http';
};

export const usualFirst = (ports: number[]): number[] => ports.toSorted((a, b) => rank(a) - rank(b) || a - b);

const rank = (port: number): number => (USUAL.includes(port) ? USUAL.indexOf(port) : USUAL.length);

export const isTlsPort = (port: number): boolean => port === 443 || port === 8443;
