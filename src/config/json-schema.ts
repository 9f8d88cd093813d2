/** The table as JSON Schema, by which an editor completes and marks a `doctor.yaml`. */
import type { Rule } from './rule.ts';
import { TABLE } from './table.ts';

type Schema = Record<string, unknown>;

/** As the file has it. */
export const schemaText = (): string => `${JSON.stringify(jsonSchema(), null, 2)}\n`;

export const jsonSchema = (): Schema => ({
  $schema: 'http://json-schema.org/draft-07/schema#',
  title: 'doctor.yaml of stack-doctor',
  ...schemaOf(TABLE),
});

const WRITTEN = ['string', 'number', 'boolean'];

const schemaOf = (rule: Rule): Schema => {
  const description = rule.says;
  switch (rule.type) {
    case 'text':
      return {
        description,
        type: 'string',
        minLength: 1,
        ...(rule.oneOf && { enum: rule.oneOf }),
        ...(rule.pattern && { pattern: rule.pattern.source }),
      };
    case 'written':
      return { description, type: WRITTEN };
    case 'regex':
      return { description, type: 'string', format: 'regex' };
    case 'integer':
      return { description, type: 'integer', minimum: rule.least, maximum: rule.most };
    case 'switch':
      return { description, type: 'boolean' };
    case 'duration':
      return { description, type: 'string', pattern: String.raw`^\d+(\.\d+)?\s?(ms|s|m|h)$` };
    case 'size':
      return { description, type: ['string', 'integer'], pattern: String.raw`^\d+(\.\d+)?\s?([kKmMgGtT][iI]?[bB]?|[bB])?$` };
    case 'date':
      return { description, type: 'string', pattern: String.raw`^\d{4}-\d{2}-\d{2}$` };
    case 'list':
      return { description, type: 'array', items: schemaOf(rule.of) };
    case 'some':
      return { description, anyOf: [schemaOf(rule.of), { type: 'array', items: schemaOf(rule.of) }] };
    case 'named':
      return {
        description,
        type: 'object',
        propertyNames: { pattern: rule.name.source },
        additionalProperties: schemaOf(rule.of),
      };
    case 'map': {
      const properties = Object.fromEntries(Object.entries(rule.keys).map(([key, each]) => [key, schemaOf(each)]));
      const whole: Schema = {
        type: 'object',
        additionalProperties: false,
        properties,
        ...(rule.required && { required: rule.required }),
        ...(rule.oneOf && { oneOf: rule.oneOf.map((key) => ({ required: [key] })) }),
      };
      return rule.short === undefined ? { description, ...whole } : { description, anyOf: [schemaOf(rule.keys[rule.short]!), whole] };
    }
  }
};
