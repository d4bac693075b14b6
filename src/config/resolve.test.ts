import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { explainSettings } from './explain.js';
import { ALL_KEYS } from './keys.js';
import { editDistance, nearest } from './nearest-key.js';
import { parseLoadModels, type ResolveInputs, resolveSettings } from './resolve.js';

let cwd: string;

beforeEach(() => {
  cwd = mkdtempSync(join(tmpdir(), 'sconce-config-'));
});

afterEach(() => {
  rmSync(cwd, { recursive: true });
});

function resolved(content: string, over: Partial<ResolveInputs> = {}) {
  const configFile = join(cwd, 'c.properties');
  writeFileSync(configFile, content);
  return resolveSettings({ flags: new Map(), env: {}, cwd, configFile, ...over });
}

describe('settings', () => {
  it("without a file are TorchServe's defaults", () => {
    const { settings, warnings } = resolveSettings({ flags: new Map(), env: {}, cwd, configFile: undefined });

    expect(settings).toMatchObject({
      inferenceAddress: { host: '127.0.0.1', port: 8080, scheme: 'http' },
      managementAddress: { port: 8081 },
      metricsAddress: { port: 8082 },
      grpcInferencePort: 7070,
      jobQueueSize: 100,
      maxRequestBytes: 6_553_500,
      defaultResponseTimeoutS: 120,
      metricsMode: 'log',
      disableTokenAuthorization: false,
      enableModelApi: false,
      loadModels: [],
      allowedUrls: ['file://.*|http(s)?://.*'],
    });
    expect(settings.modelStore).toBeUndefined();
    expect(warnings).toEqual([]);
  });

  it('read Java properties: comments, separators, escapes and continuation lines', () => {
    const { settings } = resolved('! note\njob_queue_size:7\nmodels={\\\n  "a"\\: 1}\nkeystore_pass = p\\u00e4ss\n');

    expect(settings.jobQueueSize).toBe(7);
    expect(settings.models).toBe('{"a": 1}');
    expect(settings.keystorePass).toBe('päss');
  });

  it('replace $$NAME$$ literally and refuse to start without the variable', () => {
    expect(resolved('model_store=/s/$$WHERE$$/x\n', { env: { WHERE: 'a$1\\b' } }).settings.modelStore).toBe('/s/a$1\\b/x');
    expect(() => resolved('model_store=$$WHERE$$\n')).toThrow('Invalid configuration: Invalid Environment Variable WHERE (model_store in c.properties:1)');
  });

  it('obey flags over the file, and the environment over both only where the file lets it', () => {
    const flags = new Map([['model_store', { text: 'flag', where: '--model-store' }]]);
    const env = { TS_MODEL_STORE: 'env', TS_ALLOWED_URLS: 'x', TS_TOKEN_EXPIRATION_TIME_MIN: '0.25' };

    expect(resolved('model_store=file\n', { flags, env }).settings.modelStore).toBe('flag');
    const { settings } = resolved('model_store=file\nenable_envvars_config=true\n', { flags, env });
    expect([settings.modelStore, settings.tokenExpirationMin, settings.allowedUrls]).toEqual(['env', 0.25, ['file://.*|http(s)?://.*']]);
    expect(resolved('enable_envvars_config=true\nuse_env_allowed_urls=true\n', { env }).settings.allowedUrls).toEqual(['x']);
    expect(resolved('', { env: { TS_OPEN_INFERENCE_PROTOCOL: 'oip' } }).settings.openInferenceProtocol).toBe(true);
  });

  it('prefer the newest snapshot to config.properties here, and a named file to both', () => {
    const snapshotFolder = join(cwd, 'snapshots');
    mkdirSync(snapshotFolder);
    writeFileSync(join(cwd, 'config.properties'), 'job_queue_size=1\n');
    writeFileSync(join(snapshotFolder, '20261126224425812-startup.cfg'), 'job_queue_size=2\n');
    writeFileSync(join(snapshotFolder, '20261126224425813-shutdown.cfg'), 'job_queue_size=3\nnever_heard_of=1\n');

    const newest = resolveSettings({ flags: new Map(), env: {}, cwd, configFile: undefined, snapshotFolder });
    const named = resolved('job_queue_size=4\n', { snapshotFolder });
    const without = resolveSettings({ flags: new Map(), env: {}, cwd, configFile: undefined });

    expect([newest.settings.jobQueueSize, newest.settings.fromNewestSnapshot]).toEqual([3, true]);
    expect(newest.settings.configFile).toBe(join(snapshotFolder, '20261126224425813-shutdown.cfg'));
    expect(newest.warnings[0]).toMatch(
      /^config.properties is not read: the newest snapshot goes before it \(.*shutdown\.cfg\); --ncs or --ts-config changes that$/,
    );
    expect(newest.settings.sources.get('never_heard_of')?.text).toBe('1');
    expect([named.settings.jobQueueSize, named.settings.fromNewestSnapshot]).toEqual([4, false]);
    expect([without.settings.jobQueueSize, without.settings.fromNewestSnapshot]).toEqual([1, false]);
  });

  it('say that --models is for nothing where a snapshot names the models', () => {
    const flags = new Map([['load_models', { text: 'all', where: '--models' }]]);

    const { warnings } = resolved('load_models=x.mar\nmodel_snapshot={}\n', { flags });

    expect(warnings).toEqual(['--models is not used: the models are those of the snapshot in c.properties:2']);
  });

  it('prefer TS_CONFIG_FILE to the named file, and the named one to config.properties here', () => {
    writeFileSync(join(cwd, 'config.properties'), 'job_queue_size=1\n');
    writeFileSync(join(cwd, 'env.properties'), 'job_queue_size=3\n');

    const here = resolveSettings({ flags: new Map(), env: {}, cwd, configFile: undefined });
    const named = resolved('job_queue_size=2\n');
    const fromEnv = resolved('job_queue_size=2\n', { env: { TS_CONFIG_FILE: join(cwd, 'env.properties') } });

    expect([here, named, fromEnv].map(({ settings }) => settings.jobQueueSize)).toEqual([1, 2, 3]);
  });

  it.each([
    ['job_queue_size=many', 'job_queue_size=many (c.properties:1); allowed: a whole number from 1 to 2147483647'],
    ['metrics_mode=loud', 'metrics_mode=loud (c.properties:1); allowed: log, prometheus, legacy'],
    ['inference_address=http:/x', 'Invalid binding address: http:/x'],
    ['management_address=http://127.0.0.1:70000', 'Invalid port number: http://127.0.0.1:70000'],
    ['blacklist_env_vars=(', 'blacklist_env_vars=( (c.properties:1); allowed: a regular expression'],
    ['blacklist_env_vars=a)(b', 'blacklist_env_vars=a)(b (c.properties:1); allowed: a regular expression'],
    ['allowed_urls=https://ok/.*,(', 'allowed_urls=https://ok/.*,( (c.properties:1); allowed: regular expressions separated by commas'],
    ['sconce_pythons=/usr/bin/python3', 'sconce_pythons=/usr/bin/python3 (c.properties:1); allowed: name=path, separated by commas'],
    ['grpc_inference_port=70000', 'grpc_inference_port=70000 (c.properties:1); allowed: a whole number from 0 to 65535'],
    ['number_of_gpu=-1', 'number_of_gpu=-1 (c.properties:1); allowed: a whole number from 0 to 2147483647'],
    ['token_expiration_min=-1', 'token_expiration_min=-1 (c.properties:1); allowed: a number greater than 0'],
  ])('%s is refused in one line', (line, message) => {
    expect(() => resolved(`${line}\n`)).toThrow(`Invalid configuration: ${message}`);
  });

  it('warn of unknown keys with the nearest known one, of keys that do nothing, and of odd booleans', () => {
    const { warnings } = resolved('\njob_queue_sise=1\nvmargs=-Xmx1g\nenable_model_api=yes\nzzzzzz=1\n');

    expect(warnings).toEqual([
      'c.properties:2: unknown key job_queue_sise; did you mean job_queue_size?',
      'c.properties:5: unknown key zzzzzz',
      'c.properties:4: enable_model_api=yes counts as false; allowed: true or false',
      'c.properties:3: vmargs is ignored: there is no Java machine',
    ]);
  });

  it('name the key and the place of an address that is none', () => {
    expect(() => resolved('\nmetrics_address=ftp://x\n')).toThrow(
      'Invalid binding address: ftp://x (metrics_address in c.properties:2); allowed: http(s)://host[:port] or unix:/path',
    );
  });

  it('count lines by any line end, and a pair by its first line', () => {
    const { sources } = resolved('# note\rdebug=true\r\n\njob_queue_size=\\\n  5\nkeystore=k\n').settings;

    expect(['debug', 'job_queue_size', 'keystore'].map((key) => sources.get(key)?.where)).toEqual(['c.properties:2', 'c.properties:4', 'c.properties:6']);
  });

  it('refuse a \\u that is no character instead of dropping its backslash', () => {
    expect(() => resolved('debug=true\nmodel_store=C:\\users\n')).toThrow(/^Invalid configuration: model_store \(c\.properties:2\) holds a \\u/);
    expect(resolved('model_store=C:\\\\users\n').settings.modelStore).toBe('C:\\users');
  });

  it('take a key of --set as the file is taken: unknown ones warn, switches count', () => {
    const flags = new Map([
      ['job_queue_sise', { text: '3', where: '--set' }],
      ['enable_envvars_config', { text: 'true', where: '--set' }],
    ]);

    const { settings, warnings } = resolved('', { flags, env: { TS_JOB_QUEUE_SIZE: '9' } });

    expect(warnings).toEqual(['--set: unknown key job_queue_sise; did you mean job_queue_size?']);
    expect(settings.jobQueueSize).toBe(9);
    expect(settings.sources.get('job_queue_size')).toEqual({ text: '9', source: 'environment', where: 'TS_JOB_QUEUE_SIZE' });
  });

  it('take an empty TS_CONFIG_FILE for none', () => {
    expect(resolved('job_queue_size=2\n', { env: { TS_CONFIG_FILE: '' } }).settings.jobQueueSize).toBe(2);
  });

  it('say that a named file cannot be read', () => {
    expect(() => resolveSettings({ flags: new Map(), env: {}, cwd, configFile: join(cwd, 'none') })).toThrow('config file cannot be read');
  });

  it('take addresses without ports, Unix sockets and IPv6', () => {
    const { settings } = resolved('inference_address=https://localhost\nmanagement_address=unix:/run/m.sock\nmetrics_address=http://[::1]:9\n');

    expect(settings.inferenceAddress).toMatchObject({ scheme: 'https', port: 443 });
    expect(settings.managementAddress).toMatchObject({ kind: 'unix', path: '/run/m.sock' });
    expect(settings.metricsAddress).toMatchObject({ host: '::1', port: 9 });
  });

  it('grant folders by whole paths, but not all there are', () => {
    expect(resolved('sconce_grants={"m": {"read": ["/data"], "write": ["/var/m"]}}\n').settings.grants.get('m')).toEqual({
      read: ['/data'],
      write: ['/var/m'],
    });
    for (const path of ['/', '//', '/data/..', 'data'])
      expect(() => resolved(`sconce_grants={"m": {"read": ["${path}"]}}\n`), path).toThrow('absolute paths, not all of `/`');
  });

  it('say of each where it came from, and keep secrets to themselves', () => {
    const { settings } = resolved('keystore_pass=hidden\njob_queue_size=5\n');
    const explained = new Map(explainSettings(settings).map((setting) => [setting.key, setting]));

    expect(explained.get('job_queue_size')).toMatchObject({ value: '5', source: 'file', where: 'c.properties:2' });
    expect(explained.get('keystore_pass')?.value).toBe('********');
    expect(explained.get('model_store')).toMatchObject({ value: null, source: 'unset' });
  });
});

describe('load_models', () => {
  it('is all, or names and locations, trimmed', () => {
    expect(parseLoadModels('ALL')).toBe('all');
    expect(parseLoadModels('a.mar, b = c.mar,,d=')).toEqual([
      { name: undefined, url: 'a.mar' },
      { name: 'b', url: 'c.mar' },
    ]);
  });
});

describe('the nearest key', () => {
  it('is at distance zero from itself, and distance is symmetric', () => {
    fc.assert(
      fc.property(fc.string(), fc.string(), (a, b) => {
        expect(editDistance(a, a)).toBe(0);
        expect(editDistance(a, b)).toBe(editDistance(b, a));
        expect(editDistance(a, b)).toBeLessThanOrEqual(Math.max(a.length, b.length));
      }),
    );
    expect(nearest('modle_store', ['model_store', 'models'])).toBe('model_store');
  });

  it('finds any key again after one slip of the keyboard', () => {
    const keys = ALL_KEYS.map(([, { key }]) => key);
    const slip = fc.record({ key: fc.constantFrom(...keys), at: fc.nat(), letter: fc.constantFrom('q', 'z', ''), replaces: fc.boolean() });
    fc.assert(
      fc.property(slip, ({ key, at, letter, replaces }) => {
        const place = at % key.length;
        const typed = key.slice(0, place) + letter + key.slice(place + (replaces ? 1 : 0));

        const found = nearest(typed, keys);

        expect(found === undefined ? Number.POSITIVE_INFINITY : editDistance(typed.toLowerCase(), found.toLowerCase())).toBeLessThanOrEqual(1);
      }),
    );
  });
});
