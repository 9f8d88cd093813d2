/** What may stand in a configuration: rules as plain data. The reader holds a file to them; the JSON Schema for editors is made of them. */

interface Described {
  /** For editors: one sentence. */
  says: string;
}

export type Rule = Described &
  (
    | { type: 'text'; pattern?: RegExp; /** What the pattern wants, in words. */ wants?: string; oneOf?: readonly string[] }
    /** A text, number or switch, taken as it is written: `1.0` stays `1.0`. */
    | { type: 'written' }
    | { type: 'regex' }
    | { type: 'integer'; least: number; most: number }
    | { type: 'switch' }
    /** `500ms`, `2s`, `1m`, as milliseconds. */
    | { type: 'duration'; most: number }
    /** `512MiB`, `2GB`, as bytes. */
    | { type: 'size' }
    /** `YYYY-MM-DD`. */
    | { type: 'date' }
    | { type: 'list'; of: Rule }
    /** One, or a list of them. */
    | { type: 'some'; of: Rule }
    | MapRule
    /** Keys of the user's own. */
    | { type: 'named'; name: RegExp; wants: string; of: Rule }
  );

export type MapRule = Described & {
  type: 'map';
  keys: Readonly<Record<string, Rule>>;
  required?: readonly string[];
  /** One of these must be there, and no two. */
  oneOf?: readonly string[];
  /** A bare value stands for this key. */
  short?: string;
};
