/** What every command that looks at a stack takes. `null` and `[]`: not given. */
export interface StackOptions {
  files: string[];
  projectName: string | null;
  projectDirectory: string | null;
  profiles: string[];
  envFiles: string[];
  context: string | null;
  /** The team's own runbook; without one, what is found in the project, before the shipped one. */
  runbook: string | null;
  /** A configuration; without one, `doctor.yaml` beside the compose file, if there is one. */
  config: string | null;
  /** For the whole run, in milliseconds. */
  timeoutMs: number;
}
