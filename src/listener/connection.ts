import type { Socket } from 'node:net';
import type { SconceError } from '../errors/sconce-error.js';
import type { OutgoingReply } from './outgoing-reply.js';

/** What the listener remembers of one connection: who it is, and which of its requests are open (several, when it pipelines). */
export class Connection {
  /** As Java prints a peer: `/127.0.0.1:53514`. For a unix socket, its path. */
  readonly peer: string;
  readonly #open = new Set<OutgoingReply>();
  /** Set once, when something unreadable arrived. Nothing more is read after it. */
  refusal: SconceError | undefined;

  constructor(socket: Socket, socketPath: string | undefined) {
    this.peer = socketPath ?? peerOf(socket);
    socket.once('close', () => {
      for (const reply of this.#open) reply.connectionClosed();
    });
  }

  /** True while a request that was read whole waits for its answer. */
  get owesAnswer(): boolean {
    for (const reply of this.#open) if (reply.requestIsWhole) return true;
    return false;
  }

  begin(reply: OutgoingReply): void {
    this.#open.add(reply);
  }

  end(reply: OutgoingReply): void {
    this.#open.delete(reply);
  }
}

function peerOf({ remoteAddress, remotePort }: Socket): string {
  if (remoteAddress === undefined) return '/unknown';
  const address = remoteAddress.startsWith('::ffff:') ? remoteAddress.slice('::ffff:'.length) : remoteAddress;
  return address.includes(':') ? `/[${address}]:${remotePort}` : `/${address}:${remotePort}`;
}
