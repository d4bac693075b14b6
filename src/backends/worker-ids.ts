/** Worker numbers as TorchServe counts its worker ports: up from the first, across all models, never used twice. */
export class WorkerIds {
  #next: number;

  constructor(first: number) {
    this.#next = first;
  }

  take(): number {
    const id = this.#next;
    this.#next += 1;
    return id;
  }
}
