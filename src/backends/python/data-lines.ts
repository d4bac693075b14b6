import type { Socket } from 'node:net';

/**
 * The data connections of one worker: one, or one for each rank of a group. Invariants: a rank greets once, and then tells once how its load went;
 * nothing is sent before all have connected.
 */
export class DataLines {
  readonly #sockets: Socket[];
  readonly #greeted = new Set<number>();
  readonly #loaded = new Set<number>();
  #connected = 0;
  #isGathering = false;

  constructor(readonly count: number) {
    this.#sockets = new Array<Socket>(count);
  }

  /** The channels say which rank it is, and that no rank comes twice. Gives whether all have connected now. */
  connect(rank: number, socket: Socket): boolean {
    this.#sockets[rank] = socket;
    this.#connected += 1;
    return this.#connected === this.count;
  }

  /** False when it may not say that now. */
  greet(rank: number): boolean {
    if (this.#greeted.has(rank)) return false;
    this.#greeted.add(rank);
    return true;
  }

  /** False when it may not say that now. */
  loaded(rank: number): boolean {
    if (!this.#greeted.has(rank) || this.#loaded.has(rank)) return false;
    this.#loaded.add(rank);
    return true;
  }

  /** Until then a rank's line is in the hands of torchrun. */
  hasGreeted(rank: number): boolean {
    return this.#greeted.has(rank);
  }

  get anyGreeted(): boolean {
    return this.#greeted.size > 0;
  }

  get allLoaded(): boolean {
    return this.#loaded.size === this.count;
  }

  /** The ranks that haven't told how their load went. */
  get notLoaded(): readonly number[] {
    return Array.from({ length: this.count }, (_, rank) => rank).filter((rank) => !this.#loaded.has(rank));
  }

  /** Writes a frame to the first `receivers` ranks. Frames of one turn of the event loop that are `gathered` share a system call, which costs as much as the rest of a small request. */
  send(frame: Buffer, receivers: number, gathered: boolean): void {
    if (this.#connected < this.count) return;
    if (gathered && !this.#isGathering) {
      this.#isGathering = true;
      for (const socket of this.#sockets) socket.cork();
      setImmediate(() => {
        this.#isGathering = false;
        for (const socket of this.#sockets) socket.uncork();
      });
    }
    for (let rank = 0; rank < receivers; rank += 1) this.#sockets[rank]?.write(frame);
  }
}
