import { describe, expect, it } from 'vitest';
import { aServableModel } from '../../test/fixtures/driven-runner.js';
import { grantsByModel } from '../config/grants.js';
import { isNamed, SandboxPolicy } from './sandbox-policy.js';

function policyOf(text: string): SandboxPolicy {
  const grants = grantsByModel.read(text);
  if (grants === undefined) throw new Error('no grants');
  return new SandboxPolicy('standard', 'thread', grants);
}

describe('the operator’s policy', () => {
  it('grants nothing to a model that it doesn’t name', () => {
    expect(policyOf('{"a": {"network": true}}').of('b')).toEqual({
      level: 'standard',
      network: false,
      exec: false,
      read: [],
      write: [],
      environment: [],
    });
  });

  it('adds a model’s own grants to those of all, and lets its own word count where both say yes or no', () => {
    const policy = policyOf('{"*": {"network": true, "read": ["/data"], "sandbox": "strict"}, "m": {"network": false, "read": ["/more"]}}');

    expect(policy.of('m')).toMatchObject({ level: 'strict', network: false, read: ['/data', '/more'] });
    expect(policy.of('other')).toMatchObject({ level: 'strict', network: true, read: ['/data'] });
  });

  it('runs in processes what is not the operator’s own, and lets him decide otherwise for one model', () => {
    const policy = new SandboxPolicy(
      'standard',
      'auto',
      grantsByModel.read('{"vouched": {"isolation": "thread"}, "held": {"isolation": "process"}}') ?? new Map(),
    );

    expect(policy.isolationOf(aServableModel({ name: 'own' }))).toEqual({ runs: 'thread', why: "it is the operator's own" });
    expect(policy.isolationOf(aServableModel({ name: 'held' }))).toEqual({ runs: 'process', why: 'sconce_grants says so' });
    expect(policy.isolationOf({ ...aServableModel({ name: 'vouched' }), fetched: true })).toEqual({ runs: 'thread', why: 'sconce_grants says so' });
    expect(policy.isolationOf({ ...aServableModel({ name: 'fetched' }), fetched: true })).toEqual({
      runs: 'process',
      why: 'it came from a URL that a caller of the API named',
      permit: 'sconce_grants={"fetched":{"isolation":"thread"}}',
    });
  });

  it('lets the word on all models hold for those that have none of their own', () => {
    const fetched = { ...aServableModel({ name: 'm' }), fetched: true };

    expect(new SandboxPolicy('standard', 'thread', new Map()).isolationOf(fetched)).toEqual({ runs: 'thread', why: 'sconce_isolation says so' });
    expect(policyOf('{"*": {"isolation": "auto"}}').isolationOf(fetched).runs).toBe('process');
    expect(policyOf('{"*": {"isolation": "process"}}').isolationOf(aServableModel({ name: 'm' })).runs).toBe('process');
  });

  it('tells in one line what an archive asks for in vain, and nothing where it has it', () => {
    const policy = policyOf('{"m": {"exec": true}, "free": {"sandbox": "off"}}');

    expect(policy.ungranted('m', { network: true, exec: true })).toBe(
      'Model m says that it needs network, and goes without. Permit it with sconce_grants={"m":{"network":true}}',
    );
    expect(policy.ungranted('m', { network: false, exec: true })).toBeUndefined();
    expect(policy.ungranted('free', { network: true, exec: true })).toBeUndefined();
  });

  it.each(['[]', '{', '{"m": {"netwrok": true}}', '{"m": {"read": ["relative"]}}', '{"m": {"environment": ["a b"]}}', '{"m": {"sandbox": "none"}}'])(
    'is no policy where it says %s',
    (text) => {
      expect(grantsByModel.read(text)).toBeUndefined();
    },
  );
});

it('a name is on a list whole, or by its beginning where the list says so', () => {
  expect([isNamed('HF_TOKEN', ['HF_*']), isNamed('HF_TOKEN', ['HF_TOKEN']), isNamed('HF_TOKENS', ['HF_TOKEN'])]).toEqual([true, true, false]);
});
