import { execFileSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { call, RunningServer } from '../e2e/running-server.js';
import { aftermath } from '../fixtures/aftermath.js';
import { archive } from '../fixtures/archives.js';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const PYTHON = join(process.env.SCONCE_VENV_DIR ?? join(ROOT, '.venv'), 'bin', 'python');
const MAKERS = join(ROOT, 'test', 'fixtures', 'pickles');
const folder = mkdtempSync(join(tmpdir(), 'sconce-pickles-'));
const canary = join(folder, 'canary');

function python(...args: readonly string[]): string {
  // Threads that wait for one another take for ever on a busy machine.
  const env = { ...process.env, OMP_NUM_THREADS: '1' };
  return execFileSync(PYTHON, ['-W', 'ignore', ...args], { encoding: 'utf8', maxBuffer: 2 ** 24, env });
}

const attacks = z
  .array(z.object({ id: z.string(), what: z.string(), file: z.string(), live: z.boolean() }))
  .parse(JSON.parse(python(join(MAKERS, 'make_attacks.py'), mkdtempSync(join(folder, 'attacks-')), canary)));
const report = z.object({
  verdict: z.string(),
  permittedBy: z.string().optional(),
  findings: z.array(z.looseObject({ level: z.string(), file: z.string(), says: z.string() })),
});

afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

it('PK1 the payloads are live: pickle alone runs each that is said to be', () => {
  const files = attacks.filter(({ live }) => live).map(({ file }) => file);

  const ran = python(
    '-c',
    `import os, pickle, sys
for path in sys.argv[2:]:
    try:
        with open(path, "rb") as file: pickle.load(file)
    except Exception: pass
    print(os.path.exists(sys.argv[1]))
    if os.path.exists(sys.argv[1]): os.remove(sys.argv[1])`,
    canary,
    ...files,
  );

  expect(ran.trim().split('\n')).toEqual(files.map(() => 'True'));
});

describe('a server with its defaults', () => {
  const server = new RunningServer();
  let count = 0;

  beforeAll(async () => {
    await server.start();
    await archive(server.store, { name: 'good', handler: 'noop.py' });
    expect((await server.manage('POST', '/models?url=good.mar&initial_workers=1&synchronous=true')).status).toBe(200);
  });

  afterAll(() => server.dispose());

  aftermath(() => server, { model: 'good' });

  /** What must hold after every attack: nothing ran, nothing of the archive is left, others are served. */
  async function nothingHappened(name: string): Promise<void> {
    expect(existsSync(canary)).toBe(false);
    expect((await server.manage('GET', `/models/${name}`)).status).toBe(404);
    expect((await server.predict('good', { body: 'x' })).status).toBe(200);
  }

  it.each(attacks.map((attack) => [attack.id, attack.what, attack.file] as const))('%s %s is refused', async (_, __, file) => {
    count += 1;
    const name = `evil${count}`;
    await archive(server.store, { name, handler: 'noop.py', files: { [basename(file)]: readFileSync(file) } });

    const { status, text } = await server.manage('POST', `/models?url=${name}.mar&initial_workers=1&synchronous=true`);

    expect(JSON.parse(text)).toMatchObject({
      code: 403,
      type: 'InvalidModelException',
      message: expect.stringContaining(`Model ${name} is refused by the scan: `),
    });
    expect(text).toContain('sconce_scan_permit');
    expect(status).toBe(403);
    await nothingHappened(name);
  });

  it('PK5 a lone file of the store and a folder of it are scanned too', async () => {
    const evil = attacks.find(({ what }) => what === 'torch.save')?.file ?? '';
    copyFileSync(evil, join(server.store, 'lone.pt'));
    mkdirSync(join(server.store, 'folder'));
    copyFileSync(evil, join(server.store, 'folder', 'weights.bin'));
    writeFileSync(join(server.store, 'folder', 'handler.py'), 'def handle(data, context):\n    return ["x"] * len(data or [])\n');

    const answers = [
      await server.manage('POST', '/models?url=lone.pt&initial_workers=1'),
      await server.manage('POST', '/models?url=folder&handler=handler.py:handle'),
    ];

    for (const { status, text } of answers) expect([status, text]).toEqual([403, expect.stringContaining('posix.system')]);
    expect(existsSync(canary)).toBe(false);
  });

  it('CF4 an archive cannot turn its own scan off', async () => {
    const config = 'sconce:\n  scan: off\n  scanPermit: [lowered]\n';
    await archive(server.store, { name: 'lowered', handler: 'noop.py', config, files: { 'a.pkl': readFileSync(attacks[0]?.file ?? '') } });

    const { status } = await server.manage('POST', '/models?url=lowered.mar&initial_workers=1');

    expect([400, 403]).toContain(status);
    await nothingHappened('lowered');
  });

  it('AR9 a 7z or RAR archive called .mar, and a zip called .tar.gz, become nothing', async () => {
    writeFileSync(join(server.store, 'seven.mar'), Buffer.concat([Buffer.from('377abcaf271c', 'hex'), Buffer.alloc(100)]));
    writeFileSync(join(server.store, 'rar.mar'), Buffer.concat([Buffer.from('526172211a0700', 'hex'), Buffer.alloc(100)]));

    for (const name of ['seven', 'rar']) {
      expect((await server.manage('POST', `/models?url=${name}.mar&initial_workers=1`)).status).toBeGreaterThanOrEqual(400);
      await nothingHappened(name);
    }
  });

  it('AR12 a class of the archive is its own only under a name that the interpreter has not taken', async () => {
    const stolen = Buffer.from('\u0080\u0002cos\nsystem\n)\u0081.', 'latin1');
    await archive(server.store, { name: 'shadow', handler: 'noop.py', files: { 'os.py': 'class system:\n    pass\n', 'a.pkl': stolen } });

    expect((await server.manage('POST', '/models?url=shadow.mar&initial_workers=1')).status).toBe(403);
    await nothingHappened('shadow');
  });

  it('PK8 a pickle of a class that the archive defines is served, and the report says that it needs its own code', async () => {
    const weights = Buffer.from('\u0080\u0002cloads_weights\nWeights\n)\u0081}X\u0001\u0000\u0000\u0000aK\u0001sb.', 'latin1');
    await archive(server.store, { name: 'own', handler: 'loads_weights.py:handle', files: { 'weights.pkl': weights } });
    expect((await server.manage('POST', '/models?url=own.mar&initial_workers=1&synchronous=true')).text).toContain('registered');

    const answer = await server.predict('own');
    const { verdict, findings } = report.parse((await server.manage('GET', '/models/own/1.0/scan')).json());

    expect(answer.text).toContain('Weights object');
    expect(verdict).toBe('clean');
    expect(findings).toContainEqual(expect.objectContaining({ level: 'note', rule: 'pickle-own-class', name: 'loads_weights.Weights' }));
    expect(findings).toContainEqual(expect.objectContaining({ rule: 'python-source', name: 'pickle.load', file: 'loads_weights.py' }));
  });

  it('PK10 a pickle out of a request is none that a scan sees: the report names the handler that unpickles', async () => {
    const { findings } = report.parse((await server.manage('GET', '/models/own/1.0/scan')).json());

    expect(findings.map(({ says }) => says)).toContain('line 22: pickle.load unpickles');
  });
});

describe('the operator', () => {
  const server = new RunningServer();
  const evil = attacks[0]?.file ?? '';

  afterAll(() => server.dispose());

  it('lets one model by its name or hash, keeps the refused download, and is told of it', async () => {
    const content = readFileSync(
      await archive(folder, { name: 'odd', handler: 'noop.py', files: { 'a.pkl': readFileSync(evil) } }).then((file) => join(folder, file)),
    );
    const web = createServer((_, response) => response.end(content)).listen(0, '127.0.0.1');
    await new Promise((resolve) => web.once('listening', resolve));
    const address = web.address();
    const url = `http://127.0.0.1:${typeof address === 'object' ? address?.port : 0}/odd.mar`;
    const quarantine = join(server.folder, 'quarantine');
    await server.start({
      config: { sconce_scan_permit: 'permitted', sconce_quarantine_dir: quarantine, allowed_urls: 'http://127.0.0.1.*', sconce_fetch_hosts: '127.0.0.1' },
    });

    const refused = await server.manage('POST', `/models?url=${url}&initial_workers=0`);
    const permitted = await server.manage('POST', `/models?url=${url}&model_name=permitted&initial_workers=0`);
    web.close();

    expect(refused.status).toBe(403);
    const [kept = '', described = ''] = readdirSync(quarantine).sort();
    expect(readFileSync(join(quarantine, kept))).toEqual(content);
    expect(refused.text).toContain(kept);
    expect(report.parse(JSON.parse(readFileSync(join(quarantine, described), 'utf8'))).verdict).toBe('dangerous');
    expect(permitted.text).toContain('registered');
    const { verdict, permittedBy } = report.parse((await server.manage('GET', '/models/permitted/1.0/scan')).json());
    expect([verdict, permittedBy]).toEqual(['dangerous', 'permitted']);
    const told = 'Model permitted is dangerous and is served: sconce_scan_permit has permitted';
    await server.logHas('ts_log.log', told);
    expect(existsSync(canary)).toBe(false);
  });

  it.each([
    ['warn', 'dangerous', 200],
    ['require', 'unknown', 403],
    ['standard', 'unknown', 200],
    ['off', 'dangerous', 200],
  ])('PK1 chooses with sconce_scan=%s what happens to a model that is %s', async (level, verdict, status) => {
    const one = new RunningServer();
    try {
      const unknown = Buffer.from('\u0080\u0002}X\u0001\u0000\u0000\u0000aK\u0001s.and then something', 'latin1');
      await one.start({ config: { sconce_scan: level } });
      await archive(one.store, { name: 'm', handler: 'noop.py', files: { 'a.pkl': verdict === 'dangerous' ? readFileSync(evil) : unknown } });

      const answer = await one.manage('POST', '/models?url=m.mar&initial_workers=0');
      const scan = await one.manage('GET', '/models/m/1.0/scan');

      expect(answer.status).toBe(status);
      if (status === 403) return;
      if (level === 'off') return expect(scan.text).toContain('was not scanned');
      expect(report.parse(scan.json()).verdict).toBe(verdict);
      await one.outputHas(`Scan of model m: ${verdict}: `);
    } finally {
      await one.dispose();
    }
  });

  it('is told in a strict server that scans are off, and gets none', async () => {
    const one = new RunningServer();
    await expect(one.start({ config: { sconce_scan: 'off', sconce_security: 'strict' } })).rejects.toThrow('scanning');
    await one.dispose();
    expect(one.output).toContain('set sconce_scan=standard');
    expect(await call('http://127.0.0.1:1/').catch(() => 'nobody')).toBe('nobody');
  });
});

describe('PK8 honest files', () => {
  it('of torch, numpy, scikit-learn and joblib are all clean', () => {
    const honest = mkdtempSync(join(folder, 'honest-'));
    python(join(MAKERS, 'make_honest.py'), honest);

    const { verdict, findings, files } = z
      .looseObject({ verdict: z.string(), files: z.number(), findings: z.array(z.unknown()) })
      .parse(JSON.parse(execFileSync(process.execPath, [join(ROOT, 'bin', 'sconce'), 'scan', honest, '--json'], { encoding: 'utf8' })));

    expect({ verdict, findings, files: files > 100 }).toEqual({ verdict: 'clean', findings: [], files: true });
  }, 300_000);
});
