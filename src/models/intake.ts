import { createHash } from 'node:crypto';
import { existsSync, readdirSync } from 'node:fs';
import { lstat, mkdir, readdir, readFile, realpath, rm, stat, writeFile } from 'node:fs/promises';
import { basename, dirname, join, resolve, sep } from 'node:path';
import type { Authenticity } from '../authenticity/authenticity.js';
import type { Examined } from '../authenticity/examine.js';
import { NotAuthentic } from '../authenticity/not-authentic.js';
import { ArchiveInvalid, ArchiveUnreadable, ChecksumMismatch } from '../errors/model.js';
import { SconceError } from '../errors/sconce-error.js';
import { SignatureRefused } from '../errors/signature.js';
import { memberOf } from '../inference/binary-tensors.js';
import type { ModelConfig } from '../inference/model-config.js';
import type { ServableModel } from '../inference/servable-model.js';
import { parseInputRules } from '../inputs/parse-rules.js';
import type { Log } from '../observability/observer.js';
import type { ModelScanner } from '../scanning/model-scanner.js';
import { AllowedUrls, type NamedBy } from './allowed-urls.js';
import type { ArchiveCache } from './archive-cache.js';
import { backendOf } from './backend-of.js';
import type { PythonEnvironments } from './environment/python-environments.js';
import { checkLocation, type Located, locate } from './location.js';
import { type Manifest, NO_MANIFEST, parseManifest } from './manifest.js';
import { noModelConfig, parseModelConfig } from './model-config.js';
import { checkedModelName, checkedModelVersion, derivedModelName } from './model-name.js';
import type { ModelSources } from './model-sources.js';
import { copyTree, placeFile, takeFile, takeTree, workingFolder } from './working-copy.js';

export interface IntakeOptions {
  readonly store: string | undefined;
  readonly sources: ModelSources;
  readonly cache: ArchiveCache;
  readonly scanner: Pick<ModelScanner, 'check'>;
  /** Folder of this server run; working copies lie in it. */
  readonly workDirectory: string;
  readonly defaultHandler: string | undefined;
  /** Overrides every manifest's envelope. */
  readonly envelope: string | undefined;
  readonly maxArchiveEntries: number;
  /** undefined: signatures are not looked at. */
  readonly authenticity: Authenticity | undefined;
  readonly environments: PythonEnvironments;
  readonly log: Log;
}

export interface IntakeWish {
  readonly url: string;
  readonly modelName?: string | undefined;
  readonly runtime?: ServableModel['runtime'] | undefined;
  readonly handler?: string | undefined;
  /** Who names the location; a caller of an API unless told. */
  readonly namedBy?: NamedBy | undefined;
  /** SHA-256 that the archive must have, hex. */
  readonly sha256?: string | undefined;
  readonly s3SseKms?: boolean | undefined;
  /** `modelName` is one that nobody signs, such as that of a workflow's node: the model must be signed as its own. */
  readonly isRenamed?: boolean | undefined;
}

const MAX_DESCRIPTION_BYTES = 4 * 2 ** 20;
/** The built-in handler of a bare TorchScript file. */
const TENSOR_HANDLER = 'tensor_handler';

/** A tree on disk and what it was made from. */
interface Unpacked {
  readonly directory: string;
  /** What an archive was unpacked to, where `directory` is a copy of it. */
  readonly tree?: string;
  readonly contentHash: string;
  readonly manifest: Manifest;
  readonly manifestName: string | undefined;
  readonly config: ModelConfig;
  readonly examined: Examined | undefined;
}

/**
 * The way of a model into the server, a step a line: location → fetch → unpack → signatures → manifest → model config → is it signed as what it says it is → scan → a
 * model that can be served. Nothing of an archive is executed on it, and what was examined is what is served: it lies in a folder of the server's own from then on. A
 * model that fails leaves nothing behind.
 */
export class Intake {
  constructor(private readonly options: IntakeOptions) {}

  /** Rejects with the errors of src/errors/model.ts and src/errors/scanning.ts. */
  async admit(wish: IntakeWish): Promise<ServableModel> {
    const { sources, envelope, defaultHandler } = this.options;
    const store = checkLocation(wish.url, this.options.store);
    const downloaded = AllowedUrls.looksLikeUrl(wish.url) ? await sources.bring({ ...wish, store, namedBy: wish.namedBy ?? 'api' }) : undefined;
    let directory: string | undefined;
    try {
      const located = locate(downloaded ?? wish.url, store, sources.roots);
      const unpacked = await this.#unpack(located, wish);
      directory = unpacked.directory;
      const { manifest, config, contentHash, manifestName, tree, examined } = unpacked;
      const serializedFile = manifest.serializedFile ?? onlyOnnxFile(directory);
      if (serializedFile !== undefined && !resolve(directory, serializedFile).startsWith(directory + sep))
        throw ArchiveInvalid({ message: `The manifest names ${serializedFile} as its serializedFile, which lies outside the archive.` });
      const handler = wish.handler ?? manifest.handler;
      const own = manifestName || derivedModelName(located.kind === 'folder' ? located.path : (downloaded ?? wish.url));
      const name = checkedModelName(wish.modelName || own);
      const version = checkedModelVersion(manifest.modelVersion);
      const downloadedArchive = downloaded === undefined ? undefined : join(store, downloaded);
      const signature =
        examined === undefined ? undefined : this.options.authenticity?.judge(examined, { name: wish.isRenamed ? own : name, version, url: wish.url });
      const scan = await this.options.scanner.check({ name, directory, contentHash, isArchive: located.kind === 'archive', downloaded: downloadedArchive });
      return {
        name,
        version,
        url: wish.url,
        runtime: wish.runtime ?? manifest.runtime,
        backend: backendOf(handler, serializedFile),
        directory,
        tree,
        linkParent: undefined,
        handler: handler ?? defaultHandler,
        askedHandler: wish.handler,
        envelope: envelope ?? manifest.envelope,
        serializedFile,
        requirementsFile: manifest.requirementsFile,
        config,
        inputRules: parseInputRules(memberOf(config.raw.sconce, 'inputs'), config.file ?? 'model-config.yaml'),
        contentHash,
        scan,
        signature,
        downloadedArchive,
      };
    } catch (error) {
      if (directory !== undefined) await this.#remove(directory);
      if (downloaded !== undefined) await rm(join(store, downloaded), { force: true, recursive: true });
      if (error instanceof NotAuthentic) throw SignatureRefused({ url: wish.url, word: error.word, why: error.message }, error);
      // Whatever the file system says against it: a full disk, a file that may not be read, an archive that went away.
      throw error instanceof SconceError ? error : ArchiveUnreadable({ url: wish.url, why: '' }, error);
    }
  }

  /**
   * Gives the model with what its workers run in: its interpreter, and what the archive requires, installed where that is asked for. Rejects with
   * DependenciesFailed, PythonNotListed or PythonUnusable; `signal`, whose reason is a text, ends an installation.
   */
  async prepare(model: ServableModel, signal: AbortSignal): Promise<ServableModel> {
    if (model.backend !== 'python') return model;
    return { ...model, python: await this.options.environments.prepare(model, { ownsFolder: this.#isOwn(model.directory), signal }) };
  }

  /** Frees a model's files; its archive too when it came from a URL and `deleteDownloaded`. Never rejects. */
  async release(model: ServableModel, { deleteDownloaded }: { readonly deleteDownloaded: boolean }): Promise<void> {
    await this.#remove(model.directory);
    if (deleteDownloaded && model.downloadedArchive !== undefined) await rm(model.downloadedArchive, { force: true, recursive: true }).catch(() => undefined);
  }

  #unpack(located: Located, wish: IntakeWish): Promise<Unpacked> {
    const { authenticity } = this.options;
    switch (located.kind) {
      case 'archive':
        return this.#unpackArchive(located.path, wish);
      case 'folder':
        return authenticity === undefined ? this.#openFolder(located.path, wish) : this.#takeFolder(located.path, authenticity, wish);
      case 'onnx':
        return this.#inWorkingFolder((directory) => this.#wrapOnnx(located.path, directory));
      case 'torchscript':
        return this.#inWorkingFolder((directory) => this.#wrapTorchScript(located.path, directory, wish));
    }
  }

  /** Fills a fresh folder, and takes it away again when that fails. */
  async #inWorkingFolder(fill: (directory: string) => Promise<Unpacked>): Promise<Unpacked> {
    const directory = await workingFolder(this.options.workDirectory);
    try {
      return await fill(directory);
    } catch (error) {
      await this.#remove(directory);
      throw error;
    }
  }

  async #unpackArchive(file: string, wish: IntakeWish): Promise<Unpacked> {
    const { authenticity, cache } = this.options;
    const { folder, hash, seal } = await cache.tree(file, wish.url).catch((error: unknown) => {
      // What can't be read is not what was signed.
      throw authenticity?.refuses && ArchiveUnreadable.is(error) ? SignatureRefused({ url: wish.url, word: 'mismatch', why: error.message }, error) : error;
    });
    if (wish.sha256 !== undefined && wish.sha256.toLowerCase() !== hash) throw ChecksumMismatch({ url: wish.url, found: hash });
    const examined = await authenticity?.examine({ kind: 'archive', folder, archive: { sha256: hash, seal }, beside: `${file}.sig` });
    const manifest = await readManifest(folder, wish);
    const read = { contentHash: hash, manifest: manifest.read, manifestName: manifest.name, examined };
    const serialized = manifest.read.serializedFile ?? onlyOnnxFile(folder);
    if (backendOf(wish.handler ?? manifest.read.handler, serialized) === 'onnx')
      return { ...read, directory: folder, config: await this.#config(folder, manifest.read) };
    return this.#inWorkingFolder(async (directory) => {
      await copyTree(folder, directory);
      return { ...read, directory, tree: folder, config: await this.#config(directory, manifest.read) };
    });
  }

  /** A folder of the store belongs to whoever may write there: it is served from a copy. One that can't be copied for its links is served as it is where that is only warned of. */
  async #takeFolder(source: string, authenticity: Authenticity, wish: IntakeWish): Promise<Unpacked> {
    try {
      return await this.#inWorkingFolder(async (directory) => {
        await takeTree(source, directory, this.options.maxArchiveEntries);
        const examined = await authenticity.examine({ kind: 'folder', folder: directory, beside: `${source}.sig` });
        const opened = await this.#openFolder(directory, wish);
        return { ...opened, contentHash: examined.sha256 ?? opened.contentHash, examined };
      });
    } catch (error) {
      if (!(error instanceof NotAuthentic) || authenticity.refuses) throw error;
      const { word, message } = error;
      return { ...(await this.#openFolder(source, wish)), examined: { sha256: undefined, good: [], problem: { word, message } } };
    }
  }

  async #openFolder(directory: string, wish: IntakeWish): Promise<Unpacked> {
    const manifest = await readManifest(directory, wish);
    return {
      directory,
      contentHash: await folderHash(directory),
      manifest: manifest.read,
      manifestName: manifest.name,
      config: await this.#config(directory, manifest.read),
      examined: undefined,
    };
  }

  /** A lone .onnx file: served from a folder with it and its side files `NAME.yaml`, `NAME.labels.json` and `NAME.onnx.data`. */
  async #wrapOnnx(file: string, directory: string): Promise<Unpacked> {
    const stem = file.slice(0, -'.onnx'.length);
    await this.#place(file, join(directory, basename(file)));
    if (existsSync(`${stem}.labels.json`)) await this.#place(`${stem}.labels.json`, join(directory, 'index_to_name.json'));
    if (existsSync(`${file}.data`)) await this.#place(`${file}.data`, join(directory, `${basename(file)}.data`));
    const yaml = [`${stem}.yaml`, `${stem}.yml`].find((candidate) => existsSync(candidate));
    if (yaml !== undefined) await this.#place(yaml, join(directory, 'model-config.yaml'));
    const examined = await this.#examineFile(file, directory);
    const manifest = { ...NO_MANIFEST, serializedFile: basename(file) };
    return {
      directory,
      contentHash: await folderHash(directory),
      manifest,
      manifestName: undefined,
      config: await this.#config(directory, manifest),
      examined,
    };
  }

  /** A lone TorchScript file: gets a manifest and our small tensor handler. */
  async #wrapTorchScript(file: string, directory: string, wish: IntakeWish): Promise<Unpacked> {
    const name = basename(file);
    await this.#place(file, join(directory, name));
    const stem = file.slice(0, -'.pt'.length);
    const yaml = [`${stem}.yaml`, `${stem}.yml`].find((candidate) => existsSync(candidate));
    if (yaml !== undefined) await this.#place(yaml, join(directory, 'model-config.yaml'));
    const examined = await this.#examineFile(file, directory);
    const model = {
      modelName: wish.modelName || derivedModelName(name),
      serializedFile: name,
      handler: TENSOR_HANDLER,
      modelVersion: '1.0',
      ...(yaml === undefined ? {} : { configFile: 'model-config.yaml' }),
    };
    await mkdir(join(directory, 'MAR-INF'));
    await writeFile(join(directory, 'MAR-INF', 'MANIFEST.json'), JSON.stringify({ runtime: 'python', model }, undefined, 2));
    const manifest = await readManifest(directory, wish);
    return {
      directory,
      contentHash: await folderHash(directory),
      manifest: manifest.read,
      manifestName: undefined,
      config: await this.#config(directory, manifest.read),
      examined,
    };
  }

  /** Into a working folder: a second name for the file, but where it is examined a copy, which nobody else can write to. */
  async #place(source: string, target: string): Promise<void> {
    if (this.options.authenticity === undefined) return placeFile(source, target);
    await takeFile(await realpath(source), target);
  }

  async #examineFile(file: string, folder: string): Promise<Examined | undefined> {
    return this.options.authenticity?.examine({ kind: 'file', folder, beside: `${file}.sig` });
  }

  async #config(directory: string, manifest: Manifest): Promise<ModelConfig> {
    const name = manifest.configFile ?? (existsSync(join(directory, 'model-config.yaml')) ? 'model-config.yaml' : undefined);
    if (name === undefined) return noModelConfig();
    const path = resolve(directory, name);
    if (!path.startsWith(directory + sep) || !existsSync(path))
      throw ArchiveInvalid({ message: `The manifest names ${name} as its configFile, and the archive does not have it.` });
    return parseModelConfig(await readBounded(path), name, this.options.log);
  }

  /** Only what lies in this run's own folder is ever deleted: a folder of the store or a cached tree is left alone. */
  async #remove(directory: string): Promise<void> {
    if (this.#isOwn(directory)) await rm(directory, { recursive: true, force: true }).catch(() => undefined);
  }

  #isOwn(directory: string): boolean {
    return directory.startsWith(join(this.options.workDirectory, 'models') + sep);
  }
}

/** The manifest, if there is one; it must have a name then, or the wish must. */
async function readManifest(directory: string, wish: IntakeWish): Promise<{ readonly read: Manifest; readonly name: string | undefined }> {
  const path = join(directory, 'MAR-INF', 'MANIFEST.json');
  if (!existsSync(path)) return { read: NO_MANIFEST, name: undefined };
  const read = parseManifest(await readBounded(path));
  if (!wish.modelName && read.modelName === undefined) throw ArchiveInvalid({ message: 'Model name is not defined.' });
  return { read, name: read.modelName };
}

async function readBounded(path: string): Promise<string> {
  if ((await stat(path)).size > MAX_DESCRIPTION_BYTES) throw ArchiveInvalid({ message: `${basename(path)} is longer than ${MAX_DESCRIPTION_BYTES} bytes.` });
  return readFile(path, 'utf8');
}

/** The one .onnx file of a folder that says nothing else of itself. */
function onlyOnnxFile(directory: string): string | undefined {
  const found = readdirSync(directory).filter((name) => name.endsWith('.onnx'));
  return found.length === 1 ? found[0] : undefined;
}

/** SHA-256 over the names, sizes and change times of a folder's files: enough to tell that it is another model now, without reading gigabytes. */
async function folderHash(directory: string): Promise<string> {
  const hash = createHash('sha256');
  const names = (await readdir(directory, { recursive: true })).sort();
  for (const name of names) {
    // A link that leads nowhere is described by itself.
    const { size, mtimeMs } = await stat(join(directory, name)).catch(() => lstat(join(directory, name)));
    hash.update(`${name}\u0000${size}\u0000${mtimeMs}\n`);
  }
  return hash.update(dirname(directory)).digest('hex');
}
