import { execFileSync, spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { lay } from '../fixtures/packing.js';
import { PYTHON, ROOT } from '../fixtures/python-workers.js';
import { RunningServer } from './running-server.js';

const server = new RunningServer();

/** Runs a command of bin/ in the server's folder, as a user does: ours on this Node, the archivers by themselves. */
function run(tool: string, ...args: readonly string[]) {
  const path = join(ROOT, 'bin', tool);
  const [command, given] = tool === 'sconce' ? [process.execPath, [path, ...args]] : [path, args];
  return spawnSync(command, given, { cwd: server.folder, encoding: 'utf8', env: { ...process.env, PYTHON } });
}

function packed(folder: string, ...args: readonly string[]) {
  const { status, stdout, stderr } = run('sconce', 'pack', folder, '-o', 'store/', '--python', PYTHON, ...args);
  expect([status, stderr]).toEqual([0, '']);
  return stdout;
}

async function register(url: string): Promise<void> {
  const answer = await server.manage('POST', `/models?url=${url}&initial_workers=1`);
  expect([answer.status, answer.text]).toEqual([200, expect.stringContaining('registered with')]);
}

const ask = async (model: string, body: string, type = 'application/octet-stream') =>
  (await server.predict(model, { body, headers: { 'content-type': type } })).text;

const HANDLER = `from helper import shout


class Handler:
    def initialize(self, context):
        self.word = context.model_yaml_config["handler"]["word"]

    def handle(self, data, context):
        return [shout(bytes(row.get("data") or row.get("body")).decode(), self.word) for row in data]
`;
const PYTHON_MODEL = {
  'handler.py': HANDLER,
  'helper.py': 'def shout(text, word):\n    return text.upper() + word\n',
  'model-config.yaml': 'handler:\n  word: "!"\n',
  'tests/test_handler.py': 'raise SystemExit\n',
};

beforeAll(() => server.start());
afterAll(() => server.dispose());

describe('sconce pack', () => {
  it.each([
    ['mar', 'mar.mar'],
    ['mar-store', 'mar-store.mar'],
    ['tgz', 'tgz.tar.gz'],
    ['folder', 'folder'],
  ])('a Python model packed as %s is served', async (format, file) => {
    const said = packed(lay(join(server.folder, 'models', format), PYTHON_MODEL), '--format', format);
    expect(said).toContain('left out: tests/');
    expect(said).toContain(`sconce models register ${file}`);

    await register(file);

    expect(await ask(format, 'hello')).toBe('HELLO!');
  });

  it('an ONNX model is packed without Python and served', async () => {
    const folder = join(server.folder, 'models', 'double');
    mkdirSync(folder, { recursive: true });
    copyFileSync(join(ROOT, 'test', 'fixtures', 'onnx', 'double.onnx'), join(folder, 'model.onnx'));
    const { status } = spawnSync(process.execPath, [join(ROOT, 'bin', 'sconce'), 'pack', folder, '-o', 'store/'], {
      cwd: server.folder,
      env: { PATH: '/nowhere' },
    });
    expect(status).toBe(0);

    await register('double.mar');

    expect(JSON.parse(await ask('double', '[1, 2, 3]', 'application/json'))).toEqual([2, 4, 6]);
  });

  it('a JavaScript model is packed and served', async () => {
    packed(
      lay(join(server.folder, 'models', 'shout'), {
        'handler.mjs': 'import { loud } from "./loud.mjs";\nexport const handle = (requests) => requests.map((request) => loud(request.text()));\n',
        'loud.mjs': 'export const loud = (text) => text.toUpperCase();\n',
      }),
    );

    await register('shout.mar');

    expect(await ask('shout', 'hello')).toBe('HELLO');
  });

  it('a TypeScript model is packed and served', async () => {
    packed(
      lay(join(server.folder, 'models', 'typed'), {
        'handler.ts':
          'export function handle(requests: readonly { text(): string }[]): string[] {\n  return requests.map((request) => request.text().toUpperCase());\n}\n',
      }),
    );

    await register('typed.mar');

    expect(await ask('typed', 'hello', 'text/plain')).toBe('HELLO');
  });

  it('a handler that cannot be imported is refused with its own lines and exit code 1, and packed all the same with --no-check', () => {
    lay(join(server.folder, 'models', 'bad'), { 'handler.py': 'import surely_not_there\n' });

    const { status, stdout, stderr } = run('sconce', 'pack', 'models/bad', '--python', PYTHON);

    expect([status, stdout]).toEqual([1, '']);
    expect(stderr).toContain('File "handler.py", line 1, in <module>\n    import surely_not_there\nModuleNotFoundError');
    expect(run('sconce', 'pack', 'models/bad', '--no-check').status).toBe(0);
  });

  it('a built-in handler is checked against its weights: what will not load is told with the cure', () => {
    const folder = lay(join(server.folder, 'models', 'doomed'), {
      'model.py': 'from torch import nn\n\n\nclass Block(nn.Module): ...\n\n\nclass Net(nn.Module): ...\n',
    });
    execFileSync(PYTHON, ['-W', 'ignore', '-c', 'import torch, sys; torch.save(torch.nn.Linear(2, 2), sys.argv[1])', join(folder, 'model.pt')]);

    const { status, stdout } = run('sconce', 'pack', folder, '--handler', 'image_segmenter', '--python', PYTHON, '--json');

    const { warnings } = JSON.parse(stdout);
    expect(status).toBe(0);
    const told = warnings.filter(({ code }: { code: string }) => code !== 'handler-not-checked').map(({ message }: { message: string }) => message);
    expect(told).toEqual([
      'model.py defines 2 classes (Block, Net), and the handler takes a file with exactly one: keep the model alone in it and import the rest',
      expect.stringMatching(
        /^model\.pt holds more than tensors \(.*torch\.nn\.modules\.linear\.Linear.*\), which torch\.load refuses: save model\.state_dict\(\) instead$/,
      ),
    ]);
  });

  it('a wrong flag is a usage error', () => {
    expect(run('sconce', 'pack', '--format', 'rar').status).toBe(2);
  });
});

describe('torch-model-archiver', () => {
  it.each([
    ['default', 'archived-default.mar'],
    ['zip-store', 'archived-zip-store.mar'],
    ['tgz', 'archived-tgz.tar.gz'],
    ['no-archive', 'archived-no-archive'],
  ])('an archive in the format %s is served', async (format, file) => {
    const folder = lay(join(server.folder, 'sources'), PYTHON_MODEL);
    const name = `archived-${format}`;
    const { status, stderr } = run(
      'torch-model-archiver',
      ...['--model-name', name, '--version', '1.0', '--handler', join(folder, 'handler'), '--extra-files', join(folder, 'helper.py')],
      ...['--config-file', join(folder, 'model-config.yaml'), '--archive-format', format, '--export-path', 'store'],
    );
    expect([status, stderr]).toEqual([0, '']);

    await register(file);

    expect(await ask(name, 'hello')).toBe('HELLO!');
  });
});
