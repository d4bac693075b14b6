import { WorkflowNodeFailed } from '../errors/workflow.js';
import { parseLenientJson } from '../inference/lenient-json.js';

/** The lenient reader is slow, and is needed only for what Python calls JSON: `NaN`, say. */
const MAX_LENIENT_CHARACTERS = 65_536;

/**
 * The answer of a workflow that ends in several nodes: a JSON object with the object that each of them gave, in its own words, so that no number is spelt anew.
 * Throws WorkflowNodeFailed for a leaf that gave no object.
 */
export function joinLeaves(leaves: readonly (readonly [node: string, body: Uint8Array])[]): Buffer {
  const members = leaves.map(([node, body]) => {
    const text = Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString('utf8');
    if (!isObject(text)) throw WorkflowNodeFailed({ node, why: 'its answer is no JSON object, which each of several last nodes has to give', tries: 1 });
    return `  ${JSON.stringify(node)}: ${text.trim()}`;
  });
  return Buffer.from(`{\n${members.join(',\n')}\n}\n`);
}

function isObject(text: string): boolean {
  for (const parse of text.length > MAX_LENIENT_CHARACTERS ? [JSON.parse] : [JSON.parse, parseLenientJson]) {
    try {
      const value: unknown = parse(text);
      return typeof value === 'object' && value !== null && !Array.isArray(value);
    } catch (error) {
      if (!(error instanceof SyntaxError)) throw error;
    }
  }
  return false;
}
