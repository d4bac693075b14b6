import { beforeAll } from 'vitest';
import { OnnxBackend } from '../../src/backends/onnx/onnx-backend.js';
import { aServableModel, buildThreads } from '../fixtures/driven-runner.js';
import { hosted } from '../fixtures/hosted-models.js';
import { backendContract } from './backend.js';

beforeAll(() => buildThreads());

const models = () => ({
  echo: { model: aServableModel({ serializedFile: 'double.onnx' }), bodies: ['[1,2,3]', '[[4,5,6]]'], answers: ['[2,4,6]', '[[8,10,12]]'] },
  slow: { model: aServableModel({ serializedFile: 'slow.onnx' }), body: '[1,2]', answer: '[1,2]' },
  broken: aServableModel({ serializedFile: 'absent.onnx' }),
});

backendContract('onnx', () => new OnnxBackend({ maxImagePixels: 1_000_000 }), models);
backendContract('onnx in sandboxed processes', () => hosted((host) => new OnnxBackend({ maxImagePixels: 1_000_000, host })), models);
