import type { Part } from '../lifecycle.js';
import type { Intake } from '../models/intake.js';
import type { Log } from '../observability/observer.js';
import { FolderWatch } from '../platform/folder-watch.js';
import type { ModelService } from '../registry/model-service.js';
import { ReloadingModels, type ReloadListener } from '../registry/reloading-models.js';

/** What makes a server one for the author of its one model. */
export interface AuthorSession {
  /** The model's name in the store. */
  readonly url: string;
  readonly handler: string | undefined;
  /** What is watched: a folder, and what in it matters, by its path from there. */
  readonly folder: string;
  readonly wants: (path: string) => boolean;
  readonly listener: ReloadListener & { changed(files: readonly string[]): void };
  /** The server listens: `curl` and its options, and the address that paths go behind. */
  greet(curl: string, address: string): void;
}

/** The author's model in front of the registry, and the part of the server that keeps it current. */
export function serveForAuthor(
  { url, handler, folder, wants, listener }: AuthorSession,
  { registry, maxWaiting, log }: { readonly registry: ModelService; readonly maxWaiting: number; readonly log: Log },
): { readonly models: ReloadingModels; readonly part: Part } {
  const wish = { url, handler, initialWorkers: 1, synchronous: true, s3SseKms: false };
  const models = new ReloadingModels(registry, { wish, maxWaiting, listener });
  const watch = new FolderWatch({
    folder,
    wants,
    touched: () => models.hold(),
    settled: (changed) => {
      if (changed.length === 0) return models.release();
      listener.changed(changed);
      void models.reload();
    },
    problem: (message) => log.warn(message),
  });
  const start = async (): Promise<void> => {
    await watch.start();
    void models.reload();
  };
  return { models, part: { name: 'reloading', start, stop: async () => watch.stop() } };
}

/** An intake whose models have one worker, whatever their YAML says: what is changed loads once, and a debugger finds it. */
export function withOneWorker(intake: Intake): Pick<Intake, 'admit' | 'prepare' | 'release'> {
  return {
    admit: async (wish) => {
      const model = await intake.admit(wish);
      return { ...model, config: { ...model.config, minWorkers: undefined, maxWorkers: undefined } };
    },
    prepare: (model, signal) => intake.prepare(model, signal),
    release: (model, options) => intake.release(model, options),
  };
}
