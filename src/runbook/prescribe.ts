/** For each finding, the steps to take: from the team's runbook where it has a section, else from the shipped one. */
import { isAbsolute, relative, resolve } from 'node:path';
import type { Located } from '../model/check.ts';
import type { Remedy } from '../model/report.ts';
import { serviceNamed, type Container, type Stack } from '../model/stack.ts';
import { readRunbook } from './read.ts';
import { prescriptionFor } from './remedy.ts';
import type { Runbook } from './runbook.ts';
import type { About } from './section-for.ts';

export interface Prescriber {
  remedyFor(located: Located, stack: Stack): Remedy | null;
  /** What looked like a runbook and is not used. */
  notes: string[];
}

export interface RunbookChoice {
  /** The team's own, by the user's word; `null`: what is found in the project. */
  runbook: string | null;
  /** Those of plugins. */
  plugins?: readonly string[];
  /** The project's folder: where to look, and what names of files are relative to. `null`: look nowhere. */
  project: string | null;
  shippedRunbook: string;
}

/** Runbooks in the order in which they are asked, the shipped one last. */
export interface Library {
  runbooks: Runbook[];
  /** For each of them: why it is used. */
  why: string[];
  notes: string[];
}

/** The names that runbooks have in what people see. Beside a team's own, which may have the same name, the shipped one says whose it is. */
const SHIPPED = 'RUNBOOK.md';
const SHIPPED_BESIDE_A_TEAMS = 'stack-doctor/RUNBOOK.md';

/** Errors: `RunbookError` for one that the user named. One that was found is never an error. */
export const openLibrary = async ({ runbook, plugins = [], project, shippedRunbook }: RunbookChoice): Promise<Library> => {
  const own = readRunbook(shippedRunbook, SHIPPED);
  own.catch(() => undefined);
  const team = runbook === null ? await found(project, shippedRunbook) : await named(runbook, project);
  const added = await Promise.all(plugins.map(async (file) => ({ ...(await readRunbook(file, shownAs(file, project))), onlyNamed: true })));
  const shipped = await own;
  const others = [...team.runbooks, ...added];
  return {
    runbooks: [...others, others.length > 0 ? { ...shipped, file: SHIPPED_BESIDE_A_TEAMS } : shipped],
    why: [
      ...team.why,
      ...added.map(() => 'a plugin brings it, for its own findings'),
      others.length > 0 ? "the doctor's own, for what the others do not have" : "the doctor's own",
    ],
    notes: team.notes,
  };
};

const named = async (runbook: string, project: string | null): Promise<Library> => {
  // A name that the user gave is told as given where something is wrong with it.
  const read = await readRunbook(runbook);
  return { runbooks: [{ ...read, file: shownAs(runbook, project) }], why: ['it was named'], notes: [] };
};

const shownAs = (runbook: string, project: string | null): string => {
  const inside = relative(project ?? process.cwd(), resolve(runbook));
  return /^\.\.([/\\]|$)/.test(inside) || isAbsolute(inside) ? runbook : inside;
};

const found = async (project: string | null, shippedRunbook: string): Promise<Library> => {
  if (project === null) return { runbooks: [], why: [], notes: [] };
  const { findRunbooks } = await import('./find.ts');
  const { found: places, notes } = await findRunbooks(project, shippedRunbook);
  const read = await Promise.all(
    places.map(({ path, file }) => readRunbook(path, file).catch((error: unknown) => notes.push((error as Error).message) && null)),
  );
  const used = places.flatMap(({ why }, i) => (read[i] ? [{ why, runbook: read[i] }] : []));
  return { runbooks: used.map(({ runbook }) => runbook), why: used.map(({ why }) => why), notes };
};

/** Errors: `RunbookError` when a file that was named cannot be used. */
export const prescriber = async (choice: RunbookChoice): Promise<Prescriber> => {
  const { runbooks, notes } = await openLibrary(choice);
  return {
    remedyFor: (located, stack) =>
      prescriptionFor(located.code, aboutOf(located, stack), runbooks, valuesOf(located, stack), located.spec.section)?.remedy ?? null,
    notes,
  };
};

const servicesKnown = new WeakMap<Stack, About['services']>();

/** The same list for every finding of a stack, so that each heading is read once. */
const servicesOf = (stack: Stack): About['services'] => {
  const services = servicesKnown.get(stack) ?? stack.services.map(({ name, role }) => ({ name, role }));
  servicesKnown.set(stack, services);
  return services;
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
    services: servicesOf(stack),
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
