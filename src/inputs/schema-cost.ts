/** Beside what else a schema says: an expression is tried at each place of a text. */
const PATTERN_COST = 20;

/**
 * About how many steps a schema may take for each byte of a value; Infinity where that grows faster than the value does: for a schema that refers to itself, which may try each branch at each level, and for
 * `uniqueItems`, which compares each with each.
 */
export function schemaCost(schema: unknown): number {
  const known = new Map<string, number>();
  const costOf = (node: unknown): number => {
    if (Array.isArray(node)) return node.reduce((sum: number, member) => sum + costOf(member), 1);
    if (typeof node !== 'object' || node === null) return 1;
    let cost = 1;
    for (const [key, member] of Object.entries(node)) {
      if ((key === '$ref' || key === '$dynamicRef') && typeof member === 'string') cost += costBehind(member);
      else if (key === 'uniqueItems' && member !== false) return Number.POSITIVE_INFINITY;
      else if (key === 'pattern' && typeof member === 'string') cost += PATTERN_COST;
      else if (key === 'patternProperties' && typeof member === 'object' && member !== null) cost += PATTERN_COST * Object.keys(member).length + costOf(member);
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
    const cost = reference.startsWith('#/') ? costOf(behind(schema, reference)) : Number.POSITIVE_INFINITY;
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
