/** Breaks real stacks and asks the built doctor. Everything that counts is elsewhere and pure. */
import { readFileSync, readdirSync } from 'node:fs';
import { cpus, loadavg } from 'node:os';
import { join } from 'node:path';
import { parse } from 'yaml';
import type { Report } from '../../src/model/report.ts';
import type { LabEngine } from '../lab/engine.ts';
import { faultById } from '../lab/faults.ts';
import type { Fault } from '../lab/faults/fault.ts';
import { get } from '../lab/faults/tools.ts';
import { optionsOf } from '../lab/healthy.ts';
import type { HealthyVariant } from '../lab/healthy-variant.ts';
import { sleep, until } from '../lab/run.ts';
import { type StackShape, shapes } from '../lab/shapes.ts';
import { type LabStack, startStack } from '../lab/stack.ts';
import { diagnosis, failures } from '../live/doctor.ts';
import { ALL_IS_WELL, type Declared, declared, firstInOrder, mostUpstream, namedByWait } from './baselines.ts';
import type { Case } from './case.ts';
import { shapeOf } from './choice.ts';
import { type Noise, noises } from './noise.ts';
import { type Pair, pairId } from './pairs.ts';
import { type Expected, type Named, expectedText, isNamed, judge, layerOf } from './score.ts';

export interface RunOptions {
  withNoise: boolean;
  /** Called while a fault stands and nothing else does. */
  onBroken?(stack: LabStack, fault: Fault): Promise<void>;
  onProgress(text: string): void;
}

/** One stack for all of them, as long as each can be healed. */
export async function* faultCases(
  engine: LabEngine,
  shape: StackShape,
  faults: readonly Fault[],
  options: RunOptions,
): AsyncGenerator<Case> {
  let stack: LabStack | null = null;
  try {
    for (const fault of faults) {
      stack ??= await startStack(engine, { fixture: shape });
      options.onProgress(fault.id);
      const { rows, takeOffs } = await brokenBy(stack, fault, options);
      yield* rows;
      const left = await leftBehind(stack, fault, takeOffs);
      if (left === null) continue;
      options.onProgress(`${fault.id}: a new stack for the next (${left})`);
      await stack.down();
      stack = null;
    }
  } finally {
    await stack?.down();
  }
}

type TakeOff = Awaited<ReturnType<Noise['putOn']>>;

const brokenBy = async (stack: LabStack, fault: Fault, options: RunOptions): Promise<{ rows: Case[]; takeOffs: TakeOff[] }> => {
  const roots = [fault.expect];
  const row = (kind: Case['kind']): Case => blank(kind, fault.id, fault.title, shapeOf(fault), roots);
  const services = declaredIn(stack);
  const takeOffs: TakeOff[] = [];
  const rows: Case[] = [];
  try {
    await fault.inject(stack);
    const quiet = { ...row('fault'), ...(await diagnosed(stack, roots, [], services)) };
    rows.push(quiet);
    await options.onBroken?.(stack, fault);
    if (options.withNoise) rows.push({ ...row('noise'), ...(await noisy(stack, fault, services, takeOffs)) });
    // It changes what it looks at, so it comes last.
    quiet.baselines.wait = await waited(stack, roots, services);
  } catch (error) {
    if (rows.length === 0) rows.push({ ...row('fault'), problem: (error as Error).message });
    else options.onProgress(`${fault.id}: ${(error as Error).message}`);
  }
  return { rows, takeOffs };
};

const noisy = async (stack: LabStack, fault: Fault, services: Declared, takeOffs: TakeOff[]): Promise<Partial<Case>> => {
  try {
    for (const noise of noises) takeOffs.push(await noise.putOn(stack, fault.expect.innocents));
    return await diagnosed(stack, [fault.expect], [], services);
  } catch (error) {
    return { problem: (error as Error).message };
  }
};

/** What is left of one fault must not be taken for the next. */
const leftBehind = async (stack: LabStack, fault: Fault, takeOffs: TakeOff[]): Promise<string | null> => {
  try {
    await fault.heal(stack);
    for (const takeOff of takeOffs.toReversed()) await takeOff();
    await until('the stack to be well', async () => (await isWell(stack)) || null, 20_000, 1_000);
    return null;
  } catch (error) {
    return (error as Error).message.split('\n')[0]!;
  }
};

/** A stack of its own for each: what heals one fault waits for a site that the other keeps down. */
export async function* pairCases(engine: LabEngine, pairs: readonly Pair[], options: RunOptions): AsyncGenerator<Case> {
  for (const pair of pairs) {
    const id = pairId(pair);
    options.onProgress(id);
    const both = [faultById(pair.first), faultById(pair.second)];
    const shape = shapeOf(both[0]!);
    const hidden = both.filter((fault) => fault.id === pair.hides?.id).map(({ expect }) => expect);
    const roots = both.map(({ expect }) => expect).filter((each) => !hidden.includes(each));
    const row = { ...blank('pair', id, both.map(({ title }) => title).join('; '), shape, roots), hidden: hidden.map(expectedText) };
    const stack = await startStack(engine, { fixture: shape });
    try {
      for (const fault of both) await fault.inject(stack);
      const services = declaredIn(stack);
      const said = await diagnosed(stack, roots, hidden, services);
      said.baselines.wait = await waited(stack, [...roots, ...hidden], services);
      yield { ...row, ...said };
    } catch (error) {
      yield { ...row, problem: (error as Error).message };
    } finally {
      await stack.down();
    }
  }
}

export async function* healthyCases(engine: LabEngine, variants: readonly HealthyVariant[], options: RunOptions): AsyncGenerator<Case> {
  for (const variant of variants) {
    options.onProgress(variant.id);
    const row = blank('healthy', variant.id, variant.title, shapeOf(variant), []);
    try {
      const stack = await startStack(engine, optionsOf(variant));
      try {
        await variant.after?.(stack);
        yield { ...row, ...(variant.unwitnessed ? await once(stack) : await whileWell(stack, () => timed(stack))) };
      } finally {
        await stack.down();
      }
    } catch (error) {
      yield { ...row, problem: (error as Error).message };
    }
  }
}

const once = async (stack: LabStack): Promise<Pick<Case, 'said' | 'red' | 'ms'>> => {
  const { report, ms } = await timed(stack);
  return { ...told(report), ms };
};

/** A stack that its own users see failing is no healthy one: the machine may be too slow for it. Then the question is asked again. */
const whileWell = async (stack: LabStack, ask: () => ReturnType<typeof timed>): Promise<Pick<Case, 'said' | 'red' | 'ms'>> => {
  for (let attempt = 1; attempt <= 5; attempt++) {
    const seen: number[] = [];
    const over = new AbortController();
    const witness = (async () => {
      while (!over.signal.aborted) {
        seen.push((await get(stack, shapes[stack.shape].front.path)).status);
        await sleep(200);
      }
    })();
    const { report, ms } = await ask().finally(() => over.abort());
    await witness;
    if (seen.every((status) => status > 0 && status < 500)) return { ...told(report), ms };
    await sleep(5_000);
  }
  throw new Error('the stack itself failed its users whenever it was asked: the machine is too slow for it');
};

const blank = (kind: Case['kind'], id: string, title: string, stack: string, roots: readonly Expected[]): Case => ({
  kind,
  id,
  title,
  stack,
  layer: roots[0] ? layerOf(roots[0]) : null,
  expected: roots.map(expectedText),
  said: [],
  red: [],
  verdict: null,
  baselines: {},
  ms: NaN,
  load: Math.round((10 * loadavg()[0]!) / cpus().length) / 10,
});

const timed = async (stack: LabStack): Promise<{ report: Report; ms: number }> => {
  const begun = performance.now();
  const { report } = await diagnosis(stack);
  return { report, ms: Math.round(performance.now() - begun) };
};

const diagnosed = async (
  stack: LabStack,
  roots: readonly Expected[],
  hidden: readonly Expected[],
  services: Declared,
): Promise<Pick<Case, 'said' | 'red' | 'verdict' | 'baselines' | 'ms'>> => {
  const { report, ms } = await timed(stack);
  const all = [...roots, ...hidden];
  return {
    ...told(report),
    verdict: judge(report, roots, hidden),
    baselines: {
      order: baseline(firstInOrder(report, services), all),
      upstream: baseline(mostUpstream(report, services), all),
    },
    ms,
  };
};

/** Without the folder of this machine. */
const told = (report: Report): Pick<Case, 'said' | 'red'> => ({
  said: report.rootCauses.map(({ id, code, summary }) => `${id} ${code}: ${summary.replaceAll(report.stack.workingDir, '.')}`),
  red: report.checks
    .filter(({ status }) => status !== 'pass' && status !== 'skip')
    .map(
      ({ id, status, code, reason, causedBy, blockedBy }) => `${id} ${status} ${code ?? reason ?? ''} ← ${causedBy ?? blockedBy ?? '?'}`,
    ),
});

type Told = NonNullable<Case['baselines']['wait']>;

const baseline = (said: Named | null, expected: readonly Expected[]): Told => ({
  said: said && `${said.service ?? 'the whole stack'}${said.code ? ` ${said.code}` : ''}`,
  service: said !== null && expected.some((each) => isNamed({ ...each, code: 'any' }, { ...said, code: 'any' })),
  reason: said !== null && expected.some((each) => isNamed(each, said)),
});

const WAIT_SECONDS = 10;

/** What Compose says when it is asked to make all of it run. It may even mend it, or see nothing wrong: then it names nobody. */
const waited = async (stack: LabStack, expected: readonly Expected[], services: Declared): Promise<Told> => {
  const { code, stdout, stderr } = await stack
    .compose('up', '-d', '--wait', '--wait-timeout', String(WAIT_SECONDS), ...shapes[stack.shape].stays)
    .catch((error: Error) => ({ code: 1, stdout: '', stderr: error.message }));
  if (code === 0) return { said: ALL_IS_WELL, service: false, reason: false };
  return baseline(namedByWait(code, `${stdout}\n${stderr}`, stack.project, services), expected);
};

/** The file that was there before anything was broken. */
const declaredIn = (stack: LabStack): Declared => {
  const name = readdirSync(stack.pristine).find((each) => /^(docker-)?compose\.ya?ml$/.test(each))!;
  return declared(parse(readFileSync(join(stack.pristine, name), 'utf8'), { merge: true }) as Parameters<typeof declared>[0]);
};

const isWell = async (stack: LabStack): Promise<boolean> => {
  const { report } = await diagnosis(stack);
  const wrong = failures(report);
  if (wrong.length > 0) throw new Error(wrong.join('; '));
  return true;
};
