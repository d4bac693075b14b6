import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { call, type HttpResult, RunningServer } from '../e2e/running-server.js';
import { archive } from '../fixtures/archives.js';
import { ONNX_FIXTURES } from '../fixtures/driven-runner.js';
import { alive, PYTHON } from '../fixtures/python-workers.js';

const SECRET = 'what no model may read';
const AT_ONCE = 4;
const MAY_TAKE_MS = 300_000;

const folder = mkdtempSync(join(tmpdir(), 'sconce-native-'));
const secret = join(folder, 'secret');
const files = join(folder, 'files');
mkdirSync(files);
writeFileSync(secret, SECRET);
const attacks = z
  .array(z.object({ what: z.string(), file: z.string(), harm: z.string() }))
  .parse(JSON.parse(execFileSync(PYTHON, ['-W', 'ignore', join(ONNX_FIXTURES, 'make_attacks.py'), files, secret], { encoding: 'utf8' })));
const isOneOfMany = ({ what }: { readonly what: string }) => /^(?:random bytes|cut off|flipped bits)/.test(what);

/** Models come to it from a web server of strangers, and the scanner refuses none of them. */
const server = new RunningServer();
let strangers: Server;
let from = '';
let gateway = 0;

beforeAll(async () => {
  strangers = createServer((request, reply) => reply.end(readFileSync(join(files, basename(request.url ?? '')))));
  await new Promise<void>((resolve) => strangers.listen(0, '127.0.0.1', resolve));
  const address = strangers.address();
  from = `http://127.0.0.1:${typeof address === 'object' ? address?.port : ''}`;
  copyFileSync(join(ONNX_FIXTURES, 'double.onnx'), join(server.store, 'own.onnx'));
  copyFileSync(join(ONNX_FIXTURES, 'double.onnx'), join(files, 'fetched.onnx'));
  await server.start({
    config: { load_models: 'own.onnx', allowed_urls: `${from}/.*`, sconce_fetch_hosts: '127.0.0.1', sconce_scan: 'warn', sconce_worker_memory_mb: '600' },
  });
  gateway = server.pid;
});

afterEach(async () => {
  expect(alive(gateway)).toBe(true);
  expect((await call(`${server.inference}/ping`)).json()).toEqual({ status: 'Healthy' });
  expect(await own()).toEqual([200, '[2,4,6]']);
});

afterAll(async () => {
  strangers.close();
  await server.dispose();
  rmSync(folder, { recursive: true, force: true });
});

const json = (body: string) => ({ body, headers: { 'content-type': 'application/json' } });

async function own(): Promise<readonly [number, string]> {
  const { status, text } = await server.predict('own', json('[1,2,3]'));
  return [status, text];
}

function register(file: string, more = ''): Promise<HttpResult> {
  return server.manage('POST', `/models?url=${from}/${file}&initial_workers=1&synchronous=true&startup_timeout=10&response_timeout=3${more}`);
}

async function described(name: string) {
  const [version] = JSON.parse((await server.manage('GET', `/models/${name}?sandbox=true`)).text);
  return version;
}

/** Registers what may come of a hostile file, asks it what does the harm, and lets it go. Gives what was answered. */
async function tried({ file, harm }: (typeof attacks)[number]): Promise<HttpResult> {
  const name = file.replace('.onnx', '');
  const registered = await register(file);
  if (registered.status !== 200) {
    expect((await server.manage('GET', `/models/${name}`)).status).toBe(404);
    return registered;
  }
  const answer = harm === 'load' || harm === 'none' ? registered : await server.predict(name, json(harm));
  expect((await server.manage('DELETE', `/models/${name}`)).status).toBe(200);
  return answer;
}

describe('a file that a caller had fetched', () => {
  it('runs in a sandboxed process, and is told why; what the operator names from his store in a thread', async () => {
    expect((await register('fetched.onnx')).status).toBe(200);
    const [fetched, mine] = [await described('fetched'), await described('own')];

    expect(fetched.isolation).toBe('process: it came from a URL that a caller of the API named');
    expect(fetched.workers[0].pid).not.toBe(gateway);
    expect(alive(fetched.workers[0].pid)).toBe(true);
    expect(fetched.workers[0].sandbox.held).toEqual(expect.arrayContaining(['calls', 'files', 'writes', 'network', 'exec', 'signals']));
    expect([mine.isolation, mine.workers[0].pid]).toEqual(["thread: it is the operator's own", -1]);
    expect((await server.predict('fetched', json('[1,2,3]'))).text).toBe('[2,4,6]');
    const line =
      'Model fetched runs in a process of its own: it came from a URL that a caller of the API named; sconce_grants={"fetched":{"isolation":"thread"}}';
    await server.logHas('ts_log.log', line);
  });

  it('does so too when it is registered again by its name in the store', async () => {
    expect((await server.manage('POST', '/models?url=fetched.onnx&model_name=again&initial_workers=1&synchronous=true')).status).toBe(200);

    expect((await described('again')).isolation).toMatch(/^process: /);
  });
});

it('a model that is to run in a process is not loaded into the server where no process can be made, and the grant is named', async () => {
  const bare = new RunningServer();
  copyFileSync(join(ONNX_FIXTURES, 'double.onnx'), join(bare.store, 'own.onnx'));
  await bare.start({ config: { python: 'no-such-python', load_models: 'own.onnx', allowed_urls: `${from}/.*`, sconce_fetch_hosts: '127.0.0.1' } });

  const { status, text } = await bare.manage('POST', `/models?url=${from}/fetched.onnx&initial_workers=1&synchronous=true`);

  expect(status).toBe(500);
  expect(text).toContain('sconce_grants={\\"fetched\\":{\\"isolation\\":\\"thread\\"}} would let it run in a thread of the server');
  expect((await bare.predict('own', json('[1,2,3]'))).text).toBe('[2,4,6]');
  await bare.dispose();
});

describe('PK9 a hostile ONNX file that a caller had fetched', () => {
  it.each(attacks.filter((attack) => !isOneOfMany(attack)).map((attack) => [attack.what, attack] as const))(
    'holds %s, and the server serves on',
    async (_, attack) => {
      const { status, text } = await tried(attack);

      if (attack.harm !== 'none') expect([attack.what, status]).not.toEqual([attack.what, 200]);
      expect(text + server.log('model_log.log') + server.log('ts_log.log')).not.toContain(SECRET);
    },
    MAY_TAKE_MS,
  );

  it.each(['random bytes', 'cut off', 'flipped bits'])(
    'of %s ends its own process at most',
    async (kind) => {
      const left = attacks.filter(({ what }) => what.startsWith(kind));
      const statuses: number[] = [];
      const tryLeft = async (): Promise<void> => {
        for (let attack = left.shift(); attack !== undefined; attack = left.shift()) {
          const { status } = await tried(attack);
          if (attack.harm === 'load') statuses.push(status);
        }
      };

      await Promise.all(Array.from({ length: AT_ONCE }, tryLeft));

      expect(statuses.filter((status) => status < 400)).toEqual([]);
    },
    MAY_TAKE_MS,
  );
});

describe('a hostile JavaScript handler that a caller had fetched', () => {
  let pid = 0;

  beforeAll(async () => {
    await archive(files, { name: 'evil', handler: 'misbehaves.mjs', config: 'responseTimeout: 3\nsconce:\n  retryOnWorkerDeath: false\n' });
    expect((await register('evil.mar')).status).toBe(200);
    const { isolation, workers } = await described('evil');
    expect(isolation).toMatch(/^process: /);
    pid = workers[0].pid;
  });

  // Two of them answer first, and which bound a heap meets first is a matter of luck.
  it.each([
    ['HH22', 'segfault', [500], /segmentation fault/],
    ['HH22', 'abort', [500], /aborted/],
    ['HH22', 'exit', [500], /exit code 0/],
    ['HH22', 'reject', [200, 500], /exit code 1/],
    ['HH22', 'throw', [200, 500], /exit code 1/],
    ['HH21', 'spin', [500], /no answer within/],
    ['HH7', 'hog', [507], /memory limit/],
    ['HH7', 'fill the heap', [500, 507], /memory limit|aborted|no answer within/],
  ])(
    '%s may %s: its caller is answered, and it is started again, later each time',
    async (_, deed, statuses, cause) => {
      const crashes = (await described('evil')).crashes?.length ?? 0;

      const answer = await server.predict('evil', { body: deed, headers: { 'content-type': 'text/plain' } });

      expect(statuses).toContain(answer.status);
      await server.eventually(async () => ((await described('evil')).crashes?.length ?? 0) > crashes, 'its end is told');
      const { crashes: told } = await described('evil');
      expect(JSON.stringify(told.at(-1))).toMatch(cause);
      await server.eventually(
        async () => (await server.predict('evil', { body: 'echo', headers: { 'content-type': 'text/plain' } })).text === 'echo',
        'it answers again',
      );
      const [worker] = (await described('evil')).workers;
      expect([worker.pid === pid, worker.pid === gateway]).toEqual([false, false]);
      pid = worker.pid;
    },
    MAY_TAKE_MS,
  );
});
