/** What the build puts in place of a package's own file answers as that does. */
import { createRequire } from 'node:module';
import { describe, expect, it } from 'vitest';
import { PG_CRYPTO } from '../scripts/lean-packages.ts';

const require = createRequire(import.meta.url);

type Bytes = Buffer | ArrayBuffer;
interface PgCrypto {
  randomBytes(length: number): Buffer;
  md5(text: string): Promise<string>;
  postgresMd5PasswordHash(user: string, password: string, salt: Buffer): Promise<string>;
  sha256(data: Buffer): Promise<Bytes>;
  hashByName(name: string, data: Buffer): Promise<Bytes>;
  hmacSha256(key: Buffer, message: string): Promise<Bytes>;
  deriveKey(password: string, salt: Buffer, rounds: number): Promise<Bytes>;
}

const theirs = require('pg/lib/crypto/utils') as PgCrypto;
const ours = ((): PgCrypto => {
  const module = { exports: {} };
  // oxlint-disable-next-line no-implied-eval -- as the bundler would have it run
  new Function('module', 'require', PG_CRYPTO)(module, require);
  return module.exports as PgCrypto;
})();

const hex = (bytes: Bytes): string => Buffer.from(bytes as Buffer).toString('hex');
const salt = Buffer.from([1, 2, 3, 250]);

describe("pg's cryptography without WebCrypto", () => {
  it.each(['pencil', '', 'Pässwörd "€"', 'a'.repeat(300)])('%j', async (password) => {
    expect(await ours.md5(password)).toBe(await theirs.md5(password));
    expect(await ours.postgresMd5PasswordHash('app', password, salt)).toBe(await theirs.postgresMd5PasswordHash('app', password, salt));
    expect(hex(await ours.deriveKey(password, salt, 4096))).toBe(hex(await theirs.deriveKey(password, salt, 4096)));
    expect(hex(await ours.hmacSha256(salt, password))).toBe(hex(await theirs.hmacSha256(salt, password)));
    expect(hex(await ours.sha256(Buffer.from(password)))).toBe(hex(await theirs.sha256(Buffer.from(password))));
    for (const name of ['SHA-256', 'SHA-384', 'SHA-512'])
      expect(hex(await ours.hashByName(name, salt))).toBe(hex(await theirs.hashByName(name, salt)));
  });

  it('has all that pg asks for', () => {
    expect(Object.keys(ours).toSorted()).toEqual(Object.keys(theirs).toSorted());
    expect(ours.randomBytes(18)).toHaveLength(18);
  });
});
