/** What the JSON body of a health answer says of the parts that the service needs. Formats: own ones, IETF health+json, Spring, Terminus, ASP.NET. */

export interface Part {
  name: string;
  /** `db: ConnectionRefusedError: …`, cut. */
  says: string;
}

export interface HealthBody {
  /** Parts that are said to be ill. */
  ill: Part[];
  /** What the body says of the whole; `null` where it says nothing. */
  overall: 'well' | 'ill' | null;
}

const DEPTH = 4;
const MOST_PARTS = 20;

const ILL =
  /^\W*(errors?|errored|down|fail(s|ed|ing|ure)?|unhealthy|unavailable|unreachable|critical|dead|disconnected|offline|not[ _-]?(ok|ready|connected|reachable|available)|ko|bad|broken|refused|timed?[ _-]?out|\w*(error|exception))\b/i;
const WELL = /^\W*(ok|okay|up|pass(ed|ing)?|healthy|alive|ready|good|success|operational|green|connected)\b/i;

/** Words for the whole of what they stand in. */
const OVERALL = /^(status|state|health|healthy|ok|up|alive|ready|result|success|outcome|isHealthy|is_healthy)$/i;
/** Words that tell of an error without being a part. */
const TELLING =
  /error|exception|message|detail|reason|description|output|trace|info|time|version|last|name|id$|url|code|count|config|debug|enabled|feature|flag/i;
/** Folders of parts. */
const FOLDER =
  /^(checks?|components?|dependenc(y|ies)|services?|details?|entries|results?|info|error|errors|data|indicators?|probes?|systems?)$/i;

/** `null` when it is no JSON object. */
export const readHealthBody = (body: string): HealthBody | null => {
  let parsed: unknown;
  try {
    parsed = JSON.parse(body);
  } catch {
    return null;
  }
  if (!isObject(parsed)) return null;
  const ill: Part[] = [];
  collect(parsed, 1, ill);
  const named = new Map(ill.map((part) => [part.name, part]));
  return { ill: [...named.values()].slice(0, MOST_PARTS), overall: overallOf(parsed) };
};

type Json = Record<string, unknown>;

const isObject = (value: unknown): value is Json => typeof value === 'object' && value !== null && !Array.isArray(value);

const overallOf = (object: Json): HealthBody['overall'] => {
  const words = Object.entries(object)
    .filter(([key]) => OVERALL.test(key))
    .map(([, value]) => value);
  if (words.some(isIll)) return 'ill';
  return words.some((value) => value === true || (typeof value === 'string' && WELL.test(value))) ? 'well' : null;
};

const isIll = (value: unknown): boolean => value === false || (typeof value === 'string' && ILL.test(value));

const collect = (object: Json, depth: number, ill: Part[]): void => {
  if (depth > DEPTH) return;
  for (const [key, value] of Object.entries(object)) {
    if (Array.isArray(value)) {
      for (const item of value.slice(0, MOST_PARTS)) if (isObject(item)) collectNamed(key, item, depth, ill);
    } else if (isObject(value)) {
      collectNamed(key, value, depth, ill);
    } else if (!OVERALL.test(key) && !TELLING.test(key) && isIll(value)) {
      ill.push({ name: key, says: cut(value) });
    }
  }
};

/** `{"db": {"status": "down"}}`, `{"checks": [{"name": "db", "status": "down"}]}`, `{"redis:responseTime": [{"status": "fail"}]}`. */
const collectNamed = (key: string, object: Json, depth: number, ill: Part[]): void => {
  const ownName = [object['name'], object['component'], object['service'], object['check']].find((each) => typeof each === 'string');
  const name = typeof ownName === 'string' ? ownName : key;
  const before = ill.length;
  collect(object, depth + 1, ill);
  if (overallOf(object) !== 'ill' || ill.length > before || (ownName === undefined && FOLDER.test(key))) return;
  const told = Object.entries(object).find(
    ([word, value]) => /error|message|output|detail|reason/i.test(word) && typeof value === 'string',
  )?.[1];
  const status = Object.entries(object).find(([word, value]) => OVERALL.test(word) && isIll(value))?.[1];
  ill.push({ name, says: cut(told ?? status) });
};

const cut = (value: unknown): string => String(value).slice(0, 160);

/** The words of a part's name: `postgres:connections` → postgres, connections. */
export const wordsOf = (name: string): string[] =>
  name
    .replace(/([a-z])([A-Z])/g, '$1 $2')
    .toLowerCase()
    .split(/[^a-z0-9]+/)
    .filter(Boolean);
