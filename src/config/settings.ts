import type { Address } from './address.js';
import type { RawSettings } from './keys.js';
import type { Sourced } from './sources.js';

/** A start-up model: a location in the store, under a name of its own if one was given. */
export interface WantedModel {
  readonly name: string | undefined;
  readonly url: string;
}

/** All settings of a server, checked, frozen, and each with its source. Keys without a default are undefined where unset. */
export interface Settings extends Omit<Required<DefinedSettings>, 'inferenceAddress' | 'managementAddress' | 'metricsAddress' | 'loadModels'>, UnsetSettings {
  readonly inferenceAddress: Address;
  readonly managementAddress: Address;
  readonly metricsAddress: Address;
  readonly loadModels: 'all' | readonly WantedModel[];
  /** The config file, or the snapshot, that was read. */
  readonly configFile: string | undefined;
  /** `configFile` is a snapshot that nobody named: the newest one. */
  readonly fromNewestSnapshot: boolean;
  /** By key. Keys that this server doesn't know are among them: snapshots hand them on. */
  readonly sources: ReadonlyMap<string, Sourced>;
}

type MayBeUnset =
  | 'keystore'
  | 'privateKeyFile'
  | 'certificateFile'
  | 'corsAllowedOrigin'
  | 'corsAllowedMethods'
  | 'corsAllowedHeaders'
  | 'modelStore'
  | 'workflowStore'
  | 'loadModels'
  | 'models'
  | 'modelSnapshot'
  | 'numberOfGpu'
  | 'defaultServiceHandler'
  | 'serviceEnvelope'
  | 'metricsConfig'
  | 'cpuLauncherArgs'
  | 'cppLogConfig'
  | 'modelServerHome'
  | 'python'
  | 'version'
  | 'vmargs'
  | 'pluginsPath'
  | 'tsConfigFile'
  | 'signatures'
  | 'trustPolicy'
  | 'cacheDir'
  | 'wheelFolder'
  | 'clamd'
  | 'virustotalKey'
  | 'scanners'
  | 'quarantineDir'
  | 'oidcIssuer'
  | 'oidcAudience'
  | 'oidcJwksUrl'
  | 'oidcTenantClaim'
  | 'tlsPrincipals'
  | 'tenants'
  | 'auditLog'
  | 'clientCaFile';

type DefinedSettings = { readonly [N in Exclude<keyof RawSettings, MayBeUnset> | 'loadModels']: NonNullable<RawSettings[N]> };
type UnsetSettings = { readonly [N in Exclude<MayBeUnset, 'loadModels'>]: RawSettings[N] };
