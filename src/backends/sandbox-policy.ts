import type { Grant, IsolationWish, SandboxLevel } from '../config/grants.js';
import type { SandboxNeeds } from '../inference/model-config.js';
import type { ServableModel } from '../inference/servable-model.js';
import { type Isolation, whyApart } from './isolation.js';

/** What the workers of one model may do. */
export interface SandboxRules {
  readonly level: SandboxLevel;
  readonly network: boolean;
  readonly exec: boolean;
  readonly read: readonly string[];
  readonly write: readonly string[];
  /** Names of environment variables; a `*` at the end stands for any ending. */
  readonly environment: readonly string[];
}

/** The operator's word on every model: the server's level, and what he grants to single ones. Nothing of an archive changes it. */
export class SandboxPolicy {
  constructor(
    private readonly level: SandboxLevel,
    private readonly isolation: IsolationWish,
    private readonly grants: ReadonlyMap<string, Grant>,
  ) {}

  of(model: string): SandboxRules {
    const all = this.grants.get('*') ?? {};
    const own = this.grants.get(model) ?? {};
    const both = (key: 'read' | 'write' | 'environment') => [...new Set([...(all[key] ?? []), ...(own[key] ?? [])])];
    return {
      level: own.sandbox ?? all.sandbox ?? this.level,
      network: own.network ?? all.network ?? false,
      exec: own.exec ?? all.exec ?? false,
      read: both('read'),
      write: both('write'),
      environment: both('environment'),
    };
  }

  /** Where a model runs that needn't be a process. */
  isolationOf(model: ServableModel): Isolation {
    const granted = this.grants.get(model.name)?.isolation ?? this.grants.get('*')?.isolation;
    const wish = granted ?? this.isolation;
    if (wish !== 'auto') return { runs: wish, why: `${granted === undefined ? 'sconce_isolation' : 'sconce_grants'} says so` };
    const why = whyApart(model);
    if (why === undefined) return { runs: 'thread', why: "it is the operator's own" };
    return { runs: 'process', why, permit: `sconce_grants=${JSON.stringify({ [model.name]: { isolation: 'thread' } })}` };
  }

  /** One line on what an archive says that it needs and isn't granted; undefined where nothing is missing. */
  ungranted(model: string, needs: SandboxNeeds): string | undefined {
    const rules = this.of(model);
    if (rules.level === 'off') return undefined;
    const missing = (['network', 'exec'] as const).filter((need) => needs[need] && !rules[need]);
    if (missing.length === 0) return undefined;
    const grant = JSON.stringify({ [model]: Object.fromEntries(missing.map((need) => [need, true])) });
    return `Model ${model} says that it needs ${missing.join(' and ')}, and goes without. Permit it with sconce_grants=${grant}`;
  }
}

/** Whether a name is on a list whose entries may end in `*`. */
export function isNamed(name: string, list: readonly string[]): boolean {
  return list.some((entry) => (entry.endsWith('*') ? name.startsWith(entry.slice(0, -1)) : entry === name));
}
