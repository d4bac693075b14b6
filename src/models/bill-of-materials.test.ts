import { Spec, Validation } from '@cyclonedx/cyclonedx-library';
import { describe, expect, it } from 'vitest';
import { type BillInputs, billOfMaterials } from './bill-of-materials.js';

function bill(over: Partial<BillInputs> = {}) {
  return billOfMaterials({
    model: {
      ...{ name: 'm', version: '1.0', backend: 'python', handler: 'h.py', runtime: 'python', contentHash: 'ab'.repeat(32) },
      signature: { state: 'verified', signer: 'release', identity: 'email:ann@example.org', subject: 'm@1.0', sha256: undefined, why: undefined },
    },
    files: [{ path: 'a b/h.py', sizeBytes: 3, sha256: 'cd'.repeat(32) }],
    requirements: '',
    installed: [],
    toolVersion: '0.1.0',
    ...over,
  });
}

const REQUIREMENTS = `# what it needs
NumPy==2.1.0  # pinned
requests[socks] >=2,<3
torch == 2.13.0 ; python_version > "3.8"
--index-url https://user:secret@example.org/simple
-r more.txt
pkg @ https://user:secret@example.org/pkg.whl
numpy>=1
`;

describe('a bill of materials', () => {
  it('is CycloneDX 1.6, by its strict schema', async () => {
    const text = JSON.stringify(bill({ requirements: REQUIREMENTS, installed: [{ name: 'urllib3', version: '2.0.1' }] }));

    expect(await new Validation.JsonStrictValidator(Spec.Version.v1dot6).validate(text)).toBeNull();
    expect(await new Validation.JsonStrictValidator(Spec.Version.v1dot6).validate('{"bomFormat": "CycloneDX", "specVersion": "1.6", "x": 1}')).not.toBeNull();
  });

  it('has each requirement once, with the version that is installed, else the one that is pinned', () => {
    const installed = [
      { name: 'Requests', version: '2.32.0' },
      { name: 'urllib3', version: '2.0.1' },
    ];

    expect(bill({ requirements: REQUIREMENTS, installed }).components).toMatchObject([
      { type: 'file', name: 'a b/h.py', hashes: [{ alg: 'SHA-256', content: 'cd'.repeat(32) }] },
      { name: 'NumPy', version: '2.1.0', purl: 'pkg:pypi/numpy@2.1.0' },
      { name: 'requests', version: '2.32.0', purl: 'pkg:pypi/requests@2.32.0' },
      { name: 'torch', version: '2.13.0' },
      { name: 'pkg', properties: [{ name: 'sconce:requirement', value: 'pkg @ https://example.org/pkg.whl' }] },
      { name: 'urllib3', version: '2.0.1' },
    ]);
  });

  it('is the same for the same model, and holds no password', () => {
    const once = JSON.stringify(bill({ requirements: REQUIREMENTS }));

    expect(JSON.stringify(bill({ requirements: REQUIREMENTS }))).toBe(once);
    expect(once).not.toContain('secret');
    expect(bill({ requirements: 'numpy' }).serialNumber).not.toBe(bill().serialNumber);
  });

  it('says who signed the model and what handles it', () => {
    expect(bill().metadata).toMatchObject({
      component: {
        type: 'machine-learning-model',
        properties: expect.arrayContaining([
          { name: 'sconce:handler', value: 'h.py' },
          { name: 'sconce:signer', value: 'release' },
          { name: 'sconce:signer:identity', value: 'email:ann@example.org' },
        ]),
      },
    });
  });
});
