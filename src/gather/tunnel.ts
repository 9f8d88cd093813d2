/**
 * A TCP stream that starts inside a container, made by whatever the image has: Python, Node.js, Perl, bash or nc. Read-only, and gone with
 * its stream.
 */
import type { Duplex } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import type { Container } from '../model/stack.ts';
import { countConnection } from './connections-opened.ts';
import { guarded } from './dial.ts';
import { EngineError, type EngineClient } from './engine-client.ts';
import { cannotRun } from './run-inside.ts';
import { TryStopped, type Progress } from './trial.ts';

/** A tunnel that nobody uses any more ends by itself, should its stdin stay open. */
const IDLE_SECONDS = 10;

/*
 * Each program connects, says `OK` or `ERR <why>` on stderr, then carries bytes until either side ends. It ends with its stdin, so that
 * nothing stays behind in the container. Each is one process without children: a child that outlives it would become a child of PID 1, and
 * Postgres, as PID 1, takes the death of a child that it does not know for a crash and restarts (HandleChildCrash in its postmaster).
 */

const PYTHON = `
import os,select,socket,sys
h,p,t=sys.argv[1:4]
try:
  s=socket.create_connection((h,int(p)),float(t))
  s.settimeout(None)
except Exception as e:
  os.write(2,('ERR %s %s\\n'%(type(e).__name__,e)).encode());os._exit(0)
os.write(2,b'OK\\n')
try:
  while 1:
    r=select.select([0,s],[],[],float(t))[0]
    if not r:break
    if 0 in r:
      d=os.read(0,65536)
      if not d:break
      s.sendall(d)
    if s in r:
      d=s.recv(65536)
      if not d:break
      while d:d=d[os.write(1,d):]
except Exception:pass
os._exit(0)
`;

const NODE = `
const [h,p,t]=process.argv.slice(-3),s=require('net').connect(+p,h),w=x=>process.stderr.write(x+'\\n');
s.on('connect',()=>{w('OK');process.stdin.pipe(s);s.pipe(process.stdout)});
s.on('error',e=>{w('ERR '+(e.code||'')+' '+e.message);process.exit()});
s.on('end',()=>process.stdout.end(()=>process.exit()));
s.setTimeout(t*1000,()=>process.exit());
process.stdin.on('end',()=>process.exit());
`;

const PERL = `
use Socket;my($h,$p,$t)=@ARGV;
my $a=inet_aton($h)or do{syswrite STDERR,"ERR bad address\\n";exit};
socket(my $s,PF_INET,SOCK_STREAM,0);alarm $t;
connect($s,pack_sockaddr_in($p,$a))or do{syswrite STDERR,"ERR $!\\n";exit};
alarm 0;syswrite STDERR,"OK\\n";$SIG{PIPE}='IGNORE';
for(;;){
  my $r='';vec($r,0,1)=1;vec($r,fileno($s),1)=1;
  last if select($r,undef,undef,$t)<1;my $d;
  if(vec($r,0,1)){last unless sysread(STDIN,$d,65536);while(length $d){my $n=syswrite($s,$d)or exit;substr($d,0,$n)=''}}
  if(vec($r,fileno($s),1)){last unless sysread($s,$d,65536);while(length $d){my $n=syswrite(STDOUT,$d)or exit;substr($d,0,$n)=''}}
}
`;

/**
 * The exception: bash alone cannot carry bytes both ways. It waits for both its children, and is left out where PID 1 is Postgres.
 * Children get /dev/null as stdin unless it is handed to them. `dd`, because busybox's `cat` holds small pieces back. A pipe that nobody
 * writes to is the clock: `wait -n` misses a child that ended before it was called.
 */
const BASH = `
exec 4<&0
exec 3<>"/dev/tcp/$1/$2" || exit
exec 5<> <(:)
echo OK >&2
dd bs=64k <&3 2>/dev/null & a=$!
dd bs=64k <&4 >&3 2>/dev/null & b=$!
while kill -0 $a 2>/dev/null && kill -0 $b 2>/dev/null; do read -t 0.2 -u 5; done
kill $a $b 2>/dev/null
wait
`;

/** `nc -v` says by itself how it went; `-w` also ends a side that stays silent after the other has gone. */
const SHELL = `
has() { command -v "$1" >/dev/null 2>&1; }
export LC_ALL=C NODE_OPTIONS=
has python3 && exec python3 -ISc "$4" "$1" "$2" "$3"
has node && exec node -e "$5" "$1" "$2" "$3"
has perl && exec perl -e "$6" "$1" "$2" "$3"
one=
read -r one 2>/dev/null </proc/1/comm
case $one in post*) ;; *) has bash && exec bash -c "$7" bash "$1" "$2" ;; esac
has nc && exec nc -v -w "$3" "$1" "$2"
has busybox && exec busybox nc -v -w "$3" "$1" "$2"
has python && exec python -c "$4" "$1" "$2" "$3"
echo 'ERR no-tool' >&2
`;

/** A smaller busybox has an `nc` without `-v`: it says only what went wrong, within the second that `-w` gives it. */
const QUIET_NC = `
export LC_ALL=C
command -v nc >/dev/null 2>&1 && exec nc -w 1 "$1" "$2"
exec busybox nc -w 1 "$1" "$2"
`;
/** A refusal or an unknown name is told sooner than this. */
const QUIET_MS = 150;

/** For images without a shell (distroless). */
const SHELL_LESS: [string, string[], string][] = [
  ['python3', ['-ISc'], PYTHON],
  ['node', ['-e'], NODE],
  ['/nodejs/bin/node', ['-e'], NODE],
];

export interface TunnelOptions {
  signal: AbortSignal;
  /** Moved on to `protocol` once connected. */
  at?: Progress;
}

/** Errors: `TryStopped` (what the client would meet, or `no-tool`), `CannotLook` (no command can be run in the container now). */
export const openTunnel = async (
  engine: EngineClient,
  container: Container,
  host: string,
  port: number,
  { signal, at }: TunnelOptions,
): Promise<Duplex> => {
  countConnection();
  const end = [host, String(port), String(IDLE_SECONDS)];
  const commands = [
    ['sh', '-c', SHELL, 'sh', ...end, PYTHON, NODE, PERL, BASH],
    ...SHELL_LESS.map(([program, flags, text]) => [program, ...flags, text, ...end]),
  ];
  for (const command of commands) {
    const stream = await connectThrough(engine, container, command, signal);
    if (stream === 'other-nc') return connectQuietly(engine, container, ['sh', '-c', QUIET_NC, 'sh', ...end], signal, at);
    if (stream === null) continue;
    if (at) at.layer = 'protocol';
    return stream;
  }
  throw noTool(container);
};

/** What goes wrong after all ends the stream, with the reason as its error. */
const connectQuietly = async (
  engine: EngineClient,
  container: Container,
  command: string[],
  signal: AbortSignal,
  at: Progress | undefined,
): Promise<Duplex> => {
  let said = '';
  let fail = () => {};
  const stream = await open(engine, container, command, signal, (text) => {
    if (said.length < 4_096) said += text;
    fail();
  });
  await delay(QUIET_MS, null, { signal });
  if (!stream || /usage:|invalid option/i.test(said)) throw noTool(container);
  if (said) {
    stream.destroy();
    throw new TryStopped(whatStopped(said));
  }
  fail = () => stream.destroy(new TryStopped(whatStopped(said)));
  if (at) at.layer = 'protocol';
  return stream;
};

const noTool = (container: Container): TryStopped =>
  new TryStopped({
    layer: 'tcp',
    outcome: 'no-tool',
    code: '',
    text: `the image of ${container.service} has nothing that could open a connection (python3, node, perl, bash, nc)`,
  });

/** runc's words for a program that is not there; as an error of the API, or as the output of the exec. */
const MISSING = /executable file not found|no such file or directory|OCI runtime exec failed/i;

/** `null`: the program is not in the image. Errors: `CannotLook`. */
const open = async (
  engine: EngineClient,
  container: Container,
  command: string[],
  signal: AbortSignal,
  onStderr: (text: string) => void,
): Promise<Duplex | null> => {
  const stream = await engine.execStream(container.id, command, { signal, onStderr }).catch((error: unknown) => {
    if (!(error instanceof EngineError)) throw error;
    if (MISSING.test(error.message)) return null;
    throw cannotRun(container, error);
  });
  if (stream === null) return null;
  // As a socket does: what the other side has ended is over.
  guarded(stream).once('end', () => stream.destroy());
  const stop = () => stream.destroy();
  if (signal.aborted) stop();
  else signal.addEventListener('abort', stop, { once: true });
  return stream;
};

const connectThrough = async (
  engine: EngineClient,
  container: Container,
  command: string[],
  signal: AbortSignal,
): Promise<Duplex | 'other-nc' | null> => {
  let said = '';
  let heard = () => {};
  const stream = await open(engine, container, command, signal, (text) => {
    if (said.length < 4_096) said += text;
    heard();
  });
  if (stream === null) return null;

  const early: Buffer[] = [];
  const verdict = await new Promise<'connected' | 'ended'>((resolve) => {
    const settle = (how: 'connected' | 'ended') => {
      stream.off('readable', read).off('end', ended).off('close', ended).off('error', ended);
      heard = () => {};
      resolve(how);
    };
    // A server that speaks first may be heard before the word on stderr is.
    const read = () => {
      for (let chunk: Buffer | null; (chunk = stream.read() as Buffer | null) !== null;) early.push(chunk);
      if (stream.readableEnded) ended();
    };
    const ended = () => settle(CONNECTED.test(said) ? 'connected' : 'ended');
    heard = () => {
      if (CONNECTED.test(said)) settle('connected');
    };
    stream.on('readable', read).once('end', ended).once('close', ended).once('error', ended);
    heard();
  });
  if (verdict === 'connected') {
    if (early.length > 0) stream.unshift(Buffer.concat(early));
    return stream;
  }
  stream.destroy();
  if (signal.aborted) throw new Error('aborted');
  const text = said || Buffer.concat(early).toString('utf8');
  if (MISSING.test(text)) return null;
  if (/(invalid|unrecognized|illegal) option|usage:/i.test(text)) return 'other-nc';
  throw /ERR no-tool/.test(text) ? noTool(container) : new TryStopped(whatStopped(text));
};

/** Our own mark, and the words of the various `nc -v`. */
const CONNECTED = /^OK$|\bopen$|\bsucceeded!$|^Ncat: Connected to/m;

const REASONS: [RegExp, Pick<TryStopped['failure'], 'layer' | 'outcome' | 'code'>][] = [
  [/refused/i, { layer: 'tcp', outcome: 'refused', code: 'ECONNREFUSED' }],
  [
    /not known|name resolution|bad address|no address associated|unknown host|ENOTFOUND|EAI_|gaierror|not resolve|forward host/i,
    { layer: 'name', outcome: 'not-found', code: 'ENOTFOUND' },
  ],
  [/timed out|ETIMEDOUT/i, { layer: 'tcp', outcome: 'timeout', code: 'ETIMEDOUT' }],
  [/no route to host|unreachable|EHOSTUNREACH|ENETUNREACH/i, { layer: 'tcp', outcome: 'unreachable', code: 'EHOSTUNREACH' }],
  [/reset/i, { layer: 'tcp', outcome: 'reset', code: 'ECONNRESET' }],
];

const whatStopped = (said: string): TryStopped['failure'] => {
  const text = said.replace(/^ERR /m, '').trim() || 'the command in the container ended without a word';
  const found = REASONS.find(([pattern]) => pattern.test(text))?.[1];
  return { ...(found ?? { layer: 'tcp', outcome: 'failed', code: '' }), text };
};
