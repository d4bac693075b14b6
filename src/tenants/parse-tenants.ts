import { z } from 'zod';
import { DEFAULT_TENANT, PRINCIPAL_NAME } from '../inference/principal.js';
import type { Tenant, TenantQuotas } from '../inference/tenant.js';
import { commonName } from './common-name.js';

/** A tenant as the file has it. */
export interface ListedTenant {
  readonly tenant: Tenant;
  /** Patterns of the names that it owns; none of the operator's own, who owns the rest. */
  readonly patterns: readonly string[];
  /** Folder of its own archives, as it is written; undefined: it shares the model store. */
  readonly store: string | undefined;
}

/** What was found wrong, and at which key of the file. */
export class TenantsFault extends Error {}

const MAX_TENANTS = 1000;
const MAX_PATTERNS = 10_000;
const BYTES_PER_MB = 1_000_000;
/** What stands between a workflow's name and that of its node, whose name in the registry is both. */
const OF_A_NODE = '__*';

const count = z.int().min(0).max(1_000_000);
const megabytes = z.number().positive().max(1e9);
const quotas = z.strictObject({
  models: count.optional(),
  workers: count.optional(),
  requests_per_s: z.number().positive().max(1e6).optional(),
  concurrent: count.min(1).optional(),
  body_mb_in_flight: megabytes.optional(),
});
const weight = z.number().min(0.01).max(1000);
const pattern = z.string().regex(/^[\x21-\x7e]{1,256}$/, 'a pattern has 1 to 256 printable ASCII characters without blanks');
const gpus = z
  .array(z.int().min(0).max(1023))
  .max(1024)
  .refine((ids) => new Set(ids).size === ids.length, 'a GPU stands twice');
const tenant = z.strictObject({
  models: z.array(pattern).min(1),
  store: z.string().min(1).optional(),
  weight: weight.optional(),
  memory_mb: megabytes.optional(),
  own_cores: z.int().min(0).max(4096).optional(),
  gpus: gpus.optional(),
  quotas: quotas.optional(),
});
const operators = z.strictObject({ weight: weight.optional(), quotas: quotas.optional() }, { error: 'the operator’s own tenant may have quotas and weight' });
const document = z.strictObject({ tenants: z.unknown().optional() });

/** Reads what the file holds, the operator's own tenant first. Throws TenantsFault. */
export function parseTenants(content: unknown): readonly ListedTenant[] {
  const { tenants } = checked(document, content, []);
  if (typeof tenants !== 'object' || tenants === null || Array.isArray(tenants)) throw new TenantsFault('tenants: it must be a mapping of names to tenants');
  const entries = Object.entries(tenants);
  if (entries.length > MAX_TENANTS) throw new TenantsFault(`tenants: more than ${MAX_TENANTS}`);
  let own = listed(DEFAULT_TENANT, {}, [], undefined);
  const others: ListedTenant[] = [];
  for (const [name, value] of entries) {
    if (!PRINCIPAL_NAME.test(name)) throw new TenantsFault(`tenants.${name}: a name has letters, digits, dot, hyphen and underscore, at most 64`);
    if (name === DEFAULT_TENANT) {
      own = listed(name, checked(operators, value, ['tenants', name]), [], undefined);
      continue;
    }
    const read = checked(tenant, value, ['tenants', name]);
    others.push(listed(name, read, read.models, read.store));
  }
  assertApart(others);
  return [own, ...others];
}

/** The patterns with those of the nodes of workflows that have such names: nodes belong to whom their workflow belongs. */
export function withNodes(patterns: readonly string[]): readonly string[] {
  return patterns.flatMap((one) => (one.endsWith('*') ? [one] : [one, one + OF_A_NODE]));
}

function listed(name: string, read: Omit<z.output<typeof tenant>, 'models' | 'store'>, patterns: readonly string[], store: string | undefined): ListedTenant {
  const { models, workers, requests_per_s, concurrent, body_mb_in_flight } = read.quotas ?? {};
  const bytes = (mb: number | undefined) => (mb === undefined ? undefined : Math.round(mb * BYTES_PER_MB));
  const limits: TenantQuotas = { models, workers, requestsPerS: requests_per_s, concurrent, bytesInFlight: bytes(body_mb_in_flight) };
  const { weight: share = 1, memory_mb, own_cores: ownCores = 0, gpus: ids } = read;
  return { tenant: { name, weight: share, quotas: limits, memoryBytes: bytes(memory_mb), ownCores, gpus: ids }, patterns, store };
}

/** Throws TenantsFault where a name could have two owners. */
function assertApart(tenants: readonly ListedTenant[]): void {
  const all = tenants.flatMap(({ tenant: { name }, patterns }) => patterns.map((written) => ({ name, written, meant: withNodes([written]) })));
  if (all.length > MAX_PATTERNS) throw new TenantsFault(`tenants: more than ${MAX_PATTERNS} patterns`);
  all.forEach((one, index) => {
    for (const other of all.slice(0, index)) {
      if (other.name === one.name) continue;
      const both = one.meant.flatMap((first) => other.meant.map((second) => commonName(first, second))).find((name) => name !== undefined);
      if (both === undefined) continue;
      const named = both === '' ? 'any name' : `a model named ${both}`;
      throw new TenantsFault(`tenants.${one.name}.models: ${one.written} and ${other.written} of ${other.name} both match ${named}; it can belong to one only`);
    }
  });
}

function checked<T extends z.ZodType>(schema: T, value: unknown, path: readonly string[]): z.output<T> {
  const read = schema.safeParse(value);
  if (read.success) return read.data;
  const [issue] = read.error.issues;
  const where = [...path, ...(issue?.path ?? [])].join('.');
  throw new TenantsFault(`${where || 'the file'}: ${issue?.message ?? 'it is not understood'}`);
}
