import type { ByteSource } from '../byte-source.js';
import type { Content, ScanContext } from '../scan-context.js';

/** A protobuf message of ONNX: its fields that are messages which may lead to a tensor, by number. */
interface MessageKind {
  readonly fields: () => Readonly<Record<number, MessageKind>>;
  readonly isTensor?: boolean;
}
const ENTRY: MessageKind = { fields: () => ({}) };
const TENSOR: MessageKind = { fields: () => ({ 13: ENTRY }), isTensor: true };
const SPARSE: MessageKind = { fields: () => ({ 1: TENSOR, 2: TENSOR }) };
const ATTRIBUTE: MessageKind = { fields: () => ({ 5: TENSOR, 6: GRAPH, 10: TENSOR, 11: GRAPH, 22: SPARSE, 23: SPARSE }) };
const NODE: MessageKind = { fields: () => ({ 5: ATTRIBUTE }) };
const GRAPH: MessageKind = { fields: () => ({ 1: NODE, 5: TENSOR, 15: SPARSE }) };
const FUNCTION: MessageKind = { fields: () => ({ 7: NODE, 11: ATTRIBUTE }) };
const TRAINING: MessageKind = { fields: () => ({ 1: GRAPH, 2: GRAPH }) };
const MODEL: MessageKind = { fields: () => ({ 7: GRAPH, 20: TRAINING, 25: FUNCTION }) };

const MAX_DEPTH = 60;
const MAX_FIELDS = 20_000_000;
const MAX_PATH_BYTES = 4096;
const LOCATION = 'location';

class NotOnnx extends Error {}

/** Finds external data of an ONNX model that lies outside its folder. Gives whether it is one. Throws ScanLimitReached. */
export function scanOnnx(content: Content, context: ScanContext): boolean {
  const { source, path } = content;
  // The version of its format comes first: a small number.
  const [tag, version = 0] = source.read(0, 2);
  const isNamedSo = /\.onnx$/i.test(path);
  if (!isNamedSo && (content.depth > 0 || tag !== 8 || version > 64)) return false;
  const walk = new Walk(source, context, path);
  try {
    walk.message(0, source.sizeBytes, MODEL, 0);
  } catch (error) {
    if (!(error instanceof NotOnnx)) throw error;
    if (!isNamedSo && !walk.hasGraph) return false;
    context.report({ level: 'unknown', rule: 'onnx-broken', file: path, says: 'is no well-formed ONNX model' });
  }
  return walk.hasGraph;
}

class Walk {
  hasGraph = false;
  #fields = 0;

  constructor(
    private readonly source: ByteSource,
    private readonly context: ScanContext,
    private readonly path: string,
  ) {}

  message(start: number, end: number, kind: MessageKind, depth: number): void {
    if (depth > MAX_DEPTH) throw new NotOnnx();
    const messages = kind.fields();
    let at = start;
    while (at < end) {
      this.#fields += 1;
      if (this.#fields > MAX_FIELDS) throw new NotOnnx();
      if (this.#fields % 4096 === 0) this.context.budget.time();
      const tag = this.#varint(at, end);
      at = tag.end;
      const [field, wire] = [Math.floor(tag.value / 8), tag.value % 8];
      if (field === 0) throw new NotOnnx();
      if (wire === 0) at = this.#varint(at, end).end;
      else if (wire === 1) at += 8;
      else if (wire === 5) at += 4;
      else if (wire === 2) {
        const length = this.#varint(at, end);
        const [bodyAt, bodyEnd] = [length.end, length.end + length.value];
        if (bodyEnd > end) throw new NotOnnx();
        const inner = messages[field];
        if (kind === MODEL && inner === GRAPH) this.hasGraph = true;
        if (inner === ENTRY) this.#entry(bodyAt, bodyEnd);
        else if (inner !== undefined) this.message(bodyAt, bodyEnd, inner, depth + 1);
        at = bodyEnd;
      } else throw new NotOnnx();
      if (at > end) throw new NotOnnx();
    }
  }

  /** A pair of texts, of which one may be where a tensor's data lies. */
  #entry(start: number, end: number): void {
    const texts = new Map<number, string>();
    let at = start;
    while (at < end) {
      const tag = this.#varint(at, end);
      const length = this.#varint(tag.end, end);
      if (tag.value % 8 !== 2 || length.end + length.value > end) throw new NotOnnx();
      texts.set(Math.floor(tag.value / 8), this.source.read(length.end, Math.min(length.value, MAX_PATH_BYTES)).toString('utf8'));
      at = length.end + length.value;
    }
    const location = texts.get(2) ?? '';
    if (texts.get(1) !== LOCATION || !leavesFolder(location)) return;
    this.context.report({
      level: 'dangerous',
      rule: 'onnx-external-data',
      file: this.path,
      says: `reads data from outside its folder: ${JSON.stringify(location.slice(0, 100))}`,
    });
  }

  #varint(start: number, end: number): { readonly value: number; readonly end: number } {
    const bytes = this.source.read(start, 10);
    let value = 0;
    for (const [n, byte] of bytes.entries()) {
      value += (byte & 0x7f) * 2 ** (7 * n);
      if (byte < 0x80) {
        if (start + n + 1 > end) throw new NotOnnx();
        return { value, end: start + n + 1 };
      }
    }
    throw new NotOnnx();
  }
}

function leavesFolder(location: string): boolean {
  if (location.startsWith('/') || location.includes('\\') || /^[a-z]:/i.test(location)) return true;
  return location.includes('\u0000') || location.split('/').includes('..');
}
