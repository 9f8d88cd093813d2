/** Facts ⇄ file. What a recording is, and how it is written and read. Secrets are not in it: they never were in the facts. */
import { constants, createReadStream } from 'node:fs';
import { open, rename, rm, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Fact } from '../model/facts.ts';
import { UsageError } from '../model/usage-error.ts';

export const FORMAT = 'stack-doctor-recording';
export const RECORDING_VERSION = 1;

/** By fact, or `fact:service` for a fact of one service. */
export type RecordedFacts = Record<string, Fact<unknown>>;

export interface Recording {
  format: typeof FORMAT;
  version: typeof RECORDING_VERSION;
  tool: { name: string; version: string };
  /** ISO 8601: the start of the run that was recorded; the `now` of its replay. */
  recordedAt: string;
  facts: RecordedFacts;
}

const LARGEST_BYTES = 200 * 1024 * 1024;

export const createRecording = (facts: RecordedFacts, from: { tool: Recording['tool']; recordedAt: string }): Recording => ({
  format: FORMAT,
  version: RECORDING_VERSION,
  tool: from.tool,
  recordedAt: from.recordedAt,
  facts,
});

/** Keys sorted, two spaces: the same facts give the same file, and a difference reads well. The format comes first. */
export const recordingText = ({ format, version, tool, recordedAt, facts }: Recording): string =>
  `${JSON.stringify({ format, version, tool, recordedAt, facts: sorted(facts) }, null, 2)}\n`;

const sorted = (value: unknown): unknown => {
  if (Array.isArray(value)) return value.map(sorted);
  if (value === null || typeof value !== 'object') return value;
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(entries.map(([key, each]) => [key, sorted(each)]));
};

/** Asked before anything is looked at: may this file be written? Throws `UsageError`. */
export const assertWritable = async (path: string): Promise<void> => {
  const found = await stat(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return null;
    throw new UsageError(`cannot write ${path}: ${reasonOf(error)}`);
  });
  if (found === null) {
    const folder = await stat(dirname(path)).catch(() => null);
    if (!folder?.isDirectory()) throw new UsageError(`cannot write ${path}: there is no folder ${dirname(path)}`);
    return;
  }
  if (!found.isFile()) throw new UsageError(`cannot write ${path}: it is not a file`);
  if (found.size > 0 && !(await beginsAsRecording(path)))
    throw new UsageError(`${path} exists and is not a recording; it is left as it is, choose another name`);
};

const beginsAsRecording = async (path: string): Promise<boolean> => {
  try {
    const file = await open(path, 'r');
    try {
      const { buffer, bytesRead } = await file.read(Buffer.alloc(1_024), 0, 1_024, 0);
      const begin = await unpacked(buffer.subarray(0, bytesRead), false);
      return new RegExp(`^\\s*\\{\\s*"format"\\s*:\\s*"${FORMAT}"`).test(begin.toString('utf8'));
    } finally {
      await file.close();
    }
  } catch {
    return false;
  }
};

/** Whole or not at all, and for its owner only: a stack's names and logs are nobody else's business. Throws `UsageError`. */
export const writeRecording = async (path: string, recording: Recording): Promise<void> => {
  await assertWritable(path);
  const draft = `${path}.${process.pid}.tmp`;
  try {
    const file = await open(draft, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL, 0o600);
    try {
      const text = recordingText(recording);
      await file.writeFile(path.endsWith('.gz') ? await packed(text) : text);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(draft, path);
  } catch (error) {
    await rm(draft, { force: true }).catch(() => undefined);
    throw new UsageError(`cannot write ${path}: ${reasonOf(error as NodeJS.ErrnoException)}`, { cause: error });
  }
};

/** Throws `UsageError`: what is wrong with the file, in one line. */
export const readRecording = async (path: string): Promise<Recording> => parseRecording(await readText(path), path);

const readText = async (path: string): Promise<string> => {
  const chunks: Buffer[] = [];
  let bytes = 0;
  try {
    for await (const chunk of createReadStream(path) as AsyncIterable<Buffer>) {
      bytes += chunk.length;
      if (bytes > LARGEST_BYTES) throw new UsageError(`${path} is larger than 200 MB; no recording is`);
      chunks.push(chunk);
    }
  } catch (error) {
    if (error instanceof UsageError) throw error;
    throw new UsageError(`cannot read recording ${path}: ${reasonOf(error as NodeJS.ErrnoException)}`, { cause: error });
  }
  const content = await unpacked(Buffer.concat(chunks), true).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ERR_BUFFER_TOO_LARGE') throw new UsageError(`${path} is larger than 200 MB; no recording is`, { cause: error });
    throw new UsageError(`recording ${path} is damaged: it cannot be unpacked`, { cause: error });
  });
  return content.toString('utf8').replace(/^\ufeff/, '');
};

/** A recording may be gzipped, by its own bytes or by its name: it is a tenth as large then. */
const packed = async (text: string): Promise<Buffer> => (await import('node:zlib')).gzipSync(text, { level: 9 });

/** Also of a beginning: what of it can be told. Of a whole file its end is wanted. */
const unpacked = async (content: Buffer, isWhole: boolean): Promise<Buffer> => {
  if (content[0] !== 0x1f || content[1] !== 0x8b) return content;
  const { constants: zlib, gunzipSync } = await import('node:zlib');
  return gunzipSync(content, { maxOutputLength: LARGEST_BYTES, ...(!isWhole && { finishFlush: zlib.Z_SYNC_FLUSH }) });
};

const REASONS: Record<string, string> = {
  ENOENT: 'no such file',
  EACCES: 'permission denied',
  EPERM: 'permission denied',
  EISDIR: 'it is a folder',
  ENOTDIR: 'a part of its path is not a folder',
  EROFS: 'the file system is read-only',
  ENOSPC: 'no space left on the device',
  ENAMETOOLONG: 'the name is too long',
};

const reasonOf = (error: NodeJS.ErrnoException): string => REASONS[error.code ?? ''] ?? error.code ?? error.message;

/** What each fact is, as far as it must be for the doctor to begin. Facts of other names (of a later version) are let by. */
const SHAPES: Record<string, (value: unknown) => boolean> = {
  engine: (value) => hasText(value, 'host', 'state'),
  project: (value) => hasText(value, 'name', 'workingDir') && isList((value as { files?: unknown }).files),
  containers: (value) =>
    isList(value) && value.every((each) => hasText(each, 'id', 'name', 'service') && isRecord((each as { state?: unknown }).state)),
  networks: isListOfRecords,
  volumes: isListOfRecords,
  images: isListOfRecords,
  portOwners: isListOfRecords,
};

/** Throws `UsageError`. `name` is how the file is called in it. */
export const parseRecording = (text: string, name: string): Recording => {
  const whole = text.trim();
  if (whole === '') throw new UsageError(`recording ${name} is empty`);
  let document: unknown;
  try {
    document = JSON.parse(whole);
  } catch {
    // A cut file ends in the middle; what is not JSON at all mostly does not even begin like it.
    const cutShort = whole.startsWith('{') && !whole.endsWith('}');
    throw new UsageError(
      cutShort || endsEarly(whole)
        ? `recording ${name} is cut short: its end is missing`
        : `${name} is not a recording of the doctor: it is not JSON`,
    );
  }
  if (!isRecord(document) || document['format'] !== FORMAT)
    throw new UsageError(`${name} is not a recording of the doctor ("format" is not "${FORMAT}")`);
  if (document['version'] !== RECORDING_VERSION) {
    throw new UsageError(`recording ${name} is of version ${shortly(document['version'])}; this doctor reads version ${RECORDING_VERSION}`);
  }
  const { tool, recordedAt, facts } = document;
  if (!isRecord(tool) || !hasText(tool, 'name', 'version')) throw new UsageError(`recording ${name} is damaged: "tool" is missing`);
  if (typeof recordedAt !== 'string' || Number.isNaN(Date.parse(recordedAt)))
    throw new UsageError(`recording ${name} is damaged: "recordedAt" is not a time`);
  if (!isRecord(facts)) throw new UsageError(`recording ${name} is damaged: "facts" is missing`);
  for (const [key, fact] of Object.entries(facts)) {
    const problem = factProblem(key, fact);
    if (problem !== null) throw new UsageError(`recording ${name} is damaged: fact "${shortly(key)}" ${problem}`);
  }
  return document as unknown as Recording;
};

const factProblem = (key: string, fact: unknown): string | null => {
  if (!/^[a-z][A-Za-z]*(:.+)?$/s.test(key)) return 'has no name of a fact';
  if (!isRecord(fact) || typeof fact['ok'] !== 'boolean') return 'has no "ok"';
  if (typeof fact['ms'] !== 'number') return 'has no "ms"';
  if (!fact['ok']) return typeof fact['reason'] === 'string' && typeof fact['timedOut'] === 'boolean' ? null : 'is a gap without a reason';
  if (fact['value'] === undefined) return 'has no "value"';
  const shape = Object.hasOwn(SHAPES, key) ? SHAPES[key]! : key.includes(':') && !key.startsWith('own:') ? isRecordOrNull : () => true;
  return shape(fact['value']) ? null : 'is not of the form that such a fact has';
};

/** Brackets that were opened and never closed, outside of strings. */
const endsEarly = (text: string): boolean => {
  if (!text.startsWith('{')) return false;
  const bare = text.replaceAll(/"(?:[^"\\]|\\.)*"/gs, '');
  return bare.split('{').length > bare.split('}').length || bare.split('[').length > bare.split(']').length;
};

function isRecord(value: unknown): value is Record<string, unknown> {
  return value !== null && typeof value === 'object' && !Array.isArray(value);
}

/** Some facts of a service say that there is nothing to look at. */
function isRecordOrNull(value: unknown): boolean {
  return value === null || isRecord(value);
}

function isList(value: unknown): value is unknown[] {
  return Array.isArray(value);
}

function isListOfRecords(value: unknown): boolean {
  return isList(value) && value.every(isRecord);
}

const hasText = (value: unknown, ...keys: string[]): boolean => isRecord(value) && keys.every((key) => typeof value[key] === 'string');

const shortly = (value: unknown): string => {
  const text = typeof value === 'string' ? value : (JSON.stringify(value) ?? 'none');
  return text.length > 40 ? `${text.slice(0, 40)}…` : text;
};
