import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { archiveFault, archiveName } from './archive-name.js';

let folder: string;
let store: string;

beforeEach(() => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), 'sconce-archive-name-')));
  store = join(folder, 'store');
  mkdirSync(join(store, 'team', 'model'), { recursive: true });
  writeFileSync(join(store, 'm.mar'), '');
  writeFileSync(join(folder, 'outside.mar'), '');
  symlinkSync(join(folder, 'outside.mar'), join(store, 'link.mar'));
});

afterEach(() => {
  rmSync(folder, { recursive: true });
});

describe('the archive name of a model', () => {
  it.each([
    ['m.mar', undefined, 'm.mar'],
    ['file:///far/away/m.mar', undefined, 'm.mar'],
    ['https://example.org/v/m.mar?signature=x', 'm.mar', 'm.mar'],
    ['gone.mar', undefined, 'gone.mar'],
    ['team/model', undefined, 'team/model'],
  ])('%s is found in the store again', async (url, downloaded, name) => {
    const downloadedArchive = downloaded === undefined ? undefined : join(store, downloaded);

    expect(await archiveName({ url, downloadedArchive }, store)).toBe(name);
  });

  it('of a folder that was named by its whole path is its path in the store', async () => {
    expect(await archiveName({ url: join(store, 'team', 'model'), downloadedArchive: undefined }, store)).toBe('team/model');
  });
});

describe('the archive of a snapshot', () => {
  it.each(['m.mar', 'team/model'])('%s can be restored', (name) => {
    expect(archiveFault(name, store)).toBeUndefined();
  });

  it.each([
    ['gone.mar', 'Model not found at: gone.mar'],
    ['../outside.mar', 'Relative path is not allowed in url: ../outside.mar'],
    ['%2e%2e/outside.mar', 'Relative path is not allowed in url: %2e%2e/outside.mar'],
    ['/etc', 'Model not found at: /etc'],
    ['.', 'Model not found at: .'],
    ['link.mar', 'Model not found at: link.mar'],
    ['https://example.org/m.mar', 'https://example.org/m.mar is a URL, not a name in the model store'],
    ['FILE:///etc/passwd', 'FILE:///etc/passwd is a URL, not a name in the model store'],
  ])('%s cannot', (name, fault) => {
    expect(archiveFault(name, store)).toBe(fault);
  });

  it('cannot without a store', () => {
    expect(archiveFault('m.mar', undefined)).toBe('Model store has not been configured.');
  });
});
