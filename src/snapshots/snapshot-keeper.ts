import { join } from 'node:path';
import { propertiesText } from '../config/properties.js';
import type { Settings } from '../config/settings.js';
import { newestSnapshot, type SnapshotReason, snapshotName } from '../config/snapshot-files.js';
import type { Log } from '../observability/observer.js';
import type { ModelService, VersionDescription } from '../registry/model-service.js';
import { archiveName } from './archive-name.js';
import { modelSnapshotJson, type SnapshotVersion } from './model-snapshot.js';
import { settingsEntries } from './settings-entries.js';
import { removeAbandoned, writeFileWhole } from './write-file.js';

export interface SnapshotKeeperOptions {
  /** Where the files go; absolute. It is made when it is first needed. */
  readonly folder: string;
  readonly settings: Pick<Settings, 'sources' | 'configFile'>;
  /** The store that a model comes from; absolute. */
  readonly storeOf: (model: string) => string | undefined;
  readonly models: Pick<ModelService, 'list' | 'describe' | 'describeAll'>;
  readonly log: Log;
  readonly now?: () => Date;
}

/** What is served at one moment. */
interface Moment {
  readonly reason: SnapshotReason;
  readonly served: readonly { readonly described: VersionDescription; readonly url: string; readonly isDefault: boolean }[];
  readonly unrestored: readonly SnapshotVersion[];
}

/**
 * Writes what is served to snapshot files, one after another. Invariants: the newest file is of the newest moment; moments that come while a file is being written
 * share the next one; none comes after the one of the shutdown. A file that can't be written is warned of, and the server goes on.
 */
export class SnapshotKeeper {
  #unrestored: readonly SnapshotVersion[] = [];
  #waiting: Moment | undefined;
  #writing: Promise<void> = Promise.resolve();
  #lastServed = '';
  #isClosed = false;

  constructor(private readonly options: SnapshotKeeperOptions) {}

  /** Entries of the last snapshot that aren't served: they stay in those to come until they are registered or given up. */
  carry(unrestored: readonly SnapshotVersion[]): void {
    this.#unrestored = unrestored;
  }

  /** Stops carrying a version, or all of a model's. False: there was none. */
  giveUp(model: string, version: string | undefined): boolean {
    const left = this.#unrestored.filter((entry) => entry.model !== model || (version !== undefined && entry.version !== version));
    const found = left.length < this.#unrestored.length;
    this.#unrestored = left;
    return found;
  }

  /** Another version has been made the default: what is carried isn't it any more. */
  defaultChanged(model: string): void {
    this.#unrestored = this.#unrestored.map((entry) => (entry.model === model ? { ...entry, isDefault: false } : entry));
  }

  /** Writes what is served now. Resolves when that, or something newer, lies on the disk, or could not be written. Never rejects. */
  save(reason: SnapshotReason): Promise<void> {
    if (this.#isClosed) return this.#writing;
    this.#isClosed = reason === 'shutdown';
    const isQueued = this.#waiting !== undefined;
    this.#waiting = this.#moment(reason);
    this.#lastServed = fingerprint(this.#waiting);
    if (!isQueued) this.#writing = this.#writing.then(() => this.#write());
    return this.#writing;
  }

  /** The same, unless the last moment that was written, or is to be, was like this one. */
  saveIfChanged(): Promise<void> {
    return fingerprint(this.#moment('snapshot')) === this.#lastServed ? this.#writing : this.save('snapshot');
  }

  /** Resolves when nothing is being written any more. */
  settled(): Promise<void> {
    return this.#writing;
  }

  #moment(reason: SnapshotReason): Moment {
    const { models } = this.options;
    const served = models.list().flatMap(({ name }) => {
      const defaultVersion = models.describe(name, undefined).model.version;
      const isCarried = this.#unrestored.some((entry) => entry.model === name && entry.isDefault);
      return models.describeAll(name).flatMap((described) => {
        const { url, version, workflow } = described.model;
        // The nodes of a workflow come and go with it.
        return workflow !== undefined || url === undefined ? [] : [{ described, url, isDefault: version === defaultVersion && !isCarried }];
      });
    });
    return { reason, served, unrestored: this.#unrestored };
  }

  async #write(): Promise<void> {
    const moment = this.#waiting;
    this.#waiting = undefined;
    if (moment === undefined) return;
    const { folder, settings, storeOf, log, now = () => new Date() } = this.options;
    try {
      const time = now();
      const name = snapshotName(moment.reason, time, newestSnapshot(folder));
      const entries = await Promise.all(
        moment.served.map(async ({ described, url, isDefault }) => {
          const { downloadedArchive } = described.model;
          return entryOf(described, isDefault, await archiveName({ url, downloadedArchive }, storeOf(described.model.name)));
        }),
      );
      const json = modelSnapshotJson(name, time.getTime(), [...entries, ...moment.unrestored]);
      // Last, so that a file which lost its end has lost what it can't be read without.
      const text = propertiesText(['Saving snapshot', time.toISOString()], [...settingsEntries(settings), ['model_snapshot', json]]);
      await writeFileWhole(folder, name, Buffer.from(text, 'latin1'));
      log.debug(`Saved snapshot ${join(folder, name)}`);
      if (moment.reason === 'startup') await removeAbandoned(folder);
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      log.warn(`The ${moment.reason} snapshot could not be written to ${folder}: ${why}. The server goes on; a restart knows the snapshots before it.`);
    }
  }
}

function entryOf(described: VersionDescription, isDefault: boolean, archive: string): SnapshotVersion {
  const { model, minWorkers, maxWorkers, batchSize, maxBatchDelayMs, responseTimeoutS, startupTimeoutS } = described;
  return {
    model: model.name,
    version: model.version,
    isDefault,
    archive,
    minWorkers,
    maxWorkers,
    batchSize,
    maxBatchDelayMs,
    responseTimeoutS,
    startupTimeoutS,
    runtime: model.runtime,
    handler: model.askedHandler,
    parallelLevel: model.config.parallelLevel,
  };
}

/** What two moments have in common that say the same. */
function fingerprint({ served, unrestored }: Moment): string {
  return JSON.stringify([served.map(({ described, url, isDefault }) => entryOf(described, isDefault, url)), unrestored]);
}
