/** What an archive may cost. */
export interface UnpackLimits {
  readonly maxArchiveBytes: number;
  readonly maxUnpackedBytes: number;
  readonly maxEntries: number;
}

/** An archive that is not unpacked, with the reason in a few words. */
export class Unpackable extends Error {}

/** Above so many bytes, an archive that grew by more than the ratio is a bomb. */
const RATIO_FROM_BYTES = 64 * 2 ** 20;
const MAX_RATIO = 1000;
const MAX_PATH_CHARS = 1024;
const MAX_NAME_BYTES = 255;
const MAX_DEPTH = 64;

/** Keeps count while an archive is unpacked; throws Unpackable at the first step over a limit. */
export class UnpackBudget {
  #entries = 0;
  #bytes = 0;
  readonly #names = new Map<string, string>();

  constructor(
    private readonly limits: UnpackLimits,
    private readonly archiveBytes: number,
  ) {}

  /** Counts an entry and gives its clean relative path. Refuses what would leave the folder, what clashes with an earlier entry, and what no file system takes. */
  path(entry: string, isFolder: boolean): string {
    this.#count();
    const name = isFolder ? entry.replace(/\/+$/, '') : entry;
    refuseSlip(name);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
    if (/[\u0000-\u001f\u007f]/.test(name)) throw new Unpackable(`a control character in the name ${printable(entry)}`);
    const segments = name.split('/').filter((segment) => segment !== '' && segment !== '.');
    if (segments.length === 0) {
      if (isFolder) return '';
      throw new Unpackable('an entry without a name');
    }
    if (name.length > MAX_PATH_CHARS || segments.length > MAX_DEPTH || segments.some((segment) => Buffer.byteLength(segment) > MAX_NAME_BYTES))
      throw new Unpackable(`a path that is too long or too deep: ${printable(entry)}`);
    const path = segments.join('/');
    this.#claim(path, isFolder);
    return path;
  }

  /** Counts unpacked bytes. */
  bytes(count: number): void {
    this.#bytes += count;
    if (this.#bytes > this.limits.maxUnpackedBytes) throw new Unpackable(`it unpacks to more than ${this.limits.maxUnpackedBytes} bytes`);
    if (this.#bytes > RATIO_FROM_BYTES && this.#bytes > this.archiveBytes * MAX_RATIO)
      throw new Unpackable(`it grows more than ${MAX_RATIO} times while it is unpacked`);
  }

  #count(): void {
    this.#entries += 1;
    if (this.#entries > this.limits.maxEntries) throw new Unpackable(`more than ${this.limits.maxEntries} entries`);
  }

  /** Two names that some file system takes for one would let the second replace what was checked as the first. */
  #claim(path: string, isFolder: boolean): void {
    const key = path.normalize('NFC').toLowerCase();
    const earlier = this.#names.get(key);
    if (earlier !== undefined && !(isFolder && earlier === `${path}/`))
      throw new Unpackable(`two entries are called ${printable(path)}, or differ only in case`);
    this.#names.set(key, isFolder ? `${path}/` : path);
    const segments = path.split('/');
    for (let depth = 1; depth < segments.length; depth += 1) {
      const folder = segments.slice(0, depth).join('/');
      const folderKey = folder.normalize('NFC').toLowerCase();
      const known = this.#names.get(folderKey);
      if (known !== undefined && known !== `${folder}/`) throw new Unpackable(`${printable(folder)} is a file and a folder, or differs only in case`);
      // A folder that no entry stands for is made all the same.
      if (known === undefined) this.#count();
      this.#names.set(folderKey, `${folder}/`);
    }
  }
}

/** Throws Unpackable for a name that leads out of the folder it is unpacked to, on any system. */
export function refuseSlip(name: string): void {
  if (name.startsWith('/') || /^[a-z]:/i.test(name) || name.includes('\\') || name.split('/').includes('..'))
    throw new Unpackable(`Detected Zip Slip vulnerability: ${printable(name)}`);
}

function printable(text: string): string {
  return JSON.stringify(text.slice(0, 200)).slice(1, -1);
}
