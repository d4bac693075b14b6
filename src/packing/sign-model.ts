import { createWriteStream, existsSync } from 'node:fs';
import { mkdir, rename, writeFile } from 'node:fs/promises';
import { basename, dirname, join, relative, sep } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { digestOf } from '../authenticity/file-digest.js';
import { NotAuthentic } from '../authenticity/not-authentic.js';
import { type Credentials, signModel } from '../authenticity/sign.js';
import { SINGLE_FILE } from '../authenticity/statement.js';
import { treeOf } from '../authenticity/tree-files.js';
import { readSealedZip, SIGNATURE_NAME, signedZip } from '../authenticity/zip-seal.js';
import { SigningRefused } from '../errors/signature.js';
import type { UnpackLimits } from '../models/unpack/unpack-limits.js';
import { type OpenedModel, openModel } from './opened-model.js';
import { scratchFolder } from './scratch-folder.js';

export interface SignWish {
  /** Absolute. */
  readonly path: string;
  readonly credentials: Credentials;
  /** `inside`: MAR-INF/model.sig of the model itself. undefined: inside a folder, beside a file. */
  readonly place: 'inside' | 'beside' | undefined;
  /** The signature's file, or with `inside` the signed archive; absolute. */
  readonly output: string | undefined;
  /** What it will be served as, where that isn't what its manifest says. */
  readonly name: string | undefined;
  readonly version: string | undefined;
}

export interface Signed {
  /** What was written. */
  readonly output: string;
  readonly place: 'inside' | 'beside';
  /** `name@version` */
  readonly subject: string;
  /** How many files are signed. */
  readonly files: number;
}

/** Signs an archive, a folder or a lone file, and reads it once to do so. Rejects with SigningRefused, and then nothing is written. */
export async function signTarget(wish: SignWish, limits: UnpackLimits): Promise<Signed> {
  const model = await openModel(wish.path, limits);
  try {
    const subject = `${wish.name ?? model.name}@${wish.version ?? model.version}`;
    const place = wish.place ?? (model.kind === 'folder' ? 'inside' : 'beside');
    const job = { wish, model, subject, maxFiles: limits.maxEntries };
    if (model.kind === 'folder') return { ...(await signFolder(job, place)), place, subject };
    if (place === 'beside') return { ...(await signBeside(job)), place, subject };
    return { ...(await signInside(job)), place, subject };
  } catch (error) {
    if (error instanceof NotAuthentic) throw SigningRefused({ message: `${wish.path} cannot be signed: ${error.message}` }, error);
    throw error;
  } finally {
    await model.close();
  }
}

interface Job {
  readonly wish: SignWish;
  readonly model: OpenedModel;
  readonly subject: string;
  readonly maxFiles: number;
}

type Written = Pick<Signed, 'output' | 'files'>;

async function signFolder({ wish, subject, maxFiles }: Job, place: 'inside' | 'beside'): Promise<Written> {
  const output = wish.output ?? (place === 'inside' ? join(wish.path, SIGNATURE_NAME) : `${wish.path}.sig`);
  const itself = output.startsWith(wish.path + sep) ? relative(wish.path, output) : undefined;
  const ignored = [...new Set([SIGNATURE_NAME, ...(itself === undefined ? [] : [itself])])];
  const files = await digests(wish.path, { ignored, maxFiles });
  await mkdir(dirname(output), { recursive: true });
  await writeWhole(output, signModel({ subject, files, ignored }, wish.credentials));
  return { output, files: files.size };
}

/** Over the file itself: each byte of it counts. */
async function signBeside({ wish, model, subject }: Job): Promise<Written> {
  const { digest } = await digestOf(model.copy ?? wish.path);
  const output = wish.output ?? `${wish.path}.sig`;
  await writeWhole(output, signModel({ subject, files: new Map([[SINGLE_FILE, digest]]), ignored: [] }, wish.credentials));
  return { output, files: 1 };
}

async function signInside({ wish, model, subject, maxFiles }: Job): Promise<Written> {
  const { copy, format, folder } = model;
  const cure = 'sign it beside, without --inside';
  if (copy === undefined || format === undefined) throw SigningRefused({ message: `${wish.path} is no archive, and has no inside: ${cure}.` });
  if (format === 'tar.gz') throw SigningRefused({ message: `A tar.gz cannot be signed inside: ${cure}, or pack it as .mar.` });
  const sealed = await readSealedZip(copy);
  if (sealed === undefined || (sealed.signature === undefined && existsSync(join(folder, SIGNATURE_NAME))))
    throw SigningRefused({
      message: `${wish.path} is a zip of 4 GiB or more, or one with a comment, something between its parts or another tool's ${SIGNATURE_NAME}: ${cure}.`,
    });
  const files = await digests(folder, { ignored: [SIGNATURE_NAME], maxFiles });
  const output = wish.output ?? wish.path;
  const beside = await scratchFolder('.sconce-sign-', dirname(output));
  try {
    const fresh = join(beside.path, basename(output));
    const sign = (seal: string) => signModel({ subject, files, ignored: [SIGNATURE_NAME], seal }, wish.credentials);
    await pipeline(signedZip(copy, sign), createWriteStream(fresh));
    await rename(fresh, output);
  } finally {
    await beside.remove();
  }
  return { output, files: files.size };
}

async function digests(
  folder: string,
  { ignored, maxFiles }: { readonly ignored: readonly string[]; readonly maxFiles: number },
): Promise<Map<string, string>> {
  const { files, emptyFolders } = await treeOf(folder, maxFiles);
  if (emptyFolders[0] !== undefined) throw SigningRefused({ message: `${emptyFolders[0]} is an empty folder, which a signature cannot name: remove it.` });
  const found = new Map<string, string>();
  for (const path of files) if (!ignored.includes(path)) found.set(path, (await digestOf(join(folder, path))).digest);
  if (found.size === 0) throw SigningRefused({ message: `${folder} has no files.` });
  return found;
}

/** A reader finds the signature from before or the new one, and no half of it. */
async function writeWhole(output: string, bytes: Buffer): Promise<void> {
  const beside = await scratchFolder('.sconce-sign-', dirname(output));
  try {
    const fresh = join(beside.path, basename(output));
    await writeFile(fresh, bytes);
    await rename(fresh, output);
  } finally {
    await beside.remove();
  }
}
