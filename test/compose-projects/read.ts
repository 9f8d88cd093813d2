/** A compose project of `fixtures/projects` as the doctor takes it in: by its own plain reader, so that no Compose CLI is needed. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { findProject, type ProjectPlace } from '../../src/gather/compose-files.ts';
import { readPlainly } from '../../src/gather/compose-plain.ts';
import { proxiedOf } from '../../src/gather/project.ts';
import { createVault, type Vault } from '../../src/gather/vault.ts';
import { assembleStack } from '../../src/model/assemble.ts';
import type { ProjectFact } from '../../src/model/facts.ts';
import type { Connection, Stack } from '../../src/model/stack.ts';

const ROOT = join(import.meta.dirname, '../../fixtures/projects');

export const projectNames = (): string[] => readdirSync(ROOT).toSorted();

export const folderOf = (name: string): string => join(ROOT, name);

/** The little of the shell that a project may ask for. */
export const SHELL = { HOME: '/home/dev' };

export const placeOf = (name: string): Promise<ProjectPlace> =>
  findProject({ files: [], projectName: null, projectDirectory: null, profiles: [], envFiles: [], cwd: folderOf(name), env: SHELL });

export const readProject = async (name: string, vault: Vault = createVault()): Promise<ProjectFact> => {
  const place = await placeOf(name);
  const read = await readPlainly(place, SHELL, vault);
  return {
    name: place.name,
    workingDir: place.workingDir,
    files: ['compose.yaml'],
    loadedBy: 'plain',
    changedAt: null,
    ...read,
    ...(await proxiedOf(read.services)),
  };
};

export const stackOf = (project: ProjectFact, containers: Parameters<typeof assembleStack>[0]['containers'] = []): Stack =>
  assembleStack({ project, containers, proxies: {} });

/** `→ db postgres`; `→ (api.example.com) http` where it is nobody of the stack. */
const arrow = ({ to, host, kind }: Connection): string => `→ ${to ?? `(${host})`} ${kind}`;

/** One line for each service: its role, and whom it reaches for. Who waits for whom at the start is left out. */
export const linesOf = (stack: Stack): string[] =>
  stack.services.map(({ name, role }) => {
    const own = stack.connections.filter(({ from, kind }) => from === name && kind !== 'depends-on');
    return [name, role, ...new Set(own.map(arrow))].join(' ');
  });
