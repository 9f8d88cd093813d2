import type { StackShape } from './shapes.ts';
import type { LabStack, StackOptions } from './stack.ts';

/** A stack that is well although it differs from the reference: the doctor must report no failure. */
export interface HealthyVariant {
  id: string;
  title: string;
  /** Default: `shootout`. */
  stack?: StackShape;
  options: Omit<StackOptions, 'fixture'>;
  /** What happens once it runs. */
  after?(stack: LabStack): Promise<void>;
  /** Its users cannot witness that it is well: nothing is published, or what they ask for is still starting. */
  unwitnessed?: true;
}
