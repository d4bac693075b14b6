import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { LocationRefused } from '../errors/model.js';
import { checkLocation, locate, storeEntries } from './location.js';

let folder: string;
let store: string;

beforeEach(() => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), 'sconce-location-')));
  store = join(folder, 'store');
  mkdirSync(join(store, 'dogs'), { recursive: true });
  mkdirSync(join(folder, 'elsewhere'));
  mkdirSync(join(folder, 'store-beside'));
  for (const name of ['a.mar', 'b.tar.gz', 'c.model', 'd.onnx', 'e.pt', 'f.txt', '.hidden.mar', 'dogs/handler.py']) writeFileSync(join(store, name), '');
  writeFileSync(join(folder, 'elsewhere', 'secret.mar'), '');
});

afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

function refusal(act: () => unknown): unknown {
  try {
    act();
  } catch (error) {
    return error;
  }
  return undefined;
}

describe('a location', () => {
  it.each([
    ['a.mar', undefined, 'Model store has not been configured.'],
    ['', '/store', 'empty url'],
    ['../a.mar', '/store', 'Relative path is not allowed in url: ../a.mar'],
    ['a..mar', '/store', 'Relative path is not allowed in url: a..mar'],
    ['file:///a/%2e%2E/b', '/store', 'Relative path is not allowed in url: file:///a/%2e%2E/b'],
    ['file:///a/.%2e/b', '/store', 'Relative path is not allowed in url: file:///a/.%2e/b'],
  ])('of %j in the store %j is refused before anything is looked up', (url, where, message) => {
    const error = refusal(() => checkLocation(url, where));

    expect(LocationRefused.is(error)).toBe(true);
    expect(error).toMatchObject({ message });
  });

  it('that passes gives the store', () => {
    expect(checkLocation('a.mar', '/store')).toBe('/store');
  });
});

describe('a name in the store', () => {
  it.each([
    ['a.mar', 'archive'],
    ['b.tar.gz', 'archive'],
    ['c.model', 'archive'],
    ['d.onnx', 'onnx'],
    ['e.pt', 'torchscript'],
    ['some/where/a.mar', 'archive'],
    ['/some/where/a.mar', 'archive'],
  ])('%s is found by its base name as %s', (url, kind) => {
    const base = url.slice(url.lastIndexOf('/') + 1);

    expect(locate(url, store)).toEqual({ kind, path: join(store, base) });
  });

  it('may be a folder, by its name or its whole path', () => {
    expect(locate('dogs', store)).toEqual({ kind: 'folder', path: join(store, 'dogs') });
    expect(locate(join(store, 'dogs'), store)).toEqual({ kind: 'folder', path: join(store, 'dogs') });
  });

  it('may lie at the root of the file system, as in a container', () => {
    expect(locate('usr', '/')).toMatchObject({ kind: 'folder' });
  });

  it('of a folder with nothing but one folder in it stands for that one', () => {
    mkdirSync(join(store, 'outer', 'inner'), { recursive: true });

    expect(locate('outer', store)).toEqual({ kind: 'folder', path: join(store, 'outer', 'inner') });
  });

  it('may be a link within the store; the link says what kind of file it is', () => {
    writeFileSync(join(store, 'blob'), '');
    symlinkSync('blob', join(store, 'linked.onnx'));

    expect(locate('linked.onnx', store)).toEqual({ kind: 'onnx', path: join(store, 'linked.onnx') });
  });

  it.each(['.', './', '/', 'missing.mar', 'a.mar\u0000', 's3://bucket/missing.mar'])('%j is not found', (url) => {
    const error = refusal(() => locate(url, store));

    expect(LocationRefused.is(error)).toBe(true);
    expect(error).toMatchObject({ message: `Model not found at: ${url}` });
  });

  it('that leads out of the store is not found', () => {
    symlinkSync(join(folder, 'elsewhere'), join(store, 'way-out'));
    symlinkSync(join(folder, 'elsewhere', 'secret.mar'), join(store, 'secret.mar'));
    symlinkSync(join(store, 'nowhere'), join(store, 'dangling.mar'));

    for (const url of ['way-out', 'secret.mar', 'dangling.mar', store, join(folder, 'elsewhere'), join(folder, 'store-beside')])
      expect(LocationRefused.is(refusal(() => locate(url, store)))).toBe(true);
  });

  it('of a store that does not exist is not found', () => {
    expect(LocationRefused.is(refusal(() => locate('a.mar', join(folder, 'no-store'))))).toBe(true);
  });
});

describe('all of the store', () => {
  it('is its visible folders, archives and model files, in order', () => {
    expect(storeEntries(store)).toEqual(['a.mar', 'b.tar.gz', 'c.model', 'd.onnx', 'dogs', 'e.pt']);
  });
});
