import { describe, expect, it } from 'vitest';
import { ANYONE, matchesPattern, NOBODY, Principal } from './principal.js';

describe('a pattern', () => {
  it.each([
    ['*', '', true],
    ['*', 'anything', true],
    ['a-*', 'a-', true],
    ['a-*', 'a-model', true],
    ['a-*', 'b-a-model', false],
    ['a-*', 'A-model', false],
    ['*-v?', 'resnet-v2', true],
    ['*-v?', 'resnet-v10', false],
    ['a*b*c', 'a1b2c', true],
    ['a*b*c', 'a1c2b', false],
    ['m.del', 'model', false],
    ['[m]odel', 'model', false],
    ['', '', true],
    ['', 'm', false],
    ['__proto__', '__proto__', true],
  ])('%j fits %j: %s', (pattern, name, fits) => {
    expect(matchesPattern(pattern, name)).toBe(fits);
  });

  it('that is hostile takes no longer than pattern times name', () => {
    const principal = new Principal('t', 'default', [{ scope: 'infer', models: [`${'*a'.repeat(128)}b`] }]);

    expect(principal.mayUse('infer', 'a'.repeat(1024))).toBe(false);
    expect(principal.mayUse('infer', 'a'.repeat(10_000_000))).toBe(false);
  });
});

describe('a principal', () => {
  it('has its scopes for the models of its patterns, and no other', () => {
    const principal = new Principal('t', 'a', [
      { scope: 'infer', models: ['a-*', 'shared'] },
      { scope: 'manage', models: ['a-*'] },
      { scope: 'manage', models: ['b-1'] },
    ]);

    expect([principal.mayUse('infer', 'shared'), principal.mayUse('manage', 'shared'), principal.mayUse('manage', 'b-1')]).toEqual([true, false, true]);
    expect([principal.has('metrics'), principal.mayUse('metrics', 'a-1'), principal.hasForAll('infer')]).toEqual([false, false, false]);
    expect(principal.patternsOf('manage')).toEqual(['a-*', 'b-1']);
  });

  it('that has a scope for every model has it whatever else is said', () => {
    for (const models of [
      ['*', 'a'],
      ['a', '*'],
    ]) {
      const principal = new Principal(
        't',
        'a',
        models.map((model) => ({ scope: 'infer' as const, models: [model] })),
      );
      expect([principal.hasForAll('infer'), principal.mayUse('infer', 'x'.repeat(5000))]).toEqual([true, true]);
    }
  });

  it('nobody may do nothing, anyone all', () => {
    expect([NOBODY.has('infer'), ANYONE.hasForAll('infer'), ANYONE.hasForAll('token-admin')]).toEqual([false, true, true]);
  });
});
