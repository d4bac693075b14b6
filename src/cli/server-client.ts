import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import { defineError } from '../errors/sconce-error.js';

/** A running server could not be asked, or refused. One line for the user. */
const ServerRefused = defineError<{ message: string }>('SERVER_REFUSED', { kind: 'unavailable', says: ({ message }) => message });

export interface ServerAddresses {
  readonly management: string;
  readonly inference: string;
  readonly keyFile: string;
}

const keys = z.object({ management: z.object({ key: z.string() }), inference: z.object({ key: z.string() }) });
const refusal = z.object({ code: z.number(), type: z.string(), message: z.string() });
const TIMEOUT_MS = 130_000;

/** The header of a door, from the key file if there is one. */
async function authorization(keyFile: string, door: 'management' | 'inference'): Promise<Record<string, string>> {
  const content = await readFile(keyFile, 'utf8').catch(() => undefined);
  if (content === undefined) return {};
  const read = keys.safeParse(JSON.parse(content));
  if (!read.success) throw ServerRefused({ message: `${keyFile} is not a key file` });
  return { authorization: `Bearer ${read.data[door].key}` };
}

/** Calls the management API and gives the JSON of its answer. Throws ServerRefused with the server's own words. */
export async function manage(server: ServerAddresses, method: string, path: string): Promise<unknown> {
  const response = await send(server, 'management', method, path);
  const json: unknown = await response.json().catch(() => undefined);
  if (response.ok) return json;
  const told = refusal.safeParse(json);
  throw ServerRefused({ message: told.success ? told.data.message : `the server answered ${response.status}` });
}

/** Sends a request to one of the server's doors. Throws ServerRefused when nobody answers. */
export async function send(
  server: ServerAddresses,
  door: 'management' | 'inference',
  method: string,
  path: string,
  more: { body?: Buffer; type?: string } = {},
): Promise<Response> {
  const base = door === 'management' ? server.management : server.inference;
  const headers = { ...(await authorization(server.keyFile, door)), ...(more.type === undefined ? {} : { 'content-type': more.type }) };
  try {
    return await fetch(`${base}${path}`, {
      method,
      headers,
      signal: AbortSignal.timeout(TIMEOUT_MS),
      ...(more.body === undefined ? {} : { body: new Uint8Array(more.body) }),
    });
  } catch (error) {
    throw ServerRefused({ message: `no server answers at ${base}` }, error);
  }
}
