import { LocationRefused } from '../errors/model.js';
import { bareLocation } from '../observability/bare-location.js';
import type { Log } from '../observability/observer.js';
import type { AllowedUrls, NamedBy } from './allowed-urls.js';
import { download } from './fetch/download.js';
import type { Resolver } from './fetch/fetcher.js';
import { fileFetcher } from './fetch/file.js';
import { httpFetcher } from './fetch/http.js';
import type { FetchHosts } from './fetch/private-address.js';
import { kmsHeaders, s3Resolver } from './fetch/s3.js';

export interface ModelSourcesOptions {
  readonly allowedUrls: AllowedUrls;
  readonly hosts: FetchHosts;
  /** Folders beside the store that file:// URLs may name; absolute. */
  readonly roots: readonly string[];
  readonly maxArchiveBytes: number;
  /** Where credentials are looked for. */
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly log: Log;
}

/** One archive or folder to be brought into a store. */
export interface SourceWish {
  readonly url: string;
  /** Absolute. */
  readonly store: string;
  readonly namedBy: NamedBy;
  /** Hex. */
  readonly sha256?: string | undefined;
  readonly s3SseKms?: boolean | undefined;
  /** Called with the name in the store before it is taken. */
  readonly appears?: ((name: string) => Promise<void>) | undefined;
}

const TIMEOUT_MS = 15 * 60_000;
const TOLD_EVERY_MS = 5000;
/** Schemes that name models elsewhere, and that nobody brings here yet. */
const NOT_BROUGHT = new Set(['gs:', 'hf:', 'oci:', 'mlflow:', 'models:', 'runs:']);

/** The places that models come from: the one interface by which every scheme is named. */
export class ModelSources {
  constructor(private readonly options: ModelSourcesOptions) {}

  get roots(): readonly string[] {
    return this.options.roots;
  }

  /** Brings what a URL names into the store, whole or not at all, and gives its name there. Rejects with LocationRefused, ArchiveExists, ChecksumMismatch, ChecksumOfFolder or DownloadFailed. */
  async bring({ url, store, namedBy, sha256, s3SseKms, appears }: SourceWish): Promise<string> {
    const { allowedUrls, maxArchiveBytes, log } = this.options;
    const checked = allowedUrls.check(url, namedBy);
    const wanted = /^#sha256=(.*)$/i.exec(checked.hash)?.[1] ?? sha256;
    checked.hash = '';
    const shown = bareLocation(checked.href);
    const resolver = this.#resolver(checked, { store, namedBy, s3SseKms: s3SseKms === true });
    log.info(`Fetching ${shown}`);
    const startedAtMs = performance.now();
    let toldAtMs = startedAtMs;
    let doneBytes = 0;
    const progress = (bytes: number, sizeBytes: number | undefined): void => {
      doneBytes = bytes;
      if (performance.now() - toldAtMs < TOLD_EVERY_MS) return;
      toldAtMs = performance.now();
      const share = sizeBytes === undefined || sizeBytes === 0 ? '' : ` of ${mib(sizeBytes)} (${Math.floor((100 * bytes) / sizeBytes)} %)`;
      log.info(`Fetching ${shown}: ${mib(bytes)}${share}`);
    };
    try {
      const limits = { maxBytes: maxArchiveBytes, timeoutMs: TIMEOUT_MS, sha256: wanted?.toLowerCase() };
      const name = await download(checked, url, resolver, { store, ...limits, progress, appears });
      log.info(`Fetched ${shown}: ${mib(doneBytes)} in ${((performance.now() - startedAtMs) / 1000).toFixed(1)} s`);
      return name;
    } catch (error) {
      // The caller hears nothing of the network behind this server.
      const cause = error instanceof Error ? error.cause : undefined;
      log.warn(`Fetching ${shown} failed: ${cause instanceof Error ? cause.message : error instanceof Error ? error.message : String(error)}`);
      throw error;
    }
  }

  #resolver({ protocol }: URL, { store, namedBy, s3SseKms }: Required<Pick<SourceWish, 'store' | 'namedBy' | 's3SseKms'>>): Resolver {
    const { allowedUrls, hosts, roots, env } = this.options;
    if (NOT_BROUGHT.has(protocol))
      throw LocationRefused({
        message: `Models are not brought from ${protocol}// locations; fetch the model into the store, or name it by https:// or s3://`,
      });
    if (protocol === 's3:') return s3Resolver(env, hosts);
    if (protocol === 'file:') return { fetch: fileFetcher(namedBy === 'operator' ? undefined : [store, ...roots]) };
    const sign = s3SseKms ? { sign: (url: URL) => kmsHeaders(env, url) } : {};
    return { fetch: httpFetcher({ hosts, trusts: () => namedBy === 'operator', check: (location) => allowedUrls.check(location, namedBy), ...sign }) };
  }
}

function mib(bytes: number): string {
  return `${(bytes / 2 ** 20).toFixed(1)} MiB`;
}
