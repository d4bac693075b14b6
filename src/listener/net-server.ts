import type { ListenOptions, Server, Socket } from 'node:net';
import { BindFailed } from '../errors/config.js';
import type { Log } from '../observability/observer.js';

const BACKLOG = 1024;

/** What every listener does with the server beneath it. `name` is the listener's in the log. */
export class NetServer {
  readonly #warned = new Set<string>();

  constructor(
    private readonly server: Server,
    private readonly name: string,
    private readonly log: Log,
  ) {}

  /** Open connections, in all and from one address; further ones are closed at once. */
  limitConnections(maxConnections: number, maxPerAddress: number): void {
    this.server.maxConnections = maxConnections;
    this.server.on('drop', () => this.refused(`${maxConnections} connections, its limit`));
    const open = new Map<string, number>();
    const listeners = this.server.listeners('connection');
    this.server.removeAllListeners('connection');
    this.server.on('connection', (socket: Socket) => {
      const source = sourceOf(socket);
      const already = open.get(source) ?? 0;
      if (source !== '' && already >= maxPerAddress) {
        this.refused(`${maxPerAddress} connections of ${source}, the limit for one address`);
        socket.destroy();
        return;
      }
      open.set(source, already + 1);
      socket.once('close', () => {
        const left = (open.get(source) ?? 1) - 1;
        if (left === 0) open.delete(source);
        else open.set(source, left);
      });
      for (const listener of listeners) Reflect.apply(listener, this.server, [socket]);
    });
  }

  /** A connection is closed for what the listener has already. Told once for each limit: an attack must not fill the log too. */
  refused(has: string): void {
    const kind = has.replace(/\d.*? of \S+/, '');
    if (this.#warned.has(kind)) return;
    this.#warned.add(kind);
    this.log.warn(`${this.name} has ${has}: further ones are closed`);
  }

  /** The port that was bound; undefined for a unix socket or before `listen`. */
  get port(): number | undefined {
    const address = this.server.address();
    return address !== null && typeof address === 'object' ? address.port : undefined;
  }

  /** `address` is what the error names. Rejects with BindFailed. */
  async listen(where: ListenOptions, address: string): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      const onError = (error: NodeJS.ErrnoException): void => reject(BindFailed({ address, why: error.code ?? error.message }, error));
      this.server.once('error', onError);
      this.server.listen({ ...where, backlog: BACKLOG }, () => {
        this.server.off('error', onError);
        resolve();
      });
    });
    this.server.on('error', (error) => this.log.error(`${this.name} met an error`, error));
  }

  /** Takes no new connection. Resolves when none is left. */
  async close(): Promise<void> {
    if (this.server.listening) await new Promise<void>((resolve) => this.server.close(() => resolve()));
  }
}

/** Who connects: an IPv4 address, or the network of an IPv6 address, all of which one host may use. '' for a Unix socket. */
function sourceOf({ remoteAddress = '' }: Socket): string {
  const address = remoteAddress.replace(/^::ffff:(?=\d+\.)/, '');
  return address.includes(':') ? networkOf(address) : address;
}

/** The first 64 bits of an IPv6 address. */
function networkOf(address: string): string {
  const [head = '', tail] = address.split('%', 1)[0]?.split('::') ?? [];
  const before = head === '' ? [] : head.split(':');
  const after = tail === undefined || tail === '' ? [] : tail.split(':');
  const zeros = tail === undefined ? 0 : 8 - before.length - after.length;
  return `${[...before, ...Array<string>(Math.max(0, zeros)).fill('0'), ...after].slice(0, 4).join(':')}::/64`;
}
