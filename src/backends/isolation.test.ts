import { describe, expect, it } from 'vitest';
import { aServableModel } from '../../test/fixtures/driven-runner.js';
import type { ModelSignature } from '../inference/model-signature.js';
import type { ServableModel } from '../inference/servable-model.js';
import type { Tenant } from '../inference/tenant.js';
import { whyApart } from './isolation.js';

const tenant = (name: string): Tenant => ({
  name,
  weight: 1,
  quotas: { models: undefined, workers: undefined, requestsPerS: undefined, concurrent: undefined, bytesInFlight: undefined },
  memoryBytes: undefined,
  ownCores: 0,
  gpus: undefined,
});
const signed = (state: ModelSignature['state']): ModelSignature => ({
  state,
  signer: undefined,
  identity: undefined,
  subject: undefined,
  sha256: undefined,
  why: undefined,
});
const why = (facts: Partial<ServableModel>): string | undefined => whyApart({ ...aServableModel({}), ...facts });

describe('a model is run apart from the server', () => {
  it.each([
    ['of another tenant', { tenant: tenant('acme') }, 'it belongs to the tenant acme'],
    ['of another tenant, though signed', { tenant: tenant('acme'), signature: signed('verified') }, 'it belongs to the tenant acme'],
    ['not verified', { signature: signed('unverified') }, 'it is not signed by anybody trusted'],
    ['unsigned, as the policy permits', { signature: signed('permitted') }, 'it is not signed by anybody trusted'],
    ['that a caller had fetched', { fetched: true }, 'it came from a URL that a caller of the API named'],
  ] as const)('when it is one %s', (_, facts, reason) => {
    expect(why(facts)).toBe(reason);
  });

  it('when it decodes pictures on a server with tenants, who may send any', () => {
    const { config } = aServableModel({ raw: { pipeline: { preprocess: { image: {} } } } });

    expect(why({ config, tenant: tenant('default') })).toBe('it decodes pictures that tenants send');
    expect(why({ config })).toBeUndefined();
  });
});

it.each([
  ['nobody is asked for', {}],
  ['is a trusted signer’s', { signature: signed('verified') }],
  ['is the operator’s, by its digest', { signature: signed('pinned') }],
  ['is among the operator’s own', { tenant: tenant('default') }],
] as const)('a model whose origin %s is trusted as the server is', (_, facts) => {
  expect(why(facts)).toBeUndefined();
});
