/** `doctor graph`: who reaches for whom, as which user, and where that is written; for people, for Mermaid, for Graphviz, for programs. */
import type { Graph, GraphEdge, GraphNode } from '../model/graph.ts';
import { SCHEMA_VERSION } from '../model/report.ts';
import { width } from './fit.ts';
import { renderJson } from './json.ts';
import { createPen, type Pen, type Terminal } from './pen.ts';
import { count, shown } from './words.ts';

export interface Drawn {
  tool: { name: string; version: string };
  stack: { project: string; workingDir: string; composeFiles: string[] };
  graph: Graph;
  notes: string[];
}

export const renderGraph = (
  drawn: Drawn,
  format: 'text' | 'mermaid' | 'dot' | 'json',
  terminal: Terminal & { verbose: boolean },
): string => {
  switch (format) {
    case 'json':
      return graphJson(drawn);
    case 'mermaid':
      return mermaid(drawn);
    case 'dot':
      return dot(drawn);
    case 'text':
      return text(drawn, terminal);
  }
};

const graphJson = ({ tool, stack, graph, notes }: Drawn): string =>
  renderJson({
    schemaVersion: SCHEMA_VERSION,
    tool,
    stack,
    services: graph.services,
    outside: graph.outside,
    connections: graph.connections,
    notes,
  });

/** A name only waited for at the start is no address that anybody speaks to. */
const isOrder = ({ kind }: GraphEdge): boolean => kind === 'depends-on';

/** `app:***@db:5432/shop`: as the client spells it, without the path of a web address, which is no one's database. */
const addressOf = ({ kind, host, port, user, password, database, malformed }: GraphEdge): string => {
  const login = user === null && password === null ? '' : `${user ?? ''}${password === null ? '' : ':***'}@`;
  const name = host.includes(':') && kind !== 'socket' ? `[${host}]` : host;
  const address = `${login}${name}${port > 0 ? `:${port}` : ''}${database === null ? '' : `/${database}`}`;
  return malformed === null ? address : `${address} (${malformed})`;
};

const kindOf = ({ kind, tls }: GraphEdge): string => (tls ? `${kind} over TLS` : kind);

const targetOf = ({ to, host, place }: GraphEdge): string => {
  if (place === 'itself') return 'itself';
  return place === 'service' ? to! : host;
};

const PLACES = { service: '', itself: '', host: 'on the host', outside: 'not of this stack' } as const;

const text = ({ stack, graph, notes }: Drawn, terminal: Terminal & { verbose: boolean }): string => {
  const pen = createPen(terminal);
  const spoken = graph.connections.filter((edge) => !isOrder(edge));
  const parts = [
    `${pen.say(stack.project) || 'this stack'}: ${count(graph.services.length, 'service')}`,
    count(spoken.length, 'connection'),
    ...(graph.outside.length > 0 ? [`${count(graph.outside.length, 'host')} not of this stack`] : []),
  ];
  const lines = [...pen.paragraph(parts.join(pen.dot), { styles: ['bold'] }), ''];
  for (const node of graph.services) lines.push(...serviceLines(node, graph, pen, terminal.verbose));
  for (const note of notes) lines.push(...pen.paragraph(`Note: ${pen.say(note)}`, { hang: 6, styles: ['dim'] }));
  return `${lines.join('\n').trimEnd()}\n`;
};

const serviceLines = (node: GraphNode, graph: Graph, pen: Pen, verbose: boolean): string[] => {
  const own = graph.connections.filter(({ from }) => from === node.name);
  const lines = [`${pen.paint(pen.say(node.name), 'bold')}  ${pen.paint(pen.say(stateOf(node)), 'dim')}`];
  if (verbose && node.networks.length > 0) lines.push(...labelled('on', node.networks, pen));
  if (verbose && node.aliases.length > 0) lines.push(...labelled('also called', node.aliases, pen));
  const rows = own.filter((edge) => !isOrder(edge)).map((edge) => rowOf(edge, pen));
  // What does not fit beside the others is wrapped; one long address must not push all others aside.
  const columns = [0, 1].map((column) => Math.min(24, Math.max(0, ...rows.map((row) => width(row[column]!)))));
  for (const row of rows) {
    const fixed = row.slice(0, 2).map((cell, column) => cell + ' '.repeat(Math.max(0, columns[column]! - width(cell))));
    lines.push(
      ...pen.paragraph(`${fixed.join('  ')}  ${row[2]}`.replaceAll('  ', GAP), { lead: `  ${pen.say('→')} `, hang: 8 }).map(ungap),
    );
  }
  const awaited = [...new Set(own.filter(isOrder).map(({ to }) => to!))];
  if (awaited.length > 0) lines.push(...labelled('starts after', awaited, pen));
  return [...lines, ''];
};

/** Two spaces between columns stay two where words are wrapped. */
const GAP = '\u2007\u2007';
const ungap = (line: string): string => line.replaceAll('\u2007', ' ');

const rowOf = (edge: GraphEdge, pen: Pen): [string, string, string] => {
  const place = PLACES[edge.place];
  const rest = [addressOf(edge), edge.source, ...(place === '' ? [] : [place])];
  return [pen.say(targetOf(edge)), pen.say(kindOf(edge)), rest.map((each) => pen.say(each)).join(pen.dot)];
};

const labelled = (label: string, names: string[], pen: Pen): string[] =>
  pen.paragraph(`${label} ${names.map((name) => pen.say(name)).join(', ')}`, { lead: '    ', hang: 6, styles: ['dim'] });

const stateOf = ({ role, state, health, replicas, running }: GraphNode): string => {
  const parts = [role, state === 'missing' ? 'no container' : state, ...(health !== null && health !== state ? [health] : [])];
  if (replicas > 1) parts.push(running === replicas ? `${replicas} replicas` : `${running} of ${replicas} replicas run`);
  return parts.join(', ');
};

/** Drawn once for each pair and kind; where it is written is told together. */
interface Arrow {
  from: string;
  to: string;
  kind: string;
  dashed: boolean;
  label: string[];
}

interface Picture {
  nodes: { id: string; lines: string[]; shape: 'service' | 'store' | 'outside'; down: boolean }[];
  arrows: Arrow[];
}

const STORES = new Set(['postgres', 'redis', 'mysql', 'mongodb', 'rabbitmq', 'amqp']);

/** Ids are our own: a name may be a keyword of the language that it is drawn in. */
const pictureOf = ({ graph }: Drawn): Picture => {
  const ids = new Map<string, string>();
  for (const { name } of graph.services) ids.set(`service ${name}`, `s${ids.size}`);
  const asked = new Set(graph.connections.filter(({ kind }) => STORES.has(kind)).map(({ to }) => to));
  const nodes: Picture['nodes'] = graph.services.map((node) => ({
    id: ids.get(`service ${node.name}`)!,
    lines: [node.name, stateOf(node)],
    shape: STORES.has(node.role) || asked.has(node.name) ? 'store' : 'service',
    down: node.state !== 'running' && node.role !== 'one-shot' && node.role !== 'build-only',
  }));
  const others = new Set(
    graph.connections.flatMap((edge) => (edge.place === 'host' ? ['host'] : edge.place === 'outside' ? [edge.host] : [])),
  );
  for (const host of [...others].toSorted()) {
    const key = `other ${host}`;
    ids.set(key, `x${ids.size}`);
    nodes.push({ id: ids.get(key)!, lines: [host === 'host' ? 'the host' : host], shape: 'outside', down: false });
  }
  const arrows = new Map<string, Arrow>();
  for (const edge of graph.connections) {
    const from = ids.get(`service ${edge.from}`);
    const to = ids.get(endOf(edge));
    if (from === undefined || to === undefined) continue;
    const kind = kindOf(edge);
    const key = `${from} ${to} ${kind}`;
    const arrow = arrows.get(key) ?? { from, to, kind, dashed: isOrder(edge), label: [] };
    if (!isOrder(edge) && !arrow.label.includes(edge.source)) arrow.label.push(edge.source);
    arrows.set(key, arrow);
  }
  return { nodes, arrows: [...arrows.values()] };
};

const endOf = ({ from, to, host, place }: GraphEdge): string => {
  if (place === 'service') return `service ${to}`;
  if (place === 'itself') return `service ${from}`;
  return `other ${place === 'host' ? 'host' : host}`;
};

const labelOf = ({ kind, label, dashed }: Arrow): string[] => [dashed ? 'starts after' : kind, ...label];

/** Mermaid reads `#name;` as a character, and HTML and Markdown inside quotes. */
const inMermaid = (lines: string[]): string =>
  `"${lines.map((line) => shown(line).replace(/[#"&<>`\\]/g, (char) => `#${char.codePointAt(0)};`)).join('<br>')}"`;

const MERMAID_SHAPES = { service: ['[', ']'], store: ['[(', ')]'], outside: ['([', '])'] } as const;

const mermaid = (drawn: Drawn): string => {
  const { nodes, arrows } = pictureOf(drawn);
  const down = nodes.filter((each) => each.down).map(({ id }) => id);
  return `${[
    ...drawn.notes.map((note) => `%% ${shown(note).replaceAll('%', '')}`),
    'flowchart LR',
    ...nodes.map(({ id, lines, shape }) => `  ${id}${MERMAID_SHAPES[shape][0]}${inMermaid(lines)}${MERMAID_SHAPES[shape][1]}`),
    ...arrows.map((arrow) => `  ${arrow.from} ${arrow.dashed ? '-.->' : '-->'}|${inMermaid(labelOf(arrow))}| ${arrow.to}`),
    ...(down.length > 0 ? ['  classDef down stroke:#c00,stroke-dasharray:4', `  class ${down.join(',')} down`] : []),
  ].join('\n')}\n`;
};

const inDot = (lines: string[]): string => `"${lines.map((line) => shown(line).replace(/[\\"]/g, (char) => `\\${char}`)).join('\\n')}"`;

const DOT_SHAPES = { service: 'box', store: 'cylinder', outside: 'ellipse' } as const;

const dot = (drawn: Drawn): string => {
  const { nodes, arrows } = pictureOf(drawn);
  const attributes = (each: Picture['nodes'][number]) =>
    [`label=${inDot(each.lines)}`, `shape=${DOT_SHAPES[each.shape]}`, ...(each.down ? ['color=red', 'style=dashed'] : [])].join(', ');
  return `${[
    ...drawn.notes.map((note) => `// ${shown(note)}`),
    `digraph ${inDot([drawn.stack.project])} {`,
    '  rankdir=LR;',
    ...nodes.map((each) => `  ${each.id} [${attributes(each)}];`),
    ...arrows.map((arrow) => `  ${arrow.from} -> ${arrow.to} [label=${inDot(labelOf(arrow))}${arrow.dashed ? ', style=dashed' : ''}];`),
    '}',
  ].join('\n')}\n`;
};
