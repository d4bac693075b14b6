import { appendFileSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { eventually } from '../fixtures/eventually.js';
import { PYTHON } from '../fixtures/python-workers.js';
import { AuthoringBench, processesWith, type Spawned } from './authoring-bench.js';
import { call, type HttpResult } from './running-server.js';

const bench = new AuthoringBench();

afterAll(() => bench.close());

function replace(file: string, from: string, to: string): void {
  const text = readFileSync(file, 'utf8');
  if (!text.includes(from)) throw new Error(`${file} does not hold ${from}`);
  writeFileSync(file, text.replace(from, to));
}

/** `sconce dev` in a model's folder. */
class Dev {
  output = '';
  readonly exit: Promise<number | null>;
  readonly #spawned: Spawned;

  constructor(readonly model: string) {
    this.#spawned = bench.spawned(['dev', '--port', '0'], model);
    const { child } = this.#spawned;
    child.stdin.end();
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (chunk: Buffer) => {
        this.output += chunk.toString();
      });
    this.exit = new Promise((resolve) => child.on('exit', (code) => resolve(code)));
  }

  get processes(): readonly string[] {
    return processesWith(this.#spawned.mark);
  }

  /** Without the one that waits to become a worker, where there is one. */
  get busy(): readonly string[] {
    return this.processes.filter((line) => !line.includes('sconce_worker.spare'));
  }

  async says(text: string | RegExp): Promise<void> {
    await eventually(
      () => (typeof text === 'string' ? this.output.includes(text) : text.test(this.output)),
      () => `dev says ${text}:\n${this.output}`,
    );
  }

  async ask(): Promise<HttpResult> {
    const [, address = ''] = /at (http:\S+) for you/.exec(this.output) ?? [];
    const name = this.model.split('/').at(-1) ?? '';
    return call(`${address}/predictions/${name}`, { method: 'POST', body: '{"point": [0.1, -0.3]}', headers: { 'content-type': 'application/json' } });
  }

  /** Asks until the answer is right: a change is seen a moment after it was made. */
  async answers(right: (result: HttpResult) => boolean): Promise<HttpResult> {
    let last: HttpResult | undefined;
    await eventually(
      async () => {
        last = await this.ask();
        return right(last);
      },
      () => `the answer was right; the last one: ${last?.text}\n${this.output}`,
    );
    if (last === undefined) throw new Error('nothing was asked');
    return last;
  }

  async stop(): Promise<number | null> {
    this.#spawned.child.kill('SIGINT');
    return this.exit;
  }
}

describe('sconce dev', () => {
  let dev: Dev | undefined;

  afterEach(async () => {
    await dev?.stop();
    dev = undefined;
  });

  it('answers, and after each change with the code as it is then: changed, broken, mended', async () => {
    const starter = bench.starter('python');
    const handler = join(starter, 'handler.py');
    dev = new Dev(starter);
    await dev.says(/Try:\ncurl http:\/\/127\.0\.0\.1:\d+\/predictions\/points\d+ -H 'content-type: application\/json' --data-binary @sample\.json\n/);

    expect((await dev.ask()).json()).toEqual({ label: 'south-east', score: 0.9724 });

    replace(handler, '"label": self', '"name": self');
    expect((await dev.answers(({ text }) => text.includes('name'))).json()).toEqual({ name: 'south-east', score: 0.9724 });

    appendFileSync(handler, 'def broken(:\n');
    const broken = await dev.answers(({ status }) => status !== 200);
    expect(broken.json()).toMatchObject({ code: 503, type: 'ServiceUnavailableException' });
    expect(broken.headers['x-sconce-reason']).toBe('no_workers');
    expect(JSON.stringify(broken.json())).toMatch(/The model could not be loaded: SyntaxError: .*handler\.py.*def broken\(:.*\^/);

    replace(handler, 'def broken(:\n', '');
    expect((await dev.answers(({ status }) => status === 200)).json()).toEqual({ name: 'south-east', score: 0.9724 });

    replace(handler, 'scores, classes =', 'raise KeyError("nothing")\n        scores, classes =');
    const raised = await dev.answers(({ status }) => status !== 200);
    expect(raised.json()).toMatchObject({ code: 503, type: 'InternalServerException' });
    expect(JSON.stringify(raised.json())).toMatch(/"Prediction failed\\nTraceback .*handler\.py\\", line \d+, in postprocess\\n.*KeyError: 'nothing'"/);
    await dev.says(`request_id=${String(raised.headers['x-request-id'])}`);

    expect(dev.busy).toHaveLength(3);
    expect(await dev.stop()).toBe(0);
    expect(readdirSync(bench.runFolder)).toEqual([]);
    expect(dev.processes).toEqual([]);
    expect(readdirSync(starter)).not.toContain('logs');
  });

  it('loses no request while it loads again, and takes up settings and weights too', async () => {
    const starter = bench.starter('python');
    dev = new Dev(starter);
    await dev.says('Try:');
    const statuses = new Set<number>();
    let isOver = false;
    const asking = (async () => {
      while (!isOver) statuses.add((await dev?.ask())?.status ?? 0);
    })();

    replace(join(starter, 'model-config.yaml'), 'responseTimeout: 30', 'responseTimeout: 31\nminWorkers: 3\nmaxWorkers: 3');
    await dev.says(/Changed: model-config\.yaml\nLoading …\n.*Loaded points/s);
    const train = join(starter, 'train.py');
    replace(train, 'torch.manual_seed(0)', 'torch.manual_seed(1)');
    expect(bench.run([PYTHON, train], { cwd: starter }).status).toBe(0);
    await dev.answers(({ text }) => !text.includes('0.9724'));
    isOver = true;
    await asking;

    expect([...statuses]).toEqual([200]);
    expect(dev.processes.filter((line) => line.includes('model_service_worker.py'))).toHaveLength(1);
  });

  it('does the same for a TypeScript handler', async () => {
    const starter = bench.starter('typescript');
    const handler = join(starter, 'handler.ts');
    dev = new Dev(starter);
    await dev.says('Try:');

    expect((await dev.ask()).json()).toEqual({ label: 'south-east', score: 0.9724 });
    replace(handler, "?? '?'", "?? '?', new: true");
    replace(handler, 'readonly score: number }', 'readonly score: number; readonly new: boolean }');
    await dev.answers(({ text }) => text.includes('"new":true'));
    replace(handler, 'const highest', 'throw new Error("oops");\n  const highest');
    const raised = await dev.answers(({ status }) => status !== 200);
    replace(handler, 'throw new Error("oops");', '');
    const mended = await dev.answers(({ status }) => status === 200);

    expect(raised.text).toMatch(/Prediction failed\\nError: oops\\n +at best \(.*handler\.ts:\d+:\d+\)/);
    expect(mended.text).toContain('south-east');
  });

  it('is for this machine only', () => {
    const starter = bench.starter('onnx');

    const { status, stdout, stderr } = bench.sconce(['dev', '--set', 'inference_address=http://0.0.0.0:0'], { cwd: starter });

    expect([status, stdout, stderr]).toEqual([
      1,
      '',
      expect.stringMatching(/^Invalid configuration: sconce dev listens on loopback only, not on http:\/\/0\.0\.0\.0:0;[^\n]*\n$/),
    ]);
  });
});
