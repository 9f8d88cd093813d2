/** A proxy still calls an address that its service had, and which belongs to another one now, who answers. Pure. */
import { addressesOf, serviceAt } from './addresses.ts';
import { listed } from './attempt.ts';
import type { Evidence } from './check.ts';
import type { Service, Stack } from './stack.ts';

interface Call {
  proxy: Service;
  target: Service;
  port: number | string;
  /** Addresses that the proxy has just called on that port. */
  called: readonly string[];
  /** Services that it passes requests to. */
  meant: readonly string[];
  status: number;
  stack: Stack;
}

/** `null`: it called the service itself, or nobody that is known. */
export const wrongAnswer = ({
  proxy,
  target,
  port,
  called,
  meant,
  status,
  stack,
}: Call): { message: string; evidence: Evidence[] } | null => {
  const now = addressesOf(target);
  const wrong = called.find((address) => {
    const owner = serviceAt(stack, address);
    return owner && owner.name !== proxy.name && !meant.includes(owner.name);
  });
  if (!wrong || called.some((address) => now.includes(address))) return null;
  const owner = serviceAt(stack, wrong)!;
  return {
    message: `${proxy.name} still sends to ${wrong} for ${target.name}, which is now ${listed(now)}; ${wrong} now belongs to ${owner.name}, which answers ${status}`,
    evidence: [
      { source: `sockets of ${proxy.name} and ${owner.name}`, text: `${proxy.name} has just called ${wrong}:${port}` },
      { source: `addresses of ${target.name}`, text: listed(now) },
    ],
  };
};
