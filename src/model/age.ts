/** How long ago? Facts carry times as ISO 8601; the clock is handed in. */
import { running, type Service } from './stack.ts';

/** Infinity where the time is not known. */
export const secondsSince = (time: string | null | undefined, now: string): number => {
  const then = time ? Date.parse(time) : Number.NaN;
  return Number.isNaN(then) ? Infinity : (Date.parse(now) - then) / 1000;
};

/** Since the last start of the youngest container that runs. */
export const secondsUp = (service: Service, now: string): number =>
  Math.min(...running(service).map((container) => secondsSince(container.state.startedAt, now)));
