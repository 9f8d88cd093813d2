/**
 * Programs that try host after host from inside a container, all at once, with what the image has. Hosts and ports come as arguments.
 * Each prints lines of five fields parted by tabs: number of the pair, addresses, layer (`name`, `tcp`, `done`), code, text; the last line of a number counts.
 */

/** A pair that has no answer by then is given up. */
const SECONDS = 1.2;
/** The start of a command in a container takes its time on a busy machine. */
export const REACH_MS = 3_000;

/** `-ISc`: without the app's own site customisation. Fits Python 2.7, too. */
const PYTHON = `
import errno,os,socket,sys,threading,time
lock=threading.Lock()
def say(*fields):
  with lock:
    sys.stdout.write('\\t'.join([' '.join(str(f).split()) for f in fields])+'\\n');sys.stdout.flush()
def look(i,host,port):
  try:
    ends=socket.getaddrinfo(host,int(port),0,socket.SOCK_STREAM)
  except Exception as e:
    names=[n for n in dir(socket) if n.startswith('EAI_') and getattr(socket,n)==getattr(e,'errno',None)]
    return say(i,'','name',(names or ['ENOTFOUND'])[0],e)
  found=','.join([end[4][0] for end in ends])
  say(i,found,'tcp','','')
  for end in ends:
    s=socket.socket(end[0],end[1])
    s.settimeout(${SECONDS})
    try:
      s.connect(end[4]);s.close()
      return say(i,found,'done','','')
    except socket.timeout as e:
      last=('ETIMEDOUT',e)
    except Exception as e:
      last=(errno.errorcode.get(getattr(e,'errno',None),''),e)
  say(i,found,'tcp',last[0],last[1])
pairs=sys.argv[1:]
all=[threading.Thread(target=look,args=(i//2,pairs[i],pairs[i+1])) for i in range(0,len(pairs),2)]
for t in all:
  t.daemon=True;t.start()
end=time.time()+${SECONDS}
for t in all:t.join(max(0,end-time.time()))
sys.stdout.flush();os._exit(0)
`;

const NODE = `
const dns=require('dns'),net=require('net'),pairs=process.argv.slice(1);
const say=(...f)=>process.stdout.write(f.map(x=>String(x).replace(/\\s+/g,' ')).join('\\t')+'\\n');
const look=(i,host,port)=>dns.lookup(host,{all:true},(e,ends)=>{
  if(e)return say(i,'','name',e.code||'ENOTFOUND',e.message);
  const found=ends.map(x=>x.address).join(',');
  say(i,found,'tcp','','');
  const next=n=>{
    const s=net.connect(+port,ends[n].address,()=>{s.destroy();say(i,found,'done','','')});
    s.on('error',e=>n+1<ends.length?next(n+1):say(i,found,'tcp',e.code||'',e.message));
  };
  next(0);
});
for(let i=0;i<pairs.length;i+=2)look(i/2,pairs[i],pairs[i+1]);
setTimeout(()=>process.exit(),${SECONDS * 1000}).unref();
`;

/** bash and the various `nc` say how it went in words alone. Each try has a watchdog, for not every one of them has a limit of its own. */
const WORDS = `
has() { command -v "$1" >/dev/null 2>&1; }
connect() {
  if [ -n "$BASH_VERSION" ]; then
    has timeout && limit='timeout 1'
    $limit bash -c 'exec 3<>"/dev/tcp/$1/$2"' bash "$1" "$2" 2>&1; return
  fi
  if has nc; then nc=nc; elif has busybox; then nc='busybox nc'; else echo no-tool; return 1; fi
  said=$($nc -z -v -w 1 "$1" "$2" 2>&1 </dev/null) && return
  case $said in *[Uu]sage*|*option*) said=$($nc -w 1 "$1" "$2" 2>&1 </dev/null >/dev/null) && return;; esac
  echo "$said"; return 1
}
resolve() {
  if has getent; then getent ahosts "$1" | while read -r address rest; do printf '%s,' "$address"; done
  elif has nslookup; then nslookup "$1" 2>/dev/null | sed -n '/^Name/,$s/^Address[^:]*:[[:space:]]*\\([^[:space:]]*\\).*/\\1,/p' | tr -d '\\n'; fi
}
look() {
  case $2 in
    *:*) found=$2 ;;
    *[!0-9.]*) found=$(resolve "$2") ;;
    *.*.*.*) found=$2 ;;
    *) found=$(resolve "$2") ;;
  esac
  if [ -n "$found" ]; then printf '%s\\t%s\\ttcp\\t\\t\\n' "$1" "$found"
  elif has getent; then printf '%s\\t\\tname\\tENOTFOUND\\tgetent ahosts %s: not found\\n' "$1" "$2"; return; fi
  if text=$(connect "$2" "$3"); then printf '%s\\t%s\\tdone\\t\\t\\n' "$1" "$found"
  else printf '%s\\t%s\\ttcp\\twords\\t%s\\n' "$1" "$found" "$(echo $text)"; fi
}
n=0 tries=
while [ $# -gt 1 ]; do
  look $n "$1" "$2" & tries="$tries $!"
  n=$((n+1)); shift 2
done
(sleep 1; kill $tries) >/dev/null 2>&1 & guard=$!
wait $tries
kill $guard
exit 0
`;

const SHELL = `
python=$1 node=$2 words=$3
shift 3
has() { command -v "$1" >/dev/null 2>&1; }
export LC_ALL=C NODE_OPTIONS=
has python3 && exec python3 -ISc "$python" "$@"
has node && exec node -e "$node" "$@"
has bash && exec bash -c "$words" bash "$@" 2>/dev/null
has nc || has busybox && exec sh -c "$words" sh "$@" 2>/dev/null
has python && exec python -c "$python" "$@"
echo no-tool
`;

/** In this order, until the image has one of them. */
export const commandsFor = (pairs: string[]): string[][] => [
  ['sh', '-c', SHELL, 'sh', PYTHON, NODE, WORDS, ...pairs],
  // For images without a shell.
  ['python3', '-ISc', PYTHON, ...pairs],
  ['node', '-e', NODE, ...pairs],
  ['/nodejs/bin/node', '-e', NODE, ...pairs],
];
