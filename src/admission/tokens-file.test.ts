import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { eventually } from '../../test/fixtures/eventually.js';
import { KeptLog } from '../../test/fixtures/silent-observer.js';
import { TokensFileUnusable } from '../errors/admission.js';
import { digestOf } from './bearer-token.js';
import { NamedTokens, type TokenChange } from './named-tokens.js';
import { changeTokensFile, readTokensFile, type StoredToken } from './tokens-file.js';

let folder = '';
let path = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tokens-file-'));
  path = join(folder, 'sconce_tokens.json');
});
afterEach(() => rmSync(folder, { recursive: true }));

const aToken = (name: string, over: Partial<StoredToken> = {}): StoredToken => ({
  name,
  tenant: 'a',
  scopes: ['infer:a-*'],
  sha256: digestOf(`secret of ${name}`).toString('hex'),
  created: '2026-11-27T12:00:00.000Z',
  ...over,
});

describe('the tokens file', () => {
  it('is written whole, for its owner alone, and leaves nothing beside it', async () => {
    await changeTokensFile(path, () => [aToken('ci')]);

    expect(readTokensFile(path)).toEqual({ tokens: [aToken('ci')], isReadableByOthers: false });
    expect([statSync(path).mode & 0o777, readdirSync(folder)]).toEqual([0o600, ['sconce_tokens.json']]);
  });

  it('loses nothing when many change it at once', async () => {
    const names = Array.from({ length: 20 }, (_, i) => `t${i}`);

    await Promise.all(names.map((name) => changeTokensFile(path, (tokens) => [...tokens, aToken(name)])));

    expect(
      readTokensFile(path)
        .tokens.map(({ name }) => name)
        .sort(),
    ).toEqual([...names].sort());
  });

  it('keeps a link that leads to it, and its lock ends with a change that fails', async () => {
    const target = join(folder, 'elsewhere.json');
    writeFileSync(target, '{"version": 1, "tokens": []}', { mode: 0o600 });
    symlinkSync(target, path);

    await changeTokensFile(path, () => [aToken('ci')]);
    await expect(
      changeTokensFile(path, () => {
        throw new Error('no');
      }),
    ).rejects.toThrow('no');

    expect(readFileSync(target, 'utf8')).toContain('"ci"');
    expect(readdirSync(folder).sort()).toEqual(['elsewhere.json', 'sconce_tokens.json']);
  });

  it.each([
    ['no JSON', '{'],
    ['another version', '{"version": 2, "tokens": []}'],
    ['an unknown member', '{"version": 1, "tokens": [], "more": 1}'],
    ['a scope that is none', JSON.stringify({ version: 1, tokens: [aToken('ci', { scopes: ['root'] })] })],
    ['no scope', JSON.stringify({ version: 1, tokens: [aToken('ci', { scopes: [] })] })],
    ['a digest that is none', JSON.stringify({ version: 1, tokens: [aToken('ci', { sha256: 'secret' })] })],
    ['a name that is a path', JSON.stringify({ version: 1, tokens: [aToken('../ci')] })],
    ['two of one name', JSON.stringify({ version: 1, tokens: [aToken('ci'), aToken('ci')] })],
  ])('with %s is refused', (_, content) => {
    writeFileSync(path, content, { mode: 0o600 });
    expect(() => readTokensFile(path)).toThrow(expect.toSatisfy(TokensFileUnusable.is));
  });

  it('that others may write is refused, one that they may read is told of', () => {
    writeFileSync(path, '{"version": 1, "tokens": []}');
    chmodSync(path, 0o622);
    expect(() => readTokensFile(path)).toThrow('chmod 600');
    chmodSync(path, 0o644);
    expect(readTokensFile(path).isReadableByOthers).toBe(true);
  });
});

describe('named tokens', () => {
  const write = (tokens: readonly StoredToken[]) => changeTokensFile(path, () => tokens);
  function someTokens() {
    const log = new KeptLog();
    const changes: TokenChange[] = [];
    const named = new NamedTokens({ file: path, log, changed: (changed) => void changes.push(...changed) });
    named.start();
    const ids = () => named.current().map(({ principal }) => principal.id);
    return { log, changes, named, ids };
  }

  it('follow the file as it changes, and say how', async () => {
    await write([aToken('one'), aToken('two'), aToken('three')]);
    const { ids, changes, named } = someTokens();
    expect(ids()).toEqual(['token:one', 'token:two', 'token:three']);

    const old = { sha256: aToken('two').sha256, until: '2100-01-01T00:00:00.000Z' };
    await write([aToken('two', { sha256: 'f'.repeat(64), previous: old }), aToken('three', { tenant: 'b' }), aToken('four')]);
    await eventually(
      async () => ids().length === 4,
      () => 'the file is read again',
    );

    expect(ids()).toEqual(['token:two', 'token:two', 'token:three', 'token:four']);
    expect(named.current()[1]).toMatchObject({ digest: digestOf('secret of two'), expiresAtMs: Date.UTC(2100, 0) });
    expect(changes).toEqual([
      { name: 'two', change: 'rotated' },
      { name: 'three', change: 'changed' },
      { name: 'four', change: 'created' },
      { name: 'one', change: 'revoked' },
    ]);
    rmSync(path);
    await eventually(
      async () => ids().length === 0,
      () => 'a file that is gone holds no tokens',
    );
  });

  it('stay as they were while the file cannot be read, which is told once', async () => {
    await write([aToken('one')]);
    const { ids, log } = someTokens();

    writeFileSync(path, '{"version": 1, "tokens": [');
    await eventually(
      async () => ids().length === 1 && log.lines.length > 0,
      () => 'the log tells',
    );
    writeFileSync(path, '{"version": 1, "tokens": []}');
    await eventually(
      async () => ids().length === 0,
      () => 'the file is good again',
    );

    expect(log.lines.filter((line) => line.startsWith('ERROR'))).toEqual([expect.stringContaining('stay in force')]);
  });
});
