/** `DB_PASSWORD_FILE=/run/secrets/db`: the value is in a file, as the container has it now. */
import { readFileSync, statSync } from 'node:fs';
import { isSecretName } from '../model/secrets.ts';
import type { Container } from '../model/stack.ts';
import { hostPathOf, onThisMachine } from './host-files.ts';
import { fileThroughProc } from './look-inside.ts';
import { mountAt, placeOf } from './mountinfo.ts';
import { ownMounts, ownProcess, type OwnProcess } from './proc.ts';
import type { Vault } from './vault.ts';

/** Nobody's password is longer. */
const MOST_BYTES = 4_096;

/** Without a command in the container: a file that cannot be read from here is not told. */
export const toldByFile = (container: Container, vault: Vault): Pick<Container, 'toldByFile'> => {
  const named = Object.entries(container.env).flatMap(([key, path]): [string, string][] => {
    const name = /^(\w+)_FILE$/.exec(key)?.[1];
    return name && isSecretName(name) && path.startsWith('/') && container.env[name] === undefined ? [[name, path]] : [];
  });
  const own = named.length > 0 ? ownProcess(container) : null;
  if (!own) return {};
  const told = named.flatMap(([name, path]): [string, string][] => {
    const text = readAs(container, own, path)?.trim();
    return text ? [[name, vault.maskEnv(name, text)]] : [];
  });
  return told.length > 0 ? { toldByFile: Object.fromEntries(told) } : {};
};

/** Through /proc, which only root may; else the file on this machine, where the kernel says that it is the very one. */
const readAs = (container: Container, own: OwnProcess, path: string): string | null => {
  const inside = fileThroughProc(own, path);
  if (inside === 'missing') return null;
  if (inside) return inside.length > MOST_BYTES ? null : inside.toString('utf8');
  const source = hostPathOf(container, path);
  const held = mountAt(own.mounts, path);
  if (source === null || !held || held.deleted) return null;
  const file = onThisMachine(source);
  const place = placeOf(file, ownMounts());
  if (place === null || held.device !== place.device || held.root !== place.root) return null;
  try {
    return statSync(file).size > MOST_BYTES ? null : readFileSync(file, 'utf8');
  } catch {
    return null;
  }
};
