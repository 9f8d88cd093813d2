/** Where good ends, as far as teams differ about it. Everything else that is a limit is of the matter, and stands beside its check. */
export interface Thresholds {
  /** Bytes that the disk under Docker's data must have left. */
  diskFree: number;
  /** Milliseconds after which an answer of a health path is late. */
  slowHealth: number;
  /** Milliseconds for which sessions may wait for a lock of an idle transaction. */
  blockedFor: number;
  /** Milliseconds by which the engine's clock may differ. */
  clockApart: number;
}

export const DEFAULT_THRESHOLDS: Thresholds = {
  // One segment of a database's log.
  diskFree: 16 * 1024 * 1024,
  // Half of what a healthcheck is mostly given. A developer's machine is busy; a page that is compiled when it is first asked for takes a second.
  slowHealth: 2_500,
  blockedFor: 1_000,
  // The answer's time has whole seconds, and came a moment ago.
  clockApart: 5_000,
};
