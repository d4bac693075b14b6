import type { PendingRequest } from './pending-request.js';

/** `take`: these leave now. `wait`: a batch isn't full; look again at this `performance.now()` time, or when a request arrives. `empty`: nothing waits. */
export type BatchDecision =
  | { readonly kind: 'take'; readonly requests: readonly PendingRequest[] }
  | { readonly kind: 'wait'; readonly untilMs: number }
  | { readonly kind: 'empty' };

/** Those who may go, in their order. */
interface Candidates extends Iterable<PendingRequest> {
  first(): PendingRequest | undefined;
}

export interface BatchLimits {
  /** Requests per batch, ≥ 1. */
  readonly batchSize: number;
  /** How long the oldest request may wait for company, counted from its arrival. */
  readonly maxBatchDelayMs: number;
  /** Nobody's request shares a batch with another caller's. */
  readonly onePrincipal?: boolean;
}

/**
 * Looks at the head of the queue and says whether a batch should leave now. Nothing is removed from the queue.
 * A batch holds only requests of one purpose, because a handler reads `explain` off the first; a request that must be alone is alone.
 * A batch that another purpose, or another caller, cuts short doesn't wait: it could not grow. O(batchSize).
 */
export function decideBatch(queue: Candidates, limits: BatchLimits, nowMs: number): BatchDecision {
  const head = queue.first();
  if (head === undefined) return { kind: 'empty' };
  if (head.alone || limits.batchSize === 1) return { kind: 'take', requests: [head] };
  const requests: PendingRequest[] = [];
  let cut = false;
  let oldestMs = head.enqueuedAtMs;
  for (const pending of queue) {
    if (requests.length === limits.batchSize) break;
    if (pending.alone || pending.request.purpose !== head.request.purpose || (limits.onePrincipal && !isOfOne(pending, head))) {
      cut = true;
      break;
    }
    requests.push(pending);
    oldestMs = Math.min(oldestMs, pending.enqueuedAtMs);
  }
  const leavesAtMs = oldestMs + limits.maxBatchDelayMs;
  if (requests.length === limits.batchSize || cut || nowMs >= leavesAtMs) return { kind: 'take', requests };
  return { kind: 'wait', untilMs: leavesAtMs };
}

function isOfOne({ request: { principal: one } }: PendingRequest, { request: { principal: other } }: PendingRequest): boolean {
  return one.id === other.id && one.tenant === other.tenant;
}
