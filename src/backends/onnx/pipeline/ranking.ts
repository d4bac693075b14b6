import type { Labels } from './labels.js';

/** Classes of one example with their scores, best first. */
export type Ranking = readonly { readonly label: string; readonly score: number }[];

/** The `k` best classes of a vector of scores; of equals the lower index comes first. O(n log k). */
export function topK(scores: Float64Array, k: number, labels: Labels): Ranking {
  const best: number[] = [];
  const score = (index: number): number => scores[index] ?? 0;
  for (let index = 0; index < scores.length; index += 1) {
    if (best.length === k && !(score(index) > score(best[k - 1] ?? 0))) continue;
    let [low, high] = [0, best.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (score(best[middle] ?? 0) >= score(index)) low = middle + 1;
      else high = middle;
    }
    best.splice(low, 0, index);
    if (best.length > k) best.pop();
  }
  return best.map((index) => ({ label: labels(index), score: score(index) }));
}

/** All classes that score at least `minimum`, best first. */
export function above(scores: Float64Array, minimum: number, labels: Labels): Ranking {
  return topK(scores, scores.length, labels).filter(({ score }) => score >= minimum);
}

/** `{"label": score}` in the ranking's order, written by hand: a JavaScript object would put labels such as "7" first. Of equal labels the best counts. */
export function rankingJson(ranking: Ranking): string {
  const seen = new Set<string>();
  const fields: string[] = [];
  for (const { label, score } of ranking) {
    if (seen.has(label)) continue;
    seen.add(label);
    fields.push(`${JSON.stringify(label)}:${JSON.stringify(score)}`);
  }
  return `{${fields.join(',')}}`;
}
