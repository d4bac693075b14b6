/** Reads numbers, texts and byte strings one after the other. Past the end it is `broken` for good and everything reads as zero or empty. */
export class ByteCursor {
  #at = 0;
  #broken = false;

  constructor(private readonly bytesOf: Buffer) {}

  get broken(): boolean {
    return this.#broken;
  }

  /** All was read and nothing is left over. */
  get atEnd(): boolean {
    return !this.#broken && this.#at === this.bytesOf.length;
  }

  u16(): number {
    const at = this.#advance(2);
    return at < 0 ? 0 : this.bytesOf.readUInt16LE(at);
  }

  u32(): number {
    const at = this.#advance(4);
    return at < 0 ? 0 : this.bytesOf.readUInt32LE(at);
  }

  /** One byte, 0 or 1; any other is broken. */
  flag(): boolean {
    const at = this.#advance(1);
    const value = at < 0 ? 0 : (this.bytesOf[at] ?? 0);
    if (value > 1) this.#broken = true;
    return value === 1;
  }

  text(): string {
    const length = this.u32();
    const at = this.#advance(length);
    return at < 0 || length === 0 ? '' : this.bytesOf.toString('utf8', at, at + length);
  }

  /** A view, not a copy. */
  bytes(): Buffer {
    const length = this.u32();
    const at = this.#advance(length);
    return at < 0 ? Buffer.alloc(0) : this.bytesOf.subarray(at, at + length);
  }

  #advance(length: number): number {
    const at = this.#at;
    if (this.#broken || length > this.bytesOf.length - at) {
      this.#broken = true;
      return -1;
    }
    this.#at = at + length;
    return at;
  }
}
