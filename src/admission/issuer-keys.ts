import { createRemoteJWKSet, customFetch, type JWTVerifyGetKey } from 'jose';
import { z } from 'zod';

/** Whose tokens are trusted, and where its keys are. */
export interface IssuerSource {
  /** Exactly as tokens name it in `iss`. */
  readonly issuer: string;
  /** undefined: its discovery document says it. */
  readonly jwksUrl: string | undefined;
}

/** The issuer could not be asked, or what it said is of no use. */
export class IssuerUnreachable extends Error {}

/** An unknown key id makes the keys be read anew, but not more often; nor is an issuer that failed asked again sooner. */
const REFRESH_FLOOR_MS = 30_000;
const KEYS_FRESH_MS = 600_000;
const TIMEOUT_MS = 5000;
const MAX_DOCUMENT_BYTES = 1024 * 1024;

const discovered = z.looseObject({ issuer: z.string(), jwks_uri: z.string() });

/** An http URL counts where no network lies between: on loopback. */
export function isTrustworthyUrl(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const { protocol, hostname, username, password } = new URL(text);
  if (username !== '' || password !== '') return false;
  return protocol === 'https:' || (protocol === 'http:' && /^(localhost|127(\.\d{1,3}){3}|\[::1\])$/.test(hostname));
}

/** The signing keys of one issuer, by its discovery document. Keys come from there alone: what a token names as its key's place is never asked. */
export class IssuerKeys {
  #keys: JWTVerifyGetKey | undefined;
  #finding: Promise<JWTVerifyGetKey> | undefined;
  #failedAtMs = Number.NEGATIVE_INFINITY;

  constructor(
    private readonly source: IssuerSource,
    /** ms of any clock that only goes forward. */
    private readonly now: () => number = () => performance.now(),
  ) {}

  /** Rejects with IssuerUnreachable, and with jose's errors for a token that no key of the issuer fits. */
  readonly get: JWTVerifyGetKey = async (header, token) => {
    if (this.now() - this.#failedAtMs < REFRESH_FLOOR_MS) throw new IssuerUnreachable('it failed a moment ago');
    try {
      this.#finding ??= this.#find();
      this.#keys ??= await this.#finding;
      return await this.#keys(header, token);
    } catch (error) {
      this.#finding = undefined;
      // What the keys themselves say of a token has a code of its own; the rest is about reaching the issuer.
      if (
        error instanceof Error &&
        'code' in error &&
        typeof error.code === 'string' &&
        /^ERR_(JWKS_(NO|MULTIPLE)_MATCHING|JOSE_NOT_SUPPORTED)/.test(error.code)
      )
        throw error;
      this.#failedAtMs = this.now();
      throw new IssuerUnreachable(whyOf(error), { cause: error });
    }
  };

  async #find(): Promise<JWTVerifyGetKey> {
    const url = this.source.jwksUrl ?? (await this.#discover());
    return createRemoteJWKSet(new URL(url), {
      cooldownDuration: REFRESH_FLOOR_MS,
      cacheMaxAge: KEYS_FRESH_MS,
      timeoutDuration: TIMEOUT_MS,
      [customFetch]: boundedFetch,
    });
  }

  async #discover(): Promise<string> {
    const { issuer } = this.source;
    const url = `${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`;
    const response = await boundedFetch(url, {
      method: 'GET',
      redirect: 'manual',
      signal: AbortSignal.timeout(TIMEOUT_MS),
      headers: { accept: 'application/json' },
    });
    if (response.status !== 200) throw new IssuerUnreachable(`${url} answered ${response.status}`);
    const read = discovered.safeParse(await response.json());
    if (!read.success || read.data.issuer !== issuer) throw new IssuerUnreachable(`${url} is not the discovery document of ${issuer}`);
    if (!isTrustworthyUrl(read.data.jwks_uri)) throw new IssuerUnreachable(`${url} names keys at an address that is neither https nor loopback`);
    return read.data.jwks_uri;
  }
}

/** A document that is longer than any honest one is not read to its end. */
async function boundedFetch(url: string, options: RequestInit): Promise<Response> {
  const response = await fetch(url, options);
  const chunks: Uint8Array[] = [];
  let sizeBytes = 0;
  for await (const chunk of response.body ?? []) {
    const bytes: Uint8Array = chunk;
    sizeBytes += bytes.byteLength;
    if (sizeBytes > MAX_DOCUMENT_BYTES) throw new IssuerUnreachable(`${url} gave more than ${MAX_DOCUMENT_BYTES} bytes`);
    chunks.push(bytes);
  }
  return new Response(Buffer.concat(chunks), { status: response.status === 200 ? 200 : 502 });
}

function whyOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error ? `${error.message}: ${error.cause.message}` : error.message;
}
