import { execFileSync } from 'node:child_process';
import { copyFileSync, cpSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { archive } from '../fixtures/archives.js';
import { RunningServer } from './running-server.js';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const DEMO = join(ROOT, 'demo');
const VENV = process.env.SCONCE_VENV_DIR ?? join(ROOT, '.venv');
const NAMES = ['zero', 'one', 'two', 'three', 'four', 'five', 'six', 'seven', 'eight', 'nine'];
const server = new RunningServer();

/** Runs PyTorch to make a file that a test serves. */
function python(code: string): void {
  execFileSync(join(VENV, 'bin', 'python'), ['-W', 'ignore', '-c', code], { cwd: server.folder });
}

function image(digit: number): Buffer {
  return readFileSync(join(DEMO, 'images', `${digit}.png`));
}

function pixels(digit: number): Promise<Float32Array> {
  return import('sharp').then(async ({ default: sharp }) => Float32Array.from(await sharp(image(digit)).greyscale().raw().toBuffer(), (value) => value / 255));
}

async function register(url: string, query = 'initial_workers=1'): Promise<void> {
  const answer = await server.manage('POST', `/models?url=${url}&${query}`);
  expect(answer.text).toContain('registered with');
  expect(answer.status).toBe(200);
}

beforeAll(async () => {
  cpSync(join(DEMO, 'store'), server.store, { recursive: true });
  await server.start({
    args: ['--models', 'digits', 'digits_torch.mar'],
    config: { default_workers_per_model: '1' },
    env: { TMPDIR: server.folder, TEMP: server.folder },
  });
});

afterAll(() => server.dispose());

describe('the demo', () => {
  it.each(NAMES.map((name, digit) => [digit, name] as const))('both models read %i as %s', async (digit, name) => {
    const [onnx, torch] = await Promise.all([
      server.predict('digits', { body: image(digit), headers: { 'content-type': 'image/png' } }),
      server.predict('digits_torch', { body: image(digit) }),
    ]);

    for (const { status, text } of [onnx, torch]) {
      expect(status).toBe(200);
      const entries = Object.entries(JSON.parse(text));
      expect(entries).toHaveLength(3);
      expect(entries[0]?.[0]).toBe(name);
    }
    expect(JSON.parse(onnx.text)[name]).toBeCloseTo(JSON.parse(torch.text)[name], 4);
  });

  it('an image that is none is refused with its reason, alone in its batch', async () => {
    const [bad, good] = await Promise.all([server.predict('digits', { body: 'not an image' }), server.predict('digits', { body: image(3) })]);

    expect([bad.status, bad.headers['x-sconce-reason']]).toEqual([400, 'bad_input']);
    expect(good.status).toBe(200);
  });
});

describe('an ONNX model', () => {
  it('is served from a bare file, takes JSON and raw bytes, and answers with the output tensor', async () => {
    copyFileSync(join(DEMO, 'store', 'digits', 'digits.onnx'), join(server.store, 'bare.onnx'));
    await register('bare.onnx');
    const input = await pixels(7);
    const [model] = JSON.parse((await server.manage('GET', '/models/bare')).text);
    expect(model.batchSize).toBe(8);

    const asJson = await server.predict('bare', { body: JSON.stringify([...input]), headers: { 'content-type': 'application/json' } });
    const named = await server.predict('bare', { body: JSON.stringify({ image: [[[...input]]].flat() }), headers: { 'content-type': 'application/json' } });
    const raw = await server.predict('bare', { body: new Uint8Array(input.buffer), headers: { 'content-type': 'application/octet-stream' } });

    for (const answer of [asJson, named, raw]) {
      expect(answer.status).toBe(200);
      const logits: number[] = JSON.parse(answer.text).flat();
      expect(logits.indexOf(Math.max(...logits))).toBe(7);
    }
  });

  it('speaks KServe v1 and v2 without an envelope', async () => {
    const input = [...(await pixels(4))];
    const v1 = await server.predict('bare', { body: JSON.stringify({ instances: [input, input] }), headers: { 'content-type': 'application/json' } });
    const v2 = await server.predict('bare', {
      body: JSON.stringify({ id: 'me', inputs: [{ name: 'image', shape: [1, 1, 28, 28], datatype: 'FP32', data: input }] }),
      headers: { 'content-type': 'application/json' },
    });

    expect(JSON.parse(v1.text).predictions).toHaveLength(2);
    expect(JSON.parse(v2.text)).toMatchObject({ id: 'me', model_name: 'bare', outputs: [{ name: 'logits', datatype: 'FP32', shape: [1, 10] }] });
  });

  it.each([
    ['{"image": [1, 2, 3]}', 'application/json'],
    ['[1, "two"]', 'application/json'],
    ['{broken', 'application/json'],
    ['123', 'application/octet-stream'],
  ])('refuses %s with 400 and goes on', async (body, type) => {
    const { status, headers } = await server.predict('bare', { body, headers: { 'content-type': type } });

    expect([status, headers['x-sconce-reason']]).toEqual([400, 'bad_input']);
    expect((await server.predict('digits', { body: image(1) })).status).toBe(200);
  });

  it('reports to nobody: the engine keeps no telemetry', async () => {
    expect((await server.predict('digits', { body: image(5) })).status).toBe(200);

    expect(readdirSync(server.folder).filter((name) => name.startsWith('mat-debug') || name === '.ses')).toEqual([]);
  });

  it('that is no ONNX file fails its registration, and nothing stays', async () => {
    writeFileSync(join(server.store, 'junk.onnx'), 'not a graph');

    const { status, text } = await server.manage('POST', '/models?url=junk.onnx&initial_workers=1');

    expect(status).toBe(500);
    expect(text).toContain('Failed to start workers for model junk');
    expect((await server.manage('GET', '/models/junk')).status).toBe(404);
  });
});

describe('PyTorch models', () => {
  it('a bare TorchScript file answers tensors with tensors', async () => {
    python(
      `import torch\nmodule = torch.nn.Linear(3, 2)\nwith torch.no_grad():\n    module.weight.fill_(1); module.bias.fill_(0.5)\ntorch.jit.script(module).save(${JSON.stringify(join(server.store, 'linear.pt'))})`,
    );
    await register('linear.pt');

    const { status, text } = await server.predict('linear', { body: '[1.0, 2.0, 3.0]', headers: { 'content-type': 'application/json' } });

    expect([status, JSON.parse(text)]).toEqual([200, [6.5, 6.5]]);
  });

  it('an archive of the official archiver with a model file, weights, labels and the built-in image_classifier answers five labels', async () => {
    const source = join(server.folder, 'classifier');
    mkdirSync(source);
    mkdirSync(join(server.folder, 'staging'));
    writeFileSync(
      join(source, 'net.py'),
      'from torch import nn\n\n\nclass Net(nn.Module):\n    def __init__(self):\n        super().__init__()\n        self.head = nn.Sequential(nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(12, 7))\n\n    def forward(self, images):\n        return self.head(images)\n',
    );
    writeFileSync(join(source, 'index_to_name.json'), JSON.stringify(Object.fromEntries(Array.from({ length: 7 }, (_, n) => [n, `class ${n}`]))));
    python(
      `import sys, torch\nsys.path.insert(0, 'classifier')\nfrom net import Net\ntorch.manual_seed(0)\ntorch.save(Net().state_dict(), 'classifier/weights.pt')`,
    );
    execFileSync(
      join(VENV, 'bin', 'torch-model-archiver'),
      [
        ...['--model-name', 'classifier', '--version', '2.5', '--model-file', 'classifier/net.py', '--serialized-file', 'classifier/weights.pt'],
        ...['--handler', 'image_classifier', '--extra-files', 'classifier/index_to_name.json', '--export-path', server.store],
      ],
      { cwd: server.folder, env: { ...process.env, TMPDIR: join(server.folder, 'staging') } },
    );
    await register('classifier.mar');
    const { default: sharp } = await import('sharp');
    const picture = await sharp({ create: { width: 300, height: 260, channels: 3, background: '#4080c0' } })
      .png()
      .toBuffer();

    const { status, text } = await server.predict('classifier/2.5', { body: picture });

    expect(status).toBe(200);
    const answer: Record<string, number> = JSON.parse(text);
    expect(Object.keys(answer)).toHaveLength(5);
    expect(Object.keys(answer).every((label) => label.startsWith('class '))).toBe(true);
    expect(Object.values(answer)).toEqual([...Object.values(answer)].sort((a, b) => b - a));
  });

  it('a folder without an archive is served in place, and its files are still there afterwards', async () => {
    const folder = join(server.store, 'plain_folder');
    mkdirSync(join(folder, 'MAR-INF'), { recursive: true });
    copyFileSync(join(ROOT, 'test', 'fixtures', 'handlers', 'noop.py'), join(folder, 'noop.py'));
    writeFileSync(join(folder, 'MAR-INF', 'MANIFEST.json'), JSON.stringify({ model: { modelName: 'plain_folder', modelVersion: '1.0', handler: 'noop.py' } }));
    await register('plain_folder');

    expect((await server.predict('plain_folder')).text).toBe('ok');
    await server.manage('DELETE', '/models/plain_folder');
    expect(readFileSync(join(folder, 'noop.py'), 'utf8')).toContain('def handle');
  });

  it('requirements are installed only where that is allowed, and a failed installation leaves no model', async () => {
    const strict = new RunningServer();
    try {
      const fine = await archive(strict.store, {
        name: 'fine',
        handler: 'noop.py',
        files: { 'requirements.txt': '# nothing\n' },
        model: { requirementsFile: 'requirements.txt' },
      });
      const broken = await archive(strict.store, {
        name: 'broken',
        handler: 'noop.py',
        files: { 'requirements.txt': './no-such-wheel-1.0-py3-none-any.whl\n' },
        model: { requirementsFile: 'requirements.txt' },
      });
      await strict.start({ config: { install_py_dep_per_model: 'true' } });

      expect((await strict.manage('POST', `/models?url=${fine}&initial_workers=1`)).status).toBe(200);
      const refused = await strict.manage('POST', `/models?url=${broken}&initial_workers=1`);
      expect(refused.json()).toMatchObject({ code: 400, type: 'ModelException' });
      expect(refused.text).toContain('Custom pip package installation failed for model broken (no-such-wheel-1.0-py3-none-any.whl is not in the archive)');
      expect((await strict.manage('GET', '/models/broken')).status).toBe(404);
    } finally {
      await strict.dispose();
    }
  });
});

describe('a JavaScript handler', () => {
  it('preprocesses, infers and postprocesses on a thread of its own; its faults are its own', async () => {
    const file = await archive(server.store, { name: 'shout', handler: 'shout.mjs' });
    await register(file);

    expect((await server.predict('shout', { body: 'hello', headers: { 'content-type': 'text/plain' } })).text).toBe('HELLO!');
    const bad = await server.predict('shout', { body: 'throw', headers: { 'content-type': 'text/plain' } });
    expect([bad.status, bad.json()]).toEqual([503, { code: 503, type: 'InternalServerException', message: 'Prediction failed' }]);
    expect((await server.predict('shout', { body: 'again', headers: { 'content-type': 'text/plain' } })).text).toBe('AGAIN!');
  });
});
