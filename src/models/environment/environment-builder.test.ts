import { afterEach, expect, it, vi } from 'vitest';
import { buildEnvironment } from './environment-builder.js';

afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

it('a builder that could not be started is not killed later on', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  const kill = vi.spyOn(process, 'kill').mockReturnValue(true);
  const given = new AbortController();
  const order = { home: '/absent', marker: '.complete', about: {}, steps: [], directory: '/', packages: '/absent', inherit_after: null };

  const building = buildEnvironment(order, {
    ...{ interpreter: '/absent/python', script: 'build.py', environment: {}, output: () => undefined },
    signal: given.signal,
  });
  given.abort('it is wanted no more');

  expect(await building).toEqual({ ended: 'failed', step: undefined, reason: 'it is wanted no more' });
  vi.advanceTimersByTime(60_000);
  expect(kill).not.toHaveBeenCalled();
});
