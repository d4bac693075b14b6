import { ConfigInvalid } from '../errors/config.js';

/** Where a listener binds. */
export type Address =
  | { readonly kind: 'tcp'; readonly scheme: 'http' | 'https'; readonly host: string; readonly port: number; readonly text: string }
  | { readonly kind: 'unix'; readonly scheme: 'http'; readonly path: string; readonly text: string };

/** Ports where an address names none: plain, TLS. */
export interface DefaultPorts {
  readonly http: number;
  readonly https: number;
}

const TCP = /^(https?):\/\/(\[[0-9a-f:.%]+\]|[^:^/]+)(?::(\d+))?\/?$/i;

/** Reads `(http|https)://host[:port]` or `unix:/path`; IPv6 hosts stand in brackets. Port 0 lets the system choose. `where` is the key and its place. Throws ConfigInvalid. */
export function parseAddress(text: string, ports: DefaultPorts, where: string): Address {
  const invalid = () => ConfigInvalid({ message: `Invalid binding address: ${text} (${where}); allowed: http(s)://host[:port] or unix:/path` });
  if (/^unix:/i.test(text)) {
    const path = text.slice('unix:'.length);
    if (!path.startsWith('/')) throw invalid();
    return { kind: 'unix', scheme: 'http', path, text };
  }
  const [, scheme, host, port] = TCP.exec(text) ?? [];
  if (scheme === undefined || host === undefined) throw invalid();
  const lower = scheme.toLowerCase() === 'https' ? 'https' : 'http';
  const number = port === undefined ? ports[lower] : Number(port);
  if (number >= 65_535) throw ConfigInvalid({ message: `Invalid port number: ${text} (${where}); allowed: 0 to 65534` });
  return { kind: 'tcp', scheme: lower, host: host.replace(/^\[|\]$/g, ''), port: number, text };
}

/** Whether two addresses are the same door. */
export function sameAddress(a: Address, b: Address): boolean {
  if (a.kind === 'unix' || b.kind === 'unix') return a.kind === b.kind && a.kind === 'unix' && b.kind === 'unix' && a.path === b.path;
  return a.port !== 0 && a.host === b.host && a.port === b.port && a.scheme === b.scheme;
}
