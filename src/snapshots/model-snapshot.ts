import { z } from 'zod';
import { parseLenientJson } from '../inference/lenient-json.js';
import type { ServableModel } from '../inference/servable-model.js';
import { MAX_WORKERS_PER_MODEL } from '../registry/version-limits.js';

/** One version of a model as `model_snapshot` holds it; times in the unit of the name. What is undefined comes from elsewhere, as at a registration. */
export interface SnapshotVersion {
  readonly model: string;
  readonly version: string;
  readonly isDefault: boolean;
  /** Name in the model store. */
  readonly archive: string;
  readonly minWorkers: number;
  readonly maxWorkers: number;
  readonly batchSize: number;
  readonly maxBatchDelayMs: number | undefined;
  readonly responseTimeoutS: number | undefined;
  readonly startupTimeoutS: number | undefined;
  readonly runtime: ServableModel['runtime'] | undefined;
  /** Sconce's own: the handler that the registration named. */
  readonly handler: string | undefined;
  /** Only written: model-config.yaml says it again. */
  readonly parallelLevel: number | undefined;
}

const MAX_INT32 = 2 ** 31 - 1;

/** As Gson reads a number: its text is one too. */
function whole(min: number, max = MAX_INT32) {
  const wanted = `it must be a whole number from ${min} to ${max}`;
  return z
    .union(
      [
        z.number(),
        z
          .string()
          .regex(/^-?\d+$/)
          .transform(Number),
      ],
      { error: wanted },
    )
    .refine((value) => Number.isInteger(value) && value >= min && value <= max, { error: wanted });
}

/** TorchServe writes a negative number where a registration in JSON left the figure out. */
const mayBeUnset = whole(-MAX_INT32).transform((value) => (value < 0 ? undefined : value));
const word = z.string({ error: 'it must be a text' });

const version = z
  .object(
    {
      defaultVersion: z.union([z.boolean(), z.enum(['true', 'false']).transform((text) => text === 'true')], { error: 'it must be true or false' }),
      marName: word.min(1, { error: 'it must not be empty' }),
      minWorkers: whole(0, MAX_WORKERS_PER_MODEL),
      // Workers are never more than the minimum unless they were: a large maximum starts none.
      maxWorkers: whole(0),
      batchSize: whole(1),
      maxBatchDelay: mayBeUnset,
      responseTimeout: mayBeUnset.nullish(),
      startupTimeout: mayBeUnset.nullish(),
      runtimeType: z.enum(['python', 'python3', 'LSP'], { error: 'it must be python, python3 or LSP' }).nullish(),
      handler: word.nullish(),
    },
    { error: 'it must be an object' },
  )
  .refine(({ minWorkers, maxWorkers }) => maxWorkers >= minWorkers, { path: ['maxWorkers'], error: 'it must not be less than minWorkers' });

/** Reads the JSON of `model_snapshot`, as servers or people write it. Throws SyntaxError in words for people: what is wrong, and at which key. */
export function parseModelSnapshot(json: string): readonly SnapshotVersion[] {
  const [, models] = membersOf(parseLenientJson(json), 'the whole').find(([key]) => key === 'models') ?? [];
  return membersOf(models, 'models').flatMap(([model, byVersion]) =>
    membersOf(byVersion, `models.${model}`).map(([name, entry]): SnapshotVersion => {
      const read = version.safeParse(entry);
      if (!read.success) {
        const [issue] = read.error.issues;
        throw new SyntaxError(`${['models', model, name, ...(issue?.path ?? [])].join('.')}: ${issue?.message}`);
      }
      const { defaultVersion, marName, minWorkers, maxWorkers, batchSize, maxBatchDelay, responseTimeout, startupTimeout, runtimeType, handler } = read.data;
      return {
        model,
        version: name,
        isDefault: defaultVersion,
        archive: marName,
        minWorkers,
        maxWorkers,
        batchSize,
        maxBatchDelayMs: maxBatchDelay,
        responseTimeoutS: responseTimeout ?? undefined,
        startupTimeoutS: startupTimeout ?? undefined,
        runtime: runtimeType ?? undefined,
        handler: handler ?? undefined,
        parallelLevel: undefined,
      };
    }),
  );
}

/** By hand: a schema of names drops `__proto__`, which a model may be called. */
function membersOf(value: unknown, where: string): readonly (readonly [string, unknown])[] {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new SyntaxError(`${where}: it must be an object`);
  return Object.entries(value);
}

/** The JSON that TorchServe writes and reads. `name` is the file's. */
export function modelSnapshotJson(name: string, createdMs: number, entries: readonly SnapshotVersion[]): string {
  const models = new Map<string, Map<string, unknown>>();
  for (const entry of entries) {
    const byVersion = models.get(entry.model) ?? new Map<string, unknown>();
    models.set(entry.model, byVersion.set(entry.version, entryJson(entry)));
  }
  const tree = Object.fromEntries([...models].map(([model, byVersion]) => [model, Object.fromEntries(byVersion)]));
  return JSON.stringify({ name, modelCount: entries.length, created: createdMs, models: tree }, undefined, 2);
}

function entryJson(entry: SnapshotVersion): Record<string, unknown> {
  return {
    defaultVersion: entry.isDefault,
    marName: entry.archive,
    minWorkers: entry.minWorkers,
    maxWorkers: entry.maxWorkers,
    batchSize: entry.batchSize,
    maxBatchDelay: entry.maxBatchDelayMs ?? -1,
    responseTimeout: entry.responseTimeoutS,
    startupTimeout: entry.startupTimeoutS,
    runtimeType: entry.runtime,
    handler: entry.handler,
    parallelLevel: entry.parallelLevel,
  };
}
