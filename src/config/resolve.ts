import { existsSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { ConfigInvalid } from '../errors/config.js';
import { type DefaultPorts, parseAddress } from './address.js';
import { ALL_KEYS, type RawSettings } from './keys.js';
import type { Settings, WantedModel } from './settings.js';
import { newestSnapshot } from './snapshot-files.js';
import { defaultLayer, environmentLayer, fileLayer, flagLayer, type Layer, openInferenceLayer, type Sourced } from './sources.js';

export interface ResolveInputs {
  /** Key of config.properties → value, from the command line. `where` is the flag. */
  readonly flags: ReadonlyMap<string, { readonly text: string; readonly where: string }>;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  /** The file that `--ts-config` names. */
  readonly configFile: string | undefined;
  /** Folder of the snapshots, whose newest is read where no file is named; undefined: none is. */
  readonly snapshotFolder?: string | undefined;
}

export interface Resolved {
  readonly settings: Settings;
  readonly warnings: readonly string[];
}

/**
 * Which one file is read: TS_CONFIG_FILE (an empty one counts as unset, as container files like to write it), then the named one, then the newest snapshot,
 * then config.properties in the working directory. Throws ConfigInvalid for a folder of snapshots that can't be read.
 */
export function findConfigFile({ env, cwd, configFile, snapshotFolder }: Omit<ResolveInputs, 'flags'>): FoundFile {
  const named = env.TS_CONFIG_FILE || configFile;
  if (named !== undefined) return { file: named, passedOver: undefined, isNewestSnapshot: false };
  const here = join(cwd, 'config.properties');
  const file = existsSync(here) ? here : undefined;
  const snapshot = snapshotFolder === undefined ? undefined : newestSnapshot(snapshotFolder);
  if (snapshotFolder === undefined || snapshot === undefined) return { file, passedOver: undefined, isNewestSnapshot: false };
  return { file: join(snapshotFolder, snapshot), passedOver: file, isNewestSnapshot: true };
}

interface FoundFile {
  readonly file: string | undefined;
  /** The config.properties that would have been read but for a snapshot. */
  readonly passedOver: string | undefined;
  readonly isNewestSnapshot: boolean;
}

/** Layers defaults < file < flags < environment (the last only under `enable_envvars_config`) and checks every value. Throws ConfigInvalid with one line: key, value, what is allowed, where it stands. */
export function resolveSettings(inputs: ResolveInputs): Resolved {
  const { env, flags } = inputs;
  const warnings: string[] = [];
  const { file, passedOver, isNewestSnapshot } = findConfigFile(inputs);
  if (passedOver !== undefined) warnings.push(`config.properties is not read: the newest snapshot goes before it (${file}); --ncs or --ts-config changes that`);
  const fromFile: Layer = file === undefined ? new Map() : fileLayer(readConfig(file), basename(file), env, warnings);
  const fromFlags = flagLayer(flags, warnings);
  const isOn = (key: string) => (fromFlags.get(key) ?? fromFile.get(key))?.text.trim().toLowerCase() === 'true';
  const layers: Layer[] = [
    defaultLayer(),
    fromFile,
    fromFlags,
    isOn('enable_envvars_config') ? environmentLayer(env, isOn('use_env_allowed_urls')) : new Map(),
    openInferenceLayer(env),
  ];
  const sources = new Map(layers.flatMap((layer) => [...layer]));
  const raw = readAll(sources, warnings);
  const models = fromFlags.get('load_models');
  if (raw.modelSnapshot !== undefined && models !== undefined)
    warnings.push(`${models.where} is not used: the models are those of the snapshot in ${sources.get('model_snapshot')?.where}`);
  const address = (key: string, ports: DefaultPorts) => {
    const { text, where } = sources.get(key) ?? { text: '', where: 'default' };
    return parseAddress(text, ports, `${key} in ${where}`);
  };
  const settings: Settings = Object.freeze({
    ...raw,
    inferenceAddress: address('inference_address', { http: 80, https: 443 }),
    managementAddress: address('management_address', { http: 8081, https: 8444 }),
    metricsAddress: address('metrics_address', { http: 8082, https: 8445 }),
    loadModels: parseLoadModels(raw.loadModels),
    configFile: file,
    fromNewestSnapshot: isNewestSnapshot,
    sources,
  } as Settings);
  return { settings, warnings };
}

function readConfig(file: string): string {
  try {
    return readFileSync(file, 'latin1');
  } catch (error) {
    throw ConfigInvalid({ message: `config file cannot be read: ${file}` }, error);
  }
}

function readAll(sources: ReadonlyMap<string, Sourced>, warnings: string[]): RawSettings {
  const values: Record<string, unknown> = {};
  for (const [name, spec] of ALL_KEYS) {
    const sourced = sources.get(spec.key);
    if (sourced === undefined) continue;
    const { text, source, where } = sourced;
    if (source !== 'default' && spec.ignored !== undefined) warnings.push(`${where}: ${spec.key} is ignored: ${spec.ignored}`);
    if (source !== 'default' && spec.type.allowed === 'true or false' && !/^\s*(true|false)\s*$/i.test(text))
      warnings.push(`${where}: ${spec.key}=${text} counts as false; allowed: true or false`);
    const value = spec.type.read(text);
    if (value === undefined) throw ConfigInvalid({ message: `${spec.key}=${spec.secret ? '***' : text} (${where}); allowed: ${spec.type.allowed}` });
    values[name] = value;
  }
  return values as RawSettings;
}

/** `all` alone, or a list of `name=location` and `location`. */
export function parseLoadModels(text: string | undefined): 'all' | readonly WantedModel[] {
  if (text === undefined) return [];
  if (text.trim().toLowerCase() === 'all') return 'all';
  return text
    .split(',')
    .map((item) => item.trim())
    .flatMap((item): WantedModel[] => {
      const at = item.indexOf('=');
      if (at < 0) return item === '' ? [] : [{ name: undefined, url: item }];
      const url = item.slice(at + 1).trim();
      return url === '' ? [] : [{ name: item.slice(0, at).trim(), url }];
    });
}
