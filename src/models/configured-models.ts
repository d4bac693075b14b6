import { ConfigInvalid } from '../errors/config.js';
import { parseLenientJson } from '../inference/lenient-json.js';

/** What the `models` JSON of config.properties says of one version; times in the unit of the name. */
export interface ConfiguredModel {
  readonly minWorkers: number | undefined;
  readonly maxWorkers: number | undefined;
  readonly batchSize: number | undefined;
  readonly maxBatchDelayMs: number | undefined;
  readonly responseTimeoutS: number | undefined;
  readonly startupTimeoutS: number | undefined;
}

const NOTHING: ConfiguredModel = {
  minWorkers: undefined,
  maxWorkers: undefined,
  batchSize: undefined,
  maxBatchDelayMs: undefined,
  responseTimeoutS: undefined,
  startupTimeoutS: undefined,
};

/** Reads the JSON once; gives a look-up by model and version. Figures that are no whole number above 0 count as unset. Throws ConfigInvalid. */
export function configuredModels(json: string | undefined): (model: string, version: string) => ConfiguredModel {
  if (json === undefined || json.trim() === '') return () => NOTHING;
  let document: unknown;
  try {
    document = parseLenientJson(json);
  } catch (error) {
    throw ConfigInvalid({ message: `models is not JSON: ${error instanceof Error ? error.message : ''}` }, error);
  }
  return (model, version) => {
    const entry = member(member(document, model), version);
    if (entry === undefined) return NOTHING;
    const figure = (key: string): number | undefined => {
      const value = member(entry, key);
      const number = typeof value === 'string' ? Number(value) : value;
      return typeof number === 'number' && Number.isInteger(number) && number > 0 ? number : undefined;
    };
    return {
      minWorkers: figure('minWorkers'),
      maxWorkers: figure('maxWorkers'),
      batchSize: figure('batchSize'),
      maxBatchDelayMs: figure('maxBatchDelay'),
      responseTimeoutS: figure('responseTimeout'),
      startupTimeoutS: figure('startupTimeout'),
    };
  };
}

function member(of: unknown, key: string): unknown {
  return typeof of === 'object' && of !== null && Object.hasOwn(of, key) ? (of as Record<string, unknown>)[key] : undefined;
}
