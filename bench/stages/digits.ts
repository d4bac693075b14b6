import { cpSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pack } from '../archives.js';
import type { Load } from '../load.js';
import type { Workbench } from '../workbench.js';

const TWO_WORKERS = 'minWorkers: 2\nmaxWorkers: 2\n';

/** A small network in ONNX: in-process on one side, by a Python handler on the other, and by the handler on both. */
export async function digits(bench: Workbench): Promise<void> {
  const { root, store, seconds } = bench;
  const digitsOnnx = join(root, 'demo', 'store', 'digits', 'digits.onnx');
  const image = Array.from({ length: 784 }, (_, n) => Number((((n * 37) % 256) / 255).toFixed(4)));
  const jsonImage = JSON.stringify({ image });
  const binaryImage = Buffer.from(new Float32Array(image).buffer);
  await pack(root, store, 'digits_py', 'onnx_digits.py', TWO_WORKERS, { 'digits.onnx': digitsOnnx });
  await pack(root, store, 'digits_py8', 'onnx_digits.py', `${TWO_WORKERS}batchSize: 8\nmaxBatchDelay: 2\n`, { 'digits.onnx': digitsOnnx });
  const native = join(store, 'digits_native');
  mkdirSync(native);
  cpSync(digitsOnnx, join(native, 'digits.onnx'));
  writeFileSync(join(native, 'model-config.yaml'), TWO_WORKERS);
  await bench.onStage({
    title: 'Digits CNN in ONNX: Sconce in-process, TorchServe by a Python handler',
    models: 'digits_py.mar,digits_py8.mar,digits_native',
    probe: { model: 'digits_py8', body: jsonImage, contentType: 'application/json', right: (text) => text.includes('[') },
    measure: async () => {
      const load = (model: string, body: string | Buffer, contentType: string, connections: number, port: number): Load => ({
        url: `http://127.0.0.1:${port}/predictions/${model}`,
        body,
        contentType,
        connections,
        seconds,
      });
      const cases = [
        ['JSON of 784 floats', jsonImage, 'application/json'],
        ['3 136 bytes', binaryImage, 'application/octet-stream'],
      ] as const;
      for (const [title, body, type] of cases) {
        for (const connections of [1, 32]) {
          const theirs = connections === 1 ? 'digits_py' : 'digits_py8';
          await bench.compare(`${title}, ${connections} connection${connections > 1 ? 's' : ''}`, (port, who) =>
            load(who === 'sconce' ? 'digits_native' : theirs, body, type, connections, port),
          );
        }
      }
      await bench.compare('the same Python handler on both, JSON, 32 connections', (port) => load('digits_py8', jsonImage, 'application/json', 32, port));
    },
  });
}
