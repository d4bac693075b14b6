import { describe, expect, it } from 'vitest';
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
      isolation: 'thread',
      network: false,
      exec: false,
      read: [],
      write: [],
      environment: [],
    });
  });

  it('adds a model’s own grants to those of all, and lets its own word count where both say yes or no', () => {
    const policy = policyOf(
      '{"*": {"network": true, "read": ["/data"], "sandbox": "strict"}, "m": {"network": false, "read": ["/more"], "isolation": "process"}}',
    );

    expect(policy.of('m')).toMatchObject({ level: 'strict', isolation: 'process', network: false, read: ['/data', '/more'] });
    expect(policy.of('other')).toMatchObject({ level: 'strict', network: true, read: ['/data'] });
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
