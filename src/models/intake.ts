import { join } from 'node:path';
import { NotAuthentic } from '../authenticity/not-authentic.js';
import { ArchiveUnreadable, LocationRefused } from '../errors/model.js';
import { SconceError } from '../errors/sconce-error.js';
import { SignatureRefused } from '../errors/signature.js';
import { memberOf } from '../inference/binary-tensors.js';
import type { ServableModel } from '../inference/servable-model.js';
import { parseInputRules } from '../inputs/parse-rules.js';
import type { ModelScanner } from '../scanning/model-scanner.js';
import { AllowedUrls, type NamedBy } from './allowed-urls.js';
import { backendOf } from './backend-of.js';
import type { PythonEnvironments } from './environment/python-environments.js';
import { bringMarked, isFetched, removeFetched } from './fetched-mark.js';
import { checkLocation, locate } from './location.js';
import { type FolderWish, ModelFolders, type ModelFoldersOptions } from './model-folders.js';
import { checkedModelName, checkedModelVersion, derivedModelName } from './model-name.js';
import type { ModelSources } from './model-sources.js';
import { ONE_STORE, type StoreRules } from './store-rules.js';

export interface IntakeOptions extends ModelFoldersOptions {
  readonly store: string | undefined;
  /** One store for all unless given. */
  readonly rules?: StoreRules | undefined;
  readonly sources: ModelSources;
  readonly scanner: Pick<ModelScanner, 'check'>;
  readonly defaultHandler: string | undefined;
  /** Overrides every manifest's envelope. */
  readonly envelope: string | undefined;
  readonly environments: PythonEnvironments;
}

export interface IntakeWish extends FolderWish {
  readonly runtime?: ServableModel['runtime'] | undefined;
  /** Who names the location; a caller of an API unless told. */
  readonly namedBy?: NamedBy | undefined;
  readonly s3SseKms?: boolean | undefined;
  /** `modelName` is one that nobody signs, such as that of a workflow's node: the model must be signed as its own. */
  readonly isRenamed?: boolean | undefined;
}

/**
 * The way of a model into the server, a step a line: location → fetch → unpack → signatures → manifest → model config → is it signed as what it says it is → scan → a
 * model that can be served. Nothing of an archive is executed on it, and what was examined is what is served: it lies in a folder of the server's own from then on. A
 * model that fails leaves nothing behind.
 */
export class Intake {
  readonly #folders: ModelFolders;

  constructor(private readonly options: IntakeOptions) {
    this.#folders = new ModelFolders(options);
  }

  /** Rejects with the errors of src/errors/model.ts and src/errors/scanning.ts. */
  async admit(wish: IntakeWish): Promise<ServableModel> {
    const { sources, envelope, defaultHandler, rules = ONE_STORE } = this.options;
    const store = checkLocation(wish.url, rules.storeOf(wish.modelName) ?? this.options.store);
    const assertFits = (archive: string): void => {
      if (wish.modelName && !rules.fits(wish.modelName, archive)) throw LocationRefused({ message: `Model not found at: ${wish.url}` });
    };
    // What takes another's name in a store that they share would be found there by that other.
    const appears = async (name: string): Promise<void> => assertFits(name);
    const downloaded = AllowedUrls.looksLikeUrl(wish.url) ? await bringMarked(sources, { ...wish, store, namedBy: wish.namedBy ?? 'api', appears }) : undefined;
    let directory: string | undefined;
    try {
      if (downloaded === undefined) assertFits(wish.url);
      const located = locate(downloaded ?? wish.url, store, sources.roots);
      const made = await this.#folders.make(located, wish);
      directory = made.directory;
      const { manifest, config, serializedFile, contentHash, tree, examined } = made;
      const handler = wish.handler ?? manifest.handler;
      const own = manifest.modelName || derivedModelName(located.kind === 'folder' ? located.path : (downloaded ?? wish.url));
      if (downloaded === undefined) assertFits(own);
      if (!wish.modelName && (rules.storeOf(own) ?? store) !== store)
        throw LocationRefused({ message: `Model ${own} comes from the store of its tenant: give model_name with its location.` });
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
        fetched: isFetched(located.path),
      };
    } catch (error) {
      if (directory !== undefined) await this.#folders.remove(directory);
      if (downloaded !== undefined) await removeFetched(join(store, downloaded));
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
    return { ...model, python: await this.options.environments.prepare(model, { ownsFolder: this.#folders.isOwn(model.directory), signal }) };
  }

  /** Frees a model's files; its archive too when it came from a URL and `deleteDownloaded`. Never rejects. */
  async release(model: ServableModel, { deleteDownloaded }: { readonly deleteDownloaded: boolean }): Promise<void> {
    await this.#folders.remove(model.directory);
    if (deleteDownloaded && model.downloadedArchive !== undefined) await removeFetched(model.downloadedArchive).catch(() => undefined);
  }
}
