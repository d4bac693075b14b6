// A bill of materials of what a user installs: the packages of the lock file, in CycloneDX 1.5, the same bytes for the same lock file.
import { createHash } from 'node:crypto';

/** The document of a parsed lock file and package.json, without what only builds and tests. */
export function billOfMaterials(lock, manifest) {
  const root = { type: 'application', 'bom-ref': purl(manifest.name, manifest.version), name: manifest.name, version: manifest.version };
  const installed = Object.entries(lock.packages).filter(([path, { dev }]) => path !== '' && !dev);
  const components = installed
    .map(([path, { version, license, integrity, optional }]) => {
      const name = path.split('node_modules/').at(-1);
      return {
        type: 'library',
        'bom-ref': purl(name, version),
        name,
        version,
        scope: optional ? 'optional' : 'required',
        hashes: [{ alg: 'SHA-512', content: Buffer.from(integrity.replace('sha512-', ''), 'base64').toString('hex') }],
        licenses: /\s/.test(license) ? [{ expression: license.replace(/^\((.*)\)$/, '$1') }] : [{ license: { id: license } }],
        purl: purl(name, version),
      };
    })
    .sort((a, b) => (a.purl < b.purl ? -1 : 1))
    .filter(({ purl: one }, index, all) => one !== all[index - 1]?.purl);
  const rest = {
    bomFormat: 'CycloneDX',
    specVersion: '1.5',
    version: 1,
    metadata: { component: { ...root, purl: root['bom-ref'], licenses: [{ license: { id: manifest.license } }] } },
  };
  return { ...rest, serialNumber: `urn:uuid:${uuidOf(JSON.stringify([rest, components]))}`, components };
}

/** https://github.com/package-url/purl-spec: the scope's @ is encoded. */
function purl(name, version) {
  return `pkg:npm/${name.replace('@', '%40')}@${version}`;
}

/** A UUID of version 8 that the content decides. */
function uuidOf(text) {
  const hex = createHash('sha256').update(text).digest('hex');
  return [hex.slice(0, 8), hex.slice(8, 12), `8${hex.slice(13, 16)}`, `a${hex.slice(17, 20)}`, hex.slice(20, 32)].join('-');
}
