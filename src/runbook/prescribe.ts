/** For each finding, the steps to take: from the team's runbook where it has a section, else from the shipped one. */
import { isAbsolute, relative } from 'node:path';
import type { Located } from '../model/check.ts';
import type { Remedy } from '../model/report.ts';
import { serviceNamed, type Container, type Stack } from '../model/stack.ts';
import { readRunbook } from './read.ts';
import { prescriptionFor } from './remedy.ts';
import type { Runbook } from './runbook.ts';
import type { About } from './section-for.ts';

export interface Prescriber {
  remedyFor(located: Located, stack: Stack): Remedy | null;
}

/** The names that runbooks have in what people see. Beside a team's own, which may have the same name, the shipped one says whose it is. */
const SHIPPED = 'RUNBOOK.md';
const SHIPPED_BESIDE_A_TEAMS = 'stack-doctor/RUNBOOK.md';

/** As people here would write it. */
const shown = (file: string): string => {
  const way = isAbsolute(file) ? relative(process.cwd(), file) : file;
  return way.startsWith('..') ? file : way;
};

export interface RunbookFiles {
  /** The team's own; `null`: none. */
  runbook: string | null;
  /** Those of plugins. */
  plugins?: readonly string[];
  shippedRunbook: string;
}

/** The team's, if any, those of plugins, then the shipped one. Errors: `RunbookError`. */
export const readRunbooks = async ({ runbook, plugins = [], shippedRunbook }: RunbookFiles): Promise<Runbook[]> => {
  const isAlone = runbook === null && plugins.length === 0;
  return Promise.all([
    ...(runbook === null ? [] : [readRunbook(runbook, shown(runbook))]),
    ...plugins.map(async (file) => ({ ...(await readRunbook(file, shown(file))), onlyNamed: true })),
    readRunbook(shippedRunbook, isAlone ? SHIPPED : SHIPPED_BESIDE_A_TEAMS),
  ]);
};

/** Errors: `RunbookError` when a file cannot be used. */
export const prescriber = async (options: RunbookFiles): Promise<Prescriber> => {
  const runbooks = await readRunbooks(options);
  return {
    remedyFor: (located, stack) =>
      prescriptionFor(located.code, aboutOf(located, stack), runbooks, valuesOf(located, stack), located.spec.section)?.remedy ?? null,
  };
};

const aboutOf = (located: Located, stack: Stack): About => {
  const values = located.finding.values ?? {};
  const named = [located.service, values['client'], values['target']].flatMap((name) =>
    name != null && serviceNamed(stack, name) ? [name] : [],
  );
  const target = values['target'];
  return {
    service: located.service,
    role: located.service === null ? null : (serviceNamed(stack, located.service)?.role ?? null),
    targetRole: target === undefined ? null : (serviceNamed(stack, target)?.role ?? null),
    affected: [...new Set(named)],
    services: stack.services.map(({ name, role }) => ({ name, role })),
  };
};

/** What the check saw, and what the stack itself tells. */
const valuesOf = (located: Located, stack: Stack): Record<string, string> => {
  const container = located.service === null ? undefined : serviceNamed(stack, located.service)?.containers[0];
  const values = located.finding.values ?? {};
  const volumes = container?.mounts.filter(({ type, name }) => type === 'volume' && name !== null) ?? [];
  return {
    project: stack.project,
    ...(located.service !== null && { service: located.service }),
    ...(container && { container: container.name, ...publishedUrl(container, values) }),
    ...(volumes.length === 1 && { volume: volumes[0]!.name! }),
    ...values,
  };
};

/** Where a person on the host can ask the same: the port inside is not for the host. */
const publishedUrl = (container: Container, { path = '/', port }: Record<string, string>): { url?: string } => {
  const bound = container.ports.find(({ containerPort, protocol }) => protocol === 'tcp' && String(containerPort) === port);
  if (!bound || !path.startsWith('/')) return {};
  const everywhere = ['', '0.0.0.0', '::', '127.0.0.1', '::1'].includes(bound.hostIp);
  return { url: `http://${everywhere ? 'localhost' : bound.hostIp}:${bound.hostPort}${path}` };
};
