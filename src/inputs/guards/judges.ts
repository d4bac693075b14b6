import { GuardRefused } from '../../errors/inputs.js';
import type { SconceError } from '../../errors/sconce-error.js';
import type { GuardRule } from '../../inference/input-rules.js';
import type { Log } from '../../observability/observer.js';
import type { Guard } from './guard.js';

/** Gives the guard that a rule of this model names. */
export type FindGuard = (by: GuardRule['by'], model: string) => Guard;

/** Asks the guards of one model about texts, all at once. Gives the refusal, or undefined where none refuses. A guard that fails refuses unless its rule says `fail: open`. */
export class Judges {
  constructor(
    private readonly of: { readonly model: string; readonly on: 'input' | 'output' },
    private readonly rules: readonly GuardRule[],
    private readonly find: FindGuard,
    private readonly log: Log,
  ) {}

  get isEmpty(): boolean {
    return this.rules.length === 0;
  }

  /** `textsAt` gives the texts that a rule's pointers name. Never rejects. */
  async refusal(textsAt: (pointers: readonly string[]) => readonly string[]): Promise<SconceError | undefined> {
    const refusals = await Promise.all(this.rules.map((rule) => this.#ask(rule, textsAt(rule.at))));
    return refusals.find((refusal) => refusal !== undefined);
  }

  async #ask(rule: GuardRule, texts: readonly string[]): Promise<SconceError | undefined> {
    if (texts.length === 0) return undefined;
    const { model, on } = this.of;
    const guard = this.find(rule.by, model);
    try {
      const score = await guard.judge(texts, AbortSignal.timeout(rule.timeoutMs));
      if (score < rule.threshold) return undefined;
      this.log.warn(`the guard "${guard.name}" scores the ${on} of ${model} ${score.toFixed(2)}, ${rule.action === 'refuse' ? 'refused' : 'reported only'}`);
      return rule.action === 'refuse' ? GuardRefused({ guard: guard.name, on, why: 'it looks like an attack' }) : undefined;
    } catch (error) {
      this.log.warn(`the guard "${guard.name}" of ${model} failed: ${error instanceof Error ? error.message : String(error)}`);
      return rule.fail === 'closed' ? GuardRefused({ guard: guard.name, on, why: 'it could not judge' }) : undefined;
    }
  }
}
