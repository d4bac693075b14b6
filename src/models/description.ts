import { existsSync, readdirSync } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import { basename, join, resolve, sep } from 'node:path';
import { ArchiveInvalid } from '../errors/model.js';
import type { ModelConfig } from '../inference/model-config.js';
import type { Log } from '../observability/observer.js';
import { type Manifest, NO_MANIFEST, parseManifest } from './manifest.js';
import { noModelConfig, parseModelConfig } from './model-config.js';

const MAX_DESCRIPTION_BYTES = 4 * 2 ** 20;

/** What a model's folder says of it. */
export interface Description {
  readonly manifest: Manifest;
  readonly config: ModelConfig;
  /** The manifest's, or the one .onnx file of a folder that says nothing else of itself. */
  readonly serializedFile: string | undefined;
}

/** Reads the manifest of a folder, if there is one, and what it names. It must have a name then, unless the model is `isNamed` already. Rejects with ArchiveInvalid. */
export async function describe(directory: string, isNamed: boolean, log: Log): Promise<Description> {
  const path = join(directory, 'MAR-INF', 'MANIFEST.json');
  if (!existsSync(path)) return describedBy(NO_MANIFEST, directory, log);
  const manifest = parseManifest(await readBounded(path));
  if (!isNamed && manifest.modelName === undefined) throw ArchiveInvalid({ message: 'Model name is not defined.' });
  return describedBy(manifest, directory, log);
}

/** As `describe`, with a manifest that is known. */
export async function describedBy(manifest: Manifest, directory: string, log: Log): Promise<Description> {
  const config = await readConfig(manifest, directory, log);
  const serializedFile = manifest.serializedFile ?? onlyOnnxFile(directory);
  if (serializedFile !== undefined && !resolve(directory, serializedFile).startsWith(directory + sep))
    throw ArchiveInvalid({ message: `The manifest names ${serializedFile} as its serializedFile, which lies outside the archive.` });
  return { manifest, config, serializedFile };
}

async function readConfig({ configFile }: Manifest, directory: string, log: Log): Promise<ModelConfig> {
  const name = configFile ?? (existsSync(join(directory, 'model-config.yaml')) ? 'model-config.yaml' : undefined);
  if (name === undefined) return noModelConfig();
  const path = resolve(directory, name);
  if (!path.startsWith(directory + sep) || !existsSync(path))
    throw ArchiveInvalid({ message: `The manifest names ${name} as its configFile, and the archive does not have it.` });
  return parseModelConfig(await readBounded(path), name, log);
}

async function readBounded(path: string): Promise<string> {
  if ((await stat(path)).size > MAX_DESCRIPTION_BYTES) throw ArchiveInvalid({ message: `${basename(path)} is longer than ${MAX_DESCRIPTION_BYTES} bytes.` });
  return readFile(path, 'utf8');
}

function onlyOnnxFile(directory: string): string | undefined {
  const found = readdirSync(directory).filter((name) => name.endsWith('.onnx'));
  return found.length === 1 ? found[0] : undefined;
}
