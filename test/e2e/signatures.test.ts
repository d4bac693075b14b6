import { spawnSync } from 'node:child_process';
import { copyFileSync, cpSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import x509 from '@peculiar/x509';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { archive } from '../fixtures/archives.js';
import { ecKey, issue } from '../fixtures/certificate-authority.js';
import { ensureModelSigningTool, modelSigning } from '../fixtures/model-signing-tool.js';
import { lay } from '../fixtures/packing.js';
import { ROOT } from '../fixtures/python-workers.js';
import { OwnSigstore } from '../fixtures/sigstore.js';
import { RunningServer } from './running-server.js';

const server = new RunningServer();
const MODEL = {
  'handler.mjs': 'export const handle = (requests) => requests.map((request) => request.text().toUpperCase());\n',
  'labels/a.txt': 'a',
  'é.txt': '',
};
const POLICY = `signers:
  - {name: release, key: release.pub}
  - {name: p384, key: p384.pub, models: ['p384*', 'ours-p384']}
  - {name: p521, key: p521.pub, models: 'p521*'}
  - {name: ca, certificates: {roots: ca.pem, names: 'email:*@example.org'}}
  - {name: ci, sigstore: {trustedRoot: trusted_root.json, identities: [{name: 'https://example.org/ci', issuer: 'https://issuer.example'}]}}
unsigned: ['free-*']
`;
const sigstore = new OwnSigstore();

function sconce(...args: readonly string[]) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [join(ROOT, 'bin', 'sconce'), ...args], { cwd: server.folder, encoding: 'utf8' });
  return { status, stdout, stderr };
}

async function register(url: string): Promise<string> {
  const { status, headers, text } = await server.manage('POST', `/models?url=${url}&initial_workers=1&synchronous=true`);
  return status === 200 ? 'served' : `${status} ${headers['x-sconce-reason']}: ${text}`;
}

async function ask(model: string): Promise<string> {
  return (await server.predict(model, { body: 'hello', headers: { 'content-type': 'text/plain' } })).text;
}

/** A model's folder in the store, of a name of its own. */
function model(name: string): string {
  return lay(join(server.store, name), { ...MODEL, 'MAR-INF/MANIFEST.json': JSON.stringify({ model: { modelName: name, handler: 'handler.mjs' } }) });
}

/** Packs a folder without a signature, and unpacks nothing. */
function packed(name: string): string {
  const folder = lay(join(server.folder, 'models', name), MODEL);
  expect(sconce('pack', folder, '-o', 'store/', '-q')).toEqual({ status: 0, stdout: '', stderr: '' });
  return join(server.store, `${name}.mar`);
}

beforeAll(async () => {
  ensureModelSigningTool();
  expect(sconce('keygen', 'release').status).toBe(0);
  for (const [name, curve] of [
    ['p384', 'P-384'],
    ['p521', 'P-521'],
  ] as const) {
    const { privateKey, pem } = ecKey(curve);
    writeFileSync(join(server.folder, `${name}.key`), privateKey.export({ type: 'sec1', format: 'pem' }));
    writeFileSync(join(server.folder, `${name}.pub`), pem);
  }
  const root = await issue({ subject: 'CN=root', isAuthority: true });
  const middle = await issue({ subject: 'CN=middle', isAuthority: true, pathLength: 0 }, root);
  const names = [{ type: 'email', value: 'ann@example.org' }] as const;
  const ann = await issue({ subject: 'CN=ann', names: [...names], extendedUsages: [x509.ExtendedKeyUsage.codeSigning] }, middle);
  for (const [file, text] of Object.entries({ 'ca.pem': root.pem, 'middle.pem': middle.pem, 'ann.pem': ann.pem, 'ann.key': ann.keyPem }))
    writeFileSync(join(server.folder, file), text);
  writeFileSync(join(server.folder, 'trusted_root.json'), await sigstore.trustedRoot());
  writeFileSync(join(server.folder, 'trust.yaml'), POLICY);
  await server.start({ config: { sconce_trust_policy: 'trust.yaml' } });
}, 400_000);

afterAll(() => server.dispose());

describe('a server with a trust policy', () => {
  it('runs in its threads only what is signed by somebody trusted, and what isn’t in processes', async () => {
    const folder = lay(join(server.folder, 'models', 'vouched'), MODEL);
    expect(sconce('pack', folder, '-o', 'store/', '-q', '--sign-key', 'release.key').status).toBe(0);
    packed('free-rider');
    expect([await register('vouched.mar'), await register('free-rider.mar')]).toEqual(['served', 'served']);

    const [[signed], [unsigned]] = await Promise.all(
      ['vouched', 'free-rider'].map(async (name) => JSON.parse((await server.manage('GET', `/models/${name}?sandbox=true`)).text)),
    );

    expect([signed.isolation, signed.workers[0].pid]).toEqual(["thread: it is the operator's own", -1]);
    expect(unsigned.isolation).toBe('process: it is not signed by anybody trusted');
    expect(unsigned.workers[0].pid).toBeGreaterThan(0);
    expect([await ask('vouched'), await ask('free-rider')]).toEqual(['HELLO', 'HELLO']);
  });

  it('says at start that only trusted models are served', async () => {
    await server.outputHas('signatures: only models that trust.yaml trusts are served');
  });

  it('serves what `sconce pack --sign-key` made, and tells who signed it in the description and the log', async () => {
    const folder = lay(join(server.folder, 'models', 'shout'), MODEL);
    expect(sconce('pack', folder, '-o', 'store/', '-q', '--sign-key', 'release.key').status).toBe(0);

    expect(await register('shout.mar')).toBe('served');

    expect(await ask('shout')).toBe('HELLO');
    expect((await server.manage('GET', '/models/shout')).json()).toMatchObject([{ signature: { state: 'verified', signer: 'release', subject: 'shout@1.0' } }]);
    await server.outputHas('Model shout 1.0 is verified: signer release');
  });

  it('refuses what is not signed with 403, a reason and the way to permit it, and serves it where the policy does', async () => {
    packed('quiet');
    copyFileSync(packed('free-quiet'), join(server.store, 'free.mar'));

    expect(await register('quiet.mar')).toMatch(/^403 signature_missing: .*`sconce sign` makes one, or list quiet as unsigned in .*trust.yaml/s);
    expect(await register('free.mar')).toBe('served');

    expect(await ask('free-quiet')).toBe('HELLO');
    expect((await server.manage('GET', '/models/free-quiet')).json()).toMatchObject([{ signature: { state: 'permitted' } }]);
  });

  it('refuses an unsigned workflow, whose functions are code too', async () => {
    const folder = lay(join(server.folder, 'wf'), {
      'workflow.yaml': 'models:\n  m:\n    url: free.mar\ndag:\n  pre: [m]\n',
      'functions.py': 'def pre(data, context):\n    return data\n',
    });
    const made = spawnSync(
      join(ROOT, 'bin', 'torch-workflow-archiver'),
      ['--workflow-name', 'wf', '--spec-file', 'workflow.yaml', '--handler', 'functions.py', '--export-path', server.store],
      { cwd: folder },
    );
    expect(made.status).toBe(0);

    const refused = await server.manage('POST', '/workflows?url=wf.war');

    expect([refused.status, refused.headers['x-sconce-reason']]).toEqual([403, 'signature_missing']);
    expect(sconce('sign', 'store/wf.war', '--key', 'release.key').status).toBe(0);
    expect((await server.manage('POST', '/workflows?url=wf.war')).status).toBe(200);
  });

  it('still answers', async () => {
    expect(await ask('shout')).toBe('HELLO');
  });
});

describe('the signing tool of PyPI', () => {
  it.each([
    ['release', 'tool-p256'],
    ['p384', 'p384-tool'],
    ['p521', 'p521-tool'],
  ])('signs a folder with the key %s, and it is served', async (key, name) => {
    const folder = model(name);
    const signed = modelSigning(
      server.folder,
      'sign',
      'key',
      folder,
      '--private_key',
      `${key}.key`,
      '--signature',
      join(folder, 'model.sig'),
      '--ignore-paths',
      join(folder, 'model.sig'),
    );
    expect(signed).toEqual({ status: 0, output: 'Signing succeeded\n' });

    expect(await register(name)).toBe('served');

    expect(await ask(name)).toBe('HELLO');
  });

  it('signs the file of an archive, and it is served; with one byte changed it is not', async () => {
    const file = packed('tool-file');
    expect(modelSigning(server.folder, 'sign', 'key', file, '--private_key', 'release.key', '--signature', `${file}.sig`).status).toBe(0);
    const good = readFileSync(file);

    const bad = Buffer.from(good);
    bad[40] = (bad[40] ?? 0) ^ 1;
    writeFileSync(file, bad);
    expect(await register('tool-file.mar')).toMatch(/^403 signature_mismatch/);
    writeFileSync(file, good);

    expect(await register('tool-file.mar')).toBe('served');
  });

  it('signs an unpacked archive, which is served with that signature beside it', async () => {
    const file = packed('tool-tree');
    const unpacked = join(server.folder, 'tool-tree');
    mkdirSync(unpacked);
    expect(spawnSync('python3', ['-m', 'zipfile', '-e', file, unpacked]).status).toBe(0);
    expect(modelSigning(server.folder, 'sign', 'key', unpacked, '--private_key', 'release.key', '--signature', `${file}.sig`).status).toBe(0);

    expect(await register('tool-tree.mar')).toBe('served');
  });

  it('signs with a certificate, and it is served under the name in it', async () => {
    const folder = model('tool-cert');
    const args = ['--private_key', 'ann.key', '--signing_certificate', 'ann.pem', '--certificate_chain', 'middle.pem', '--certificate_chain', 'ca.pem'];
    expect(modelSigning(server.folder, 'sign', 'certificate', folder, ...args, '--signature', `${folder}.sig`)).toMatchObject({ status: 0 });

    expect(await register('tool-cert')).toBe('served');

    expect((await server.manage('GET', '/models/tool-cert')).json()).toMatchObject([{ signature: { signer: 'ca', identity: 'email:ann@example.org' } }]);
  });

  it.each(['release', 'p384', 'p521'])('verifies what `sconce sign` signs with the key %s: a folder, a file and an archive from inside', (key) => {
    const folder = lay(join(server.folder, 'ours', key), MODEL);
    expect(sconce('sign', folder, '--key', `${key}.key`).status).toBe(0);
    const file = packed(`ours-${key}`);
    expect(sconce('sign', file, '--key', `${key}.key`).status).toBe(0);
    const inside = join(server.folder, `${key}-inside.mar`);
    expect(sconce('sign', file, '--inside', '--key', `${key}.key`, '-o', inside).status).toBe(0);
    const unpacked = join(server.folder, 'unpacked', key);
    mkdirSync(unpacked, { recursive: true });
    expect(spawnSync('python3', ['-m', 'zipfile', '-e', inside, unpacked]).status).toBe(0);

    for (const [target, signature] of [
      [folder, join(folder, 'MAR-INF', 'model.sig')],
      [file, `${file}.sig`],
      [unpacked, join(unpacked, 'MAR-INF', 'model.sig')],
    ] as const) {
      const verify = () => modelSigning(server.folder, 'verify', 'key', target, '--signature', signature, '--public_key', `${key}.pub`);
      expect(verify()).toEqual({ status: 0, output: 'Verification succeeded\n' });
      const changed = target === file ? file : join(target, 'labels', 'a.txt');
      const good = readFileSync(changed);
      writeFileSync(changed, Buffer.concat([good, Buffer.from('x')]));
      expect(verify().status).toBe(1);
      writeFileSync(changed, good);
    }
  });

  it('verifies what `sconce sign` signs with a certificate', () => {
    const folder = lay(join(server.folder, 'ours', 'cert'), MODEL);
    expect(sconce('sign', folder, '--key', 'ann.key', '--cert', 'ann.pem', '--chain', 'middle.pem', '-o', 'cert.sig').status).toBe(0);

    expect(modelSigning(server.folder, 'verify', 'certificate', folder, '--signature', 'cert.sig', '--certificate_chain', 'ca.pem').status).toBe(0);
    expect(sconce('verify', folder, '--signature', 'cert.sig', '--roots', 'ca.pem', '--cert-name', 'email:*@example.org', '--name', 'cert').status).toBe(0);
    expect(sconce('verify', folder, '--signature', 'cert.sig', '--roots', 'ca.pem', '--cert-name', 'email:*@example.com').status).toBe(1);
  });

  it('and Sconce agree on a keyless signature against a trusted root on disk', async () => {
    const folder = model('keyless');
    expect(sconce('sign', folder, '--key', 'release.key', '--beside').status).toBe(0);
    const { dsseEnvelope } = JSON.parse(readFileSync(`${folder}.sig`, 'utf8'));
    const bundle = await sigstore.signed(Buffer.from(dsseEnvelope.payload, 'base64'), { name: 'https://example.org/ci', issuer: 'https://issuer.example' });
    writeFileSync(`${folder}.sig`, JSON.stringify(bundle));
    const trusted: unknown = JSON.parse(readFileSync(join(server.folder, 'trusted_root.json'), 'utf8'));
    const services = { caUrls: [], oidcUrls: [], rekorTlogUrls: [], tsaUrls: [], rekorTlogConfig: { selector: 'ANY' }, tsaConfig: { selector: 'ANY' } };
    const signingConfig = { mediaType: 'application/vnd.dev.sigstore.signingconfig.v0.2+json', ...services };
    writeFileSync(
      join(server.folder, 'client.json'),
      JSON.stringify({ mediaType: 'application/vnd.dev.sigstore.clienttrustconfig.v0.1+json', trustedRoot: trusted, signingConfig }),
    );
    const verify = (identity: string) =>
      modelSigning(
        server.folder,
        ...['verify', 'sigstore', folder, '--signature', `${folder}.sig`, '--trust_config', 'client.json'],
        ...['--identity', identity, '--identity_provider', 'https://issuer.example'],
      );

    expect(verify('https://example.org/ci')).toEqual({ status: 0, output: expect.stringContaining('Verification succeeded') });
    expect(verify('https://example.org/other').status).toBe(1);
    expect(await register('keyless')).toBe('served');
    expect((await server.manage('GET', '/models/keyless')).json()).toMatchObject([
      { signature: { signer: 'ci', identity: 'https://example.org/ci (https://issuer.example)' } },
    ]);
  });
});

describe('sconce verify', () => {
  it('gives 0 and who signed, 1 and why not, and 2 for a wrong call; as JSON too', () => {
    const file = packed('told');
    expect(sconce('sign', file, '--key', 'release.key').stdout).toBe('store/told.mar.sig: the signature, as told@1.0, over 1 file\n');

    expect(sconce('verify', 'store/told.mar', '--key', 'release.pub')).toMatchObject({
      status: 0,
      stdout: expect.stringContaining('told 1.0 is verified by release.pub'),
    });
    expect(JSON.parse(sconce('verify', file, '--trust-policy', 'trust.yaml', '--json').stdout)).toMatchObject({
      name: 'told',
      signature: { state: 'verified', signer: 'release' },
    });
    expect(sconce('verify', file, '--key', 'p384.pub')).toMatchObject({
      status: 1,
      stdout: '',
      stderr: expect.stringContaining('is refused (untrusted): it is by the key'),
    });
    expect(sconce('verify', file, '--key', 'release.pub', '--name', 'other')).toMatchObject({ status: 1, stderr: expect.stringContaining('(other_model)') });
    expect(sconce('verify', file, '--unknown').status).toBe(2);
    expect(sconce('verify', 'nowhere.mar', '--key', 'release.pub')).toMatchObject({
      status: 1,
      stderr: 'nowhere.mar is not there.\n'.replace(/^.*$/m, `There is no model at ${join(server.folder, 'nowhere.mar')}.`),
    });
  });

  it('never writes over a key, and keeps it to its owner', () => {
    expect(sconce('keygen', 'release').status).toBe(1);
    expect(existsSync(join(server.folder, 'release.key'))).toBe(true);
  });
});

describe('a server that only warns', () => {
  it('serves what nobody trusted has signed, and says so', async () => {
    const warning = new RunningServer();
    try {
      cpSync(packed('warned'), join(warning.store, 'warned.mar'));
      await warning.start({ config: { sconce_signatures: 'warn' }, args: ['--models', 'warned=warned.mar'] });

      expect((await warning.manage('GET', '/models/warned')).json()).toMatchObject([{ signature: { state: 'unverified', why: 'it has no signature' } }]);
      await warning.outputHas('Model warned 1.0 is served and not verified: it has no signature');
      await warning.outputHas('sconce_signatures=require refuses them');
    } finally {
      await warning.dispose();
    }
  });

  it('that asks for signatures and names nobody does not start', async () => {
    const none = new RunningServer();
    try {
      await expect(none.start({ config: { sconce_signatures: 'require' } })).rejects.toThrow('sconce_signatures=require needs sconce_trust_policy');
    } finally {
      await none.dispose();
    }
  });
});

describe('the bill of materials', () => {
  it('lists the files of a served model with their hashes, its requirements and its signer, also at the command line', async () => {
    const file = await archive(server.store, {
      name: 'billed',
      handler: 'echo.py',
      files: { 'requirements.txt': 'numpy==2.1.0\nrequests[socks]>=2\n' },
      model: { requirementsFile: 'requirements.txt' },
    });
    expect(sconce('sign', join(server.store, file), '--key', 'release.key').status).toBe(0);
    expect(await register(file)).toBe('served');

    const bill = await server.manage('GET', '/models/billed/1.0/sbom');

    expect([bill.status, bill.headers['content-type']]).toEqual([200, 'application/vnd.cyclonedx+json; version=1.6']);
    expect(bill.json()).toMatchObject({
      bomFormat: 'CycloneDX',
      specVersion: '1.6',
      metadata: { component: { name: 'billed', version: '1.0', properties: expect.arrayContaining([{ name: 'sconce:signer', value: 'release' }]) } },
      components: expect.arrayContaining([
        expect.objectContaining({ type: 'file', name: 'echo.py' }),
        expect.objectContaining({ type: 'library', purl: 'pkg:pypi/numpy@2.1.0' }),
        expect.objectContaining({ name: 'requests', purl: 'pkg:pypi/requests' }),
      ]),
    });
    const printed = sconce('sbom', 'billed', '--management', server.management);
    expect(JSON.parse(printed.stdout)).toEqual(bill.json());
    expect((await server.manage('GET', '/models/nobody/1.0/sbom')).status).toBe(404);
    rmSync(join(server.store, file));
  });
});
