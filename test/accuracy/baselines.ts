/**
 * What one would say without an engine of causes, of the same broken stack. Pure. The first two get the doctor's own failing checks,
 * which is more than most people have at hand.
 */
import type { Report } from '../../src/model/report.ts';
import type { Named } from './score.ts';

export const BASELINES = {
  order: 'first failing check, in the order of the compose file',
  upstream: 'most upstream in `depends_on` among services with a failing check',
  wait: '`docker compose up -d --wait`',
} as const;
/** What a baseline says that takes the broken stack for a good one. */
export const ALL_IS_WELL = 'all is well';
export type Baseline = keyof typeof BASELINES;

/** Services in the order of the compose file, each with what it depends on. */
export type Declared = Map<string, string[]>;

interface ComposeFile {
  services: Record<string, { depends_on?: string[] | Record<string, unknown> } | null>;
}

export const declared = (file: ComposeFile): Declared =>
  new Map(
    Object.entries(file.services).map(([name, service]) => {
      const on = service?.depends_on ?? [];
      return [name, Array.isArray(on) ? on : Object.keys(on)];
    }),
  );

/** What is wrong with the whole stack first, as anybody would; then service by service. Warnings count where nothing fails. */
const red = (report: Report, services: Declared): Named[] => {
  const order = [null, ...services.keys()];
  const place = (service: string | null) => (order.includes(service) ? order.indexOf(service) : order.length);
  const of = (wanted: string) => report.checks.filter(({ status }) => status === wanted);
  return (of('fail').length > 0 ? of('fail') : of('warn')).toSorted((a, b) => place(a.service) - place(b.service));
};

export const firstInOrder = (report: Report, services: Declared): Named | null => red(report, services)[0] ?? null;

export const mostUpstream = (report: Report, services: Declared): Named | null => {
  const failing = red(report, services);
  const names = new Set(failing.map(({ service }) => service));
  const isBelowNobody = ({ service }: Named) => service === null || ![...below(service, services)].some((each) => names.has(each));
  return failing.find(isBelowNobody) ?? failing[0] ?? null;
};

/** All that a service depends on, itself excluded. */
const below = (service: string, services: Declared): Set<string> => {
  const found = new Set<string>();
  const queue = [service];
  for (let each = queue.pop(); each !== undefined; each = queue.pop()) {
    for (const next of services.get(each) ?? []) {
      if (next === service || found.has(next)) continue;
      found.add(next);
      queue.push(next);
    }
  }
  return found;
};

/** Whom Compose names when it gives up: its last word. `null`: nobody. */
export const namedByWait = (code: number, output: string, project: string, services: Declared): Named | null => {
  if (code === 0) return null;
  const names = [...services.keys()].toSorted((a, b) => b.length - a.length).map((name) => name.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&'));
  const asContainer = new RegExp(`${project}[-_](${names.join('|')})[-_]\\d+`);
  const asService = new RegExp(`\\bservice "?(${names.join('|')})\\b`);
  const lines = output
    .split('\n')
    .filter((line) => /error|fail|unhealthy|exited|refused|no such|denied|invalid|required|yaml:/i.test(line));
  // Its last word is the error; before it come the lines of its progress.
  for (const line of lines.toReversed()) {
    const service = asContainer.exec(line)?.[1] ?? asService.exec(line)?.[1];
    if (service) return { service, code: null };
    if (/yaml|\.ya?ml|\.env|variable|interpolat/i.test(line)) return { service: null, code: null };
  }
  return null;
};
