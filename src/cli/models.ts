import { z } from 'zod';
import type { ClientFlags } from './server-addresses.js';
import { manage } from './server-client.js';
import { printTable } from './table.js';

const page = z.object({ nextPageToken: z.string().optional(), models: z.array(z.object({ modelName: z.string(), modelUrl: z.string() })) });
const outcome = z.looseObject({ status: z.string() });
const description = z.array(
  z.looseObject({
    modelVersion: z.string(),
    minWorkers: z.number(),
    maxWorkers: z.number(),
    batchSize: z.number(),
    workers: z.array(z.looseObject({ id: z.string(), status: z.string(), pid: z.number(), memoryUsage: z.number() })),
  }),
);

export async function listModels(flags: ClientFlags): Promise<void> {
  const models: z.infer<typeof page>['models'] = [];
  for (let token: string | undefined = '0'; token !== undefined; ) {
    const read: z.infer<typeof page> = await manage(flags, 'GET', `/models?limit=100&next_page_token=${token}`, page);
    models.push(...read.models);
    token = read.models.length === 0 ? undefined : read.nextPageToken;
  }
  if (flags.json) return printJson(models);
  printTable(
    ['model', 'location'],
    models.map(({ modelName, modelUrl }) => [modelName, modelUrl]),
  );
}

export async function describeModel(model: string, version: string | undefined, flags: ClientFlags): Promise<void> {
  const versions = await manage(flags, 'GET', modelPath(model, version ?? 'all'), description);
  if (flags.json) return printJson(versions);
  for (const one of versions) {
    process.stdout.write(`${model} ${one.modelVersion}: ${one.minWorkers} to ${one.maxWorkers} workers, batches of ${one.batchSize}\n`);
    printTable(
      ['worker', 'status', 'pid', 'MiB'],
      one.workers.map(({ id, status, pid, memoryUsage }) => [id, status, String(pid), String(Math.round(memoryUsage / 2 ** 20))]),
    );
  }
}

export async function registerModel(url: string, flags: ClientFlags & { name?: string; workers: string }): Promise<void> {
  const query = new URLSearchParams({ url, initial_workers: flags.workers, ...(flags.name === undefined ? {} : { model_name: flags.name }) });
  printOutcome(await manage(flags, 'POST', `/models?${query}`, outcome), flags);
}

export async function scaleModel(model: string, min: string, max: string | undefined, flags: ClientFlags & { modelVersion?: string }): Promise<void> {
  const query = new URLSearchParams({ min_worker: min, max_worker: max ?? min, synchronous: 'true' });
  printOutcome(await manage(flags, 'PUT', `${modelPath(model, flags.modelVersion)}?${query}`, outcome), flags);
}

export async function unregisterModel(model: string, version: string | undefined, flags: ClientFlags): Promise<void> {
  printOutcome(await manage(flags, 'DELETE', modelPath(model, version), outcome), flags);
}

export async function setDefaultVersion(model: string, version: string, flags: ClientFlags): Promise<void> {
  printOutcome(await manage(flags, 'PUT', `${modelPath(model, version)}/set-default`, outcome), flags);
}

function modelPath(model: string, version: string | undefined): string {
  return `/models/${encodeURIComponent(model)}${version === undefined ? '' : `/${encodeURIComponent(version)}`}`;
}

function printOutcome(done: z.infer<typeof outcome>, flags: ClientFlags): void {
  if (flags.json) printJson(done);
  else if (!flags.quiet) process.stdout.write(`${done.status}\n`);
}

function printJson(json: unknown): void {
  process.stdout.write(`${JSON.stringify(json, undefined, 2)}\n`);
}
