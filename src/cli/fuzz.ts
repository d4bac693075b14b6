import { randomInt } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import type fc from 'fast-check';
import { z } from 'zod';
import { defineError } from '../errors/sconce-error.js';
import { type CampaignResult, campaign } from '../fuzzing/campaign.js';
import { type Family, type FuzzCase, jsonCase } from '../fuzzing/fuzz-case.js';
import { boundaryCases, byteCases } from '../fuzzing/hostile-cases.js';
import { httpTarget } from '../fuzzing/http-target.js';
import { promptCases } from '../fuzzing/prompt-cases.js';
import { htmlReport, jsonReport } from '../fuzzing/report.js';
import { schemaValues } from '../fuzzing/schema-values.js';
import { type TensorSpec, tensorRequests } from '../fuzzing/tensor-values.js';
import { type ClientFlags, findDoor } from './server-addresses.js';
import { authorization, manage, send } from './server-client.js';

export interface FuzzFlags extends ClientFlags {
  readonly seed?: string;
  readonly requests: string;
  readonly seconds: string;
  readonly timeout: string;
  readonly schema?: string;
  readonly sample?: string;
  readonly output: string;
}

/** A flag of `sconce fuzz` that cannot be used. */
const FuzzRefused = defineError<{ message: string }>('FUZZ_REFUSED', { kind: 'invalid', says: ({ message }) => message });

const described = z.tuple([
  z.looseObject({
    modelName: z.string(),
    modelVersion: z.string(),
    workers: z.array(z.looseObject({ memoryUsage: z.number() })),
    crashes: z.array(z.unknown()).default([]),
    inputRules: z.looseObject({ schema: z.unknown(), guards: z.array(z.looseObject({ on: z.string() })).default([]) }).optional(),
  }),
]);
const metadata = z.looseObject({ inputs: z.array(z.object({ name: z.string(), datatype: z.string(), shape: z.array(z.number()) })) });

/** `sconce fuzz`: throws inputs at a served model and writes what it found. Exit code 3 where something was found. */
export async function fuzzModel(model: string, flags: FuzzFlags): Promise<number> {
  const path = model.split('/').map(encodeURIComponent).join('/');
  const [before] = await manage(flags, 'GET', `/models/${path}`, described);
  const seed = flags.seed === undefined ? randomInt(2 ** 31) : wholeNumber('--seed', flags.seed, 0);
  const schema = flags.schema === undefined ? before.inputRules?.schema : await jsonFile('--schema', flags.schema);
  const sample = flags.sample === undefined ? undefined : await jsonFile('--sample', flags.sample);
  const isGuarded = before.inputRules?.guards.some(({ on }) => on === 'input') ?? false;
  const families = familiesOf({ schema, sample, tensors: await tensorsOf(path, flags) });
  const door = findDoor('inference', flags, { env: process.env, cwd: process.cwd() });
  const target = httpTarget({
    ...door,
    headers: await authorization(flags.keyFile, 'inference'),
    insecure: flags.insecure === true,
    path: `/predictions/${path}`,
    timeoutMs: wholeNumber('--timeout', flags.timeout, 1) * 1000,
  });
  const startedAt = new Date();
  const plan = {
    seed,
    isGuarded,
    families,
    maxRequests: wholeNumber('--requests', flags.requests, 1),
    maxMs: wholeNumber('--seconds', flags.seconds, 1) * 1000,
  };
  let result: CampaignResult;
  try {
    result = await campaign(plan, target.ask);
  } finally {
    await target.close();
  }
  const [after] = await manage(flags, 'GET', `/models/${path}`, described);
  const memory = (version: typeof before) => version.workers.reduce((sum, { memoryUsage }) => sum + memoryUsage, 0);
  const facts = {
    model: `${before.modelName} ${before.modelVersion}`,
    seed,
    startedAt: startedAt.toISOString(),
    durationMs: Date.now() - startedAt.getTime(),
    isGuarded,
    memoryBytes: [memory(before), memory(after)] as const,
    crashes: Math.max(0, after.crashes.length - before.crashes.length),
  };
  await writeFile(`${flags.output}.json`, jsonReport(facts, result));
  await writeFile(`${flags.output}.html`, htmlReport(facts, result));
  tell(result, facts, flags);
  return result.findings.length === 0 ? 0 : 3;
}

function familiesOf({
  schema,
  sample,
  tensors,
}: {
  schema: unknown;
  sample: unknown;
  tensors: readonly TensorSpec[];
}): ReadonlyMap<Family, fc.Arbitrary<FuzzCase>> {
  const families = new Map<Family, fc.Arbitrary<FuzzCase>>();
  if (schema !== undefined)
    families.set(
      'schema',
      schemaValues(schema).map((value) => jsonCase('schema', value)),
    );
  if (tensors.length > 0)
    families.set(
      'tensors',
      tensorRequests(tensors).map((value) => jsonCase('tensors', value)),
    );
  families.set('boundary', boundaryCases(sample ?? (tensors.length > 0 ? emptyRequest(tensors) : { data: [1] })));
  families.set('bytes', byteCases());
  families.set('prompts', promptCases(sample));
  return families;
}

function emptyRequest(tensors: readonly TensorSpec[]): unknown {
  return { inputs: tensors.map(({ name, datatype, shape }) => ({ name, datatype, shape: shape.map((length) => Math.max(1, length)), data: [] })) };
}

/** The tensors that the model tells of, where it does and the server speaks the Open Inference Protocol. */
async function tensorsOf(path: string, flags: ClientFlags): Promise<readonly TensorSpec[]> {
  const [name = '', version] = path.split('/');
  const response = await send(flags, 'inference', 'GET', `/v2/models/${name}${version === undefined ? '' : `/versions/${version}`}`);
  const read = metadata.safeParse(await response.json().catch(() => undefined));
  return response.ok && read.success ? read.data.inputs : [];
}

function tell({ findings, figures }: CampaignResult, { seed }: { readonly seed: number }, flags: FuzzFlags): void {
  if (flags.quiet) return;
  const requests = [...figures.values()].reduce((sum, one) => sum + one.requests, 0);
  for (const { verdict, cause, family, input } of findings) process.stdout.write(`${verdict} (${family}, ${input.body.byteLength} bytes): ${cause}\n`);
  process.stdout.write(`${requests} requests, ${findings.length} found; seed ${seed}; ${flags.output}.html, ${flags.output}.json\n`);
}

function wholeNumber(flag: string, text: string, least: number): number {
  const value = /^\d{1,10}$/.test(text) ? Number(text) : Number.NaN;
  if (!(value >= least)) throw FuzzRefused({ message: `${flag} has to be a whole number of at least ${least}, and is ${text}` });
  return value;
}

async function jsonFile(flag: string, file: string): Promise<unknown> {
  const text = await readFile(file, 'utf8');
  try {
    return JSON.parse(text);
  } catch (error) {
    throw FuzzRefused({ message: `${flag}: ${file} is no JSON` }, error);
  }
}
