import { z } from 'zod';
import { ArchiveInvalid } from '../errors/model.js';

/** MAR-INF/MANIFEST.json as the front end reads it. */
export interface Manifest {
  readonly runtime: 'python' | 'python3' | 'LSP';
  readonly modelName: string | undefined;
  readonly modelVersion: string;
  readonly handler: string | undefined;
  readonly envelope: string | undefined;
  readonly serializedFile: string | undefined;
  readonly requirementsFile: string | undefined;
  readonly configFile: string | undefined;
}

const text = z.string().nullish();
const document = z.object({
  runtime: z.unknown().optional(),
  model: z
    .object({
      modelName: text,
      modelVersion: z.union([z.string(), z.number()]).nullish(),
      handler: text,
      envelope: text,
      serializedFile: text,
      requirementsFile: text,
      configFile: text,
    })
    .nullish(),
});

const RUNTIMES: ReadonlyMap<unknown, Manifest['runtime']> = new Map([
  ['python', 'python'],
  ['python3', 'python3'],
  ['LSP', 'LSP'],
]);

/** What an archive without a manifest is taken for. */
export const NO_MANIFEST: Manifest = {
  runtime: 'python',
  modelName: undefined,
  modelVersion: '1.0',
  handler: undefined,
  envelope: undefined,
  serializedFile: undefined,
  requirementsFile: undefined,
  configFile: undefined,
};

/**
 * Reads a manifest. Unknown keys are no matter. A name may be missing where the register call gives one: see the intake. Throws
 * ArchiveInvalid with TorchServe's texts.
 */
export function parseManifest(content: string): Manifest {
  let json: unknown;
  try {
    json = JSON.parse(content);
  } catch (error) {
    throw ArchiveInvalid({ message: 'Failed to parse signature.json.' }, error);
  }
  const parsed = document.safeParse(json);
  if (!parsed.success) throw ArchiveInvalid({ message: 'Failed to parse signature.json.' }, parsed.error);
  const { model, runtime } = parsed.data;
  if (model === undefined || model === null) throw ArchiveInvalid({ message: 'Missing Model entry in manifest file.' });
  const known = runtime === undefined || runtime === null ? 'python' : RUNTIMES.get(runtime);
  if (known === undefined) throw ArchiveInvalid({ message: 'Runtime is not defined or invalid.' });
  return {
    runtime: known,
    modelName: model.modelName || undefined,
    modelVersion: model.modelVersion === undefined || model.modelVersion === null ? '1.0' : String(model.modelVersion),
    handler: model.handler || undefined,
    envelope: model.envelope || undefined,
    serializedFile: model.serializedFile || undefined,
    requirementsFile: model.requirementsFile || undefined,
    configFile: model.configFile || undefined,
  };
}
