import { readFile } from 'node:fs/promises';
import { Agent, fetch, type Response } from 'undici';
import { z } from 'zod';
import { defineError } from '../errors/sconce-error.js';
import { type ClientFlags, type DoorName, findDoor } from './server-addresses.js';

/** A running server could not be asked, or refused. One line for the user. */
const ServerRefused = defineError<{ message: string }>('SERVER_REFUSED', { kind: 'unavailable', says: ({ message }) => message });

const keys = z.object({ management: z.object({ key: z.string() }), inference: z.object({ key: z.string() }) });
const refusal = z.object({ code: z.number(), type: z.string(), message: z.string() });
/** Longer than a worker may take to load by default, for which registering and scaling wait. */
const TIMEOUT_MS = 130_000;

/** The header of a door: the token of the environment, else from the key file if there is one. Throws ServerRefused for a file that is none. */
export async function authorization(keyFile: string, door: DoorName): Promise<Record<string, string>> {
  const { SCONCE_TOKEN: token } = process.env;
  if (token) return { authorization: `Bearer ${token}` };
  const content = await readFile(keyFile, 'utf8').catch(() => undefined);
  if (content === undefined) return {};
  const read = keys.safeParse(parseJson(content));
  if (!read.success) throw ServerRefused({ message: `${keyFile} is not a key file` });
  return { authorization: `Bearer ${read.data[door].key}` };
}

/** Calls the management API and gives its answer, checked. Throws ServerRefused with the server's own words. */
export async function manage<T>(flags: ClientFlags, method: string, path: string, schema: z.ZodType<T>): Promise<T> {
  const response = await send(flags, 'management', method, path);
  const json = parseJson(await response.text());
  if (!response.ok) {
    const told = refusal.safeParse(json);
    throw ServerRefused({ message: told.success ? told.data.message : `the server answered ${response.status}` });
  }
  const read = schema.safeParse(json);
  if (!read.success) throw ServerRefused({ message: `the server's answer to ${method} ${path} is not understood` }, read.error);
  return read.data;
}

/** Sends a request to one of the server's doors. Throws ServerRefused when nobody answers within 130 s. */
export async function send(
  flags: ClientFlags,
  name: DoorName,
  method: string,
  path: string,
  more: { readonly body?: Uint8Array; readonly type?: string } = {},
): Promise<Response> {
  const door = findDoor(name, flags, { env: process.env, cwd: process.cwd() });
  const headers = { ...(await authorization(flags.keyFile, name)), ...(more.type === undefined ? {} : { 'content-type': more.type }) };
  const dispatcher = new Agent({
    headersTimeout: TIMEOUT_MS,
    bodyTimeout: TIMEOUT_MS,
    // One request a process: a connection that is kept would keep the process.
    keepAliveTimeout: 1,
    keepAliveMaxTimeout: 1,
    connect: { rejectUnauthorized: flags.insecure !== true, ...(door.socketPath === undefined ? {} : { socketPath: door.socketPath }) },
  });
  try {
    return await fetch(`${door.url}${path}`, {
      method,
      headers,
      dispatcher,
      signal: AbortSignal.timeout(TIMEOUT_MS),
      ...(more.body === undefined ? {} : { body: more.body }),
    });
  } catch (error) {
    throw ServerRefused({ message: whyNoAnswer(error, door.text) }, error);
  }
}

function whyNoAnswer(error: unknown, text: string): string {
  if (error instanceof Error && error.name === 'TimeoutError') return `the server at ${text} did not answer within ${TIMEOUT_MS / 1000} s`;
  const cause = error instanceof Error ? error.cause : undefined;
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : '';
  if (/CERT|SELF_SIGNED|UNABLE_TO|ALTNAME/.test(code)) return `the certificate of ${text} is not trusted (${code}); --insecure accepts it`;
  return `no server answers at ${text}`;
}

function parseJson(content: string): unknown {
  try {
    return JSON.parse(content);
  } catch {
    return undefined; // The schema refuses it in words that fit.
  }
}
