const LONGEST_CHARACTERS = 300;
/** What pip and venv add around the line that tells what is wrong. */
const BESIDE_THE_POINT = /^(?:\[notice\]|WARNING\b|DEPRECATION\b|note:|hint:|╰─>|Failing command:|Waiting for )/i;
const END_OF_SET_UP = '[end of output]';

/**
 * Finds the line of an installer's output that tells most of why it failed: the last words of a package's own set-up, else the installer's last error,
 * else the last line that says anything.
 */
export class InstallerComplaint {
  #ofSetUp: string | undefined;
  #error: string | undefined;
  #last: string | undefined;

  add(output: string): void {
    const line = output.trim();
    if (line === '' || BESIDE_THE_POINT.test(line)) return;
    if (line === END_OF_SET_UP) this.#ofSetUp = this.#last;
    if (line.startsWith('ERROR: ')) this.#error = line;
    this.#last = line;
  }

  get line(): string | undefined {
    return (this.#ofSetUp ?? this.#error ?? this.#last)?.slice(0, LONGEST_CHARACTERS);
  }
}
