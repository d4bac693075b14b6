import type { ListenOptions, Server } from 'node:net';
import { BindFailed } from '../errors/config.js';
import type { Log } from '../observability/observer.js';

const BACKLOG = 1024;

/** What every listener does with the server beneath it. `name` is the listener's in the log. */
export class NetServer {
  constructor(
    private readonly server: Server,
    private readonly name: string,
    private readonly log: Log,
  ) {}

  /** Open connections; further ones are closed at once, which is told the first time. */
  limitConnections(maxConnections: number): void {
    this.server.maxConnections = maxConnections;
    this.server.once('drop', () => this.log.warn(`${this.name} has ${maxConnections} connections, its limit: further ones are closed`));
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
