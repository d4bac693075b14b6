import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { KeptLog } from '../../test/fixtures/silent-observer.js';
import { resolveSettings } from '../config/resolve.js';
import type { Settings } from '../config/settings.js';
import { ConfigInvalid } from '../errors/config.js';
import { ANYONE } from '../inference/principal.js';
import { LogFiles } from '../observability/log-files.js';
import { Metrics } from '../observability/metrics.js';
import { DEFAULT_METRICS } from '../observability/metrics-yaml.js';
import { createTenancy, guardsMetrics } from './tenants.js';

let folder: string;
let files: LogFiles;
beforeEach(() => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), 'sconce-tenants-')));
  files = new LogFiles({ logFolder: join(folder, 'logs'), metricsFolder: join(folder, 'logs'), json: false, console: { write: () => undefined } });
  for (const name of ['store', 'acme']) mkdirSync(join(folder, name));
});
afterEach(async () => {
  await files.close();
  rmSync(folder, { recursive: true });
});

function settings(flags: Readonly<Record<string, string>>): Settings {
  const given = Object.entries(flags).map(([key, text]) => [key, { text, where: 'test' }] as const);
  return resolveSettings({ flags: new Map(given), env: {}, cwd: folder, configFile: undefined }).settings;
}

function tenancy(file: string, flags: Readonly<Record<string, string>> = {}) {
  writeFileSync(join(folder, 'tenants.yaml'), file);
  const metrics = new Metrics({ mode: 'prometheus', config: DEFAULT_METRICS, autoDetect: false, hostname: 'h', files, log: new KeptLog() });
  const stores = { modelStore: join(folder, 'store'), workflowStore: undefined };
  const made = createTenancy(settings({ sconce_tenants: 'tenants.yaml', ...flags }), { cwd: folder, metrics, ...stores });
  if (made === undefined) throw new Error('there are tenants');
  return { ...made, metrics };
}

const ACME = 'tenants:\n  acme:\n    models: [acme-*]\n';

it('without the key there are no tenants', () => {
  const metrics = new Metrics({ mode: 'log', config: DEFAULT_METRICS, autoDetect: false, hostname: 'h', files, log: new KeptLog() });

  expect(createTenancy(settings({}), { cwd: folder, metrics, modelStore: undefined, workflowStore: undefined })).toBeUndefined();
});

it.each([
  ['tenants: {acme: {models: [a]', 'tenants.yaml: '],
  ['tenants: {a: {models: [a]}, a: {models: [b]}}', 'tenants.yaml: Map keys must be unique'],
  ['tenants: {acme: {models: [a], extra: 1}}', 'tenants.yaml: tenants.acme: Unrecognized key: "extra"'],
  ['tenants: {acme: {models: [a], store: nowhere}}', 'tenants.acme.store: '],
  ['tenants: {acme: {models: [a], store: store}}', 'the store of the server are not apart'],
  ['tenants: {acme: {models: [a], store: .}}', 'the store of the server are not apart'],
  ['tenants: {acme: {models: [a], store: link}}', 'the store of the server are not apart'],
  ['tenants: {acme: {models: [a], store: acme}, b: {models: [b], store: acme}}', 'tenants.b.store: '],
  ['tenants: {acme: {models: [a], store: root/acme}}', 'root of sconce_store_roots, which is open to all, are not apart'],
])('a file that is wrong stops the start with its name and what is wrong: %s', (file, fault) => {
  symlinkSync(join(folder, 'store'), join(folder, 'link'));
  mkdirSync(join(folder, 'root', 'acme'), { recursive: true });
  const starting = () => tenancy(file, { sconce_store_roots: `${join(folder, 'root')},${join(folder, 'nowhere')}` });

  expect(starting).toThrow(expect.toSatisfy(ConfigInvalid.is));
  expect(starting).toThrow(fault);
  expect(starting).toThrow(/^Invalid configuration: sconce_tenants=\S*tenants\.yaml: [^\n]*$/);
});

it('a file that is not there stops it too', () => {
  const metrics = new Metrics({ mode: 'log', config: DEFAULT_METRICS, autoDetect: false, hostname: 'h', files, log: new KeptLog() });
  const parts = { cwd: folder, metrics, modelStore: undefined, workflowStore: undefined };

  expect(() => createTenancy(settings({ sconce_tenants: 'missing.yaml' }), parts)).toThrow(/missing\.yaml: ENOENT/);
});

it('JSON is read as YAML is', () => {
  expect(tenancy(JSON.stringify({ tenants: { acme: { models: ['acme-*'] } } })).others).toEqual(['acme']);
});

describe('the protection', () => {
  it.each([
    [ACME, {}, true, 'acme: each sees and uses what it owns'],
    [ACME, { enable_model_api: 'true' }, false, 'a store of its own'],
    [`${ACME}    store: acme\n`, { enable_model_api: 'true' }, true, 'acme'],
    [ACME, { disable_token_authorization: 'true' }, false, 'unset disable_token_authorization'],
    [ACME, { sconce_metrics_token: 'false' }, false, 'unset sconce_metrics_token'],
  ])('%j under %j holds: %s', (file, flags, holds, says) => {
    expect(tenancy(file, flags).protection).toMatchObject({ name: 'tenants', holds, says: expect.stringContaining(says) });
  });
});

it.each([
  [{}, false],
  [{ sconce_tenants: 'x' }, true],
  [{ sconce_tenants: 'x', sconce_metrics_token: 'false' }, false],
  [{ sconce_tenants: 'x', disable_token_authorization: 'true' }, false],
  [{ sconce_metrics_token: 'true' }, true],
])('under %j the metrics page asks for a token: %s', (flags, guards) => {
  expect(guardsMetrics(settings(flags))).toBe(guards);
});

it('the figures of all tenants stand on the operator’s page, a tenant’s own on its own', () => {
  const { tellFigures, shown, metrics, accounts } = tenancy(`${ACME}  beta:\n    models: [beta-*]\n`);
  const place = accounts.begin('acme-x_y');
  place.called('acme-x_y', '1.0');
  metrics.server('WorkerLoadTime', 5, 'W-9000-acme-x_y_1.0', 'Host');
  metrics.server('WorkerLoadTime', 5, 'W-9001-other_1.0', 'Host');
  metrics.server('Requests2XX', 1, 'Host');
  metrics.server('sconce_outcomes_total', 1, 'beta-1', 'tenant_quota');
  place.scaling(2, 2)();
  tellFigures();

  const all = metrics.render(undefined);
  expect(all).toContain('sconce_tenant_models{tenant="acme",hostname="h",} 1.0');
  expect(all).toContain('sconce_tenant_workers{tenant="acme",hostname="h",} 2.0');
  expect(all).toContain('sconce_tenant_requests_in_flight{tenant="beta",hostname="h",} 0.0');
  const own = (name: string) =>
    metrics.render(undefined, shown({ model: (model) => model.startsWith(`${name}-`), tenant: (tenant) => tenant === name, machine: false }));
  expect(own('acme')).toContain('W-9000-acme-x_y_1.0');
  expect(own('acme')).toContain('sconce_tenant_models{tenant="acme",hostname="h",} 1.0');
  expect(own('acme')).not.toMatch(/beta|other|Requests2XX|default/);
  expect(own('beta')).toContain('sconce_outcomes_total{model_name="beta-1"');
  expect(own('beta')).not.toMatch(/acme|Requests2XX/);
});

it('a worker tells of its own tenant’s models only', () => {
  const { tellerOf, accounts } = tenancy(`${ACME}  beta:\n    models: [beta-*]\n`);
  accounts.begin('acme-x').called('acme-x', '1.0');
  const acme = tellerOf('W-9000-acme-x_1.0');
  const operators = tellerOf('W-9001-resnet_1.0');

  expect([acme.tenant, acme.mayTellOf('acme-y'), acme.mayTellOf('beta-1'), acme.mayTellOf('resnet')]).toEqual(['acme', true, false, false]);
  expect([operators.tenant, operators.mayTellOf('resnet'), operators.mayTellOf('acme-x')]).toEqual(['default', true, false]);
});

it('a model asks others in the name of its tenant, the operator’s as anyone', () => {
  const { askerOf } = tenancy(ACME);

  expect([askerOf('acme-x').tenant, askerOf('acme-x') === askerOf('acme-y'), askerOf('resnet')]).toEqual(['acme', true, ANYONE]);
  expect(askerOf('acme-x').mayUse('infer', 'acme-x')).toBe(false);
});

it('tells where the archives of tenants lie', () => {
  expect([tenancy(ACME).storeFolders, tenancy(`${ACME}    store: acme\n`).storeFolders]).toEqual([[], [join(folder, 'acme')]]);
});
