import { describe, expect, it } from 'vitest';
import { SEQUENCE_HEADERS } from '../../test/fixtures/dispatching.js';
import type { ModelConfig } from '../inference/model-config.js';
import type { ServableModel } from '../inference/servable-model.js';
import { noModelConfig } from '../models/model-config.js';
import { chooseDiscipline } from './discipline.js';

const APART = { ...noModelConfig().sconce, isolate: 'principal' as const };

function choose(config: Partial<ModelConfig>, backend: ServableModel['backend'] = 'python') {
  const limits = { batchSize: 1, maxBatchDelayMs: 0, queueSize: 1 };
  return chooseDiscipline({ name: 'm', backend, config: { ...noModelConfig(), ...config } }, limits, SEQUENCE_HEADERS);
}

describe('the discipline of a model', () => {
  it.each<[string, Partial<ModelConfig>, ServableModel['backend'], string]>([
    ['sequences without an idle time', { sequenceBatching: true }, 'python', 'sequenceBatching needs sequenceMaxIdleMSec greater than 0'],
    ['steps of coroutines', { continuousBatching: true, asyncCommunication: true }, 'python', 'exclude each other'],
    ['steps of JavaScript', { continuousBatching: true }, 'javascript', 'continuousBatching needs a Python handler'],
    ['steps of ONNX', { continuousBatching: true }, 'onnx', 'continuousBatching needs a Python handler'],
    ['callers apart in steps', { continuousBatching: true, sconce: APART }, 'python', 'which sconce.isolate forbids'],
    ['callers apart in sequences', { sequenceBatching: true, sequenceMaxIdleMs: 1, sconce: APART }, 'python', 'which sconce.isolate forbids'],
    ['sequences of ONNX', { sequenceBatching: true, sequenceMaxIdleMs: 1 }, 'onnx', 'keeps state'],
  ])('is refused with its reason for %s', (_, config, backend, why) => {
    expect(() => choose(config, backend)).toThrow(why);
  });

  it.each<[string, Partial<ModelConfig>, ServableModel['backend']]>([
    ['coroutines with sequences', { asyncCommunication: true, sequenceBatching: true, sequenceMaxIdleMs: 1 }, 'python'],
    ['steps with sequences', { continuousBatching: true, sequenceBatching: true, sequenceMaxIdleMs: 1 }, 'python'],
    ['JavaScript with sequences', { sequenceBatching: true, sequenceMaxIdleMs: 1 }, 'javascript'],
    ['a key that means nothing to ONNX', { asyncCommunication: true }, 'onnx'],
  ])('is found for %s', (_, config, backend) => {
    expect(() => choose(config, backend)).not.toThrow();
  });
});
