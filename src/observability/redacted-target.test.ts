import { expect, it } from 'vitest';
import { redactedTarget } from './redacted-target.js';

it.each([
  ['/ping?token=abc', '/ping?token=***'],
  ['/ping?x=1&access_token=abc&y=2', '/ping?x=1&access_token=***&y=2'],
  ['/ping?Api-Key=abc&X-Amz-Signature=abc&client_secret=s&password=p', '/ping?Api-Key=***&X-Amz-Signature=***&client_secret=***&password=***'],
  ['/ping?to%6ben=abc', '/ping?to%6ben=***'],
  ['/ping?q=Bearer%20abcdef', '/ping?q=***'],
  ['/ping?q=sconce_YV6cGgIFTgZNuOSIj3qEG75a_fvRDFq27QUusiYHMDU', '/ping?q=***'],
  ['/predictions/sconce_YV6cGgIFTgZNuOSIj3qEG75a_fvRDFq27QUusiYHMDU', '/predictions/***'],
  ['/ping?q=eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ4In0.c2ln', '/ping?q=***'],
  ['/models?url=https://b/m.mar?X=1', '/models?url=https%3A%2F%2Fb%2Fm.mar%3F***'],
  ['/models?url=https%3A%2F%2Fu%3Ap%40b%2Fm.mar%3FX%3D1&model_name=m', '/models?url=https%3A%2F%2F***%40b%2Fm.mar%3F***&model_name=m'],
])('%s stands in a log as %s', (target, shown) => {
  expect(redactedTarget(target)).toBe(shown);
});

it.each(['/ping', '/models?limit=1&next_page_token=2', '/models?url=m.mar&initial_workers=1', '/models?url=https://b/m.mar', '/x?%zz=1&broken', '/a?'])(
  '%s stands as it is',
  (target) => {
    expect(redactedTarget(target)).toBe(target);
  },
);
