import { occurrences } from '../byte-source.js';
import type { Content, ScanContext } from '../scan-context.js';

const MAX_CONFIG_BYTES = 32 * 2 ** 20;
const MAX_DEPTH = 200;
const HDF5 = Buffer.from('894844460d0a1a0a', 'hex');
const AROUND_BYTES = 256;
const MODULES = /^(keras|tf_keras|tensorflow)(\.|$)/;

/** Looks for layers of code in a Keras model in HDF5: its description is JSON in an attribute. Gives whether it is HDF5. */
export function scanHdf5(content: Content, context: ScanContext): boolean {
  const { source, path } = content;
  // A user block of a power of two may come first.
  if (![0, 512, 1024, 2048, 4096, 8192].some((at) => source.read(at, 8).equals(HDF5))) return false;
  for (const [word, rule] of [
    ['Lambda', /"class_name"\s*:\s*"(\w+>)?\w*Lambda"/],
    ['"__lambda__"', /"__lambda__"/],
    // Nothing honest writes a letter of a name so.
    ['\\u00', /\\u00[46]c\\?|\\u00[4-7][0-9a-f]/i],
  ] as const) {
    for (const at of occurrences(source, Buffer.from(word))) {
      context.budget.time();
      const around = source.read(Math.max(0, at - AROUND_BYTES), 2 * AROUND_BYTES).toString('latin1');
      if (!rule.test(around) || !/class_name|__lambda__/.test(around)) continue;
      context.report({ level: 'dangerous', rule: 'keras-code', file: path, offset: at, says: 'is a Keras model with a Lambda layer, which is Python code' });
      break;
    }
  }
  return true;
}

/** Looks for layers of code in the JSON description of a Keras model. Gives whether it is one. */
export function scanKerasConfig(content: Content, context: ScanContext): boolean {
  const { source, path } = content;
  if (source.read(0, 64).toString('latin1').trimStart()[0] !== '{') return false;
  if (source.sizeBytes > MAX_CONFIG_BYTES) return false;
  const text = source.read(0, source.sizeBytes).toString('utf8');
  if (!/class_?name|\\u00/.test(text)) return false;
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    return false;
  }
  if (!isDescription(json)) return false;
  const found = codeIn(json, 0);
  if (found !== undefined)
    context.report({ level: 'dangerous', rule: 'keras-code', file: path, says: `describes a Keras model with ${found}, which is Python code` });
  return true;
}

function isDescription(json: unknown): boolean {
  return typeof json === 'object' && json !== null && 'class_name' in json && 'config' in json;
}

/** The first thing in a description that makes Keras run or import what the file names. */
function codeIn(json: unknown, depth: number): string | undefined {
  if (typeof json !== 'object' || json === null) return undefined;
  if (depth > MAX_DEPTH) return 'layers deeper than any';
  if (Array.isArray(json)) return firstOf(json, depth);
  const { class_name: kind, module, registered_name: registered } = json as Record<string, unknown>;
  if (typeof kind === 'string') {
    if (/(^|>)\w*Lambda$/.test(kind) || kind === '__lambda__') return 'a Lambda layer';
    if (kind === 'function') return 'a function by its name';
    if (typeof module === 'string' && !MODULES.test(module) && module !== 'builtins') return `a class of ${JSON.stringify(module.slice(0, 60))}`;
    if (typeof registered === 'string' && registered.endsWith('>Lambda')) return 'a Lambda layer';
  }
  return firstOf(Object.values(json), depth);
}

function firstOf(values: readonly unknown[], depth: number): string | undefined {
  for (const value of values) {
    const found = codeIn(value, depth + 1);
    if (found !== undefined) return found;
  }
  return undefined;
}
