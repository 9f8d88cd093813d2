/** What an exit code of a container says. 126 to 128 are the shell's and Docker's own words; 128 + n is death by signal n. */

const MEANINGS: Record<number, string> = {
  0: 'ended without an error, or was stopped',
  1: 'the program ended with an error',
  2: 'the program or its shell refused its arguments',
  125: 'Docker itself failed',
  126: 'the command is not executable',
  127: 'command not found',
  128: 'the start failed',
  // runc and the engine use 255 for what they cannot tell; also seen on all containers after the machine went down.
  255: 'the program ended with an error, or the engine went down under it',
};

const SIGNALS: Record<number, string> = {
  1: 'SIGHUP: hung up',
  2: 'SIGINT: interrupted',
  3: 'SIGQUIT: asked to quit',
  4: 'SIGILL: an instruction that this processor lacks',
  6: 'SIGABRT: the program gave up',
  7: 'SIGBUS: bad memory access',
  8: 'SIGFPE: arithmetic error',
  9: 'SIGKILL: killed from outside, or after a stop that it ignored',
  11: 'SIGSEGV: bad memory access',
  13: 'SIGPIPE: its reader went away',
  15: 'SIGTERM: asked to stop',
};

/** `127: command not found`, `137: SIGKILL: …`. */
export const explainExitCode = (code: number): string => {
  const meaning = MEANINGS[code] ?? SIGNALS[code - 128] ?? (code > 128 && code < 255 ? `signal ${code - 128}` : "the program's own code");
  return `${code}: ${meaning}`;
};

/** Codes that a stop leaves behind: SIGINT, SIGKILL after the grace period, SIGTERM. They tell nothing of a fault. */
export const isStopCode = (code: number): boolean => code === 130 || code === 137 || code === 143;
