import { patternCost } from './pattern.js';

/** Keywords of 2020-12 and of the draft before it, which the compiler knows too. */
export const REFERENCES: ReadonlySet<string> = new Set(['$ref', '$dynamicRef', '$recursiveRef']);
/** Whose members are schemas by names that mean nothing here. */
const BY_NAME: ReadonlySet<string> = new Set(['properties', 'patternProperties', 'dependentSchemas', 'dependencies']);

/**
 * About how many steps a schema may take for each byte of a value; Infinity where that grows faster than the value does, or can't be told: for a schema that refers to itself, which may try each branch at each
 * level, for `uniqueItems`, which compares each with each, and for a schema within it that has an `$id`, from which references start anew.
 */
export function schemaCost(schema: unknown): number {
  const known = new Map<string, number>();
  const costOfAll = (members: readonly unknown[]): number => members.reduce((sum: number, member) => sum + costOf(member), 1);
  const costOf = (node: unknown): number => {
    if (Array.isArray(node)) return costOfAll(node);
    if (typeof node !== 'object' || node === null) return 1;
    let cost = 1;
    for (const [key, member] of Object.entries(node)) {
      if (REFERENCES.has(key) && typeof member === 'string') cost += costBehind(member);
      else if ((key === 'uniqueItems' && member !== false) || (key === '$id' && node !== schema)) return Number.POSITIVE_INFINITY;
      else if (key === 'pattern' && typeof member === 'string') cost += patternCost(member);
      else if (BY_NAME.has(key) && typeof member === 'object' && member !== null) {
        if (key === 'patternProperties') for (const expression of Object.keys(member)) cost += patternCost(expression);
        cost += costOfAll(Object.values(member));
      }
      // What is defined costs where it is referred to.
      else if (key !== '$defs' && key !== 'definitions') cost += costOf(member);
    }
    return cost;
  };
  const costBehind = (reference: string): number => {
    const before = known.get(reference);
    if (before !== undefined) return before;
    // Until it is known: whoever meets it again refers to itself.
    known.set(reference, Number.POSITIVE_INFINITY);
    const target = reference.startsWith('#/') ? behind(schema, reference) : undefined;
    const cost = target === undefined ? Number.POSITIVE_INFINITY : costOf(target);
    known.set(reference, cost);
    return cost;
  };
  return costOf(schema);
}

/** What a JSON pointer in a fragment leads to; undefined for nothing. */
function behind(schema: unknown, reference: string): unknown {
  let node = schema;
  for (const part of reference.slice(2).split('/')) {
    if (typeof node !== 'object' || node === null) return undefined;
    const name = decoded(part).replaceAll('~1', '/').replaceAll('~0', '~');
    node = new Map<string, unknown>(Object.entries(node)).get(name);
  }
  return node;
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}
