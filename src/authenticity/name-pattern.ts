/** Whether a text fits one of the patterns: literal but for `*`, which stands for any characters. Takes time in proportion to the lengths, whatever the text. */
export function fitsAny(text: string, patterns: readonly string[]): boolean {
  return patterns.some((pattern) => fits(text, pattern));
}

/** Greedy from the left, with one place to go back to: the last `*`. */
export function fits(text: string, pattern: string): boolean {
  let at = 0;
  let expected = 0;
  let star = -1;
  let resume = 0;
  while (at < text.length) {
    if (pattern[expected] === '*') {
      star = expected;
      resume = at;
      expected += 1;
    } else if (pattern[expected] === text[at]) {
      at += 1;
      expected += 1;
    } else if (star >= 0) {
      resume += 1;
      at = resume;
      expected = star + 1;
    } else return false;
  }
  while (pattern[expected] === '*') expected += 1;
  return expected === pattern.length;
}
