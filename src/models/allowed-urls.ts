import { ConfigInvalid } from '../errors/config.js';
import { LocationRefused } from '../errors/model.js';

const MAX_PATTERN_CHARS = 1000;
const SCHEME = /^(?:https?|file):\/\//i;

/** The URLs that models may come from: a list of regular expressions, each matched against the whole normalised URL, upper and lower case alike. */
export class AllowedUrls {
  readonly #patterns: readonly RegExp[];

  /** Throws ConfigInvalid for what is no regular expression, or a very long one. */
  constructor(patterns: readonly string[]) {
    this.#patterns = patterns.map((pattern) => {
      if (pattern.length > MAX_PATTERN_CHARS) throw ConfigInvalid({ message: `allowed_urls has a pattern of more than ${MAX_PATTERN_CHARS} characters` });
      try {
        return new RegExp(`^(?:${pattern})$`, 'i');
      } catch (error) {
        throw ConfigInvalid({ message: `allowed_urls=${pattern}; allowed: regular expressions separated by commas` }, error);
      }
    });
  }

  /** Whether a location is a URL that can be fetched; everything else, other schemes included, is a name in the store, as in TorchServe. */
  static looksLikeUrl(location: string): boolean {
    return SCHEME.test(location);
  }

  /** The URL, parsed, when it may be fetched. Throws LocationRefused. */
  check(location: string): URL {
    const refusal = LocationRefused({ message: `Given URL ${location} does not match any allowed URL(s)` });
    if (!URL.canParse(location)) throw refusal;
    const url = new URL(location);
    // Matching sees what will be fetched: host in lower case, dots resolved, no credentials.
    if (url.username !== '' || url.password !== '' || /%2e|%2f|%5c/i.test(url.pathname)) throw refusal;
    if (!['http:', 'https:', 'file:'].includes(url.protocol) || !this.#patterns.some((pattern) => pattern.test(url.href))) throw refusal;
    return url;
  }
}
