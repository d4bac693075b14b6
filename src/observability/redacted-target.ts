/** Names of query parameters that hold secrets, where people put them though they should not. */
const SECRET_NAME = /^(?!next_page_token$).*(token|secret|passw|authorization|signature|credential|api[-_]?key)/i;
/** What is a secret under any name: a token of ours, a JWT, a bearer header. */
const SECRET_VALUE = /sconce_[A-Za-z0-9_-]{20,}|\beyJ[\w-]+\.[\w-]+\.[\w-]*|Bearer(?:\s|\+|%20)+[^&\s]+/gi;
const HIDDEN = '***';

/** A request's target as it may stand in a log: without what the query has of secrets, its own or those of the URLs in it. Otherwise as it was. */
export function redactedTarget(target: string): string {
  const at = target.indexOf('?');
  const path = at < 0 ? target : target.slice(0, at);
  if (at < 0) return path.replace(SECRET_VALUE, HIDDEN);
  const pairs = target
    .slice(at + 1)
    .split('&')
    .map((pair) => {
      const equals = pair.indexOf('=');
      if (equals < 0) return pair;
      const [name, value] = [pair.slice(0, equals), pair.slice(equals + 1)];
      return SECRET_NAME.test(decoded(name)) ? `${name}=${HIDDEN}` : `${name}=${redactedUrl(value)}`;
    });
  return `${path}?${pairs.join('&')}`.replace(SECRET_VALUE, HIDDEN);
}

/** A URL as a value, encoded or not: user, password and query may be secrets. */
function redactedUrl(value: string): string {
  const plain = decoded(value);
  if (!/^[a-z][a-z0-9+.-]*:\/\//i.test(plain)) return value;
  const shown = plain.replace(/^([a-z][a-z0-9+.-]*:\/\/)[^/?#]*@/i, `$1${HIDDEN}@`).replace(/\?.*$/s, `?${HIDDEN}`);
  return shown === plain ? value : encodeURIComponent(shown);
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text.replaceAll('+', ' '));
  } catch {
    return text;
  }
}
