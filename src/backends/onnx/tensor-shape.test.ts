import { describe, expect, it } from 'vitest';
import { fitShape, inferShape } from './tensor-shape.js';

const spec = (dims: readonly (number | string)[]) => ({ name: 'x', type: 'float32', dims }) as const;
const IMAGE = spec(['N', 1, 28, 28]);

describe('fitShape', () => {
  it.each([
    ['the very shape', IMAGE, [5, 1, 28, 28], [5, 1, 28, 28], false],
    ['one example without its batch axis', IMAGE, [1, 28, 28], [1, 1, 28, 28], true],
    ['one example without its axes of length 1', IMAGE, [28, 28], [1, 1, 28, 28], true],
    ['one flat example', IMAGE, [784], [1, 1, 28, 28], true],
    ['rows of flat examples', IMAGE, [3, 784], [3, 1, 28, 28], false],
    ['rows without their axes of length 1', IMAGE, [3, 28, 28], [3, 1, 28, 28], false],
    ['one example for a fixed batch of one', spec([1, 2, 2]), [2, 2], [1, 2, 2], true],
    ['a flat example for a fixed batch of one', spec([1, 2, 2]), [4], [1, 2, 2], true],
    ['one value for a vector of examples', spec(['N']), [], [1], true],
    ['a sequence for free axes', spec(['batch', 'length']), [7], [1, 7], true],
    ['all values flat for a fixed shape', spec([2, 3]), [6], [2, 3], false],
    ['anything for a model that leaves its rank open', spec([]), [2, 2], [2, 2], false],
  ])('takes %s', (_, wanted, given, dims, added) => {
    expect(fitShape(wanted, given)).toEqual({ dims, added });
  });

  it.each([
    ['a wrong size', IMAGE, [1, 1, 28, 27]],
    ['too many axes', IMAGE, [1, 1, 1, 28, 28]],
    ['transposed axes', spec(['N', 2, 3]), [3, 2]],
    ['two rows for a fixed batch of one', spec([1, 2, 2]), [2, 4]],
    ['a wrong fixed shape', spec([2, 3]), [3, 2]],
  ])('refuses %s', (_, wanted, given) => {
    expect(fitShape(wanted, given)).toBeUndefined();
  });
});

describe('inferShape', () => {
  it.each([
    ['one example', IMAGE, 784, [1, 1, 28, 28], true],
    ['several rows', IMAGE, 1568, [2, 1, 28, 28], false],
    ['one sequence of free length', spec(['batch', 'length']), 9, [1, 9], true],
    ['a free inner axis', spec([2, 'n']), 8, [2, 4], false],
    ['a vector of examples', spec(['N']), 4, [4], false],
  ])('gives bytes without a shape %s', (_, wanted, count, dims, added) => {
    expect(inferShape(wanted, count)).toEqual({ dims, added });
  });

  it.each([
    ['a broken row', IMAGE, 783],
    ['nothing', IMAGE, 0],
    ['three free axes', spec(['a', 'b', 'c']), 8],
    ['a wrong fixed size', spec([2, 3]), 12],
  ])('refuses %s', (_, wanted, count) => {
    expect(inferShape(wanted, count)).toBeUndefined();
  });
});
