import { ConfigInvalid } from '../errors/config.js';
import { LocationRefused } from '../errors/model.js';
import { compilePattern } from '../inputs/pattern.js';

const MAX_PATTERN_CHARS = 1000;
const MAX_LOCATION_CHARS = 2048;
/** All that names a place elsewhere; what follows another word is a name in the store, as in TorchServe. */
const SCHEME = /^(?:https?|file|s3|gs|hf|oci|mlflow|models|runs):\/?\//i;
const PROTOCOLS: ReadonlySet<string> = new Set(['http:', 'https:', 'file:', 's3:', 'gs:', 'hf:', 'oci:', 'mlflow:', 'models:', 'runs:']);
/** A group that repeats something that repeats: a backtracking engine may take for ever over it. */
const NESTED_REPETITION = /\((?:[^()\\]|\\.)*[+*}](?:[^()\\]|\\.)*\)[+*{]/;

/** Who named a location: the operator in the configuration or on the command line, or a caller of an API. */
export type NamedBy = 'operator' | 'api';

/** The URLs that models may come from: a list of regular expressions, each matched against the whole normalised URL, upper and lower case alike. */
export class AllowedUrls {
  readonly #matchers: readonly ((text: string) => boolean)[];

  /** `isSet`: the operator said so himself; TorchServe's default is for locations that he names. Throws ConfigInvalid for what is no regular expression, a very long one, or one that could take for ever. */
  constructor(
    patterns: readonly string[],
    private readonly isSet = true,
  ) {
    this.#matchers = patterns.map((pattern) => {
      if (pattern.length > MAX_PATTERN_CHARS) throw ConfigInvalid({ message: `allowed_urls has a pattern of more than ${MAX_PATTERN_CHARS} characters` });
      const linear = compilePattern(`(?i)^(?:${pattern})$`);
      return typeof linear === 'string' ? backtracking(pattern) : (text) => linear.matches(text);
    });
  }

  /** Whether a location is a URL; everything else, unknown schemes included, is a name in the store, as in TorchServe. */
  static looksLikeUrl(location: string): boolean {
    return SCHEME.test(location);
  }

  /** The URL, parsed, when it may be fetched. Throws LocationRefused. */
  check(location: string, namedBy: NamedBy = 'api'): URL {
    const refusal = LocationRefused({ message: `Given URL ${location} does not match any allowed URL(s)` });
    // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
    if (location.length > MAX_LOCATION_CHARS || /[\u0000-\u0020\u007f\\]/.test(location) || !URL.canParse(location)) throw refusal;
    const url = new URL(location);
    // Matching sees what will be fetched: host in lower case, dots resolved, no credentials.
    if (url.username !== '' || url.password !== '' || url.port === '0' || /%2e|%2f|%5c/i.test(url.pathname) || hasDotSegment(location)) throw refusal;
    if (url.hash !== '' && !/^#sha256=[0-9a-f]{64}$/i.test(url.hash)) throw refusal;
    if (!PROTOCOLS.has(url.protocol)) throw refusal;
    const bare = new URL(url);
    bare.hash = '';
    if (this.isSet ? this.#matchers.some((matches) => matches(bare.href)) : namedBy === 'operator') return url;
    if (this.isSet) throw refusal;
    throw LocationRefused({ message: `${refusal.message}: allowed_urls is not set, so models of the store alone may be registered over the API.` });
  }
}

/** For Java's expressions that a linear engine doesn't know, such as those that look ahead. */
function backtracking(pattern: string): (text: string) => boolean {
  if (NESTED_REPETITION.test(pattern)) throw ConfigInvalid({ message: `allowed_urls=${pattern}; allowed: expressions without a repetition in a repetition` });
  try {
    const compiled = new RegExp(`^(?:${pattern})$`, 'i');
    return (text) => compiled.test(text);
  } catch (error) {
    throw ConfigInvalid({ message: `allowed_urls=${pattern}; allowed: regular expressions separated by commas` }, error);
  }
}

function hasDotSegment(location: string): boolean {
  return /\/\.{1,2}(?:[/?#]|$)/.test(location.replace(/[?#].*$/s, ''));
}
