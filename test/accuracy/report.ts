/** Results → `docs/accuracy.md`. Pure. */
import { LAYERS } from '../../src/model/check.ts';
import { ALL_IS_WELL, BASELINES, type Baseline } from './baselines.ts';
import type { Case, Results } from './case.ts';
import { noises } from './noise.ts';
import type { Verdict } from './score.ts';
import { type Group, type Share, groups, quantile, share, wilson } from './statistics.ts';

type Judged = Case & { verdict: Verdict };

const isJudged = (row: Case): row is Judged => row.verdict !== null;

export const reportText = ({ startedAt, versions, set, cases }: Results): string => {
  const of = (kind: Case['kind']) => cases.filter((row) => row.kind === kind);
  const [faults, noisy, pairs] = [of('fault').filter(isJudged), of('noise').filter(isJudged), of('pair').filter(isJudged)];
  const healthy = of('healthy').filter(({ problem }) => problem === undefined);
  return [
    '<!-- Written by `npm run accuracy`; do not edit. -->',
    '# How often the doctor is right',
    '',
    `Run of ${startedAt.slice(0, 10)}: ${Object.entries(versions)
      .map(([what, version]) => `${what} ${version}`)
      .join(', ')}.`,
    '',
    `Measured: ${KINDS.map(({ kind, plural }) => `${measured(cases, kind)} of ${set[kind]} ${plural}`).join(', ')}.`,
    '',
    HOW,
    '## One fault',
    '',
    ...comparison(faults),
    '',
    `Compose said that all is well in ${faults.filter(({ baselines }) => baselines.wait?.said === ALL_IS_WELL).length} of these cases.`,
    unsureText(faults),
    '',
    ...detail(
      'stack',
      groups(faults, ({ stack }) => stack),
    ),
    '',
    ...detail('layer of the true cause', groups(faults, ({ layer }) => layer ?? 'none').toSorted(byLayer)),
    '',
    '## One fault and noise',
    '',
    `The same faults, each with all of this beside it: ${noises.map(({ title }) => title).join('; ')}.`,
    '',
    ...detail(
      'stack',
      groups(noisy, ({ stack }) => stack),
    ),
    '',
    '## Two faults at once',
    '',
    ...pairTable(pairs),
    '',
    '## Nothing broken',
    '',
    'Any failure is a false alarm, and so is "could not look".',
    '',
    ...table(
      ['stack', 'n', 'false alarms'],
      [...groups(healthy, ({ stack }) => stack), ['all', healthy] as const].map(([stack, rows]) => [
        stack,
        String(rows.length),
        shareText(share(rows, isAlarm)),
      ]),
    ),
    '',
    '## Time',
    '',
    `From the start of the process to its end. The machine's load per core was ${loadText(cases)} in the middle half of all cases; above 1, everything waits for a core.`,
    '',
    ...timeTable({ 'one fault': faults, 'with noise': noisy, 'two faults': pairs, 'nothing broken': healthy }),
    '',
    '## Every miss',
    '',
    ...misses(cases),
    '',
  ].join('\n');
};

const KINDS: { kind: Case['kind']; plural: string }[] = [
  { kind: 'fault', plural: 'faults' },
  { kind: 'noise', plural: 'faults with noise' },
  { kind: 'pair', plural: 'pairs of faults' },
  { kind: 'healthy', plural: 'healthy stacks' },
];

const measured = (cases: readonly Case[], wanted: Case['kind']): number =>
  cases.filter(({ kind, problem }) => kind === wanted && problem === undefined).length;

const HOW = `Every fault is injected into a real stack on a real Docker Engine; the built \`doctor --json\` is asked as a person would ask it; the stack is
healed, and the next fault follows. \`npm run accuracy\` does it all again. The faults are in \`test/lab/faults/\`, each with the cause that must be named
(service and accepted codes), the services that are innocent, and what the remedy must say; the pairs in \`test/accuracy/pairs.ts\`, the noise in
\`test/accuracy/noise.ts\`, the healthy stacks in \`test/lab/healthy.ts\`. The set was made by those who made the doctor: it tells what works, not how other
people's stacks are distributed. Intervals are Wilson's, at 95 %.

- **service**: the first cause named is of the right service. **reason**: its code is an accepted one as well.
- **nobody else**: no innocent service is named as a cause. **alone**: no other cause is named beside the true one.
- **remedy**: the steps printed for the first cause hold the right one, and do not begin with a loss of data.
- **path**: every failing and every blocked check leads, by \`causedBy\`, to the true cause.

Three baselines get the same broken stack. The first two are given the doctor's own checks, without its explanation: the failing checks (warnings where nothing
fails), findings of the whole stack before those of a service. The third is \`docker compose up -d --wait --wait-timeout 10\`, run last because it
changes the stack: it counts as right when its error names the right container or service (the right file, for a fault of the whole stack). Where it says that all is well,
because it has mended the fault or cannot see it, it has named nobody and counts as wrong; how often that is stands below the table. It gives no
reason codes.
`;

/** The doctor and those it is compared with, over the same cases. */
const comparison = (rows: readonly Judged[]): string[] => {
  const named = (key: Baseline, what: 'service' | 'reason') => (row: Case) => row.baselines[key]?.[what] === true;
  const lines: [string, Share, Share | null][] = [
    ['**doctor**', share(rows, ({ verdict }) => verdict.service), share(rows, ({ verdict }) => verdict.reason)],
    ...(Object.keys(BASELINES) as Baseline[]).map((key): [string, Share, Share | null] => {
      const measured = rows.filter(({ baselines }) => baselines[key] !== undefined);
      return [BASELINES[key], share(measured, named(key, 'service')), key === 'wait' ? null : share(measured, named(key, 'reason'))];
    }),
  ];
  return table(
    ['who', 'n', 'service', 'reason'],
    lines.map(([who, service, reason]) => [who, String(service.n), shareText(service), reason ? shareText(reason) : '–']),
  );
};

const ASPECTS: Record<string, (verdict: Verdict) => boolean> = {
  service: ({ service }) => service,
  reason: ({ reason }) => reason,
  'nobody else': ({ blamed }) => blamed.length === 0,
  alone: ({ extra }) => extra.length === 0,
  remedy: ({ remedy }) => remedy,
  path: ({ strays, found }) => found && strays.length === 0,
};

const detail = (by: string, parts: readonly Group<Judged>[]): string[] =>
  table(
    [by, 'n', ...Object.keys(ASPECTS)],
    [...parts, ['all', parts.flatMap(([, rows]) => rows)] as const].map(([name, rows]) => [
      name,
      String(rows.length),
      ...Object.values(ASPECTS).map((isRight) => shareText(share(rows, ({ verdict }) => isRight(verdict)))),
    ]),
  );

/** A doubt is honest when the true cause is among what it is about. */
const unsureText = (rows: readonly Judged[]): string => {
  const unsure = rows.filter(({ verdict }) => verdict.amongCandidates !== null);
  const honest = unsure.filter(({ verdict }) => verdict.amongCandidates).length;
  const wrong = rows.filter(({ verdict }) => !verdict.reason);
  return `The doctor said in ${unsure.length} cases that the evidence does not decide; the true cause was among its candidates in ${honest} of them. Of its ${wrong.length} wrong first causes, it was sure of ${wrong.filter(({ verdict }) => verdict.amongCandidates === null).length}.`;
};

const pairTable = (rows: readonly Judged[]): string[] => {
  const [open, hiding] = [rows.filter(({ hidden }) => !hidden?.length), rows.filter(({ hidden }) => hidden?.length)];
  const baseline = (key: Baseline) =>
    share(
      rows.filter(({ baselines }) => baselines[key] !== undefined),
      ({ baselines }) => baselines[key]!.service,
    );
  return table(
    ['question', 'n', 'right'],
    [
      ['both causes are named', share(open, ({ verdict }) => verdict.found)] as const,
      ['the first cause named is one of the two', share(rows, ({ verdict }) => verdict.reason)] as const,
      ['where one hides the other: the one that can be seen is named', share(hiding, ({ verdict }) => verdict.found)] as const,
      ['nobody else is named', share(rows, ({ verdict }) => verdict.extra.length === 0)] as const,
      ['every failing check leads to one of the two', share(rows, ({ verdict }) => verdict.strays.length === 0)] as const,
      ...(Object.keys(BASELINES) as Baseline[]).map(
        (key) => [`${BASELINES[key]}: names the service of one of the two`, baseline(key)] as const,
      ),
    ].map(([question, right]) => [question, String(right.n), shareText(right)]),
  );
};

const timeTable = (parts: Record<string, readonly Case[]>): string[] =>
  table(
    ['stack', 'n', 'median', '95 % within'],
    Object.entries(parts).map(([name, rows]) => {
      const times = rows.map(({ ms }) => ms);
      return [
        name,
        String(rows.length),
        ...[0.5, 0.95].map((part) => (rows.length > 0 ? `${(quantile(times, part) / 1000).toFixed(2)} s` : '–')),
      ];
    }),
  );

const byLayer = ([a]: Group<Case>, [b]: Group<Case>): number =>
  LAYERS.findIndex((layer) => layer === a) - LAYERS.findIndex((layer) => layer === b);

const loadText = (cases: readonly Case[]): string => {
  const loads = cases.map(({ load }) => load);
  return `${quantile(loads, 0.25)}–${quantile(loads, 0.75)}`;
};

/** What is wrong with a case, in a word each. */
export const faultsOf = (row: Case): string[] => {
  if (row.problem !== undefined) return ['not measured'];
  if (!isJudged(row)) return isAlarm(row) ? ['false alarm'] : [];
  const { verdict } = row;
  return [
    ...(verdict.service ? [] : ['service']),
    ...(verdict.service && !verdict.reason ? ['reason'] : []),
    ...(verdict.reason && !verdict.found ? ['not all found'] : []),
    ...(verdict.blamed.length > 0 ? [`blames ${verdict.blamed.join(', ')}`] : []),
    ...(verdict.extra.length > 0 && verdict.reason ? ['more than the true cause'] : []),
    ...(verdict.reason && !verdict.remedy ? ['remedy'] : []),
    ...(verdict.reason && verdict.strays.length > 0 ? ['path'] : []),
  ];
};

const isAlarm = ({ red }: Case): boolean => red.some((line) => / (fail|blocked|error) /.test(line));

const NAMES: Record<Case['kind'], string> = { fault: '', noise: ', with noise', pair: '', healthy: ' (healthy)' };

const misses = (cases: readonly Case[]): string[] => {
  const missed = cases.filter((row) => faultsOf(row).length > 0);
  if (missed.length === 0) return ['None.'];
  return missed.flatMap((row) => [
    `- **${row.id}**${NAMES[row.kind]} (${row.stack}): ${faultsOf(row).join(', ')}. ${row.title}.`,
    ...(row.problem === undefined ? [] : [`  - ${row.problem.split('\n')[0]!.slice(0, 300)}`]),
    ...(row.expected.length > 0 ? [`  - expected: ${row.expected.map(code).join(' and ')}`] : []),
    ...(row.load > 2 ? [`  - the machine was overloaded: ${row.load} per core`] : []),
    ...(row.problem === undefined ? [`  - said: ${row.said.map(code).join('; ') || 'nothing'}`] : []),
    ...(row.verdict?.strays.length ? [`  - led astray: ${row.verdict.strays.map(code).join('; ')}`] : []),
    ...(row.kind === 'healthy' && row.said.length === 0 && row.red.length > 0 ? [`  - ${row.red.map(code).join('; ')}`] : []),
  ]);
};

const code = (text: string): string => `\`${text.replaceAll('`', "'")}\``;

/** `96.5 % (88.1–99.0)` */
export const shareText = ({ hits, n }: Share): string => {
  if (n === 0) return '–';
  const [low, high] = wilson({ hits, n }).map((bound) => (100 * bound).toFixed(0));
  return `${((100 * hits) / n).toFixed(1)} % (${low}–${high})`;
};

const table = (head: string[], rows: readonly (readonly string[])[]): string[] =>
  [head, head.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`);
