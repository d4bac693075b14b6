import { existsSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { createTempFolder } from './temp-folder.js';

it('a temporary folder is for its owner alone and goes with all that is in it, once or twice', async () => {
  const folder = await createTempFolder('sconce-');
  writeFileSync(join(folder.path, 'file'), '');

  expect(statSync(folder.path).mode & 0o777).toBe(0o700);
  await folder.remove();
  await folder.remove();
  expect(existsSync(folder.path)).toBe(false);
});
