/** How long ago? Facts carry times as ISO 8601; the clock is handed in. */
import type { Fact, LogFact } from './facts.ts';
import { running, type Service } from './stack.ts';

/** Infinity where the time is not known. */
export const secondsSince = (time: string | null | undefined, now: string): number => {
  const then = time ? Date.parse(time) : Number.NaN;
  return Number.isNaN(then) ? Infinity : (Date.parse(now) - then) / 1000;
};

/** Since the last start of the youngest container that runs. */
export const secondsUp = (service: Service, now: string): number =>
  Math.min(...running(service).map((container) => secondsSince(container.state.startedAt, now)));

/** A program without a healthcheck is given this long to begin. */
const BEGINNING_SECONDS = 10;

/** Still within the time that it may take to begin: Docker has no verdict yet, and so there is none. Not if Docker had to start it again: it ended by itself. */
export const isStarting = (service: Service, now: string): boolean => {
  const containers = running(service);
  return (
    containers.length > 0 &&
    containers.every(({ state, health, healthcheck }) => {
      if (state.restartCount > 0) return false;
      const up = secondsSince(state.startedAt, now);
      if (health === null) return up < BEGINNING_SECONDS;
      return health.status === 'starting' && up < Math.max(BEGINNING_SECONDS, (healthcheck?.startPeriodMs ?? 0) / 1000);
    })
  );
};

/** When the first of its containers that run was started. ISO 8601. */
export const startOf = (service: Service): string | null =>
  running(service)
    .map((each) => each.state.startedAt)
    .find((each) => each !== null) ?? null;

/** When a proxy last loaded its configuration, and with it looked up names: its start, or a later line of its log. ISO 8601. */
export const loadedAt = (service: Service, logs: Fact<LogFact>, reload: RegExp): string | null => {
  const reloaded = logs.ok ? (logs.value.lines.findLast(({ text }) => reload.test(text))?.time ?? null) : null;
  const started = startOf(service);
  return reloaded !== null && (started === null || reloaded > started) ? reloaded : started;
};

/** What is no fault yet, because somebody has only just started. */
export const WHILE_STARTING = { severity: 'warn', starting: true } as const;

/** What a log said a quarter of an hour ago may have been mended since; what it says now has not. */
const RECENT_SECONDS = 900;

/** A line without a time is of this start, and that is all that is known. */
export const isRecent = (time: string | null, now: string): boolean => time === null || secondsSince(time, now) <= RECENT_SECONDS;
