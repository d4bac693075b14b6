import type { ByteSource } from '../byte-source.js';
import type { Content, ScanContext } from '../scan-context.js';
import { checkTemplate } from './chat-template.js';

/** Bytes of GGUF's value types by their number; 8 is a string, 9 an array. */
const TYPE_BYTES: Readonly<Record<number, number>> = { 0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8 };
const STRING = 8;
const ARRAY = 9;
const MAX_PAIRS = 1_000_000;
const MAX_TEMPLATE_BYTES = 4 * 2 ** 20;

class Broken extends Error {}

/** Reads the metadata of a GGUF file and checks its chat templates. Gives whether it is one. Throws ScanLimitReached. */
export function scanGguf(content: Content, context: ScanContext): boolean {
  const { source, path } = content;
  if (source.read(0, 4).toString('latin1') !== 'GGUF') return false;
  const reader = new Reader(source, context);
  try {
    reader.skip(8 + 8);
    const pairs = reader.length();
    if (pairs > MAX_PAIRS) throw new Broken(`${pairs} entries of metadata`);
    for (let n = 0; n < pairs; n += 1) {
      const key = reader.text();
      const type = reader.uint32();
      if (type === STRING && /chat_template/.test(key)) checkTemplate(reader.text(), path, context);
      else reader.skipValue(type, 0);
    }
  } catch (error) {
    if (!(error instanceof Broken)) throw error;
    context.report({ level: 'unknown', rule: 'gguf-broken', file: path, offset: reader.at, says: `is a GGUF file with ${error.message}` });
  }
  return true;
}

class Reader {
  at = 0;

  constructor(
    private readonly source: ByteSource,
    private readonly context: ScanContext,
  ) {}

  skip(bytes: number): void {
    this.at += bytes;
    if (this.at > this.source.sizeBytes) throw new Broken('lengths that reach beyond it');
  }

  uint32(): number {
    const at = this.at;
    this.skip(4);
    return this.source.read(at, 4).readUInt32LE(0);
  }

  length(): number {
    const at = this.at;
    this.skip(8);
    return Number(this.source.read(at, 8).readBigUInt64LE(0));
  }

  text(): string {
    const length = this.length();
    const at = this.at;
    this.skip(length);
    return this.source.read(at, Math.min(length, MAX_TEMPLATE_BYTES)).toString('utf8');
  }

  skipValue(type: number, depth: number): void {
    const bytes = TYPE_BYTES[type];
    if (bytes !== undefined) return this.skip(bytes);
    if (type === STRING) return this.skip(this.length());
    if (type !== ARRAY || depth > 4) throw new Broken(`the value type ${type}`);
    const of = this.uint32();
    const count = this.length();
    const each = TYPE_BYTES[of];
    if (each !== undefined) return this.skip(each * count);
    for (let n = 0; n < count; n += 1) {
      if (n % 4096 === 0) this.context.budget.time();
      this.skipValue(of, depth + 1);
    }
  }
}
