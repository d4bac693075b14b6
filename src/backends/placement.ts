import type { ModelConfig } from '../inference/model-config.js';
import type { CorePlan } from './core-plan.js';

/** A worker's part of the machine's processors. */
export interface Share {
  /** Threads of its computations. */
  readonly threads: number;
  /** Logical processors that it is bound to; undefined: to none in particular. */
  readonly cores: readonly number[] | undefined;
}

/**
 * Shares the processors out among the workers of a model, so that workers which compute at the same time don't fight over them: PyTorch would give each
 * worker as many threads as there are cores.
 */
export class Placement {
  constructor(
    private readonly processors: number,
    /** Binds workers to cores; undefined: the kernel places them. */
    private readonly plan: CorePlan | undefined = undefined,
    /** Logical processors that every worker is bound to where no plan binds it more closely; undefined: to none in particular. */
    private readonly bound: readonly number[] | undefined = undefined,
  ) {}

  /** Whether workers have to be placed anew when their number changes. */
  get binds(): boolean {
    return this.plan !== undefined;
  }

  /** For the worker at place `index` of `count`. A model's own `sconce.threads` decides on the threads. */
  share(index: number, count: number, { sconce }: Pick<ModelConfig, 'sconce'>): Share {
    const cores = this.plan?.share(index, count);
    const fair = cores?.length ?? Math.max(1, Math.floor(this.processors / Math.max(1, count)));
    return { threads: sconce.threads ?? fair, cores: cores ?? this.bound };
  }
}
