/** Has the machine under the engine what a stack needs: room on the disk, free subnets, the right time? */
import { defineStackCheck, type Finding, type FindingSpec } from '../model/check.ts';
import type { EngineFact, HostFact } from '../model/facts.ts';
import { DEFAULT_THRESHOLDS } from '../model/thresholds.ts';

const cause = (severity: FindingSpec['severity'], means: string, proof: string): FindingSpec => ({
  severity,
  layer: 'host',
  kind: 'cause',
  means,
  proof,
});

export const host = defineStackCheck({
  id: 'host',
  title: 'The machine has room for the stack',
  question: 'Has the machine under the engine disk, addresses and the right time for the stack?',
  needs: ['engine', 'host'],
  after: ['engine'],
  findings: {
    'disk-full': cause(
      'fail',
      "The disk that holds Docker's data is full, so that whatever writes there fails.",
      "`statfs` of the engine's data folder: free blocks and free inodes.",
    ),
    'no-free-subnet': cause(
      'fail',
      'All subnets that Docker may give to networks are taken, so that no network can be made for the project.',
      "The engine's address pools, and the subnets of all its networks.",
    ),
    'subnet-crosses-route': cause(
      'warn',
      'A network of the stack has a subnet to which this machine has another route, of a VPN for example.',
      "The subnets of the stack's networks, and the machine's table of routes.",
    ),
    'clock-differs': cause(
      'warn',
      "The engine's clock differs from this machine's: tokens and certificates are not valid yet, or no more.",
      "The `Date` of the engine's answer, against the clock of this machine.",
    ),
  },
  evaluate({ facts, thresholds = DEFAULT_THRESHOLDS }) {
    const clock = facts.engine.ok ? clockDiffers(facts.engine.value, thresholds.clockApart) : [];
    if (!facts.host.ok) return clock.length > 0 ? { findings: clock } : { cannotLook: facts.host.reason };
    const findings = [
      ...diskFull(facts.host.value, thresholds.diskFree),
      ...noFreeSubnet(facts.host.value),
      ...crossings(facts.host.value),
      ...clock,
    ];
    return { findings };
  },
});

const diskFull = ({ disk }: HostFact, leastBytes: number): Finding[] => {
  if (!disk || (disk.freeBytes >= leastBytes && disk.freeInodes !== 0)) return [];
  const mebibytes = Math.floor(disk.freeBytes / 1024 / 1024);
  const left = disk.freeInodes === 0 ? 'no inode' : `${mebibytes} MiB`;
  return [
    {
      reason: 'disk-full',
      message: `the disk that holds Docker's data (${disk.path}) has ${left} left`,
      evidence: [
        {
          source: `statfs ${disk.path}`,
          text: `${disk.freeBytes} of ${disk.totalBytes} bytes free, ${disk.freeInodes ?? 'unknown'} inodes free`,
        },
      ],
      values: { hostPath: disk.path },
    },
  ];
};

const noFreeSubnet = ({ subnets }: HostFact): Finding[] =>
  subnets?.free === 0
    ? [
        {
          reason: 'no-free-subnet',
          message: `Docker has no free subnet left for a network: ${subnets.networks} networks have them all`,
          evidence: [{ source: 'networks of the engine', text: `${subnets.networks} with subnets; none of the address pools is free` }],
        },
      ]
    : [];

const crossings = ({ crossings: found }: HostFact): Finding[] => {
  const [first] = found;
  if (!first) return [];
  return [
    {
      reason: 'subnet-crosses-route',
      message: `network ${first.network} (${first.subnet}) crosses the route of this machine to ${first.route} over ${first.device}`,
      evidence: found.map(({ network, subnet, route, device }) => ({
        source: `network ${network}: ${subnet}`,
        text: `${route} dev ${device}`,
      })),
      values: { network: first.network },
    },
  ];
};

const clockDiffers = ({ clockAheadSeconds: ahead }: EngineFact, toleratedMs: number): Finding[] => {
  if (ahead === undefined || ahead === null || Math.abs(ahead) * 1_000 <= toleratedMs) return [];
  return [
    {
      reason: 'clock-differs',
      message: `the engine's clock is ${Math.abs(ahead)} s ${ahead > 0 ? 'ahead of' : 'behind'} this machine's`,
      evidence: [{ source: "Date of the engine's answer", text: `${ahead > 0 ? '+' : ''}${ahead} s` }],
    },
  ];
};
