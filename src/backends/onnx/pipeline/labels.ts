import { readFile } from 'node:fs/promises';
import { LoadFailed } from '../../../errors/backend.js';
import { modelFile } from '../../model-file.js';
import type { LabelsConfig } from './pipeline-config.js';

/** A class's name by its index; the index itself, as text, where there is none. */
export type Labels = (index: number) => string;

/** TorchServe's name for the file that maps indices to labels. */
const DEFAULT_FILE = 'index_to_name.json';

/**
 * Reads labels: a list, or a JSON file of the model directory in one of TorchServe's forms ({"0": "cat"}, {"0": ["n02124075", "cat"]},
 * {"object_type_names": ["person"]}, a list). Without a config index_to_name.json is taken if there is one. Rejects with LoadFailed.
 */
export async function readLabels(config: LabelsConfig | undefined, directory: string): Promise<Labels> {
  if (Array.isArray(config)) return fromList(config);
  const path = await modelFile(directory, config ?? DEFAULT_FILE);
  const text = path === undefined ? undefined : await readFile(path, 'utf8');
  if (text === undefined && config === undefined) return String;
  if (text === undefined) throw LoadFailed({ status: 500, message: `The labels file ${config} is not in the model's directory.` });
  const labels = parseLabels(text);
  if (labels === undefined) {
    throw LoadFailed({ status: 500, message: `${config ?? DEFAULT_FILE} is no label file: it needs {"0": "name"}, {"0": ["id", "name"]} or a list of names.` });
  }
  return labels;
}

function parseLabels(text: string): Labels | undefined {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (Array.isArray(json)) return fromList(json);
  if (typeof json !== 'object' || json === null) return undefined;
  if ('object_type_names' in json && Array.isArray(json.object_type_names)) return fromList(json.object_type_names);
  const names = new Map(Object.entries(json).map(([index, name]) => [index, nameOf(name)]));
  return (index) => names.get(String(index)) ?? String(index);
}

function fromList(list: readonly unknown[]): Labels {
  return (index) => (index < list.length ? (nameOf(list[index]) ?? String(index)) : String(index));
}

/** A label is a text, or a list whose last entry is the readable one. */
function nameOf(entry: unknown): string | undefined {
  const name: unknown = Array.isArray(entry) ? entry.at(-1) : entry;
  return typeof name === 'string' ? name : undefined;
}
