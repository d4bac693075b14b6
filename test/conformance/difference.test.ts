import { describe, expect, it } from 'vitest';
import { differences } from './difference.js';

const comparison = { name: 'asks for something' };

describe('the differences of two trees', () => {
  it('are none when the trees are the same', () => {
    expect(differences({ a: [1, { b: 'x' }] }, { a: [1, { b: 'x' }] }, comparison, [])).toEqual([]);
  });

  it('name the place, and what stands there on both sides', () => {
    const found = differences({ a: [1, { b: 'x' }], only: 1 }, { a: [1, { b: 'y' }] }, comparison, []);

    expect(found).toEqual([
      { place: 'a/1/b', torchserve: 'x', sconce: 'y', known: undefined },
      { place: 'only', torchserve: 1, sconce: undefined, known: undefined },
    ]);
  });

  it('hold a list against an object, and a text against a number', () => {
    expect(differences(['x'], { 0: 'x' }, comparison, []).map(({ place }) => place)).toEqual(['']);
    expect(differences('1', 1, comparison, [])).toHaveLength(1);
  });

  it('allow numbers the tolerance that is stated, and none where none is', () => {
    const tolerance = { relative: 1e-3, reason: 'other kernels' };

    expect(differences(1000, 1000.5, { ...comparison, tolerance }, [])).toEqual([]);
    expect(differences(1000, 1002, { ...comparison, tolerance }, [])).toHaveLength(1);
    expect(differences(1000, 1000.5, comparison, [])).toHaveLength(1);
  });

  it('carry the reason where they are meant, in the comparisons in which they are', () => {
    const date = { place: /headers\/date$/, reason: 'Sconce says when' };
    const elsewhere = { comparisons: /^asks for another/, place: /status/, reason: 'another' };

    const found = differences({ headers: {}, status: 200 }, { headers: { date: 'now' }, status: 201 }, comparison, [date, elsewhere]);

    expect(found.map(({ place, known }) => [place, known])).toEqual([
      ['headers/date', date],
      ['status', undefined],
    ]);
  });
});
