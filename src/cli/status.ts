import { z } from 'zod';
import { runningServer } from './pid-file.js';
import { manage, type ServerAddresses, send } from './server-client.js';

const list = z.object({ models: z.array(z.object({ modelName: z.string() })) });

/** `sconce status`: exit code 0 when a server answers and is healthy, 1 otherwise. */
export async function printStatus(flags: ServerAddresses & { readonly json?: boolean }): Promise<number> {
  const pid = runningServer(process.env);
  const health = await send(flags, 'inference', 'GET', '/ping').catch(() => undefined);
  const ready = await send(flags, 'inference', 'GET', '/ready').catch(() => undefined);
  const listed = health === undefined ? undefined : await manage(flags, 'GET', '/models').catch(() => undefined);
  const models = list.safeParse(listed);
  const status = {
    running: health !== undefined,
    pid: pid ?? null,
    healthy: health?.ok ?? false,
    ready: ready?.ok ?? false,
    inference: flags.inference,
    management: flags.management,
    models: models.success ? models.data.models.map(({ modelName }) => modelName) : [],
  };
  if (flags.json) process.stdout.write(`${JSON.stringify(status, undefined, 2)}\n`);
  else if (!status.running) process.stdout.write(`No server answers at ${flags.inference}${pid === undefined ? '' : `, though process ${pid} runs`}.\n`);
  else
    process.stdout.write(
      `Running${pid === undefined ? '' : ` (pid ${pid})`} at ${flags.inference}: ${health?.status === 400 ? 'the key is refused' : status.healthy ? 'healthy' : 'unhealthy'}, ${status.ready ? 'ready' : 'not ready'}. Models: ${status.models.join(', ') || 'none shown'}\n`,
    );
  return status.healthy ? 0 : 1;
}
