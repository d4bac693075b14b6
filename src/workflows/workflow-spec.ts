import { WorkflowInvalid } from '../errors/workflow.js';
import { parseStrictYaml } from '../models/yaml-document.js';
import { Dag } from './dag.js';

/** How one node is served and asked; times in the unit of the name. */
interface NodeSettings {
  /** Workers that the node is registered with. */
  readonly maxWorkers: number;
  readonly batchSize: number;
  readonly maxBatchDelayMs: number;
  /** How often a node that failed is asked again. */
  readonly retryAttempts: number;
  /** How long each try may take. */
  readonly timeoutMs: number;
}

interface SpecDefaults extends NodeSettings {
  readonly minWorkers: number;
}

/** A node of the graph: a model, or a function of the handler file by its own name. */
export interface WorkflowNode {
  readonly name: string;
  /** undefined: a function. */
  readonly url: string | undefined;
  readonly settings: NodeSettings;
}

export interface WorkflowSpec {
  /** What the specification says for all models, as describe shows it. */
  readonly defaults: SpecDefaults;
  /** By name, in the order of the graph. */
  readonly nodes: ReadonlyMap<string, WorkflowNode>;
  readonly dag: Dag;
}

/** Each node is a process at least. */
const MAX_NODES = 100;
const MAX_NAME_CHARS = 128;
const INT_MAX = 2_147_483_647;

interface Figure {
  readonly key: keyof SpecDefaults;
  readonly min: number;
  readonly max: number;
}

const FIGURES: ReadonlyMap<string, Figure> = new Map([
  ['min-workers', { key: 'minWorkers', min: 0, max: 1000 }],
  ['max-workers', { key: 'maxWorkers', min: 1, max: 1000 }],
  ['batch-size', { key: 'batchSize', min: 1, max: 100_000 }],
  ['max-batch-delay', { key: 'maxBatchDelayMs', min: 0, max: INT_MAX }],
  ['retry-attempts', { key: 'retryAttempts', min: 0, max: 100 }],
  ['timeout-ms', { key: 'timeoutMs', min: 1, max: INT_MAX }],
]);

const TORCHSERVE_DEFAULTS: SpecDefaults = { minWorkers: 1, maxWorkers: 1, batchSize: 1, maxBatchDelayMs: 50, retryAttempts: 1, timeoutMs: 10_000 };

/** Reads a workflow's specification. Throws WorkflowInvalid or DagInvalid. */
export function parseWorkflowSpec(content: string): WorkflowSpec {
  const document = readYaml(content);
  const { defaults, models } = readModels(document.get('models'));
  const dag = new Dag(readEdges(document.get('dag')));
  const nodes = new Map<string, WorkflowNode>();
  for (const name of dag.nodes) nodes.set(name, models.get(name) ?? functionNode(name, defaults));
  return { defaults, nodes, dag };
}

function readYaml(content: string): ReadonlyMap<unknown, unknown> {
  let document: unknown;
  try {
    document = parseStrictYaml(content);
  } catch (error) {
    throw WorkflowInvalid({ message: `Failed to parse yaml. (${firstLine(error)})` }, error);
  }
  if (!(document instanceof Map)) throw WorkflowInvalid({ message: 'The specification must be a mapping with the keys models and dag.' });
  return document;
}

/** As in TorchServe, what is said for all counts for the models that are listed after it. */
function readModels(section: unknown): { readonly defaults: SpecDefaults; readonly models: ReadonlyMap<string, WorkflowNode> } {
  let defaults = TORCHSERVE_DEFAULTS;
  const models = new Map<string, WorkflowNode>();
  if (section === undefined || section === null) return { defaults, models };
  if (!(section instanceof Map)) throw WorkflowInvalid({ message: 'models must be a mapping.' });
  for (const [key, value] of section) {
    const figure = FIGURES.get(key);
    if (figure !== undefined) {
      defaults = { ...defaults, [figure.key]: whole(value, `models.${key}`, figure) };
      continue;
    }
    const name = checkedName(key);
    if (!(value instanceof Map))
      throw WorkflowInvalid({ message: `models.${name} must be a mapping with a url; settings of all models are ${[...FIGURES.keys()].join(', ')}.` });
    models.set(name, readModel(name, value, defaults));
  }
  return { defaults, models };
}

function readModel(name: string, entry: ReadonlyMap<unknown, unknown>, defaults: SpecDefaults): WorkflowNode {
  const url = entry.get('url');
  if (typeof url !== 'string' || url === '') throw WorkflowInvalid({ message: `models.${name} has no url.` });
  let settings = defaults;
  for (const [key, figure] of FIGURES) {
    const value = entry.get(key);
    if (value !== undefined && value !== null) settings = { ...settings, [figure.key]: whole(value, `models.${name}.${key}`, figure) };
  }
  return { name, url, settings };
}

/** One worker and one request at a time, as in TorchServe; tries and time-out are those of all models, whatever their place in the list. */
function functionNode(name: string, { retryAttempts, timeoutMs }: SpecDefaults): WorkflowNode {
  if (!/^(?!__)[\p{L}_][\p{L}\p{N}_]*$/u.test(name))
    throw WorkflowInvalid({ message: `dag names ${name}, which is neither listed under models nor the name of a Python function.` });
  return { name, url: undefined, settings: { maxWorkers: 1, batchSize: 1, maxBatchDelayMs: 0, retryAttempts, timeoutMs } };
}

function readEdges(section: unknown): ReadonlyMap<string, readonly string[]> {
  if (!(section instanceof Map) || section.size === 0)
    throw WorkflowInvalid({ message: 'The specification has no dag: a mapping of each node to the list of those that follow.' });
  const names = new Set<string>();
  const edges = new Map<string, readonly string[]>();
  for (const [key, value] of section) {
    const node = checkedName(key);
    const next = value ?? [];
    if (!Array.isArray(next)) throw WorkflowInvalid({ message: `dag.${node} must be a list of the nodes that follow.` });
    edges.set(node, next.map(checkedName));
    for (const name of [node, ...(edges.get(node) ?? [])]) names.add(name);
    if (names.size > MAX_NODES) throw WorkflowInvalid({ message: `The dag has more than ${MAX_NODES} nodes.` });
  }
  return edges;
}

/** A node's name becomes part of a model's. */
function checkedName(name: unknown): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
  if (typeof name === 'string' && name !== '' && name.length <= MAX_NAME_CHARS && !/[\u0000-\u001f\u007f/\\]/.test(name)) return name;
  const shown = JSON.stringify(typeof name === 'string' ? name.slice(0, MAX_NAME_CHARS) : String(name));
  throw WorkflowInvalid({
    message: `${shown} is no name for a node: it must be text of 1 to ${MAX_NAME_CHARS} characters, none of them a slash or a control character.`,
  });
}

function whole(value: unknown, where: string, { min, max }: Figure): number {
  if (typeof value === 'number' && Number.isInteger(value) && value >= min && value <= max) return value;
  throw WorkflowInvalid({ message: `${where} must be a whole number from ${min} to ${max}.` });
}

function firstLine(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).split('\n', 1)[0]?.replace(/:$/, '') ?? '';
}
