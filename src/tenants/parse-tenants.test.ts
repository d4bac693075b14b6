import { expect, it } from 'vitest';
import { parseTenants, TenantsFault, withNodes } from './parse-tenants.js';

const ACME = { models: ['acme-*'] };

it('reads all that an operator can say of a tenant, and the operator stands first', () => {
  const quotas = { models: 3, workers: 4, requests_per_s: 0.5, concurrent: 8, body_mb_in_flight: 2.5 };
  const acme = { models: ['acme-*', 'shop'], store: 'acme', weight: 3, memory_mb: 2048, own_cores: 2, gpus: [0, 2], quotas };

  expect(parseTenants({ tenants: { acme, default: { weight: 0.5, quotas: { concurrent: 9 } } } })).toEqual([
    {
      tenant: {
        name: 'default',
        weight: 0.5,
        quotas: { models: undefined, workers: undefined, requestsPerS: undefined, concurrent: 9, bytesInFlight: undefined },
        memoryBytes: undefined,
        ownCores: 0,
        gpus: undefined,
      },
      patterns: [],
      store: undefined,
    },
    {
      tenant: {
        name: 'acme',
        weight: 3,
        quotas: { models: 3, workers: 4, requestsPerS: 0.5, concurrent: 8, bytesInFlight: 2_500_000 },
        memoryBytes: 2_048_000_000,
        ownCores: 2,
        gpus: [0, 2],
      },
      patterns: ['acme-*', 'shop'],
      store: 'acme',
    },
  ]);
});

it('what is left out is unlimited, and shared', () => {
  const [operator, acme] = parseTenants({ tenants: { acme: ACME } });

  expect(operator?.tenant.name).toBe('default');
  expect(acme?.tenant).toMatchObject({ weight: 1, ownCores: 0, gpus: undefined, memoryBytes: undefined });
  expect(Object.values(acme?.tenant.quotas ?? {}).every((quota) => quota === undefined)).toBe(true);
});

it.each([
  [undefined, 'the file: '],
  [{ tenant: {} }, 'the file: Unrecognized key: "tenant"'],
  [{ tenants: [] }, 'tenants: it must be a mapping'],
  [{ tenants: { acme: {} } }, 'tenants.acme.models: '],
  [{ tenants: { acme: { models: [] } } }, 'tenants.acme.models: '],
  [{ tenants: { acme: { models: 'acme-*' } } }, 'tenants.acme.models: '],
  [{ tenants: { acme: { models: ['a b'] } } }, 'tenants.acme.models.0: a pattern has'],
  [{ tenants: { acme: { ...ACME, quota: {} } } }, 'tenants.acme: Unrecognized key: "quota"'],
  [{ tenants: { acme: { ...ACME, quotas: { requests: 1 } } } }, 'tenants.acme.quotas: Unrecognized key: "requests"'],
  [{ tenants: { acme: { ...ACME, quotas: { models: -1 } } } }, 'tenants.acme.quotas.models: '],
  [{ tenants: { acme: { ...ACME, quotas: { models: 1.5 } } } }, 'tenants.acme.quotas.models: '],
  [{ tenants: { acme: { ...ACME, quotas: { concurrent: 0 } } } }, 'tenants.acme.quotas.concurrent: '],
  [{ tenants: { acme: { ...ACME, quotas: { requests_per_s: Number.POSITIVE_INFINITY } } } }, 'tenants.acme.quotas.requests_per_s: '],
  [{ tenants: { acme: { ...ACME, weight: 0 } } }, 'tenants.acme.weight: '],
  [{ tenants: { acme: { ...ACME, gpus: [1, 1] } } }, 'tenants.acme.gpus: a GPU stands twice'],
  [{ tenants: { acme: null } }, 'tenants.acme: '],
  [{ tenants: { 'a b': ACME } }, 'tenants.a b: a name has letters'],
  [{ tenants: { '../x': ACME } }, 'tenants.../x: a name has letters'],
  [{ tenants: JSON.parse('{"__proto__": {"models": ["x"]}}') }, 'tenants.__proto__: a name has letters'],
  [{ tenants: { default: { models: ['x'] } } }, 'tenants.default: the operator’s own tenant may have quotas and weight'],
  [{ tenants: { default: { gpus: [0] } } }, 'tenants.default: the operator’s own'],
  [{ tenants: { a: { models: ['a-*'] }, b: { models: ['x', '*-b'] } } }, 'tenants.b.models: *-b and a-* of a both match a model named a-b; it can'],
  [{ tenants: { a: { models: ['*'] }, b: { models: ['*'] } } }, 'tenants.b.models: * and * of a both match any name'],
  [{ tenants: { a: { models: ['flow'] }, b: { models: ['flow__pre'] } } }, 'both match a model named flow__pre'],
])('%j: %s', (content, fault) => {
  expect(() => parseTenants(content)).toThrow(TenantsFault);
  expect(() => parseTenants(content)).toThrow(fault);
});

it('one tenant may say the same twice', () => {
  expect(parseTenants({ tenants: { a: { models: ['a*', 'ab*'] } } })).toHaveLength(2);
});

it('nodes of a workflow belong to whom the workflow belongs', () => {
  expect(withNodes(['flow', 'a-*'])).toEqual(['flow', 'flow__*', 'a-*']);
});
