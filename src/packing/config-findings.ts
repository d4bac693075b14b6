import { readPipelineConfig } from '../backends/onnx/pipeline/pipeline-config.js';
import { nearest } from '../config/nearest-key.js';
import { SconceError } from '../errors/sconce-error.js';
import type { ModelConfig } from '../inference/model-config.js';
import { parseModelConfig, SERVER_KEYS } from '../models/model-config.js';
import type { Log } from '../observability/observer.js';
import type { Finding } from './finding.js';
import type { ModelDescription } from './model-description.js';

/** Blocks that handlers and backends read. */
const HANDLER_KEYS: readonly string[] = ['handler', 'pt2', 'micro_batching', 'pippy', 'deepspeed', 'dali', 'pipeline'];
const KNOWN_KEYS: ReadonlySet<string> = new Set([...SERVER_KEYS, ...HANDLER_KEYS]);

/** Reads model-config.yaml as the server will, and tells what the server will leave out of it. */
export function readConfig(content: string, model: ModelDescription): { readonly config: ModelConfig; readonly findings: readonly Finding[] } {
  const file = model.configFile ?? '';
  const findings: Finding[] = [];
  const keep = (message: string) =>
    findings.push({ code: 'config-value', message: `${message.replace(' is ignored; allowed:', ' would be ignored: it takes')}` });
  const log: Log = { debug() {}, info() {}, warn: keep, error: keep, named: () => log };
  const config = parseModelConfig(content, file, log);
  const add = (code: string, message: string) => findings.push({ code, message: `${file}: ${message}` });

  const { raw } = config;
  const unknown = Object.keys(raw).filter((key) => !KNOWN_KEYS.has(key));
  const meant = new Map(unknown.map((key) => [key, nearest(key, SERVER_KEYS)]));
  for (const [key, known] of meant) if (known !== undefined) add('config-key', `${key} is no setting of the server: did you mean ${known}?`);
  const others = unknown.filter((key) => meant.get(key) === undefined);
  if (others.length > 0)
    add('config-key', `${others.join(', ')}: no setting of the server, only the handler sees it: put it below \`handler:\` if it is meant so`);

  if (config.parallelType !== undefined && config.parallelLevel === undefined)
    add('parallel', 'parallelType counts only with parallelLevel: add parallelLevel, or torchrun with nproc-per-node');
  if ((config.minWorkers ?? 0) > (config.maxWorkers ?? config.minWorkers ?? 0))
    add('workers', 'maxWorkers is less than minWorkers, so neither counts: raise maxWorkers');
  if ((config.minWorkers === undefined) !== (config.maxWorkers === undefined)) add('workers', 'minWorkers and maxWorkers count only together: give both');
  if (config.sequenceBatching && !config.sequenceMaxIdleMs) add('sequence', 'sequenceBatching needs sequenceMaxIdleMSec, in milliseconds: add it');
  for (const [key, path] of absolutePaths(raw))
    add('absolute-path', `${key} is ${path}, which is on this machine: put it into the folder and write a relative path`);
  if (model.backend === 'onnx') {
    try {
      readPipelineConfig(raw.pipeline);
    } catch (error) {
      if (!(error instanceof SconceError)) throw error;
      findings.push({ code: 'pipeline', message: `${error.message}: the server would refuse the model until this is mended` });
    }
  }
  return { config, findings };
}

function absolutePaths(value: unknown, key = ''): readonly (readonly [string, string])[] {
  if (typeof value === 'string') return /^\/[^/\s]+\/\S/.test(value) ? [[key, value]] : [];
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([name, inner]) => absolutePaths(inner, key === '' ? name : `${key}.${name}`));
}
