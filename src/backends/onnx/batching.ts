import type { RunItem } from './request-items.js';
import { isJoinable, type ModelSignature } from './signature.js';
import { joinRows, type NamedTensors, takeRows } from './tensors.js';

/** How an item's run ended. */
export type RunOutcome = { readonly ok: true; readonly outputs: NamedTensors } | { readonly ok: false; readonly error: unknown };

/** Runs the model once. */
export type RunModel = (feeds: NamedTensors) => Promise<NamedTensors>;

/**
 * Runs items with as few calls of the model as it allows: items whose inputs agree in type and in all but the first axis are joined along it.
 * State: a model whose answers turn out not to have a row per row asked is never joined again.
 */
export class RequestJoiner {
  #joins: boolean;

  /** `joins` undefined: decided by the signature. */
  constructor(
    signature: ModelSignature,
    private readonly run: RunModel,
    joins?: boolean,
  ) {
    this.#joins = joins ?? isJoinable(signature);
  }

  /** One outcome per item, in the items' order. A joined run that fails is done again item by item, so that one bad item fails alone. */
  async runAll(items: readonly RunItem[]): Promise<readonly RunOutcome[]> {
    const outcomes = new Map<RunItem, RunOutcome>();
    for (const group of this.#groups(items)) {
      const joined = group.length > 1 ? await this.#runJoined(group) : undefined;
      for (const [index, item] of group.entries()) {
        const outputs = joined?.[index];
        outcomes.set(item, outputs === undefined ? await this.#runAlone(item) : { ok: true, outputs });
      }
    }
    return items.map((item) => outcomes.get(item) ?? { ok: false, error: undefined });
  }

  #groups(items: readonly RunItem[]): Iterable<readonly RunItem[]> {
    if (!this.#joins) return items.map((item) => [item]);
    const groups = new Map<string, RunItem[]>();
    for (const item of items) {
      const key = groupKey(item.feeds);
      const group = groups.get(key);
      if (group === undefined) groups.set(key, [item]);
      else group.push(item);
    }
    return groups.values();
  }

  async #runAlone({ feeds }: RunItem): Promise<RunOutcome> {
    try {
      return { ok: true, outputs: await this.run(feeds) };
    } catch (error) {
      return { ok: false, error };
    }
  }

  async #runJoined(group: readonly RunItem[]): Promise<readonly NamedTensors[] | undefined> {
    let outputs: NamedTensors;
    try {
      outputs = await this.run(join(group));
    } catch {
      // Which item is at fault shows when each runs alone; its error is told then.
      return undefined;
    }
    const parts = split(outputs, group);
    if (parts === undefined) this.#joins = false;
    return parts;
  }
}

/** Lays the items' inputs one after another along axis 0. */
export function join(items: readonly RunItem[]): NamedTensors {
  const names = [...(items[0]?.feeds.keys() ?? [])];
  return new Map(names.map((name) => [name, joinRows(items.flatMap(({ feeds }) => feeds.get(name) ?? []))]));
}

/** Gives each item its rows of the outputs. undefined when an output has not exactly one row per row asked. */
export function split(outputs: NamedTensors, items: readonly RunItem[]): readonly NamedTensors[] | undefined {
  const rows = items.reduce((total, item) => total + item.rows, 0);
  if ([...outputs.values()].some((tensor) => tensor.dims[0] !== rows)) return undefined;
  let from = 0;
  return items.map((item) => {
    const part = new Map([...outputs].map(([name, tensor]) => [name, takeRows(tensor, from, item.rows)]));
    from += item.rows;
    return part;
  });
}

function groupKey(feeds: NamedTensors): string {
  return [...feeds].map(([name, { type, dims }]) => `${name} ${type} ${dims.slice(1).join('x')}`).join('\n');
}
