/** What the bundled packages load or do at their start and the doctor never needs of them, left out or put off. A run is a second of somebody's time. */
import { readFileSync } from 'node:fs';
import type { Plugin } from 'esbuild';

/**
 * Loaded at their start by the packages, for what the doctor never does: by dockerode BuildKit sessions, ssh:// by its own client, tar uploads
 * (together a hundred milliseconds and half of the size); by undici HTTP/2; by ioredis clusters and sentinels; by mysql2 the certificates of a
 * cloud, pools, and alphabets in which nobody talks to us (it talks UTF-8); by mongodb sessions, with every operation that needs one, and what it takes
 * when it is installed beside it: Kerberos, compression, encrypted fields, clouds, SOCKS.
 */
const UNNEEDED = new Set([
  '@grpc/grpc-js',
  '@grpc/proto-loader',
  'protobufjs',
  'ssh2',
  'tar-fs',
  './client-h2.js',
  './cluster',
  './SentinelConnector',
  './constants/ssl_profiles.js',
  './lib/pool_cluster.js',
  '../sessions',
  './gssapi',
  'kerberos',
  'snappy',
  '@mongodb-js/zstd',
  'mongodb-client-encryption',
  '@aws-sdk/credential-providers',
  'gcp-metadata',
  'socks',
  ...['shiftjis', 'eucjp', 'cp936', 'gbk-added', 'gb18030-ranges', 'cp949', 'cp950', 'big5-added'].map((name) => `./tables/${name}.json`),
]);

/** docker-modem's copy of Node's own streams, for Nodes of long ago. */
const BUILT_IN: Record<string, string> = { 'readable-stream': 'node:stream' };

/** Node's own modules that packages ask for at once and seldom use: TLS alone takes Node longer than a login. */
const LATER = new Set(['assert', 'dns', 'https', 'tls', 'tty', 'zlib', 'querystring', 'perf_hooks', 'worker_threads', 'console']);

/** A module whose every export is a function that throws. */
const throwing = (name: string): string => `
  const absent = function () { throw new Error('${name} is not part of this program'); };
  module.exports = new Proxy({}, { get: (_, key) => (typeof key === 'symbol' ? undefined : absent) });`;

/** Node's module, loaded when something of it is used. An assertion that holds needs none. */
const later = (name: string): string => `
  let loaded;
  const real = () => (loaded ??= require('node:${name}'));
  ${name === 'perf_hooks' ? 'const ready = { performance: globalThis.performance };' : 'const ready = {};'}
  module.exports = new Proxy(function () {}, {
    get: (_, key) => ready[key] ?? real()[key],
    has: (_, key) => key in real(),
    apply: (_, self, given) => (given[0] ? undefined : real()(...given)),
  });`;

/** `debug`: with DEBUG set, ioredis would write the commands it sends to the terminal, passwords and all. */
const SILENT = 'module.exports = () => Object.assign(() => {}, { enabled: false }); module.exports.default = module.exports;';

/** The same answers as pg's own file has from WebCrypto, which takes Node longer to load than the login takes. */
export const PG_CRYPTO = `
  const { createHash, createHmac, pbkdf2, randomBytes } = require('node:crypto');
  const { promisify } = require('node:util');
  const derive = promisify(pbkdf2);
  const digest = (name, data) => createHash(name.replace('-', '')).update(data).digest();
  const md5 = async (text) => digest('md5', text).toString('hex');
  module.exports = {
    randomBytes,
    md5,
    postgresMd5PasswordHash: async (user, password, salt) => 'md5' + (await md5(Buffer.concat([Buffer.from(await md5(password + user)), salt]))),
    sha256: async (data) => digest('sha256', data),
    hashByName: async (name, data) => digest(name.toLowerCase(), data),
    hmacSha256: async (key, message) => createHmac('sha256', key).update(message).digest(),
    deriveKey: (password, salt, rounds) => derive(password, salt, rounds, 32, 'sha256'),
  };`;

/** ioredis makes six functions of each of 287 commands. These are its own; the doctor sends by `call()`, which takes any name. */
const REDIS_COMMANDS = ['auth', 'client', 'discard', 'exec', 'hello', 'info', 'multi', 'ping', 'quit', 'select'];

export const leanPackages: Plugin = {
  name: 'lean-packages',
  setup(build) {
    build.onResolve({ filter: /./ }, ({ path, importer, namespace }) => {
      if (!importer.includes('node_modules') || namespace !== 'file') return undefined;
      const builtIn = BUILT_IN[path];
      if (builtIn) return { path: builtIn, external: true };
      if (UNNEEDED.has(path)) return { path, namespace: 'unneeded' };
      if (path === 'debug') return { path, namespace: 'silent' };
      const name = path.replace(/^node:/, '');
      return LATER.has(name) ? { path: name, namespace: 'later' } : undefined;
    });
    build.onLoad({ filter: /.*/, namespace: 'unneeded' }, ({ path }) => ({ contents: throwing(path), loader: 'js' }));
    build.onLoad({ filter: /.*/, namespace: 'silent' }, () => ({ contents: SILENT, loader: 'js' }));
    build.onLoad({ filter: /.*/, namespace: 'later' }, ({ path }) => ({ contents: later(path), loader: 'js' }));
    // For its debugging output docker-modem writes out the options of every request, agent and all, whether anybody debugs or not.
    build.onLoad({ filter: /docker-modem[\\/]lib[\\/]modem\.js$/ }, ({ path }) => ({
      contents: without(path, /debug\('Sending: %s', util\.inspect\(options, \{[^}]*\}\)\);/),
      loader: 'js',
    }));
    // undici works out the name of a TLS server for a plain connection too; compiling Node's pattern of an IPv6 address takes longer than the request.
    build.onLoad({ filter: /undici[\\/]lib[\\/]core[\\/]request\.js$/ }, ({ path }) => ({
      contents: without(path, /servername \|\| getServerName\(this\.host\) \|\| null/, 'servername || null'),
      loader: 'js',
    }));
    build.onLoad({ filter: /@ioredis[\\/]commands[\\/]built[\\/]commands\.json$/ }, ({ path }) => {
      const all = JSON.parse(readFileSync(path, 'utf8')) as Record<string, unknown>;
      return { contents: JSON.stringify(Object.fromEntries(REDIS_COMMANDS.map((name) => [name, all[name]]))), loader: 'json' };
    });
    build.onLoad({ filter: /[\\/]pg[\\/]lib[\\/]crypto[\\/]utils\.js$/ }, () => ({ contents: PG_CRYPTO, loader: 'js' }));
  },
};

/** Errors: the file no longer has it, so that somebody looks again. */
const without = (path: string, what: RegExp, instead = ''): string => {
  const text = readFileSync(path, 'utf8');
  const rest = text.replace(what, instead);
  if (rest === text) throw new Error(`${path} no longer has ${what}: look at it again`);
  return rest;
};
