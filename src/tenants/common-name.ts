/** A name that both patterns match, the shortest; undefined: there is none. Takes pattern × pattern steps. */
export function commonName(one: string, other: string): string | undefined {
  const width = other.length + 1;
  /** By state: the state before, and the character that led from there. */
  const cameFrom = new Map<number, { readonly before: number; readonly char: string }>([[0, { before: -1, char: '' }]]);
  let states = [0];
  while (states.length > 0) {
    const further: number[] = [];
    const go = (before: number, at: number, inOther: number, char: string, list: number[]): void => {
      const state = at * width + inOther;
      if (cameFrom.has(state)) return;
      cameFrom.set(state, { before, char });
      list.push(state);
    };
    // What stars let pass without a character joins the same round: names come by their length.
    for (const state of states) {
      const [at, inOther] = [Math.floor(state / width), state % width];
      if (at === one.length && inOther === other.length) return spelled(cameFrom, state);
      if (one[at] === '*') go(state, at + 1, inOther, '', states);
      if (other[inOther] === '*') go(state, at, inOther + 1, '', states);
      const [first, second] = [one[at], other[inOther]];
      if (first === undefined || second === undefined || !agree(first, second)) continue;
      const char = isWild(first) ? (isWild(second) ? 'x' : second) : first;
      go(state, at + (first === '*' ? 0 : 1), inOther + (second === '*' ? 0 : 1), char, further);
    }
    states = further;
  }
  return undefined;
}

function isWild(char: string): boolean {
  return char === '*' || char === '?';
}

function agree(first: string, second: string): boolean {
  return isWild(first) || isWild(second) || first === second;
}

function spelled(cameFrom: ReadonlyMap<number, { readonly before: number; readonly char: string }>, end: number): string {
  let name = '';
  for (let state = end; state > 0; ) {
    const { before, char } = cameFrom.get(state) ?? { before: 0, char: '' };
    name = char + name;
    state = before;
  }
  return name;
}
