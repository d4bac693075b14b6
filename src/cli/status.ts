import { z } from 'zod';
import { SconceError } from '../errors/sconce-error.js';
import { recordedAtMs, runningServer } from './pid-file.js';
import { type ClientFlags, type DoorName, findDoor } from './server-addresses.js';
import { manage, send } from './server-client.js';

const list = z.object({ models: z.array(z.object({ modelName: z.string() })) });

/** `sconce status`: exit code 0 when a server answers and is healthy, 1 otherwise. */
export async function printStatus(flags: ClientFlags): Promise<number> {
  const pid = runningServer(process.env);
  let why = '';
  const health = await send(flags, 'inference', 'GET', '/ping').catch((error: unknown) => {
    if (!(error instanceof SconceError)) throw error;
    why = error.message;
  });
  // What is asked after that may be refused, by a token say, without making the server any less alive.
  const ready = health && (await send(flags, 'inference', 'GET', '/ready').catch(() => undefined));
  const listed = health && (await manage(flags, 'GET', '/models?limit=1000', list).catch(() => undefined));
  const address = (name: DoorName) => findDoor(name, flags, { env: process.env, cwd: process.cwd() }).text;
  const startedAtMs = pid === undefined ? undefined : recordedAtMs(process.env);
  const status = {
    running: health !== undefined,
    pid: pid ?? null,
    uptimeS: startedAtMs === undefined ? null : Math.max(0, Math.round((Date.now() - startedAtMs) / 1000)),
    healthy: health?.ok ?? false,
    ready: ready?.ok ?? false,
    inference: address('inference'),
    management: address('management'),
    models: listed?.models.map(({ modelName }) => modelName) ?? [],
  };
  if (flags.json) process.stdout.write(`${JSON.stringify(status, undefined, 2)}\n`);
  else if (!status.running) process.stdout.write(`${why}${pid === undefined ? '' : `, though process ${pid} runs`}\n`);
  else
    process.stdout.write(
      `Running${pid === undefined ? '' : ` (pid ${pid}, for ${status.uptimeS} s)`} at ${status.inference}, management at ${status.management}: ${health?.status === 400 ? 'the key is refused' : status.healthy ? 'healthy' : 'unhealthy'}, ${status.ready ? 'ready' : 'not ready'}. Models: ${status.models.join(', ') || 'none shown'}\n`,
    );
  return status.healthy ? 0 : 1;
}
