import { createHash, createPrivateKey, sign } from 'node:crypto';
import { copyFileSync, mkdirSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { Socket } from 'node:net';
import { basename, dirname, join } from 'node:path';
import { Worker } from 'node:worker_threads';
import x509 from '@peculiar/x509';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { hintOf } from '../../src/authenticity/ec-key.js';
import { type Credentials, signModel } from '../../src/authenticity/sign.js';
import { signedBytes } from '../../src/authenticity/signed-by.js';
import { SconceError } from '../../src/errors/sconce-error.js';
import type { UnpackOutcome, UnpackTask } from '../../src/models/unpack/unpack-thread.js';
import { TaskPool, threadEntry } from '../../src/threads/task-pool.js';
import { type CertificateWish, ecKey, type Issued, issue } from '../fixtures/certificate-authority.js';
import { buildThreads } from '../fixtures/driven-runner.js';
import { lay } from '../fixtures/packing.js';
import { type SignatureJson, SigningBench } from '../fixtures/signing-bench.js';
import { der, OwnSigstore } from '../fixtures/sigstore.js';

const SOURCES = new URL('../../src/models/', import.meta.url).href;
let pool: TaskPool<UnpackTask, UnpackOutcome>;
let bench: SigningBench;

beforeAll(() => {
  buildThreads();
  pool = new TaskPool(threadEntry('./unpack/unpack-thread.js', `${SOURCES}archive-cache.ts`), 1);
});

afterAll(() => pool.stop());

beforeEach(() => {
  bench = new SigningBench(pool);
});

/** What every attack ends with: an honest signed model is still served. */
afterEach(async () => {
  bench.trust('signers: [{name: release, key: release.pub}]\n');
  await bench.sign(await bench.archive('honest'));
  expect((await bench.admit('honest.mar')).signature).toMatchObject({ state: 'verified', signer: 'release', subject: 'honest@1.0' });
  bench.close();
});

/** Signs a statement that no decent tool makes. */
function signStatement(file: string, change: (statement: StatementJson) => unknown): void {
  bench.rewrite(file, (bundle) => {
    const statement: StatementJson = JSON.parse(Buffer.from(bundle.dsseEnvelope.payload, 'base64').toString());
    const changed = change(statement) ?? statement;
    resign(bundle, Buffer.from(JSON.stringify(changed)));
  });
}

function resign({ dsseEnvelope }: SignatureJson, payload: Buffer): void {
  dsseEnvelope.payload = payload.toString('base64');
  dsseEnvelope.signatures = [{ sig: sign('sha256', signedBytes({ payload }), bench.key.privateKey).toString('base64'), keyid: '' }];
}

interface StatementJson {
  _type: string;
  subject: { name: string; digest: { sha256: string } }[];
  predicateType: string;
  predicate: { resources: { name: string; algorithm: string; digest: string }[]; serialization: Record<string, unknown>; sconce?: unknown };
}

/** Makes the digest over the resources fit again. */
function fitting(statement: StatementJson): StatementJson {
  const root = createHash('sha256');
  for (const { digest } of statement.predicate.resources) root.update(Buffer.from(digest, 'hex'));
  const [subject] = statement.subject;
  if (subject !== undefined) subject.digest.sha256 = root.digest('hex');
  return statement;
}

/** A folder in the store, signed inside; gives the path of the signature. */
async function signedFolder(files: Readonly<Record<string, string>> = { 'handler.mjs': 'export const handle = () => [];' }): Promise<string> {
  return (await bench.sign(lay(join(bench.store, 'm'), files))).output;
}

describe('SG1 one changed byte', () => {
  it.each([
    ['of an archive signed beside', 'beside', (path: string) => path],
    ['of an archive signed inside', 'inside', (path: string) => path],
    ['of a signature beside', 'beside', (path: string) => `${path}.sig`],
  ] as const)('SG1 %s is refused, wherever it is', async (_, place, target) => {
    const path = await bench.archive();
    await bench.sign(path, { place });
    const intake = bench.intake();
    const file = target(path);
    const good = readFileSync(file);

    for (let time = 0; time < 200; time += 1) {
      const bad = Buffer.from(good);
      const at = Math.floor(Math.random() * bad.length);
      bad[at] = (bad[at] ?? 0) ^ (1 + Math.floor(Math.random() * 255));
      writeFileSync(file, bad);
      const outcome = await intake.admit({ url: 'echo.mar' }).then(
        () => 'served',
        (error: unknown) => (error instanceof SconceError ? error.rendering.http : error),
      );
      expect([at, bad[at], outcome]).toEqual([at, bad[at], 403]);
    }

    writeFileSync(file, good);
    expect((await intake.admit({ url: 'echo.mar' })).signature?.state).toBe('verified');
  });

  it('SG1 of a file in a signed folder is refused', async () => {
    await signedFolder({ 'handler.mjs': 'x', 'MAR-INF/MANIFEST.json': '{"model": {"modelName": "m", "handler": "handler.mjs"}}' });
    for (const name of ['handler.mjs', 'MAR-INF/MANIFEST.json']) {
      const file = join(bench.store, 'm', name);
      const good = readFileSync(file, 'utf8');

      writeFileSync(file, `${good} `);

      expect(await bench.refusal('m')).toBe('403 signature_mismatch');
      writeFileSync(file, good);
    }
    expect((await bench.admit('m')).signature?.state).toBe('verified');
  });
});

describe('SG2 a signature that is none', () => {
  it.each<[string, string, (bundle: SignatureJson) => unknown]>([
    [
      'has no signatures',
      'unreadable',
      ({ dsseEnvelope }) => {
        dsseEnvelope.signatures = [];
      },
    ],
    ['has two, of which one is bad', 'unreadable', ({ dsseEnvelope }) => void dsseEnvelope.signatures.push({ sig: 'AAAA', keyid: '' })],
    ['has an unknown media type', 'unreadable', (bundle) => ({ ...bundle, mediaType: 'application/vnd.dev.sigstore.bundle.v0.9+json' })],
    [
      'has another payload type',
      'unreadable',
      ({ dsseEnvelope }) => {
        dsseEnvelope.payloadType = 'application/json';
      },
    ],
    [
      'has an empty signature',
      'unreadable',
      ({ dsseEnvelope }) => {
        dsseEnvelope.signatures = [{ sig: '', keyid: '' }];
      },
    ],
    ['has keys that nobody knows', 'unreadable', (bundle) => ({ ...bundle, more: 1 })],
    ['names nobody', 'unreadable', (bundle) => ({ ...bundle, verificationMaterial: { tlogEntries: [] } })],
  ])('SG2 that %s is refused', async (_, word, change) => {
    const path = await bench.archive();
    const { output } = await bench.sign(path);

    bench.rewrite(output, change);

    expect(await bench.refusal('echo.mar')).toBe(`403 signature_${word}`);
  });

  it('SG2 that was taken away is missed', async () => {
    const path = await bench.archive();
    const { output } = await bench.sign(path);

    rmSync(output);

    expect(await bench.refusal('echo.mar')).toBe('403 signature_missing');
  });

  it('SG2 of version 0.x is refused, and the message says what to do', async () => {
    const { output } = await bench.sign(await bench.archive());
    signStatement(output, (statement) => ({ ...statement, predicateType: 'https://model_signing/Digests/v0.1' }));

    const refused = bench.admit('echo.mar');

    await expect(refused).rejects.toThrow('re-sign the model with model-signing 1.0 or `sconce sign`');
    expect(await bench.refusal('echo.mar')).toBe('403 signature_outdated');
  });

  it.each<[string, (statement: StatementJson) => unknown]>([
    ['two subjects', (statement) => void statement.subject.push({ name: 'other', digest: { sha256: '00' } })],
    [
      'no subject',
      (statement) => {
        statement.subject = [];
      },
    ],
    ['another type of statement', (statement) => ({ ...statement, _type: 'https://in-toto.io/Statement/v0.1' })],
    [
      'a hash that is none',
      (statement) => {
        statement.predicate.serialization.hash_type = 'md5';
      },
    ],
  ])('SG2 over a statement with %s is refused', async (_, change) => {
    const { output } = await bench.sign(await bench.archive());

    signStatement(output, change);

    expect(await bench.refusal('echo.mar')).toBe('403 signature_unreadable');
  });

  it('SG2 whose digest is not that of its resources is refused', async () => {
    const { output } = await bench.sign(await bench.archive());

    signStatement(output, ({ subject }) => {
      if (subject[0] !== undefined) subject[0].digest.sha256 = '00'.repeat(32);
    });

    expect(await bench.refusal('echo.mar')).toBe('403 signature_invalid');
  });
});

describe('SG3 a good signature for something else', () => {
  it('SG3 of model A does not let it be served as B, whether its archive is renamed, registered under another name, or only its signature is taken', async () => {
    const path = await bench.archive('a');
    const { output } = await bench.sign(path);
    copyFileSync(path, join(bench.store, 'b.mar'));
    copyFileSync(output, join(bench.store, 'b.mar.sig'));
    const other = await bench.archive('c');
    copyFileSync(output, `${other}.sig`);

    expect((await bench.admit('b.mar')).name).toBe('a');
    expect(await bench.refusal('b.mar', 'b')).toBe('403 signature_other_model');
    expect(await bench.refusal('c.mar')).toBe('403 signature_mismatch');
  });

  it('SG3 of an older version is refused where the policy names the oldest that is taken', async () => {
    await bench.sign(await bench.archive('a', '1.9'));
    await bench.sign(await bench.archive('a', '1.10'));
    await bench.sign(await bench.archive('a', '1.10-beta'));
    bench.trust("signers: [{name: release, key: release.pub, minimumVersions: {'a*': '1.10'}}]\n");

    expect(await bench.refusal('a-1.9.mar')).toBe('403 signature_old_version');
    expect(await bench.refusal('a-1.10-beta.mar')).toBe('403 signature_old_version');
    expect((await bench.admit('a-1.10.mar')).signature?.state).toBe('verified');
  });

  it('SG3 of a name and version that the manifest does not have is refused', async () => {
    await bench.sign(await bench.archive('a'), { version: '2.0' });

    expect(await bench.refusal('a.mar')).toBe('403 signature_other_model');
  });
});

describe('SG4 files that are not those that were signed', () => {
  it('SG4 one more file is refused, an empty folder too', async () => {
    await signedFolder();
    writeFileSync(join(bench.store, 'm', 'payload.mjs'), 'x');
    expect(await bench.refusal('m')).toBe('403 signature_mismatch');
    rmSync(join(bench.store, 'm', 'payload.mjs'));

    expect((await bench.admit('m')).signature?.state).toBe('verified');
  });

  it('SG4 one file less is refused', async () => {
    await signedFolder({ 'a.txt': 'a', 'b.txt': 'b' });

    rmSync(join(bench.store, 'm', 'b.txt'));

    expect(await bench.refusal('m')).toBe('403 signature_mismatch');
  });

  it('SG4 the statement cannot leave paths out', async () => {
    const output = await signedFolder();
    writeFileSync(join(bench.store, 'm', 'payload.mjs'), 'x');

    signStatement(output, ({ predicate }) => {
      predicate.serialization.ignore_paths = ['payload.mjs', '.', 'MAR-INF/model.sig'];
    });

    expect(await bench.refusal('m')).toBe('403 signature_mismatch');
  });

  it.each(['../x', '/etc/passwd', 'a/../handler.mjs', './handler.mjs', 'a//b', 'a\\b', 'a\u0000b', '', 'a/.'])(
    'SG4 a resource called %j is refused',
    async (name) => {
      const output = await signedFolder();

      signStatement(output, (statement) => {
        const [first] = statement.predicate.resources;
        if (first !== undefined) statement.predicate.resources.push({ ...first, name });
        return fitting(statement);
      });

      expect(await bench.refusal('m')).toBe('403 signature_unreadable');
    },
  );

  it('SG4 a resource that stands twice is refused, with the same digest or another', async () => {
    const output = await signedFolder();

    signStatement(output, (statement) => {
      const [first] = statement.predicate.resources;
      if (first !== undefined) statement.predicate.resources.push({ ...first, digest: '00'.repeat(32) });
      return fitting(statement);
    });

    expect(await bench.refusal('m')).toBe('403 signature_unreadable');
  });

  it('SG4 a link in a folder is refused, though what it leads to was signed', async () => {
    await signedFolder();
    renameSync(join(bench.store, 'm', 'handler.mjs'), join(bench.folder, 'elsewhere.mjs'));
    symlinkSync(join(bench.folder, 'elsewhere.mjs'), join(bench.store, 'm', 'handler.mjs'));

    expect(await bench.refusal('m')).toBe('403 signature_mismatch');
  });

  it('SG4 files beside a lone model, which its signature does not cover, are refused', async () => {
    const path = join(bench.store, 'double.onnx');
    copyFileSync(join(dirname(new URL(import.meta.url).pathname), '..', 'fixtures', 'onnx', 'double.onnx'), path);
    await bench.sign(path);
    expect((await bench.admit('double.onnx')).signature?.state).toBe('verified');

    writeFileSync(join(bench.store, 'double.yaml'), 'batchSize: 4\n');

    expect(await bench.refusal('double.onnx')).toBe('403 signature_mismatch');
  });

  it('AR13 .git/payload.py and .gitignore, which the format leaves out by default, are refused in a signed model', async () => {
    const output = await signedFolder();
    signStatement(output, ({ predicate }) => {
      predicate.serialization.ignore_paths = ['.git', '.github', '.gitignore', '.gitattributes', 'MAR-INF/model.sig'];
    });
    for (const name of ['.git/payload.py', '.gitignore', '.github/x', '.gitattributes']) {
      lay(join(bench.store, 'm'), { [name]: 'x' });

      expect([name, await bench.refusal('m')]).toEqual([name, '403 signature_mismatch']);
      rmSync(join(bench.store, 'm', name.split('/')[0] ?? name), { recursive: true });
    }
    expect((await bench.admit('m')).signature?.state).toBe('verified');
  });
});

describe('SG5 signers who are not trusted', () => {
  it('SG5 another key is refused, and so is its signature with the hint of a trusted one', async () => {
    const other = ecKey();
    const { output } = await bench.sign(await bench.archive(), { credentials: { key: other.privateKey, chain: [] } });

    expect(await bench.refusal('echo.mar')).toBe('403 signature_untrusted');
    bench.rewrite(output, ({ verificationMaterial }) => {
      verificationMaterial.publicKey = { hint: hintOf(bench.key.publicKey) };
    });
    expect(await bench.refusal('echo.mar')).toBe('403 signature_invalid');
    bench.rewrite(output, ({ verificationMaterial }) => {
      verificationMaterial.publicKey = { hint: '' };
    });
    expect(await bench.refusal('echo.mar')).toBe('403 signature_untrusted');
  });

  it('SG5 a signer who is not trusted with models of that name is refused', async () => {
    await bench.sign(await bench.archive());
    bench.trust("signers: [{name: release, key: release.pub, models: ['cats*']}]\n");

    expect(await bench.refusal('echo.mar')).toBe('403 signature_untrusted');
  });

  const CODE: CertificateWish = {
    subject: 'CN=signer',
    names: [{ type: 'email', value: 'ann@example.org' }],
    extendedUsages: [x509.ExtendedKeyUsage.codeSigning],
  };

  async function signedBy(leaf: Issued, others: readonly Issued[], roots: readonly Issued[], more = ''): Promise<void> {
    writeFileSync(join(bench.folder, 'roots.pem'), roots.map(({ pem }) => pem).join(''));
    bench.trust(`signers: [{name: ca, certificates: {roots: roots.pem, names: ['email:*@example.org']${more}}}]\n`);
    const chain = [leaf, ...others].map(({ certificate }) => Buffer.from(certificate.rawData));
    const credentials: Credentials = { key: createPrivateKey(leaf.keyPem), chain };
    await bench.sign(await bench.archive(), { credentials });
  }

  it('SG5 a certificate of a trusted authority is taken, by way of an intermediate one, on each curve', async () => {
    const root = await issue({ subject: 'CN=root', isAuthority: true });
    const middle = await issue({ subject: 'CN=middle', isAuthority: true, pathLength: 0 }, root);
    for (const curve of ['P-256', 'P-384', 'P-521'] as const) {
      await signedBy(await issue({ ...CODE, curve }, middle), [middle], [root]);

      expect((await bench.admit('echo.mar')).signature).toMatchObject({ state: 'verified', signer: 'ca', identity: 'email:ann@example.org' });
    }
  });

  it.each<[string, string, (root: Issued) => Promise<readonly [Issued, ...Issued[]]>]>([
    ['that has expired', 'is not valid at', async (root) => [await issue({ ...CODE, from: -20, until: -10 }, root)]],
    ['that is not valid yet', 'is not valid at', async (root) => [await issue({ ...CODE, from: 10 }, root)]],
    ['that is its own', 'leads to none of the roots', async () => [await issue(CODE)]],
    [
      'of an unknown authority of the same name',
      'leads to none of the roots',
      async () => [await issue(CODE, await issue({ subject: 'CN=root', isAuthority: true }))],
    ],
    ['for web servers', 'is not for signing', async (root) => [await issue({ ...CODE, extendedUsages: [x509.ExtendedKeyUsage.serverAuth] }, root)]],
    ['for key agreement', 'is not for signing', async (root) => [await issue({ ...CODE, usages: x509.KeyUsageFlags.keyAgreement }, root)]],
    [
      'that does not say for what it is',
      'is not for signing',
      async (root) => [await issue({ names: [{ type: 'email', value: 'ann@example.org' }], usages: 'none' }, root)],
    ],
    [
      'of somebody else',
      'is for email:eve@example.com',
      async (root) => [await issue({ ...CODE, names: [{ type: 'email', value: 'eve@example.com' }] }, root)],
    ],
    [
      'with a critical extension that nobody understands',
      'critical extension',
      async (root) => [await issue({ ...CODE, extensions: [new x509.Extension('1.2.3.4', true, new Uint8Array([5, 0]))] }, root)],
    ],
    [
      'issued by one that is no authority',
      'none of an authority',
      async (root) => {
        const middle = await issue({ ...CODE, subject: 'CN=middle', usages: x509.KeyUsageFlags.digitalSignature | x509.KeyUsageFlags.keyCertSign }, root);
        return [await issue(CODE, middle), middle];
      },
    ],
    [
      'by more authorities than one of them allows',
      'longer than an authority allows',
      async (root) => {
        const first = await issue({ subject: 'CN=first', isAuthority: true, pathLength: 0 }, root);
        const second = await issue({ subject: 'CN=second', isAuthority: true }, first);
        return [await issue(CODE, second), second, first];
      },
    ],
    [
      'that comes with another, which has no part in it',
      'no part in it',
      async (root) => [await issue(CODE, root), await issue({ subject: 'CN=stranger', isAuthority: true })],
    ],
  ])('SG5 a certificate %s is refused', async (_, why, make) => {
    const root = await issue({ subject: 'CN=root', isAuthority: true });
    const [leaf, ...others] = await make(root);

    await signedBy(leaf, others, [root]);

    await expect(bench.admit('echo.mar')).rejects.toThrow(why);
    expect(await bench.refusal('echo.mar')).toMatch(/^403 signature_/);
  });

  it('SG5 an expired certificate is taken where the policy says so: it was good when it began', async () => {
    const root = await issue({ subject: 'CN=root', isAuthority: true, from: -30 });

    await signedBy(await issue({ ...CODE, from: -20, until: -10 }, root), [], [root], ', acceptExpired: true');

    expect((await bench.admit('echo.mar')).signature?.state).toBe('verified');
  });
});

describe('SG6 ECDSA', () => {
  const N = BigInt('0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551');

  /** A signature in DER of two numbers. */
  function sequence(r: bigint, s: bigint, integer = minimal): Buffer {
    const body = Buffer.concat([integer(r), integer(s)]);
    return Buffer.concat([Buffer.from([0x30, body.length]), body]);
  }

  function minimal(value: bigint): Buffer {
    const hex = value.toString(16);
    const bytes = Buffer.from(hex.length % 2 === 0 ? hex : `0${hex}`, 'hex');
    const positive = (bytes[0] ?? 0) >= 0x80 ? Buffer.concat([Buffer.from([0]), bytes]) : bytes;
    return Buffer.concat([Buffer.from([0x02, positive.length]), positive]);
  }

  function padded(value: bigint): Buffer {
    const plain = minimal(value).subarray(2);
    return Buffer.concat([Buffer.from([0x02, plain.length + 1, 0]), plain]);
  }

  /** The two numbers of a signature. */
  function numbers(signature: Buffer): readonly [bigint, bigint] {
    const length = signature[3] ?? 0;
    const read = (bytes: Buffer) => BigInt(`0x${bytes.toString('hex')}`);
    return [read(signature.subarray(4, 4 + length)), read(signature.subarray(6 + length))];
  }

  it.each<[string, (r: bigint, s: bigint, good: Buffer) => Buffer]>([
    ['r and s are 0', () => sequence(0n, 0n)],
    ['r is 0', (_, s) => sequence(0n, s)],
    ['r is the order', (_, s) => sequence(N, s)],
    ['r is beyond the order', (r, s) => sequence(r + N, s)],
    ['s is beyond the order', (r, s) => sequence(r, s + N)],
    ['numbers have zeros before them', (r, s) => sequence(r, s, padded)],
    ['something is behind the DER', (_, __, good) => Buffer.concat([good, Buffer.from([0])])],
    ['the length is in its long form', (_, __, good) => Buffer.concat([Buffer.from([0x30, 0x81]), good.subarray(1)])],
    ['it is no DER', (r, s) => Buffer.from(r.toString(16).padStart(64, '0') + s.toString(16).padStart(64, '0'), 'hex')],
  ])('SG6 where %s is refused', async (_, forge) => {
    const { output } = await bench.sign(await bench.archive());
    expect((await bench.admit('echo.mar')).signature?.state).toBe('verified');

    bench.rewrite(output, ({ dsseEnvelope }) => {
      const good = Buffer.from(dsseEnvelope.signatures[0]?.sig ?? '', 'base64');
      const [r, s] = numbers(good);
      expect(sequence(r, s)).toEqual(good);
      dsseEnvelope.signatures = [{ sig: forge(r, s, good).toString('base64'), keyid: '' }];
    });

    expect(await bench.refusal('echo.mar')).toBe('403 signature_invalid');
  });

  it('SG6 another hash than that of the curve is refused', async () => {
    const key = ecKey('P-384');
    writeFileSync(join(bench.folder, 'p384.pub'), key.pem);
    bench.trust('signers: [{name: p384, key: p384.pub}]\n');
    const { output } = await bench.sign(await bench.archive(), { credentials: { key: key.privateKey, chain: [] } });
    expect((await bench.admit('echo.mar')).signature?.state).toBe('verified');

    bench.rewrite(output, ({ dsseEnvelope }) => {
      const payload = Buffer.from(dsseEnvelope.payload, 'base64');
      dsseEnvelope.signatures = [{ sig: sign('sha256', signedBytes({ payload }), key.privateKey).toString('base64'), keyid: '' }];
    });

    expect(await bench.refusal('echo.mar')).toBe('403 signature_invalid');
  });

  it('SG6 the signature of a P-256 key under the hint of a P-384 key is refused', async () => {
    const key = ecKey('P-384');
    writeFileSync(join(bench.folder, 'p384.pub'), key.pem);
    bench.trust('signers: [{name: p384, key: p384.pub}]\n');
    const { output } = await bench.sign(await bench.archive());

    bench.rewrite(output, ({ verificationMaterial }) => {
      verificationMaterial.publicKey = { hint: hintOf(key.publicKey) };
    });

    expect(await bench.refusal('echo.mar')).toBe('403 signature_invalid');
  });
});

describe('SG7 a race', () => {
  it('SG7 a folder whose file, link or whole is swapped 1000 times while it is registered never serves what was not signed', { timeout: 240_000 }, async () => {
    const [good, evil] = ['export const signed = true;', 'export const signed = !!0;'];
    const model = lay(join(bench.store, 'm'), { 'handler.mjs': good, 'MAR-INF/MANIFEST.json': '{"model": {"modelName": "m", "handler": "handler.mjs"}}' });
    await bench.sign(model);
    const bad = join(bench.folder, 'bad');
    mkdirSync(join(bad, 'MAR-INF'), { recursive: true });
    for (const name of ['MAR-INF/MANIFEST.json', 'MAR-INF/model.sig']) copyFileSync(join(model, name), join(bad, name));
    writeFileSync(join(bad, 'handler.mjs'), evil);
    const swapper = new Worker(SWAPPER, { eval: true, workerData: { model, bad, good, evil } });
    const intake = bench.intake();
    let served = 0;
    let refused = 0;

    try {
      for (let time = 0; time < 1000; time += 1) {
        await intake.admit({ url: 'm' }).then(
          async (admitted) => {
            served += 1;
            expect(readFileSync(join(admitted.directory, 'handler.mjs'), 'utf8')).toBe(good);
            await intake.release(admitted, { deleteDownloaded: false });
          },
          (error: unknown) => {
            refused += 1;
            expect(error).toBeInstanceOf(SconceError);
          },
        );
      }
    } finally {
      await swapper.terminate();
    }

    expect(served).toBeGreaterThan(0);
    expect(refused).toBeGreaterThan(0);
  });

  it('SG7 an archive that is swapped while it is read is served as what was signed or not at all', { timeout: 240_000 }, async () => {
    const path = await bench.archive('m', '1.0', { 'origin.txt': 'signed' });
    await bench.sign(path);
    const good = readFileSync(path);
    const other = new SigningBench(pool);
    const evil = readFileSync(await other.archive('m', '1.0', { 'origin.txt': 'forged' }));
    other.close();
    writeFileSync(join(bench.folder, 'good'), good);
    writeFileSync(join(bench.folder, 'evil'), evil);
    const swapper = new Worker(FILE_SWAPPER, { eval: true, workerData: { path, good: join(bench.folder, 'good'), evil: join(bench.folder, 'evil') } });
    const intake = bench.intake();
    let served = 0;

    try {
      for (let time = 0; time < 200; time += 1) {
        // Not what was unpacked before.
        rmSync(join(bench.folder, 'cache'), { recursive: true, force: true });
        const admitted = await intake.admit({ url: 'm.mar' }).catch(() => undefined);
        if (admitted === undefined) continue;
        served += 1;
        expect(readFileSync(join(admitted.directory, 'origin.txt'), 'utf8')).toBe('signed');
      }
    } finally {
      await swapper.terminate();
    }

    writeFileSync(path, good);
    expect((await intake.admit({ url: 'm.mar' })).signature?.state).toBe('verified');
    expect(served).toBeGreaterThan(0);
  });

  it('SG7 a cache that others may write to is not believed', async () => {
    await bench.sign(await bench.archive());
    mkdirSync(join(bench.folder, 'cache'), { mode: 0o777 });
    const { chmodSync } = await import('node:fs');
    chmodSync(join(bench.folder, 'cache'), 0o777);

    await expect(bench.admit('echo.mar')).rejects.toThrow('can be written to by others');
    chmodSync(join(bench.folder, 'cache'), 0o755);
  });
});

/** Swaps the file's content, then the file for a link, then the folder for another, and back. */
const SWAPPER = `
const { renameSync, rmSync, symlinkSync, writeFileSync } = require('node:fs');
const { join } = require('node:path');
const { workerData: { model, bad, good, evil } } = require('node:worker_threads');
const handler = join(model, 'handler.mjs');
const pause = () => { const until = performance.now() + Math.random() * 3; while (performance.now() < until); };
for (;;) {
  try {
    writeFileSync(handler, evil); pause(); writeFileSync(handler, good); pause();
    renameSync(handler, join(model, '..', 'aside')); symlinkSync(join(bad, 'handler.mjs'), handler); pause();
    rmSync(handler); renameSync(join(model, '..', 'aside'), handler); pause();
    renameSync(model, join(model, '..', 'away')); symlinkSync(bad, model); pause();
    rmSync(model); renameSync(join(model, '..', 'away'), model); pause();
  } catch {}
}`;

const FILE_SWAPPER = `
const { copyFileSync, renameSync, writeFileSync, readFileSync } = require('node:fs');
const { workerData: { path, good, evil } } = require('node:worker_threads');
const bytes = [readFileSync(good), readFileSync(evil)];
const pause = () => { const until = performance.now() + Math.random() * 4; while (performance.now() < until); };
for (let turn = 0; ; turn += 1) {
  try {
    if (turn % 4 < 2) writeFileSync(path, bytes[(turn + 1) % 2]);
    else { copyFileSync(turn % 2 ? good : evil, path + '.next'); renameSync(path + '.next', path); }
    pause();
  } catch {}
}`;

describe('SG8 signatures that are bombs', () => {
  it('SG8 one of 100 MiB is refused and not read', async () => {
    const { output } = await bench.sign(await bench.archive());

    writeFileSync(output, Buffer.alloc(100 * 2 ** 20, ' '));

    expect(await bench.refusal('echo.mar')).toBe('413 signature_too_large');
  });

  it('SG8 one whose JSON is nested a million times is refused', async () => {
    const { output } = await bench.sign(await bench.archive());
    const nested = `${'['.repeat(1_000_000)}${']'.repeat(1_000_000)}`;

    bench.rewrite(output, (bundle) => resign(bundle, Buffer.from(`{"predicate": ${nested}, "predicateType": "x"}`)));
    expect(await bench.refusal('echo.mar')).toBe('403 signature_unreadable');
    writeFileSync(output, nested);
    expect(await bench.refusal('echo.mar')).toBe('403 signature_unreadable');
  });

  it('SG8 one with a hundred thousand resources beyond what an archive may have is refused', async () => {
    const { output } = await bench.sign(await bench.archive());

    signStatement(output, (statement) => {
      statement.predicate.resources = Array.from({ length: 100_000 }, (_, index) => ({ name: `f${index}`, algorithm: 'sha256', digest: '00'.repeat(32) }));
      return fitting(statement);
    });

    expect(await bench.refusal('echo.mar')).toBe('413 signature_too_large');
  });
});

describe('SG9 Sigstore', () => {
  const ANN = { name: 'https://example.org/ann', issuer: 'https://issuer.example' };
  const TRUST = `signers: [{name: ci, sigstore: {trustedRoot: root.json, identities: [{name: 'https://example.org/*', issuer: 'https://issuer.example'}]}}]\n`;
  let sigstore: OwnSigstore;
  let file: string;

  beforeEach(async () => {
    sigstore = new OwnSigstore();
    const path = await bench.archive();
    file = `${path}.sig`;
    bench.trust(TRUST);
    writeFileSync(join(bench.folder, 'root.json'), await sigstore.trustedRoot());
    await sign(ANN);
  });

  async function sign(who: typeof ANN): Promise<void> {
    const digest = createHash('sha256')
      .update(readFileSync(join(bench.store, 'echo.mar')))
      .digest('hex');
    const unsigned = signModel({ subject: 'echo@1.0', files: new Map([['.', digest]]), ignored: [] }, bench.credentials);
    const { dsseEnvelope }: SignatureJson = JSON.parse(unsigned.toString());
    writeFileSync(file, JSON.stringify(await sigstore.signed(Buffer.from(dsseEnvelope.payload, 'base64'), who)));
  }

  it('SG9 an honest keyless signature is taken, and no connection is made', async () => {
    const connect = vi.spyOn(Socket.prototype, 'connect');

    expect((await bench.admit('echo.mar')).signature).toMatchObject({
      state: 'verified',
      signer: 'ci',
      identity: 'https://example.org/ann (https://issuer.example)',
    });
    expect(connect).not.toHaveBeenCalled();
    connect.mockRestore();
  });

  it('SG9 another identity, or another issuer, is refused', async () => {
    await sign({ ...ANN, name: 'https://example.com/eve' });
    await expect(bench.admit('echo.mar')).rejects.toThrow('it was signed by https://example.com/eve');

    await sign({ ...ANN, issuer: 'https://issuer.example.com' });
    expect(await bench.refusal('echo.mar')).toBe('403 signature_untrusted');
  });

  it('SG9 an entry without its proof of inclusion, or without any, is refused', async () => {
    bench.rewrite(file, ({ verificationMaterial }) => {
      verificationMaterial.tlogEntries = verificationMaterial.tlogEntries.map((entry) => ({ ...(entry as object), inclusionProof: undefined }));
    });
    expect(await bench.refusal('echo.mar')).toMatch(/^403 signature_(invalid|unreadable)$/);

    await sign(ANN);
    bench.rewrite(file, ({ verificationMaterial }) => {
      verificationMaterial.tlogEntries = [];
    });
    expect(await bench.refusal('echo.mar')).toBe('403 signature_untrusted');
  });

  it("SG9 an entry of another log's, a trust root that was over before it was signed, and another Sigstore's are refused", async () => {
    const write = async (root: Promise<string>) => writeFileSync(join(bench.folder, 'root.json'), await root);

    await write(sigstore.trustedRoot({ rekorKey: der(ecKey()) }));
    expect(await bench.refusal('echo.mar')).toBe('403 signature_untrusted');
    await write(sigstore.trustedRoot({ until: new Date(Date.now() - 86_400_000) }));
    expect(await bench.refusal('echo.mar')).toBe('403 signature_untrusted');
    await write(new OwnSigstore().trustedRoot());
    expect(await bench.refusal('echo.mar')).toBe('403 signature_untrusted');
    await write(sigstore.trustedRoot());
    expect((await bench.admit('echo.mar')).signature?.state).toBe('verified');
  });

  it('SG9 without a trust root it is no good signature', async () => {
    bench.trust('signers: [{name: release, key: release.pub}]\n');

    await expect(bench.admit('echo.mar')).rejects.toThrow('no trusted root says whether it is good');
  });

  it('SG9 the payload or the signature of another is refused', async () => {
    const mine: SignatureJson = JSON.parse(readFileSync(file, 'utf8'));
    bench.rewrite(file, ({ dsseEnvelope }) => {
      dsseEnvelope.payload = Buffer.from('{"_type": "x"}').toString('base64');
    });
    expect(await bench.refusal('echo.mar')).toMatch(/^403 signature_/);

    await sign(ANN);
    bench.rewrite(file, ({ dsseEnvelope }) => {
      dsseEnvelope.signatures = mine.dsseEnvelope.signatures;
    });
    expect(await bench.refusal('echo.mar')).toBe('403 signature_untrusted');
  });
});

describe('CF4 what an archive says', () => {
  it('CF4 its own configuration does not lower the policy, nor does a trust policy in it', async () => {
    const settings = 'sconce:\n  signatures: off\n  signature: off\n  trust: all\nsconce_signatures: off\n';
    const path = await bench.archive('m', '1.0', {
      'model-config.yaml': settings,
      'config.properties': 'sconce_signatures=off\n',
      'trust.yaml': `unsigned: ['*']\nsigners: []\n`,
    });

    expect(await bench.refusal(basename(path))).toBe('403 signature_missing');
  });
});
