import { z } from 'zod';
import { manage, type ServerAddresses } from './server-client.js';

const dossiers = z.array(
  z.object({
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
export async function printCrashes(model: string | undefined, flags: ServerAddresses & { readonly json?: boolean }): Promise<void> {
  const json = await manage(flags, 'GET', `/sconce/crashes${model === undefined ? '' : `?model=${encodeURIComponent(model)}`}`);
  if (flags.json) return void process.stdout.write(`${JSON.stringify(json, undefined, 2)}\n`);
  const all = dossiers.parse(json);
  if (all.length === 0) return void process.stdout.write('No worker has died.\n');
  for (const { atMs, model: name, version, workerName, pid, during, cause, requestIds, memoryPeakBytes, lastLines } of all) {
    const peak = memoryPeakBytes === undefined ? '' : `, peak ${Math.round(memoryPeakBytes / 2 ** 20)} MiB`;
    process.stdout.write(`${new Date(atMs).toISOString()}  ${name} ${version}  ${workerName} (pid ${pid ?? '?'}${peak}) during ${during}: ${cause}\n`);
    if (requestIds.length > 0) process.stdout.write(`  requests: ${requestIds.join(', ')}\n`);
    for (const line of lastLines.slice(-10)) process.stdout.write(`  | ${line}\n`);
  }
}
