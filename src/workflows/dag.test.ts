import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Dag } from './dag.js';

function aDag(edges: Readonly<Record<string, readonly string[]>>): Dag {
  return new Dag(new Map(Object.entries(edges)));
}

describe('a graph', () => {
  it('knows its start, its leaves, and who follows whom', () => {
    const dag = aDag({ pre: ['a', 'b'], a: ['post'], b: ['post', 'c'] });

    expect([dag.start, dag.leaves]).toEqual(['pre', ['post', 'c']]);
    expect(dag.parents('post')).toEqual(['a', 'b']);
    expect(dag.successors('post')).toEqual([]);
    expect(String(dag)).toBe('{pre=[a, b], a=[post], b=[post, c]}');
  });

  it('of one node is one', () => {
    expect(aDag({ a: [] })).toMatchObject({ start: 'a', leaves: ['a'], nodes: ['a'] });
  });

  it('may have nodes that are called as JavaScript calls things', () => {
    const dag = new Dag(new Map([['constructor', ['__proto__']]]));

    expect([dag.start, dag.leaves, dag.parents('__proto__')]).toEqual(['constructor', ['__proto__'], ['constructor']]);
  });

  it.each([
    ['a node that leads to itself', { a: ['a'] }, 'Self loop exception (a leads to itself)'],
    ['the same step twice', { a: ['b', 'b'] }, 'loop exception (a leads to b twice)'],
    ['two starts', { a: ['b'], c: ['b'] }, 'DAG should have only one start node (a, c)'],
    ['no start', { a: ['b'], b: ['a'] }, 'DAG should have only one start node (every node follows another)'],
    ['a circle behind its start', { s: ['a'], a: ['b'], b: ['a', 'end'] }, 'Not a valid DAG (a circle holds up a, b, end)'],
  ])('WF1 with %s is refused in the words of TorchServe, with the nodes', (_what, edges, message) => {
    expect(() => aDag(edges)).toThrow(
      expect.objectContaining({ code: 'DAG_INVALID', message, rendering: { http: 400, grpc: 3, type: 'InvalidDAGException' } }),
    );
  });

  it('is taken exactly where an order of its nodes exists that starts at one node', () => {
    const graphs = fc.array(fc.tuple(fc.nat(6), fc.nat(6)), { maxLength: 14 }).map((pairs) => {
      const edges = new Map<string, string[]>();
      for (const [from, to] of pairs) edges.set(`n${from}`, [...(edges.get(`n${from}`) ?? []), `n${to}`]);
      return edges;
    });

    fc.assert(
      fc.property(graphs, (edges) => {
        let dag: Dag | undefined;
        try {
          dag = new Dag(edges);
        } catch (error) {
          expect(error).toMatchObject({ code: 'DAG_INVALID' });
        }
        expect(dag !== undefined).toBe(hasOrderFromOneStart(edges));
      }),
    );
  });
});

/** By taking nodes away that nobody leads to, until none is left. */
function hasOrderFromOneStart(edges: ReadonlyMap<string, readonly string[]>): boolean {
  const steps = [...edges].flatMap(([from, next]) => next.map((to) => `${from} ${to}`));
  if (new Set(steps).size < steps.length) return false;
  let left = new Set([...edges].flatMap(([from, next]) => [from, ...next]));
  let first = true;
  while (left.size > 0) {
    const ledTo = new Set([...edges].flatMap(([from, next]) => (left.has(from) ? next : [])));
    const free = [...left].filter((node) => !ledTo.has(node));
    if (free.length === 0 || (first && free.length > 1)) return false;
    left = new Set([...left].filter((node) => !free.includes(node)));
    first = false;
  }
  return edges.size > 0;
}
