/** Programs that watch the source and start the app anew: how they look on a command line and in the list of processes. */
import type { Process } from './facts.ts';

/** Each starts the app as a child process. When the app dies, these live on, and so does the container. */
const SUPERVISORS: RegExp[] = [
  /\b(uvicorn|gunicorn|hypercorn|granian|litestar|sanic|pserve)\b.*\s--(auto-)?reload(?=\s|=|$)/,
  /\bfastapi dev\b/,
  /\bwatchfiles\b\s+(?!--version)/,
  /\bwatchmedo auto-restart\b/,
  /\b(nodemon|ts-node-dev|tsnd|node-dev)\b/,
  // An option of node itself: `node_modules/.bin/tsc --watch` starts no app.
  /\bnode\b(?:(?!\.[cm]?[jt]s\b|\.bin\/|\s\/).)*\s--watch\b/,
  /\btsx watch\b/,
  /\bnest start\b.*--watch\b/,
  /(^|\/)(air|CompileDaemon|watchexec|cargo-watch|entr)(\s|$)/,
  /\bcargo watch\b/,
  /\bdotnet watch\b/,
];

/** These reload within their own process, or keep a child that looks like themselves. */
const RELOADERS: RegExp[] = [
  /\b(taskiq|celery|arq|dramatiq|rq)\b.*\s--(reload|watch|autoreload)\b/,
  /\bflask\b.*(\s--debug\b|\s--reload\b)/,
  /\bmanage\.py runserver\b(?!.*--noreload)/,
  /\b(vite|next|nuxt|nuxi|astro|remix|gatsby|webpack|ng|svelte-kit|rsbuild|parcel)\s+(dev|serve|develop|start)\b/,
  /(^|[\s/])vite(\s+--|$)/,
  /\b(react-scripts|vue-cli-service)\s+(start|serve)\b/,
  /\b(bun|deno)\b.*\s--(watch|hot)\b/,
  /\brails\s+(s|server)\b|\bmix phx\.server\b/,
];

/** Servers that can reload and do so only when told. */
const ABLE = /\b(uvicorn|hypercorn|granian)\b|\bgunicorn\b(?!.*(\s-c\s|--config))|\bflask\b.*\srun\b|\bfastapi run\b/;

const WRAPPERS =
  /^(\S*\/)?(sh|bash|ash|dash|tini|dumb-init|docker-init|npm|npx|pnpm|yarn|corepack|uv|poetry|pdm|pipenv|hatch|make|just|su-exec|gosu|env|nice)(\s|$)|npm-cli|npx-cli|yarn\.c?js|pnpm\.c?js/;

/** Helpers that outlive the app. */
const NOT_THE_APP = /resource_tracker|<defunct>|\besbuild\b|^\s*$/;

export const isSupervisor = (command: string): boolean => SUPERVISORS.some((pattern) => pattern.test(command));

export const reloads = (command: string): boolean => isSupervisor(command) || RELOADERS.some((pattern) => pattern.test(command));

/** A server that is able to reload and is not asked to, by its command line or its environment. */
export const couldReload = (command: string, env: Record<string, string>): boolean =>
  ABLE.test(command) &&
  !reloads(command) &&
  !/reload/i.test(env['GUNICORN_CMD_ARGS'] ?? '') &&
  !isOn(env['UVICORN_RELOAD']) &&
  !isOn(env['FLASK_DEBUG']);

const isOn = (value: string | undefined): boolean => value !== undefined && /^(1|true|yes|on)$/i.test(value);

/** The process that watches, not the shells and package managers that started it. */
export const supervisorIn = (processes: readonly Process[]): Process | undefined =>
  processes.find(({ command }) => isSupervisor(command) && !WRAPPERS.test(command));

/** Its child processes that can be the app. */
export const appsOf = (supervisor: Process, processes: readonly Process[]): Process[] =>
  processes.filter(({ parent, command }) => parent === supervisor.pid && !NOT_THE_APP.test(command));

const INTERPRETER =
  /(^|[\s/])(python[\d.]*|node|bun|deno|ruby|bundle|rails|php|uvicorn|gunicorn|hypercorn|granian|flask|fastapi|taskiq|celery|arq|dramatiq|rq|npm|npx|pnpm|yarn|tsx|ts-node|nodemon|uv|poetry|mix|iex|go|air|cargo|dotnet|perl|java|gradle|mvn|vite|next|nuxt|astro|[\w.-]+\.sh)(\s|$)/;

/** Does it run source files as they are, or build them as it starts? */
export const runsSource = (command: string): boolean => INTERPRETER.test(command) || reloads(command);
