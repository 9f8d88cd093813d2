/** The call or the configuration is wrong, and the user can put it right. The message is one line: what, where, the nearest right word. Exit 2. */
export class UsageError extends Error {
  constructor(message: string, options: { cause?: unknown } = {}) {
    super(message, options);
    this.name = 'UsageError';
  }
}
