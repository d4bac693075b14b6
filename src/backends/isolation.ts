import { memberOf } from '../inference/binary-tensors.js';
import { DEFAULT_TENANT } from '../inference/principal.js';
import type { ServableModel } from '../inference/servable-model.js';

/** Where a model runs that can run in a thread of the server or in a process of its own. */
export interface Isolation {
  readonly runs: 'thread' | 'process';
  /** In words for people, without a stop. */
  readonly why: string;
  /** The setting that would let it run in a thread; undefined where the operator has decided already. */
  readonly permit?: string | undefined;
}

/**
 * Why a model is run in a process unless the operator says otherwise; undefined: it is trusted as the server is. What parses it is native code, and a handler is code anyway: in a
 * thread both have the server's memory.
 */
export function whyApart({ tenant, fetched, signature, config }: ServableModel): string | undefined {
  if (tenant !== undefined && tenant.name !== DEFAULT_TENANT) return `it belongs to the tenant ${tenant.name}`;
  if (signature?.state === 'unverified' || signature?.state === 'permitted') return 'it is not signed by anybody trusted';
  if (fetched === true) return 'it came from a URL that a caller of the API named';
  // Its form is looked at when it is loaded.
  const decodesPictures = memberOf(memberOf(config.raw.pipeline, 'preprocess'), 'image') !== undefined;
  if (tenant !== undefined && decodesPictures) return 'it decodes pictures that tenants send';
  return undefined;
}
