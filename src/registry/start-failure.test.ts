import { expect, it } from 'vitest';
import { LoadFailed, ToldInModelLog } from '../errors/backend.js';
import { WorkersNotStarted } from '../errors/model.js';
import { startFailure } from './start-failure.js';

function notStarted(cause?: Error): Error {
  return WorkersNotStarted(
    { model: 'm', version: '1.0', status: 500, lastLine: 'ValueError: x' },
    LoadFailed({ status: 500, message: 'ValueError: x' }, cause),
  );
}

it('is told with its reason, but for one that the worker has printed', () => {
  expect(startFailure(notStarted())).toBe('Failed to start workers for model m version: 1.0 (ValueError: x)');
  expect(startFailure(notStarted(new ToldInModelLog()))).toBe('Failed to start workers for model m version: 1.0');
  expect(startFailure(new Error('other'))).toBe('other');
});
