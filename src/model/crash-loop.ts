/** A container that ends and is started again and again is `running` for moments; nothing asked of it then holds. */
import { secondsSince } from './age.ts';
import { isStopCode } from './exit-code.ts';
import type { Container } from './stack.ts';

const JUST_SECONDS = 5;
const FRESH_SECONDS = 20;
const LOOP_SECONDS = 120;

/** Between two ends of a crash loop: Docker restarted it by itself, and it is only just started, or always was. */
export const isFlapping = (container: Container, now: string): boolean => {
  const { restartCount, startedAt, status } = container.state;
  if (status !== 'running' || restartCount === 0 || container.health?.status === 'healthy') return false;
  const up = secondsSince(startedAt, now);
  const perRun = (secondsSince(container.createdAt, now) - up) / restartCount;
  return up < JUST_SECONDS || (restartCount >= 2 && up < FRESH_SECONDS && perRun < LOOP_SECONDS);
};

/** It fails by itself: not stopped, not waiting. */
export const keepsFailing = (container: Container, now: string): boolean => {
  const { status, exitCode } = container.state;
  return isFlapping(container, now) || ((status === 'restarting' || status === 'exited') && exitCode !== 0 && !isStopCode(exitCode));
};
