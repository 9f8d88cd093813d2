/**
 * `npm run build`: dist/cli.cjs and dist/parts, the program with every package in it; dist/index.js and its types, the library; the
 * licences of what is inside. Bundled CommonJS starts twice as fast as the packages do from node_modules. It is split where the sources
 * import lazily: Node reads a whole file before it runs the first line of it, and one file of a megabyte doubles the time of `--version`.
 */
import { execFileSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join, relative, sep } from 'node:path';
import { build, transform } from 'esbuild';
import type { BuildOptions, Metafile } from 'esbuild';
import { leanPackages } from './lean-packages.ts';

const root = join(import.meta.dirname, '..');
const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string };

const shared: BuildOptions = {
  bundle: true,
  minify: true,
  platform: 'node',
  target: 'node20.19',
  legalComments: 'none',
  metafile: true,
  absWorkingDir: root,
  plugins: [leanPackages],
  // Of pg: a native client and another runtime's sockets, both tried for and done without.
  external: ['pg-native', 'cloudflare:sockets'],
  logLevel: 'warning',
};

/**
 * A CommonJS package that is imported lazily becomes a part with nothing but a default export; Node gives its names too:
 * `const { Redis } = await import('ioredis')`.
 */
const NAMED_EXPORTS = `
for (const name of Object.keys(module.exports.default)) {
  if (!(name in module.exports)) Object.defineProperty(module.exports, name, { enumerable: true, get: () => module.exports.default[name] });
}
`;

const isCommonJsPackage = ({ inputs, outputs }: Metafile, path: string): boolean => {
  const { entryPoint } = outputs[relative(root, path).split(sep).join('/')] ?? {};
  return entryPoint !== undefined && inputs[entryPoint]?.format === 'cjs';
};

/** esbuild splits ES modules only; each part is turned into CommonJS afterwards, and `import()` into a lazy `require()`. */
export const buildCli = async (dist: string): Promise<Metafile> => {
  const { metafile, outputFiles } = await build({
    ...shared,
    entryPoints: ['src/cli.ts'],
    outdir: dist,
    outExtension: { '.js': '.cjs' },
    chunkNames: 'parts/[name]-[hash]',
    format: 'esm',
    splitting: true,
    write: false,
    define: { DOCTOR_VERSION: JSON.stringify(version), 'import.meta.dirname': '__dirname' },
  });
  for (const { path, text } of outputFiles) {
    const { code } = await transform(text, {
      format: 'cjs',
      platform: 'node',
      target: shared.target!,
      minify: true,
      supported: { 'dynamic-import': false },
    });
    mkdirSync(dirname(path), { recursive: true });
    const before = path.endsWith('cli.cjs') ? '#!/usr/bin/env node\n' : '';
    writeFileSync(path, before + code + (isCommonJsPackage(metafile!, path) ? NAMED_EXPORTS : ''));
  }
  chmodSync(join(dist, 'cli.cjs'), 0o755);
  return metafile!;
};

const buildLibrary = async (dist: string): Promise<Metafile> => {
  const { metafile } = await build({
    ...shared,
    entryPoints: ['src/index.ts'],
    outfile: join(dist, 'index.js'),
    format: 'esm',
    define: { DOCTOR_VERSION: JSON.stringify(version) },
    // CommonJS packages inside an ES module ask for `require`.
    banner: { js: "import { createRequire as doctorRequire } from 'node:module'; const require = doctorRequire(import.meta.url);" },
  });
  writeTypes(dist);
  return metafile!;
};

/** The declarations of the library, and of what they speak of: the rest of the program has none. */
const writeTypes = (dist: string): void => {
  const types = join(dist, 'types');
  const compiler = [
    '--target',
    'ES2023',
    '--lib',
    'ES2023',
    '--module',
    'NodeNext',
    '--types',
    'node',
    '--strict',
    '--allowImportingTsExtensions',
    '--skipLibCheck',
  ];
  const output = ['--ignoreConfig', '--declaration', '--emitDeclarationOnly', '--rootDir', 'src', '--outDir', types];
  // Declarations of parts of packages that come without any.
  const ambient = readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.d.ts'))
    .map((file) => join('src', file));
  execFileSync(
    process.execPath,
    [join(root, 'node_modules', 'typescript', 'bin', 'tsc'), ...compiler, ...output, 'src/index.ts', ...ambient],
    { cwd: root, stdio: 'inherit' },
  );

  const wanted = new Set<string>();
  const follow = (file: string): void => {
    if (wanted.has(file)) return;
    wanted.add(file);
    const text = readFileSync(file, 'utf8');
    for (const [, path] of text.matchAll(IMPORTED)) follow(join(dirname(file), `${path!}.d.ts`));
    // Declarations keep the `.ts` of the sources, which only a compiler with a special switch would follow.
    writeFileSync(
      file,
      text.replaceAll(IMPORTED, (found) => found.replace(/\.ts(?=['"]$)/, '.js')),
    );
  };
  follow(join(types, 'index.d.ts'));
  for (const file of readdirSync(types, { recursive: true, encoding: 'utf8' }).map((name) => join(types, name))) {
    if (file.endsWith('.d.ts') && !wanted.has(file)) rmSync(file);
  }
  for (const name of readdirSync(types)) {
    const path = join(types, name);
    if (statSync(path).isDirectory() && readdirSync(path).length === 0) rmSync(path, { recursive: true });
  }
};

/** A relative import of a declaration, up to its closing quote. */
const IMPORTED = /(?:from|import)\s*\(?\s*['"](\.{1,2}\/[^'"]+)\.ts['"]/g;

/** The packages that are really in the bundles, with their licences as they ship them. */
const writeLicences = (metafiles: Metafile[], dist: string): void => {
  const folders = new Set<string>();
  for (const input of metafiles.flatMap(({ inputs }) => Object.keys(inputs))) {
    const folder = /^(.*node_modules\/(?:@[^/]+\/)?[^/]+)\//.exec(input.split(sep).join('/'))?.[1];
    if (folder !== undefined && !input.startsWith('unneeded:')) folders.add(folder);
  }
  const texts = [...folders].map((folder) => {
    const own = JSON.parse(readFileSync(join(root, folder, 'package.json'), 'utf8')) as { name: string; version: string; license?: string };
    const file = readdirSync(join(root, folder)).find((name) => /^(licen[cs]e|copying)/i.test(name));
    const text = file === undefined ? `Licence: ${own.license ?? 'not stated'}` : readFileSync(join(root, folder, file), 'utf8').trim();
    return { title: `${own.name} ${own.version} (${own.license ?? 'see below'})`, text };
  });
  texts.sort((a, b) => (a.title < b.title ? -1 : 1));
  const head = 'The files in this folder contain the following packages.';
  writeFileSync(
    join(dist, 'THIRD-PARTY-LICENSES.txt'),
    `${[head, ...texts.map(({ title, text }) => `${'='.repeat(80)}\n${title}\n\n${text}`)].join('\n\n')}\n`,
  );
};

const kilobytes = (path: string): number => Math.round(statSync(path).size / 1024);

const main = async (): Promise<void> => {
  const dist = join(root, 'dist');
  rmSync(dist, { recursive: true, force: true });
  mkdirSync(dist, { recursive: true });
  const metafiles = [await buildCli(dist), ...(existsSync(join(root, 'src', 'index.ts')) ? [await buildLibrary(dist)] : [])];
  writeLicences(metafiles, dist);
  const parts = readdirSync(join(dist, 'parts')).map((name) => kilobytes(join(dist, 'parts', name)));
  const sum = parts.reduce((total, each) => total + each, 0);
  process.stdout.write(`dist/cli.cjs ${kilobytes(join(dist, 'cli.cjs'))} KB, ${parts.length} parts ${sum} KB\n`);
};

if (process.argv[1] === import.meta.filename) await main();
