import type { ImportedName, Value } from './value.js';

/** Bytes of an element of torch's storages, by their class. */
export const STORAGE_ELEMENT_BYTES: Readonly<Record<string, number>> = {
  DoubleStorage: 8,
  FloatStorage: 4,
  HalfStorage: 2,
  LongStorage: 8,
  IntStorage: 4,
  ShortStorage: 2,
  CharStorage: 1,
  ByteStorage: 1,
  BoolStorage: 1,
  BFloat16Storage: 2,
  ComplexDoubleStorage: 16,
  ComplexFloatStorage: 8,
  QUInt8Storage: 1,
  QInt8Storage: 1,
  QInt32Storage: 4,
  QUInt4x2Storage: 1,
  QUInt2x4Storage: 1,
  UntypedStorage: 1,
};

/**
 * What torch's loaders make of a persistent id: a storage, `('storage', class, key, location, number of elements)` with a view behind it in the old layout,
 * or a class with its source, `('module', class, file, source)`. undefined for any other.
 */
export function persistentReference(id: Value, isAllowed: (name: ImportedName) => boolean): Value | undefined {
  if (id.kind !== 'tuple') return undefined;
  const [word, type, key, location, length] = id.items;
  if (word?.kind !== 'text' || type?.kind !== 'name') return undefined;
  if (word.value === 'module' && id.count === 4) return isAllowed(type) ? type : undefined;
  const isStorage = word.value === 'storage' && (id.count === 5 || id.count === 6) && type.module.startsWith('torch') && isAllowed(type);
  if (!isStorage || STORAGE_ELEMENT_BYTES[type.name] === undefined) return undefined;
  if (key?.kind !== 'text' || key.value === undefined || location?.kind !== 'text' || length?.kind !== 'int') return undefined;
  return { kind: 'storage', type: type.name, key: key.value };
}
