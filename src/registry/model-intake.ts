import type { ServableModel } from '../inference/servable-model.js';

/** What a model is to be made of. */
export interface AdmitWish {
  readonly url: string;
  readonly modelName?: string | undefined;
  readonly runtime?: ServableModel['runtime'] | undefined;
  readonly handler?: string | undefined;
  /** Of the operator's own configuration; a caller of an API unless told. */
  readonly namedBy?: 'operator' | 'api' | undefined;
  readonly sha256?: string | undefined;
  readonly s3SseKms?: boolean | undefined;
}

/** The way a model gets in, and out again. */
export interface ModelIntake {
  admit(wish: AdmitWish): Promise<ServableModel>;
  /** Gives the model with what its workers run in, installed where that is switched on; ends when the signal does. Rejects with DependenciesFailed and its like. */
  prepare(model: ServableModel, signal: AbortSignal): Promise<ServableModel>;
  release(model: ServableModel, options: { readonly deleteDownloaded: boolean }): Promise<void>;
}
