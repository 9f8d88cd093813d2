/**
 * `npm run accuracy`: how often the doctor is right, on every fault, pair and healthy stack of the lab. A whole run writes `docs/accuracy.md`;
 * a part of it is only printed.
 *
 *   --only id,id     these faults, variants or pairs (`a + b`)
 *   --stack shape    one stack shape
 *   --third 1|2|3    a fixed third of the set
 *   --no-noise       each fault once, without noise
 *   --json file      the results, written after every case
 *   --resume         goes on where the file of --json ends
 *   --record         faults are recorded as well, as `npm run record` does
 *   --report file    no run: `docs/accuracy.md` from the results in that file
 */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { type Case, type Results, keyOf } from '../test/accuracy/case.ts';
import { type Choice, isChosen, shapeOf } from '../test/accuracy/choice.ts';
import { pairId, pairs } from '../test/accuracy/pairs.ts';
import { faultsOf, reportText } from '../test/accuracy/report.ts';
import { type RunOptions, faultCases, healthyCases, pairCases } from '../test/accuracy/run.ts';
import { type LabEngine, openEngine } from '../test/lab/engine.ts';
import { faultById, faults } from '../test/lab/faults.ts';
import { healthyVariants } from '../test/lab/healthy.ts';
import { must } from '../test/lab/run.ts';
import { byShape } from '../test/lab/shapes.ts';
import { removeLostStacks } from '../test/lab/sweep.ts';
import { recordStack } from '../test/recording/record.ts';

const DOCUMENT = fileURLToPath(new URL('../docs/accuracy.md', import.meta.url));
const say = (text: string): void => void process.stderr.write(`${text}\n`);

const { values } = parseArgs({
  options: {
    only: { type: 'string' },
    stack: { type: 'string' },
    third: { type: 'string' },
    'no-noise': { type: 'boolean', default: false },
    json: { type: 'string' },
    resume: { type: 'boolean', default: false },
    record: { type: 'boolean', default: false },
    report: { type: 'string' },
  },
});
const choice: Choice = {
  only: values.only?.split(',').map((id) => id.trim()) ?? null,
  stack: values.stack ?? null,
  third: values.third === undefined ? null : Number(values.third),
};
const isWhole = Object.values(choice).every((each) => each === null) && !values['no-noise'];

const write = (results: Results): void => {
  mkdirSync(fileURLToPath(new URL('../docs/', import.meta.url)), { recursive: true });
  writeFileSync(DOCUMENT, reportText(results));
  say('docs/accuracy.md is written');
};

const set: Results['set'] = { fault: faults.length, noise: faults.length, pair: pairs.length, healthy: healthyVariants.length };

const versionsOf = async (engine: LabEngine): Promise<Record<string, string>> => {
  const own = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as { version: string };
  const ask = async (...args: string[]) => (await must(engine.docker, args, { env: engine.env })).trim();
  return {
    'stack-doctor': own.version,
    'Docker Engine': await ask('version', '--format', '{{.Server.Version}}'),
    'Docker Compose': await ask('compose', 'version', '--short'),
    'Node.js': process.version.slice(1),
  };
};

async function* allCases(
  engine: LabEngine,
  isDone: (kind: Case['kind'], id: string) => boolean,
  options: RunOptions,
): AsyncGenerator<Case> {
  const broken = faults.filter((fault) => isChosen(fault.id, shapeOf(fault), choice) && !isDone('fault', fault.id));
  for (const [shape, group] of byShape(broken)) yield* faultCases(engine, shape, group, options);
  const twice = pairs.filter((pair) => isChosen(pairId(pair), shapeOf(faultById(pair.first)), choice) && !isDone('pair', pairId(pair)));
  yield* pairCases(engine, twice, options);
  const healthy = healthyVariants.filter((variant) => isChosen(variant.id, shapeOf(variant), choice) && !isDone('healthy', variant.id));
  yield* healthyCases(engine, healthy, options);
}

const measure = async (): Promise<void> => {
  const engine = await openEngine({ onProgress: (text) => say(`lab: ${text}`) });
  try {
    await removeLostStacks(engine);
    const before =
      values.resume && values.json && existsSync(values.json) ? (JSON.parse(readFileSync(values.json, 'utf8')) as Results) : null;
    const results: Results = before ?? { startedAt: new Date().toISOString(), versions: await versionsOf(engine), set, cases: [] };
    results.set = set;
    // What could not be staged is tried again.
    results.cases = results.cases.filter(({ problem }) => problem === undefined);
    const done = new Set(results.cases.map(keyOf));
    const options: RunOptions = {
      withNoise: !values['no-noise'],
      onProgress: (text) => say(`… ${text}`),
      ...(values.record && { onBroken: (stack, fault) => recordStack(stack, fault.id) }),
    };
    for await (const row of allCases(engine, (kind, id) => done.has(keyOf({ kind, id })), options)) {
      results.cases.push(row);
      const wrong = faultsOf(row);
      say(`${wrong.length === 0 ? 'ok ' : 'BAD'} ${keyOf(row)} ${Number.isNaN(row.ms) ? '' : `${row.ms} ms`} ${wrong.join(', ')}`);
      if (wrong.length > 0)
        for (const line of [row.problem ?? '', ...row.expected.map((each) => `expected ${each}`), ...row.said, ...row.red])
          if (line) say(`      ${line}`);
      if (values.json) writeFileSync(values.json, `${JSON.stringify(results, null, 1)}\n`);
    }
    if (isWhole) write(results);
    else process.stdout.write(reportText(results));
  } finally {
    await engine.close();
  }
};

if (values.report) write(JSON.parse(readFileSync(values.report, 'utf8')) as Results);
else await measure();
