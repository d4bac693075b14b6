/**
 * Worker numbers as TorchServe counts its worker ports: up from the first, across all models, never used twice.
 * Parallel models count on their own, one number for each of their ranks or devices.
 */
export class WorkerIds {
  #next: number;
  #nextParallel: number;

  constructor(first: number, firstParallel: number) {
    this.#next = first;
    this.#nextParallel = firstParallel;
  }

  /** `parallelLevel` is 0 for a model that isn't parallel. */
  take(parallelLevel: number): number {
    const id = parallelLevel > 0 ? this.#nextParallel : this.#next;
    if (parallelLevel > 0) this.#nextParallel += parallelLevel;
    else this.#next += 1;
    return id;
  }
}
