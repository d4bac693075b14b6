// What comes with Sconce and what it ships: the lock file's rules, licences, and a package that is the same twice. `--sbom` prints the bill of materials.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { licenceFindings } from './supply-chain/licences.mjs';
import { lockfileFindings } from './supply-chain/lockfile.mjs';
import { contentFindings, packOnce } from './supply-chain/package.mjs';
import { billOfMaterials } from './supply-chain/sbom.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const read = (name) => JSON.parse(readFileSync(join(root, name), 'utf8'));
const [lock, manifest] = [read('package-lock.json'), read('package.json')];

if (process.argv.includes('--sbom')) {
  console.log(JSON.stringify(billOfMaterials(lock, manifest), undefined, 2));
} else {
  const [first, second] = [packOnce(root), packOnce(root)];
  const found = [...lockfileFindings(lock, manifest), ...licenceFindings(lock), ...contentFindings(first.files)];
  if (first.sha256 !== second.sha256) found.push('two packages of the same sources differ');
  for (const line of found) console.error(line);
  if (found.length > 0) process.exit(1);
  const { components } = billOfMaterials(lock, manifest);
  console.log(
    `supply chain: ${components.length} packages for users, all with hash and licence; the package has ${first.files.length} files and the same bytes twice`,
  );
}
