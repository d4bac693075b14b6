import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { link, mkdir, open, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { ArchiveExists, ChecksumMismatch, ChecksumOfFolder, DownloadFailed } from '../../errors/model.js';
import { SconceError } from '../../errors/sconce-error.js';
import type { ListedFile, Resolver } from './fetcher.js';
import { type Progress, transfer } from './transfer.js';

export interface DownloadOptions {
  readonly store: string;
  readonly maxBytes: number;
  readonly timeoutMs: number;
  /** SHA-256 that the file must have, hex. */
  readonly sha256?: string | undefined;
  readonly progress?: Progress | undefined;
  /** Called with the name before it is taken. */
  readonly appears?: ((name: string) => Promise<void>) | undefined;
}

const MAX_FILES = 10_000;
const MAX_NAME_CHARACTERS = 255;

/**
 * Brings the archive behind a URL into the store under the last part of its path, and gives that name; a folder of files as a folder. It appears there whole or not
 * at all. Throws ArchiveExists when the name is taken, ChecksumMismatch when it is another one than was wanted, ChecksumOfFolder where one was given for a folder, DownloadFailed otherwise.
 */
export async function download(url: URL, asRegistered: string, resolver: Resolver, options: DownloadOptions): Promise<string> {
  const name = fileNameOf(url);
  if (name === undefined) throw DownloadFailed({ url: asRegistered });
  const target = join(options.store, name);
  if (existsSync(target)) throw ArchiveExists({ file: name });
  const part = join(options.store, `.${randomBytes(12).toString('hex')}.part`);
  const signal = AbortSignal.timeout(options.timeoutMs);
  const within = { maxBytes: options.maxBytes, signal, progress: options.progress ?? (() => undefined) };
  try {
    const files = await resolver.list?.(url, signal);
    if (files === undefined) {
      const found = await transfer(url, part, resolver.fetch, within);
      if (options.sha256 !== undefined && found !== options.sha256) throw ChecksumMismatch({ url: asRegistered, found });
      await options.appears?.(name);
      await claim(part, target);
    } else {
      if (options.sha256 !== undefined) throw ChecksumOfFolder({ url: asRegistered });
      await bringFolder(files, part, resolver, within);
      await options.appears?.(name);
      await rename(part, target);
    }
    return name;
  } catch (error) {
    if (error instanceof SconceError) throw error;
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    if (code === 'EEXIST' || code === 'ENOTEMPTY') throw ArchiveExists({ file: name });
    throw DownloadFailed({ url: asRegistered }, error);
  } finally {
    await rm(part, { force: true, recursive: true }).catch(() => undefined);
  }
}

async function bringFolder(files: readonly ListedFile[], folder: string, resolver: Resolver, within: Parameters<typeof transfer>[3]): Promise<void> {
  if (files.length === 0) throw new Error('there is nothing');
  if (files.length > MAX_FILES) throw new Error(`more than ${MAX_FILES} files`);
  const sizeBytes = files.reduce((sum, file) => sum + file.sizeBytes, 0);
  if (sizeBytes > within.maxBytes) throw new Error(`longer than ${within.maxBytes} bytes`);
  let doneBytes = 0;
  for (const file of files) {
    const parts = file.path.split('/');
    if (!parts.every(isFileName)) throw new Error('a file has a name that no file can have here');
    const path = join(folder, ...parts);
    await mkdir(dirname(path), { recursive: true });
    await transfer(file.url, path, resolver.fetch, { ...within, maxBytes: file.sizeBytes, progress: (bytes) => within.progress(doneBytes + bytes, sizeBytes) });
    doneBytes += file.sizeBytes;
  }
}

/** The last part of the path, where a file can be called that. */
function fileNameOf(url: URL): string | undefined {
  try {
    const name = decodeURIComponent(url.pathname.replace(/\/+$/, '').split('/').at(-1) ?? '');
    return isFileName(name) ? name : undefined;
  } catch {
    return undefined;
  }
}

function isFileName(name: string): boolean {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
  return name !== '' && name.length <= MAX_NAME_CHARACTERS && !name.startsWith('.') && !/[/\\\u0000-\u001f\u007f]/.test(name);
}

/** Gives a whole file its name. Rejects with EEXIST when the name is taken, also by another registration of this moment: a plain rename would not. */
async function claim(part: string, target: string): Promise<void> {
  try {
    await link(part, target);
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    if (code !== 'EPERM' && code !== 'ENOTSUP' && code !== 'EOPNOTSUPP' && code !== 'ENOSYS') throw error;
    // A file system without second names, as network shares are: the name is taken by an empty file first.
    await (await open(target, 'wx')).close();
    await rename(part, target);
  }
}
