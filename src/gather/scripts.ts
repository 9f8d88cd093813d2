/** Scripts that a FastCGI server did not find: are they there, on nginx' side and on its own? */
import type { NginxFact, ScriptView } from '../model/facts.ts';
import { namesFor, nameTable } from '../model/connections.ts';
import { withoutPort } from '../model/addresses.ts';
import { socketOwner, socketPath } from '../model/socket-file.ts';
import { isRunning, serviceNamed, type Service } from '../model/stack.ts';
import type { Gathering } from './gathering.ts';
import { folderThroughProc } from './look-inside.ts';
import { ownProcess } from './proc.ts';
import { runInside } from './run-inside.ts';

/** Looked at only where the answer was 404: any other comes of a script that was found. */
export const scriptsBehind = async (
  nginx: Service,
  proxied: NginxFact['proxied'],
  upstreams: NginxFact['upstreams'],
  given: Gathering,
): Promise<Pick<NginxFact, 'scripts'>> => {
  const wanted = proxied.flatMap(({ http, script, upstream }) => {
    const target = script && http.answer?.status === 404 ? targetOf(upstream, nginx, upstreams, given) : undefined;
    return script && target && target.name !== nginx.name ? [{ script, target }] : [];
  });
  if (wanted.length === 0) return {};
  return {
    scripts: await Promise.all(
      wanted.map(async ({ script: { file, root, page }, target }): Promise<ScriptView> => {
        const [own, theirs] = await Promise.all([entries(nginx, [page, root], given), entries(target, [file, root], given)]);
        return {
          file,
          service: target.name,
          inNginx: own?.[0] ?? null,
          rootInNginx: own?.[1] ?? null,
          inService: theirs?.[0] ?? null,
          rootInService: theirs?.[1] ?? null,
        };
      }),
    ),
  };
};

/** Of a group, the first. */
const targetOf = (upstream: string, nginx: Service, upstreams: NginxFact['upstreams'], { stack }: Gathering): Service | undefined => {
  const server = upstream.split(', ')[0] ?? '';
  const path = socketPath(server);
  const name =
    path === null
      ? namesFor(nginx, nameTable(stack.services)).get(withoutPort(server))
      : (upstreams.find(({ host }) => host === server)?.heldBy ?? socketOwner(path, nginx.name, stack.services));
  return serviceNamed(stack, name ?? '');
};

const LOOK = 'for path; do if [ -d "$path" ]; then echo folder; elif [ -e "$path" ]; then echo file; else echo missing; fi; done';

type Entry = NonNullable<ScriptView['inNginx']>;

const entries = async (service: Service, paths: string[], given: Gathering): Promise<Entry[] | null> => {
  const container = service.containers.find(isRunning);
  if (!container) return null;
  const own = ownProcess(container);
  const seen = paths.map((path) => (own ? throughProc(own, path) : null));
  if (seen.every((each) => each !== null)) return seen;
  const result = await runInside(container, ['sh', '-c', LOOK, 'sh', ...paths], given).catch(() => null);
  const words = result?.exitCode === 0 ? result.stdout.trim().split('\n') : [];
  return words.length === paths.length ? (words as Entry[]) : null;
};

const throughProc = (own: NonNullable<ReturnType<typeof ownProcess>>, path: string): Entry | null => {
  const found = folderThroughProc(own, path);
  if (found === null || found === 'missing') return found;
  return found.stat.isDirectory() ? 'folder' : 'file';
};
