import type { ComparisonGroup } from './comparison.js';

/** Settings of one pair of servers that several groups share: CORS headers, legacy metrics, snapshots. */
export const LEGACY: Pick<ComparisonGroup, 'settings' | 'snapshots'> = {
  settings: { metrics_mode: 'legacy', cors_allowed_origin: 'https://example.com', cors_allowed_methods: 'GET, POST', cors_allowed_headers: 'X-One' },
  snapshots: true,
};
