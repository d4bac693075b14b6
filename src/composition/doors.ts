import type { Connector } from '../api/http-exchange.js';
import type { ApiName } from '../api/route.js';
import { type Address, sameAddress } from '../config/address.js';
import type { Settings } from '../config/settings.js';
import type { BindAddress } from '../listener/bind-address.js';
import type { CallerRules } from '../listener/caller-rules.js';
import { readableByOthers } from '../listener/certificate-checks.js';
import { DEFAULT_GRPC_LIMITS, type GrpcLimits } from '../listener/grpc-limits.js';
import type { HostRules } from '../listener/host-rules.js';
import { DEFAULT_HTTP_LIMITS } from '../listener/http-limits.js';
import { TlsKeeper } from '../listener/tls-keeper.js';
import type { Metrics } from '../observability/metrics.js';
import type { Log } from '../observability/observer.js';
import type { Protection, Protections } from '../observability/protections.js';

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
    maxConnectionsPerAddress: settings.maxConnectionsPerAddress,
    writeStallMs: settings.sendTimeoutS * 1000,
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
    maxConnectionsPerAddress: settings.maxConnectionsPerAddress,
    minBodyBytesPerS: settings.minBodyBytesPerS,
    writeStallMs: settings.sendTimeoutS * 1000,
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

/** What is told at start of answers to web pages of others; undefined where there are none to tell of. */
export function originsProtection({ corsAllowedOrigin }: Pick<Settings, 'corsAllowedOrigin'>): Protection | undefined {
  const origins = (corsAllowedOrigin ?? '').split(/[\s,]+/);
  if (!origins.includes('*')) return undefined;
  return {
    name: 'web pages',
    holds: false,
    says: 'every web page may read answers and ask for predictions (cors_allowed_origin=*); name the origins that may',
  };
}

/** Which names and web pages the requests of a listener may name. A public one is reached by names that the server cannot know, unless they are listed. */
export function callerRules(
  settings: Settings,
  { serves, address, isPublic }: { serves: readonly ApiName[]; address: Address; isPublic: boolean },
): CallerRules {
  return {
    hosts: hostRules(settings, isPublic),
    origins: (settings.corsAllowedOrigin ?? '').split(/[\s,]+/).filter((origin) => origin !== ''),
    guardsChanges: serves.includes('management'),
    publicPaths: ['/api-description'],
    secure: address.scheme === 'https',
  };
}

export function hostRules({ hostNames }: Settings, isPublic: boolean): HostRules {
  return { names: hostNames, checked: !isPublic || hostNames.length > 0 };
}

/** Keys and certificates of the secure listeners; undefined where there are none. Rejects with ConfigInvalid. */
export async function openTls(
  settings: Settings,
  { metrics, protections, log }: { metrics: Metrics; protections: Protections; log: Log },
): Promise<TlsKeeper | undefined> {
  const { enableGrpcSsl, keystore, privateKeyFile, clientCaFile, clientCertificates, tlsReloadS } = settings;
  const isWanted = enableGrpcSsl || httpDoorsOf(settings).some(({ address }) => address.scheme === 'https');
  if (!isWanted) {
    if (clientCertificates !== 'off') log.warn(`sconce_client_certificates=${clientCertificates} does nothing: no listener speaks TLS`);
    return undefined;
  }
  const keeper = await TlsKeeper.open({
    ...settings,
    clientCaFile,
    clientCertificates,
    reloadMs: tlsReloadS * 1000,
    log,
    expiresIn: (seconds) => metrics.server('sconce_tls_certificate_expires_in_seconds', seconds, 'Host'),
    reloadFailed: () => metrics.server('sconce_tls_reload_failures_total', 1, 'Host'),
  });
  const open = await readableByOthers([keystore, privateKeyFile].filter((file) => file !== undefined));
  protections.tell(
    open.length === 0
      ? { name: 'TLS key', holds: true, says: 'its owner alone can read it' }
      : { name: 'TLS key', holds: false, says: `others can read ${open.join(', ')}; chmod 600 ends that` },
  );
  return keeper;
}
