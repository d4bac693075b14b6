import { randomBytes } from 'node:crypto';
import { createWriteStream, existsSync } from 'node:fs';
import { link, open, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { type Readable, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { ArchiveExists, DownloadFailed } from '../../errors/model.js';
import { SconceError } from '../../errors/sconce-error.js';

/** A source of bytes for one kind of URL. */
export type Fetcher = (url: URL, signal: AbortSignal) => Promise<Readable>;

export interface DownloadOptions {
  readonly store: string;
  readonly maxBytes: number;
  readonly timeoutMs: number;
}

/**
 * Brings the archive behind a URL into the store under the last part of its path, and gives that name. It appears there whole or not at all.
 * Throws ArchiveExists when the name is taken, DownloadFailed otherwise.
 */
export async function download(url: URL, asRegistered: string, fetcher: Fetcher, options: DownloadOptions): Promise<string> {
  const name = fileNameOf(url);
  if (name === undefined) throw DownloadFailed({ url: asRegistered });
  const target = join(options.store, name);
  if (existsSync(target)) throw ArchiveExists({ file: name });
  const part = join(options.store, `.${randomBytes(12).toString('hex')}.part`);
  const signal = AbortSignal.timeout(options.timeoutMs);
  try {
    await pipeline(await fetcher(url, signal), limited(options.maxBytes), createWriteStream(part, { flags: 'wx', mode: 0o644 }), { signal });
    await claim(part, target);
    return name;
  } catch (error) {
    if (error instanceof SconceError) throw error;
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST') throw ArchiveExists({ file: name });
    throw DownloadFailed({ url: asRegistered }, error);
  } finally {
    await rm(part, { force: true }).catch(() => undefined);
  }
}

/** The last part of the path, where a file can be called that. */
function fileNameOf(url: URL): string | undefined {
  let name: string;
  try {
    name = decodeURIComponent(url.pathname.split('/').at(-1) ?? '');
  } catch {
    return undefined;
  }
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
  return name === '' || name.startsWith('.') || /[/\\\u0000-\u001f\u007f]/.test(name) ? undefined : name;
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

function limited(maxBytes: number): Transform {
  let seen = 0;
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      seen += chunk.length;
      if (seen > maxBytes) done(new Error(`the archive is longer than ${maxBytes} bytes`));
      else done(null, chunk);
    },
  });
}
