import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ecKey } from '../../test/fixtures/certificate-authority.js';
import { ConfigInvalid } from '../errors/config.js';
import { readTrustPolicy } from './read-trust-policy.js';

const key = ecKey();
let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'sconce-trust-'));
  writeFileSync(join(folder, 'a.pub'), key.pem);
});

afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

function read(yaml: string) {
  writeFileSync(join(folder, 'trust.yaml'), yaml);
  return readTrustPolicy(join(folder, 'trust.yaml'));
}

describe('a trust policy', () => {
  it('has keys in files beside it or in its own text, and trusts a signer with every model unless told otherwise', () => {
    const inline = key.pem.trim().replaceAll('\n', '\n      ');
    const { signers, unsigned } = read(
      `signers:\n  - {name: a, key: a.pub}\n  - name: b\n    key: |\n      ${inline}\n    models: [x, 'y*']\nunsigned: demo\n`,
    );

    expect(signers).toMatchObject([
      { name: 'a', means: { kind: 'key', pem: key.pem }, models: ['*'], subjects: undefined, minimumVersions: [], pins: [] },
      { name: 'b', means: { kind: 'key' }, models: ['x', 'y*'] },
    ]);
    expect(unsigned).toEqual(['demo']);
  });

  it('may pin models without a signer, and may be empty', () => {
    expect(read(`signers: [{name: a, pin: 'sha256:${'AB'.repeat(32)}'}]`).signers).toMatchObject([{ means: { kind: 'pin' }, pins: ['ab'.repeat(32)] }]);
    expect(read('')).toMatchObject({ signers: [], unsigned: [] });
  });

  it.each([
    ['signers: [{name: a}]', 'must have one of key, certificates and sigstore, or pin alone'],
    ['signers: [{name: a, key: a.pub, models: []}]', 'models'],
    ['signers: [{name: a, key: a.pub, minimumVersions: {m: beta}}]', 'must be numbers with dots between'],
    ['signers: [{name: a, pin: abc}]', 'pin'],
    ['signers: [{name: a, key: a.pub}, {name: a, key: a.pub}]', 'two signers are called a'],
    ['signers: [{name: a, key: nowhere.pub}]', 'nowhere.pub cannot be read'],
    ['signers: [{name: a, key: trust.yaml}]', 'signer a: its key is no PEM of a public key'],
    ['signers: [{name: a, certificates: {roots: a.pub, names: x}}]', 'signer a: its roots hold no PEM of a certificate'],
    ['signers: [{name: a, certificates: {roots: a.pub}}]', 'names'],
    ['signers: [{name: a, sigstore: {trustedRoot: a.pub, identities: [{name: x, issuer: y}]}}]', 'signer a: its trustedRoot is no trusted_root.json'],
    ['signer: []', 'signer'],
    ['unsigned: [a', 'sconce_trust_policy'],
  ])('%s is refused in one line that names the fault', (yaml, fault) => {
    expect(() => read(yaml)).toThrow(fault);
    expect(() => read(yaml)).toThrow(/^Invalid configuration: sconce_trust_policy=[^\n]+$/);
  });

  it('takes no private key, no RSA key, no Ed25519 key and no other curve', () => {
    const pem = (type: 'rsa' | 'ed25519') =>
      (type === 'rsa' ? generateKeyPairSync('rsa', { modulusLength: 2048 }) : generateKeyPairSync('ed25519')).publicKey.export({ type: 'spki', format: 'pem' });
    const secret = key.privateKey.export({ type: 'pkcs8', format: 'pem' });

    for (const content of [pem('rsa'), pem('ed25519'), ecKey('secp256k1').pem, secret]) {
      writeFileSync(join(folder, 'a.pub'), content);
      expect(() => read('signers: [{name: a, key: a.pub}]')).toThrow(/private key|P-256, P-384 or P-521/);
    }
  });

  it('that is not there is refused', () => {
    expect(() => readTrustPolicy(join(folder, 'none.yaml'))).toThrow('none.yaml cannot be read');
    try {
      readTrustPolicy(join(folder, 'none.yaml'));
    } catch (error) {
      expect(ConfigInvalid.is(error)).toBe(true);
    }
  });
});
