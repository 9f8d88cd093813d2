/**
 * Makes a run start sooner and stay smaller; nothing depends on it. V8's compiled form of the program's parts is kept between runs in
 * `$XDG_CACHE_HOME/stack-doctor`, which saves a fifth of a healthy run. DOCTOR_NO_CACHE=1 switches that off.
 */
import { mkdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import Module from 'node:module';
import { homedir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { Script } from 'node:vm';
import { crc32 } from 'node:zlib';

/** From its sources the program has no parts. */
const PARTS = basename(import.meta.dirname) === 'parts' ? import.meta.dirname : null;

type Compile = (this: Module, content: string, filename: string) => unknown;
type Loader = typeof Module & {
  wrap(text: string): string;
  enableCompileCache?(folder: string): unknown;
  prototype: { _compile: Compile };
};
const loader = Module as unknown as Loader;

/**
 * What talking to a stack needs of Node. Node brings its own modules compiled, and V8 takes them so under its first flags only: loaded after
 * `FLAGS` are set, they would take three times as long.
 */
const BUILT_IN = [
  'node:child_process',
  'node:crypto',
  'node:fs/promises',
  'node:http',
  'node:net',
  'node:perf_hooks',
  'node:timers/promises',
  'node:util/types',
];

/** V8's flags change with it, and it complains of one that it does not know: here are those of the lines of Node that were tried. */
const TRIED = ['20', '22', '24'];
const LINE = process.versions.node.split('.')[0]!;

/** A run is over before V8 has won back what it spends on making code fast, and its helpers take the second core from the engine. */
const FLAGS = [
  // undici reads HTTP with WebAssembly. To optimise it for a handful of answers takes V8 more memory than all the rest of a run (36 MB).
  '--wasm-tiering-budget=1000000000',
  // Room for new objects that is doubled whenever it is full, in a program that ends before it could be full again (8 MB).
  '--semi-space-growth-factor=1',
  // To be optimised, a function must have run thirty times as much as usual. A loop over a long log still is.
  ...(LINE === '20' ? ['--interrupt-budget=2000000'] : []),
  '--no-sparkplug',
  // An expression is turned into machine code once it has been asked a thousand times; V8 does so at once for a long text.
  '--regexp-tier-up-ticks=1000',
  '--no-regexp-peephole-optimization',
  '--no-incremental-marking',
];

export const startQuickly = (env: Record<string, string | undefined>): void => {
  for (const name of BUILT_IN) process.getBuiltinModule(name);
  // Before anything of ours is compiled: code that was cached under other flags is refused.
  if (TRIED.includes(LINE)) for (const flag of FLAGS) setFlagsFromString(flag);
  const base = env['XDG_CACHE_HOME'] || join(homedir(), '.cache');
  // Compiled code is code: with sudo, another's folder is not to be believed.
  if (PARTS === null || env['DOCTOR_NO_CACHE'] || !isOurs(base)) return;
  const folder = join(base, 'stack-doctor');
  // From Node 22.1 on.
  if (loader.enableCompileCache) loader.enableCompileCache(folder);
  else keepCompiled(PARTS, join(folder, `code-${process.version}-${process.arch}`));
};

const isOurs = (path: string): boolean => {
  const about = statSync(path, { throwIfNoEntry: false });
  return about !== undefined && (process.getuid === undefined || (about.uid === process.getuid() && (about.mode & 0o022) === 0));
};

/** A part's name changes with its content; V8 itself refuses what another V8 made. */
const keepCompiled = (parts: string, file: string): void => {
  const known = isOurs(file) ? read(file) : new Map<string, Buffer>();
  const used = new Map<string, Script>();
  let isNew = false;
  const compile = loader.prototype._compile;
  loader.prototype._compile = function (content, filename) {
    if (dirname(filename) !== parts) return compile.call(this, content, filename);
    const cachedData = known.get(basename(filename));
    const script = new Script(loader.wrap(content), { filename, ...(cachedData && { cachedData }) });
    used.set(basename(filename), script);
    isNew ||= script.cachedDataRejected !== false;
    const run = script.runInThisContext() as (...given: unknown[]) => unknown;
    return run.call(this.exports, this.exports, (id: string): unknown => this.require(id), this, filename, parts);
  };
  process.once('exit', () => {
    if (!isNew) return;
    const others = [...known].filter(([name]) => !used.has(name) && statSync(join(parts, name), { throwIfNoEntry: false }));
    write(file, [...others, ...[...used].map(([name, script]) => [name, script.createCachedData()] as const)]);
  });
};

/** A checksum of what follows, the length of the table, the table, the data. V8 would run damaged code. */
const read = (file: string): Map<string, Buffer> => {
  try {
    const bytes = readFileSync(file);
    if (bytes.readUInt32LE(0) !== crc32(bytes.subarray(4))) return new Map();
    let at = 8 + bytes.readUInt32LE(4);
    const table = JSON.parse(bytes.toString('utf8', 8, at)) as [string, number][];
    return new Map(table.map(([name, length]) => [name, bytes.subarray(at, (at += length))]));
  } catch {
    return new Map();
  }
};

/** Whole or not at all. That it cannot be written (a full disk, a read-only home) is no trouble of the user's. */
const write = (file: string, entries: (readonly [string, Buffer])[]): void => {
  const table = Buffer.from(JSON.stringify(entries.map(([name, { length }]) => [name, length])));
  const bytes = Buffer.concat([Buffer.alloc(8), table, ...entries.map(([, data]) => data)]);
  bytes.writeUInt32LE(table.length, 4);
  bytes.writeUInt32LE(crc32(bytes.subarray(4)), 0);
  const draft = `${file}.${process.pid}`;
  try {
    mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
    writeFileSync(draft, bytes, { mode: 0o600, flag: 'wx' });
    renameSync(draft, file);
  } catch {
    rmSync(draft, { force: true });
  }
};
