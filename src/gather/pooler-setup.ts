/** pgbouncer's configuration as its container has it. Passwords become marks as they are read; nothing else of the list of users is kept. */
import type { PoolerSetup } from '../model/facts.ts';
import { isHashed, parseIni, parseUsers, type Ini } from '../model/pooler-setup.ts';
import type { Container } from '../model/stack.ts';
import { CannotLook, type Gathering } from './gathering.ts';
import { EngineError } from './engine-client.ts';
import { hostPathOf, sharesFiles } from './host-files.ts';

/** Of the image's package, of edoburu's, of Bitnami's. */
const USUAL_FILES = ['/etc/pgbouncer/pgbouncer.ini', '/opt/bitnami/pgbouncer/conf/pgbouncer.ini'];
const MOST_BYTES = 256 * 1024;

/** Of every pooler that runs, by service; one that cannot be read is left out. */
export const readPoolers = async (given: Gathering): Promise<Record<string, PoolerSetup>> => {
  const services = given.stack.services.filter(({ role, containers }) => role === 'pooler' && containers.length > 0);
  const read = await Promise.all(
    services.map(async (service) => {
      const setup = await readPoolerSetup(speakerOrAny(service.containers), given);
      return setup ? [[service.name, setup] as const] : [];
    }),
  );
  return Object.fromEntries(read.flat());
};

/** The files of one that has ended are there as well. */
const speakerOrAny = (containers: Container[]): Container => containers.find(({ state }) => state.status === 'running') ?? containers[0]!;

export const readPoolerSetup = async (container: Container, given: Gathering): Promise<PoolerSetup | null> => {
  const words = [...container.entrypoint, ...container.command].flatMap((word) => word.split(/\s+/));
  const named = words.find((word) => /^\/\S+\.ini$/.test(word));
  for (const file of named ? [named] : USUAL_FILES) {
    const text = await read(container, file, given);
    if (text === null) continue;
    const ini = parseIni(text);
    const shown = await shownAs(container, file, given);
    const users = await readUsers(container, ini, given);
    return {
      file: shown,
      databases: ini.databases.map((entry, index) => {
        const known = entry.password ?? users?.find((each) => each.user === entry.user && !isHashed(each.password))?.password ?? null;
        return { ...entry, password: known === null ? null : masked(known, given), at: `${shown}:${ini.lines[index]}` };
      }),
      users: asksElsewhere(ini, text) ? null : (users?.map(({ user }) => user) ?? null),
      ...(users?.length === 1 && {
        sole: { user: users[0]!.user, password: isHashed(users[0]!.password) ? null : masked(users[0]!.password, given) },
      }),
    };
  }
  return null;
};

const masked = (password: string, { vault }: Gathering): string => vault.maskEnv('PASSWORD', password);

/** Then its list of users is not all of them. */
const asksElsewhere = ({ settings }: Ini, text: string): boolean =>
  /^(pam|cert|any|trust|hba|ldap|peer)$/.test(settings['auth_type'] ?? '') || /^[^;#]*\bauth_user\s*=/m.test(text);

const readUsers = async (
  container: Container,
  { settings }: Ini,
  given: Gathering,
): Promise<{ user: string; password: string }[] | null> => {
  const file = settings['auth_file'];
  if (file === undefined) return null;
  const text = await read(container, file, given);
  if (text === null) return null;
  const users = parseUsers(text);
  for (const { password } of users) masked(password, given);
  return users;
};

const read = async (container: Container, file: string, given: Gathering): Promise<string | null> => {
  try {
    const content = await given.engine.readFile(container.id, file, { maxBytes: MOST_BYTES, signal: given.signal });
    return content?.toString('utf8') ?? null;
  } catch (error) {
    if ((error instanceof EngineError || error instanceof CannotLook) && !given.signal.aborted) return null;
    throw error;
  }
};

/** A file of the project under its own path. */
const shownAs = async (container: Container, file: string, given: Gathering): Promise<string> => {
  const hostPath = (await sharesFiles(given.engine, given.stack, container)) ? hostPathOf(container, file) : null;
  const folder = `${given.stack.workingDir}/`;
  if (hostPath === null) return `${container.service}:${file}`;
  return hostPath.startsWith(folder) ? hostPath.slice(folder.length) : hostPath;
};
