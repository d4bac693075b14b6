import { readFileSync } from 'node:fs';
import { ConfigInvalid } from '../errors/config.js';
import type { TrustedSigner, TrustPolicy } from './trust-policy.js';
import { checkedKey, checkedRoots } from './trusted-material.js';

export interface TrustedFiles {
  /** PEM of a public key. */
  readonly key: string | undefined;
  /** PEM of certificates. */
  readonly roots: string | undefined;
  /** Patterns of the names in certificates: `email:*@example.org`. Empty: any. */
  readonly names: readonly string[];
  readonly subjects: readonly string[] | undefined;
}

/** A policy of what the command line names. Throws ConfigInvalid for files that hold something else, and the file system's errors. */
export function trustPolicyOfKeys({ key, roots, names, subjects }: TrustedFiles): TrustPolicy {
  const bounds = { models: ['*'], subjects, minimumVersions: [], pins: [] };
  const signers: TrustedSigner[] = [];
  if (key !== undefined) signers.push({ name: key, means: { kind: 'key', pem: read(key, checkedKey) }, ...bounds });
  if (roots !== undefined) {
    const means = { kind: 'certificates', roots: read(roots, checkedRoots), names: names.length === 0 ? ['*'] : names, acceptExpired: false } as const;
    signers.push({ name: roots, means, ...bounds });
  }
  return { file: 'the command line', signers, unsigned: [] };
}

function read<T>(file: string, checked: (content: string) => T): T {
  const content = readFileSync(file, 'utf8');
  try {
    return checked(content);
  } catch (error) {
    throw ConfigInvalid({ message: `${file}: ${error instanceof Error ? error.message : String(error)}` }, error);
  }
}
