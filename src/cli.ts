/**
 * argv → exit code; the only file that touches process, stdout and stderr.
 * Above the fold stands what `--help`, `--version` and a wrong call need. Everything else is imported when it is used.
 */
import { appendFileSync, readFileSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { helpText, parseArgs } from './args.ts';
import type { Command, Looks } from './args.ts';
import type { StackOptions } from './model/stack-options.ts';
import type { Diagnosis } from './doctor.ts';
import type { Reference } from './here.ts';
import type { DoctorOptions, Hooks } from './open.ts';
import { plain } from './model/plain.ts';
import type { Report } from './model/report.ts';
import { UsageError } from './model/usage-error.ts';
import type { Progress } from './progress.ts';
import { exitCode, SIGNAL_CODES } from './render/exit-code.ts';
import type { Ending } from './render/exit-code.ts';
import type { Terminal } from './render/pen.ts';

/** Put in by the build. */
declare const DOCTOR_VERSION: string | undefined;

const TOOL_NAME = 'stack-doctor';
/** The same place from `src/` and from `dist/`. */
const SHIPPED_RUNBOOK = join(import.meta.dirname, '..', 'RUNBOOK.md');
/** After an error of ours, how long to wait for what was found so far. */
const GRACE_MS = 2_000;

type Asked<K extends Command['kind']> = Extract<Command, { kind: K }>;

const version = (): string => {
  if (typeof DOCTOR_VERSION === 'string') return DOCTOR_VERSION;
  const { version: own } = JSON.parse(readFileSync(join(import.meta.dirname, '..', 'package.json'), 'utf8')) as { version: string };
  return own;
};

/** At once, without the stream machinery, which takes longer to load than such a call should last. */
const writeNow = (to: 1 | 2, text: string): void => {
  let rest = Buffer.from(text);
  try {
    while (rest.length > 0) rest = rest.subarray(writeSync(to, rest));
  } catch (error) {
    // The pipe is full and does not block. (Any other error, such as EPIPE: nobody is there to be told.)
    if ((error as NodeJS.ErrnoException).code === 'EAGAIN') (to === 1 ? process.stdout : process.stderr).write(rest);
  }
};

const main = (): void => {
  try {
    const command = parseArgs(process.argv.slice(2));
    if (command.kind === 'help') return writeNow(1, helpText());
    if (command.kind === 'version') return writeNow(1, `${version()}\n`);
    void run(command);
  } catch (error) {
    writeNow(2, `doctor: ${plain((error as Error).message)}\n`);
    process.exitCode = error instanceof UsageError ? 2 : 3;
  }
};

/** One call's signals, and what must be tidied before the process ends. */
interface Session {
  signal: AbortSignal;
  /** Which signal came, if one did. */
  ending(): Ending | null;
  /** An error of ours that no code was there to catch. */
  broken(): Error | null;
  progress: Progress | null;
}

const openSession = (): Session => {
  const controller = new AbortController();
  let ending: Ending | null = null;
  let broken: Error | null = null;
  const session: Session = { signal: controller.signal, ending: () => ending, broken: () => broken, progress: null };
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.on(signal, () => {
      if (ending !== null) leave(session, SIGNAL_CODES[signal]);
      ending = signal;
      controller.abort();
    });
  }
  process.on('uncaughtException', (error: unknown) => {
    broken ??= error instanceof Error ? error : new Error(String(error));
    controller.abort();
    setTimeout(() => {
      reportBroken(session, broken!);
      leave(session, 3);
    }, GRACE_MS).unref();
  });
  // Errors come back through the callback of the write; without a listener they would be thrown.
  process.stdout.on('error', () => undefined);
  process.stderr.on('error', () => undefined);
  return session;
};

/** Open sockets must not hold the process: what is to be printed has been. */
const leave = (session: Session, code: number): never => {
  session.progress?.stop();
  process.exit(code);
};

const run = async (command: Exclude<Command, { kind: 'help' | 'version' }>): Promise<void> => {
  const session = openSession();
  let code: number;
  try {
    (await import('./quick-start.ts')).startQuickly(process.env);
    code = await answer(command, session);
  } catch (error) {
    code = failed(error, session);
  }
  const broken = session.broken();
  if (broken) {
    reportBroken(session, broken);
    code ||= 3;
  }
  leave(session, code);
};

const failed = (error: unknown, session: Session): number => {
  session.progress?.stop();
  if (error instanceof UsageError) {
    writeNow(2, `doctor: ${plain(error.message)}\n`);
    return 2;
  }
  const ending = session.ending();
  if (ending !== null) {
    writeNow(2, 'doctor: stopped before anything was found\n');
    return SIGNAL_CODES[ending];
  }
  reportBroken(session, error instanceof Error ? error : new Error(String(error)));
  return 3;
};

const reportBroken = (session: Session, error: Error): void => {
  session.progress?.stop();
  const debug = process.env['DOCTOR_DEBUG'] || process.argv.includes('-v') || process.argv.includes('--verbose');
  const how = debug ? '' : ' with what DOCTOR_DEBUG=1 prints';
  writeNow(2, `doctor: internal error: ${plain(error.message)}; this is a fault of the doctor, please report it${how}\n`);
  if (debug && error.stack !== undefined) writeNow(2, `${error.stack.split('\n').map(plain).join('\n  ')}\n`);
};

const answer = (command: Exclude<Command, { kind: 'help' | 'version' }>, session: Session): Promise<number> => {
  switch (command.kind) {
    case 'run':
      return runChecks(command, session);
    case 'list':
      return list(command, session);
    case 'graph':
      return graph(command, session);
    case 'explain':
      return explain(command);
    case 'runbook':
      return runbook(command, session);
    case 'record':
      return record(command, session);
    case 'init':
      return init(command, session);
  }
};

/** Whole, before the process ends. What could not be written is not passed off as told: exit 3. A reader that left is no error. */
const print = async (text: string, code: number): Promise<number> => {
  const error = await new Promise<NodeJS.ErrnoException | null | undefined>((resolve) => process.stdout.write(text, resolve));
  if (!error || error.code === 'EPIPE') return code;
  writeNow(2, `doctor: cannot write to stdout: ${error.code ?? error.message}\n`);
  return code || 3;
};

const terminal = async ({ color }: Looks): Promise<Terminal> => {
  const { extentOf, showsUnicode, wantsColour } = await import('./render/terminal.ts');
  const { env, platform, stdout } = process;
  const given = { env, isTTY: stdout.isTTY };
  return {
    columns: extentOf(stdout.isTTY, stdout.columns, env['COLUMNS']),
    colour: wantsColour({ ...given, color }),
    unicode: showsUnicode({ env, platform }),
  };
};

const doctorOptions = async (stack: StackOptions, selectors: string[], replay: string | null): Promise<DoctorOptions> => ({
  ...stack,
  selectors,
  cwd: process.cwd(),
  env: process.env,
  shippedRunbook: SHIPPED_RUNBOOK,
  version: version(),
  replay: replay === null ? null : await (await import('./recording/recording.ts')).readRecording(replay),
});

const startProgress = async (session: Session, { json, quiet, verbose }: Looks, waits: boolean): Promise<Progress> => {
  const { startProgress: start } = await import('./progress.ts');
  const { env, stderr } = process;
  const inCi = Boolean(env['CI']) && env['CI'] !== 'false';
  session.progress = start(stderr, {
    spinner: !quiet && env['TERM'] !== 'dumb' && !(json && inCi),
    lines: verbose,
    waitLines: waits && !quiet,
  });
  return session.progress;
};

const runChecks = async ({ stack, looks, format, selectors, strict, waitMs, replay }: Asked<'run'>, session: Session): Promise<number> => {
  const options = await doctorOptions(stack, selectors, replay);
  const progress = await startProgress(session, looks, waitMs !== null);
  const hooks: Hooks = { signal: session.signal, onProgress: progress.on };
  const { diagnose } = await import('./doctor.ts');
  const look = (): Promise<Diagnosis> => diagnose(options, hooks);
  const { report, stats } =
    waitMs === null
      ? await look()
      : await (await import('./wait.ts')).untilFinal(look, { waitMs, strict, signal: session.signal, onAgain: progress.again });
  progress.stop();
  if (options.replay !== null)
    report.notes.push(`replay of ${replay}, recorded at ${options.replay.recordedAt}: nothing was looked at now`);

  const code = exitCode(report, { strict, signal: session.ending() });
  if (process.env['GITHUB_ACTIONS'] === 'true') await tellGitHub(report);
  switch (format) {
    case 'json': {
      const { engineCalls, connections, factCount: facts } = stats;
      const document: Report = looks.verbose ? { ...report, effort: { engineCalls, connections, facts } } : report;
      return print((await import('./render/json.ts')).renderJson(document), code);
    }
    case 'junit':
      return print((await import('./render/junit.ts')).renderJUnit(report, { strict }), code);
    case 'markdown':
      return print((await import('./render/markdown.ts')).renderMarkdown(report), code);
    case 'text': {
      const { renderText } = await import('./render/text.ts');
      const { extentOf } = await import('./render/terminal.ts');
      const rows = extentOf(process.stdout.isTTY, process.stdout.rows, process.env['LINES']);
      return print(renderText(report, { ...(await terminal(looks)), rows, verbose: looks.verbose, quiet: looks.quiet, stats }), code);
    }
  }
};

/** GitHub shows annotations beside the run, and the summary on its page. stdout stays the caller's. */
const tellGitHub = async (report: Report): Promise<void> => {
  const { renderAnnotations } = await import('./render/github.ts');
  writeNow(2, renderAnnotations(report));
  const summary = process.env['GITHUB_STEP_SUMMARY'];
  if (!summary) return;
  const { renderMarkdown } = await import('./render/markdown.ts');
  try {
    appendFileSync(summary, `${renderMarkdown(report)}\n`);
  } catch (error) {
    writeNow(2, `doctor: cannot write the job summary: ${(error as NodeJS.ErrnoException).code ?? 'unknown error'}\n`);
  }
};

const list = async ({ stack, looks, replay }: Asked<'list'>, session: Session): Promise<number> => {
  const options = await doctorOptions(stack, [], replay);
  const { listChecks } = await import('./here.ts');
  const listing = await listChecks(options, { signal: session.signal, onProgress: () => undefined });
  const ending = session.ending();
  const code = ending === null ? 0 : SIGNAL_CODES[ending];
  const { renderList, renderListJson } = await import('./render/list.ts');
  if (looks.json) return print(renderListJson(listing, { name: TOOL_NAME, version: version() }), code);
  return print(renderList(listing, { ...(await terminal(looks)), verbose: looks.verbose }), code);
};

const graph = async ({ stack, looks, format, replay }: Asked<'graph'>, session: Session): Promise<number> => {
  const options = await doctorOptions(stack, [], replay);
  const { drawGraph } = await import('./here.ts');
  const drawing = await drawGraph(options, { signal: session.signal, onProgress: () => undefined });
  const ending = session.ending();
  // Half a graph is no graph: connections may be missing from it.
  const code = ending === null ? (drawing.notes.length > 0 ? 3 : 0) : SIGNAL_CODES[ending];
  const { renderGraph } = await import('./render/graph.ts');
  const tool = { name: TOOL_NAME, version: version() };
  return print(renderGraph({ ...drawing, tool }, format, { ...(await terminal(looks)), verbose: looks.verbose }), code);
};

const record = async ({ stack, looks, file }: Asked<'record'>, session: Session): Promise<number> => {
  const { assertWritable, createRecording, writeRecording } = await import('./recording/recording.ts');
  await assertWritable(file);
  const progress = await startProgress(session, looks, false);
  const { diagnose } = await import('./doctor.ts');
  const { facts, report } = await diagnose(await doctorOptions(stack, [], null), { signal: session.signal, onProgress: progress.on });
  progress.stop();
  await writeRecording(file, createRecording(facts, { tool: report.tool, recordedAt: report.startedAt }));
  const ending = session.ending();
  const code = ending === null ? 0 : SIGNAL_CODES[ending];
  if (looks.quiet) return code;
  const { shown } = await import('./render/words.ts');
  const told = [
    `Recorded ${Object.keys(facts).length} facts of ${shown(report.stack.project)} in ${shown(file)}; passwords and tokens are not in it.`,
    `See it: doctor --replay ${shown(file)}`,
  ];
  return print(`${told.join('\n')}\n`, code);
};

const init = async ({ stack, looks }: Asked<'init'>, session: Session): Promise<number> => {
  const options = await doctorOptions(stack, [], null);
  const { draftConfig } = await import('./here.ts');
  const { file, text, services } = await draftConfig(options, { signal: session.signal, onProgress: () => undefined });
  try {
    // Never over what somebody wrote meanwhile.
    writeFileSync(file.path, text, { flag: 'wx' });
  } catch (error) {
    throw new UsageError(`cannot write ${file.shownAs}: ${(error as NodeJS.ErrnoException).code ?? 'unknown error'}`, { cause: error });
  }
  if (looks.quiet) return 0;
  const { count, shown } = await import('./render/words.ts');
  const told = [
    `Wrote ${shown(file.shownAs)} from ${count(services, 'service')}; all of it is a comment so far.`,
    'See that it is right: doctor list',
  ];
  return print(`${told.join('\n')}\n`, 0);
};

const reference = async (stack: StackOptions): Promise<Reference> => {
  const { checksHere } = await import('./here.ts');
  return checksHere(await doctorOptions(stack, [], null));
};

const explain = async ({ stack, looks, code }: Asked<'explain'>): Promise<number> => {
  const { explainCode } = await import('./reference.ts');
  const { checks, choice } = await reference(stack);
  const explained = await explainCode(code, checks, choice);
  const { renderExplanation, renderFindings } = await import('./render/explain.ts');
  const look = { ...(await terminal(looks)), verbose: looks.verbose };
  return print(
    explained.kind === 'check'
      ? renderFindings(explained.question, look)
      : renderExplanation({ ...explained, ...explained.question }, look),
    0,
  );
};

const runbook = async ({ stack, looks, verify }: Asked<'runbook'>, session: Session): Promise<number> => {
  const { filesHere } = await import('./here.ts');
  const here = await filesHere(await doctorOptions(stack, [], null), session.signal);
  const { indexRunbooks } = await import('./reference.ts');
  const { checks, choice } = await reference(stack);
  const index = await indexRunbooks(checks, choice, here, verify);
  const { renderRunbook, renderRunbookJson, renderVerification } = await import('./render/runbook.ts');
  const { verification } = index;
  const code = verification === null || verification.problems.length === 0 ? 0 : 1;
  if (looks.json) return print(renderRunbookJson(index, verification, { name: TOOL_NAME, version: version() }), code);
  const look = { ...(await terminal(looks)), verbose: looks.verbose, quiet: looks.quiet };
  return print(verification === null ? renderRunbook(index, look) : renderVerification(verification, index, look), code);
};

main();
