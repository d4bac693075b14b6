import { fromHalfBits, toHalfBits } from './half-float.js';

/** A value of a tensor that is no BYTES. */
export type TensorValue = number | bigint | boolean;

/** How the values of one of KServe's datatypes are read and written. */
export interface Datatype {
  readonly sizeBytes: number;
  /** Little endian. */
  read(view: DataView, at: number): TensorValue;
  write(view: DataView, at: number, value: TensorValue): void;
  /** What stands in JSON as this datatype has it; undefined for what it cannot hold. Numbers may come as text, since JSON loses the digits of long ones. */
  fit(value: unknown): TensorValue | undefined;
}

function integer(sizeBytes: 1 | 2 | 4, signed: boolean): Datatype {
  const bits = sizeBytes * 8;
  const [minimum, maximum] = signed ? [-(2 ** (bits - 1)), 2 ** (bits - 1) - 1] : [0, 2 ** bits - 1];
  const [get, set] = INTEGER_ACCESS[`${signed ? 'Int' : 'Uint'}${sizeBytes}`];
  return {
    sizeBytes,
    read: get,
    write: (view, at, value) => set(view, at, Number(value)),
    fit: (value) => {
      const number = numberOf(value);
      return number !== undefined && Number.isInteger(number) && number >= minimum && number <= maximum ? number : undefined;
    },
  };
}

type IntegerAccess = readonly [get: (view: DataView, at: number) => number, set: (view: DataView, at: number, value: number) => void];

const INTEGER_ACCESS: Readonly<Record<`${'Int' | 'Uint'}${1 | 2 | 4}`, IntegerAccess>> = {
  Int1: [(view, at) => view.getInt8(at), (view, at, value) => view.setInt8(at, value)],
  Int2: [(view, at) => view.getInt16(at, true), (view, at, value) => view.setInt16(at, value, true)],
  Int4: [(view, at) => view.getInt32(at, true), (view, at, value) => view.setInt32(at, value, true)],
  Uint1: [(view, at) => view.getUint8(at), (view, at, value) => view.setUint8(at, value)],
  Uint2: [(view, at) => view.getUint16(at, true), (view, at, value) => view.setUint16(at, value, true)],
  Uint4: [(view, at) => view.getUint32(at, true), (view, at, value) => view.setUint32(at, value, true)],
};

function bigInteger(signed: boolean): Datatype {
  const [minimum, maximum] = signed ? [-(2n ** 63n), 2n ** 63n - 1n] : [0n, 2n ** 64n - 1n];
  return {
    sizeBytes: 8,
    read: (view, at) => (signed ? view.getBigInt64(at, true) : view.getBigUint64(at, true)),
    write: (view, at, value) => (signed ? view.setBigInt64(at, BigInt(value), true) : view.setBigUint64(at, BigInt(value), true)),
    fit: (value) => {
      const isWhole = typeof value === 'bigint' || Number.isInteger(value) || (typeof value === 'string' && /^-?\d{1,20}$/.test(value));
      const exact = isWhole ? BigInt(value as bigint | number | string) : undefined;
      return exact !== undefined && exact >= minimum && exact <= maximum ? exact : undefined;
    },
  };
}

function floating(sizeBytes: 2 | 4 | 8, read: Datatype['read'], write: (view: DataView, at: number, value: number) => void): Datatype {
  // Python writes NaN where JSON has none; ONNX models' JSON has null there.
  return { sizeBytes, read, write: (view, at, value) => write(view, at, Number(value)), fit: (value) => (value === null ? Number.NaN : numberOf(value)) };
}

const WORDS: ReadonlyMap<unknown, number> = new Map([
  ['NaN', Number.NaN],
  ['Infinity', Number.POSITIVE_INFINITY],
  ['-Infinity', Number.NEGATIVE_INFINITY],
]);

function numberOf(value: unknown): number | undefined {
  if (typeof value === 'number') return value;
  if (typeof value === 'string' && /^[+-]?\d{1,40}(?:\.\d{1,40})?(?:e[+-]?\d{1,4})?$/i.test(value)) return Number(value);
  return WORDS.get(value);
}

const TRUTHS: ReadonlyMap<unknown, boolean> = new Map<unknown, boolean>([
  [true, true],
  [1, true],
  [false, false],
  [0, false],
]);

/** Every datatype of the Open Inference Protocol but BYTES, whose elements have lengths of their own. */
export const DATATYPES: ReadonlyMap<string, Datatype> = new Map<string, Datatype>([
  [
    'BOOL',
    {
      sizeBytes: 1,
      read: (view, at) => view.getUint8(at) !== 0,
      write: (view, at, value) => view.setUint8(at, value ? 1 : 0),
      fit: (value) => TRUTHS.get(value),
    },
  ],
  ['INT8', integer(1, true)],
  ['INT16', integer(2, true)],
  ['INT32', integer(4, true)],
  ['INT64', bigInteger(true)],
  ['UINT8', integer(1, false)],
  ['UINT16', integer(2, false)],
  ['UINT32', integer(4, false)],
  ['UINT64', bigInteger(false)],
  [
    'FP16',
    floating(
      2,
      (view, at) => fromHalfBits(view.getUint16(at, true)),
      (view, at, value) => view.setUint16(at, toHalfBits(value), true),
    ),
  ],
  [
    'FP32',
    floating(
      4,
      (view, at) => view.getFloat32(at, true),
      (view, at, value) => view.setFloat32(at, value, true),
    ),
  ],
  [
    'FP64',
    floating(
      8,
      (view, at) => view.getFloat64(at, true),
      (view, at, value) => view.setFloat64(at, value, true),
    ),
  ],
]);

/** The values of a raw tensor; undefined when the bytes are no whole number of them. */
export function unpackValues({ sizeBytes, read }: Datatype, bytes: Uint8Array): TensorValue[] | undefined {
  if (bytes.byteLength % sizeBytes !== 0) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return Array.from({ length: bytes.byteLength / sizeBytes }, (_, index) => read(view, index * sizeBytes));
}

/** The raw form of values that fit. */
export function packValues({ sizeBytes, write }: Datatype, values: readonly TensorValue[]): Uint8Array {
  const bytes = new Uint8Array(values.length * sizeBytes);
  const view = new DataView(bytes.buffer);
  for (const [index, value] of values.entries()) write(view, index * sizeBytes, value);
  return bytes;
}
