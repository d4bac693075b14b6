import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { alive, HANDLER, PYTHON, ROOT, run, until, Workshop } from '../../../test/fixtures/python-workers.js';

const HAS_TORCH = spawnSync(PYTHON, ['-c', 'import importlib.util, sys; sys.exit(importlib.util.find_spec("torch") is None)']).status === 0;

let shop: Workshop;

beforeAll(async () => {
  shop = await Workshop.open();
});

afterAll(() => shop.close());

describe('the warm parent', () => {
  it('that is killed takes its workers with it, and the next worker comes from a new one', async () => {
    const own = await shop.anotherBackend();
    const model = shop.aModel(HANDLER);
    const { runner, exited } = await shop.loaded(model, { from: own });
    const parent = Number(/^PPid:\s+(\d+)$/m.exec(readFileSync(`/proc/${runner.pid}/status`, 'latin1'))?.[1]);

    process.kill(parent, 'SIGKILL');

    expect(await exited).toMatchObject({ expected: false });
    await until(() => !alive(runner.pid ?? 0));
    const next = await shop.loaded(model, { from: own });
    expect((await run(next.runner, { do: 'nothing' })).parts[0]?.text).toBe('done');
  });

  it.runIf(HAS_TORCH)(
    'has torch in it for its workers, but not for a model that brings a module of that name',
    async () => {
      const own = await shop.anotherBackend({ warmImports: true });
      const ordinary = await shop.loaded(shop.aModel(HANDLER), { from: own });
      const bringing = await shop.loaded(shop.aModel(HANDLER, { 'torch.py': '' }), { from: own });

      const [a, b] = await Promise.all([run(ordinary.runner, { do: 'echo' }), run(bringing.runner, { do: 'echo' })]);

      expect([JSON.parse(a.parts[0]?.text ?? '').torch, JSON.parse(b.parts[0]?.text ?? '').torch]).toEqual([true, false]);
    },
    30_000,
  );

  it('leaves no process and no run directory when the gateway is killed, even where a handler is busy or has started others', async () => {
    const home = await shop.home();
    const model = shop.aModel(HANDLER);
    execFileSync(process.execPath, [join(ROOT, 'scripts', 'build.mjs')]);
    const script = `
      import { PythonBackend } from ${JSON.stringify(join(ROOT, 'dist/backends/python/python-backend.js'))};
      const silent = { debug() {}, info() {}, warn() {}, error() {}, named: () => silent };
      const backend = new PythonBackend({ ...${JSON.stringify(shop.options({ runDirectory: home }))}, log: silent });
      const spec = ${JSON.stringify({ model, workerId: 9000, workerName: 'W-9000-m_1.0', device: { kind: 'cpu' }, share: { threads: 1, cores: undefined }, batchSize: 1, startupTimeoutMs: 20000, maxResponseBytes: 1000 })};
      const runner = backend.createRunner(spec, { output() {}, exit() {} });
      await runner.load();
      const request = (wish) => ({ id: 'r', headers: [], inputs: [{ name: 'body', contentType: 'application/json', value: Buffer.from(JSON.stringify(wish)) }] });
      const sink = { fail() {}, done() {}, part(_, part) { console.log(runner.pid + ' ' + Buffer.from(part.body)); } };
      runner.run({ id: 1, requests: [request({ do: 'children' })] }, sink);
      runner.run({ id: 2, requests: [request({ do: 'wait', file: '/nowhere' })] }, sink);
    `;
    const gateway = spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: ['ignore', 'pipe', 'inherit'] });
    const said = await new Promise<string>((resolve) => gateway.stdout.once('data', (chunk: Buffer) => resolve(chunk.toString())));
    const pids = said.trim().split(' ').map(Number);
    expect(pids.map(alive)).toEqual([true, true, true]);
    expect(readdirSync(home)).toEqual(['workers.sock']);

    gateway.kill('SIGKILL');

    await until(() => pids.every((pid) => !alive(pid)) && !existsSync(home));
  });
});
