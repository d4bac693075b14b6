import type { Address } from '../config/address.js';
import { resolveSettings } from '../config/resolve.js';
import { snapshotFolder } from '../config/snapshot-files.js';

/** The flags by which commands find a server that runs. What they leave out, the config file says. */
export interface ClientFlags {
  readonly management?: string;
  readonly inference?: string;
  readonly config?: string;
  readonly keyFile: string;
  readonly insecure?: boolean;
  readonly json?: boolean;
  readonly quiet?: boolean;
}

/** One door of a server: a URL without a path, and the socket where it isn't TCP. */
export interface Door {
  readonly url: string;
  readonly socketPath: string | undefined;
  /** As messages name it. */
  readonly text: string;
}

export type DoorName = 'management' | 'inference';

/** Where the door is: the flag, else the address in the settings that the server of this folder would read. Throws ConfigInvalid. */
export function findDoor(name: DoorName, flags: ClientFlags, surroundings: { env: Readonly<Record<string, string | undefined>>; cwd: string }): Door {
  const told = flags[name];
  if (told !== undefined && !told.startsWith('unix:')) return { url: told.replace(/\/$/, ''), socketPath: undefined, text: told };
  const given = told === undefined ? new Map() : new Map([[`${name}_address`, { text: told, where: `--${name}` }]]);
  const folder = snapshotFolder(surroundings.env, surroundings.cwd);
  const { settings } = resolveSettings({ flags: given, configFile: flags.config, snapshotFolder: folder, ...surroundings });
  return doorOf(name === 'management' ? settings.managementAddress : settings.inferenceAddress);
}

/** How a client on the same machine reaches what listens at an address: a listener on all interfaces is reached over loopback. */
function doorOf(address: Address): Door {
  if (address.kind === 'unix') return { url: 'http://localhost', socketPath: address.path, text: address.text };
  const host = address.host === '0.0.0.0' ? '127.0.0.1' : address.host === '::' ? '::1' : address.host;
  const url = `${address.scheme}://${host.includes(':') ? `[${host}]` : host}:${address.port}`;
  return { url, socketPath: undefined, text: url };
}
