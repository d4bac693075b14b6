import { Stretch } from '../byte-source.js';
import { type Content, inside, type ScanContext } from '../scan-context.js';

const BLOCK = 512;
const MAX_HEADER_BYTES = 1 << 20;

/** Scans the members of a tar, with or without the mark of newer ones. Gives whether it is one. Throws ScanLimitReached. */
export async function scanTar(content: Content, context: ScanContext): Promise<boolean> {
  const { source, path } = content;
  if (!isHeader(source.read(0, BLOCK))) return false;
  let at = 0;
  let longName: string | undefined;
  let longSize: number | undefined;
  while (at + BLOCK <= source.sizeBytes) {
    const header = source.read(at, BLOCK);
    if (header.every((byte) => byte === 0)) return true;
    if (!isHeader(header)) {
      context.report({ level: 'unknown', rule: 'tar-broken', file: path, offset: at, says: `is a tar with a broken header at byte ${at}` });
      return true;
    }
    context.budget.member();
    const type = String.fromCharCode(header[156] ?? 0);
    const sizeBytes = longSize ?? sizeOf(header);
    const body = new Stretch(source, at + BLOCK, sizeBytes);
    at += BLOCK + Math.ceil(sizeBytes / BLOCK) * BLOCK;
    if (type === 'x' || type === 'g') {
      const records = body.read(0, MAX_HEADER_BYTES).toString('utf8');
      longName = /(?:^|\n)\d+ path=([^\n]*)/.exec(records)?.[1] ?? longName;
      const size = /(?:^|\n)\d+ size=(\d+)\n/.exec(records)?.[1];
      longSize = size === undefined ? longSize : Number(size);
      continue;
    }
    if (type === 'L') {
      longName = text(body.read(0, MAX_HEADER_BYTES));
      continue;
    }
    const name = longName ?? text(header.subarray(0, 100));
    [longName, longSize] = [undefined, undefined];
    if (type === 'S') context.report({ level: 'unknown', rule: 'tar-broken', file: path, says: `has the sparse file ${JSON.stringify(name.slice(0, 100))}` });
    if ((type === '0' || type === '\u0000' || type === '7' || type === 'S') && body.sizeBytes > 0) await context.scan(inside(content, name, body));
  }
  return true;
}

function text(bytes: Buffer): string {
  const end = bytes.indexOf(0);
  return bytes.subarray(0, end < 0 ? undefined : end).toString('utf8');
}

/** Octal, or binary where the first bit is set. */
function sizeOf(header: Buffer): number {
  const field = header.subarray(124, 136);
  if (((field[0] ?? 0) & 0x80) === 0) return Number.parseInt(text(field).trim() || '0', 8) || 0;
  return Math.min(Number.MAX_SAFE_INTEGER, Number(BigInt(`0x${field.subarray(1).toString('hex')}`)));
}

/** Its checksum fits: the only mark that old ones have. */
function isHeader(header: Buffer): boolean {
  if (header.length < BLOCK || header[0] === 0) return false;
  let sum = 0;
  for (let n = 0; n < BLOCK; n += 1) sum += n >= 148 && n < 156 ? 32 : (header[n] ?? 0);
  return Number.parseInt(text(header.subarray(148, 156)).trim(), 8) === sum;
}
