import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { checkLaunch } from './launch-checks.js';
import { parseTorchServeArguments } from './torchserve-arguments.js';

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'sconce-launch-'));
  mkdirSync(join(folder, 'store'));
});

afterEach(() => {
  rmSync(folder, { recursive: true });
});

function inFolder(name: string): string {
  return join(folder, name);
}

function config(content: string): string {
  const file = inFolder('c.properties');
  writeFileSync(file, content);
  return file;
}

function check(args: readonly string[], env: Readonly<Record<string, string>> = {}) {
  return checkLaunch(parseTorchServeArguments(args), env);
}

describe('the checks before a start', () => {
  it('are made in the order of TorchServe: log configuration, TEMP, config file, store, workflow store', () => {
    const store = inFolder('store');
    const none = inFolder('none');
    const all = ['--log-config', none, '--ts-config', none, '--model-store', none, '--workflow-store', none, '--cpp-log-config', none];

    expect(check(all, { TEMP: none }).refusal).toBe(`--log-config file not found: ${none}`);
    expect(check(all.slice(2), { TEMP: none }).refusal).toBe(`Invalid temp directory: ${none}, please check TEMP environment variable.`);
    expect(check(all.slice(2)).refusal).toBe(`--ts-config file not found: ${none}`);
    expect(check(all.slice(4)).refusal).toBe(`--model-store directory not found: ${none}`);
    expect(check(['--model-store', store, ...all.slice(6)]).refusal).toBe(`--workflow-store directory not found: ${none}`);
    expect(check(['--model-store', store, ...all.slice(8)]).refusal).toBe(`--cpp-log-config file not found: ${none}`);
    expect(check(['--model-store', store])).toEqual({ notes: [], refusal: undefined });
  });

  it('look at the store of the config file too, unless the environment is to fill it in', () => {
    const named = (content: string) => check(['--ts-config', config(content)]).refusal;

    expect(named(`model_store=${inFolder('store')}\n`)).toBeUndefined();
    expect(named(`model_store=${inFolder('none')}\n`)).toBe(`--model-store directory not found: ${inFolder('none')}`);
    expect(named('model_store=/$$HOME$$/store\n')).toBeUndefined();
    expect(named('debug=true\n')).toBe('Missing mandatory parameter --model-store');
    expect(named('model_store=C:\\users\n')).toMatch(/^Invalid configuration: model_store /);
  });

  it('look at the store of the newest snapshot where no config file is named, unless snapshots are to be left alone', () => {
    const env = { LOG_LOCATION: inFolder('logs') };
    mkdirSync(join(folder, 'logs', 'config'), { recursive: true });
    writeFileSync(join(folder, 'logs', 'config', '20261126224425812-shutdown.cfg'), `model_store=${inFolder('store')}\n`);

    expect(check([], env).refusal).toBeUndefined();
    expect(check(['--ncs'], env).refusal).toBe('Missing mandatory parameter --model-store');
    expect(check(['--ts-config', config('')], env).refusal).toBe('Missing mandatory parameter --model-store');
  });

  it('prefer TS_CONFIG_FILE to --ts-config, and take an empty one and an empty TEMP for none', () => {
    const args = ['--model-store', inFolder('store'), '--ts-config', config('')];

    expect(check(args, { TS_CONFIG_FILE: inFolder('none') }).refusal).toBe(`--ts-config file not found: ${inFolder('none')}`);
    expect(check(args, { TS_CONFIG_FILE: '', TEMP: '' }).refusal).toBeUndefined();
  });

  it('say of what is accepted that it is not used', () => {
    const log = config('vmargs=-Xmx2g\n');
    const { notes, refusal } = check(['--model-store', inFolder('store'), '--ts-config', log, '--log-config', log, '--ppath', 'p']);

    expect(refusal).toBeUndefined();
    expect(notes).toEqual([
      expect.stringContaining('--log-config is not used'),
      expect.stringMatching(/^Warning: TorchServe is using non-default JVM parameters: -Xmx2g /),
      expect.stringContaining('--plugins-path is not used'),
    ]);
  });
});
