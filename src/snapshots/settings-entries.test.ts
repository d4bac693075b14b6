import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { resolveSettings } from '../config/resolve.js';
import { settingsEntries } from './settings-entries.js';

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'sconce-entries-'));
});

afterEach(() => {
  rmSync(folder, { recursive: true });
});

/** What a snapshot would repeat of a config file, the flag `--model-store flag`, and an environment. */
function entriesOf(content: string, env: Readonly<Record<string, string>> = {}): ReadonlyMap<string, string> {
  const configFile = join(folder, 'c.properties');
  writeFileSync(configFile, content);
  const flags = new Map([['model_store', { text: 'flag', where: '--model-store' }]]);
  return new Map(settingsEntries(resolveSettings({ flags, env, cwd: folder, configFile }).settings));
}

it('a snapshot repeats what is set, by file, flag or environment, keys included that nobody knows here, and no defaults', () => {
  const entries = entriesOf('job_queue_size=7\nplugin_key=$$WHO$$\nmodel_store=file\nenable_envvars_config=true\nmodel_snapshot={}\n', {
    WHO: 'me',
    TS_MAX_REQUEST_SIZE: '9',
    TS_OPEN_INFERENCE_PROTOCOL: 'oip',
  });

  expect(Object.fromEntries(entries)).toEqual({
    job_queue_size: '7',
    plugin_key: 'me',
    model_store: 'flag',
    enable_envvars_config: 'true',
    max_request_size: '9',
    tsConfigFile: join(folder, 'c.properties'),
  });
});

it('a password stays where it is kept', () => {
  const env = { TS_KEYSTORE_PASS: 'secret', PASS: 'secret' };

  expect(entriesOf('keystore_pass=$$PASS$$\n', env).get('keystore_pass')).toBe('$$PASS$$');
  expect(entriesOf('enable_envvars_config=true\n', env).get('keystore_pass')).toBeUndefined();
  expect(entriesOf('keystore_pass=in the file\n', env).get('keystore_pass')).toBe('in the file');
});
