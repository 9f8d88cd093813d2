import type { ServerResponse } from 'node:http';
import { setTimeout as wait } from 'node:timers/promises';
import { describe, expect, test, vi } from 'vitest';
import { pack } from 'tar-stream';
import { openEngineClient } from '../../src/gather/docker-client.ts';
import { addressOf } from '../../src/gather/engine-address.ts';
import { EngineError } from '../../src/gather/engine-client.ts';
import { frame, json, smallEngine, strangeServer, type SmallEngine } from './small-engine.ts';

const soon = (ms = 100) => AbortSignal.timeout(ms);
const failure = async (work: Promise<unknown>): Promise<EngineError> => {
  const error = await work.then(
    () => null,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(EngineError);
  return error as EngineError;
};
const line = (time: number, text: string) => `2026-11-23T07:00:0${time}.000000000Z ${text}\n`;

describe('get', () => {
  test('asks with its query, and filters as JSON', async () => {
    const { client, requests } = await smallEngine({ answer: json([{ Id: 'a' }]) });
    expect(await client.get('/containers/json', { all: true, filters: JSON.stringify({ label: ['a=b'] }) })).toEqual([{ Id: 'a' }]);
    expect(decodeURIComponent(requests[0]!)).toBe('GET /containers/json?all=true&filters={"label":["a=b"]}');
    expect(client.calls()).toBe(1);
  });

  test('uses its connections again', async () => {
    const { client, open } = await smallEngine({ answer: json({}) });
    for (let index = 0; index < 5; index++) await client.get('/info');
    await Promise.all(Array.from({ length: 40 }, () => client.get('/info')));
    expect(open()).toBeLessThanOrEqual(16);
  });

  test("an error of the engine has its status and the engine's own words", async () => {
    const { client } = await smallEngine({ answer: json({ message: 'No such container: x' }, 404) });
    expect(await failure(client.get('/containers/x/json'))).toMatchObject({ status: 404, message: 'No such container: x' });
  });

  test('so has one of a stream', async () => {
    const { client } = await smallEngine({ answer: json({ message: 'configured logging driver does not support reading' }, 500) });
    expect(await failure(client.logs('x', { tty: false }))).toMatchObject({
      status: 500,
      message: 'configured logging driver does not support reading',
    });
  });

  test.each([
    ['a page of another server', 'text/html', '<html>Welcome</html>'],
    ['nothing', 'application/json', ''],
    ['half of an answer', 'application/json', '[{"Id":'],
  ])('%s is no answer', async (_, type, body) => {
    const { client } = await smallEngine({ answer: (_request, response) => response.writeHead(200, { 'content-type': type }).end(body) });
    expect((await failure(client.get('/containers/json'))).message).toMatch(/is no Docker Engine API/);
  });

  test('an engine that never answers costs its limit', async () => {
    const { client } = await smallEngine({ answer: () => {} });
    expect(await failure(client.get('/info', {}, soon()))).toMatchObject({
      status: null,
      code: 'ETIMEDOUT',
      message: 'the engine did not answer in time',
    });
  });

  test('one that stops in the middle of an answer too', async () => {
    const { client } = await smallEngine({ answer: (_, response) => response.writeHead(200, { 'content-length': '100' }).write('[') });
    expect(await failure(client.get('/info', {}, soon()))).toMatchObject({ code: 'ETIMEDOUT' });
  });

  test('one that hangs up in the middle of an answer', async () => {
    const { client } = await smallEngine({
      answer: (_, response) => (
        response.writeHead(200, { 'content-length': '100' }),
        response.write('['),
        setTimeout(() => response.destroy(), 20)
      ),
    });
    await failure(client.get('/info', {}, soon(2_000)));
  });

  test('an interrupted call is not a timeout', async () => {
    const { client } = await smallEngine({ answer: () => {} });
    const stop = new AbortController();
    setTimeout(() => stop.abort(), 20);
    expect((await failure(client.get('/info', {}, stop.signal))).code).not.toBe('ETIMEDOUT');
  });

  test.each([
    ['garbage', (socket: { end(text: string): void }) => socket.end('SSH-2.0-OpenSSH_9\r\n\r\n')],
    ['a slammed door', (socket: { end(text: string): void }) => socket.end('')],
  ])('%s', async (_, onConnection) => {
    const { client } = await strangeServer(onConnection);
    expect((await failure(client.get('/info', {}, soon(2_000)))).status).toBeNull();
  });

  test.each([
    ['no socket', '/tmp/there-is-no-such.sock', 'ENOENT'],
    ['a file that is no socket', import.meta.filename, /ECONNREFUSED|ENOTSOCK/],
  ])('%s', async (_, path, code) => {
    const client = await openEngineClient(addressOf(`unix://${path}`, 'test', null));
    expect((await failure(client.get('/info'))).code).toMatch(code);
    client.close();
  });

  test('the DOCKER_* variables of this process are not mixed in', async () => {
    vi.stubEnv('DOCKER_HOST', 'tcp://127.0.0.1:1');
    const { client } = await smallEngine({ answer: json({ ok: true }) });
    expect(await client.get('/info')).toEqual({ ok: true });
    vi.unstubAllEnvs();
  });
});

test('ping tells versions by headers, and reads no body', async () => {
  const { client } = await smallEngine({
    answer: (_, response) => response.writeHead(200, { 'api-version': '1.51', server: 'Docker/28.5.2 (linux)' }).end('OK'),
  });
  expect(await client.ping()).toMatchObject({
    server: 'Docker/28.5.2 (linux)',
    apiVersion: '1.51',
    date: expect.stringContaining('GMT') as string,
  });
  const other = await smallEngine({ answer: (_, response) => response.writeHead(200).end('OK') });
  expect(await other.client.ping()).toMatchObject({ server: null, apiVersion: null });
});

describe('logs', () => {
  const logging = (write: (response: { write(chunk: Buffer | string): unknown; end(): unknown }) => void): Promise<SmallEngine> =>
    smallEngine({
      answer: (_, response) => {
        response.writeHead(200);
        write(response);
      },
    });

  test('two streams are told apart and put in order of time, since the start that is asked for (FA-18)', async () => {
    const { client, requests } = await logging((response) => {
      response.write(frame(2, line(2, 'second')));
      response.write(frame(1, line(1, 'first\r')));
      response.write(frame(1, line(3, '')));
      response.end();
    });
    expect(await client.logs('x', { tty: false, since: '2026-11-23T06:50:00.123456789Z', tail: 7 })).toEqual([
      { stream: 'stdout', time: '2026-11-23T07:00:01.000000000Z', text: 'first' },
      { stream: 'stderr', time: '2026-11-23T07:00:02.000000000Z', text: 'second' },
      { stream: 'stdout', time: '2026-11-23T07:00:03.000000000Z', text: '' },
    ]);
    expect(requests[0]).toContain('tail=7');
    expect(requests[0]).toContain(`since=${Date.parse('2026-11-23T06:50:00Z') / 1000}.123456789`);
  });

  test('whatever the network cuts', async () => {
    const bytes = Buffer.concat([frame(1, line(1, 'grüße ☃')), frame(2, line(2, 'two'))]);
    const { client } = await logging((response) => {
      for (const byte of bytes) response.write(Buffer.from([byte]));
      response.end();
    });
    expect((await client.logs('x', { tty: false })).map((each) => each.text)).toEqual(['grüße ☃', 'two']);
  });

  test('a terminal has no frames', async () => {
    const { client } = await logging((response) => {
      response.write(`${line(1, 'plain')}${line(2, 'text').trimEnd()}`);
      response.end();
    });
    expect((await client.logs('x', { tty: true })).map((each) => [each.stream, each.text])).toEqual([
      ['stdout', 'plain'],
      ['stdout', 'text'],
    ]);
  });

  test('lines without a time keep their place', async () => {
    const { client } = await logging((response) => {
      response.write(frame(1, 'b\na\n'));
      response.end();
    });
    expect(await client.logs('x', { tty: false })).toEqual([
      { stream: 'stdout', time: null, text: 'b' },
      { stream: 'stdout', time: null, text: 'a' },
    ]);
  });

  test('a huge log is kept at its end, within its limit', async () => {
    const { client } = await logging((response) => {
      for (let index = 0; index < 200; index++) response.write(frame(1, line(1, `${index} ${'x'.repeat(1_000)}`).repeat(50)));
      response.write(frame(1, line(2, 'the last')));
      response.end();
    });
    const lines = await client.logs('x', { tty: false, maxBytes: 100_000 });
    expect(lines.at(-1)?.text).toBe('the last');
    const kept = lines.reduce((sum, each) => sum + each.text.length, 0);
    expect(kept).toBeLessThanOrEqual(100_000);
    expect(kept).toBeGreaterThan(90_000);
  });

  test('a line that never ends is cut', async () => {
    const { client } = await logging((response) => {
      for (let index = 0; index < 100; index++) response.write(frame(1, 'x'.repeat(100_000)));
      response.end();
    });
    const lines = await client.logs('x', { tty: false });
    expect(lines).toHaveLength(1);
    expect(lines[0]!.text.length).toBeLessThanOrEqual(8_192);
  });

  test('bytes that are no frames are shown as they are', async () => {
    const { client } = await logging((response) => {
      response.write(Buffer.from([0xff, 0xfe, 0x00, 0x41, 0x0a, 0x42]));
      response.end();
    });
    expect((await client.logs('x', { tty: false })).map((each) => each.text)).toEqual(['\ufffd\ufffd\0A', 'B']);
  });

  test('a log that never ends costs its limit', async () => {
    const { client, open } = await logging((response) => response.write(frame(1, line(1, 'x'))));
    expect(await failure(client.logs('x', { tty: false, signal: soon() }))).toMatchObject({ code: 'ETIMEDOUT' });
    await vi.waitFor(() => expect(open()).toBe(0));
  });
});

describe('exec', () => {
  /** The two requests and the question for the exit code. */
  const running = (
    output: (response: { write(chunk: Buffer): unknown; end(): unknown }) => void,
    code: number | null = 0,
  ): Promise<SmallEngine> =>
    smallEngine({
      answer: (request, response) => {
        if (request.url === '/containers/c/exec') return json({ Id: 'e' }, 201)(request, response);
        if (request.url === '/exec/e/json') return json({ ExitCode: code })(request, response);
        response.writeHead(200, { 'content-type': 'application/vnd.docker.raw-stream' });
        output(response);
      },
    });

  test('both outputs and the exit code', async () => {
    const { client, bodies } = await running((response) => {
      response.write(frame(1, 'out'));
      response.write(frame(2, 'err'));
      response.end();
    }, 3);
    expect(await client.exec('c', ['sh', '-c', 'x'], { user: 'postgres' })).toEqual({ exitCode: 3, stdout: 'out', stderr: 'err' });
    expect(bodies[0]).toMatchObject({ Cmd: ['sh', '-c', 'x'], User: 'postgres', AttachStdin: false, Tty: false });
  });

  test('a letter that two frames share is whole', async () => {
    const { client } = await running((response) => {
      const bytes = Buffer.from('☃');
      response.write(frame(1, bytes.subarray(0, 1)));
      response.write(frame(1, bytes.subarray(1)));
      response.end();
    });
    expect((await client.exec('c', ['x'])).stdout).toBe('☃');
  });

  test('too much output is cut', async () => {
    const { client } = await running((response) => {
      for (let index = 0; index < 100; index++) response.write(frame(1, 'x'.repeat(100_000)));
      response.end();
    });
    expect((await client.exec('c', ['x'], { maxBytes: 1_000 })).stdout).toHaveLength(1_000);
  });

  test('a command that does not end costs its limit, and what it said is kept', async () => {
    const { client, open } = await running((response) => response.write(frame(1, 'so far')));
    expect(await client.exec('c', ['x'], { timeoutMs: 100 })).toEqual({ exitCode: null, stdout: 'so far', stderr: '' });
    await vi.waitFor(() => expect(open()).toBeLessThanOrEqual(1));
  });

  test('a container that is gone', async () => {
    const { client } = await smallEngine({ answer: json({ message: 'No such container: c' }, 404) });
    expect(await failure(client.exec('c', ['x']))).toMatchObject({ status: 404 });
  });
});

describe('execStream', () => {
  const echoing = (hijack: Parameters<typeof smallEngine>[0]['hijack']) =>
    smallEngine({
      answer: (request, response) => json({ Id: 'e' }, 201)(request, response),
      hijack: (request, socket) => {
        socket.write(
          'HTTP/1.1 101 UPGRADED\r\nContent-Type: application/vnd.docker.raw-stream\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n',
        );
        hijack?.(request, socket);
      },
    });
  /** The request's own body comes first on the taken connection. */
  const afterBody = (text: string) => text.replace(/^\{[^}]*\}/, '');

  test('what is written goes in, stdout comes back, stderr is told', async () => {
    const { client } = await echoing((_, socket) => {
      socket.on('data', (chunk: Buffer) => {
        const said = afterBody(chunk.toString());
        if (said) socket.write(Buffer.concat([frame(2, 'noise'), frame(1, `echo ${said}`)]));
      });
    });
    const noise: string[] = [];
    const stream = await client.execStream('c', ['cat'], { onStderr: (text) => noise.push(text) });
    stream.write('hello');
    const [answer] = (await Promise.race([new Promise((done) => stream.once('data', (chunk) => done([chunk]))), wait(2_000)])) as [Buffer];
    expect(answer.toString()).toBe('echo hello');
    expect(noise).toEqual(['noise']);
    stream.destroy();
  });

  test('bytes that come with the upgrade are not lost, nor those of half a frame held back', async () => {
    const { client } = await echoing((_, socket) => void socket.write(frame(1, 'abcdef').subarray(0, 11)));
    const stream = await client.execStream('c', ['x']);
    const first = await new Promise<Buffer>((done) => stream.once('data', done));
    expect(first.toString()).toBe('abc');
    stream.destroy();
  });

  test('the other end ends', async () => {
    const { client } = await echoing((_, socket) => void socket.end(frame(1, 'bye')));
    const stream = await client.execStream('c', ['x']);
    const chunks: Buffer[] = [];
    for await (const chunk of stream) chunks.push(chunk as Buffer);
    expect(Buffer.concat(chunks).toString()).toBe('bye');
  });

  test('destroying it hangs up', async () => {
    const { client, open } = await echoing(() => {});
    const stream = await client.execStream('c', ['x']);
    const before = open();
    stream.destroy();
    await vi.waitFor(() => expect(open()).toBeLessThan(before));
  });

  test('closing the client hangs up all', async () => {
    const { client, open } = await echoing(() => {});
    const stream = await client.execStream('c', ['x']);
    stream.on('error', () => {});
    client.close();
    await vi.waitFor(() => expect(open()).toBe(0));
  });

  test('a refusal is an error', async () => {
    const { client } = await smallEngine({ answer: json({ message: 'container c is not running' }, 409) });
    expect(await failure(client.execStream('c', ['x']))).toMatchObject({ status: 409, message: 'container c is not running' });
  });

  test('an engine that never upgrades costs its limit', async () => {
    const { client } = await smallEngine({ answer: (request, response) => json({ Id: 'e' }, 201)(request, response), hijack: () => {} });
    expect(await failure(client.execStream('c', ['x'], { signal: soon() }))).toMatchObject({ code: 'ETIMEDOUT' });
  });
});

describe('files', () => {
  type Entry = { name: string; body?: string; type?: 'file' | 'symlink' | 'directory'; linkname?: string };
  const tar = (entries: Entry[]) => {
    const made = pack();
    for (const { body = '', ...header } of entries) made.entry(header, body);
    made.finalize();
    return made;
  };
  /** Path → archive; everything else is 404. */
  const holding = (archives: Record<string, Entry[]>): Promise<SmallEngine> =>
    smallEngine({
      answer: (request, response) => {
        const path = new URL(request.url!, 'http://x').searchParams.get('path')!;
        if (!archives[path]) return json({ message: 'no such file' }, 404)(request, response);
        response.writeHead(200, { 'content-type': 'application/x-tar' });
        tar(archives[path]).pipe(response);
      },
    });

  test('one file', async () => {
    const { client } = await holding({ '/etc/hostname': [{ name: 'hostname', body: 'x' }] });
    expect((await client.readFile('c', '/etc/hostname'))?.toString()).toBe('x');
    expect(await client.readFile('c', '/gone')).toBeNull();
  });

  test('a tree, with links inside it', async () => {
    const { client } = await holding({
      '/etc/nginx': [
        { name: 'nginx/', type: 'directory' },
        { name: 'nginx/nginx.conf', body: 'n' },
        { name: 'nginx/sites-available/x', body: 's' },
        { name: 'nginx/sites-enabled/x', type: 'symlink', linkname: '../sites-available/x' },
        { name: 'nginx/modules', type: 'symlink', linkname: '/usr/lib/modules' },
      ],
    });
    const files = await client.readTree('c', '/etc/nginx/');
    expect(Object.fromEntries([...files!].map(([path, body]) => [path, body.toString()]))).toEqual({
      '/etc/nginx/nginx.conf': 'n',
      '/etc/nginx/sites-available/x': 's',
      '/etc/nginx/sites-enabled/x': 's',
    });
  });

  test('a path that is itself a link is followed, under its own name', async () => {
    const { client } = await holding({
      '/html': [{ name: 'html', type: 'symlink', linkname: 'srv/www' }],
      '/srv/www': [{ name: 'www/index.html', body: 'i' }],
    });
    expect([...(await client.readTree('c', '/html'))!.keys()]).toEqual(['/html/index.html']);
  });

  test.each([
    ['in a circle', { '/a': [{ name: 'a', type: 'symlink', linkname: 'a' }] }],
    ['to nowhere', { '/a': [{ name: 'a', type: 'symlink', linkname: '/gone' }] }],
  ] as [string, Record<string, Entry[]>][])('a link %s leads to nothing', async (_, archives) => {
    const { client } = await holding(archives);
    expect(await client.readTree('c', '/a')).toBeNull();
  });

  test('too large', async () => {
    const { client } = await holding({ '/big': [{ name: 'big', body: 'x'.repeat(10_000) }] });
    expect(await failure(client.readFile('c', '/big', { maxBytes: 100 }))).toMatchObject({ code: 'EFBIG' });
  });

  test.each([
    ['an archive that is cut', (response) => (response.write(Buffer.alloc(700, 'x')), response.destroy())],
    ['no archive at all', (response) => response.end('x'.repeat(2_000))],
  ] as [string, (response: ServerResponse) => void][])('%s is an error, and no wait', async (_, write) => {
    const { client } = await smallEngine({ answer: (_request, response) => (response.writeHead(200), write(response)) });
    await expect(client.readTree('c', '/x', { signal: soon(2_000) })).rejects.toBeInstanceOf(Error);
  });

  test('an archive that never ends costs its limit', async () => {
    const { client } = await smallEngine({ answer: (_, response) => response.writeHead(200).write(Buffer.alloc(100)) });
    await expect(client.readTree('c', '/x', { signal: soon() })).rejects.toBeInstanceOf(Error);
  });
});
