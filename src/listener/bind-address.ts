import { lstat, rm } from 'node:fs/promises';
import { createConnection, type ListenOptions } from 'node:net';
import { BindFailed } from '../errors/config.js';

/** Where a listener opens its door. Port 0 takes any free port. */
export type BindAddress =
  | { readonly kind: 'tcp'; readonly host: string; readonly port: number; readonly secure: boolean }
  | { readonly kind: 'unix'; readonly path: string };

/** As settings and logs write it: `http://127.0.0.1:8080`, `unix:/run/sconce.sock`. */
export function addressText(address: BindAddress): string {
  if (address.kind === 'unix') return `unix:${address.path}`;
  return `${address.secure ? 'https' : 'http'}://${hostAndPort(address.host, address.port)}`;
}

export function hostAndPort(host: string, port: number): string {
  return `${host.includes(':') ? `[${host}]` : host}:${port}`;
}

export function listenOptions(address: BindAddress): ListenOptions {
  return address.kind === 'unix' ? { path: address.path } : { host: address.host, port: address.port };
}

/** Removes a socket file that a dead server left behind. Rejects with BindFailed when the path is no socket, or when somebody still answers on it. */
export async function clearStaleSocket(address: BindAddress): Promise<void> {
  if (address.kind !== 'unix') return;
  const stats = await lstat(address.path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw BindFailed({ address: addressText(address), why: error.code ?? error.message }, error);
  });
  if (stats === undefined) return;
  if (!stats.isSocket()) throw BindFailed({ address: addressText(address), why: 'a file that is no socket is in the way' });
  if (await isAlive(address.path)) throw BindFailed({ address: addressText(address), why: 'another server listens there' });
  await rm(address.path, { force: true });
}

/** Connecting to a local socket succeeds or fails at once. */
function isAlive(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection(path);
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}
