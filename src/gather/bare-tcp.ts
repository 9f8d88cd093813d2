/** A connection and nothing said: where nothing is known of the protocol, all that can be told is whether somebody keeps it open. */
import type { Duplex } from 'node:stream';
import type { Trial } from '../model/facts.ts';
import { TryStopped, tryOut, type Limits } from './trial.ts';
import type { Vantage } from './vantage.ts';

export const tryBare = (vantage: Vantage, limits: Limits): Promise<Trial> =>
  tryOut(limits, async (at, limit) => staysOpen(await vantage.dial(at, limit)));

/** Docker's proxy takes every connection and closes it again at once when nobody listens behind it. */
const SETTLE_MS = 100;

const staysOpen = (stream: Duplex): Promise<void> =>
  new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, SETTLE_MS);
    const gone = () => {
      clearTimeout(timer);
      reject(new TryStopped({ layer: 'protocol', outcome: 'reset', code: '', text: 'the connection was closed at once' }));
    };
    // A server that greets is there.
    stream.once('data', () => (clearTimeout(timer), resolve()));
    stream.once('end', gone);
    stream.once('close', gone);
  });
