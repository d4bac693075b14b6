import { readFile } from 'node:fs/promises';
import { buffer } from 'node:stream/consumers';
import { contentTypeOf } from './content-type.js';
import type { ClientFlags } from './server-addresses.js';
import { send } from './server-client.js';

/** `sconce predict`: prints the body of the answer; exit code 1 for any status but 2xx. */
export async function predict(model: string, flags: ClientFlags & { readonly file?: string; readonly type?: string }): Promise<number> {
  const body = flags.file === undefined ? await buffer(process.stdin) : await readFile(flags.file);
  const type = flags.type ?? contentTypeOf(flags.file);
  const path = model.split('/').map(encodeURIComponent).join('/');
  const response = await send(flags, 'inference', 'POST', `/predictions/${path}`, { body, type });
  process.stdout.write(Buffer.from(await response.arrayBuffer()));
  if (process.stdout.isTTY) process.stdout.write('\n');
  return response.ok ? 0 : 1;
}
