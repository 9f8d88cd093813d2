/** `ssh://` engines, as the docker CLI reaches them: each connection is `docker system dial-stdio` at the other end. */
import { spawn, type ChildProcess } from 'node:child_process';
import { rmSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface SshBridge {
  /** A socket of this user alone; who connects to it speaks with the engine. */
  socketPath: string;
  /** What ssh said when it ended with an error; `null`: it did not. */
  failure(): string | null;
  close(): void;
}

/** Less than one call of the engine may take. */
const CONNECT_SECONDS = 4;
const MOST_TEXT = 2_000;

export const openSshBridge = async (host: string): Promise<SshBridge> => {
  const command = sshCommand(host);
  const folder = await mkdtemp(join(tmpdir(), 'doctor-ssh-'));
  const socketPath = join(folder, 'engine.sock');
  const children = new Set<ChildProcess>();
  let failure: string | null = null;
  const serve = (socket: Socket): void => {
    const child = spawn('ssh', command, { stdio: ['pipe', 'pipe', 'pipe'] });
    let said = '';
    children.add(child);
    child.stderr.on('data', (chunk: Buffer) => (said = (said + chunk.toString('utf8')).slice(-MOST_TEXT)));
    child.once('error', (error: NodeJS.ErrnoException) => {
      failure = error.code === 'ENOENT' ? 'there is no ssh on this machine' : error.message;
      socket.destroy();
    });
    child.once('close', (code) => {
      children.delete(child);
      if (code) failure ??= said.trim().split('\n').at(-1) || `ssh ended with exit code ${code}`;
      socket.destroy();
    });
    for (const stream of [socket, child.stdin, child.stdout]) stream.on('error', () => undefined);
    socket.once('close', () => child.kill());
    socket.pipe(child.stdin);
    // Not ended with its output: why it ended is known a little later.
    child.stdout.pipe(socket, { end: false });
  };
  const server: Server = createServer(serve);
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(socketPath, resolve));
  return {
    socketPath,
    failure: () => failure,
    close: () => {
      for (const child of children) child.kill();
      server.close();
      // At once: the process may end with the next line.
      rmSync(folder, { recursive: true, force: true });
    },
  };
};

/** Never asks for a password: nobody is there to give it. */
const sshCommand = (host: string): string[] => {
  const { username, hostname, port, pathname } = new URL(host);
  const socket = pathname.length > 1 ? ['--host', `unix://${pathname}`] : [];
  return [
    '-T',
    '-o',
    'BatchMode=yes',
    '-o',
    `ConnectTimeout=${CONNECT_SECONDS}`,
    ...(username ? ['-l', decodeURIComponent(username)] : []),
    ...(port ? ['-p', port] : []),
    '--',
    hostname.replace(/^\[|\]$/g, ''),
    'docker',
    ...socket,
    'system',
    'dial-stdio',
  ];
};
