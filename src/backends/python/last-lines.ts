const KEPT_LINES = 50;
const KEPT_CHARACTERS = 1000;

/** The end of a worker's output: at most 50 lines of at most 1,000 characters. */
export class LastLines {
  readonly #lines: string[] = [];
  #next = 0;

  add(line: string): void {
    this.#lines[this.#next] = line.length > KEPT_CHARACTERS ? line.slice(0, KEPT_CHARACTERS) : line;
    this.#next = (this.#next + 1) % KEPT_LINES;
  }

  /** Oldest first. */
  all(): readonly string[] {
    return this.#lines.length < KEPT_LINES ? [...this.#lines] : [...this.#lines.slice(this.#next), ...this.#lines.slice(0, this.#next)];
  }

  /** The last line that holds a word, as opposed to a rule of dashes; '' when there is none. */
  lastWords(): string {
    return (
      this.all()
        .findLast((line) => /[a-z]/i.test(line))
        ?.trim() ?? ''
    );
  }
}
