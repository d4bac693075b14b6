import { ConfigInvalid } from '../errors/config.js';
import { ALL_KEYS } from './keys.js';
import { nearest } from './nearest-key.js';
import { parseProperties } from './properties.js';

export type Source = 'default' | 'file' | 'flag' | 'environment';

/** The text of one key and where it stands. */
export interface Sourced {
  readonly text: string;
  readonly source: Source;
  /** `config.properties:12`, `--model-store`, `TS_MODEL_STORE`. */
  readonly where: string;
  /** The text before `$$NAME$$` was replaced in it, where that was. */
  readonly template?: string;
}

export type Layer = ReadonlyMap<string, Sourced>;

const KNOWN_KEYS: ReadonlySet<string> = new Set(ALL_KEYS.map(([, spec]) => spec.key));
const ENV_REFERENCE = /\$\$([^$]{2,})\$\$/g;

/** The layer of a config.properties: `$$NAME$$` replaced by the environment, literally. Unknown keys warn with the nearest known one. Throws ConfigInvalid for a variable that is not set. */
export function fileLayer(content: string, name: string, env: Readonly<Record<string, string | undefined>>, warnings: string[]): Layer {
  const layer = new Map<string, Sourced>();
  for (const { key, value, line } of parseProperties(content, name)) {
    const where = `${name}:${line}`;
    warnOfUnknown(key, where, warnings);
    const text = value.replace(ENV_REFERENCE, (_, variable: string) => {
      const found = env[variable];
      if (found === undefined) throw ConfigInvalid({ message: `Invalid Environment Variable ${variable} (${key} in ${where})` });
      return found;
    });
    layer.set(key, { text, source: 'file', where, ...(text === value ? {} : { template: value }) });
  }
  return layer;
}

/** The layer of the command line: keys already named, each with its flag. Unknown keys (of `--set`) warn with the nearest known one. */
export function flagLayer(flags: ReadonlyMap<string, { readonly text: string; readonly where: string }>, warnings: string[]): Layer {
  const layer = new Map<string, Sourced>();
  for (const [key, { text, where }] of flags) {
    warnOfUnknown(key, where, warnings);
    layer.set(key, { text, where, source: 'flag' });
  }
  return layer;
}

function warnOfUnknown(key: string, where: string, warnings: string[]): void {
  if (KNOWN_KEYS.has(key)) return;
  const meant = nearest(key, KNOWN_KEYS);
  warnings.push(`${where}: unknown key ${key}${meant === undefined ? '' : `; did you mean ${meant}?`}`);
}

/** The layer of TS_* variables; `allowed_urls` only where the file lets it. */
export function environmentLayer(env: Readonly<Record<string, string | undefined>>, allowUrls: boolean): Layer {
  const layer = new Map<string, Sourced>();
  for (const [, spec] of ALL_KEYS) {
    if (spec.env === undefined || (spec.key === 'allowed_urls' && !allowUrls)) continue;
    const text = env[spec.env];
    if (text !== undefined && spec.key !== 'ts_open_inference_protocol') layer.set(spec.key, { text, source: 'environment', where: spec.env });
  }
  return layer;
}

/** The protocol switch that works without `enable_envvars_config`: `oip` turns it on, any other word off. */
export function openInferenceLayer(env: Readonly<Record<string, string | undefined>>): Layer {
  const word = env.TS_OPEN_INFERENCE_PROTOCOL;
  if (word === undefined || word === '') return new Map();
  return new Map([['ts_open_inference_protocol', { text: String(word === 'oip'), source: 'environment', where: 'TS_OPEN_INFERENCE_PROTOCOL' }]]);
}

export function defaultLayer(): Layer {
  return new Map(
    ALL_KEYS.flatMap(([, { key, fallback }]): [string, Sourced][] =>
      fallback === undefined ? [] : [[key, { text: fallback, source: 'default', where: 'default' }]],
    ),
  );
}
