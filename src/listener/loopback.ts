import { isIP } from 'node:net';

/** Whether an IP address, without brackets, can only be reached from this machine. IPv4 in IPv6 counts as what it is. */
export function isLoopbackAddress(address: string): boolean {
  const bare = address.toLowerCase().replace(/^::ffff:(?=\d+\.\d+\.\d+\.\d+$)/, '');
  return (isIP(bare) === 4 && bare.startsWith('127.')) || (isIP(bare) === 6 && /^(0*:)*0*1$/.test(bare));
}

/** Whether a host, as a client writes it without its port, is a name or address of the machine itself. Nobody else can have these names point elsewhere (RFC 6761). */
export function isLoopbackHost(host: string): boolean {
  const bare = host.replace(/^\[|\]$/g, '');
  return isIP(bare) === 0 ? /^(?:.+\.)?localhost\.?$|^ip6-(?:localhost|loopback)$/i.test(host) : isLoopbackAddress(bare);
}
