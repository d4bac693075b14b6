import { expect, it } from 'vitest';
import { resolveSettings } from '../config/resolve.js';
import { shownStartupModels } from './startup-models.js';

function shown(loadModels: string): string | undefined {
  const flags = new Map([['load_models', { text: loadModels, where: '--models' }]]);
  return shownStartupModels(resolveSettings({ flags, env: {}, cwd: '/no-such-folder', configFile: undefined }).settings);
}

it('LG4 the log names the models of the start without what their URLs have of secrets', () => {
  expect(shown('a=https://user:canary@b.example/a.mar?X-Amz-Signature=canary,b.mar,s3://models/c.mar')).toBe(
    'a=https://b.example/a.mar,b.mar,s3://models/c.mar',
  );
  expect(shown('all')).toBe('all');
});
