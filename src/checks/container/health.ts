/** A container that runs, and is not well: its probe, its network, its client of the engine. */
import type { Evidence, Finding, Suspect } from '../../model/check.ts';
import { brokenProbe } from '../../model/health-probe.ts';
import { listensElsewhere } from '../../model/listeners.ts';
import { knownErrorIn } from '../../model/log-signatures.ts';
import { allContainers } from '../../model/routes.ts';
import { type Container, isRunning, running, serviceNamed } from '../../model/stack.ts';
import { suspectsOf } from '../../model/suspects.ts';
import { firstLine, linesOf, type Scene } from './scene.ts';

/** `network_mode: service:x` joins the network namespace that `x` has at that moment; with its next start `x` gets a new one. */
export const networkLost = (each: Container, { service, stack }: Scene): Finding[] => {
  const id = /^container:(.+)$/.exec(each.networkMode)?.[1];
  const declared = /^service:(.+)$/.exec(service.spec?.networkMode ?? '')?.[1];
  if (id === undefined || declared === undefined) return [];
  const host = allContainers(stack).find((other) => other.id === id || other.name === id);
  const [now] = running(serviceNamed(stack, declared) ?? service);
  const isGone = host === undefined && now !== undefined && now !== each;
  const isOlder = host !== undefined && isRunning(host) && (host.state.startedAt ?? '') > (each.state.startedAt ?? '9');
  if (!isGone && !isOlder) return [];
  const what = isGone ? 'was made anew' : 'was started again';
  return [
    {
      reason: 'network-lost',
      message: `${service.name} is cut off: it lives in the network that ${declared} had before it ${what}`,
      evidence: [
        { source: `docker inspect ${each.name}: HostConfig.NetworkMode`, text: each.networkMode },
        isGone
          ? { source: `containers of ${declared}`, text: `${now.name}, ${now.id.slice(0, 12)}; none has that id` }
          : {
              source: 'docker inspect',
              text: `${each.name} started ${each.state.startedAt}, ${host!.name} started ${host!.state.startedAt}`,
            },
      ],
      values: { container: each.name, target: declared },
    },
  ];
};

export const health = (each: Container, scene: Scene): Finding[] => {
  if (each.health?.status !== 'unhealthy') return [];
  const { service, stack } = scene;
  const probe = each.health.log.at(-1);
  const output = probe?.output.trim() ?? '';
  const evidence: Evidence[] = [
    { source: `healthcheck of ${each.name}`, text: (each.healthcheck?.test ?? []).join(' ') },
    { source: `last probe of ${each.name}: exit code ${probe?.exitCode ?? 'unknown'}`, text: output || 'no output' },
  ];
  const values = { container: each.name };
  const listeners = scene.inside?.container === each.name ? scene.inside.listeners : [];
  const broken = probe ? brokenProbe(probe, listeners) : null;
  if (broken)
    return [
      {
        reason: 'healthcheck-broken',
        message: `the healthcheck of ${service.name} cannot work: ${broken.says}`,
        evidence,
        values: { ...values, ...broken.values },
      },
    ];
  const known = knownErrorIn(linesOf(each, scene), service.role);
  const suspects =
    known && known.blame !== 'self'
      ? suspectsOf(known, service, stack)?.filter((suspect) => suspect.service !== service.name || suspect.check === 'network')
      : undefined;
  const here: Suspect[] = ['hot-reload', 'http-health', 'postgres', 'redis', 'mysql', 'rabbitmq', 'mongodb', 'ports'].map((check) => ({
    service: service.name,
    check,
  }));
  return [
    {
      reason: 'unhealthy',
      message: `${service.name} runs and is unhealthy: ${firstLine(output) || `its probe ends with ${probe?.exitCode ?? 'no answer'}`}${askedElsewhere(each, scene)}`,
      evidence: [...evidence, ...(known ? [{ source: `${service.name} log: ${known.says}`, text: known.line }] : [])],
      // Without a word on somebody else, the explainer looks here first and then along the connections.
      ...(suspects?.length ? { suspects: [...here, ...suspects] } : {}),
      values,
    },
  ];
};

/** The probe names one port, nothing listens there, and the program listens on another. */
const askedElsewhere = (each: Container, { insideFact }: Scene): string => {
  const words = (each.healthcheck?.test ?? []).join(' ');
  const asked = [...words.matchAll(/(?:localhost|127\.0\.0\.1|\]|\$HOSTNAME):(\d{2,5})\b|\s(?:-p|--port)[\s=]*(\d{2,5})\b/g)].map((found) =>
    Number(found[1] ?? found[2]),
  );
  return new Set(asked).size === 1 && insideFact.ok && insideFact.value.container === each.name
    ? listensElsewhere(asked[0]!, insideFact)
    : '';
};

const API_TOO_OLD = /client version [\d.]+ is too old\. Minimum supported API version is [\d.]+/;

export const dockerClient = (each: Container, scene: Scene): Finding[] => {
  const line = linesOf(each, scene).findLast(({ text }) => API_TOO_OLD.test(text));
  if (!line) return [];
  return [
    {
      reason: 'docker-client-too-old',
      message: `${scene.service.name} speaks a version of Docker's API that this engine no longer knows: ${API_TOO_OLD.exec(line.text)![0]}`,
      evidence: [{ source: `${scene.service.name} log`, text: line.text }],
      values: { container: each.name, image: each.image },
    },
  ];
};
