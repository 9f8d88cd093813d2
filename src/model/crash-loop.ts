/** A container that ends and is started again and again is `running` for moments; nothing asked of it then holds. */
import { isStopCode } from './exit-code.ts';
import type { Container, Stack } from './stack.ts';

/** Between two ends of a crash loop. A restart count alone is history: a service that has recovered has one too. */
export const isFlapping = ({ state }: Container): boolean => state.status === 'running' && state.loops === true;

/** It fails by itself: not stopped, not waiting. */
export const keepsFailing = (container: Container): boolean => {
  const { status, exitCode } = container.state;
  return isFlapping(container) || ((status === 'restarting' || status === 'exited') && exitCode !== 0 && !isStopCode(exitCode));
};

/** Services that Docker could not start. Compose ends a whole `up` at the first of them: others stay created whom nothing else holds back. */
export const failedBeside = (container: Container, { services }: Stack): string[] =>
  services
    .filter(
      ({ name, containers }) =>
        name !== container.service && containers.some(({ state }) => state.status === 'created' && state.error !== ''),
    )
    .map(({ name }) => name);
