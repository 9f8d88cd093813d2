/** The call or the configuration is wrong, and the user can put it right. The message is one line: what, where, the nearest right word. Exit 2. */
export class UsageError extends Error {
  constructor(message: string, options: { cause?: unknown } = {}) {
    super(message, options);
    this.name = 'UsageError';
  }
}

/** The configuration is wrong: told whatever else the call is about. */
export class ConfigError extends UsageError {
  constructor(message: string, options: { cause?: unknown } = {}) {
    super(message, options);
    this.name = 'ConfigError';
  }
}
