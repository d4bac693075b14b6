import { randomBytes } from 'node:crypto';
import { createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { BackendUnavailable } from '../../errors/backend.js';

/** A rank of a group has `data-{its number}`, a worker alone `data`. */
export type ChannelName = 'data' | `data-${number}` | 'stdout' | 'stderr';

/** Takes a worker's channel as soon as it connects; `first` is what came behind the first line, often nothing. */
export type TakeChannel = (name: ChannelName, socket: Socket, first: Buffer) => void;

export interface ExpectedWorker {
  /** What the worker shows on each of its connections. */
  readonly nonce: string;
  /** Connections with this nonce are refused from now on. */
  cancel(): void;
}

interface Expectation {
  readonly key: number;
  readonly missing: Map<string, ChannelName>;
  readonly take: TakeChannel;
}

const FIRST_LINE_BYTES = 128;
const FIRST_LINE_WITHIN_MS = 5_000;
/** The kernel's limit of a unix socket's path is 108 bytes on Linux and 104 on macOS. */
const SOCKET_PATH_BYTES = 103;
const FIRST_LINE = /^(\d{1,10}) ([0-9a-f]{32}) (data(?:-\d{1,4})?|stdout|stderr)$/;

/**
 * The unix socket to which workers connect: each for its output, for its errors and for its data, a group of ranks for the data of each. A connection is anybody's until its first line names a worker that is expected, that worker's
 * nonce and a channel that it hasn't opened yet; any other is closed, at the latest after 5 s.
 */
export class WorkerChannels {
  readonly socketPath: string;
  readonly #server: Server;
  readonly #expected = new Map<string, Expectation>();
  readonly #sockets = new Set<Socket>();
  #listening: Promise<void> | undefined;

  constructor(runDirectory: string) {
    this.socketPath = join(runDirectory, 'workers.sock');
    this.#server = createServer((socket) => this.#greet(socket));
  }

  /** Resolves when workers can connect. Any number of calls. Rejects with BackendUnavailable. */
  listen(): Promise<void> {
    this.#listening ??= new Promise((resolve, reject) => {
      const fail = (why: string, cause?: unknown) => reject(BackendUnavailable({ backend: 'python', why }, cause));
      if (Buffer.byteLength(this.socketPath) > SOCKET_PATH_BYTES)
        return fail(`the path ${this.socketPath} is too long for a socket; set a shorter temporary folder`);
      this.#server.once('error', (error) => fail(`no socket at ${this.socketPath}: ${error.message}`, error));
      this.#server.listen(this.socketPath, () => {
        // Accept failures (out of descriptors) end single connections, whose workers then fail to load; they are no end of the server.
        this.#server.on('error', () => undefined);
        resolve();
      });
    });
    return this.#listening;
  }

  /** `ranks` is 0 for a worker alone. */
  expect(key: number, ranks: number, take: TakeChannel): ExpectedWorker {
    const nonce = randomBytes(16).toString('hex');
    const data = ranks === 0 ? ['data' as const] : Array.from({ length: ranks }, (_, rank): ChannelName => `data-${rank}`);
    this.#expected.set(nonce, { key, missing: new Map([...data, 'stdout' as const, 'stderr' as const].map((name) => [name, name])), take });
    return { nonce, cancel: () => this.#expected.delete(nonce) };
  }

  /** Closes the socket and every connection. */
  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    if (this.#server.listening) await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }

  #greet(socket: Socket): void {
    this.#sockets.add(socket);
    let line = Buffer.alloc(0);
    const leave = () => socket.destroy();
    const patience = setTimeout(leave, FIRST_LINE_WITHIN_MS);
    const read = (chunk: Buffer) => {
      line = Buffer.concat([line, chunk]);
      const end = line.indexOf(0x0a);
      if (end < 0 && line.length <= FIRST_LINE_BYTES) return;
      done();
      const claimed = end >= 0 && end <= FIRST_LINE_BYTES && this.#claim(line.toString('latin1', 0, end), socket, line.subarray(end + 1));
      if (!claimed) leave();
    };
    const done = () => {
      clearTimeout(patience);
      socket.off('data', read);
    };
    // A socket's end is told by `close`, which always follows; without this listener an error would end the server.
    socket.on('error', () => undefined);
    socket.on('close', () => {
      done();
      this.#sockets.delete(socket);
    });
    socket.on('data', read);
  }

  #claim(line: string, socket: Socket, first: Buffer): boolean {
    const [, key, nonce = '', word = ''] = FIRST_LINE.exec(line) ?? [];
    const expectation = this.#expected.get(nonce);
    if (expectation === undefined || Number(key) !== expectation.key) return false;
    const channel = expectation.missing.get(word);
    if (channel === undefined) return false;
    expectation.missing.delete(word);
    if (expectation.missing.size === 0) this.#expected.delete(nonce);
    expectation.take(channel, socket, first);
    return true;
  }
}
