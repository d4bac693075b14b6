import type { SconceError } from '../errors/sconce-error.js';
import { BeyondQuota, BodyBeyondQuota, type QuotaName } from '../errors/tenant.js';
import type { Tenant } from '../inference/tenant.js';

const BYTES_PER_MB = 1_000_000;
/** A place is free again whenever a request of the tenant's ends. */
const PLACE_FREE_IN_S = 1;

/** A refused request: by which quota, and in which words. */
export interface Beyond {
  readonly quota: QuotaName;
  readonly error: SconceError;
}

/**
 * The requests of one tenant. A bucket holds as many requests as may come at once, and fills by `requestsPerS`; a request that is let in takes one
 * out of it, a place and the bytes of its body, and gives the latter two back when it ends.
 */
export class RequestAccount {
  #inFlight = 0;
  #bytesInFlight = 0;
  #bucket: number;
  #filledAtMs: number;

  constructor(
    private readonly tenant: Tenant,
    /** ms of any clock that only goes forward. */
    private readonly now: () => number,
  ) {
    this.#bucket = this.#bucketSize;
    this.#filledAtMs = now();
  }

  get inFlight(): number {
    return this.#inFlight;
  }

  get bytesInFlight(): number {
    return this.#bytesInFlight;
  }

  /** Lets a request in, or tells why not. */
  enter(bodyBytes: number): Beyond | undefined {
    const beyond = this.#beyond(bodyBytes);
    if (beyond !== undefined) return beyond;
    this.#bucket -= 1;
    this.#inFlight += 1;
    this.#bytesInFlight += bodyBytes;
    return undefined;
  }

  /** Once for each request that was let in. */
  leave(bodyBytes: number): void {
    this.#inFlight -= 1;
    this.#bytesInFlight -= bodyBytes;
  }

  #beyond(bodyBytes: number): Beyond | undefined {
    const { name: tenant, quotas } = this.tenant;
    const refused = (quota: QuotaName, limit: number, retryAfterS: number): Beyond => ({ quota, error: BeyondQuota({ tenant, quota, limit, retryAfterS }) });
    const { requestsPerS, concurrent, bytesInFlight } = quotas;
    if (bytesInFlight !== undefined && bodyBytes > bytesInFlight)
      return { quota: 'body_mb_in_flight', error: BodyBeyondQuota({ tenant, limit: bytesInFlight / BYTES_PER_MB }) };
    if (requestsPerS !== undefined) {
      this.#fill(requestsPerS);
      if (this.#bucket < 1) return refused('requests_per_s', requestsPerS, Math.max(1, Math.ceil((1 - this.#bucket) / requestsPerS)));
    }
    if (concurrent !== undefined && this.#inFlight >= concurrent) return refused('concurrent', concurrent, PLACE_FREE_IN_S);
    if (bytesInFlight !== undefined && this.#bytesInFlight + bodyBytes > bytesInFlight)
      return refused('body_mb_in_flight', bytesInFlight / BYTES_PER_MB, PLACE_FREE_IN_S);
    return undefined;
  }

  #fill(requestsPerS: number): void {
    const nowMs = this.now();
    this.#bucket = Math.min(this.#bucketSize, this.#bucket + ((nowMs - this.#filledAtMs) / 1000) * requestsPerS);
    this.#filledAtMs = nowMs;
  }

  /** What a second brings may come at once. */
  get #bucketSize(): number {
    return Math.max(1, this.tenant.quotas.requestsPerS ?? 1);
  }
}
