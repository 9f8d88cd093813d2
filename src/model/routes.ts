/** Can one container speak to another by a name? Pure questions about networks, names and aliases. */
import type { NetworkFact } from './facts.ts';
import type { Attachment, Container, Stack } from './stack.ts';

/** Lives in another container's network namespace: `network_mode: service:x`. */
export const isLodger = ({ networkMode }: Container): boolean => /^(container|service):/.test(networkMode);

/** Networks that a container speaks on. One that lives in another's network namespace has none of its own. */
export const networksOf = (container: Container, stack: Stack): Attachment[] => {
  const host = /^(?:container|service):(.+)$/.exec(container.networkMode)?.[1];
  if (!host) return container.networks;
  const owner = allContainers(stack).find((each) => each.id === host || each.name === host || each.service === host);
  return owner ? owner.networks : [];
};

export const allContainers = (stack: Stack): Container[] => stack.services.flatMap((service) => service.containers);

/** `host` and the default bridge have no names of services; `none` has nothing. */
export const namelessMode = (container: Container): 'host' | 'bridge' | null => {
  if (container.networkMode === 'host') return 'host';
  // Podman says `bridge` of every bridge, and a container may have joined a second network.
  const isPlain = container.networks.every(({ network }) => network === 'bridge' || network === 'podman');
  return isPlain && (container.networkMode === 'bridge' || container.networkMode === 'default') ? 'bridge' : null;
};

/** A container that was never started has no network id yet; its network's name must do. */
const isSame = (a: Attachment, b: Attachment): boolean =>
  a.networkId && b.networkId ? a.networkId === b.networkId : a.network === b.network;

/** The ends of `target` on the networks that it shares with `client`. */
export const sharedEnds = (client: Container, target: Container, stack: Stack): Attachment[] => {
  const own = networksOf(client, stack);
  return networksOf(target, stack).filter((end) => own.some((each) => isSame(each, end)));
};

/** `extra_hosts`, as `host:ip` or `host=ip`. */
export const isExtraHost = (container: Container, host: string): boolean =>
  container.extraHosts.some((each) => each.startsWith(`${host}:`) || each.startsWith(`${host}=`));

export const isAddress = (host: string): boolean => /^\d{1,3}(\.\d{1,3}){3}$/.test(host) || host.includes(':');

/** Other containers live in its network namespace: what listens there may be theirs. */
export const hasLodgers = (host: Container, stack: Stack): boolean =>
  allContainers(stack).some((each) => each !== host && [`container:${host.id}`, `service:${host.service}`].includes(each.networkMode));

/** No other container lives in its network namespace, and none that is not of the stack shares a network with it. */
export const isAmongItsOwn = (client: Container, stack: Stack, networks: readonly NetworkFact[]): boolean => {
  const names = new Set([...allContainers(stack), ...stack.oneOffs].map((each) => each.name));
  const own = new Set(networksOf(client, stack).map((each) => each.networkId));
  const strangers = networks.some((each) => own.has(each.id) && each.members.some((member) => !names.has(member.container)));
  return !hasLodgers(client, stack) && !strangers && !isLodger(client);
};
