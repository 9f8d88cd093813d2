import { type LabEngine, LabUnavailable, openEngine, peekEngine, stopEngine } from './engine.ts';
import { faultById, faults } from './faults.ts';
import { healthyVariants, optionsOf } from './healthy.ts';
import { byShape, shapes, type StackShape } from './shapes.ts';
import { type LabStack, startStack } from './stack.ts';
import { currentStack, forgetCurrent, remember } from './state.ts';
import { removeLostStacks } from './sweep.ts';
import { verifyLab } from './verify.ts';

type Current = NonNullable<ReturnType<typeof currentStack>>;

const HELP = `npm run lab -- <command>

  up [shape]      start the engine if need be, and a stack: shootout (the reference), harbor, orchard, granary, or a healthy variant by its id
  status          where the stack is, how to run the doctor there, what is broken
  list            the faults and the healthy variants
  break <fault>   inject a fault
  heal            undo the injected faults
  down            remove the stack; stop the engine if it is the lab's own
  verify [id...]  inject and heal every fault, start every healthy variant

STACK_DOCTOR_LAB_ENGINE=older takes the lab's Docker Engine 20.10 for this call, STACK_DOCTOR_LAB_ENGINE=own never the machine's.
`;

const say = (text: string): void => void process.stdout.write(`${text}\n`);
const progress = (text: string): void => void process.stderr.write(`lab: ${text}\n`);

async function main([command, ...rest]: string[]): Promise<void> {
  const [argument = ''] = rest;
  switch (command) {
    case 'up':
      return up(await openEngine({ keep: true, onProgress: progress }), argument);
    case 'list':
      return list();
    case 'verify': {
      const engine = await openEngine({ onProgress: progress });
      if (!(await verifyLab(engine, rest, say))) process.exitCode = 1;
      return engine.close();
    }
    case 'down':
      return down();
    case 'status':
    case 'break':
    case 'heal': {
      const engine = await peekEngine();
      const current = engine && currentStack(engine);
      if (!current) throw new Error('there is no stack; `npm run lab -- up` starts one');
      if (command === 'break') return breakStack(current, argument);
      if (command === 'heal') return heal(current);
      return status(current.stack, current.faults);
    }
    default:
      process.stdout.write(HELP);
      process.exitCode = command === undefined || command === 'help' ? 0 : 2;
  }
}

async function breakStack({ stack, faults: broken }: Current, id: string): Promise<void> {
  const fault = faultById(id);
  if ((fault.stack ?? 'shootout') !== stack.shape)
    throw new Error(`"${id}" breaks the stack ${fault.stack ?? 'shootout'}; this is ${stack.shape}`);
  // Noted first: what is half broken must be healed too.
  remember(stack, [...broken, fault.id]);
  await fault.inject(stack);
  say(`${fault.title}\nexpected: ${fault.expect.root}, ${[fault.expect.code].flat().join(' or ')}\ncd ${stack.dir}`);
}

async function heal({ stack, faults: broken }: Current): Promise<void> {
  for (const id of broken.toReversed()) await faultById(id).heal(stack);
  remember(stack, []);
  say(broken.length > 0 ? 'healthy again' : 'nothing was broken');
}

async function down(): Promise<void> {
  const engine = await peekEngine();
  if (!engine) return;
  await currentStack(engine)?.stack.down();
  await removeLostStacks(engine);
  forgetCurrent(engine);
  if (engine.owned) await stopEngine(engine.owned);
}

async function up(engine: LabEngine, wanted: string): Promise<void> {
  const current = currentStack(engine);
  const running = current && (await current.stack.compose('ps', '-q'))?.stdout.trim();
  if (current && running && !wanted) return status(current.stack, current.faults);
  const variant = healthyVariants.find((known) => known.id === wanted);
  if (wanted && !variant && !Object.hasOwn(shapes, wanted)) throw new Error(`no stack or variant "${wanted}"; see \`npm run lab -- list\``);
  await current?.stack.down();
  await removeLostStacks(engine);
  const options = variant ? optionsOf(variant) : { fixture: (wanted || 'shootout') as StackShape };
  const stack = await startStack(engine, { ...options, keep: true, onProgress: progress });
  await variant?.after?.(stack);
  remember(stack, []);
  return status(stack, []);
}

async function status(stack: LabStack, broken: string[]): Promise<void> {
  const exports = Object.entries(stack.engine.env).map(
    ([name, value]) => `export ${name}=${name === 'PATH' ? `${value.split(':')[0]}:$PATH` : value}`,
  );
  say(
    [
      `project  ${stack.project}`,
      `ports    ${Object.entries(stack.ports)
        .map(([name, port]) => `${name} ${port}`)
        .join(', ')}`,
      `broken   ${broken.join(', ') || 'nothing'}`,
      '',
      'Run the doctor there:',
      ...exports.map((line) => `  ${line}`),
      `  cd ${stack.dir}`,
      '  doctor',
    ].join('\n'),
  );
  process.stdout.write((await stack.compose('ps', '-a')).stdout);
}

function list(): void {
  for (const [title, all] of [
    ['faults', faults],
    ['healthy variants', healthyVariants],
  ] as const) {
    for (const [shape, those] of byShape<{ id: string; title: string; stack?: StackShape }>([...all])) {
      say(`${title} of ${shape}`);
      for (const each of those) say(`  ${each.id.padEnd(32)} ${each.title}`);
      say('');
    }
  }
}

// `npm run lab -- list | head` is no error.
process.stdout.on('error', () => process.exit());
main(process.argv.slice(2)).catch((error: Error) => {
  process.stderr.write(`lab: ${error instanceof LabUnavailable ? 'unavailable: ' : ''}${error.message}\n`);
  process.exitCode = 1;
});
