import { existsSync } from 'node:fs';
import { mkdir, realpath, rm, writeFile } from 'node:fs/promises';
import { basename, extname, join, sep } from 'node:path';
import type { Authenticity } from '../authenticity/authenticity.js';
import type { Examined } from '../authenticity/examine.js';
import { NotAuthentic } from '../authenticity/not-authentic.js';
import { ArchiveUnreadable, ChecksumMismatch, ChecksumOfFolder } from '../errors/model.js';
import { SignatureRefused } from '../errors/signature.js';
import type { Log } from '../observability/observer.js';
import type { ArchiveCache } from './archive-cache.js';
import { backendOf } from './backend-of.js';
import { type Description, describe, describedBy } from './description.js';
import { folderHash } from './folder-hash.js';
import type { Located } from './location.js';
import { NO_MANIFEST } from './manifest.js';
import { derivedModelName } from './model-name.js';
import { copyTree, placeFile, takeFile, takeTree, workingFolder } from './working-copy.js';

export interface ModelFoldersOptions {
  readonly cache: ArchiveCache;
  /** Folder of this server run; working copies lie in it. */
  readonly workDirectory: string;
  readonly maxArchiveEntries: number;
  /** undefined: signatures are not looked at. */
  readonly authenticity: Authenticity | undefined;
  readonly log: Log;
}

export interface FolderWish {
  readonly url: string;
  readonly modelName?: string | undefined;
  readonly handler?: string | undefined;
  /** SHA-256 that the archive or lone file must have, hex. */
  readonly sha256?: string | undefined;
}

/** A folder to serve a model from, and what it was made from. */
export interface ModelFolder extends Description {
  readonly directory: string;
  /** What an archive was unpacked to, where `directory` is a copy of it. */
  readonly tree?: string;
  readonly contentHash: string;
  readonly examined: Examined | undefined;
}

/** The built-in handler of a bare TorchScript file. */
const TENSOR_HANDLER = 'tensor_handler';

/** The folders that models are served from. Nothing of an archive is executed while one is made, and what was examined is what is served: it lies in a folder of the server's own from then on. */
export class ModelFolders {
  constructor(private readonly options: ModelFoldersOptions) {}

  /** Makes the folder of what was located. Rejects with the errors of src/errors/model.ts, SignatureRefused or NotAuthentic, with nothing left behind. */
  async make(located: Located, wish: FolderWish): Promise<ModelFolder> {
    const { authenticity } = this.options;
    switch (located.kind) {
      case 'archive':
        return this.#unpack(located.path, wish);
      case 'folder':
        if (wish.sha256 !== undefined) throw ChecksumOfFolder({ url: wish.url });
        return authenticity === undefined ? this.#open(located.path, wish) : this.#take(located.path, authenticity, wish);
      case 'onnx':
      case 'torchscript':
        return this.#inWorkingFolder((directory) => this.#wrap(located, directory, wish));
    }
  }

  /** Only what lies in this run's own folder is ever deleted: a folder of the store or a cached tree is left alone. */
  async remove(directory: string): Promise<void> {
    if (this.isOwn(directory)) await rm(directory, { recursive: true, force: true }).catch(() => undefined);
  }

  /** Whether a folder goes with its model. */
  isOwn(directory: string): boolean {
    return directory.startsWith(join(this.options.workDirectory, 'models') + sep);
  }

  /** Fills a fresh folder, and takes it away again when that fails. */
  async #inWorkingFolder(fill: (directory: string) => Promise<ModelFolder>): Promise<ModelFolder> {
    const directory = await workingFolder(this.options.workDirectory);
    try {
      return await fill(directory);
    } catch (error) {
      await this.remove(directory);
      throw error;
    }
  }

  async #unpack(file: string, wish: FolderWish): Promise<ModelFolder> {
    const { authenticity, cache, log } = this.options;
    const { folder, hash, seal } = await cache.tree(file, wish.url).catch((error: unknown) => {
      // What can't be read is not what was signed.
      throw authenticity?.refuses && ArchiveUnreadable.is(error) ? SignatureRefused({ url: wish.url, word: 'mismatch', why: error.message }, error) : error;
    });
    assertChecksum(wish, hash);
    const examined = await authenticity?.examine({ kind: 'archive', folder, archive: { sha256: hash, seal }, beside: `${file}.sig` });
    const description = await describe(folder, isNamed(wish), log);
    const unpacked = { ...description, directory: folder, contentHash: hash, examined };
    if (backendOf(wish.handler ?? description.manifest.handler, description.serializedFile) === 'onnx') return unpacked;
    return this.#inWorkingFolder(async (directory) => {
      await copyTree(folder, directory);
      return { ...unpacked, directory, tree: folder };
    });
  }

  /** A folder of the store belongs to whoever may write there: it is served from a copy. One that can't be copied for its links is served as it is where that is only warned of. */
  async #take(source: string, authenticity: Authenticity, wish: FolderWish): Promise<ModelFolder> {
    try {
      return await this.#inWorkingFolder(async (directory) => {
        await takeTree(source, directory, this.options.maxArchiveEntries);
        const examined = await authenticity.examine({ kind: 'folder', folder: directory, beside: `${source}.sig` });
        const opened = await this.#open(directory, wish);
        return { ...opened, contentHash: examined.sha256 ?? opened.contentHash, examined };
      });
    } catch (error) {
      if (!(error instanceof NotAuthentic) || authenticity.refuses) throw error;
      const { word, message } = error;
      return { ...(await this.#open(source, wish)), examined: { sha256: undefined, good: [], problem: { word, message } } };
    }
  }

  async #open(directory: string, wish: FolderWish): Promise<ModelFolder> {
    const description = await describe(directory, isNamed(wish), this.options.log);
    return { ...description, directory, contentHash: await folderHash(directory), examined: undefined };
  }

  /**
   * A lone file is served from a folder with it and its side files `NAME.yaml`, and of an .onnx `NAME.labels.json` and `NAME.onnx.data`. TorchScript gets a manifest
   * and our small tensor handler.
   */
  async #wrap({ kind, path: file }: Located, directory: string, wish: FolderWish): Promise<ModelFolder> {
    const { authenticity, cache, log } = this.options;
    const name = basename(file);
    const stem = file.slice(0, -extname(file).length);
    const sides: readonly (readonly [string, string])[] =
      kind === 'onnx'
        ? [
            [`${stem}.labels.json`, 'index_to_name.json'],
            [`${file}.data`, `${name}.data`],
          ]
        : [];
    const yaml = [`${stem}.yaml`, `${stem}.yml`].find((candidate) => existsSync(candidate));
    await this.#place(file, join(directory, name));
    for (const [source, target] of sides) if (existsSync(source)) await this.#place(source, join(directory, target));
    if (yaml !== undefined) await this.#place(yaml, join(directory, 'model-config.yaml'));
    if (wish.sha256 !== undefined) assertChecksum(wish, await cache.hashOf(join(directory, name), wish.url));
    const examined = await authenticity?.examine({ kind: 'file', folder: directory, beside: `${file}.sig` });
    const manifest = { ...NO_MANIFEST, serializedFile: name, handler: kind === 'torchscript' ? TENSOR_HANDLER : undefined };
    if (kind === 'torchscript') {
      const { handler, modelVersion } = manifest;
      const configFile = yaml === undefined ? undefined : 'model-config.yaml';
      await writeManifest(directory, { modelName: wish.modelName || derivedModelName(name), serializedFile: name, handler, modelVersion, configFile });
    }
    return { ...(await describedBy(manifest, directory, log)), directory, contentHash: await folderHash(directory), examined };
  }

  /** Into a working folder: a second name for the file, but where it is examined a copy, which nobody else can write to. */
  async #place(source: string, target: string): Promise<void> {
    if (this.options.authenticity === undefined) return placeFile(source, target);
    await takeFile(await realpath(source), target);
  }
}

/** Throws ChecksumMismatch for another file than the one that was wished for. */
function assertChecksum({ url, sha256 }: FolderWish, found: string): void {
  if (sha256 !== undefined && sha256.toLowerCase() !== found) throw ChecksumMismatch({ url, found });
}

function isNamed({ modelName }: FolderWish): boolean {
  return modelName !== undefined && modelName !== '';
}

/** For the worker, which reads from there what it loads. */
async function writeManifest(directory: string, model: Readonly<Record<string, string | undefined>>): Promise<void> {
  await mkdir(join(directory, 'MAR-INF'));
  await writeFile(join(directory, 'MAR-INF', 'MANIFEST.json'), JSON.stringify({ runtime: 'python', model }, undefined, 2));
}
