import { afterAll, beforeAll, expect, it } from 'vitest';
import { z } from 'zod';
import { call, RunningServer } from '../e2e/running-server.js';
import { archive } from '../fixtures/archives.js';
import { aToken, bearer } from '../fixtures/token-servers.js';

const SHARED = 'minWorkers: 1\nmaxWorkers: 1\nbatchSize: 8\nmaxBatchDelay: 300\n';
const answer = z.object({ seen: z.array(z.string()) });

const server = new RunningServer();
const tokens: string[] = [];

beforeAll(async () => {
  const open = await archive(server.store, { name: 'open', handler: 'nosy.py', config: SHARED });
  const apart = await archive(server.store, { name: 'apart', handler: 'nosy.py', config: `${SHARED}sconce: {isolate: principal}\n` });
  const mixed = `${SHARED}continuousBatching: true\nsconce: {isolate: principal}\n`;
  await archive(server.store, { name: 'mixed', handler: 'nosy.py', config: mixed });
  await archive(server.store, { name: 'odd', handler: 'nosy.py', config: 'sconce: {isolate: tenant}\n' });
  await server.start({ tokens: true, config: { enable_model_api: 'true' }, args: ['--models', `open=${open}`, `apart=${apart}`] });
  for (const name of ['ann', 'bob']) tokens.push(await aToken(server, name, '--scope', 'admin'));
});

afterAll(() => server.dispose());

/** Twelve requests at once, by turns of two callers; what each was shown of the bodies of all. */
async function shown(model: string): Promise<readonly { readonly own: string; readonly seen: readonly string[] }[]> {
  return Promise.all(
    Array.from({ length: 12 }, async (_, n) => {
      const own = n % 2 === 0 ? 'ann' : 'bob';
      const { status, text } = await call(`${server.inference}/predictions/${model}`, { method: 'POST', body: own, headers: bearer(tokens[n % 2] ?? '') });
      expect([status, text]).toEqual([200, text]);
      return { own, seen: answer.parse(JSON.parse(text)).seen };
    }),
  );
}

it('HH24 a handler shows a caller what its neighbours in the batch sent, where callers share batches', async () => {
  expect((await shown('open')).some(({ own, seen }) => seen.some((one) => one !== own))).toBe(true);
});

it('HH24 with sconce.isolate no batch holds requests of two callers, and those of one still share', async () => {
  const answers = await shown('apart');

  for (const { own, seen } of answers) expect(new Set(seen)).toEqual(new Set([own]));
});

it('HH24 isolation that could not be kept is refused, and so is a wish that is none', async () => {
  const register = (name: string) => call(`${server.management}/models?url=${name}.mar`, { method: 'POST', headers: bearer(tokens[0] ?? '') });

  expect((await register('mixed')).text).toContain('continuousBatching joins the requests of several callers, which sconce.isolate forbids');
  expect((await register('odd')).text).toContain('sconce.isolate of model-config.yaml is principal');
});
