import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { TokenRefused, TokenRotationRefused } from '../errors/admission.js';
import { type WrittenKey, writeKeyFile } from './key-file.js';
import type { Scope } from './scope.js';

const KEY_BYTES = 6;
const BEARER = /^Bearer\s+(\S+)\s*$/;

type KeyName = 'management' | 'inference' | 'api';

const KEY_OF_SCOPE: Readonly<Record<Exclude<Scope, 'open'>, KeyName>> = { infer: 'inference', manage: 'management', 'token-admin': 'api' };

export interface TokenGateOptions {
  readonly disabled: boolean;
  /** Life of the inference and management keys. The API key never expires. */
  readonly expirationMinutes: number;
  readonly keyFile: string;
  /** Epoch ms. */
  readonly now?: () => number;
}

/**
 * TorchServe's three keys: made at start, written to a file, asked for by every route that isn't open, and renewed with the API key.
 * Expired keys are not renewed by themselves.
 */
export class TokenGate {
  readonly #keys: Record<KeyName, WrittenKey>;
  readonly #now: () => number;

  constructor(private readonly options: TokenGateOptions) {
    this.#now = options.now ?? Date.now;
    this.#keys = { management: this.#fresh(true), inference: this.#fresh(true), api: this.#fresh(false) };
  }

  get disabled(): boolean {
    return this.options.disabled;
  }

  get keyFile(): string {
    return this.options.keyFile;
  }

  /** For the line that the start prints; nobody else needs it. */
  get inferenceKey(): string {
    return this.#keys.inference.key;
  }

  /** Writes the key file, unless tokens are off. Throws KeyFileNotWritten. */
  start(): void {
    if (!this.options.disabled) writeKeyFile(this.options.keyFile, this.#keys);
  }

  /** Throws TokenRefused unless the header carries the live key of the scope. */
  authorize(scope: Scope, authorization: string | undefined): void {
    if (scope === 'open' || this.options.disabled) return;
    if (!this.#fits(KEY_OF_SCOPE[scope], authorization)) throw TokenRefused({});
  }

  /**
   * Gives `management` or `inference` a new key and writes the file. Throws TokenRotationRefused for another type or without the API key, and
   * KeyFileNotWritten; then the old key stays in force, since nobody could learn the new one.
   */
  rotate(type: string | undefined, authorization: string | undefined): void {
    if ((type !== 'management' && type !== 'inference') || !this.#fits('api', authorization)) throw TokenRotationRefused({});
    const renewed = this.#fresh(true);
    writeKeyFile(this.options.keyFile, { ...this.#keys, [type]: renewed });
    this.#keys[type] = renewed;
  }

  #fits(name: KeyName, authorization: string | undefined): boolean {
    const given = BEARER.exec(authorization ?? '')?.[1];
    const { key, expiresAtMs } = this.#keys[name];
    // Hashes have one length, so that the comparison takes the same time for every guess.
    const isSame = given !== undefined && timingSafeEqual(digest(given), digest(key));
    return isSame && (expiresAtMs === undefined || this.#now() < expiresAtMs);
  }

  #fresh(expires: boolean): WrittenKey {
    return {
      key: randomBytes(KEY_BYTES).toString('base64url'),
      expiresAtMs: expires ? this.#now() + this.options.expirationMinutes * 60_000 : undefined,
    };
  }
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
