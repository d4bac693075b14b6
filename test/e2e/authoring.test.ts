import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { appendFileSync, copyFileSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { PYTHON } from '../fixtures/python-workers.js';
import { call, type HttpResult, RunningServer } from './running-server.js';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const SCONCE = join(ROOT, 'bin', 'sconce');
const STARTERS = [
  { kind: 'python', test: [PYTHON, '-m', 'unittest'] },
  { kind: 'typescript', test: [process.execPath, '--test'] },
  { kind: 'onnx', test: [process.execPath, '--test'] },
] as const;

let folder: string;
let environment: Record<string, string | undefined>;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'sconce-authoring-'));
  const run = join(folder, 'run');
  mkdirSync(run);
  const { PYTHONPATH: _, NODE_OPTIONS: __, ...rest } = process.env;
  // Vitest's own marks make `node --test` believe that it runs inside another test.
  const own = Object.fromEntries(Object.entries(rest).filter(([name]) => !/^(VITEST|NODE_TEST|TEST|NODE_V8)/.test(name)));
  environment = { ...own, PATH: `${join(ROOT, 'bin')}:${process.env.PATH}`, PYTHON, TEMP: run, XDG_CACHE_HOME: join(folder, 'cache') };
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

function run(command: readonly string[], { cwd = folder, input = '' }: { readonly cwd?: string; readonly input?: string } = {}) {
  const [program = '', ...args] = command;
  return spawnSync(program, args, { cwd, input, env: environment, encoding: 'utf8', timeout: 100_000 });
}

function sconce(args: readonly string[], options: Parameters<typeof run>[1] = {}) {
  return run([process.execPath, SCONCE, ...args], options);
}

/** A fresh starter in a folder of its own; gives its path. */
let starters = 0;
function aStarter(kind: string): string {
  starters += 1;
  const name = `points${starters}`;
  const { status, stderr } = sconce(['new', name, '--kind', kind]);
  if (status !== 0) throw new Error(stderr);
  return join(folder, name);
}

function replace(file: string, from: string, to: string): void {
  const text = readFileSync(file, 'utf8');
  if (!text.includes(from)) throw new Error(`${file} does not hold ${from}`);
  writeFileSync(file, text.replace(from, to));
}

/** A variable that every process of a command has: Python's own are handed on to the parent of workers. */
function aMark(): Readonly<Record<string, string>> {
  return { PYTHON_TEST_MARK: crypto.randomUUID() };
}

/** Command lines of the processes that have the mark. */
function processesWith({ PYTHON_TEST_MARK: mark = '-' }: Readonly<Record<string, string>>): readonly string[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((pid) => {
      try {
        const isAlive = !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'latin1')) && readFileSync(`/proc/${pid}/environ`, 'latin1').includes(mark);
        return isAlive ? [readFileSync(`/proc/${pid}/cmdline`, 'latin1')] : [];
      } catch {
        return []; // It has ended meanwhile.
      }
    });
}

async function eventually(holds: () => boolean | Promise<boolean>, what: () => string): Promise<void> {
  const endAtMs = Date.now() + 60_000;
  while (Date.now() < endAtMs) {
    if (await holds()) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new Error(`60 s passed before ${what()}`);
}

describe('sconce new', () => {
  it.each(STARTERS)('makes a $kind starter whose test passes as it is, and which answers what its README says', ({ kind, test }) => {
    const starter = aStarter(kind);

    const tested = run(test, { cwd: starter });
    const asked = sconce(['run', '.', '-f', 'sample.json', '--quiet'], { cwd: starter });

    expect([tested.status, tested.stdout + tested.stderr]).toEqual([0, expect.stringMatching(kind === 'python' ? /Ran 3 tests/ : /# pass 2/)]);
    expect([asked.status, asked.stderr]).toEqual([0, '']);
    expect(readFileSync(join(starter, 'README.md'), 'utf8')).toContain(asked.stdout);
    expect(existsSync(join(starter, '.gitignore'))).toBe(true);
    for (const file of readdirSync(starter))
      if (!/\.(pt|onnx)$|MAR-INF|__pycache__/.test(file)) expect(readFileSync(join(starter, file), 'utf8')).not.toContain('__NAME__');
  });

  it.each(STARTERS)('makes a $kind starter that is packed without a word of warning, and the archive answers as the folder does', ({ kind }) => {
    const starter = aStarter(kind);

    const packed = sconce(['pack', '.', '-o', 'points.mar'], { cwd: starter });

    expect([packed.status, packed.stderr]).toEqual([0, '']);
    expect(sconce(['run', 'points.mar', '-f', 'sample.json', '-q'], { cwd: starter }).stdout).toContain('south-east');
  });

  it('refuses with one line what it cannot do, and changes nothing', () => {
    mkdirSync(join(folder, 'taken'));
    writeFileSync(join(folder, 'taken', 'mine'), 'mine');
    writeFileSync(join(folder, 'file'), '');

    const refusals = [['taken'], ['file'], ['../elsewhere'], ['9lives'], ['fine', '--kind', 'cobol']].map((args) => sconce(['new', ...args]));

    for (const { status, stdout, stderr } of refusals) expect([status, stdout, stderr.split('\n').length]).toEqual([1, '', 2]);
    expect(refusals[0]?.stderr).toBe('taken is there already, and is not empty; --force writes into it.\n');
    expect(readdirSync(join(folder, 'taken'))).toEqual(['mine']);
    expect(existsSync(join(folder, 'fine'))).toBe(false);
  });

  it('writes into a folder that is not empty where it is told to, and leaves what it does not know', () => {
    mkdirSync(join(folder, 'forced'));
    writeFileSync(join(folder, 'forced', 'mine'), 'mine');

    expect(sconce(['new', 'forced', '--force']).status).toBe(0);
    expect(readdirSync(join(folder, 'forced'))).toEqual(expect.arrayContaining(['mine', 'handler.py']));
  });
});

describe('sconce run', () => {
  const HANDLER = `
import json, time
from ts.utils.util import PredictionException

def handle(data, context):
    if data is None:
        return
    body = data[0]["body"]
    wish = body if isinstance(body, dict) else {}
    if wish.get("do") == "raise":
        raise ValueError("asked to")
    if wish.get("do") == "refuse":
        raise PredictionException("no such luck", 418)
    if wish.get("do") == "exit":
        import os
        os._exit(7)
    if wish.get("do") == "hang":
        print("hanging")
        time.sleep(600)
    if wish.get("do") == "status":
        context.set_response_status(404, "", 0)
    context.set_response_header(0, "x-own", "1")
    print("asked with", type(body).__name__)
    return [{"header": context.get_request_header(0, "X-Test"), "explain": context.get_request_header(0, "explain")}]
`;
  let model: string;

  beforeAll(() => {
    model = join(folder, 'told');
    mkdirSync(model);
    writeFileSync(join(model, 'my_handler.py'), HANDLER);
  });

  const ask = (wish: object, ...more: string[]) =>
    sconce(['run', model, '--handler', 'my_handler.py', '-t', 'application/json', ...more], { input: JSON.stringify(wish) });

  it('prints the body on standard output, and what the model writes on standard error', () => {
    const { status, stdout, stderr } = ask({}, '--header', 'X-Test=yes', '--explain');

    expect(JSON.parse(stdout)).toEqual({ header: 'yes', explain: 'True' });
    expect([status, stderr]).toEqual([0, 'told | asked with dict\n']);
  });

  it('prints status, headers and body as JSON', () => {
    const options = ['--header', 'X-Test=1', '--header', 'X-Other=2', '--set', 'debug=false', '--handler', 'my_handler.py', '--json', '-q'];
    const { stdout, stderr } = sconce(['run', ...options, model], { input: '{}' });

    expect(JSON.parse(stdout)).toMatchObject({ status: 200, headers: { 'x-own': '1' }, body: { header: '1', explain: 'False' } });
    expect(stderr).toBe('');
  });

  it.each([
    ['an exception', { do: 'raise' }, '503 Prediction failed', /Traceback.*my_handler\.py", line 11, in handle\n.*ValueError: asked to\n$/s],
    ['a refusal of its own', { do: 'refuse' }, '418 no such luck', /PredictionException: no such luck : 418\n$/],
    ['the end of its process', { do: 'exit' }, '500 Worker died. (exit code 7)', /\)\n$/],
  ])("tells of %s with the handler's own lines, once, and ends with 1", (_, wish, first, behind) => {
    const quiet = ask(wish, '-q');
    const loud = ask(wish);

    expect([quiet.status, quiet.stdout, quiet.stderr.split('\n')[0]]).toEqual([1, '', first]);
    expect(quiet.stderr).toMatch(behind);
    expect(loud.stderr.trimEnd().split('\n').at(-1)).toBe(first);
    expect(loud.stderr.match(/Traceback/g)?.length ?? 0).toBe(quiet.stderr.match(/Traceback/g)?.length ?? 0);
  });

  it('prints the body of an answer with another status, and ends with 1', () => {
    const { status, stdout, stderr } = ask({ do: 'status' }, '-q');

    expect([status, JSON.parse(stdout), stderr]).toEqual([1, { header: null, explain: 'False' }, "The answer's status is 404.\n"]);
  });

  it('tells why a model cannot be loaded', () => {
    const broken = join(folder, 'broken');
    mkdirSync(broken);
    writeFileSync(join(broken, 'my_handler.py'), 'import surely_not_there\n');

    const { status, stderr } = sconce(['run', broken, '--handler', 'my_handler.py', '-q'], { input: '{}' });

    expect(status).toBe(1);
    expect(stderr).toMatch(/^The model could not be loaded: ModuleNotFoundError: No module named 'surely_not_there'\nTraceback .*my_handler\.py", line 1/s);
  });

  it.each([
    ['nothing', 'nothing-there', /^There is no model at nothing-there\.\n$/],
    ['no model', 'told/my_handler.py', /^told\/my_handler\.py is no model: [^\n]*\n$/],
  ])('refuses %s with one line', (_, path, line) => {
    expect(sconce(['run', path], { input: '{}' })).toMatchObject({ status: 1, stdout: '', stderr: expect.stringMatching(line) });
  });

  it('takes an interpreter that is not there for what it is', () => {
    const { status, stderr } = sconce(['run', model, '--handler', 'my_handler.py', '--python', '/nowhere/python'], { input: '{}' });

    expect([status, stderr.split('\n')[0]]).toEqual([1, expect.stringContaining('/nowhere/python')]);
  });

  it('runs an archive, a lone .onnx file and a lone TorchScript file', () => {
    const starter = aStarter('python');
    const archive = join(folder, 'points.mar');
    const zip = `import shutil, sys; shutil.make_archive(sys.argv[2], 'zip', sys.argv[1]); import os; os.replace(sys.argv[2] + '.zip', sys.argv[2])`;
    expect(run([PYTHON, '-c', zip, starter, archive]).status).toBe(0);
    const onnx = join(folder, 'lone.onnx');
    copyFileSync(join(ROOT, 'templates', 'onnx', 'model.onnx'), onnx);
    const script = join(folder, 'double.pt');
    writeFileSync(
      join(folder, 'double.py'),
      'import sys, torch\nclass M(torch.nn.Module):\n    def forward(self, x):\n        return x * 2\ntorch.jit.script(M()).save(sys.argv[1])\n',
    );
    expect(run([PYTHON, join(folder, 'double.py'), script]).status).toBe(0);

    const answers = [
      sconce(['run', archive, '-q', '-f', join(starter, 'sample.json')]),
      sconce(['run', onnx, '-q', '-t', 'application/json'], { input: '{"point": [0.1, -0.3]}' }),
      sconce(['run', script, '-q', '-t', 'application/json'], { input: '[1.0, 2.0]' }),
    ];

    expect(answers.map(({ stderr }) => stderr)).toEqual(['', '', '']);
    expect(JSON.parse(answers[0]?.stdout ?? '')).toEqual({ label: 'south-east', score: 0.9724 });
    expect(JSON.parse(answers[1]?.stdout ?? '')).toHaveLength(4);
    expect(JSON.parse(answers[2]?.stdout ?? '')).toEqual([2, 4]);
  });

  it('leaves nothing behind: no folder, and after a signal no process either', async () => {
    const mark = aMark();
    const child = spawn(process.execPath, [SCONCE, 'run', model, '--handler', 'my_handler.py', '-t', 'application/json'], {
      cwd: folder,
      env: { ...environment, ...mark },
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    let heard = '';
    child.stderr.on('data', (chunk: Buffer) => {
      heard += chunk.toString();
    });
    child.stdin.end('{"do": "hang"}');
    await eventually(
      () => heard.includes('hanging'),
      () => `it hangs: ${heard}`,
    );

    const before = processesWith(mark).length;
    child.kill('SIGINT');
    const code = await new Promise((resolve) => child.on('exit', resolve));

    expect([before, code, readdirSync(join(folder, 'run'))]).toEqual([3, 130, []]);
    await eventually(
      () => processesWith(mark).length === 0,
      () => `the processes ${processesWith(mark).join(', ')} have gone`,
    );
  });
});

/** `sconce dev` in a model's folder. */
class Dev {
  output = '';
  readonly mark = aMark();
  readonly #child: ChildProcess;
  readonly exit: Promise<number | null>;

  constructor(
    readonly model: string,
    args: readonly string[] = [],
  ) {
    this.#child = spawn(process.execPath, [SCONCE, 'dev', '--port', '0', ...args], {
      cwd: model,
      env: { ...environment, ...this.mark },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    for (const stream of [this.#child.stdout, this.#child.stderr])
      stream?.on('data', (chunk: Buffer) => {
        this.output += chunk.toString();
      });
    this.exit = new Promise((resolve) => this.#child.on('exit', (code) => resolve(code)));
  }

  async says(text: string | RegExp): Promise<void> {
    await eventually(
      () => (typeof text === 'string' ? this.output.includes(text) : text.test(this.output)),
      () => `dev says ${text}:\n${this.output}`,
    );
  }

  async ask(body: object = { point: [0.1, -0.3] }): Promise<HttpResult> {
    const [, address = ''] = /at (http:\S+) for you/.exec(this.output) ?? [];
    const name = this.model.split('/').at(-1) ?? '';
    return call(`${address}/predictions/${name}`, { method: 'POST', body: JSON.stringify(body), headers: { 'content-type': 'application/json' } });
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
    this.#child.kill('SIGINT');
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
    const starter = aStarter('python');
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

    const { mark } = dev;
    expect(processesWith(mark)).toHaveLength(3);
    expect(await dev.stop()).toBe(0);
    expect(readdirSync(join(folder, 'run'))).toEqual([]);
    expect(processesWith(mark)).toEqual([]);
    expect(readdirSync(starter)).not.toContain('logs');
  });

  it('loses no request while it loads again, and takes up settings and weights too', async () => {
    const starter = aStarter('python');
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
    expect(run([PYTHON, train], { cwd: starter }).status).toBe(0);
    await dev.answers(({ text }) => !text.includes('0.9724'));
    isOver = true;
    await asking;

    expect([...statuses]).toEqual([200]);
    expect(processesWith(dev.mark).filter((line) => line.includes('model_service_worker.py'))).toHaveLength(1);
  });

  it('does the same for a TypeScript handler', async () => {
    const starter = aStarter('typescript');
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
    const starter = aStarter('onnx');

    const { status, stdout, stderr } = sconce(['dev', '--set', 'inference_address=http://0.0.0.0:0'], { cwd: starter });

    expect([status, stdout, stderr]).toEqual([
      1,
      '',
      expect.stringMatching(/^Invalid configuration: sconce dev listens on loopback only, not on http:\/\/0\.0\.0\.0:0;[^\n]*\n$/),
    ]);
  });
});

describe('sconce serve', () => {
  it('answers a failing handler without its traceback, and logs that with the id the client got', async () => {
    const server = new RunningServer();
    try {
      const model = join(server.store, 'failing');
      mkdirSync(join(model, 'MAR-INF'), { recursive: true });
      writeFileSync(
        join(model, 'my_handler.py'),
        'def handle(data, context):\n    return data and inner(data)\n\ndef inner(data):\n    raise ValueError("secret")\n',
      );
      const manifest = { runtime: 'python', model: { modelName: 'failing', modelVersion: '1.0', handler: 'my_handler.py' } };
      writeFileSync(join(model, 'MAR-INF', 'MANIFEST.json'), JSON.stringify(manifest));
      await server.start({ args: ['--models', 'failing'], config: { sconce_warm_python: 'false', default_workers_per_model: '1' } });

      const answer = await server.predict('failing', { body: 'x' });
      const id = String(answer.headers['x-request-id']);
      await server.eventually(async () => server.log('model_log.log').includes(`request_id=${id}`), 'the log names the request');

      expect(answer.json()).toEqual({ code: 503, type: 'InternalServerException', message: 'Prediction failed' });
      const lines = server
        .log('model_log.log')
        .split('\n')
        .map((line) => line.replace(/^.* MODEL_LOG - /, ''));
      const at = lines.indexOf('Invoking custom service failed.');
      expect(lines.slice(at + 1, at + 3)).toEqual(['Traceback (most recent call last):', `  File "${model}/my_handler.py", line 2, in handle`]);
      expect(lines.slice(at).filter((line) => line.includes('File "'))).toHaveLength(2);
      expect(lines.indexOf('ValueError: secret')).toBe(lines.indexOf(`request_id=${id}`) - 1);
    } finally {
      await server.dispose();
    }
  });
});
