import type { Processor } from '../platform/processors.js';

/** What `cpu_launcher_args` asks for: the options of PyTorch's `torch.backends.xeon.run_cpu`, with dashes or underscores. */
interface CoreWish {
  readonly useLogicalCores: boolean;
  readonly nodeId: number | undefined;
  readonly coreList: readonly number[] | undefined;
  readonly coresPerWorker: number | undefined;
  readonly workers: number | undefined;
  readonly perNode: boolean;
  readonly skipCrossNode: boolean;
}

const LATENCY_MODE_CORES = 4;
const NUMBERS = new Set(['node-id', 'ncores-per-instance', 'ninstances', 'rank']);
/** Options whose job is done otherwise here, or not at all. */
const WITHOUT_EFFECT = new Set(['multi-instance', 'disable-numactl', 'disable-taskset', 'use-default-allocator', 'disable-iomp', 'rank']);

/**
 * Which processors each worker of a model is bound to. By default every worker gets an equal share of the physical cores, one thread of each, next to each
 * other, so that a share seldom spans two memory nodes; workers beyond the shares begin anew with the first.
 */
export class CorePlan {
  readonly #nodes: readonly (readonly number[])[];
  readonly #wish: CoreWish;
  /** What of the arguments has no effect, for the log. */
  readonly ignored: readonly string[];

  constructor(args: string | undefined, processors: readonly Processor[]) {
    const { wish, ignored } = parseWish(args ?? '');
    this.#wish = wish;
    this.ignored = ignored;
    this.#nodes = usableByNode(wish, processors);
  }

  /** Processors of the worker at place `index` of `count`; never none. */
  share(index: number, count: number): readonly number[] {
    const shares = this.#shares(Math.max(1, this.#wish.workers ?? count));
    return shares[index % shares.length] ?? [];
  }

  #shares(workers: number): readonly (readonly number[])[] {
    const { coresPerWorker, perNode, skipCrossNode } = this.#wish;
    const all = this.#nodes.flat();
    if (perNode) return this.#nodes;
    if (coresPerWorker === undefined) {
      const size = Math.max(1, Math.floor(all.length / workers));
      // Cores that are left over go to the first workers, one each.
      const extra = all.length > workers ? all.length - size * workers : 0;
      const sizes = Array.from({ length: Math.min(workers, all.length) }, (_, n) => size + (n < extra ? 1 : 0));
      return cut(all, sizes);
    }
    const size = Math.min(coresPerWorker, all.length);
    const shares = (skipCrossNode ? this.#nodes : [all]).flatMap((cores) => cut(cores, new Array<number>(Math.floor(cores.length / size)).fill(size)));
    return shares.length > 0 ? shares : [all];
  }
}

function cut(cores: readonly number[], sizes: readonly number[]): readonly (readonly number[])[] {
  let at = 0;
  return sizes.map((size) => {
    at += size;
    return cores.slice(at - size, at);
  });
}

/** The processors that may be handed out, node by node; all of them where the arguments leave none. */
function usableByNode({ useLogicalCores, nodeId, coreList }: CoreWish, processors: readonly Processor[]): readonly (readonly number[])[] {
  const chosen = processors.filter(({ cpu, node }) => (coreList?.includes(cpu) ?? true) && (nodeId === undefined || node === nodeId));
  const seen = new Set<string>();
  const usable = (chosen.length > 0 ? chosen : processors).filter(({ core }) => {
    if (useLogicalCores || coreList !== undefined) return true;
    if (seen.has(core)) return false;
    seen.add(core);
    return true;
  });
  return [...new Set(usable.map(({ node }) => node))].map((node) => usable.filter((one) => one.node === node).map(({ cpu }) => cpu));
}

function parseWish(args: string): { wish: CoreWish; ignored: readonly string[] } {
  const words = args.split(/[\s=]+/).filter((word) => word !== '');
  const ignored: string[] = [];
  const numbers = new Map<string, number>();
  const flags = new Set<string>();
  let coreList: number[] | undefined;
  while (words.length > 0) {
    const word = words.shift() ?? '';
    const name = word.replace(/^-+/, '').replaceAll('_', '-');
    if (name === 'core-list') {
      coreList = [];
      while (/^\d+(,\d+)*,?$/.test(words[0] ?? '')) coreList.push(...(words.shift() ?? '').split(',').filter(Boolean).map(Number));
    } else if (NUMBERS.has(name) && /^\d+$/.test(words[0] ?? '')) {
      numbers.set(name, Number(words.shift()));
    } else if (['use-logical-core', 'use-logical-cores', 'latency-mode', 'throughput-mode', 'skip-cross-node-cores'].includes(name)) {
      flags.add(name);
    } else if (!WITHOUT_EFFECT.has(name)) ignored.push(word);
  }
  const positive = (name: string): number | undefined => ((numbers.get(name) ?? 0) > 0 ? numbers.get(name) : undefined);
  return {
    wish: {
      useLogicalCores: flags.has('use-logical-core') || flags.has('use-logical-cores'),
      nodeId: numbers.get('node-id'),
      coreList: coreList?.length ? coreList : undefined,
      coresPerWorker: positive('ncores-per-instance') ?? (flags.has('latency-mode') ? LATENCY_MODE_CORES : undefined),
      workers: positive('ninstances'),
      perNode: flags.has('throughput-mode'),
      skipCrossNode: flags.has('skip-cross-node-cores'),
    },
    ignored,
  };
}
