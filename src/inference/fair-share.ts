/** The part of a tenant beside the others', as a weight that is never below 1. */
export type WeightOf = (tenant: string) => number;

export const EQUAL_WEIGHTS: WeightOf = () => 1;

/** What a tenant has of something that there is only so much of. */
export interface Holding {
  readonly weight: number;
  readonly held: number;
}

/**
 * Who has to make room when there is none left: the one that holds most for its weight, unless the one who asks would then hold as much for its own. So whoever
 * is within its part (its weight's share of all there is) always finds a place, and nobody is driven out twice for the same place.
 */
export function whoMakesRoom<H extends Holding>(asking: Holding, all: Iterable<H>): H | undefined {
  let most: H | undefined;
  for (const one of all) if (one.held > 0 && (most === undefined || one.held * most.weight > most.held * one.weight)) most = one;
  return most !== undefined && (asking.held + 1) * most.weight < most.held * asking.weight ? most : undefined;
}
