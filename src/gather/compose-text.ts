/** Compose files as text, within bounds: a file of megabytes would hold up everything else while it is parsed. */
import { readFile, stat } from 'node:fs/promises';

/** YAML of this size takes a second to parse. */
export const MOST_YAML_BYTES = 512 * 1024;

/** `null`: larger than may be parsed, or not for us to read. */
export const composeText = async (file: string): Promise<string | null> => {
  const size = await stat(file).then(
    (found) => found.size,
    () => null,
  );
  return size === null || size > MOST_YAML_BYTES ? null : readFile(file, 'utf8').catch(() => null);
};

/** The first of the files that is larger than may be parsed, in words: `compose.yaml has 10.9 MB`. */
export const oversized = async (files: readonly string[], shown: (file: string) => string): Promise<string | null> => {
  for (const file of files) {
    const size = (await stat(file).catch(() => null))?.size ?? 0;
    if (size > MOST_YAML_BYTES) return `${shown(file)} has ${(size / 1e6).toFixed(1)} MB`;
  }
  return null;
};

/** From 1: the first line with bytes that are no UTF-8; `null`: there is none. */
export const badBytesAt = (bytes: Buffer): number | null => {
  const decoder = new TextDecoder('utf-8', { fatal: true });
  try {
    decoder.decode(bytes);
    return null;
  } catch {
    let line = 1;
    for (let from = 0; ; line++) {
      const end = bytes.indexOf(0x0a, from);
      try {
        new TextDecoder('utf-8', { fatal: true }).decode(bytes.subarray(from, end < 0 ? undefined : end));
      } catch {
        return line;
      }
      if (end < 0) return line;
      from = end + 1;
    }
  }
};
