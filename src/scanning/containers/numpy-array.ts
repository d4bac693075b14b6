import { Stretch } from '../byte-source.js';
import { scanPickles } from '../pickle/pickle-streams.js';
import { type Content, inside, type ScanContext } from '../scan-context.js';

const MAX_HEADER_BYTES = 1 << 20;

/** Scans a .npy array: one of objects is a pickle behind a header. Gives whether it is one. Throws ScanLimitReached. */
export async function scanNumpyArray(content: Content, context: ScanContext): Promise<boolean> {
  const head = content.source.read(0, 12);
  if (head.length < 10 || head.toString('latin1', 0, 6) !== '\u0093NUMPY') return false;
  const isShort = head[6] === 1;
  const headerBytes = isShort ? head.readUInt16LE(8) : head.length === 12 ? head.readUInt32LE(8) : 0;
  const headerAt = isShort ? 10 : 12;
  if (headerBytes > MAX_HEADER_BYTES) {
    context.report({ level: 'dangerous', rule: 'numpy-header', file: content.path, says: `is a numpy array with a header of ${headerBytes} bytes` });
    return true;
  }
  const header = content.source.read(headerAt, headerBytes).toString('latin1');
  // The header is a Python literal: what it escapes, it hides.
  if (!/['"][|<>=]?O\d*['"]/.test(header) && !header.includes('\\')) return true;
  const dataAt = headerAt + headerBytes;
  const objects = inside(content, 'objects', new Stretch(content.source, dataAt, content.source.sizeBytes - dataAt));
  if (!(await scanPickles(objects, context)))
    context.report({ level: 'unknown', rule: 'pickle-broken', file: content.path, says: 'is an array of objects without a pickle of them' });
  return true;
}
