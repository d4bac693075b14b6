import type { Grant, SandboxLevel } from '../config/grants.js';
import type { SandboxNeeds } from '../inference/model-config.js';

/** What the workers of one model may do. */
export interface SandboxRules {
  readonly level: SandboxLevel;
  readonly isolation: 'thread' | 'process';
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
    private readonly isolation: 'thread' | 'process',
    private readonly grants: ReadonlyMap<string, Grant>,
  ) {}

  of(model: string): SandboxRules {
    const all = this.grants.get('*') ?? {};
    const own = this.grants.get(model) ?? {};
    const both = (key: 'read' | 'write' | 'environment') => [...new Set([...(all[key] ?? []), ...(own[key] ?? [])])];
    return {
      level: own.sandbox ?? all.sandbox ?? this.level,
      isolation: own.isolation ?? all.isolation ?? this.isolation,
      network: own.network ?? all.network ?? false,
      exec: own.exec ?? all.exec ?? false,
      read: both('read'),
      write: both('write'),
      environment: both('environment'),
    };
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
