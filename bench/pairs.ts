import type { LoadFigures } from './load.js';

/** What one more worker of each of two models takes until it is ready, ms: medians, the models taking turns. */
export async function compareStarts(
  scale: (model: string, workers: number) => Promise<number>,
  pair: readonly [string, string],
  rounds: number,
): Promise<readonly [number, number]> {
  const times: [number[], number[]] = [[], []];
  for (let round = 0; round < rounds; round += 1) {
    for (const [side, model] of pair.entries()) {
      times[side]?.push(await scale(model, 2));
      await scale(model, 1);
    }
  }
  return [middle(times[0]), middle(times[1])];
}

/** The figures of two loads, round by round. Each goes first as often as the other. */
export async function alternate<F extends LoadFigures>(one: () => Promise<F>, other: () => Promise<F>, rounds: number): Promise<[F, F][]> {
  const figures: [F, F][] = [];
  for (let round = 0; round < rounds; round += 1) {
    const [first, second] = round % 2 === 0 ? [one, other] : [other, one];
    const [a, b] = [await first(), await second()];
    const pair: [F, F] = round % 2 === 0 ? [a, b] : [b, a];
    if (a.failures + b.failures > 0) console.log(`  (${pair[0].failures} and ${pair[1].failures} requests failed)`);
    figures.push(pair);
  }
  return figures;
}

/** A figure of both sides: `412/s and 430/s, ratio 0.958 (from 0.941 to 0.970)`. The ratio is the median of the rounds'. */
export function told<F extends LoadFigures>(pairs: readonly (readonly [F, F])[], figure: (load: F) => number, unit: string, digits: number): string {
  const ratios = pairs.map(([one, other]) => figure(one) / figure(other));
  const [a, b] = [0, 1].map((side) => middle(pairs.map((pair) => figure(side === 0 ? pair[0] : pair[1]))).toFixed(digits));
  return `${a}${unit} and ${b}${unit}, ratio ${middle(ratios).toFixed(3)} (from ${Math.min(...ratios).toFixed(3)} to ${Math.max(...ratios).toFixed(3)})`;
}

export function middle(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
}
