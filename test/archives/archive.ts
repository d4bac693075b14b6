/** How an archive is packed; paths are below the archive's folder, or `made:name` for what its maker wrote. */
interface Packing {
  readonly handler: string;
  readonly modelFile?: string;
  readonly serializedFile?: string;
  readonly extraFiles?: readonly string[];
  /** `default` where left out. */
  readonly format?: 'default' | 'zip-store' | 'tgz' | 'no-archive';
}

export interface ArchiveRequest {
  /** POST unless said otherwise. */
  readonly method?: string;
  /** Path with query, on the inference port unless said otherwise. */
  readonly path: string;
  readonly port?: 'inference' | 'management';
  readonly headers?: Readonly<Record<string, string>>;
  /** Text, bytes, a file that the maker wrote, a picture of the demo, or parts of a form. */
  readonly body?: Body;
}

export type Body = string | Uint8Array | FileBody | FormBody;

export interface FileBody {
  readonly made?: string;
  readonly demo?: string;
}

export interface FormBody {
  readonly parts: Readonly<Record<string, { readonly content: string | Uint8Array | FileBody; readonly fileName?: string; readonly type?: string }>>;
}

/** Where the files of bodies lie. */
export interface Places {
  /** The project's folder. */
  readonly root: string;
  /** What the archive's maker wrote. */
  readonly madeFolder: string;
}

/** An answer as it came over the wire. */
export interface Answer {
  readonly status: number;
  readonly reason: string;
  /** In the order and case of the wire. */
  readonly headers: readonly (readonly [string, string])[];
  readonly body: Buffer;
  /** Of a chunked answer: its chunks as sent, without the closing one. */
  readonly chunks: readonly Buffer[] | undefined;
  /** The connection closed before the answer was whole. */
  readonly isCutOff: boolean;
}

/** Lines that a step must leave in a log of the server. */
interface ExpectedLines {
  readonly file: 'model_metrics.log' | 'model_log.log';
  readonly matching: RegExp;
  readonly count: number;
}

/** One thing that is asked of an archive: the same of TorchServe as of Sconce. */
export interface Step {
  /** A sentence that continues the archive's name. */
  readonly name: string;
  /** Sent at once. */
  readonly requests: readonly ArchiveRequest[];
  readonly lines?: ExpectedLines;
  /** Throws when the outcome isn't the right one. */
  check(outcome: Outcome): void;
}

export interface Outcome {
  readonly answers: readonly Answer[];
  readonly lines: readonly string[];
  /** What the archive's maker wrote into expected.json. */
  readonly expected: unknown;
}

/** An archive of test/archives, modelled on one mechanism of TorchServe's examples. */
export interface TestArchive {
  /** The model's name. */
  readonly name: string;
  /** Its folder where several archives share one; the name otherwise. */
  readonly folder?: string;
  /** What it is there to show, in a few words. */
  readonly shows: string;
  readonly pack: Packing;
  /** Lines of config.properties that it needs; archives with the same ones share a server. */
  readonly settings?: Readonly<Record<string, string>>;
  /** How far the numbers of two servers may lie apart, relative to their size, and why they do. None where left out. */
  readonly tolerance?: { readonly relative: number; readonly reason: string };
  /** False where TorchServe, asked what the handler says of itself, hangs or asks it for ever. */
  readonly answersCustomizedDescribe?: false;
  readonly steps: readonly Step[];
}
