/** Something that answers HTTP where nginx would, with a configuration and folders as nginx has them. What is asked of it is remembered. */
import { mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { EngineError, type EngineClient } from '../../src/gather/engine-client.ts';
import type { Gathering } from '../../src/gather/gathering.ts';
import type { Container, Service } from '../../src/model/stack.ts';
import { containerOf, engineOf, gatheringOf, serviceOf } from './namespace.ts';

export interface Site {
  folder: string;
  port: number;
  asked: string[];
  commands: string[][];
  service: Service;
  given: Gathering;
  write(files: Record<string, string>): void;
  close(): void;
}

export interface SiteOptions {
  /** Inside `http { … }`; `PORT` stands for the port. */
  config: string;
  /** Written below the site's folder. */
  files?: Record<string, string>;
  mounts?: (folder: string) => Container['mounts'];
  /** Status, or the path below the site's folder of the file that is sent. */
  answer?: (path: string, request: IncomingMessage) => number | string;
  /** What commands in the container print. */
  run?: (command: string[]) => { exitCode: number; stdout: string; stderr: string };
  /** Status of the archive API, where it fails. */
  archiveFails?: number;
  container?: Partial<Container>;
}

const MAIN = '/etc/nginx/nginx.conf';

export const startSite = async ({
  config,
  files = {},
  mounts,
  answer = () => 404,
  run,
  archiveFails,
  container: more,
}: SiteOptions): Promise<Site> => {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'site-')));
  const write = (all: Record<string, string>) => {
    for (const [path, content] of Object.entries(all)) {
      mkdirSync(dirname(join(folder, path)), { recursive: true });
      writeFileSync(join(folder, path), content);
    }
  };
  write(files);
  const asked: string[] = [];
  const server = createServer((request, response) => {
    asked.push(`${request.headers.host} ${request.url}`);
    const found = answer(request.url ?? '', request);
    if (typeof found === 'number') response.writeHead(found).end();
    else response.writeHead(200).end(readFileSync(join(folder, found)));
  }).listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const { port } = server.address() as AddressInfo;
  const text = `events {}\nhttp {\n${config.replaceAll('PORT', String(port))}\n}\n`;
  const engine = engineOf();
  const commands: string[][] = [];
  const overrides: Partial<EngineClient> = {
    readTree: () =>
      archiveFails
        ? Promise.reject(new EngineError('openat: path escapes from parent', archiveFails, ''))
        : Promise.resolve(new Map([[MAIN, Buffer.from(text)]])),
    exec: (_, command) => {
      commands.push(command);
      return Promise.resolve(
        command.at(-1) === '-T'
          ? { exitCode: 0, stdout: `# configuration file ${MAIN}:\n${text}`, stderr: '' }
          : (run?.(command) ?? { exitCode: 1, stdout: '', stderr: '' }),
      );
    },
  };
  const container = containerOf({
    name: 'box-web-1',
    service: 'web',
    networkMode: 'host',
    command: ['nginx', '-g', 'daemon off;'],
    mounts: mounts?.(folder) ?? [],
    compose: { ...containerOf({}).compose, workingDir: folder },
    ...more,
  });
  const service = serviceOf(container, { role: 'nginx' });
  return {
    folder,
    port,
    asked,
    commands,
    service,
    given: gatheringOf({ ...engine, ...overrides }, [service]),
    write,
    close: () => {
      server.closeAllConnections();
      server.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
};

export const bind = (source: string, destination: string): Container['mounts'][number] => ({
  type: 'bind',
  name: null,
  source,
  destination,
  readOnly: true,
});
