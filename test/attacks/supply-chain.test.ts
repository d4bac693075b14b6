import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const lockShape = z.looseObject({ packages: z.record(z.string(), z.record(z.string(), z.unknown())) });
type Lock = z.output<typeof lockShape>;
const manifestShape = z.looseObject({ dependencies: z.record(z.string(), z.string()), scripts: z.record(z.string(), z.string()) });
const lines = z.array(z.string());

/** A function of scripts/, which are plain JavaScript. */
async function script<Out>(file: string, name: string, gives: z.ZodType<Out>): Promise<(...args: readonly unknown[]) => Out> {
  const module: Record<string, unknown> = await import(join(ROOT, 'scripts', file));
  const made = z.instanceof(Function).parse(module[name]);
  return (...args) => gives.parse(Reflect.apply(made, undefined, args));
}

const read = (name: string): unknown => JSON.parse(readFileSync(join(ROOT, name), 'utf8'));
const lock = lockShape.parse(read('package-lock.json'));
const manifest = manifestShape.parse(read('package.json'));
const planted = (entry: Record<string, unknown>): Lock => ({ ...lock, packages: { ...lock.packages, 'node_modules/planted': entry } });
const GOOD = { version: '1.0.0', license: 'MIT', integrity: `sha512-${'A'.repeat(86)}==` };

let folder = '';
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'planted-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

describe('the package', () => {
  it('SC1 is refused with a file that nobody meant to ship, with a secret, and without what it needs', async () => {
    const contentFindings = await script('supply-chain/package.mjs', 'contentFindings', lines);
    const whole = ['bin/sconce', 'bin/torchserve', 'dist/main.js', 'python/ts/__init__.py', 'LICENSE', 'SECURITY.md'];

    expect(contentFindings(whole)).toEqual([]);
    for (const stray of ['src/main.ts', 'test/e2e/a.test.ts', 'docs/key.pem', 'python/ts/__pycache__/a.pyc', '.npmrc', 'key_file.json', 'logs/ts_log.log'])
      expect(contentFindings([...whole, stray])).toEqual([`${stray} is in the package and must not be`]);
    expect(contentFindings(whole.slice(1))).toEqual(['bin/sconce is not in the package']);
  });

  it('SC1 has no script that runs where it is installed', async () => {
    const lockfileFindings = await script('supply-chain/lockfile.mjs', 'lockfileFindings', lines);

    expect(lockfileFindings(lock, manifest)).toEqual([]);
    for (const name of ['preinstall', 'install', 'postinstall', 'prepare'])
      expect(lockfileFindings(lock, { ...manifest, scripts: { ...manifest.scripts, [name]: 'node x.js' } })).toHaveLength(1);
  });
});

describe('the lock file', () => {
  it.each([
    ['without a hash', { integrity: undefined }],
    ['with a weak hash', { integrity: 'sha1-C+6PoJzrj2gHGnUVjQUbnjJ5Mbk=' }],
    ['of a repository', { resolved: 'git+ssh://git@example.org/planted.git#1234' }],
    ['of another registry', { resolved: 'https://registry.example.org/planted-1.0.0.tgz' }],
    ['that is a link', { link: true }],
    ['with an install script', { hasInstallScript: true }],
  ])('SC2 is refused with a package %s', async (_what, change) => {
    const lockfileFindings = await script('supply-chain/lockfile.mjs', 'lockfileFindings', lines);

    expect(lockfileFindings(planted(GOOD), manifest)).toEqual([]);
    expect(lockfileFindings(planted({ ...GOOD, ...change }), manifest)).toContainEqual(expect.stringContaining('planted'));
  });

  it('SC2 is refused with a range in place of a version', async () => {
    const lockfileFindings = await script('supply-chain/lockfile.mjs', 'lockfileFindings', lines);

    for (const version of ['^1.0.0', '*', 'latest', 'github:a/b', 'file:../b'])
      expect(lockfileFindings(lock, { ...manifest, dependencies: { ...manifest.dependencies, planted: version } })).toHaveLength(1);
  });

  it('SC5 is refused with a licence that is not on the list', async () => {
    const licenceFindings = await script('supply-chain/licences.mjs', 'licenceFindings', lines);

    expect(licenceFindings(lock)).toEqual([]);
    for (const license of ['GPL-3.0-only', 'AGPL-3.0-or-later', 'SEE LICENSE IN LICENSE', undefined, 'MIT AND GPL-3.0-only', 'LGPL-3.0-or-later'])
      expect(licenceFindings(planted({ ...GOOD, license }))).toHaveLength(1);
    for (const license of ['MIT OR GPL-3.0-only', '(Apache-2.0 AND BSD-3-Clause)']) expect(licenceFindings(planted({ ...GOOD, license }))).toEqual([]);
  });

  it('SC5 is told whole in the bill of materials, which is the same twice', async () => {
    const shape = z.looseObject({ components: z.array(z.looseObject({ name: z.string(), purl: z.string() })) });
    const billOfMaterials = await script('supply-chain/sbom.mjs', 'billOfMaterials', shape);

    const bill = billOfMaterials(lock, manifest);

    const installed = Object.entries(lock.packages).filter(([path, { dev }]) => path !== '' && dev !== true);
    expect(new Set(bill.components.map(({ name }) => name))).toEqual(new Set(installed.map(([path]) => path.split('node_modules/').at(-1))));
    expect(JSON.stringify(billOfMaterials(lock, manifest))).toBe(JSON.stringify(bill));
  });
});

describe('the static analyser', () => {
  const SAMPLES = [
    ['eval.ts', 'export const run = (text: string) => eval(text);', 'no-code-from-text'],
    ['shell.ts', "import { exec } from 'node:child_process';\nexec('ls ' + process.argv[2]);", 'no-shell'],
    ['yaml.ts', "import YAML from 'yaml';\nexport const read = (text: string) => YAML.parse(text);", 'no-unbounded-yaml'],
    ['pickle_it.py', 'import pickle\n\n\ndef read(body):\n    return pickle.loads(body)\n', 'no-unpickling'],
    ['yaml_it.py', 'import yaml\n\n\ndef read(text):\n    return yaml.load(text)\n', 'no-unsafe-yaml'],
  ] as const;

  it('SC3 finds forbidden calls in planted code, and none in harmless code', async () => {
    const { ensure, findings } = await analysers();
    ensure();
    for (const [name, text] of SAMPLES) writeFileSync(join(folder, name), text);
    const harmless = join(folder, 'harmless');
    mkdirSync(harmless);
    writeFileSync(join(harmless, 'fine.ts'), "export const found = /a/.exec('abc');\n");

    const found = findings('code', [folder]);

    for (const [, , rule] of SAMPLES) expect(found).toContain(rule);
    expect(findings('code', [harmless])).toBe('');
  });

  it.each([
    ['an action that is not pinned', 'permissions: {}', '- uses: actions/checkout@v4\n        with: { persist-credentials: false }', 'unpinned-uses'],
    ['all permissions', 'permissions: write-all', '- run: npm ci', 'excessive-permissions'],
    ['words of a stranger in a script', 'permissions: {}', `- run: echo "${'$'}{{ github.event.pull_request.title }}"`, 'template-injection'],
  ])('SC4 finds a workflow with %s', async (_what, permissions, step, rule) => {
    const { ensure, findings } = await analysers();
    ensure();
    const file = join(folder, `${rule}.yml`);
    writeFileSync(file, `name: planted\non: pull_request\n${permissions}\njobs:\n  a:\n    runs-on: ubuntu-24.04\n    steps:\n      ${step}\n`);

    expect(findings('workflow', [file])).toContain(rule);
  });
});

async function analysers() {
  const file = 'check-security.mjs';
  const ensure = await script(file, 'ensureAnalysers', z.undefined());
  const [code, workflow] = [await script(file, 'codeFindings', z.string()), await script(file, 'workflowFindings', z.string())];
  return { ensure, findings: (kind: 'code' | 'workflow', paths: readonly string[]) => (kind === 'code' ? code : workflow)(paths) };
}
