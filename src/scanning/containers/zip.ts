import { Stretch } from '../byte-source.js';
import { searchPickles } from '../pickle/pickle-streams.js';
import { type Content, inside, printable, type ScanContext } from '../scan-context.js';
import { type Packing, withUnpacked } from './unpacked.js';
import { type ZipDirectory, type ZipEntry, zipDirectories } from './zip-directory.js';

const PACKINGS: Readonly<Record<number, Packing>> = { 8: 'deflate', 12: 'bzip2', 93: 'zstd', 95: 'xz' };

/**
 * Scans the members of a zip, wherever in the file it begins. Checksums and flag bits stop nothing, since loaders go on as well; a header that contradicts the
 * other is how a member is hidden from one reader. Gives whether there is a zip. Throws ScanLimitReached.
 */
export async function scanZip(content: Content, context: ScanContext): Promise<boolean> {
  const { source, path } = content;
  const directories = zipDirectories(source, context.budget.limits.members);
  if (directories.length === 0) {
    if (source.read(0, 4).toString('latin1') !== 'PK\u0003\u0004') return false;
    context.report({ level: 'unknown', rule: 'zip-broken', file: path, says: 'begins as a zip and has no central directory' });
    await searchPickles(content, 0, context);
    return true;
  }
  if (directories.length > 1)
    context.report({ level: 'dangerous', rule: 'zip-headers', file: path, says: 'is a zip with two central directories, which readers choose between' });
  for (const directory of directories) await scanDirectory(content, directory, context);
  return true;
}

async function scanDirectory(content: Content, { entries, start, isBroken }: ZipDirectory, context: ScanContext): Promise<void> {
  if (isBroken) context.report({ level: 'unknown', rule: 'zip-broken', file: content.path, says: 'is a zip whose central directory ends early' });
  const names = new Set(entries.map(({ name }) => name));
  const root = entries.find(({ name }) => name.endsWith('/constants.pkl'))?.name.slice(0, -'constants.pkl'.length);
  const isTorchScript = root !== undefined && names.has(`${root}data.pkl`) && [...names].some((name) => name.startsWith(`${root}code/`));
  const twice = new Set<string>();
  for (const entry of entries) {
    context.budget.member();
    if (twice.has(entry.name))
      context.report({ level: 'dangerous', rule: 'zip-headers', file: content.path, says: `has two members called ${printable(entry.name)}` });
    twice.add(entry.name);
    await scanEntry(content, entry, isTorchScript, context);
  }
  await scanGaps(content, entries, start, context);
}

async function scanEntry(content: Content, entry: ZipEntry, isTorchScript: boolean, context: ScanContext): Promise<void> {
  const { name, method, data, mismatch, isEncrypted } = entry;
  const member = inside(content, name, data, isTorchScript);
  if (mismatch !== undefined) context.report({ level: 'dangerous', rule: 'zip-headers', file: member.path, says: printable(mismatch) });
  else if (isEncrypted)
    context.report({ level: 'dangerous', rule: 'zip-headers', file: member.path, says: 'is marked as encrypted, which loaders may ignore' });
  if (data.sizeBytes === 0) return;
  if (method === 0) return context.scan(member);
  const packing = PACKINGS[method];
  if (packing === undefined)
    return context.report({ level: 'dangerous', rule: 'sealed', file: member.path, says: `is packed by method ${method}, which hides its content` });
  await withUnpacked(data, packing, context.budget, async (source, why) => {
    if (why !== undefined && !isEncrypted)
      context.report({ level: 'unknown', rule: 'packed', file: member.path, says: `cannot be unpacked to its end: ${printable(why)}` });
    await context.scan({ ...member, source });
  });
}

/** What no entry covers: a member that only readers of local headers see, or bytes in front. */
async function scanGaps(content: Content, entries: readonly ZipEntry[], directoryStart: number, context: ScanContext): Promise<void> {
  let at = 0;
  const gaps: { start: number; end: number }[] = [];
  for (const { start, end } of [...entries].sort((a, b) => a.start - b.start)) {
    if (start > at) gaps.push({ start: at, end: start });
    at = Math.max(at, end);
  }
  if (directoryStart > at) gaps.push({ start: at, end: directoryStart });
  for (const { start, end } of gaps) {
    const source = new Stretch(content.source, start, end - start);
    // A descriptor of the member before, or what aligns the next.
    if (source.sizeBytes <= 24 || isBlank(source)) continue;
    const gap = { ...content, source, path: `${content.path} » bytes at ${start}` };
    const hasLocalHeader = source.read(0, 4).toString('latin1') === 'PK\u0003\u0004';
    if (hasLocalHeader)
      context.report({
        level: 'dangerous',
        rule: 'zip-headers',
        file: content.path,
        offset: start,
        says: 'has a member that its central directory does not name',
      });
    await searchPickles(gap, 0, context);
  }
}

function isBlank(source: Stretch): boolean {
  const PIECE = 1 << 20;
  for (let at = 0; at < source.sizeBytes; at += PIECE) if (source.read(at, PIECE).some((byte) => byte !== 0)) return false;
  return true;
}
