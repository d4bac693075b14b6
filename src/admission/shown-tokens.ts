import { timingSafeEqual } from 'node:crypto';
import type { Credentials } from './caller.js';
import type { KnownToken } from './known-token.js';

interface Shown {
  readonly authorization: Buffer;
  readonly tokens: KnownTokens;
  readonly known: KnownToken;
}

/** The tokens of the server and the named ones. Either is another list once one of its tokens has changed. */
export type KnownTokens = readonly [server: readonly KnownToken[], named: readonly KnownToken[]];

/** What each connection was last admitted by. A client shows the same token in each of its requests: it is worked out once, and then compared. */
export class ShownTokens {
  readonly #shown = new WeakMap<object, Shown>();

  /** The token, where it is the one shown before and no token has changed since. How long it takes tells nothing of how near it was. */
  again({ connection, authorization }: Credentials, [server, named]: KnownTokens): KnownToken | undefined {
    const shown = connection === undefined ? undefined : this.#shown.get(connection);
    if (shown === undefined || authorization.length !== 1) return undefined;
    if (shown.tokens[0] !== server || shown.tokens[1] !== named) return undefined;
    const value = Buffer.from(authorization[0] ?? '');
    return value.length === shown.authorization.length && timingSafeEqual(value, shown.authorization) ? shown.known : undefined;
  }

  remember({ connection, authorization: [value = ''] }: Credentials, tokens: KnownTokens, known: KnownToken): void {
    if (connection !== undefined) this.#shown.set(connection, { authorization: Buffer.from(value), tokens, known });
  }
}
