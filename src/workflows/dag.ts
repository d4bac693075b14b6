import { DagInvalid } from '../errors/workflow.js';

/** Which node's answer goes to which: one start, no circle. Names may be anything, `__proto__` too. */
export class Dag {
  readonly #parents = new Map<string, string[]>();
  readonly start: string;
  /** Nodes whose answers are the workflow's, in the order of the specification. */
  readonly leaves: readonly string[];

  /** `edges`: each node's successors; one that only stands as a successor is a node too. Throws DagInvalid, with TorchServe's texts in its order of checks. */
  constructor(private readonly edges: ReadonlyMap<string, readonly string[]>) {
    for (const [node, next] of edges) {
      this.#parents.set(node, this.#parents.get(node) ?? []);
      for (const to of next) {
        if (to === node) throw DagInvalid({ what: 'Self loop exception', where: `${node} leads to itself` });
        const parents = this.#parents.get(to) ?? [];
        if (parents.includes(node)) throw DagInvalid({ what: 'loop exception', where: `${node} leads to ${to} twice` });
        this.#parents.set(to, [...parents, node]);
      }
    }
    const starts = this.nodes.filter((node) => this.parents(node).length === 0);
    const [start] = starts;
    if (start === undefined || starts.length > 1)
      throw DagInvalid({ what: 'DAG should have only one start node', where: start === undefined ? 'every node follows another' : starts.join(', ') });
    this.start = start;
    const circle = this.#neverReady();
    if (circle.length > 0) throw DagInvalid({ what: 'Not a valid DAG', where: `a circle holds up ${circle.join(', ')}` });
    this.leaves = this.nodes.filter((node) => this.successors(node).length === 0);
  }

  get nodes(): readonly string[] {
    return [...this.#parents.keys()];
  }

  successors(node: string): readonly string[] {
    return this.edges.get(node) ?? [];
  }

  parents(node: string): readonly string[] {
    return this.#parents.get(node) ?? [];
  }

  /** As TorchServe's describe prints it: `{pre=[a, b], a=[post]}`. */
  toString(): string {
    return `{${[...this.edges].map(([node, next]) => `${node}=[${next.join(', ')}]`).join(', ')}}`;
  }

  /** Nodes that would wait for ever for one of their parents. */
  #neverReady(): string[] {
    const missing = new Map(this.nodes.map((node) => [node, this.parents(node).length]));
    const ready = [this.start];
    for (const node of ready) {
      missing.delete(node);
      for (const next of this.successors(node)) {
        const left = (missing.get(next) ?? 0) - 1;
        missing.set(next, left);
        if (left === 0) ready.push(next);
      }
    }
    return [...missing.keys()];
  }
}
