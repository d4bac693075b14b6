import { z } from 'zod';
import type { ClientFlags } from './server-addresses.js';
import { manage } from './server-client.js';

const dossiers = z.array(
  z.looseObject({
    atMs: z.number(),
    model: z.string(),
    version: z.string(),
    workerName: z.string(),
    pid: z.number().optional(),
    during: z.string(),
    cause: z.string(),
    requestIds: z.array(z.string()),
    memoryPeakBytes: z.number().optional(),
    lastLines: z.array(z.string()),
  }),
);

/** `sconce crashes`: how workers ended, the last one last. */
export async function printCrashes(model: string | undefined, flags: ClientFlags): Promise<void> {
  const all = await manage(flags, 'GET', `/sconce/crashes${model === undefined ? '' : `?model=${encodeURIComponent(model)}`}`, dossiers);
  if (flags.json) return void process.stdout.write(`${JSON.stringify(all, undefined, 2)}\n`);
  if (all.length === 0) return void process.stdout.write('No worker has died.\n');
  for (const { atMs, model: name, version, workerName, pid, during, cause, requestIds, memoryPeakBytes, lastLines } of all) {
    const peak = memoryPeakBytes === undefined ? '' : `, peak ${Math.round(memoryPeakBytes / 2 ** 20)} MiB`;
    process.stdout.write(`${new Date(atMs).toISOString()}  ${name} ${version}  ${workerName} (pid ${pid ?? '?'}${peak}) during ${during}: ${cause}\n`);
    if (requestIds.length > 0) process.stdout.write(`  requests: ${requestIds.join(', ')}\n`);
    for (const line of lastLines.slice(-10)) process.stdout.write(`  | ${line}\n`);
  }
}
