import { existsSync } from 'node:fs';
import { mkdir, readFile, realpath, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { z } from 'zod';
import type { Exhibit } from '../authenticity/examine.js';
import { digestOf } from '../authenticity/file-digest.js';
import { NotAuthentic } from '../authenticity/not-authentic.js';
import { readSealedZip } from '../authenticity/zip-seal.js';
import { SigningRefused } from '../errors/signature.js';
import { formatOf } from '../models/archive-cache.js';
import { type Manifest, NO_MANIFEST, parseManifest } from '../models/manifest.js';
import { derivedModelName } from '../models/model-name.js';
import { unpackTarGz } from '../models/unpack/tar.js';
import { Unpackable, UnpackBudget, type UnpackLimits } from '../models/unpack/unpack-limits.js';
import { unpackZip } from '../models/unpack/zip.js';
import { takeFile } from '../models/working-copy.js';
import { MANIFEST_NAME } from './model-description.js';
import { scratchFolder } from './scratch-folder.js';

/** A model on disk, as it is signed and verified. */
export interface OpenedModel {
  readonly kind: Exhibit['kind'];
  /** As the server would call it. */
  readonly name: string;
  readonly version: string;
  readonly manifest: Manifest;
  /** Its files: those of an archive unpacked, a lone file alone. Gone after `close`, unless it is the folder itself. */
  readonly folder: string;
  /** The file as it was read, where nobody writes to it; undefined for a folder. */
  readonly copy: string | undefined;
  readonly archive: Exhibit['archive'];
  /** Zip or tar.gz; undefined for what is no archive. */
  readonly format: 'zip' | 'tar.gz' | undefined;
  close(): Promise<void>;
}

const MAX_MANIFEST_BYTES = 4 * 2 ** 20;
const WORKFLOW_MANIFEST_NAME = 'WAR-INF/MANIFEST.json';
const workflowManifest = z.object({ workflow: z.object({ workflowName: z.string().min(1) }) });

/** Opens a folder, an archive (.mar, .war, .model, .tar.gz, .tgz) or a lone .onnx or .pt. Rejects with SigningRefused. */
export async function openModel(path: string, limits: UnpackLimits): Promise<OpenedModel> {
  if (!existsSync(path)) throw SigningRefused({ message: `There is no model at ${path}.` });
  if ((await stat(path)).isDirectory()) {
    const described = await describe(path, path);
    return { kind: 'folder', ...described, folder: path, copy: undefined, archive: undefined, format: undefined, close: async () => undefined };
  }
  const scratch = await scratchFolder('sconce-sign-');
  try {
    const folder = join(scratch.path, 'tree');
    await mkdir(folder);
    if (/\.(onnx|pt)$/.test(path)) {
      const copy = join(folder, basename(path));
      await takeFile(await realpath(path), copy);
      return { kind: 'file', name: derivedModelName(path), ...UNNAMED, folder, copy, archive: undefined, format: undefined, close: scratch.remove };
    }
    const copy = join(scratch.path, 'archive');
    await takeFile(await realpath(path), copy);
    const format = await unpackArchive(copy, folder, limits);
    const { digest: sha256 } = await digestOf(copy);
    const archive = { sha256, seal: (await readSealedZip(copy))?.seal };
    return { kind: 'archive', ...(await describe(folder, path)), folder, copy, archive, format, close: scratch.remove };
  } catch (error) {
    await scratch.remove();
    if (error instanceof Unpackable) throw SigningRefused({ message: `${path} cannot be unpacked: ${error.message}` }, error);
    if (error instanceof NotAuthentic) throw SigningRefused({ message: `${path} cannot be read: ${error.message}` }, error);
    throw error;
  }
}

const UNNAMED = { version: NO_MANIFEST.modelVersion, manifest: NO_MANIFEST };

async function unpackArchive(file: string, folder: string, limits: UnpackLimits): Promise<'zip' | 'tar.gz'> {
  const format = await formatOf(file);
  const budget = new UnpackBudget(limits, (await stat(file)).size);
  await (format === 'zip' ? unpackZip(file, folder, budget) : unpackTarGz(file, folder, budget));
  return format;
}

async function describe(folder: string, path: string): Promise<Pick<OpenedModel, 'name' | 'version' | 'manifest'>> {
  const workflow = await readBounded(join(folder, WORKFLOW_MANIFEST_NAME));
  if (workflow !== undefined) return { name: workflowManifest.parse(JSON.parse(workflow)).workflow.workflowName, ...UNNAMED };
  const content = await readBounded(join(folder, MANIFEST_NAME));
  const manifest = content === undefined ? NO_MANIFEST : parseManifest(content);
  return { name: manifest.modelName ?? derivedModelName(path), version: manifest.modelVersion, manifest };
}

async function readBounded(path: string): Promise<string | undefined> {
  if (!existsSync(path)) return undefined;
  if ((await stat(path)).size > MAX_MANIFEST_BYTES) throw SigningRefused({ message: `${path} is too long to be a manifest.` });
  return readFile(path, 'utf8');
}
