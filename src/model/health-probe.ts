/** Can a healthcheck work at all? Its program may be missing, its form wrong, or its address one on which nothing listens. */
import type { Listener } from './facts.ts';
import type { ProbeResult } from './stack.ts';

export interface BrokenProbe {
  /** What is wrong with it, as the end of a sentence. */
  says: string;
  values: Record<string, string>;
}

/** The shell's words, whatever code a `|| exit 1` made of its 127. */
const SHELL_MISSING = /^(?:\S{0,100}\/)?(?:ba|da|a|z)?sh: (?:line )?(?:\d+: )?([^\s:]{1,100}): (?:command )?not found/m;
/** Docker's words for a `CMD` healthcheck, exit code -1. */
const EXEC_MISSING = /exec: "([^"]*)": (executable file not found|stat \S{1,200}: no such file|permission denied)/;
const NO_PERMISSION = /^(?:\S{0,100}\/)?(?:ba|da|a|z)?sh: (?:line )?(?:\d+: )?([^\s:]{1,100}): Permission denied/m;
/** busybox wget and others take `::1` for `localhost` and do not fall back. */
const V6_REFUSED = /\[?::1\]?(?::| port )(\d+)\b.{0,40}refused/i;

export const brokenProbe = (probe: ProbeResult, listeners: readonly Listener[]): BrokenProbe | null => {
  if (probe.exitCode === 0) return null;
  const exec = EXEC_MISSING.exec(probe.output);
  if (exec) return missingProgram(exec[1]!, exec[2]!);
  const shell = SHELL_MISSING.exec(probe.output) ?? (probe.exitCode === 126 ? NO_PERMISSION.exec(probe.output) : null);
  if (shell) return { says: `it calls ${shell[1]}, which the container cannot run`, values: { program: shell[1]! } };
  return onlyIpv4(probe, listeners);
};

const missingProgram = (program: string, why: string): BrokenProbe => {
  if (/\s/.test(program)) return { says: `Docker takes "${program}" for the name of one program`, values: { program } };
  return {
    says: `it calls ${program}, which ${why.startsWith('permission') ? 'is not executable' : 'is not in the container'}`,
    values: { program },
  };
};

const onlyIpv4 = (probe: ProbeResult, listeners: readonly Listener[]): BrokenProbe | null => {
  const port = Number(V6_REFUSED.exec(probe.output)?.[1]);
  const onPort = listeners.filter((each) => each.port === port);
  if (!port || onPort.length === 0 || onPort.some((each) => each.family === 6)) return null;
  return {
    says: `it asks [::1]:${port}, and the service listens on ${onPort[0]!.address}:${port} only`,
    values: { port: String(port), address: '::1' },
  };
};
