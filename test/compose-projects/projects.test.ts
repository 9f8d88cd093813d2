/** Compose projects of many shapes, as people write them: nothing crashes, nothing is alarmed at, everything is what it is. */
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { checks } from '../../src/checks/index.ts';
import { drawGraph, listChecks } from '../../src/here.ts';
import type { DoctorOptions } from '../../src/open.ts';
import { gatherProject } from '../../src/gather/project.ts';
import { createVault } from '../../src/gather/vault.ts';
import type { Finding, Known } from '../../src/model/check.ts';
import type { FactName } from '../../src/model/facts.ts';
import { instancesOf } from '../../src/model/selection.ts';
import type { Container, Stack } from '../../src/model/stack.ts';
import { renderGraph } from '../../src/render/graph.ts';
import { renderList, renderListJson } from '../../src/render/list.ts';
import { fact, gap, makeContainer, NOW } from '../checks/make.ts';
import { folderOf, linesOf, placeOf, projectNames, readProject, SHELL, stackOf } from './read.ts';
import { PROJECTS } from './table.ts';

const NAMES = projectNames();

test('every project is in the table, and there are many', () => {
  expect(Object.keys(PROJECTS).toSorted()).toEqual(NAMES);
  expect(NAMES.length).toBeGreaterThanOrEqual(40);
});

describe.each(NAMES)('%s', (name) => {
  let project: Awaited<ReturnType<typeof readProject>>;
  let stack: Stack;
  beforeAll(async () => {
    project = await readProject(name);
    stack = stackOf(project);
  });

  test('its files load, with every variable set', () => {
    expect(project.error).toBeNull();
    expect(project.unsetVariables).toEqual([]);
  });

  test('roles and connections', () => {
    const lines = PROJECTS[name]!.trim()
      .split('\n')
      .map((line) => line.trim());
    expect(linesOf(stack)).toEqual(lines);
    for (const { roleReason } of stack.services) expect(roleReason).not.toBe('');
  });

  test('its files are no reason for alarm', () => expect(alarms(stack, { project })).toEqual([]));

  test('with all of it running, roles stay what they are, and nobody is alarmed', () => {
    const up = stackOf(project, containersOf(stack));
    const roles = ({ services }: Stack) => services.map((each) => [each.name, each.role]);
    expect(roles(up)).toEqual(roles(stack));
    expect(alarms(up, { project, containers: containersOf(stack) })).toEqual([]);
  });

  test('`doctor list` and `doctor graph` tell of every service', async () => {
    const listing = await listChecks(optionsFor(name), HOOKS);
    expect(listing.services.map((each) => `${each.name} ${each.role}`)).toEqual(stack.services.map((each) => `${each.name} ${each.role}`));
    const drawing = await drawGraph(optionsFor(name), HOOKS);
    const shapes = [
      renderList(listing, TERMINAL),
      renderListJson(listing, TOOL),
      ...(['text', 'mermaid', 'dot', 'json'] as const).map((format) => renderGraph({ tool: TOOL, ...drawing }, format, TERMINAL)),
    ];
    for (const shape of shapes) for (const each of stack.services) expect(shape).toContain(each.name);
  });
});

/** Compose itself is the authority; where its CLI is at hand, our own reading must come to the same. */
describe('beside `docker compose config`', () => {
  test.each(NAMES)('%s', async (name) => {
    const vault = createVault();
    // Once the vault knows all secrets, both readings mask the same words.
    await readProject(name, vault);
    const said = await gatherProject(await placeOf(name), { ...SHELL, ...process.env }, vault, AbortSignal.timeout(10_000));
    const own = await readProject(name, vault);
    expect(said.error).toBeNull();
    expect(own.services).toEqual(said.services);
    expect(own.proxied).toEqual(said.proxied);
  });
});

const TOOL = { name: 'stack-doctor', version: '0.0.0' };
const TERMINAL = { colour: false, unicode: true, columns: 100, verbose: true };
const HOOKS = { signal: new AbortController().signal, onProgress: () => {} };

/** No engine and no CLI: from the files alone. */
const optionsFor = (name: string): DoctorOptions => ({
  files: [],
  projectName: null,
  projectDirectory: null,
  profiles: [],
  envFiles: [],
  context: null,
  selectors: [],
  runbook: null,
  config: null,
  timeoutMs: 20_000,
  cwd: folderOf(name),
  env: { ...SHELL, PATH: '', DOCKER_HOST: `unix://${join(folderOf(name), 'no-engine.sock')}` },
  shippedRunbook: '',
  version: TOOL.version,
  replay: null,
});

/** One container for each service that should run, made as its files say. What only the image knows is left out. */
const containersOf = (stack: Stack): Container[] =>
  stack.services
    .filter(({ spec }) => spec !== null && spec.active && spec.replicas > 0)
    .flatMap(({ name, role, spec }) => {
      const { image, entrypoint, command, environment, ports, mounts, networks, networkMode, restart, healthcheck, dependsOn } = spec!;
      const ends = role === 'one-shot';
      return Array.from({ length: spec!.replicas }, (_, index) =>
        makeContainer({
          service: name,
          number: index + 1,
          name: spec!.containerName ?? `${stack.project}-${name}-${index + 1}`,
          image: image ?? `${stack.project}-${name}`,
          env: environment,
          entrypoint: entrypoint ?? [],
          // Nobody's container runs nothing.
          command: command ?? (entrypoint === null ? ['/start'] : []),
          mounts: mounts.map((mount) => ({ ...mount, name: mount.type === 'volume' ? mount.source : null })),
          portBindings: ports,
          ports: ends ? [] : ports,
          exposedPorts: spec!.exposed ?? [],
          networks: networks.map((network) => ({ network, names: [name, ...(spec!.aliases ?? [])] })),
          networkMode: networkMode ?? networks[0] ?? '',
          restartPolicy: restart ?? 'no',
          healthcheck,
          ...(spec!.routes && { routes: spec!.routes }),
          ...(ends ? { state: { status: 'exited' as const, exitCode: 0 } } : {}),
          compose: { project: stack.project, workingDir: stack.workingDir, dependsOn },
        }),
      );
    });

/** Whatever any check finds with nothing but these facts, and calls a failure. */
const alarms = (stack: Stack, known: Partial<Record<FactName, unknown>>): string[] =>
  instancesOf(stack, checks).flatMap(({ id, check, service }) => {
    const facts = Object.fromEntries(
      check.needs.map((need: FactName) => [need, need in known ? fact(known[need]) : gap('not looked at')]),
    ) as Known<FactName>;
    const verdict = check.evaluate({ stack, service, facts, peers: {}, now: NOW } as never);
    const findings: Finding[] = 'findings' in verdict ? verdict.findings : [];
    return findings
      .filter((each) => (each.severity ?? check.findings[each.reason]!.severity) === 'fail')
      .map((each) => `${id}/${each.reason}: ${each.message}`);
  });
