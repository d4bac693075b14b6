import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import type { LogFiles } from './log-files.js';
import type { Metrics } from './metrics.js';
import { ServingObserver } from './serving-observer.js';

function anObserver(): ServingObserver {
  const metrics: Pick<Metrics, 'server'> = { server() {} };
  const files: Pick<LogFiles, 'access'> = { access() {} };
  return new ServingObserver(Object(metrics), Object(files));
}

/** Whether the promise is kept within so many milliseconds of the test's clock. */
async function isKept(promise: Promise<void>, withinMs: number): Promise<boolean> {
  let kept = false;
  void promise.then(() => {
    kept = true;
  });
  await vi.advanceTimersByTimeAsync(withinMs);
  return kept;
}

beforeEach(() => {
  vi.useFakeTimers();
});

afterEach(() => {
  vi.useRealTimers();
});

it('has caught up at once where no worker has answered lately', async () => {
  const observer = anObserver();

  expect(await isKept(observer.caughtUp(), 0)).toBe(true);
  observer.workerThreadTime('w', 1);
  await vi.advanceTimersByTimeAsync(1000);
  expect(await isKept(observer.caughtUp(), 0)).toBe(true);
});

it('waits for what a worker prints a moment after its answer, and no longer while others answer', async () => {
  const observer = anObserver();
  observer.workerThreadTime('w', 1);

  const caughtUp = observer.caughtUp();
  expect(await isKept(caughtUp, 20)).toBe(false);
  observer.workerThreadTime('w', 1);

  expect(await isKept(caughtUp, 30)).toBe(true);
});
