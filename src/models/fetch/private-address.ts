import { lookup } from 'node:dns/promises';
import { BlockList, isIP } from 'node:net';

/** Addresses that no public name has a reason to lead to: this machine, private and link-local networks, metadata services, what is reserved. https://www.iana.org/assignments/iana-ipv4-special-registry, …ipv6… */
const PRIVATE_4 = [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.0.2.0', 24],
  ['192.168.0.0', 16],
  ['198.18.0.0', 15],
  ['198.51.100.0', 24],
  ['203.0.113.0', 24],
  ['224.0.0.0', 3],
] as const;
const PRIVATE_6 = [
  ['::', 128],
  ['::1', 128],
  ['64:ff9b:1::', 48],
  ['100::', 64],
  ['2001:db8::', 32],
  ['fc00::', 7],
  ['fe80::', 10],
  ['fec0::', 10],
  ['ff00::', 8],
] as const;

const blocked = new BlockList();
for (const [network, prefix] of PRIVATE_4) blocked.addSubnet(network, prefix, 'ipv4');
for (const [network, prefix] of PRIVATE_6) blocked.addSubnet(network, prefix, 'ipv6');

/** Whether an address, IPv4 or IPv6, is one that only a listed host may have. One that holds an IPv4 address (mapped, compatible, NAT64, 6to4, Teredo) counts as that one. */
export function isPrivateAddress(address: string): boolean {
  if (isIP(address) === 4) return blocked.check(address, 'ipv4');
  if (isIP(address) !== 6) return true;
  const groups = groupsOf(address);
  const four = (high: number, low: number): string => `${high >> 8}.${high & 255}.${low >> 8}.${low & 255}`;
  const [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0, g = 0, h = 0] = groups;
  const leading = a === 0 && b === 0 && c === 0 && d === 0;
  if (leading && e === 0 && f === 0 && (g !== 0 || h > 1)) return isPrivateAddress(four(g, h));
  if (leading && (e === 0xffff || (e === 0 && f === 0xffff))) return isPrivateAddress(four(g, h));
  if (a === 0x64 && b === 0xff9b && c === 0) return isPrivateAddress(four(g, h));
  if (a === 0x2002) return isPrivateAddress(four(b, c));
  if (a === 0x2001 && b === 0) return isPrivateAddress(four(~g & 0xffff, ~h & 0xffff));
  return blocked.check(address, 'ipv6');
}

function groupsOf(address: string): readonly number[] {
  const plain = address
    .replace(/%.*$/, '')
    .replace(/(\d+)\.(\d+)\.(\d+)\.(\d+)$/, (_, a, b, c, d) => `${((+a << 8) | +b).toString(16)}:${((+c << 8) | +d).toString(16)}`);
  const [head = '', tail] = plain.split('::');
  const before = head === '' ? [] : head.split(':');
  const after = tail === undefined || tail === '' ? [] : tail.split(':');
  const zeros = tail === undefined ? 0 : 8 - before.length - after.length;
  return [...before, ...Array.from({ length: Math.max(0, zeros) }, () => '0'), ...after].map((group) => Number.parseInt(group, 16));
}

/** A name's address and its family. */
export interface Resolved {
  readonly address: string;
  readonly family: number;
}

/** Finds the addresses of a name; the system's resolver unless a test has another. */
export type Resolve = (host: string) => Promise<readonly Resolved[]>;

const resolveBySystem: Resolve = (host) => lookup(host, { all: true });

/** The hosts that models may be fetched from: public ones, and those that the operator lists by name, address or network although they are not. */
export class FetchHosts {
  readonly #names = new Set<string>();
  readonly #networks = new BlockList();

  /** `listed`: `sconce_fetch_hosts`. Throws an Error that names what is none of the three. */
  constructor(
    listed: readonly string[],
    private readonly resolve: Resolve = resolveBySystem,
  ) {
    for (const entry of listed) {
      const [network = '', prefix] = entry.split('/');
      const family = isIP(network) === 6 ? 'ipv6' : 'ipv4';
      if (isIP(network) === 0) {
        if (prefix !== undefined || !/^[a-z0-9._-]+$/i.test(entry)) throw new Error(`${entry} is no host name, address or network`);
        this.#names.add(entry.toLowerCase());
      } else if (prefix === undefined) this.#networks.addAddress(network, family);
      else this.#networks.addSubnet(network, Number(prefix), family);
    }
  }

  /** The addresses that a host may be asked at, each checked: connecting to one of these asks no second time. Rejects when one of its addresses is private and the host isn't listed. */
  async addressesOf(hostname: string, isTrusted = false): Promise<readonly Resolved[]> {
    const host = hostname
      .replace(/^\[|\]$/g, '')
      .replace(/\.$/, '')
      .toLowerCase();
    const found = isIP(host) === 0 ? await this.resolve(host) : [{ address: host, family: isIP(host) }];
    if (found.length === 0) throw new Error(`${host} has no address`);
    if (isTrusted || this.#names.has(host)) return found;
    for (const { address } of found) if (isPrivateAddress(address) && !this.#isListed(address)) throw new Error(`${host} has the private address ${address}`);
    return found;
  }

  #isListed(address: string): boolean {
    return this.#networks.check(address, isIP(address) === 6 ? 'ipv6' : 'ipv4');
  }
}
