import { chmodSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { storeProtection } from './store-protection.js';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'sconce-stores-'));
  for (const name of ['store', 'acme']) mkdirSync(join(folder, name));
});
afterEach(() => rmSync(folder, { recursive: true }));

it('a store that everybody may write to is told, that of a tenant too', () => {
  const protection = (ofTenants: readonly string[]) => storeProtection({ modelStore: 'store', workflowStore: undefined, storeRoots: [] }, folder, ofTenants);
  chmodSync(join(folder, 'acme'), 0o1777);

  expect(protection([])?.holds).toBe(true);
  expect(protection([join(folder, 'acme')])).toMatchObject({ holds: false, says: expect.stringContaining(join(folder, 'acme')) });
});
