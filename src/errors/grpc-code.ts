const CODES: ReadonlyMap<number, number> = new Map([
  [400, 3],
  [401, 16],
  [403, 7],
  [404, 5],
  [409, 10],
  [413, 8],
  [416, 11],
  [429, 8],
  [499, 1],
  [501, 12],
  [503, 14],
  [504, 4],
]);
const [OK, UNKNOWN, FAILED_PRECONDITION, INTERNAL] = [0, 2, 9, 13];

/** The gRPC status number that TorchServe makes of a worker's HTTP status. */
export function grpcCodeOf(httpStatus: number): number {
  const known = CODES.get(httpStatus);
  if (known !== undefined) return known;
  if (httpStatus >= 200 && httpStatus < 300) return OK;
  if (httpStatus >= 400 && httpStatus < 500) return FAILED_PRECONDITION;
  return httpStatus >= 500 && httpStatus < 600 ? INTERNAL : UNKNOWN;
}
