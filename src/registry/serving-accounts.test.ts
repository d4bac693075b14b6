import { expect, it } from 'vitest';
import { BeyondQuota } from '../errors/tenant.js';
import { NamedTenants } from '../tenants/named-tenants.js';
import { parseTenants } from '../tenants/parse-tenants.js';
import { ServingAccounts } from './serving-accounts.js';

function someAccounts() {
  const quotas = { models: 2, workers: 5 };
  const tenants = new NamedTenants(parseTenants({ tenants: { acme: { models: ['acme-*'], quotas }, beta: { models: ['beta-*'] } } }));
  const refusals: string[] = [];
  const accounts = new ServingAccounts(tenants, (tenant, quota) => void refusals.push(`${tenant} ${quota}`));
  const acme = () => accounts.served(tenants.ownerOf('acme-'));
  return { tenants, accounts, refusals, acme };
}

it('places are counted by owner, and an ended one is free', () => {
  const { accounts, refusals, acme } = someAccounts();
  const first = accounts.begin('acme-1');
  accounts.begin('acme-2');

  expect(() => accounts.begin('acme-3')).toThrow('The tenant acme may have 2 registered versions of models (quotas.models).');
  expect(() => accounts.begin('beta-1')).not.toThrow();
  first.end();
  first.end();
  expect(acme()).toEqual({ models: 1, workers: 0 });
  expect(() => accounts.begin('acme-3')).not.toThrow();
  expect(refusals).toEqual(['acme models']);
});

it('workers of all versions count together; a refused scaling leaves all as it was', () => {
  const { accounts, refusals, acme } = someAccounts();
  const one = accounts.begin('acme-1');
  const two = accounts.begin('acme-2');
  one.scaling(3, 3)();

  expect(() => two.scaling(3, 3)).toThrow(expect.toSatisfy(BeyondQuota.is));
  two.scaling(2, 2)();
  expect(() => one.scaling(4, 9)).toThrow('5 workers');
  one.scaling(1, 9)();
  expect(acme()).toEqual({ models: 2, workers: 5 });
  one.scaling(0, 1)();
  expect(acme().workers).toBe(3);
  expect(refusals).toEqual(['acme workers', 'acme workers']);
});

it('workers that leave are counted until the scaling has ended', () => {
  const { accounts, acme } = someAccounts();
  const place = accounts.begin('acme-1');
  place.scaling(4, 4)();

  const ended = place.scaling(1, 1);
  expect(acme().workers).toBe(4);
  ended();
  ended();
  expect(acme().workers).toBe(1);
});

it('while several scalings run the greatest counts, and the last one at the end', () => {
  const { accounts, acme } = someAccounts();
  const place = accounts.begin('acme-1');

  const up = place.scaling(5, 5);
  const down = place.scaling(2, 2);
  expect(acme().workers).toBe(5);
  up();
  expect(acme().workers).toBe(5);
  down();
  expect(acme().workers).toBe(2);
});

it('the end of a version frees its workers, even of a scaling that still runs', () => {
  const { accounts, acme } = someAccounts();
  const place = accounts.begin('acme-1');
  const ended = place.scaling(5, 5);

  place.end();
  ended();

  expect(acme()).toEqual({ models: 0, workers: 0 });
});

it('two that want the last place at once do not both get it', () => {
  const { accounts, acme } = someAccounts();
  accounts.begin('acme-1');
  const got = [0, 1, 2].filter(() => {
    try {
      accounts.begin('acme-2');
      return true;
    } catch {
      return false;
    }
  });

  expect([got.length, acme().models]).toEqual([1, 2]);
});

it('tells whose worker it is by its name, unless models of several tenants could have it', () => {
  const { accounts } = someAccounts();
  const place = accounts.begin('acme-a');
  place.called('acme-a', '1_b_1.0');
  const owner = (name: string) => accounts.ownerOfWorker(name)?.name;

  expect([owner('W-9000-acme-a_1_b_1.0'), owner('W-9000-acme-a_1_b'), owner('acme-a'), owner('')]).toEqual(['acme', undefined, undefined, undefined]);
  const other = accounts.begin('beta-x');
  other.called('acme-a', '1_b_1.0');
  expect(owner('W-9000-acme-a_1_b_1.0')).toBeUndefined();
  other.end();
  expect(owner('W-9000-acme-a_1_b_1.0')).toBe('acme');
  place.end();
  expect(owner('W-9000-acme-a_1_b_1.0')).toBeUndefined();
});
