import { statSync } from 'node:fs';
import { Principal } from '../inference/principal.js';
import type { Log } from '../observability/observer.js';
import { readGrant } from './grants.js';
import type { KnownToken } from './known-token.js';
import { readTokensFile, type StoredToken } from './tokens-file.js';

/** How a token of the file differs from what it was. */
export interface TokenChange {
  readonly name: string;
  readonly change: 'created' | 'rotated' | 'changed' | 'revoked';
}

export interface NamedTokensOptions {
  readonly file: string;
  readonly log: Log;
  /** Told of what has changed in the file since it was read before. */
  readonly changed?: (changes: readonly TokenChange[]) => void;
}

/** Looking whether the file has changed costs 2 µs; this bounds how often it is done. */
const LOOK_AGAIN_MS = 5;

/** The named tokens of a file that others write. A file that cannot be read is told of, and what was read last stays in force. */
export class NamedTokens {
  #known: readonly KnownToken[] = [];
  #stored: readonly StoredToken[] = [];
  #stamp = '';
  #lookedAtMs = Number.NEGATIVE_INFINITY;
  #isReadableByOthers = false;

  constructor(private readonly options: NamedTokensOptions) {}

  get count(): number {
    return this.#stored.length;
  }

  get isReadableByOthers(): boolean {
    return this.#isReadableByOthers;
  }

  /** Reads the file for the first time. Throws TokensFileUnusable. */
  start(): void {
    this.#stamp = this.#stampNow();
    this.#take(readTokensFile(this.options.file));
  }

  /** As the file is now. */
  readonly current = (): readonly KnownToken[] => {
    const now = performance.now();
    if (now - this.#lookedAtMs < LOOK_AGAIN_MS) return this.#known;
    this.#lookedAtMs = now;
    const stamp = this.#stampNow();
    if (stamp === this.#stamp) return this.#known;
    this.#stamp = stamp;
    const { log, changed, file } = this.options;
    try {
      const before = this.#stored;
      this.#take(readTokensFile(file));
      const changes = changesOf(before, this.#stored);
      if (changes.length > 0) log.info(`Tokens of ${file}: ${changes.map(({ name, change }) => `${name} ${change}`).join(', ')}`);
      if (changes.length > 0) changed?.(changes);
    } catch (error) {
      log.error(`${error instanceof Error ? error.message : String(error)}. The tokens as they were read last stay in force.`);
    }
    return this.#known;
  };

  #take({ tokens, isReadableByOthers }: ReturnType<typeof readTokensFile>): void {
    this.#stored = tokens;
    this.#known = tokens.flatMap(knownOf);
    this.#isReadableByOthers = isReadableByOthers;
  }

  #stampNow(): string {
    try {
      const stats = statSync(this.options.file, { throwIfNoEntry: false });
      return stats === undefined ? '' : `${stats.ino} ${stats.size} ${stats.mtimeMs} ${stats.ctimeMs}`;
    } catch (error) {
      return error instanceof Error ? error.message : String(error);
    }
  }
}

function knownOf({ name, tenant, scopes, sha256, expires, previous }: StoredToken): KnownToken[] {
  const principal = new Principal(
    `token:${name}`,
    tenant,
    scopes.flatMap((text) => readGrant(text) ?? []),
  );
  const expiresAtMs = expires === undefined ? undefined : Date.parse(expires);
  const known = [{ digest: Buffer.from(sha256, 'hex'), principal, expiresAtMs }];
  if (previous === undefined) return known;
  return [...known, { digest: Buffer.from(previous.sha256, 'hex'), principal, expiresAtMs: Date.parse(previous.until) }];
}

function changesOf(before: readonly StoredToken[], after: readonly StoredToken[]): TokenChange[] {
  const old = new Map(before.map((token) => [token.name, token]));
  const now = new Set(after.map((token) => token.name));
  const kept = after.flatMap((token): TokenChange[] => {
    const was = old.get(token.name);
    if (was === undefined) return [{ name: token.name, change: 'created' }];
    if (was.sha256 !== token.sha256) return [{ name: token.name, change: 'rotated' }];
    return JSON.stringify(was) === JSON.stringify(token) ? [] : [{ name: token.name, change: 'changed' }];
  });
  return [...kept, ...before.filter(({ name }) => !now.has(name)).map(({ name }): TokenChange => ({ name, change: 'revoked' }))];
}
