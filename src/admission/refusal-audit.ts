import type { Audit } from './audit.js';
import { sourceOf } from './guess-throttle.js';
import type { TokenRefusal } from './token-gate.js';

const WINDOW_MS = 60_000;
/** Lines of one window: a flood of guesses must not become a flood of the disk. What is beyond is counted. */
const LINES_PER_SOURCE = 5;
const LINES_IN_ALL = 200;

/** Puts refused calls into the audit: the first ones of each minute one by one, the others as numbers, a line for each kind when the minute is over. */
export class RefusalAudit {
  #windowStartMs = Number.NEGATIVE_INFINITY;
  #lines = 0;
  readonly #linesOf = new Map<string, number>();
  readonly #counted = new Map<string, { readonly code: string; readonly why: string; count: number }>();
  #timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly audit: Audit,
    /** ms of any clock that only goes forward. */
    private readonly now: () => number = () => performance.now(),
  ) {}

  readonly refused = ({ fault, error: { code }, scope, id, peer, principal }: TokenRefusal): void => {
    if (this.now() - this.#windowStartMs >= WINDOW_MS) this.flush();
    const source = sourceOf(peer);
    const ofSource = this.#linesOf.get(source) ?? 0;
    if (ofSource < LINES_PER_SOURCE && this.#lines < LINES_IN_ALL) {
      this.#linesOf.set(source, ofSource + 1);
      this.#lines++;
      const { id: who, tenant } = principal ?? { id: '', tenant: '' };
      return this.audit({ who, tenant, from: peer, request: id, verb: 'authorize', subject: scope, result: code, why: fault });
    }
    const key = `${code} ${fault}`;
    const counted = this.#counted.get(key) ?? { code, why: fault, count: 0 };
    counted.count++;
    this.#counted.set(key, counted);
    this.#timer ??= setTimeout(() => this.flush(), WINDOW_MS).unref();
  };

  /** Writes the numbers, and begins a new window. */
  flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    for (const { code, why, count } of this.#counted.values())
      this.audit({ who: '', tenant: '', from: '', request: '', verb: 'authorize', subject: '', result: code, why, count });
    this.#counted.clear();
    this.#linesOf.clear();
    this.#lines = 0;
    this.#windowStartMs = this.now();
  }
}
