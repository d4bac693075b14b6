/** Failures after which a source, and all of them together in a minute, are told to wait. 0: never. */
export interface GuessLimits {
  readonly perSource: number;
  readonly inAll: number;
}

/** A source that guessed nothing for so long begins anew. */
const FORGIVEN_AFTER_MS = 600_000;
const FIRST_WAIT_MS = 1000;
const LONGEST_WAIT_MS = 300_000;
/** Sources that are remembered; the one that failed longest ago makes room. */
const MAX_SOURCES = 10_000;
const MINUTE_MS = 60_000;

interface Source {
  failures: number;
  lastMs: number;
  waitsUntilMs: number;
}

/**
 * Counts wrong tokens by where they come from. It only words refusals: who shows a valid token is never asked to wait, however many wrong ones came from
 * the same address.
 */
export class GuessThrottle {
  readonly #sources = new Map<string, Source>();
  #minute = 0;
  #inMinute = 0;

  constructor(
    private readonly limits: GuessLimits,
    /** Epoch ms. */
    private readonly now: () => number,
  ) {}

  /** Counts one wrong token. Gives the seconds to wait where there have been too many; each further round doubles them. */
  failed(peer: string): number | undefined {
    const { perSource, inAll } = this.limits;
    if (perSource === 0) return undefined;
    const now = this.now();
    const source = this.#sourceOf(sourceOf(peer), now);
    const minute = Math.floor(now / MINUTE_MS);
    if (minute !== this.#minute) this.#inMinute = 0;
    this.#minute = minute;
    this.#inMinute++;
    if (now >= source.waitsUntilMs) {
      source.failures++;
      const over = source.failures - perSource;
      if (over > 0) source.waitsUntilMs = now + Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** Math.min(over - 1, 20));
    }
    source.lastMs = now;
    const untilMs = this.#inMinute > inAll ? Math.max(source.waitsUntilMs, (minute + 1) * MINUTE_MS) : source.waitsUntilMs;
    return untilMs > now ? Math.ceil((untilMs - now) / 1000) : undefined;
  }

  #sourceOf(name: string, now: number): Source {
    let source = this.#sources.get(name);
    if (source !== undefined && now - source.lastMs > FORGIVEN_AFTER_MS) source = undefined;
    source ??= { failures: 0, lastMs: now, waitsUntilMs: 0 };
    // At the end of the map stands who failed last.
    this.#sources.delete(name);
    for (const oldest of this.#sources.keys()) {
      if (this.#sources.size < MAX_SOURCES) break;
      this.#sources.delete(oldest);
    }
    this.#sources.set(name, source);
    return source;
  }
}

/** The address without its port; of IPv6 the network of 64 bits, since a host has all of its addresses. */
export function sourceOf(peer: string): string {
  const v6 = /^\/\[([^\]]*)\]:\d+$/.exec(peer)?.[1];
  if (v6 === undefined) return peer.replace(/^(\/[\d.]+):\d+$/, '$1');
  const [head = '', tail] = v6.split('%', 1)[0]?.split('::') ?? [];
  const groups = head === '' ? [] : head.split(':');
  const last = tail === undefined || tail === '' ? [] : tail.split(':');
  const zeros = tail === undefined ? [] : Array.from({ length: Math.max(0, 8 - groups.length - last.length) }, () => '0');
  return `/[${[...groups, ...zeros, ...last].slice(0, 4).join(':')}::/64]`;
}
