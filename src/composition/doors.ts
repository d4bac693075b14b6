import type { Connector } from '../api/http-exchange.js';
import type { ApiName } from '../api/route.js';
import { type Address, sameAddress } from '../config/address.js';
import type { Settings } from '../config/settings.js';
import type { BindAddress } from '../listener/bind-address.js';
import { DEFAULT_GRPC_LIMITS, type GrpcLimits } from '../listener/grpc-limits.js';
import { DEFAULT_HTTP_LIMITS } from '../listener/http-limits.js';

/** Listeners and what they serve. Inference and management on one address are one listener; it shows the metrics page too, which also keeps its own. */
export function httpDoorsOf({
  inferenceAddress,
  managementAddress,
  metricsAddress,
  enableMetricsApi,
}: Settings): { address: Address; serves: ApiName[]; connector: Connector }[] {
  const metrics: ApiName[] = enableMetricsApi ? ['metrics'] : [];
  const metricsDoor = enableMetricsApi ? [{ address: metricsAddress, serves: metrics, connector: 'metrics' as const }] : [];
  if (sameAddress(inferenceAddress, managementAddress))
    return [{ address: inferenceAddress, serves: ['inference', 'management', ...metrics], connector: 'all' }, ...metricsDoor];
  return [
    { address: inferenceAddress, serves: ['inference'], connector: 'inference' },
    { address: managementAddress, serves: ['management'], connector: 'management' },
    ...metricsDoor,
  ];
}

/** The gRPC ports, with their limits. */
export function grpcDoorsOf(settings: Settings): { api: 'Inference' | 'Management'; host: string; port: number; limits: GrpcLimits }[] {
  const limits: GrpcLimits = {
    ...DEFAULT_GRPC_LIMITS,
    maxMessageBytes: settings.maxRequestBytes,
    maxConnections: settings.maxConnections,
    handshakeTimeoutMs: settings.headerTimeoutS * 1000,
    messageTimeoutMs: settings.bodyTimeoutS * 1000,
  };
  const age = (maxConnectionAgeMs: number, maxConnectionAgeGraceMs: number): GrpcLimits => ({ ...limits, maxConnectionAgeMs, maxConnectionAgeGraceMs });
  return [
    {
      api: 'Inference',
      host: bareHost(settings.grpcInferenceAddress),
      port: settings.grpcInferencePort,
      limits: age(settings.grpcInferenceMaxConnectionAgeMs, settings.grpcInferenceMaxConnectionAgeGraceMs),
    },
    {
      api: 'Management',
      host: bareHost(settings.grpcManagementAddress),
      port: settings.grpcManagementPort,
      limits: age(settings.grpcManagementMaxConnectionAgeMs, settings.grpcManagementMaxConnectionAgeGraceMs),
    },
  ];
}

/** IPv6 addresses may stand in brackets. */
function bareHost(host: string): string {
  return host.replace(/^\[|\]$/g, '');
}

/** Where an HTTP listener binds. */
export function bindAddress(address: Address): BindAddress {
  if (address.kind === 'unix') return { kind: 'unix', path: address.path };
  return { kind: 'tcp', host: address.host, port: address.port, secure: address.scheme === 'https' };
}

/** What one HTTP connection, and all together, may take. */
export function httpLimits(settings: Settings): typeof DEFAULT_HTTP_LIMITS {
  return {
    ...DEFAULT_HTTP_LIMITS,
    maxRequestBytes: settings.maxRequestBytes,
    headersTimeoutMs: settings.headerTimeoutS * 1000,
    requestTimeoutMs: settings.bodyTimeoutS * 1000,
    keepAliveTimeoutMs: settings.idleTimeoutS * 1000,
    maxConnections: settings.maxConnections,
  };
}

/** Static headers of every answer, where they are configured. */
export function corsHeaders({ corsAllowedOrigin, corsAllowedMethods, corsAllowedHeaders }: Settings): [string, string][] {
  const headers: [string, string | undefined][] = [
    ['access-control-allow-origin', corsAllowedOrigin],
    ['access-control-allow-methods', corsAllowedMethods],
    ['access-control-allow-headers', corsAllowedHeaders],
  ];
  return headers.flatMap(([name, value]): [string, string][] => (value ? [[name, value]] : []));
}
