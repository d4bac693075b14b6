import { toHalfBits } from '../../inference/half-float.js';
import type { NativeData } from '../native-session.js';

/** Values of a tensor, flat. `bool` has a byte per value, `float16` its bits. */
export type TensorData = NativeData;

export type ElementType =
  | 'float32'
  | 'float64'
  | 'float16'
  | 'int8'
  | 'int16'
  | 'int32'
  | 'int64'
  | 'uint8'
  | 'uint16'
  | 'uint32'
  | 'uint64'
  | 'bool'
  | 'string';

/** What has to be known of an element type to read and write it. */
export interface ElementFormat {
  /** KServe's name. */
  readonly datatype: string;
  /** Bytes per value; 0 for strings, which have no raw form. */
  readonly sizeBytes: number;
  create(length: number): TensorData;
  /** Writes JSON values into `data` from `offset` on. Gives the first value that the type cannot hold, or undefined when all went in. */
  put(data: TensorData, values: readonly unknown[], offset: number): { readonly refused: unknown } | undefined;
  /** In words, what `put` takes. */
  readonly takes: string;
}

type Put = ElementFormat['put'];

function numeric(into: (data: TensorData) => data is Float32Array | Float64Array): Put {
  return (data, values, offset) => {
    if (!into(data)) return { refused: undefined };
    let at = offset;
    for (const value of values) {
      if (typeof value !== 'number') return { refused: value };
      data[at] = value;
      at += 1;
    }
    return undefined;
  };
}

const isFloats = (data: TensorData): data is Float32Array | Float64Array => data instanceof Float32Array || data instanceof Float64Array;

/** Each value has to pass `convert`, which gives undefined for what the type cannot hold. */
function converted<Value extends number | bigint | string>(
  store: (data: TensorData, at: number, value: Value) => void,
  convert: (value: unknown) => Value | undefined,
): Put {
  return (data, values, offset) => {
    let at = offset;
    for (const value of values) {
      const fits = convert(value);
      if (fits === undefined) return { refused: value };
      store(data, at, fits);
      at += 1;
    }
    return undefined;
  };
}

const storeNumber = (data: TensorData, at: number, value: number): void => {
  if (!Array.isArray(data) && !(data instanceof BigInt64Array) && !(data instanceof BigUint64Array)) data[at] = value;
};
const storeBigint = (data: TensorData, at: number, value: bigint): void => {
  if (data instanceof BigInt64Array || data instanceof BigUint64Array) data[at] = value;
};
const storeString = (data: TensorData, at: number, value: string): void => {
  if (Array.isArray(data)) data[at] = value;
};

function whole(minimum: number, maximum: number): Put {
  return converted(storeNumber, (value) => (typeof value === 'number' && Number.isInteger(value) && value >= minimum && value <= maximum ? value : undefined));
}

/** Integers beyond 2^53 lose digits in JSON; they may come as decimal strings. */
function wholeBig(minimum: bigint, maximum: bigint): Put {
  return converted(storeBigint, (value) => {
    const exact = Number.isSafeInteger(value) || (typeof value === 'string' && /^-?\d{1,20}$/.test(value)) ? BigInt(String(value)) : undefined;
    return exact !== undefined && exact >= minimum && exact <= maximum ? exact : undefined;
  });
}

function toBit(value: unknown): number | undefined {
  if (value === true || value === 1) return 1;
  return value === false || value === 0 ? 0 : undefined;
}

/** Every element type that ONNX Runtime's Node binding takes. */
export const ELEMENT_FORMATS: Readonly<Record<ElementType, ElementFormat>> = {
  float32: { datatype: 'FP32', sizeBytes: 4, create: (n) => new Float32Array(n), put: numeric(isFloats), takes: 'numbers' },
  float64: { datatype: 'FP64', sizeBytes: 8, create: (n) => new Float64Array(n), put: numeric(isFloats), takes: 'numbers' },
  float16: {
    datatype: 'FP16',
    sizeBytes: 2,
    create: (n) => new Uint16Array(n),
    put: converted(storeNumber, (value) => (typeof value === 'number' ? toHalfBits(value) : undefined)),
    takes: 'numbers',
  },
  int8: { datatype: 'INT8', sizeBytes: 1, create: (n) => new Int8Array(n), put: whole(-128, 127), takes: 'whole numbers from -128 to 127' },
  int16: { datatype: 'INT16', sizeBytes: 2, create: (n) => new Int16Array(n), put: whole(-32768, 32767), takes: 'whole numbers from -32768 to 32767' },
  int32: {
    datatype: 'INT32',
    sizeBytes: 4,
    create: (n) => new Int32Array(n),
    put: whole(-(2 ** 31), 2 ** 31 - 1),
    takes: 'whole numbers of 32 bits',
  },
  int64: {
    datatype: 'INT64',
    sizeBytes: 8,
    create: (n) => new BigInt64Array(n),
    put: wholeBig(-(2n ** 63n), 2n ** 63n - 1n),
    takes: 'whole numbers (beyond 2^53 as strings)',
  },
  uint8: { datatype: 'UINT8', sizeBytes: 1, create: (n) => new Uint8Array(n), put: whole(0, 255), takes: 'whole numbers from 0 to 255' },
  uint16: { datatype: 'UINT16', sizeBytes: 2, create: (n) => new Uint16Array(n), put: whole(0, 65535), takes: 'whole numbers from 0 to 65535' },
  uint32: { datatype: 'UINT32', sizeBytes: 4, create: (n) => new Uint32Array(n), put: whole(0, 2 ** 32 - 1), takes: 'whole numbers from 0 to 4294967295' },
  uint64: {
    datatype: 'UINT64',
    sizeBytes: 8,
    create: (n) => new BigUint64Array(n),
    put: wholeBig(0n, 2n ** 64n - 1n),
    takes: 'whole numbers from 0 (beyond 2^53 as strings)',
  },
  bool: { datatype: 'BOOL', sizeBytes: 1, create: (n) => new Uint8Array(n), put: converted(storeNumber, toBit), takes: 'true, false, 1 or 0' },
  string: {
    datatype: 'BYTES',
    sizeBytes: 0,
    create: (n) => new Array<string>(n).fill(''),
    put: converted(storeString, (value) => (typeof value === 'string' ? value : undefined)),
    takes: 'strings',
  },
};

/** Whether ONNX Runtime's name is one of the types above; its 4-bit types are not. */
export function isElementType(name: string): name is ElementType {
  return Object.hasOwn(ELEMENT_FORMATS, name);
}
