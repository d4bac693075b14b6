import { describe, expect, it } from 'vitest';
import { noModelConfig } from '../models/model-config.js';
import { handlerFindings } from './handler-findings.js';
import type { ModelDescription } from './model-description.js';

const MODEL: ModelDescription = {
  ...{ name: 'm', version: '1.0', runtime: 'python', backend: 'python', handler: 'handler.py', rest: { manifest: {}, model: {} } },
  ...{ serializedFile: undefined, modelFile: undefined, requirementsFile: undefined, configFile: undefined, sourceVocab: undefined },
};
const codes = (model: Partial<ModelDescription>, names: readonly string[], batchSize?: number) =>
  handlerFindings({ ...MODEL, ...model }, { ...noModelConfig(), batchSize }, (name) => names.includes(name)).map(({ code }) => code);

describe('a model', () => {
  it('whose files are there says nothing', () => {
    expect(codes({ serializedFile: 'w.pt', modelFile: 'net.py' }, ['handler.py', 'w.pt', 'net.py'])).toEqual([]);
    expect(codes({ handler: 'image_classifier', serializedFile: 'w.pt' }, ['w.pt', 'index_to_name.json'])).toEqual([]);
    expect(codes({ handler: undefined, backend: 'onnx', serializedFile: 'm.onnx' }, ['m.onnx'])).toEqual([]);
    expect(codes({ handler: 'pkg.mod:handle' }, ['pkg/mod.py'])).toEqual([]);
    expect(codes({ handler: 'handler.mjs', backend: 'javascript' }, ['handler.mjs'])).toEqual([]);
  });

  it.each([
    ['no handler and no ONNX file', { handler: undefined }, [], ['no-handler']],
    ['a handler that is not there', { handler: 'nope.py' }, ['handler.py'], ['handler-missing']],
    ['a JavaScript handler that is not there', { handler: 'nope.mjs', backend: 'javascript' }, [], ['handler-missing']],
    ['a handler below a folder without function', { handler: 'src/handler.py' }, ['src/handler.py'], ['handler-in-folder']],
    ['weights that are named and missing', { serializedFile: 'w.pt' }, ['handler.py'], ['file-missing']],
    ['a name that is a path of this machine', { serializedFile: '/data/w.pt' }, ['handler.py'], ['absolute-path']],
    ['a classifier without labels', { handler: 'image_classifier', serializedFile: 'w.pt' }, ['w.pt'], ['labels-missing']],
    ['a built-in handler without weights', { handler: 'image_segmenter' }, [], ['weights-missing']],
    ['a text classifier without vocabulary', { handler: 'text_classifier', serializedFile: 'w.pt' }, ['index_to_name.json', 'w.pt'], ['vocabulary-missing']],
    ['a state dictionary without its architecture', { handler: 'image_segmenter', serializedFile: 'w.pth' }, ['w.pth'], ['model-file-missing']],
  ] as const)('with %s is warned of', (_, model, names, expected) => {
    expect(codes(model, names)).toEqual(expected);
  });

  it('a batch is warned of where the handler takes one request at a time', () => {
    expect(codes({ handler: 'vllm_handler' }, [], 4)).toEqual(['batch']);
    expect(codes({ handler: 'vllm_handler' }, [], 1)).toEqual([]);
    expect(codes({ handler: 'image_segmenter', serializedFile: 'w.pt' }, ['w.pt'], 4)).toEqual([]);
  });

  it('a vocabulary that the manifest names is the one that is looked for', () => {
    expect(codes({ handler: 'text_classifier', sourceVocab: 'v.pt', serializedFile: 'w.pt' }, ['w.pt', 'v.pt', 'index_to_name.json'])).toEqual([]);
  });
});
