import { copyFileSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../fixtures/eventually.js';
import { PYTHON, ROOT } from '../fixtures/python-workers.js';
import { AuthoringBench, processesWith } from './authoring-bench.js';

const bench = new AuthoringBench();

afterAll(() => bench.close());

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
    model = join(bench.folder, 'told');
    mkdirSync(model);
    writeFileSync(join(model, 'my_handler.py'), HANDLER);
  });

  const ask = (wish: object, ...more: string[]) =>
    bench.sconce(['run', model, '--handler', 'my_handler.py', '-t', 'application/json', ...more], { input: JSON.stringify(wish) });

  it('prints the body on standard output, and what the model writes on standard error', () => {
    const { status, stdout, stderr } = ask({}, '--header', 'X-Test=yes', '--explain');

    expect(JSON.parse(stdout)).toEqual({ header: 'yes', explain: 'True' });
    expect([status, stderr]).toEqual([0, 'told | asked with dict\n']);
  });

  it('prints status, headers and body as JSON', () => {
    const options = ['--header', 'X-Test=1', '--header', 'X-Other=2', '--set', 'debug=false', '--handler', 'my_handler.py', '--json', '-q'];
    const { stdout, stderr } = bench.sconce(['run', ...options, model], { input: '{}' });

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
    const broken = join(bench.folder, 'broken');
    mkdirSync(broken);
    writeFileSync(join(broken, 'my_handler.py'), 'import surely_not_there\n');

    const { status, stderr } = bench.sconce(['run', broken, '--handler', 'my_handler.py', '-q'], { input: '{}' });

    expect(status).toBe(1);
    expect(stderr).toMatch(/^The model could not be loaded: ModuleNotFoundError: No module named 'surely_not_there'\nTraceback .*my_handler\.py", line 1/s);
  });

  it.each([
    ['nothing', 'nothing-there', /^There is no model at nothing-there\.\n$/],
    ['no model', 'told/my_handler.py', /^told\/my_handler\.py is no model: [^\n]*\n$/],
  ])('refuses %s with one line', (_, path, line) => {
    expect(bench.sconce(['run', path], { input: '{}' })).toMatchObject({ status: 1, stdout: '', stderr: expect.stringMatching(line) });
  });

  it('takes an interpreter that is not there for what it is', () => {
    const { status, stderr } = bench.sconce(['run', model, '--handler', 'my_handler.py', '--python', '/nowhere/python'], { input: '{}' });

    expect([status, stderr.split('\n')[0]]).toEqual([1, expect.stringContaining('/nowhere/python')]);
  });

  it('runs an archive, a lone .onnx file and a lone TorchScript file', () => {
    const starter = bench.starter('python');
    const archive = join(bench.folder, 'points.mar');
    const zip = `import shutil, sys; shutil.make_archive(sys.argv[2], 'zip', sys.argv[1]); import os; os.replace(sys.argv[2] + '.zip', sys.argv[2])`;
    expect(bench.run([PYTHON, '-c', zip, starter, archive]).status).toBe(0);
    const onnx = join(bench.folder, 'lone.onnx');
    copyFileSync(join(ROOT, 'templates', 'onnx', 'model.onnx'), onnx);
    const script = join(bench.folder, 'double.pt');
    writeFileSync(
      join(bench.folder, 'double.py'),
      'import sys, torch\nclass M(torch.nn.Module):\n    def forward(self, x):\n        return x * 2\ntorch.jit.script(M()).save(sys.argv[1])\n',
    );
    expect(bench.run([PYTHON, join(bench.folder, 'double.py'), script]).status).toBe(0);

    const answers = [
      bench.sconce(['run', archive, '-q', '-f', join(starter, 'sample.json')]),
      bench.sconce(['run', onnx, '-q', '-t', 'application/json'], { input: '{"point": [0.1, -0.3]}' }),
      bench.sconce(['run', script, '-q', '-t', 'application/json'], { input: '[1.0, 2.0]' }),
    ];

    expect(answers.map(({ stderr }) => stderr)).toEqual(['', '', '']);
    expect(JSON.parse(answers[0]?.stdout ?? '')).toEqual({ label: 'south-east', score: 0.9724 });
    expect(JSON.parse(answers[1]?.stdout ?? '')).toHaveLength(4);
    expect(JSON.parse(answers[2]?.stdout ?? '')).toEqual([2, 4]);
  });

  it('leaves nothing behind: no folder, and after a signal no process either', async () => {
    const { child, mark } = bench.spawned(['run', model, '--handler', 'my_handler.py', '-t', 'application/json']);
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

    expect([before, code, readdirSync(bench.runFolder)]).toEqual([3, 130, []]);
    await eventually(
      () => processesWith(mark).length === 0,
      () => `the processes ${processesWith(mark).join(', ')} have gone`,
    );
  });
});
