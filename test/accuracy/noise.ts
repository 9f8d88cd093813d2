/**
 * What goes on beside a fault and has nothing to do with it. A doctor that reads logs, or counts what is red, is led astray by it.
 * Each is put on over a broken stack and gives the way to take it off again, which is gone once the fault is healed.
 */
import { ensureImages } from '../lab/images.ts';
import { compose, docker, foreign, up } from '../lab/faults/tools.ts';
import type { LabStack } from '../lab/stack.ts';

type TakeOff = () => Promise<void>;

export interface Noise {
  id: string;
  title: string;
  /** `innocents`: services that are known to be well now. */
  putOn(stack: LabStack, innocents: readonly string[]): Promise<TakeOff>;
}

/** As apps write when something outside of the stack is away; nobody's users notice. */
const ERRORS = [
  'ERROR [metrics] export failed: connect ECONNREFUSED collector.example.com:4317, will retry',
  'ERROR crm sync: 401 Unauthorized from https://crm.example.com/api, skipped',
  'Traceback (most recent call last):',
  '  File "/srv/telemetry.py", line 12, in push',
  'ConnectionError: [Errno 111] Connection refused',
  'WARNING deprecated option "legacy_cache", ignored',
];
const print = ERRORS.map((line) => `echo '${line}'`).join('; ');

export const noises: Noise[] = [
  {
    id: 'chatty-log',
    title: 'a service that is well prints errors about something outside of the stack',
    putOn: async (stack, innocents) => {
      for (const service of innocents) {
        const { code } = await stack.exec(service, ['sh', '-c', `{ ${print}; } >/proc/1/fd/1`]).catch(() => ({ code: 1 }));
        if (code !== 0) continue; // Not running, no shell, or not its own log: the next one.
        return async () => {
          // A start ends the log that counts.
          await compose(stack, 'restart', '-t', '1', service);
          await up(stack);
        };
      }
      throw new Error(`none of ${innocents.join(', ') || 'no innocents'} has a log to write to`);
    },
  },
  {
    id: 'orphan',
    title: 'a container of a service that the compose file no longer has, printing errors: a warning of its own',
    putOn: async (stack) => {
      const files = { 'project.working_dir': stack.dir, 'project.config_files': await filesOf(stack) };
      const own = labels({ ...files, project: stack.project, service: 'noise-sidecar', 'container-number': '1', oneoff: 'False' });
      return beside(stack, 'noise-sidecar', [...own, '--network', 'none']);
    },
  },
  {
    id: 'foreign-project',
    title: 'another project on the same engine, whose services have the same names and whose database has failed',
    putOn: async (stack, innocents) => {
      const project = `${stack.project}-neighbour`;
      const own = (service: string) =>
        labels({ project, 'project.working_dir': '/src/neighbour', service, 'container-number': '1', oneoff: 'False' });
      const off = await beside(stack, 'neighbour-app', [...own(innocents[0] ?? 'app'), '--network', 'none']);
      const image = await quietImage(stack);
      await foreign(stack, 'neighbour-db', ...own('db'), '--network', 'none', '--entrypoint', 'sh', image, '-c', `${print}; exit 1`);
      return async () => {
        await off();
        await remove(stack, 'neighbour-db');
      };
    },
  },
];

const labels = (pairs: Record<string, string>): string[] =>
  Object.entries(pairs).flatMap(([key, value]) => ['--label', `com.docker.compose.${key}=${value}`]);

/** As Compose noted them on the stack's own containers. */
const filesOf = async (stack: LabStack): Promise<string> => {
  const format = '{{.Label "com.docker.compose.project.config_files"}}';
  const rows = await docker(stack, 'ps', '-a', '--filter', `label=com.docker.compose.project=${stack.project}`, '--format', format);
  return rows.split('\n')[0] ?? '';
};

const REDIS = 'redis:8.4.0-alpine';
const quietImage = async (stack: LabStack): Promise<string> => (await ensureImages(stack.engine, [REDIS])).of(REDIS);

/** A container that prints errors and lives on. */
const beside = async (stack: LabStack, name: string, options: string[]): Promise<TakeOff> => {
  await foreign(stack, name, ...options, '--entrypoint', 'sh', await quietImage(stack), '-c', `${print}; sleep 1000000`);
  return () => remove(stack, name);
};

/** The healing of a fault may have done it already. */
const remove = async (stack: LabStack, name: string): Promise<void> =>
  void (await stack.docker('rm', '-f', '-v', `${stack.project}-${name}`));
