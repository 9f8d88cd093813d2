/** Docker's streams: several outputs in one, in frames; and the same of a terminal, without. */
import type { Readable } from 'node:stream';
import { StringDecoder } from 'node:string_decoder';
import { EngineError } from './engine-client.ts';

export interface Sinks {
  stdout: (chunk: Buffer) => void;
  stderr: (chunk: Buffer) => void;
}

const HEADER = 8;
/** 0 is stdin's echo, 3 the engine's own error. */
const KINDS = 3;

/**
 * A frame: kind of stream (1 byte), three zeros, length (4 bytes, big endian), payload. Payloads are passed on as they come: a frame may be as
 * large as a line, and a tunnel's other end waits for what is here already. What has no frames is passed on as it is.
 */
export const frameReader = (sinks: Sinks) => {
  let header: Buffer = Buffer.alloc(0);
  let left = 0;
  let sink = sinks.stdout;
  let isRaw = false;
  return (given: Buffer): void => {
    let chunk = given;
    while (chunk.length > 0) {
      if (isRaw) return sinks.stdout(chunk);
      if (left === 0) {
        const missing = HEADER - header.length;
        header = Buffer.concat([header, chunk.subarray(0, missing)]);
        chunk = chunk.subarray(missing);
        if (isNoHeader(header)) {
          isRaw = true;
          sinks.stdout(header);
          header = Buffer.alloc(0);
        } else if (header.length === HEADER) {
          left = header.readUInt32BE(4);
          sink = header[0]! >= 2 ? sinks.stderr : sinks.stdout;
          header = Buffer.alloc(0);
        }
      } else {
        const part = chunk.subarray(0, left);
        left -= part.length;
        chunk = chunk.subarray(part.length);
        sink(part);
      }
    }
  };
};

const isNoHeader = (header: Buffer): boolean => header.subarray(0, 4).some((byte, index) => (index === 0 ? byte > KINDS : byte !== 0));

/** Resolves when the stream ends. Errors: `EngineError`, also when the signal is aborted; the stream is closed then. */
export const demultiplex = (stream: Readable, tty: boolean, sinks: Sinks, signal: AbortSignal): Promise<void> =>
  new Promise((resolve, reject) => {
    const stop = () => {
      stream.destroy();
      reject(new EngineError('the engine did not answer in time', null, 'ETIMEDOUT'));
    };
    if (signal.aborted) return stop();
    signal.addEventListener('abort', stop, { once: true });
    stream.on('data', tty ? sinks.stdout : frameReader(sinks));
    stream.on('error', (error: Error & { code?: string }) => reject(new EngineError(error.message, null, error.code ?? '')));
    stream.once('end', resolve);
    stream.once('close', () => {
      signal.removeEventListener('abort', stop);
      resolve();
    });
  });

/** One line never grows past this; the rest of it is dropped. */
const LINE_LIMIT = 8_192;

/** Characters that are cut in two by a chunk are put together again. */
export const splitLines = (onLine: (line: string) => void) => {
  const decoder = new StringDecoder('utf8');
  let rest = '';
  return {
    write(chunk: Buffer) {
      const parts = (rest + decoder.write(chunk)).split('\n');
      rest = parts.pop()!.slice(0, LINE_LIMIT);
      for (const part of parts) onLine(part.replace(/\r$/, '').slice(0, LINE_LIMIT));
    },
    end() {
      const last = rest + decoder.end();
      if (last) onLine(last);
    },
  };
};

/** Text up to a number of characters; what comes after is dropped. */
export const collectText = (most: number) => {
  const decoder = new StringDecoder('utf8');
  let text = '';
  return {
    write: (chunk: Buffer) => {
      if (text.length < most) text = (text + decoder.write(chunk)).slice(0, most);
    },
    text: () => text,
  };
};
