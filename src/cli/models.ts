import { z } from 'zod';
import { manage, type ServerAddresses } from './server-client.js';
import { printTable } from './table.js';

type Flags = ServerAddresses & { readonly json?: boolean };

const page = z.object({ nextPageToken: z.string().optional(), models: z.array(z.object({ modelName: z.string(), modelUrl: z.string() })) });
const outcome = z.object({ status: z.string() });
const description = z.array(
  z.looseObject({
    modelVersion: z.string(),
    minWorkers: z.number(),
    maxWorkers: z.number(),
    batchSize: z.number(),
    workers: z.array(z.object({ id: z.string(), status: z.string(), pid: z.number(), memoryUsage: z.number() })),
  }),
);

export async function listModels(flags: Flags): Promise<void> {
  const models: z.infer<typeof page>['models'] = [];
  for (let token: string | undefined = '0'; token !== undefined; ) {
    const read = page.parse(await manage(flags, 'GET', `/models?limit=100&next_page_token=${token}`));
    models.push(...read.models);
    token = read.models.length === 0 ? undefined : read.nextPageToken;
  }
  if (flags.json) return printJson(models);
  printTable(
    ['model', 'location'],
    models.map(({ modelName, modelUrl }) => [modelName, modelUrl]),
  );
}

export async function describeModel(model: string, version: string | undefined, flags: Flags): Promise<void> {
  const json = await manage(flags, 'GET', modelPath(model, version ?? 'all'));
  if (flags.json) return printJson(json);
  for (const one of description.parse(json)) {
    process.stdout.write(`${model} ${one.modelVersion}: ${one.minWorkers} to ${one.maxWorkers} workers, batches of ${one.batchSize}\n`);
    printTable(
      ['worker', 'status', 'pid', 'MiB'],
      one.workers.map(({ id, status, pid, memoryUsage }) => [id, status, String(pid), String(Math.round(memoryUsage / 2 ** 20))]),
    );
  }
}

export async function registerModel(url: string, flags: Flags & { name?: string; workers: string }): Promise<void> {
  const query = new URLSearchParams({ url, initial_workers: flags.workers, ...(flags.name === undefined ? {} : { model_name: flags.name }) });
  printOutcome(await manage(flags, 'POST', `/models?${query}`), flags);
}

export async function scaleModel(model: string, min: string, max: string | undefined, flags: Flags & { modelVersion?: string }): Promise<void> {
  const query = new URLSearchParams({ min_worker: min, max_worker: max ?? min, synchronous: 'true' });
  printOutcome(await manage(flags, 'PUT', `${modelPath(model, flags.modelVersion)}?${query}`), flags);
}

export async function unregisterModel(model: string, version: string | undefined, flags: Flags): Promise<void> {
  printOutcome(await manage(flags, 'DELETE', modelPath(model, version)), flags);
}

export async function setDefaultVersion(model: string, version: string, flags: Flags): Promise<void> {
  printOutcome(await manage(flags, 'PUT', `${modelPath(model, version)}/set-default`), flags);
}

function modelPath(model: string, version: string | undefined): string {
  return `/models/${encodeURIComponent(model)}${version === undefined ? '' : `/${encodeURIComponent(version)}`}`;
}

function printOutcome(json: unknown, flags: Flags): void {
  if (flags.json) printJson(json);
  else process.stdout.write(`${outcome.parse(json).status}\n`);
}

function printJson(json: unknown): void {
  process.stdout.write(`${JSON.stringify(json, undefined, 2)}\n`);
}
