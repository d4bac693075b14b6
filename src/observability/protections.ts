import { ProtectionMissing } from '../errors/security.js';
import type { Log } from './observer.js';

/** `standard` serves with what the platform gives and warns of the rest; `strict` refuses to. */
export type SecurityLevel = 'standard' | 'strict';

/** One protection as it stands on this machine. */
export interface Protection {
  /** Stable and short: `sandbox`, `listeners`, `signatures`. */
  readonly name: string;
  /** Whether all of it holds that was asked for. */
  readonly holds: boolean;
  /** One line: what holds, or what is missing and which key would give it. */
  readonly says: string;
}

/** What the server protects, told once each by the part that does it. Nothing is weakened in silence: what is missing is warned of, and refused at the level `strict`. */
export class Protections {
  readonly #told = new Map<string, Protection>();

  constructor(
    private readonly level: SecurityLevel,
    private readonly log: Log,
  ) {}

  /** The latest word on a protection counts. Throws ProtectionMissing at the level `strict` for one that doesn't hold. */
  tell(protection: Protection): void {
    this.#told.set(protection.name, protection);
    if (protection.holds) return this.log.info(`${protection.name}: ${protection.says}`);
    if (this.level === 'strict') throw ProtectionMissing({ name: protection.name, says: protection.says });
    this.log.warn(`${protection.name}: ${protection.says}`);
  }

  /** In the order in which they were first told. */
  list(): readonly Protection[] {
    return [...this.#told.values()];
  }
}
