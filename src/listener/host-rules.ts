import { isIP } from 'node:net';
import { isLoopbackAddress, isLoopbackHost } from './loopback.js';

/** Names that a listener answers to beside its own addresses. */
export interface HostRules {
  /** Lower case. `*.example.com` stands for every name below. */
  readonly names: readonly string[];
  /** Whether any other name is refused. */
  readonly checked: boolean;
}

const HOST = /^(\[[0-9a-f:.]+\]|[a-z0-9](?:[a-z0-9._-]*))(?::\d{1,5})?$/i;

/** The host of a `Host` header or `:authority`, lower case and without its port; undefined when it is none: empty, with user information, a path, an escape. */
export function hostOf(text: string): string | undefined {
  const [, host] = HOST.exec(text) ?? [];
  if (host === undefined || (host.startsWith('[') && isIP(host.slice(1, -1)) !== 6)) return undefined;
  return host.toLowerCase();
}

/** Whether a listener answers to a host. `localAddress` is the address that the client's connection came in on. */
export function answersTo(host: string, localAddress: string | undefined, { names, checked }: HostRules): boolean {
  if (!checked) return true;
  const bare = host.replace(/^\[|\]$|\.$/g, '');
  if (names.some((name) => name === bare || (name.startsWith('*.') && bare.endsWith(name.slice(1))))) return true;
  const local = localAddress?.replace(/^::ffff:(?=\d+\.)/, '');
  // An address in place of a name cannot be made to point elsewhere.
  return local === undefined || bare === local || (isLoopbackAddress(local) && isLoopbackHost(host));
}
