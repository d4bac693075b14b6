import { idsIn } from './corpus.mjs';

/**
 * What came of each attack: `{attacks, strangers}`.
 * An attack held when tests named it, none failed and one passed at least; it got through when one failed; without a test that ran it is `missing`, or `not tried` where the corpus says why.
 * `strangers` are the titles with ids that the corpus doesn't know. `attacks` is the part of `corpus` to be told of.
 */
export function tally(results, corpus, attacks = corpus) {
  const tests = new Map(corpus.map(({ id }) => [id, []]));
  const strangers = [];
  for (const result of results)
    for (const id of idsIn(result.title, corpus))
      if (tests.has(id)) tests.get(id).push(result);
      else strangers.push({ id, ...result });
  return { attacks: attacks.map((attack) => ({ ...attack, tests: tests.get(attack.id), came: outcome(attack, tests.get(attack.id)) })), strangers };
}

function outcome({ notTried }, tests) {
  if (tests.some(({ state }) => state === 'failed')) return 'got through';
  if (tests.some(({ state }) => state === 'passed')) return 'held';
  return notTried === undefined ? 'missing' : 'not tried';
}

/** How many came to what: `{tried, held, through, missing, notTried}`. */
export function figures(attacks) {
  const count = (...names) => attacks.filter(({ came }) => names.includes(came)).length;
  return { tried: count('held', 'got through'), held: count('held'), through: count('got through'), missing: count('missing'), notTried: count('not tried') };
}

/** Whether nothing got through and nothing is missing. */
export function allHeld({ attacks, strangers }) {
  const { through, missing } = figures(attacks);
  return through === 0 && missing === 0 && strangers.length === 0;
}
