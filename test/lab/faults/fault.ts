import type { StackShape } from '../shapes.ts';
import type { LabStack } from '../stack.ts';

/** One way to break a stack, and what the doctor must say about it. */
export interface Fault {
  id: string;
  title: string;
  /** The stack it breaks. Default: `shootout`, the reference stack. */
  stack?: StackShape;
  /** Ends when the symptom can be seen. */
  inject(stack: LabStack): Promise<void>;
  /** Ends when the stack is healthy again. */
  heal(stack: LabStack): Promise<void>;
  expect: {
    /** The check instance of the root cause: `service/check`, or the check alone for the whole stack. */
    root: string;
    code: string | string[];
    /** Services that look broken or busy and must not be named as a cause. */
    innocents: string[];
    /** Found in the commands or words of the remedy. */
    remedy: RegExp;
    /** `warn`: worth a word, but nothing is broken. Default `fail`. */
    status?: 'warn';
  };
}
