import { basename, resolve } from 'node:path';
import { readTrustPolicy } from '../authenticity/read-trust-policy.js';
import type { TrustPolicy } from '../authenticity/trust-policy.js';
import { trustPolicyOfKeys } from '../authenticity/trust-policy-of-keys.js';
import { resolveSettings } from '../config/resolve.js';
import { SigningRefused } from '../errors/signature.js';
import { type Verdict, verifyTarget } from '../packing/verify-model.js';
import { unpackLimits } from './sign.js';

export interface VerifyFlags {
  readonly key?: string;
  readonly roots?: string;
  readonly certName?: readonly string[];
  readonly trustPolicy?: string;
  readonly signature?: string;
  readonly subject?: readonly string[];
  readonly name?: string;
  readonly modelVersion?: string;
  readonly config?: string;
  readonly json?: boolean;
  readonly quiet?: boolean;
}

/** `sconce verify`: says whether a server would serve a model on disk. Exit code 0, or 1 where it is refused. Throws SigningRefused and ConfigInvalid. */
export async function verifyOnDisk(path: string, flags: VerifyFlags): Promise<number> {
  const { settings } = resolveSettings({ flags: new Map(), env: process.env, cwd: process.cwd(), configFile: flags.config });
  const verdict = await verifyTarget(
    {
      path: resolve(path),
      policy: policyOf(flags, settings.trustPolicy),
      signature: flags.signature === undefined ? undefined : resolve(flags.signature),
      name: flags.name,
      version: flags.modelVersion,
    },
    unpackLimits(settings),
  );
  if (flags.json) process.stdout.write(`${JSON.stringify(verdict, undefined, 2)}\n`);
  else print(path, verdict, flags.quiet === true);
  return verdict.refused === undefined ? 0 : 1;
}

function policyOf({ key, roots, certName, trustPolicy, subject }: VerifyFlags, configured: string | undefined): TrustPolicy {
  if (key !== undefined || roots !== undefined) return trustPolicyOfKeys({ key, roots, names: certName ?? [], subjects: subject });
  const file = trustPolicy ?? configured;
  if (file === undefined)
    throw SigningRefused({ message: 'Whose signature? Name a public key with --key, certificates with --roots, or a trust policy with --trust-policy.' });
  return readTrustPolicy(resolve(file));
}

function print(path: string, { name, version, sha256, signature, refused }: Verdict, quiet: boolean): void {
  if (refused !== undefined) return void process.stderr.write(`${path}: ${name} ${version} is refused (${refused.word}): ${refused.why}\n`);
  if (quiet) return;
  const by = signature?.signer === undefined ? '' : ` by ${basename(signature.signer)}${signature.identity === undefined ? '' : `, ${signature.identity}`}`;
  process.stdout.write(`${path}: ${name} ${version} is ${signature?.state}${by}\n`);
  if (sha256 !== undefined) process.stdout.write(`sha256:${sha256}\n`);
}
