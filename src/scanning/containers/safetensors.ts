import type { Content, ScanContext } from '../scan-context.js';

/** The format's own limit. */
const MAX_HEADER_BYTES = 100_000_000;

/** Checks the bounds in the header of a safetensors file. Gives whether it is one: by its content, or because it says so. */
export function scanSafetensors(content: Content, context: ScanContext): boolean {
  const { source, path } = content;
  const head = source.read(0, 9);
  const headerBytes = head.length === 9 ? Number(head.readBigUInt64LE(0)) : 0;
  const looksLikeOne = head[8] === 0x7b && headerBytes > 1 && headerBytes <= source.sizeBytes - 8;
  if (!looksLikeOne && !/\.safetensors$/i.test(path)) return false;
  const wrong = looksLikeOne ? headerFault(content, headerBytes) : `a header of ${headerBytes} bytes`;
  if (wrong !== undefined) context.report({ level: 'dangerous', rule: 'safetensors-header', file: path, says: `is a safetensors file with ${wrong}` });
  return true;
}

function headerFault({ source }: Content, headerBytes: number): string | undefined {
  if (headerBytes > MAX_HEADER_BYTES) return `a header of ${headerBytes} bytes`;
  let json: unknown;
  try {
    json = JSON.parse(source.read(8, headerBytes).toString('utf8'));
  } catch {
    return 'a header that is no JSON';
  }
  if (typeof json !== 'object' || json === null) return 'a header that is no JSON object';
  const dataBytes = source.sizeBytes - 8 - headerBytes;
  for (const [name, tensor] of Object.entries(json)) {
    if (name === '__metadata__') continue;
    const offsets: unknown = typeof tensor === 'object' && tensor !== null ? Reflect.get(tensor, 'data_offsets') : undefined;
    const [start, end] = Array.isArray(offsets) ? offsets : [];
    const isInside = Number.isInteger(start) && Number.isInteger(end) && start >= 0 && start <= end && end <= dataBytes;
    if (!isInside) return `a tensor outside of it: ${JSON.stringify(name.slice(0, 60))}`;
  }
  return undefined;
}
