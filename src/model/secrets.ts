/**
 * Marks: what stands in a fact where a secret stood. `‹secret:9f86d081›` is a keyed hash; the key lives for one run,
 * so two equal secrets have equal marks within a run and nothing can be recovered from a recording.
 */

const MARK = /‹secret:[0-9a-f]{8}›/;

export const isMark = (text: string): boolean => MARK.test(text);

/** For people: marks become `***`. */
export const hideMarks = (text: string): string => text.replaceAll(new RegExp(MARK, 'g'), '***');

const SECRET_NAME =
  /(pass(word|wd|phrase|code)?|pwd|secret|token|api_?key|private_?key|access_?key|encryption_?key|signing_?key|credential|auth|salt|cookie|session_?key|dsn|jwt|license_?key)s?(_|$|\d)/i;
/** Names that look secret and are not: they name files, sizes, switches, users. */
const HARMLESS_NAME = /(_file|_path|_dir|_url|_uri|_host|_port|_user(name)?|_method|_mode|_type|_enabled|_ttl|_expir\w*|_algorithm|_issuer|_lifetime|_length|_min\w*|_max\w*)$/i;

/** Does a variable of this name hold a secret by itself? (URLs are looked into separately.) */
export const isSecretName = (name: string): boolean => SECRET_NAME.test(name) && !HARMLESS_NAME.test(name);
