import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import type { SconceError } from '../errors/sconce-error.js';
import { verifiedName } from './client-certificate.js';
import type { OutgoingReply } from './outgoing-reply.js';

/** What the listener remembers of one connection: who it is, and which of its requests are open (several, when it pipelines). */
export class Connection {
  /** As Java prints a peer: `/127.0.0.1:53514`. For a unix socket, its path. */
  readonly peer: string;
  readonly #open = new Set<OutgoingReply>();
  /** See `verifiedName`. */
  readonly tlsPrincipal: string | undefined;
  /** Set once, when something unreadable arrived. Nothing more is read after it. */
  refusal: SconceError | undefined;
  /** What is to be done for the requests that arrived while too many were worked on. */
  readonly #held: (() => void)[] = [];

  constructor(
    private readonly socket: Socket,
    socketPath: string | undefined,
    private readonly maxWorkedOn: number,
  ) {
    this.peer = socketPath ?? peerOf(socket);
    this.tlsPrincipal = socket instanceof TLSSocket ? verifiedName(socket) : undefined;
    socket.once('close', () => {
      this.#held.length = 0;
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
    if (this.#held.length === 0) return;
    // An answer that closes the connection is the last one: those behind it are not worked on for nobody.
    if (!this.socket.writable) this.#held.length = 0;
    while (this.#held.length > 0 && this.#open.size - this.#held.length < this.maxWorkedOn) this.#held.shift()?.();
    if (this.#held.length === 0) this.socket.resume();
  }

  /** Runs `work` for the request begun last: at once, or when enough of those before it have been answered. Until then nothing more is read. */
  inTurn(work: () => void): void {
    if (this.#held.length === 0 && this.#open.size <= this.maxWorkedOn) return work();
    this.#held.push(work);
    this.socket.pause();
  }
}

/** As Java prints the far end of a connection. */
function peerOf({ remoteAddress, remotePort }: Socket): string {
  if (remoteAddress === undefined) return '/unknown';
  const address = remoteAddress.startsWith('::ffff:') ? remoteAddress.slice('::ffff:'.length) : remoteAddress;
  return address.includes(':') ? `/[${address}]:${remotePort}` : `/${address}:${remotePort}`;
}
