import { describe, expect, it } from 'vitest';
import { checkedModelName, checkedModelVersion, derivedModelName } from './model-name.js';

describe('a name derived from a location', () => {
  it.each([
    ['dogs.mar', 'dogs'],
    ['dogs.model', 'dogs'],
    ['digits.onnx', 'digits'],
    ['net.pt', 'net'],
    ['foo.tar.gz', 'foo_tar_gz'],
    ['my-dogs v2.mar', 'my_dogs_v2'],
    ['_dogs.mar', '_dogs'],
    ['/store/some/folder/', 'folder'],
    ['https://host/path/dogs.mar', 'dogs'],
    ['größe.mar', 'gr__e'],
  ])('of %s is %s', (location, name) => {
    expect(derivedModelName(location)).toBe(name);
  });
});

describe('a name or a version', () => {
  it.each(['dogs', 'dogs and cats', '1.0', 'größe', 'a.b-c_d', 'x'.repeat(255)])('of %j is taken as it is', (text) => {
    expect(checkedModelName(text)).toBe(text);
    expect(checkedModelVersion(text)).toBe(text);
  });

  it.each(['', 'a/b', 'a\\b', 'a\nb', 'a\u0000', 'a\u007f', 'x'.repeat(256)])('of %j is refused', (text) => {
    expect(() => checkedModelName(text)).toThrow('Model name is not valid');
    expect(() => checkedModelVersion(text)).toThrow('Model version is not valid');
  });

  it('that is a step in a path is no name', () => {
    expect(() => checkedModelName('.')).toThrow('Model name is not valid');
    expect(() => checkedModelName('..')).toThrow('Model name is not valid');
  });
});
