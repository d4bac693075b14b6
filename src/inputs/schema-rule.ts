import { Ajv2020 } from 'ajv/dist/2020.js';
import { compilePattern, MAX_SIZE_TOGETHER, patternSize } from './pattern.js';
import { REFERENCES } from './schema-cost.js';

/** Places of a schema that only a hostile one exceeds: it is compiled on the event loop. */
const MAX_NODES = 10_000;
const MAX_SCHEMAS = 2000;
/** The compiler goes down with each reference that leads further. */
const MAX_TARGETS = 100;
const MAX_DEPTH = 64;

/** Where a value breaks a schema: a JSON pointer and what the schema says there. undefined for a value that is as it should be. */
export type SchemaCheck = (value: unknown) => { readonly place: string; readonly what: string } | undefined;

/** Compiles a JSON Schema of 2020-12. Its patterns run on RE2; references leave the document for nothing. The reason where it is none. */
export function compileSchema(schema: Readonly<Record<string, unknown>> | boolean): SchemaCheck | string {
  const wrong = refusal(schema);
  if (wrong !== undefined) return wrong;
  try {
    const validate = new Ajv2020({
      strict: false,
      allErrors: false,
      validateFormats: false,
      ownProperties: true,
      // It would print whole programs.
      logger: false,
      code: {
        // Which takes longer than all else, and grows with the square of the schema.
        optimize: false,
        regExp: Object.assign(regExp, { code: '' }),
      },
    }).compile(schema);
    return (value) => {
      if (validate(value)) return undefined;
      const [error] = validate.errors ?? [];
      // The instance's own names and values stay out of the message: the place is told by the pointer.
      return { place: error?.instancePath ?? '', what: `${error?.message ?? 'does not fit'}` };
    };
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

/** Ajv's interface of an engine for `pattern`. Throws what compilePattern says against an expression. */
function regExp(expression: string): { test(text: string): boolean; toString(): string } {
  const pattern = compilePattern(expression);
  if (typeof pattern === 'string') throw new Error(pattern);
  // Ajv keeps compiled expressions by their text.
  return { test: (text) => pattern.found(text), toString: () => expression };
}

function refusal(schema: unknown): string | undefined {
  let nodes = 0;
  let schemas = 0;
  let patterns = 0;
  const targets = new Set<string>();
  const walk = (node: unknown, depth: number): string | undefined => {
    nodes += 1;
    if (nodes > MAX_NODES) return `more than ${MAX_NODES} places`;
    if (depth > MAX_DEPTH) return `deeper than ${MAX_DEPTH} levels`;
    if (typeof node !== 'object' || node === null) return undefined;
    if (!Array.isArray(node)) schemas += 1;
    if (schemas > MAX_SCHEMAS) return `more than ${MAX_SCHEMAS} schemas`;
    for (const [key, member] of Object.entries(node)) {
      if (REFERENCES.has(key) && typeof member === 'string') {
        if (!member.startsWith('#')) return `the reference ${member} leads out of the document`;
        targets.add(member);
        if (targets.size > MAX_TARGETS) return `references to more than ${MAX_TARGETS} places`;
      }
      for (const expression of patternsOf(key, member)) patterns += patternSize(expression);
      if (patterns > MAX_SIZE_TOGETHER) return `patterns of more than ${MAX_SIZE_TOGETHER} places, repetitions written out`;
      const wrong = walk(member, depth + 1);
      if (wrong !== undefined) return wrong;
    }
    return undefined;
  };
  return walk(schema, 0);
}

function patternsOf(key: string, member: unknown): readonly string[] {
  if (key === 'pattern' && typeof member === 'string') return [member];
  return key === 'patternProperties' && typeof member === 'object' && member !== null ? Object.keys(member) : [];
}
