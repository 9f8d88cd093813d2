/**
 * Marks: what stands in a fact where a secret stood. `‹secret:9f86d081›` is a keyed hash; the key lives for one run,
 * so two equal secrets have equal marks within a run and nothing can be recovered from a recording.
 */

const MARK = /‹secret:[0-9a-f]{8}›/;

export const isMark = (text: string): boolean => MARK.test(text);

/** For people: marks become `***`, and what the vault noted beside them goes. */
export const hideMarks = (text: string): string => text.replaceAll(new RegExp(MARK, 'g'), '***').replace(/‹raw:[^›]*›/g, '');

const SECRET_NAME =
  /(pass(word|wd|phrase|code)?|pwd|pw|secret|token|(api|app|private|access|encryption|signing|secret|session|license|master|service|client|auth|hash|jwt|stripe|role)_?key|(^|_)key|credential|auth|salt|pepper|cookie|dsn|jwt)s?(_|$|\d)/i;
/** Names that look secret and are not: they name files, sizes, switches, users. `PWD` is the shell's own folder. */
const HARMLESS_NAME =
  /(_file|_path|_dir|_url|_uri|_host|_port|_user(name)?|_method|_mode|_type|_enabled|_ttl|_expir\w*|_algorithm|_issuer|_lifetime|_length|_limit|_min\w*|_max\w*|_sock|_plugin|_(header|cookie|token)_name)$|^(max|min|num|enable|disable|use|allow|require)_|^(old)?pwd$|(public|cache|queue|redis|partition|sort|primary|foreign|routing)_key$/i;

/** Does a variable of this name hold a secret by itself? (URLs are looked into separately.) */
export const isSecretName = (name: string): boolean => {
  // `dbPassword`, `Spring.DataSource.Password` and `db-password` are the same name in other clothes.
  const written = name.replace(/([a-z])([A-Z])/g, '$1_$2').replace(/[.-]+/g, '_');
  return SECRET_NAME.test(written) && !HARMLESS_NAME.test(written);
};
