import { existsSync, readFileSync, realpathSync, statSync } from 'node:fs';
import { resolve, sep } from 'node:path';
import { parse } from 'yaml';
import { RequestQuotas } from '../admission/request-quotas.js';
import type { Settings } from '../config/settings.js';
import { ConfigInvalid } from '../errors/config.js';
import { ANYONE, DEFAULT_TENANT, Principal } from '../inference/principal.js';
import type { StoreRules } from '../models/store-rules.js';
import type { Metrics, MetricTeller } from '../observability/metrics.js';
import type { Protection } from '../observability/protections.js';
import type { ShownSamples } from '../observability/shown-samples.js';
import { ServingAccounts } from '../registry/serving-accounts.js';
import { NamedTenants } from '../tenants/named-tenants.js';
import { type ListedTenant, parseTenants, TenantsFault } from '../tenants/parse-tenants.js';
import { TenantStores } from '../tenants/tenant-stores.js';

const MAX_FILE_BYTES = 16 * 2 ** 20;

/** All that keeps tenants apart, for the parts that ask. */
export interface Tenancy {
  readonly tenants: NamedTenants;
  readonly stores: StoreRules;
  /** Folders of the archives of those that have some of their own; absolute. */
  readonly storeFolders: readonly string[];
  readonly accounts: ServingAccounts;
  readonly quotas: RequestQuotas;
  readonly protection: Protection;
  /** Names of those that aren't the operator's own. */
  readonly others: readonly string[];
  /** Whom a worker's metrics are from. */
  readonly tellerOf: (workerName: string) => MetricTeller;
  /** The same, where a worker is shown by who owns it. */
  shown(samples: ShownSamples): ShownSamples;
  /** In whose name a model asks others: its tenant's. */
  askerOf(model: string): Principal;
  /** Brings the gauges up to date. */
  tellFigures(): void;
}

/** Folders that no tenant's own may lie in, or hold. */
interface SharedStores {
  readonly modelStore: string | undefined;
  readonly workflowStore: string | undefined;
}

/** The tenants that the settings name; undefined: there is one, and it has no limits. Throws ConfigInvalid. */
export function createTenancy(
  settings: Settings,
  { cwd, metrics, ...shared }: { readonly cwd: string; readonly metrics: Metrics } & SharedStores,
): Tenancy | undefined {
  const listed = listedTenants(settings, cwd);
  if (listed === undefined) return undefined;
  const tenants = new NamedTenants(listed);
  const refused = (tenant: string, quota: string): void => metrics.server('sconce_tenant_refusals_total', 1, tenant, quota);
  const accounts = new ServingAccounts(tenants, refused);
  const quotas = new RequestQuotas(tenants, refused);
  const askers = new Map(
    tenants.all.map((tenant) => [tenant, tenant.name === DEFAULT_TENANT ? ANYONE : new Principal(`models of ${tenant.name}`, tenant.name, [])]),
  );
  const folders = storesOf(settings, listed, cwd, shared);
  return {
    tenants,
    stores: new TenantStores(tenants, folders),
    storeFolders: [...folders.values()],
    accounts,
    quotas,
    protection: protectionOf(settings, listed),
    others: tenants.all.map(({ name }) => name).filter((name) => name !== DEFAULT_TENANT),
    tellerOf: (workerName) => {
      const tenant = accounts.ownerOfWorker(workerName)?.name ?? DEFAULT_TENANT;
      return { tenant, mayTellOf: (model) => tenants.ownerOf(model).name === tenant };
    },
    shown: (samples) => ({ ...samples, worker: (name) => samples.tenant(accounts.ownerOfWorker(name)?.name ?? DEFAULT_TENANT) }),
    askerOf: (model) => askers.get(tenants.ownerOf(model)) ?? ANYONE,
    tellFigures: () => {
      for (const tenant of tenants.all) {
        const { models, workers } = accounts.served(tenant);
        const { requests, bodyBytes } = quotas.inHand(tenant);
        metrics.server('sconce_tenant_models', models, tenant.name);
        metrics.server('sconce_tenant_workers', workers, tenant.name);
        metrics.server('sconce_tenant_requests_in_flight', requests, tenant.name);
        metrics.server('sconce_tenant_body_bytes_in_flight', bodyBytes, tenant.name);
      }
    },
  };
}

/** What the tenants file holds; undefined: no file is named. Throws ConfigInvalid. */
export function listedTenants({ tenants: file }: Pick<Settings, 'tenants'>, cwd: string): readonly ListedTenant[] | undefined {
  if (file === undefined || file === '') return undefined;
  const path = resolve(cwd, file);
  try {
    if (statSync(path).size > MAX_FILE_BYTES) throw new TenantsFault('it is too long');
    return parseTenants(parse(readFileSync(path, 'utf8'), { logLevel: 'error' }));
  } catch (error) {
    const why = error instanceof Error ? error.message.split('\n', 1)[0] : String(error);
    throw ConfigInvalid({ message: `sconce_tenants=${path}: ${why}` }, error);
  }
}

/** Whether the metrics page asks for a token. It tells of all tenants: where there are some it does, unless the operator says that it shall not. */
export function guardsMetrics({ metricsToken, disableTokenAuthorization, tenants, sources }: Settings): boolean {
  const isSaid = sources.get('sconce_metrics_token')?.source !== 'default';
  return !disableTokenAuthorization && (metricsToken || (tenants !== undefined && tenants !== '' && !isSaid));
}

/** The folders of those that have one. Throws ConfigInvalid for one that isn't there, or that others' archives lie in too. */
function storesOf({ tenants: file, storeRoots }: Settings, listed: readonly ListedTenant[], cwd: string, shared: SharedStores): ReadonlyMap<string, string> {
  const fault = (tenant: string, what: string) =>
    ConfigInvalid({ message: `sconce_tenants=${file === undefined ? '' : resolve(cwd, file)}: tenants.${tenant}.store: ${what}` });
  const whereThere = (whose: string, folder: string | undefined) =>
    folder !== undefined && existsSync(folder) ? [{ whose, folder: realpathSync(folder) }] : [];
  const taken = [
    ...[shared.modelStore, shared.workflowStore].flatMap((folder) => whereThere('the store of the server', folder)),
    ...storeRoots.flatMap((root) => whereThere(`${root} of sconce_store_roots, which is open to all,`, resolve(cwd, root))),
  ];
  const stores = new Map<string, string>();
  for (const { tenant, store } of listed) {
    if (store === undefined) continue;
    const path = resolve(cwd, store);
    if (!existsSync(path) || !statSync(path).isDirectory()) throw fault(tenant.name, `${path} is no folder`);
    const folder = realpathSync(path);
    const other = taken.find((one) => holds(one.folder, folder) || holds(folder, one.folder));
    if (other !== undefined) throw fault(tenant.name, `${path} and ${other.whose} are not apart`);
    taken.push({ whose: `the store of ${tenant.name}`, folder });
    stores.set(tenant.name, path);
  }
  return stores;
}

function holds(folder: string, inside: string): boolean {
  return inside === folder || inside.startsWith(folder.endsWith(sep) ? folder : folder + sep);
}

/** Told once at start. */
function protectionOf(settings: Settings, listed: readonly ListedTenant[]): Protection {
  const name = 'tenants';
  const others = listed.filter(({ tenant }) => tenant.name !== DEFAULT_TENANT);
  const names = others.map(({ tenant }) => tenant.name);
  if (settings.disableTokenAuthorization)
    return { name, holds: false, says: "whoever connects is the operator and sees every tenant's models; unset disable_token_authorization" };
  if (!guardsMetrics(settings)) return { name, holds: false, says: 'the metrics page tells everybody of all tenants; unset sconce_metrics_token' };
  const sharing = others.filter(({ store }) => store === undefined).map(({ tenant }) => tenant.name);
  if (settings.enableModelApi && sharing.length > 0)
    return {
      name,
      holds: false,
      says: `archives in the model store that no tenant's name is on are open to ${sharing.join(', ')}; a store of its own for each ends that`,
    };
  return { name, holds: true, says: `${names.join(', ') || 'the operator alone'}: each sees and uses what it owns` };
}
