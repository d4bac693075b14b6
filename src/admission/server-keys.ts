import { randomBytes } from 'node:crypto';
import { TokenRotationRefused } from '../errors/admission.js';
import { DEFAULT_TENANT, type Grant, Principal } from '../inference/principal.js';
import { digestOf } from './bearer-token.js';
import { type WrittenKey, writeKeyFile } from './key-file.js';
import type { KnownToken } from './known-token.js';

const KEY_BYTES = 16;
/** TorchServe's keys: 8 characters, 48 bits. */
const SHORT_KEY_BYTES = 6;

type KeyName = 'management' | 'inference' | 'api';

const everyModel = (scope: Grant['scope']): Grant => ({ scope, models: ['*'] });
const PRINCIPALS: Readonly<Record<KeyName, Principal>> = {
  management: new Principal('key:management', DEFAULT_TENANT, [everyModel('manage'), everyModel('metrics')]),
  inference: new Principal('key:inference', DEFAULT_TENANT, [everyModel('infer')]),
  api: new Principal('key:API', DEFAULT_TENANT, [everyModel('token-admin')]),
};

export interface ServerKeysOptions {
  /** Life of the inference and management keys. The API key never expires. */
  readonly expirationMinutes: number;
  readonly keyFile: string;
  /** Keys of TorchServe's length. */
  readonly short: boolean;
  /** Epoch ms. */
  readonly now: () => number;
}

/** TorchServe's three keys: made at start, written to a file, and renewed with the API key. Expired keys are not renewed by themselves. */
export class ServerKeys {
  readonly #keys: Record<KeyName, WrittenKey>;
  #known: readonly KnownToken[];

  constructor(private readonly options: ServerKeysOptions) {
    this.#keys = { management: this.#fresh(true), inference: this.#fresh(true), api: this.#fresh(false) };
    this.#known = this.#digested();
  }

  get inferenceKey(): string {
    return this.#keys.inference.key;
  }

  get known(): readonly KnownToken[] {
    return this.#known;
  }

  /** Throws KeyFileNotWritten. */
  write(): void {
    writeKeyFile(this.options.keyFile, this.#keys);
  }

  /** Gives `management` or `inference` a new key and writes the file. Throws TokenRotationRefused for another type, and KeyFileNotWritten; then the old key stays in force, since nobody could learn the new one. */
  rotate(type: string | undefined): void {
    if (type !== 'management' && type !== 'inference') throw TokenRotationRefused({});
    const renewed = this.#fresh(true);
    writeKeyFile(this.options.keyFile, { ...this.#keys, [type]: renewed });
    this.#keys[type] = renewed;
    this.#known = this.#digested();
  }

  #digested(): readonly KnownToken[] {
    return (['management', 'inference', 'api'] as const).map((name) => {
      const { key, expiresAtMs } = this.#keys[name];
      return { digest: digestOf(key), principal: PRINCIPALS[name], expiresAtMs };
    });
  }

  #fresh(expires: boolean): WrittenKey {
    const { short, now, expirationMinutes } = this.options;
    return {
      key: randomBytes(short ? SHORT_KEY_BYTES : KEY_BYTES).toString('base64url'),
      expiresAtMs: expires ? now() + expirationMinutes * 60_000 : undefined,
    };
  }
}
