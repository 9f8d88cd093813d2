/** What Docker says of a container that it could not start (`State.Error`), sorted by what stood in the way. */

export type StartObstacle = 'port' | 'mount' | 'network' | 'not-found' | 'not-executable' | 'other';

/**
 * Order matters: a failed mount comes with exit 127 and `not a directory`, a taken port is wrapped in
 * `failed to set up container networking`, and both mention files and networks in passing.
 */
const OBSTACLES: [StartObstacle, RegExp][] = [
  [
    'port',
    /port is already allocated|failed to bind host port|ports are not available|listen (?:tcp|udp)[46]? .{0,200}(?:address already in use|only one usage)/i,
  ],
  [
    'mount',
    /mount a directory onto a file|error mounting|invalid mount|bind source path does not exist|mounts denied|creating mount source path|failed to mount/i,
  ],
  ['network', /network \S{1,100} not found|could not find a network/i],
  ['not-executable', /exec: "[^"]*": (?:is a directory: )?permission denied|exec format error|exec \S{1,200}: permission denied/i],
  ['not-found', /executable file not found|exec: "[^"]*": stat \S{1,200}: no such file|exec \S{1,200}: no such file/i],
];

export const obstacleOf = (error: string): StartObstacle => OBSTACLES.find(([, pattern]) => pattern.test(error))?.[0] ?? 'other';

/** The program that Docker tried to run, as its error names it. */
export const programIn = (error: string): string | null => /exec:? "?([^":\s][^":]{0,200})"?:/.exec(error)?.[1]?.trim() ?? null;

const WANTED_PORT =
  /(?:bind for|host port(?: for)?|listen (?:tcp|udp)[46]?|exposing port (?:tcp|udp))\s+(\[[0-9a-f:]*\]|[0-9.]+|:)?:?(\d{1,5})\b/i;

/** The host address and port that a start wanted and did not get, from either text: Docker's allocator or the kernel. */
export const portWanted = (error: string): { hostIp: string; port: number } | null => {
  const found = WANTED_PORT.exec(error);
  return found ? { hostIp: (found[1] ?? '').replace(/^\[|\]$/g, ''), port: Number(found[2]) } : null;
};

const WRAPPERS =
  /^(?:failed to (?:create task for container|create shim task|start shim|set up container networking)|OCI runtime create failed|runc create failed|unable to start container process|driver failed programming external connectivity on endpoint \S{1,200}(?: \([0-9a-f]+\))?|error during container init): /;

/** The error without the layers that it came through. */
export const coreOf = (error: string): string => {
  let core = error;
  while (WRAPPERS.test(core)) core = core.replace(WRAPPERS, '');
  return core;
};
