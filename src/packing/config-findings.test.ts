import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { SERVER_KEYS } from '../models/model-config.js';
import { readConfig } from './config-findings.js';
import type { ModelDescription } from './model-description.js';

const MODEL: ModelDescription = {
  ...{ name: 'm', version: '1.0', runtime: 'python', backend: 'python', handler: 'handler.py', rest: { manifest: {}, model: {} } },
  ...{ serializedFile: undefined, modelFile: undefined, requirementsFile: undefined, configFile: 'model-config.yaml', sourceVocab: undefined },
};
const messages = (yaml: string, model = MODEL) => readConfig(yaml, model).findings.map(({ message }) => message);

it('the list of keys is the one that the server reads', () => {
  const source = readFileSync(new URL('../models/model-config.ts', import.meta.url), 'utf8');
  const read = new Set([...source.matchAll(/\b(?:int|atLeastOne|bool|word)\('(\w+)'|\braw\.(\w+)/g)].map(([, key, other]) => key ?? other));

  expect(new Set(SERVER_KEYS)).toEqual(read);
});

describe('model-config.yaml', () => {
  it('that is fine says nothing, whatever the handler keeps below its own key', () => {
    expect(
      messages('minWorkers: 1\nmaxWorkers: 2\nbatchSize: 4\nhandler: {anything: [1]}\npt2: {compile: {enable: true}}\nsconce: {intraOpThreads: 2}\n'),
    ).toEqual([]);
  });

  it.each([
    ['batchsize: 3', 'model-config.yaml: batchsize is no setting of the server: did you mean batchSize?'],
    ['zzzz: 3\nqqqq: 4', 'model-config.yaml: zzzz, qqqq: no setting of the server, only the handler sees it: put it below `handler:` if it is meant so'],
    ['batchSize: many', 'model-config.yaml: batchSize would be ignored: it takes a whole number'],
    ['deviceType: tpu', 'model-config.yaml: deviceType would be ignored: it takes cpu, gpu'],
    ['parallelType: tp', 'model-config.yaml: parallelType counts only with parallelLevel: add parallelLevel, or torchrun with nproc-per-node'],
    ['torchrun: {nproc-per-node: 2}', 'model-config.yaml: parallelLevel would be ignored: it takes only together with parallelType'],
    ['minWorkers: 2', 'model-config.yaml: minWorkers and maxWorkers count only together: give both'],
    ['minWorkers: 3\nmaxWorkers: 2', 'model-config.yaml: maxWorkers is less than minWorkers, so neither counts: raise maxWorkers'],
    ['sequenceBatching: true', 'model-config.yaml: sequenceBatching needs sequenceMaxIdleMSec, in milliseconds: add it'],
    [
      'handler: {weights: [/data/llama/7b]}',
      'model-config.yaml: handler.weights.0 is /data/llama/7b, which is on this machine: put it into the folder and write a relative path',
    ],
    ['- 1', 'model-config.yaml is not a mapping and is left out'],
  ])('%j is warned of in a line with its cure', (yaml, message) => {
    expect(messages(yaml)).toEqual([message]);
  });

  it('an ONNX pipeline that the server would refuse is told', () => {
    expect(messages('pipeline: {postprocess: [softmax, topp]}', { ...MODEL, backend: 'onnx', handler: undefined })[0]).toContain(
      'pipeline.postprocess.1: takes one of softmax',
    );
    expect(messages('pipeline: {postprocess: [softmax, topp]}')).toEqual([]);
  });
});
