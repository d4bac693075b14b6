import type { ComparisonGroup } from './comparison.js';
import { cors } from './cors.js';
import { failingLoads } from './failing-loads.js';
import { grpcInference } from './grpc/inference.js';
import { grpcManagement } from './grpc/management.js';
import { legacyMetrics, loggedMetrics, metrics } from './metrics.js';
import type { Models } from './models.js';
import { openInferenceGrpc } from './open-inference/grpc.js';
import { openInferenceRest } from './open-inference/rest.js';
import { apiDocuments } from './rest/api-documents.js';
import { bodies } from './rest/bodies.js';
import { managing } from './rest/managing.js';
import { registering } from './rest/registering.js';
import { routes } from './rest/routes.js';
import { chunkedStreams } from './rest/streams.js';
import { snapshots } from './snapshots.js';
import { expiredTokens, tokens } from './tokens.js';
import { workflows } from './workflows/workflows.js';

/** What is asked of the protocols, beside the archives; those with the same settings share a pair of servers. */
export function protocolGroups(models: Models): readonly ComparisonGroup[] {
  const groups = [routes, bodies, chunkedStreams, apiDocuments, managing, registering, grpcInference, grpcManagement, workflows, loggedMetrics, failingLoads];
  const otherwiseSet = [metrics, openInferenceRest, openInferenceGrpc, tokens, expiredTokens, snapshots, cors, legacyMetrics];
  return [...groups, ...otherwiseSet].map((group) => group(models));
}
