import { type Content, printable, type ScanContext } from '../scan-context.js';
import { type Packing, withUnpacked } from './unpacked.js';

const MARKS: readonly (readonly [Packing, string])[] = [
  ['gzip', '1f8b08'],
  ['xz', 'fd377a585a00'],
  ['zstd', '28b52ffd'],
];
/** Containers whose content no loader of weights reads by itself: what comes in one is hidden from scanners. */
const SEALED: readonly (readonly [string, string])[] = [
  ['a 7z archive', '377abcaf271c'],
  ['a RAR archive', '526172211a07'],
  ['a CAB archive', '4d534346'],
  ['an ACE archive', '2a2a4143452a2a'],
  ['an LZIP file', '4c5a4950'],
];
/** joblib reads these, and the scanner doesn't. */
const UNOPENED: readonly (readonly [string, string])[] = [
  ['LZ4', '04224d18'],
  ['LZMA', '5d0000'],
];

/** Unpacks a compressed content and scans what is in it; refuses what is sealed. Gives whether it was any of these. Throws ScanLimitReached. */
export async function scanCompressed(content: Content, context: ScanContext): Promise<boolean> {
  const { source, path } = content;
  const head = source.read(0, 16);
  const begins = (mark: string) => head.toString('hex').startsWith(mark);
  const sealed = SEALED.find(([, mark]) => begins(mark));
  if (sealed !== undefined) {
    context.report({ level: 'dangerous', rule: 'sealed', file: path, says: `is ${sealed[0]}, which hides its content` });
    return true;
  }
  const packing = packingOf(head) ?? MARKS.find(([, mark]) => begins(mark))?.[0];
  if (packing !== undefined) return unpack(content, packing, context);
  const unopened = UNOPENED.find(([, mark]) => begins(mark) && (mark !== '5d0000' || isLzma(head)));
  if (unopened === undefined) return false;
  context.report({
    level: 'dangerous',
    rule: 'sealed',
    file: path,
    says: `is packed with ${unopened[0]}, which the scanner cannot unpack and joblib can; gzip, zlib, bz2 and xz it can`,
  });
  return true;
}

async function unpack(content: Content, packing: Packing, context: ScanContext): Promise<boolean> {
  let isIt = true;
  await withUnpacked(content.source, packing, context.budget, async (source, why) => {
    // Two bytes are not much of a mark: what begins like zlib and isn't is something else.
    if (packing === 'zlib' && why !== undefined && source.sizeBytes === 0) isIt = false;
    if (!isIt) return;
    if (why !== undefined)
      context.report({ level: 'unknown', rule: 'packed', file: content.path, says: `is ${packing} and cannot be unpacked to its end: ${printable(why)}` });
    if (source.sizeBytes > 0) await context.scan({ ...content, source, path: `${content.path} » ${packing}`, depth: content.depth + 1 });
  });
  return isIt;
}

function packingOf(head: Buffer): Packing | undefined {
  // A block, or the end of a stream of none.
  if (/^BZh[1-9]$/.test(head.toString('latin1', 0, 4)) && /^(314159265359|177245385090)/.test(head.toString('hex', 4))) return 'bzip2';
  return head[0] === 0x78 && head.length > 2 && head.readUInt16BE(0) % 31 === 0 && ((head[1] ?? 0) & 0x20) === 0 ? 'zlib' : undefined;
}

/** Properties, a dictionary size that is a power of two, and a length that is unknown or small. */
function isLzma(head: Buffer): boolean {
  return head.length >= 13 && (head.readUInt32LE(1) & (head.readUInt32LE(1) - 1)) === 0;
}
