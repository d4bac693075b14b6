import { describe, expect, it } from 'vitest';
import { ArchiveInvalid } from '../errors/model.js';
import { parseManifest } from './manifest.js';

const written = {
  createdOn: '24/11/2026 12:00:00',
  runtime: 'python3',
  model: {
    modelName: 'dogs',
    modelVersion: '2.1',
    handler: 'image_classifier',
    serializedFile: 'dogs.pt',
    requirementsFile: 'requirements.txt',
    configFile: 'model-config.yaml',
    modelFile: 'net.py',
    extensions: 'x.json',
  },
  archiverVersion: '0.12.0',
};

function refusal(content: unknown): unknown {
  try {
    parseManifest(typeof content === 'string' ? content : JSON.stringify(content));
  } catch (error) {
    return error;
  }
  return undefined;
}

describe('a manifest', () => {
  it('as the archiver writes it is read; keys that are for Python are no matter', () => {
    expect(parseManifest(JSON.stringify(written))).toEqual({
      runtime: 'python3',
      modelName: 'dogs',
      modelVersion: '2.1',
      handler: 'image_classifier',
      envelope: undefined,
      serializedFile: 'dogs.pt',
      requirementsFile: 'requirements.txt',
      configFile: 'model-config.yaml',
    });
  });

  it('that says little is a Python model of version 1.0; nulls and empty texts count as unset', () => {
    expect(parseManifest('{"model":{"modelName":"a"}}')).toMatchObject({ runtime: 'python', modelName: 'a', modelVersion: '1.0', handler: undefined });
    expect(parseManifest('{"runtime":null,"model":{"modelName":"a","modelVersion":null,"handler":"","configFile":""}}')).toMatchObject({
      runtime: 'python',
      modelVersion: '1.0',
      handler: undefined,
      configFile: undefined,
    });
  });

  it('may leave the name to the register call, and give the version as a number', () => {
    expect(parseManifest('{"model":{"modelVersion":2}}')).toMatchObject({ modelName: undefined, modelVersion: '2' });
  });

  it.each([
    ['no json', 'Failed to parse signature.json.'],
    ['', 'Failed to parse signature.json.'],
    ['[]', 'Failed to parse signature.json.'],
    ['null', 'Failed to parse signature.json.'],
    ['"text"', 'Failed to parse signature.json.'],
    [{ model: { modelName: ['a'] } }, 'Failed to parse signature.json.'],
    [{ model: 'a' }, 'Failed to parse signature.json.'],
    [{}, 'Missing Model entry in manifest file.'],
    [{ model: null }, 'Missing Model entry in manifest file.'],
    [{ runtime: 'ruby', model: { modelName: 'a' } }, 'Runtime is not defined or invalid.'],
    [{ runtime: 7, model: { modelName: 'a' } }, 'Runtime is not defined or invalid.'],
  ])('of %j is refused in the words of TorchServe', (content, message) => {
    const error = refusal(content);

    expect(ArchiveInvalid.is(error)).toBe(true);
    expect(error).toMatchObject({ message });
  });
});
