import fc from 'fast-check';
import type { Family, FuzzCase } from './fuzz-case.js';
import { type Outcome, type Trouble, troubleOf } from './oracle.js';

/** The model that is asked. Never rejects. */
export type Ask = (input: FuzzCase) => Promise<Outcome>;

export interface CampaignPlan {
  readonly seed: number;
  /** Requests in all, those that make findings smaller among them. */
  readonly maxRequests: number;
  readonly maxMs: number;
  readonly isGuarded: boolean;
  readonly families: ReadonlyMap<Family, fc.Arbitrary<FuzzCase>>;
}

/** One cause of trouble with the smallest input that was found for it. */
export interface Finding extends Trouble {
  readonly family: Family;
  readonly input: FuzzCase;
  readonly outcome: Outcome;
  /** Steps by which the input was made smaller. */
  readonly shrinks: number;
}

interface FamilyFigures {
  readonly requests: number;
  readonly byStatus: Readonly<Record<string, number>>;
}

export interface CampaignResult {
  readonly findings: readonly Finding[];
  readonly figures: ReadonlyMap<Family, FamilyFigures>;
  readonly slowestMs: number;
  /** Why it ended before all was tried; undefined when all was. */
  readonly cutShort: 'requests' | 'time' | undefined;
}

/**
 * Throws inputs at a model, family by family, each with its share of the requests. Of each cause the input is made as small as it gets, and the search goes on
 * for others. The same seed and the same answers make the same requests.
 */
export async function campaign(plan: CampaignPlan, ask: Ask): Promise<CampaignResult> {
  const findings: Finding[] = [];
  const counts = new Map<Family, { requests: number; byStatus: Record<string, number> }>();
  const endAt = performance.now() + plan.maxMs;
  let left = plan.maxRequests;
  let slowestMs = 0;
  let cutShort: CampaignResult['cutShort'];
  let families = plan.families.size;
  for (const [family, inputs] of plan.families) {
    const byStatus: Record<string, number> = {};
    const count = { requests: 0, byStatus };
    counts.set(family, count);
    const known = new Set<string>();
    const until = left - Math.floor(left / families);
    families -= 1;
    let seed = plan.seed;
    while (left > until && cutShort === undefined) {
      let smallest: Finding | undefined;
      let shrinks = -1;
      const property = fc.asyncProperty(inputs, async (input) => {
        if (performance.now() > endAt) cutShort = 'time';
        // Nothing more is asked: what was found is as small as it got.
        if (left <= until || cutShort !== undefined) return true;
        left -= 1;
        const outcome = await ask(input);
        count.requests += 1;
        const word = outcome.kind === 'answered' ? String(outcome.status) : outcome.why;
        count.byStatus[word] = (count.byStatus[word] ?? 0) + 1;
        slowestMs = Math.max(slowestMs, outcome.ms);
        const trouble = troubleOf(input, outcome, plan.isGuarded);
        if (trouble === undefined || known.has(keyOf(trouble)) || (smallest !== undefined && keyOf(trouble) !== keyOf(smallest))) return true;
        shrinks += 1;
        smallest = { ...trouble, family, input, outcome, shrinks };
        return false;
      });
      await fc.check(property, { seed, numRuns: left - until });
      const found: Finding | undefined = smallest;
      if (found === undefined) break;
      known.add(keyOf(found));
      findings.push(found);
      seed += 1;
    }
  }
  return { findings, figures: counts, slowestMs, cutShort: cutShort ?? (left <= 0 ? 'requests' : undefined) };
}

function keyOf({ verdict, cause }: Trouble): string {
  return `${verdict}\u0000${cause}`;
}
