import { ArchiveInvalid } from '../errors/model.js';
import type { ModelConfig, SandboxNeeds, SconceModelConfig } from '../inference/model-config.js';
import type { WorkerLimits } from '../inference/worker-limits.js';
import type { Log } from '../observability/observer.js';
import { HostileYaml, parseYaml } from './yaml-document.js';

const INT_MAX = 2_147_483_647;

/** The keys of model-config.yaml that the server reads itself. */
export const SERVER_KEYS = [
  'minWorkers',
  'maxWorkers',
  'batchSize',
  'maxBatchDelay',
  'responseTimeout',
  'startupTimeout',
  'deviceType',
  'deviceIds',
  'parallelType',
  'parallelLevel',
  'torchrun',
  'maxRetryTimeoutInSec',
  'clientTimeoutInMills',
  'jobQueueSize',
  'useJobTicket',
  'continuousBatching',
  'sequenceBatching',
  'sequenceMaxIdleMSec',
  'sequenceTimeoutMSec',
  'maxSequenceJobQueueSize',
  'maxNumSequence',
  'asyncCommunication',
  'useVenv',
  'sconce',
] as const;
type ServerKey = (typeof SERVER_KEYS)[number];

type Document = Readonly<Record<string, unknown>>;

/** What a model without model-config.yaml has. */
export function noModelConfig(): ModelConfig {
  return { sconce: sconceBlock({}, () => undefined), raw: {}, file: undefined };
}

/**
 * Reads model-config.yaml with YAML 1.1's typing, as PyYAML does; of a key that stands twice the last counts. TorchServe is lenient here: a key of the wrong type is warned about and ignored, and a
 * document that cannot be read counts as none. Time-outs that it does not name stay unset. Throws ArchiveInvalid for a document that is made to harm its readers, and for a wish for isolation that is none.
 */
export function parseModelConfig(content: string, file: string, log: Log): ModelConfig {
  let raw: unknown;
  try {
    raw = parseYaml(content);
  } catch (error) {
    if (error instanceof HostileYaml) throw ArchiveInvalid({ message: `${file} is refused: ${error.message}.` }, error);
    log.error(`${file} cannot be read and is left out: ${error instanceof Error ? error.message : String(error)}`);
    return noModelConfig();
  }
  if (raw === null || raw === undefined) return { ...noModelConfig(), file };
  if (!isDocument(raw)) {
    log.error(`${file} is not a mapping and is left out`);
    return noModelConfig();
  }
  return readDocument(raw, file, (key, allowed) => log.warn(`${file}: ${key} is ignored; allowed: ${allowed}`));
}

type Warn = (key: string, allowed: string) => void;

function readDocument(raw: Readonly<Partial<Record<ServerKey, unknown>>>, file: string, warn: Warn): ModelConfig {
  const int = (key: ServerKey, min: number): number | undefined => {
    const value = raw[key];
    if (value === undefined || value === null) return undefined;
    if (typeof value !== 'number' || !Number.isInteger(value) || Math.abs(value) > INT_MAX) {
      warn(key, 'a whole number');
      return undefined;
    }
    return value < min ? undefined : value;
  };
  const atLeastOne = (key: ServerKey): number | undefined => {
    const value = int(key, -INT_MAX);
    return value === undefined ? undefined : Math.max(1, value);
  };
  const bool = (key: ServerKey): boolean | undefined => {
    const value = raw[key];
    if (value === undefined || value === null || typeof value === 'boolean') return value ?? undefined;
    warn(key, 'true or false');
    return undefined;
  };
  const word = <const T extends string>(key: ServerKey, ...words: readonly T[]): T | undefined => {
    const value = raw[key];
    if (value === undefined || value === null) return undefined;
    const found = words.find((candidate) => candidate === value);
    if (found === undefined) warn(key, words.join(', '));
    return found;
  };
  const delay = int('maxBatchDelay', 0);
  const parallelType = word('parallelType', 'pp', 'tp', 'pptp', 'custom');
  const torchrun = isDocument(raw.torchrun) ? scalars(raw.torchrun) : undefined;
  const level = parallelLevel(int('parallelLevel', 1), perNode(torchrun), Object.keys(raw));
  if (level !== undefined && raw.parallelType === undefined) warn('parallelLevel', 'only together with parallelType');
  return {
    minWorkers: atLeastOne('minWorkers'),
    maxWorkers: int('maxWorkers', 0),
    batchSize: atLeastOne('batchSize'),
    maxBatchDelayMs: delay === 0 ? undefined : delay,
    responseTimeoutS: int('responseTimeout', 1),
    startupTimeoutS: int('startupTimeout', 1),
    deviceType: word('deviceType', 'cpu', 'gpu'),
    deviceIds: intList(raw.deviceIds, () => warn('deviceIds', 'a list of whole numbers')),
    parallelType,
    parallelLevel: level,
    torchrun,
    maxRetryTimeoutS: int('maxRetryTimeoutInSec', 0),
    clientTimeoutMs: int('clientTimeoutInMills', 0),
    jobQueueSize: int('jobQueueSize', 1),
    useJobTicket: bool('useJobTicket'),
    continuousBatching: bool('continuousBatching'),
    sequenceBatching: bool('sequenceBatching'),
    sequenceMaxIdleMs: int('sequenceMaxIdleMSec', 0),
    sequenceTimeoutMs: int('sequenceTimeoutMSec', 0),
    maxSequenceJobQueueSize: atLeastOne('maxSequenceJobQueueSize'),
    maxNumSequence: atLeastOne('maxNumSequence'),
    asyncCommunication: bool('asyncCommunication'),
    useVenv: bool('useVenv'),
    sconce: sconceBlock(raw.sconce, warn),
    raw,
    file,
  };
}

function sconceBlock(block: unknown, warn: Warn): SconceModelConfig {
  const of = isDocument(block) ? block : {};
  const recycle = isDocument(of.recycle) ? of.recycle : {};
  const positive = (from: Document, key: string, name: string) => positiveNumber(from[key], name, warn);
  if (block !== undefined && block !== null && !isDocument(block)) warn('sconce', 'a mapping');
  if (of.retryOnWorkerDeath !== undefined && typeof of.retryOnWorkerDeath !== 'boolean') warn('sconce.retryOnWorkerDeath', 'true or false');
  // A bare 3.12 is a number. One that is no such name is refused later: running the model on another interpreter helps nobody.
  const python = typeof of.python === 'number' ? String(of.python) : of.python;
  if (python !== undefined && python !== null && typeof python !== 'string') warn('sconce.python', 'a name out of sconce_pythons');
  const growthMb = positive(recycle, 'memoryGrowthMb', 'sconce.recycle.memoryGrowthMb');
  return {
    retryOnWorkerDeath: of.retryOnWorkerDeath !== false,
    recycleAfterS: positive(recycle, 'afterSeconds', 'sconce.recycle.afterSeconds'),
    recycleAfterRequests: positive(recycle, 'afterRequests', 'sconce.recycle.afterRequests'),
    recycleMemoryGrowthBytes: growthMb === undefined ? undefined : growthMb * 2 ** 20,
    threads: wholeThreads(positive(of, 'threads', 'sconce.threads')),
    python: typeof python === 'string' ? python : undefined,
    intraOpThreads: Math.max(1, Math.round(positive(of, 'intraOpThreads', 'sconce.intraOpThreads') ?? 1)),
    isolate: isolation(of.isolate),
    limits: limits(of.limits, warn),
    needs: needs(of.needs, warn),
  };
}

/** A wish that would be left out in silence would be thought granted. Throws ArchiveInvalid. */
function isolation(wish: unknown): 'principal' | undefined {
  if (wish === undefined || wish === null || wish === 'principal') return wish ?? undefined;
  throw ArchiveInvalid({ message: 'sconce.isolate of model-config.yaml is principal, or is not set.' });
}

function needs(block: unknown, warn: Warn): SandboxNeeds | undefined {
  if (block === undefined || block === null) return undefined;
  if (!isDocument(block)) {
    warn('sconce.needs', 'a mapping');
    return undefined;
  }
  const need = (key: 'network' | 'exec'): boolean => {
    if (block[key] !== undefined && typeof block[key] !== 'boolean') warn(`sconce.needs.${key}`, 'true or false');
    return block[key] === true;
  };
  return { network: need('network'), exec: need('exec') };
}

function wholeThreads(threads: number | undefined): number | undefined {
  return threads === undefined ? undefined : Math.max(1, Math.round(threads));
}

function limits(block: unknown, warn: Warn): WorkerLimits | undefined {
  if (block === undefined || block === null) return undefined;
  if (!isDocument(block)) {
    warn('sconce.limits', 'a mapping');
    return undefined;
  }
  const limit = (key: string, unit: number): number | undefined => {
    const value = positiveNumber(block[key], `sconce.limits.${key}`, warn);
    return value === undefined ? undefined : Math.ceil(value * unit);
  };
  return {
    memoryBytes: limit('memoryMb', 2 ** 20),
    processes: limit('processes', 1),
    fileBytes: limit('fileMb', 2 ** 20),
    openFiles: limit('openFiles', 1),
    logBytesPerS: limit('logKbPerS', 1024),
  };
}

function positiveNumber(value: unknown, name: string, warn: Warn): number | undefined {
  if (value === undefined || value === null) return undefined;
  if (typeof value === 'number' && value > 0 && Number.isFinite(value)) return value;
  warn(name, 'a number greater than 0');
  return undefined;
}

function isDocument(value: unknown): value is Document {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function scalars(of: Document): Record<string, string | number> {
  return Object.fromEntries(Object.entries(of).filter((pair): pair is [string, string | number] => typeof pair[1] === 'string' || typeof pair[1] === 'number'));
}

function perNode(torchrun: Readonly<Record<string, string | number>> | undefined): number | undefined {
  const value = torchrun?.['nproc-per-node'];
  return Number.isInteger(value) && Number(value) > 0 ? Number(value) : undefined;
}

/** Both keys set it: the one that stands last in the file counts. */
function parallelLevel(plain: number | undefined, fromTorchrun: number | undefined, keys: readonly string[]): number | undefined {
  return keys.indexOf('torchrun') > keys.indexOf('parallelLevel') ? (fromTorchrun ?? plain) : (plain ?? fromTorchrun);
}

function intList(value: unknown, wrong: () => void): readonly number[] | undefined {
  if (value === undefined || value === null) return undefined;
  if (Array.isArray(value) && value.every((item): item is number => Number.isInteger(item))) return value;
  wrong();
  return undefined;
}
