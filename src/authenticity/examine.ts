import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { MAX_BUNDLE_BYTES, parseBundle } from './bundle.js';
import { digestOf, isAsSigned } from './file-digest.js';
import { NotAuthentic, type RefusalWord } from './not-authentic.js';
import { type SignedBy, signedBy } from './signed-by.js';
import { parseStatement, printable, type Resource, SINGLE_FILE, type Statement } from './statement.js';
import { openFile, type Tree, treeOf } from './tree-files.js';
import type { TrustedSigner } from './trust-policy.js';
import { SIGNATURE_NAME } from './zip-seal.js';

/** Where the PyPI tool puts a signature unless told otherwise. */
const ROOT_SIGNATURE_NAME = 'model.sig';

/** What is to be served, where nobody else can change it, and the signatures that may belong to it. */
export interface Exhibit {
  readonly kind: 'archive' | 'folder' | 'file';
  /** The files: an archive's unpacked, a lone file alone in a folder. */
  readonly folder: string;
  /** Of an archive, of the very bytes that were unpacked. */
  readonly archive?: { readonly sha256: string; readonly seal: string | undefined } | undefined;
  /** Path of a signature beside the model, whether there is one or not. */
  readonly beside: string | undefined;
}

export interface ExamineTask {
  readonly exhibit: Exhibit;
  readonly signers: readonly TrustedSigner[];
  readonly maxFiles: number;
}

/** A signature that is good: by trusted signers, over all that is there. Whether it is for this model is not said yet. */
export interface GoodSignature {
  readonly place: string;
  readonly subject: string;
  readonly by: readonly SignedBy[];
}

/** Plain data, since it comes from a thread. */
export interface Examined {
  /** SHA-256, hex: of an archive or lone file its bytes, of a folder over its files. undefined: it can't stand for all that is there. */
  readonly sha256: string | undefined;
  readonly good: readonly GoodSignature[];
  /** Why there is no good signature. */
  readonly problem: { readonly word: RefusalWord; readonly message: string } | undefined;
}

/** Checks every signature that a model has. Never rejects for what it finds, only for a file system that fails. */
export async function examine({ exhibit, signers, maxFiles }: ExamineTask): Promise<Examined> {
  let sha256: string | undefined;
  const good: GoodSignature[] = [];
  let problem: Examined['problem'];
  const found = (error: unknown): void => {
    if (!(error instanceof NotAuthentic)) throw error;
    problem ??= { word: error.word, message: error.message };
  };
  try {
    const tree = await treeOf(exhibit.folder, maxFiles);
    refuseSideFiles(exhibit, tree);
    sha256 = await wholeDigest(exhibit, tree);
    const now = new Date();
    for (const place of placesOf(exhibit, tree)) {
      try {
        const bytes = await signatureAt(place);
        if (bytes === undefined) continue;
        const bundle = parseBundle(bytes);
        const statement = parseStatement(bundle.payload, maxFiles);
        const by = signedBy(bundle, signers, now);
        await compare(exhibit, tree, sha256, { statement, inside: place.inside });
        good.push({ place: place.name, subject: statement.subject, by });
      } catch (error) {
        found(error);
      }
    }
  } catch (error) {
    found(error);
  }
  if (good.length === 0) problem ??= { word: 'missing', message: 'it has no signature' };
  return { sha256, good, problem };
}

/** The digest of a folder: SHA-256 over the SHA-256 of its files in code-point order, a signature's own left out. It is what `pin` names. */
async function folderDigest(folder: string, files: readonly string[]): Promise<string> {
  const root = createHash('sha256');
  for (const path of files) if (path !== SIGNATURE_NAME) root.update(`${path}\u0000${(await digestOf(join(folder, path))).digest}\n`);
  return root.digest('hex');
}

interface Place {
  readonly name: string;
  readonly path: string;
  /** Its name among the files; undefined: it lies beside them. */
  readonly inside: string | undefined;
}

function placesOf({ folder, beside }: Exhibit, { files }: Tree): readonly Place[] {
  const inside = [SIGNATURE_NAME, ROOT_SIGNATURE_NAME].filter((name) => files.includes(name));
  return [
    ...(beside === undefined ? [] : [{ name: 'beside', path: beside, inside: undefined }]),
    ...inside.map((name) => ({ name, path: join(folder, name), inside: name })),
  ];
}

/** undefined: there is none. Throws NotAuthentic. */
async function signatureAt({ path, inside }: Place): Promise<Buffer | undefined> {
  const file = await openFile(path).catch((error: unknown) => {
    const cause = error instanceof NotAuthentic ? error.cause : error;
    if (inside === undefined && cause instanceof Error && 'code' in cause && cause.code === 'ENOENT') return undefined;
    throw error;
  });
  if (file === undefined) return undefined;
  try {
    if ((await file.stat()).size > MAX_BUNDLE_BYTES) throw new NotAuthentic('too_large', `it is longer than ${MAX_BUNDLE_BYTES} bytes`);
    return await file.readFile();
  } finally {
    await file.close();
  }
}

function refuseSideFiles({ kind }: Exhibit, { files }: Tree): void {
  if (kind === 'file' && files.length > 1)
    throw new NotAuthentic('mismatch', 'files lie beside it that no signature covers (labels, settings, data); make an archive of them all with `sconce pack`');
}

async function wholeDigest({ kind, folder, archive }: Exhibit, { files }: Tree): Promise<string | undefined> {
  if (archive !== undefined) return archive.sha256;
  if (kind === 'folder') return folderDigest(folder, files);
  const [only] = files;
  return only === undefined ? undefined : (await digestOf(join(folder, only))).digest;
}

/** Whether what is signed is what is there, no more and no less. Throws NotAuthentic. */
async function compare(
  { kind, folder, archive }: Exhibit,
  { files, emptyFolders }: Tree,
  sha256: string | undefined,
  { statement, inside }: { readonly statement: Statement; readonly inside: string | undefined },
): Promise<void> {
  const resources = new Map<string, Resource[]>();
  for (const resource of statement.resources) resources.set(resource.path, [...(resources.get(resource.path) ?? []), resource]);
  const whole = resources.get(SINGLE_FILE)?.[0];
  if (whole !== undefined) {
    if (kind === 'folder') throw new NotAuthentic('mismatch', 'it signs a file, and this is a folder');
    if (whole.range !== undefined || whole.hash !== 'sha256') throw new NotAuthentic('unreadable', 'it signs a file by another hash than sha256; re-sign it');
    if (whole.digest !== sha256) throw new NotAuthentic('mismatch', 'it signs other bytes');
    return;
  }
  if (kind === 'file') throw new NotAuthentic('mismatch', 'it signs a folder, and this is a file');
  if (statement.seal !== undefined && archive !== undefined && statement.seal !== archive.seal)
    throw new NotAuthentic('mismatch', 'the archive was changed after it was signed');
  const stray = files.find((path) => !resources.has(path) && path !== inside && path !== SIGNATURE_NAME) ?? emptyFolders[0];
  if (stray !== undefined) throw new NotAuthentic('mismatch', `${printable(stray)} is not signed`);
  const there = new Set(files);
  const missing = [...resources.keys()].find((path) => !there.has(path));
  if (missing !== undefined) throw new NotAuthentic('mismatch', `${printable(missing)} is signed and not there`);
  for (const [path, signed] of resources)
    if (!(await isAsSigned(join(folder, path), signed))) throw new NotAuthentic('mismatch', `${printable(path)} is not as it was signed`);
}
