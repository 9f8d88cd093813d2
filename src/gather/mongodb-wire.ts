/**
 * Lets nothing through to the driver but whole messages of MongoDB that hold one document. The driver believes lengths and counts as they come:
 * one of nothing, or less, and it goes round for ever.
 */
import type { Duplex } from 'node:stream';
import { plain } from '../model/plain.ts';
import { TryStopped } from './trial.ts';

const HEADER = 16;
/** More than any answer asked for here. */
const MOST_BYTES = 4 * 1024 * 1024;

/** A reply, which the first hello is answered with, and a message; each with the place of its document. */
const DOCUMENT_AT: Record<number, number> = { 1: 36, 2013: 21 };
/** The shortest document: its length, and its end. */
const SHORTEST = 5;

/** The server's first word of SCRAM: a nonce, a salt, a number of rounds. Its own default is 15,000. */
const ROUNDS_WITHOUT_END = /,s=[A-Za-z0-9+/=]+,i=\d{7}/;

/** `heard`: called with the first message. The stream's error is a `TryStopped` where something else comes. */
export const onlyMessages = (stream: Duplex, heard: () => void): void => {
  const emit = stream.emit.bind(stream) as (name: string | symbol, ...values: unknown[]) => boolean;
  let held: Buffer = Buffer.alloc(0);
  stream.emit = (name: string | symbol, ...values: unknown[]): boolean => {
    if (name !== 'data') return emit(name, ...values);
    held = Buffer.concat([held, values[0] as Buffer]);
    for (let length = lengthOf(held); length !== null; length = lengthOf(held)) {
      if (Number.isNaN(length)) {
        stream.destroy(notMongodb(held));
        return false;
      }
      if (held.length < length) break;
      // A login that would take an hour of arithmetic, which nothing interrupts.
      if (ROUNDS_WITHOUT_END.test(held.toString('latin1', 0, length))) {
        stream.destroy(
          new TryStopped({ layer: 'login', outcome: 'failed', code: '', text: 'it asks for a million rounds and more of hashing' }),
        );
        return false;
      }
      heard();
      emit('data', held.subarray(0, length));
      held = held.subarray(length);
    }
    return true;
  };
};

/** Of the message that begins here; `null` while that cannot be told, `NaN` where none begins. All numbers are little-endian. */
const lengthOf = (bytes: Buffer): number | null => {
  if (bytes.length < 4) return null;
  const length = bytes.readInt32LE(0);
  if (length < HEADER + SHORTEST || length > MOST_BYTES) return Number.NaN;
  if (bytes.length < HEADER) return null;
  const at = DOCUMENT_AT[bytes.readInt32LE(12)];
  if (at === undefined || length < at + SHORTEST) return Number.NaN;
  if (bytes.length < at + 4) return null;
  // One document up to the end: of a reply the count says so, of a message no flag and no kind of section say otherwise.
  const isOne = at === 36 ? bytes.readInt32LE(32) === 1 : bytes.readInt32LE(HEADER) === 0 && bytes[20] === 0;
  return isOne && bytes.readInt32LE(at) === length - at ? length : Number.NaN;
};

const notMongodb = (bytes: Buffer): TryStopped =>
  new TryStopped({
    layer: 'protocol',
    outcome: 'failed',
    code: '',
    text: `the answer is not MongoDB's: ${JSON.stringify(plain(bytes.toString('latin1', 0, 80)))}`,
  });
