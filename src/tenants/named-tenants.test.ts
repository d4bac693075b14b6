import { expect, it } from 'vitest';
import { DEFAULT_TENANT, GRANTED_SCOPES, Principal } from '../inference/principal.js';
import { NamedTenants } from './named-tenants.js';
import { parseTenants } from './parse-tenants.js';
import { TenantStores } from './tenant-stores.js';

const tenants = new NamedTenants(parseTenants({ tenants: { acme: { models: ['acme-*', 'shop'] }, beta: { models: ['beta-?'] } } }));
const all = (tenant: string, pattern = '*') =>
  new Principal(
    'token:t',
    tenant,
    GRANTED_SCOPES.map((scope) => ({ scope, models: [pattern] })),
  );
const confined = (principal: Principal): Principal => {
  const found = tenants.confined(principal);
  if (found === undefined) throw new Error('no such tenant');
  return found;
};

it.each([
  ['acme-iris', 'acme'],
  ['shop', 'acme'],
  ['shop__pre', 'acme'],
  ['shops', 'default'],
  ['Acme-iris', 'default'],
  ['beta-1', 'beta'],
  ['beta-11', 'default'],
  ['', 'default'],
  [`acme-${'x'.repeat(300)}`, 'default'],
])('%s belongs to %s', (name, owner) => {
  expect(tenants.ownerOf(name).name).toBe(owner);
  expect(tenants.ownerOf(name).name).toBe(owner);
});

it('knows the owner still when callers have named more than it remembers', () => {
  for (let index = 0; index < 25_000; index++) tenants.ownerOf(`acme-${index}`);

  expect([tenants.ownerOf('acme-1').name, tenants.ownerOf('other').name]).toEqual(['acme', 'default']);
});

it('knows tenants by name, the operator’s own among them', () => {
  expect([tenants.named('acme')?.name, tenants.named(DEFAULT_TENANT)?.name, tenants.named('gamma')]).toEqual(['acme', 'default', undefined]);
  expect(tenants.all.map(({ name }) => name)).toEqual(['default', 'acme', 'beta']);
});

it('a principal is confined to what its tenant owns, whatever it is granted', () => {
  const caller = confined(all('acme'));

  expect(['acme-iris', 'shop', 'shop__pre', 'beta-1', 'resnet', `acme-${'x'.repeat(300)}`].map((name) => caller.mayUse('infer', name))).toEqual([
    true,
    true,
    true,
    false,
    false,
    false,
  ]);
  expect([caller.id, caller.tenant, caller.isConfined, caller.hasForAll('manage')]).toEqual(['token:t', 'acme', true, false]);
  expect(caller.patternsOf('manage')).toEqual(['acme-*', 'shop']);
});

it('grants narrow that further', () => {
  const caller = confined(all('acme', '*-iris'));

  expect(['acme-iris', 'acme-rose', 'beta-iris'].map((name) => caller.mayUse('infer', name))).toEqual([true, false, false]);
  expect(caller.patternsOf('manage')).toEqual(['*-iris']);
});

it('nobody of a tenant renews the keys of the server', () => {
  expect([all('acme').has('token-admin'), confined(all('acme')).has('token-admin'), confined(all('default')).has('token-admin')]).toEqual([true, false, true]);
});

it('the operator’s own principals stay as they are, and those of no tenant come to nothing', () => {
  const operator = all(DEFAULT_TENANT);

  expect([tenants.confined(operator), tenants.confined(all('gamma'))]).toEqual([operator, undefined]);
});

it('the same principal is confined once', () => {
  const principal = all('beta');

  expect(tenants.confined(principal)).toBe(tenants.confined(principal));
});

it('a model may ask those of its own tenant and of the operator', () => {
  expect([tenants.mayUse('acme-a', 'shop'), tenants.mayUse('acme-a', 'guard'), tenants.mayUse('acme-a', 'beta-1'), tenants.mayUse('x', 'beta-1')]).toEqual([
    true,
    true,
    false,
    false,
  ]);
});

it('a tenant with a store has what lies there; one without has what no other tenant’s name is on', () => {
  const stores = new TenantStores(tenants, new Map([['acme', '/srv/acme']]));

  expect(['acme-x', 'beta-1', 'resnet', undefined, ''].map(stores.storeOf)).toEqual(['/srv/acme', undefined, undefined, undefined, undefined]);
  expect(stores.fits('acme-x', 'beta-1')).toBe(true);
  expect(['beta-1', 'resnet', 'acme-x', 'shop'].map((archive) => stores.fits('beta-2', archive))).toEqual([true, true, false, false]);
  expect(stores.fits('resnet', 'acme-x')).toBe(true);
});

it('a name is on a file or folder whatever endings it has, and on all that lies in it', () => {
  const stores = new TenantStores(tenants, new Map());
  const fits = (archive: string) => stores.fits('beta-2', archive);

  expect(['shop.war', 'shop.tar.gz', 'shop.v2.mar', 'shop/weights', 'shop/.', '/models/acme-x/1', 'beta-1/shop'].filter(fits)).toEqual([]);
  expect(['beta-1.war', 'beta-1/1', 'shops.mar', 'resnet.v2.mar', './resnet', '.', ''].filter((archive) => !fits(archive))).toEqual([]);
});

it('the longest name on a file decides whose it is', () => {
  const dotted = new NamedTenants(parseTenants({ tenants: { one: { models: ['a'] }, two: { models: ['a.b'] } } }));
  const stores = new TenantStores(dotted, new Map());

  expect([stores.fits('a.b', 'a.b.mar'), stores.fits('a', 'a.b.mar'), stores.fits('a', 'a.c.mar'), stores.fits('a.b', 'a.c.mar')]).toEqual([
    true,
    false,
    true,
    false,
  ]);
});
