import { lstatSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { KeyFileNotWritten } from '../errors/admission.js';
import { writeKeyFile } from './key-file.js';

const EXPIRES = Date.UTC(2026, 10, 24, 12, 30, 0, 250);
const KEYS = {
  management: { key: 'mmmmmmmm', expiresAtMs: EXPIRES },
  inference: { key: 'iiiiiiii', expiresAtMs: EXPIRES },
  api: { key: 'aaaaaaaa', expiresAtMs: undefined },
};

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'key-file-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

it('the key file has three keys in order, and a time of expiry for all but the API key', () => {
  const path = join(folder, 'key_file.json');
  writeKeyFile(path, KEYS);
  const text = readFileSync(path, 'utf8');
  const times = '"expiration time": "2026-11-24T12:30:00.250Z"';
  expect(text).toBe(
    `{\n  "management": {\n    "key": "mmmmmmmm",\n    ${times}\n  },\n  "inference": {\n    "key": "iiiiiiii",\n    ${times}\n  },\n  "API": {\n    "key": "aaaaaaaa"\n  }\n}\n`,
  );
});

it('only the owner can read the key file, even where an open one lay there before', () => {
  const path = join(folder, 'key_file.json');
  writeFileSync(path, 'old', { mode: 0o644 });
  writeKeyFile(path, KEYS);
  expect(statSync(path).mode & 0o777).toBe(0o600);
  expect(JSON.parse(readFileSync(path, 'utf8'))).toHaveProperty('API.key', 'aaaaaaaa');
});

it('nothing but the key file is left in the folder', () => {
  writeKeyFile(join(folder, 'key_file.json'), KEYS);
  writeKeyFile(join(folder, 'key_file.json'), KEYS);
  expect(readdirSync(folder)).toEqual(['key_file.json']);
});

it('a link in place of the key file is replaced, and what it leads to is left alone', () => {
  const path = join(folder, 'key_file.json');
  const victim = join(folder, 'victim');
  writeFileSync(victim, 'untouched');
  symlinkSync(victim, path);
  writeKeyFile(path, KEYS);
  expect(readFileSync(victim, 'utf8')).toBe('untouched');
  expect(lstatSync(path).isFile()).toBe(true);
  expect(statSync(path).mode & 0o777).toBe(0o600);
});

it('a missing folder is told with the path, and no draft stays behind', () => {
  const missing = join(folder, 'missing', 'key_file.json');
  expect(() => writeKeyFile(missing, KEYS)).toThrow(expect.toSatisfy((error: unknown) => KeyFileNotWritten.is(error)));
  expect(() => writeKeyFile(missing, KEYS)).toThrow(missing);
  mkdirSync(join(folder, 'key_file.json'));
  expect(() => writeKeyFile(join(folder, 'key_file.json'), KEYS)).toThrow('could not be written');
  expect(readdirSync(folder)).toEqual(['key_file.json']);
});
