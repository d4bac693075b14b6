import { basename } from 'node:path';
import { z } from 'zod';
import { PackRefused } from '../errors/packing.js';
import { SconceError } from '../errors/sconce-error.js';
import type { ServableModel } from '../inference/servable-model.js';
import { backendOf } from '../models/backend-of.js';
import { parseManifest } from '../models/manifest.js';
import type { Finding } from './finding.js';
import type { SourceFile } from './source-tree.js';
import { isTorchScript } from './torchscript.js';

/** What a folder turned out to be. File names are those in the archive. */
export interface ModelDescription {
  readonly name: string;
  readonly version: string;
  readonly runtime: ServableModel['runtime'];
  readonly backend: ServableModel['backend'];
  readonly handler: string | undefined;
  readonly serializedFile: string | undefined;
  readonly modelFile: string | undefined;
  readonly requirementsFile: string | undefined;
  readonly configFile: string | undefined;
  readonly sourceVocab: string | undefined;
  /** What else a manifest of the folder's own said: kept. */
  readonly rest: { readonly manifest: Readonly<Record<string, unknown>>; readonly model: Readonly<Record<string, unknown>> };
}

/** What the command line said, file names already those in the archive. */
export type NamedParts = { readonly [Part in Exclude<keyof ModelDescription, 'backend' | 'rest' | 'sourceVocab'>]: ModelDescription[Part] | undefined };

export const MANIFEST_NAME = 'MAR-INF/MANIFEST.json';
const NAME = /^[A-Za-z0-9][A-Za-z0-9_\-.]*$/;
const HANDLERS = ['handler.py', 'handler.mjs', 'handler.js', 'handler.ts', 'handler.mts'];
const CONFIGS = ['model-config.yaml', 'model-config.yml', 'model_config.yaml', 'model_config.yml'];
const WEIGHTS = /\.(pt|pth|onnx|pt2|bin|safetensors|so)$/;

type Files = ReadonlyMap<string, SourceFile>;

/**
 * Tells what the folder's files are: the command line's word counts before the folder's MAR-INF/MANIFEST.json, and that before the usual names.
 * Rejects with PackRefused for a name, a version or a manifest that no server takes.
 */
export async function describeModel(
  folder: string,
  files: Files,
  named: NamedParts,
  manifestText: string | undefined,
): Promise<{ readonly model: ModelDescription; readonly findings: readonly Finding[] }> {
  const findings: Finding[] = [];
  const own = manifestText === undefined ? undefined : readOwnManifest(manifestText);
  const runtime = named.runtime ?? own?.runtime ?? 'python';
  const handler = named.handler ?? own?.handler ?? usualHandler(files, findings);
  const serializedFile = named.serializedFile ?? own?.serializedFile ?? usualWeights(files, findings);
  const backend = backendOf(handler, serializedFile);
  const model: ModelDescription = {
    name: checkedName(named.name ?? own?.modelName ?? nameOf(folder)),
    version: named.version ?? own?.modelVersion ?? '1.0',
    runtime,
    backend,
    handler,
    serializedFile,
    modelFile: named.modelFile ?? own?.modelFile ?? (await usualModelFile(files, backend, serializedFile, own?.serializedFile !== undefined)),
    requirementsFile:
      named.requirementsFile ?? own?.requirementsFile ?? (backend === 'python' && files.has('requirements.txt') ? 'requirements.txt' : undefined),
    configFile: named.configFile ?? own?.configFile ?? CONFIGS.find((name) => files.has(name)),
    sourceVocab: own?.sourceVocab,
    rest: own?.rest ?? { manifest: {}, model: {} },
  };
  return { model, findings };
}

/** MAR-INF/MANIFEST.json of the archive, keys in the order of torch-model-archiver. */
export function manifestText(
  { name, version, runtime, rest, ...model }: ModelDescription,
  { createdOn, archiverVersion }: { createdOn: string; archiverVersion: string },
): string {
  const { handler, serializedFile, modelFile, requirementsFile, configFile } = model;
  const described = { modelName: name, serializedFile, handler, modelFile, modelVersion: version, requirementsFile, configFile, ...rest.model };
  return JSON.stringify({ createdOn, runtime, model: described, archiverVersion, ...rest.manifest }, undefined, 2);
}

const text = z.string().min(1).nullish();
const ownManifest = z.looseObject({ model: z.looseObject({ modelFile: text, sourceVocab: text }) });
const RETOLD = new Set(['modelName', 'serializedFile', 'handler', 'modelFile', 'modelVersion', 'requirementsFile', 'configFile']);
const RETOLD_OUTSIDE = new Set(['createdOn', 'runtime', 'model', 'archiverVersion']);

function readOwnManifest(content: string) {
  try {
    const { runtime, modelName, modelVersion, handler, serializedFile, requirementsFile, configFile } = parseManifest(content);
    const { model, ...manifest } = ownManifest.parse(JSON.parse(content));
    return {
      ...{ runtime, modelName, handler, serializedFile, requirementsFile, configFile },
      modelVersion: model.modelVersion === undefined ? undefined : modelVersion,
      modelFile: model.modelFile ?? undefined,
      sourceVocab: model.sourceVocab ?? undefined,
      rest: { manifest: without(manifest, RETOLD_OUTSIDE), model: without(model, RETOLD) },
    };
  } catch (error) {
    if (!(error instanceof SconceError || error instanceof z.ZodError)) throw error;
    throw PackRefused(
      {
        message: `${MANIFEST_NAME} of the folder is no manifest: ${error instanceof SconceError ? error.message : z.prettifyError(error)}\nMend it, or take it away: pack writes one.`,
      },
      error,
    );
  }
}

function without(from: Readonly<Record<string, unknown>>, keys: ReadonlySet<string>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(from).filter(([key]) => !keys.has(key)));
}

function checkedName(name: string): string {
  if (NAME.test(name)) return name;
  throw PackRefused({ message: `'${name}' is no name for a model: letters, digits, '_', '-' and '.', a letter or digit first. Give one with --name.` });
}

function nameOf(folder: string): string {
  return (
    basename(folder)
      .replace(/[^A-Za-z0-9_\-.]+/g, '_')
      .replace(/^[^A-Za-z0-9]+/, '') || 'model'
  );
}

function usualHandler(files: Files, findings: Finding[]): string | undefined {
  const [first, second] = HANDLERS.filter((name) => files.has(name));
  if (first !== undefined && second !== undefined)
    findings.push({ code: 'two-handlers', message: `${first} and ${second} are both there; ${first} is taken: remove one, or name it with --handler` });
  if (first !== undefined) return first;
  const others = [...files.keys()].filter((name) => /^\w*handler\w*\.(py|mjs|js|ts|mts)$/.test(name));
  return others.length === 1 ? others[0] : undefined;
}

function usualWeights(files: Files, findings: Finding[]): string | undefined {
  const found = [...files.keys()].filter((name) => !name.includes('/') && WEIGHTS.test(name) && name !== 'source_vocab.pt');
  const called = found.filter((name) => name.startsWith('model.'));
  const candidates = called.length > 0 ? called : found;
  if (candidates.length < 2) return candidates[0];
  findings.push({ code: 'several-weights', message: `${candidates.join(', ')}: none is taken as the model: name it with --serialized-file` });
  return undefined;
}

/** model.py is the architecture of weights that are nothing but weights. */
async function usualModelFile(
  files: Files,
  backend: ServableModel['backend'],
  serialized: string | undefined,
  isSaidByManifest: boolean,
): Promise<string | undefined> {
  if (backend !== 'python' || isSaidByManifest || serialized === undefined || !files.has('model.py') || !/\.(pt|pth|bin)$/.test(serialized)) return undefined;
  const file = files.get(serialized);
  return file !== undefined && (await isTorchScript(file.path)) ? undefined : 'model.py';
}
