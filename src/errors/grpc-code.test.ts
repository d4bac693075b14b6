import { expect, it } from 'vitest';
import { grpcCodeOf } from './grpc-code.js';

it.each([
  [200, 0],
  [206, 0],
  [400, 3],
  [401, 16],
  [403, 7],
  [404, 5],
  [409, 10],
  [413, 8],
  [416, 11],
  [418, 9],
  [429, 8],
  [499, 1],
  [500, 13],
  [501, 12],
  [503, 14],
  [504, 4],
  [507, 13],
  [302, 2],
  [700, 2],
])('a worker that says %i gives the status %i', (http, grpc) => {
  expect(grpcCodeOf(http)).toBe(grpc);
});
