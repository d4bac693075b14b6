import type { Comparison, KnownDifference, Observed } from './comparison.js';
import { type Difference, differences } from './difference.js';

const SHOWN_CHARACTERS = 1000;

/** Counts what passed and what failed, and tells each as it comes. */
export class Tally {
  passed = 0;
  failed = 0;
  readonly #meant = new Set<string>();
  readonly #shown = new Set<KnownDifference>();

  get reasons(): readonly string[] {
    return [...this.#meant];
  }

  /** What both servers showed in one comparison. */
  compared(comparison: Comparison, theirs: Observed, ours: Observed, known: readonly KnownDifference[]): void {
    const found = differences(theirs, ours, comparison, known);
    for (const difference of found) this.#note(difference);
    const unmeant = found.filter((difference) => difference.known === undefined);
    const wrong = wrongness(theirs);
    const isWrong = wrong !== undefined && !found.some(({ place, known: meant }) => /^(verdict|failure)$/.test(place) && meant !== undefined);
    if (unmeant.length === 0 && !isWrong) {
      const places = found.map(({ place }) => place).join(', ');
      return this.holds(`same   ${comparison.name}${places === '' ? '' : ` (but for ${places}: meant)`}`);
    }
    this.fails(`DIFFER ${comparison.name}`, [
      ...(isWrong ? [`TorchServe's answer is not the one that is expected: ${shown(wrong)}`] : []),
      ...unmeant.flatMap(({ place, torchserve, sconce }) => [place, `  TorchServe ${shown(torchserve)}`, `  Sconce     ${shown(sconce)}`]),
    ]);
  }

  /** After all of a group: a difference that is listed and doesn't show is a line that nobody can trust. */
  closed(known: readonly KnownDifference[]): void {
    for (const one of known)
      if (!this.#shown.has(one)) this.fails(`GONE   a known difference does not show: ${one.reason}`, [String(one.comparisons ?? one.place)]);
  }

  holds(line: string): void {
    this.passed += 1;
    console.log(`  ${line}`);
  }

  fails(line: string, because: readonly string[]): void {
    this.failed += 1;
    console.log(`  ${line}`);
    for (const more of because) console.log(`    ${more}`);
  }

  #note({ known }: Difference): void {
    if (known === undefined) return;
    this.#meant.add(known.reason);
    this.#shown.add(known);
  }
}

/** Why an answer isn't to be trusted though the other server gives the same: its own check refuses it, or it never came. */
function wrongness(theirs: Observed): string | undefined {
  if (typeof theirs !== 'object' || theirs === null) return undefined;
  if ('failure' in theirs) return String(theirs.failure);
  return 'verdict' in theirs && theirs.verdict !== 'right' ? String(theirs.verdict) : undefined;
}

function shown(value: Observed | undefined): string {
  const text = value === undefined ? 'has none' : JSON.stringify(value);
  return text.length > SHOWN_CHARACTERS ? `${text.slice(0, SHOWN_CHARACTERS)} …` : text;
}
