import { defineError } from './sconce-error.js';

/** What a tenant can have too much of, in the words of the tenants file. */
export type QuotaName = 'models' | 'workers' | 'requests_per_s' | 'concurrent' | 'body_mb_in_flight';

const HAS: Readonly<Record<QuotaName, string>> = {
  models: 'registered versions of models',
  workers: 'workers',
  requests_per_s: 'requests a second',
  concurrent: 'requests at a time',
  body_mb_in_flight: 'MB of request bodies at a time',
};

/** A tenant wants more than the operator gives it. What the others have is not touched by it. */
export const BeyondQuota = defineError<{ tenant: string; quota: QuotaName; limit: number; retryAfterS: number }>('BEYOND_QUOTA', {
  kind: 'throttled',
  reason: 'tenant_quota',
  says: ({ tenant, quota, limit }) => `The tenant ${tenant} may have ${limit} ${HAS[quota]} (quotas.${quota}).`,
  retryAfterS: ({ retryAfterS }) => retryAfterS,
});
/** A body that the quota would never have room for: asking again is of no use. */
export const BodyBeyondQuota = defineError<{ tenant: string; limit: number }>('BODY_BEYOND_QUOTA', {
  kind: 'too-large',
  reason: 'tenant_quota',
  says: ({ tenant, limit }) => `The request is longer than all bodies of the tenant ${tenant} together may be: ${limit} MB (quotas.body_mb_in_flight).`,
});
