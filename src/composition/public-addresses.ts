import { lookup } from 'node:dns/promises';
import { isIP } from 'node:net';
import type { Settings } from '../config/settings.js';
import { BindFailed } from '../errors/config.js';
import { PublicAddressRefused } from '../errors/security.js';
import { isLoopbackAddress } from '../listener/loopback.js';
import type { Protections } from '../observability/protections.js';

type DoorName = Settings['allowPublicAddress'][number];

interface Door {
  readonly name: DoorName;
  readonly key: string;
  /** undefined for a Unix socket. */
  readonly host: string | undefined;
  readonly secure: boolean;
}

/**
 * Tells whether each listener is this machine's alone, or knows whom it lets in. Gives the hosts that aren't local. Rejects with PublicAddressRefused for a
 * listener that lets in anybody and is not permitted to by sconce_allow_public_address, with BindFailed for a host that doesn't exist.
 */
export async function assertAddresses(settings: Settings, protections: Protections): Promise<ReadonlySet<string>> {
  const doors = doorsOf(settings);
  const reach = await Promise.all(doors.map(async (door) => ({ ...door, isPublic: door.host !== undefined && !(await isLocal(door.host)) })));
  const open = reach.filter(({ isPublic }) => isPublic).flatMap((door) => whatLacks(door, settings).map((lack) => ({ ...door, lack })));
  const refused = open.filter(({ name }) => !settings.allowPublicAddress.includes(name));
  if (refused.length > 0) throw PublicAddressRefused({ doors: refused.map(inWords).join('; ') });
  protections.tell(
    open.length === 0
      ? { name: 'listeners', holds: true, says: 'each is reached from this machine alone, or over TLS by those who prove who they are' }
      : { name: 'listeners', holds: false, says: `OPEN TO THE NETWORK, as sconce_allow_public_address permits: ${open.map(inWords).join('; ')}` },
  );
  return new Set(reach.flatMap(({ isPublic, host }) => (isPublic && host !== undefined ? [host] : [])));
}

function doorsOf(settings: Settings): readonly Door[] {
  const { inferenceAddress, managementAddress, metricsAddress, grpcInferenceAddress, grpcManagementAddress, enableMetricsApi, enableGrpcSsl } = settings;
  const rest = (name: DoorName, address: Settings['inferenceAddress']): Door => ({
    name,
    key: `${name}_address=${address.text}`,
    host: address.kind === 'unix' ? undefined : address.host,
    secure: address.scheme === 'https',
  });
  const grpc = (name: DoorName, host: string): Door => ({ name, key: `${name}_address=${host}`, host: host.replace(/^\[|\]$/g, ''), secure: enableGrpcSsl });
  return [
    rest('inference', inferenceAddress),
    rest('management', managementAddress),
    ...(enableMetricsApi ? [rest('metrics', metricsAddress)] : []),
    grpc('grpc_inference', grpcInferenceAddress),
    grpc('grpc_management', grpcManagementAddress),
  ];
}

/** What a public listener would need to tell friend from foe, as far as it isn't there. */
function whatLacks({ name, secure }: Door, settings: Settings): readonly string[] {
  const { keystore, privateKeyFile, disableTokenAuthorization, clientCertificates } = settings;
  const lacks: string[] = [];
  if (!secure) lacks.push(name.startsWith('grpc') ? 'no TLS (enable_grpc_ssl)' : 'no TLS (https)');
  // A certificate that signs itself is one that anybody in between can make, too.
  else if (keystore === undefined && privateKeyFile === undefined) lacks.push('no TLS key of your own (private_key_file, keystore)');
  if (secure && clientCertificates === 'require') return lacks.length > 0 ? [lacks.join(', ')] : [];
  if (name === 'metrics') lacks.push('no token is asked for there (sconce_client_certificates=require)');
  else if (disableTokenAuthorization) lacks.push('no tokens (disable_token_authorization)');
  return lacks.length > 0 ? [lacks.join(', ')] : [];
}

function inWords({ key, lack }: { readonly key: string; readonly lack: string }): string {
  return `${key} has ${lack}`;
}

async function isLocal(host: string): Promise<boolean> {
  if (isIP(host) !== 0) return isLoopbackAddress(host);
  const found = await lookup(host, { all: true }).catch((error: NodeJS.ErrnoException) => {
    throw BindFailed({ address: host, why: error.code ?? error.message }, error);
  });
  return found.every(({ address }) => isLoopbackAddress(address));
}
