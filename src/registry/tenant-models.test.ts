import { describe, expect, it } from 'vitest';
import { aServableModel } from '../../test/fixtures/driven-runner.js';
import { idleBackend, servingParts } from '../../test/fixtures/serving-parts.js';
import { KeptLog } from '../../test/fixtures/silent-observer.js';
import { ArchiveInvalid } from '../errors/model.js';
import { BeyondQuota } from '../errors/tenant.js';
import { NamedTenants } from '../tenants/named-tenants.js';
import { parseTenants } from '../tenants/parse-tenants.js';
import { Registry } from './registry.js';
import { ServingAccounts } from './serving-accounts.js';

const quotas = { models: 2, workers: 3 };
const tenants = new NamedTenants(parseTenants({ tenants: { acme: { models: ['acme-*', 'flow'], quotas } } }));

/** A registry whose archives are what their location says: `name`, `name@version`, `broken`. */
function aRegistry() {
  const accounts = new ServingAccounts(tenants);
  const admitted: string[] = [];
  const modelOf = (url: string, name = '') => {
    const [own = '', version = '1.0'] = url.split('@');
    return aServableModel({ name: name || own, version, backend: 'python' });
  };
  const registry = new Registry({
    intake: {
      admit: async ({ url, modelName }) => {
        admitted.push(url);
        await new Promise((resolve) => setImmediate(resolve));
        if (url === 'broken') throw ArchiveInvalid({ message: 'broken' });
        return modelOf(url, modelName);
      },
      prepare: async (model) => model,
      release: async () => {},
    },
    serving: servingParts({ backend: idleBackend() }),
    defaults: { responseTimeoutS: 1, startupTimeoutS: 1, queueSize: 1, startupWorkers: 1, registerWorkers: 0 },
    configured: () => ({}),
    accounts,
    log: new KeptLog(),
  });
  const register = (url: string, modelName?: string, initialWorkers = 0) =>
    registry.register({ url, modelName, initialWorkers, synchronous: true, s3SseKms: false });
  const acme = () => accounts.served(tenants.ownerOf('acme-'));
  const scale = (model: string, minWorkers: number, maxWorkers = minWorkers) =>
    registry.scale({ model, version: undefined, minWorkers, maxWorkers, synchronous: true });
  return { registry, register, scale, acme, admitted, modelOf };
}

describe('models of a tenant', () => {
  it('know whose they are', async () => {
    const { registry, register } = aRegistry();
    await register('acme-a');
    await register('other');

    expect([registry.describe('acme-a', undefined).model.tenant?.name, registry.describe('other', undefined).model.tenant?.name]).toEqual(['acme', 'default']);
  });

  it('are as many versions as it may have, and a named one too many is not even fetched', async () => {
    const { registry, register, acme, admitted } = aRegistry();
    await register('acme-a');
    await register('acme-a@2.0');

    await expect(register('x', 'acme-b')).rejects.toSatisfy(BeyondQuota.is);
    await expect(register('acme-b')).rejects.toSatisfy(BeyondQuota.is);
    expect(admitted).toEqual(['acme-a', 'acme-a@2.0', 'acme-b']);
    await register('other');
    await registry.unregister('acme-a', '2.0');
    await register('acme-b');
    expect(acme()).toEqual({ models: 2, workers: 0 });
  });

  it('that are wanted at once do not get more places than there are', async () => {
    const { register, acme } = aRegistry();

    const ends = await Promise.allSettled(
      ['a', 'b', 'c', 'd', 'e'].map((name, index) => register(`acme-${name}`, index % 2 === 0 ? `acme-${name}` : undefined)),
    );

    expect(ends.filter(({ status }) => status === 'fulfilled')).toHaveLength(2);
    expect(acme().models).toBe(2);
  });

  it('that fail give their place back: broken, there already, or with more workers than it may have', async () => {
    const { register, acme } = aRegistry();
    await register('acme-a');

    await expect(register('broken', 'acme-b')).rejects.toMatchObject({ code: 'ARCHIVE_INVALID' });
    await expect(register('acme-a')).rejects.toMatchObject({ code: 'VERSION_EXISTS' });
    await expect(register('acme-b', undefined, 4)).rejects.toMatchObject({ code: 'BEYOND_QUOTA', message: expect.stringContaining('3 workers') });
    expect(acme()).toEqual({ models: 1, workers: 0 });
    await register('acme-b', undefined, 3);
    expect(acme()).toEqual({ models: 2, workers: 3 });
  });
});

describe('workers of a tenant', () => {
  it('count over all of its models, scaled up and down, and leave with them', async () => {
    const { registry, register, scale, acme } = aRegistry();
    await register('acme-a', undefined, 2);
    await register('acme-b');

    await expect(scale('acme-b', 2)).rejects.toSatisfy(BeyondQuota.is);
    await scale('acme-a', 1);
    await scale('acme-b', 2);
    expect(acme().workers).toBe(3);
    await expect(scale('acme-b', 3, 10_000)).rejects.toSatisfy(BeyondQuota.is);
    await registry.unregister('acme-a', undefined);
    await scale('acme-b', 3);
    expect([acme(), registry.describe('acme-b', undefined).workers.length]).toEqual([{ models: 1, workers: 3 }, 3]);
  });

  it('that are wanted at once by several scalings are never more than it may have', async () => {
    const { register, scale, acme } = aRegistry();
    await register('acme-a');
    await register('acme-b');

    const ends = await Promise.allSettled([scale('acme-a', 2), scale('acme-b', 2), scale('acme-a', 3), scale('acme-b', 1)]);

    expect(ends.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled', 'rejected']);
    expect(acme().workers).toBe(3);
  });
});

it('nodes of a workflow count as models of whom the workflow belongs to, all or none', async () => {
  const { registry, modelOf, acme } = aRegistry();
  const node = (name: string) =>
    registry.serveAlone({ ...modelOf('x', `flow__${name}`), workflow: 'flow' }, { url: '', initialWorkers: 1, synchronous: true, s3SseKms: false });
  await node('a');
  await node('b');

  await expect(node('c')).rejects.toSatisfy(BeyondQuota.is);
  expect([acme(), registry.describe('flow__a', undefined).model.tenant?.name]).toEqual([{ models: 2, workers: 2 }, 'acme']);
  await registry.withdraw('flow__a');
  await node('c');
  expect(acme()).toEqual({ models: 2, workers: 2 });
});

it('start-up models beyond the quota are left out, the others are served', async () => {
  const { registry, acme } = aRegistry();

  await registry.loadAtStartup(['acme-a', 'acme-b', 'acme-c', 'other'].map((url) => ({ name: undefined, url })));

  expect([registry.list().map(({ name }) => name), acme().models]).toEqual([['acme-a', 'acme-b', 'other'], 2]);
});
