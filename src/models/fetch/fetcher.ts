import type { Readable } from 'node:stream';

/** Where a transfer that broke off goes on. */
export interface Resumption {
  /** Bytes that are there already. */
  readonly fromByte: number;
  /** The strong entity tag of what they belong to: another one now means that they are worth nothing. */
  readonly tag: string;
}

/** Bytes on their way. */
export interface Fetched {
  readonly body: Readable;
  /** Of the whole, where the source tells. */
  readonly sizeBytes: number | undefined;
  /** Strong entity tag; undefined: what breaks off begins anew. */
  readonly tag: string | undefined;
  /** Whether `body` goes on where the resumption said; otherwise it is the whole. */
  readonly isContinued: boolean;
}

/** A source of bytes for one kind of URL. Rejects when there are none. */
export type Fetcher = (url: URL, signal: AbortSignal, resumption?: Resumption) => Promise<Fetched>;

/** One file of a model that lies in several. */
export interface ListedFile {
  readonly url: URL;
  /** Below the model's folder, with `/`; checked by whoever writes it. */
  readonly path: string;
  readonly sizeBytes: number;
}

/** Brings what one scheme names. */
export interface Resolver {
  readonly fetch: Fetcher;
  /** The files of a folder; undefined where the URL names one file. */
  readonly list?: (url: URL, signal: AbortSignal) => Promise<readonly ListedFile[] | undefined>;
}
