/** Changes of things that have names: those of one name run one after another, in their order. */
export class ChangeLine {
  readonly #last = new Map<string, Promise<unknown>>();

  /** Runs `change` once all changes of the name before it have ended, however they did. */
  run<T>(name: string, change: () => Promise<T>): Promise<T> {
    const before = this.#last.get(name) ?? Promise.resolve();
    const run = before.then(change, change);
    const settled = run.then(
      () => undefined,
      () => undefined,
    );
    this.#last.set(name, settled);
    void settled.then(() => {
      if (this.#last.get(name) === settled) this.#last.delete(name);
    });
    return run;
  }
}
