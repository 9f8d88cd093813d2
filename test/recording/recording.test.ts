import { chmodSync, mkdtempSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import { afterAll, describe, expect, test } from 'vitest';
import { UsageError } from '../../src/model/usage-error.ts';
import {
  assertWritable,
  createRecording,
  parseRecording,
  readRecording,
  recordingText,
  writeRecording,
} from '../../src/recording/recording.ts';
import type { Recording, RecordedFacts } from '../../src/recording/recording.ts';

const folder = mkdtempSync(join(tmpdir(), 'doctor-recording-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const facts: RecordedFacts = {
  'logs:web': { ok: false, reason: 'no running container', timedOut: false, ms: 1 },
  engine: { ok: true, value: { host: 'unix:///x.sock', state: 'ok' }, ms: 3 },
  containers: { ok: true, value: [], ms: 2 },
};
const recording = createRecording(facts, { tool: { name: 'stack-doctor', version: '0.1.0' }, recordedAt: '2026-03-01T09:30:00.000Z' });
const good = recordingText(recording);

describe('writing', () => {
  test('what is written is read again, with its keys in one order', async () => {
    const path = join(folder, 'round.json');
    await writeRecording(path, recording);
    expect(await readRecording(path)).toEqual(recording);
    const backwards = createRecording(Object.fromEntries(Object.entries(facts).reverse()), recording);
    expect(recordingText(backwards)).toBe(good);
    expect(Object.keys((JSON.parse(good) as Recording).facts)).toEqual(['containers', 'engine', 'logs:web']);
  });

  test("the file is its owner's only, whole, and nothing is left beside it", async () => {
    const path = join(folder, 'mode.json');
    await writeRecording(path, recording);
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(readdirSync(folder).filter((name) => name.endsWith('.tmp'))).toEqual([]);
  });

  test('a name that ends with .gz is gzipped: read again, smaller, the same bytes each time, and written over', async () => {
    const path = join(folder, 'round.json.gz');
    await writeRecording(path, recording);
    expect(await readRecording(path)).toEqual(recording);
    const first = readFileSync(path);
    expect(gunzipSync(first).toString()).toBe(good);
    await writeRecording(path, recording);
    expect(readFileSync(path).equals(first)).toBe(true);

    const other = join(folder, 'backup.json.gz');
    writeFileSync(other, gzipSync('{"name":"mine"}'));
    await expect(writeRecording(other, recording)).rejects.toThrow(/exists and is not a recording; it is left as it is/);
  });

  test('a recording may be written over, and a file of something else never', async () => {
    const path = join(folder, 'again.json');
    await writeRecording(path, recording);
    await writeRecording(path, { ...recording, recordedAt: '2026-04-01T00:00:00.000Z' });
    expect((await readRecording(path)).recordedAt).toBe('2026-04-01T00:00:00.000Z');

    const other = join(folder, 'package.json');
    writeFileSync(other, '{"name":"mine"}');
    await expect(writeRecording(other, recording)).rejects.toThrow(/exists and is not a recording; it is left as it is/);
    expect(readFileSync(other, 'utf8')).toBe('{"name":"mine"}');
  });

  test.each([
    ['no such folder', join(folder, 'nowhere', 'a.json'), /there is no folder/],
    ['a folder', folder, /it is not a file/],
    ['below a file', join(folder, 'mode.json', 'a.json'), /not a folder|there is no folder/],
  ])('%s', async (_, path, message) => {
    await expect(assertWritable(path)).rejects.toThrow(UsageError);
    await expect(assertWritable(path)).rejects.toThrow(message);
  });
});

describe('reading what is no good recording: one line, with the file and what is wrong', () => {
  const changed = (change: (document: Record<string, unknown>) => void): string => {
    const document = JSON.parse(good) as Record<string, unknown>;
    change(document);
    return JSON.stringify(document);
  };
  const fact = (key: string, value: unknown): string =>
    changed((document) => void ((document['facts'] as Record<string, unknown>)[key] = value));

  test.each<[string, string, RegExp]>([
    ['empty', '  \n', /^recording x\.json is empty$/],
    ['cut in the middle of a string', good.slice(0, 140), /^recording x\.json is cut short/],
    ['cut after a bracket', good.slice(0, good.lastIndexOf('}', good.length - 5) + 1), /is cut short/],
    ['not JSON', '<html></html>', /^x\.json is not a recording of the doctor: it is not JSON$/],
    ['broken JSON that ends well', '{"a": nope}', /it is not JSON/],
    ['a list', '[]', /"format" is not "stack-doctor-recording"/],
    ['null', 'null', /is not a recording of the doctor/],
    ['of something else', '{"format":"har","version":1}', /is not a recording of the doctor/],
    [
      'a later version',
      changed((document) => void (document['version'] = 2)),
      /^recording x\.json is of version 2; this doctor reads version 1$/,
    ],
    ['no version', changed((document) => void delete document['version']), /is of version none/],
    ['no tool', changed((document) => void delete document['tool']), /"tool" is missing/],
    ['no time', changed((document) => void (document['recordedAt'] = 'once')), /"recordedAt" is not a time/],
    ['no facts', changed((document) => void (document['facts'] = [])), /"facts" is missing/],
    ['a fact that is none', fact('engine', 'up'), /fact "engine" has no "ok"/],
    ['a fact with a name of nothing', fact('../x', { ok: true, value: {}, ms: 1 }), /fact "\.\.\/x" has no name of a fact/],
    ['a gap without a reason', fact('networks', { ok: false, ms: 1 }), /fact "networks" is a gap without a reason/],
    ['a fact without a value', fact('networks', { ok: true, ms: 1 }), /fact "networks" has no "value"/],
    ['containers that are no list', fact('containers', { ok: true, value: {}, ms: 1 }), /fact "containers" is not of the form/],
    [
      'a container without a state',
      fact('containers', { ok: true, value: [{ id: 'a', name: 'a', service: 'a' }], ms: 1 }),
      /fact "containers" is not of the form/,
    ],
    ['a fact of a service that is no object', fact('http:web', { ok: true, value: 3, ms: 1 }), /fact "http:web" is not of the form/],
  ])('%s', (_, text, message) => {
    const read = () => parseRecording(text, 'x.json');
    expect(read).toThrow(UsageError);
    expect(read).toThrow(message);
    expect(read).toThrow(/^[^\n]*$/);
  });

  test('facts of names that a later doctor has are let by', () => {
    expect(() => parseRecording(fact('weather', { ok: true, value: 'fine', ms: 1 }), 'x.json')).not.toThrow();
  });

  test('a fact of a service may be that there is nothing', () => {
    expect(() => parseRecording(fact('making:web', { ok: true, value: null, ms: 1 }), 'x.json')).not.toThrow();
  });

  test('a byte order mark does no harm', async () => {
    const path = join(folder, 'bom.json');
    writeFileSync(path, `\ufeff${good}`);
    expect(await readRecording(path)).toEqual(recording);
  });

  test('every prefix of a recording is told as cut short, not as something else', () => {
    for (let length = 1; length < good.trimEnd().length; length += 7) {
      expect(() => parseRecording(good.slice(0, length), 'x.json')).toThrow(/is cut short/);
    }
  });

  test.each([
    ['no such file', join(folder, 'none.json'), /no such file/],
    ['a folder', folder, /it is a folder/],
  ])('%s', async (_, path, message) => {
    await expect(readRecording(path)).rejects.toThrow(UsageError);
    await expect(readRecording(path)).rejects.toThrow(message);
  });

  test('what is gzipped is known by its bytes, whatever it is called', async () => {
    const path = join(folder, 'renamed.json');
    writeFileSync(path, gzipSync(good));
    expect(await readRecording(path)).toEqual(recording);
  });

  test.each<[string, Buffer, RegExp]>([
    ['cut short', gzipSync(good).subarray(0, 100), /^recording .* is damaged: it cannot be unpacked$/],
    ['broken inside', Buffer.from(gzipSync(good).map((byte, place) => (place === 40 ? byte ^ 255 : byte))), /cannot be unpacked/],
    ['without end', gzipSync(Buffer.alloc(201 * 1024 * 1024)), /larger than 200 MB/],
  ])('a gzipped one that is %s', async (_, content, message) => {
    const path = join(folder, 'bad.json.gz');
    writeFileSync(path, content);
    await expect(readRecording(path)).rejects.toThrow(UsageError);
    await expect(readRecording(path)).rejects.toThrow(message);
  });

  test('a file without end is not read to it', async () => {
    await expect(readRecording('/dev/zero')).rejects.toThrow(/larger than 200 MB/);
  }, 30_000);

  // root may read anything
  test.skipIf(process.getuid?.() === 0)('a file that may not be read', async () => {
    const path = join(folder, 'closed.json');
    mkdirSync(folder, { recursive: true });
    writeFileSync(path, good);
    chmodSync(path, 0);
    await expect(readRecording(path)).rejects.toThrow(/permission denied/);
  });
});
