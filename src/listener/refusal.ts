import type { Socket } from 'node:net';
import { prettyJson, renderError } from '../api/render-error.js';
import type { SconceError } from '../errors/sconce-error.js';
import type { HeaderPair } from '../inference/request.js';
import { answerHeaders, reasonOf } from './answer-headers.js';

/** How long a refused connection may go on sending before it is cut: closing at once would reset it and lose the answer. */
const LINGER_MS = 1000;

/** Answers a connection on which no request could be read, then closes it. */
export function refuseConnection(socket: Socket, error: SconceError, cors: readonly HeaderPair[]): { readonly id: string; readonly status: number } {
  const id = crypto.randomUUID();
  const { status, headers, body } = renderError(error);
  const flat = [...answerHeaders(id, headers, cors), 'content-length', String(Buffer.byteLength(body)), 'connection', 'close'];
  let head = `HTTP/1.1 ${status} ${reasonOf(status)}\r\n`;
  for (let i = 0; i + 1 < flat.length; i += 2) head += `${flat[i]}: ${flat[i + 1]}\r\n`;
  closeWith(socket, `${head}\r\n${body}`);
  return { id, status };
}

/** Writes the last bytes of a connection and ends it; whatever the client still sends is read for a moment and dropped. */
function closeWith(socket: Socket, text: string): void {
  socket.end(text);
  const timer = setTimeout(() => socket.destroy(), LINGER_MS);
  socket.once('close', () => clearTimeout(timer));
}

/** Tells a client that speaks plain HTTP to a secure address, in TorchServe's words. What isn't HTTP either is closed without any. */
export function refusePlainHttp(socket: Socket, first: Buffer): void {
  if (!/^[A-Z]/.test(first.toString('latin1', 0, 1))) {
    socket.destroy();
    return;
  }
  const body = prettyJson({ status: 'This TorchServe instance only accepts HTTPS requests' });
  const head = `HTTP/1.1 403 Forbidden\r\ncontent-type: application/json\r\ncontent-length: ${Buffer.byteLength(body)}\r\nconnection: close`;
  closeWith(socket, `${head}\r\n\r\n${body}`);
}
