import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { parse } from 'yaml';
import { z } from 'zod';
import { ConfigInvalid } from '../errors/config.js';
import type { Means, TrustedSigner, TrustPolicy } from './trust-policy.js';
import { checkedKey, checkedRoots, checkedTrustedRoot } from './trusted-material.js';
import { isOrdered } from './version-order.js';

const MAX_FILE_BYTES = 16 * 2 ** 20;
const text = z.string().min(1);
const texts = z.union([text.transform((one) => [one]), z.array(text).min(1)]);
const digest = z
  .string()
  .regex(/^(?:sha256:)?[0-9a-f]{64}$/i, 'must be sha256: and 64 hexadecimal digits')
  .transform((one) => one.replace(/^sha256:/, '').toLowerCase());
const digests = z.union([digest.transform((one) => [one]), z.array(digest).min(1)]);
const version = z.union([z.string(), z.number()]).transform(String).refine(isOrdered, 'must be numbers with dots between, in quotes where it ends in a 0');

const certificates = z.strictObject({ roots: texts, names: texts, acceptExpired: z.boolean().default(false) });
const sigstore = z.strictObject({ trustedRoot: text, identities: z.array(z.strictObject({ name: text, issuer: text })).min(1) });
const signer = z
  .strictObject({
    name: text,
    key: text.optional(),
    certificates: certificates.optional(),
    sigstore: sigstore.optional(),
    models: texts.default(['*']),
    subjects: texts.optional(),
    minimumVersions: z.record(text, version).default({}),
    pin: digests.default([]),
  })
  .refine(({ key, certificates: chain, sigstore: keyless, pin }) => {
    const means = [key, chain, keyless].filter((one) => one !== undefined).length;
    return means === 1 || (means === 0 && pin.length > 0);
  }, 'must have one of key, certificates and sigstore, or pin alone');
const document = z.strictObject({ signers: z.array(signer).default([]), unsigned: texts.default([]) });

/** Reads a trust policy with all the files it names, which lie beside it unless their paths are absolute. Throws ConfigInvalid with one line for the operator. */
export function readTrustPolicy(file: string): TrustPolicy {
  const fault = (what: string, cause?: unknown) => ConfigInvalid({ message: `sconce_trust_policy=${file}: ${what}` }, cause);
  const read = (name: string): string => {
    const path = resolve(dirname(file), name);
    try {
      const content = readFileSync(path);
      if (content.length > MAX_FILE_BYTES) throw new Error('it is too long');
      return content.toString('utf8');
    } catch (error) {
      throw fault(`${path} cannot be read`, error);
    }
  };
  const means = ({ name, key, certificates: chain, sigstore: keyless }: z.output<typeof signer>): Means => {
    try {
      if (key !== undefined) return { kind: 'key', pem: checkedKey(key.includes('-----BEGIN') ? key : read(key)) };
      if (chain !== undefined)
        return { kind: 'certificates', ...chain, roots: chain.roots.flatMap((one) => checkedRoots(one.includes('-----BEGIN') ? one : read(one))) };
      if (keyless !== undefined) return { kind: 'sigstore', trustedRoot: checkedTrustedRoot(read(keyless.trustedRoot)), identities: keyless.identities };
      return { kind: 'pin' };
    } catch (error) {
      if (ConfigInvalid.is(error)) throw error;
      throw fault(`signer ${name}: ${error instanceof Error ? error.message : String(error)}`, error);
    }
  };
  const parsed = document.safeParse(parseYaml(read(file), fault) ?? {});
  if (!parsed.success) throw fault(z.prettifyError(parsed.error).replace(/\s*\n\s*/g, ' '));
  const signers = parsed.data.signers.map((one): TrustedSigner => {
    const { name, models, subjects, minimumVersions, pin } = one;
    return { name, models, subjects, minimumVersions: Object.entries(minimumVersions), pins: pin, means: means(one) };
  });
  const names = signers.map(({ name }) => name);
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice !== undefined) throw fault(`two signers are called ${twice}`);
  return { file, signers, unsigned: parsed.data.unsigned };
}

/** The file of a trust policy and those that it names, absolute. One that cannot be read names none: whoever reads it for its signers says so. */
export function filesOfTrustPolicy(file: string): readonly string[] {
  let read: z.output<typeof document>;
  try {
    read = document.parse(parse(readFileSync(file, 'utf8'), { maxAliasCount: 100 }));
  } catch {
    return [file];
  }
  const named = read.signers.flatMap(({ key, certificates: chain, sigstore: keyless }) => [key, ...(chain?.roots ?? []), keyless?.trustedRoot]);
  return [file, ...named.flatMap((name) => (name === undefined || name.includes('-----BEGIN') ? [] : [resolve(dirname(file), name)]))];
}

function parseYaml(content: string, fault: (what: string, cause: unknown) => Error): unknown {
  try {
    return parse(content, { maxAliasCount: 100 });
  } catch (error) {
    throw fault(error instanceof Error ? (error.message.split('\n')[0] ?? '') : String(error), error);
  }
}
