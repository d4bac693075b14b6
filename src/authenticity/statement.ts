import { createHash } from 'node:crypto';
import { z } from 'zod';
import { firstIssue } from './bundle.js';
import { NotAuthentic } from './not-authentic.js';

export const STATEMENT_TYPE = 'https://in-toto.io/Statement/v1';
export const PREDICATE_TYPE = 'https://model_signing/signature/v1.0';
const OLD_PREDICATE_TYPE = 'https://model_signing/Digests/v0.1';
/** The one resource of a signature over a single file. */
export const SINGLE_FILE = '.';

/** One file of the model, or a part of it, as it was when it was signed. */
export interface Resource {
  /** Path in the model, with `/` between; SINGLE_FILE for a model that is one file. */
  readonly path: string;
  /** Bytes of the file, the end excluded; undefined: all of it. */
  readonly range: { readonly from: number; readonly to: number } | undefined;
  /** Node's name of it. */
  readonly hash: 'sha256' | 'blake2b512';
  /** Hex. */
  readonly digest: string;
}

/** What was signed: a list of files and their hashes under a name. */
export interface Statement {
  /** What the signer called the model. */
  readonly subject: string;
  /** SHA-256 of the resources' digests, hex: stands for the model as a whole. */
  readonly digest: string;
  readonly resources: readonly Resource[];
  /** SHA-256 over the archive without the signature in it, where it was signed with such a one by Sconce. */
  readonly seal: string | undefined;
}

const HASHES: Readonly<Record<string, Resource['hash']>> = { sha256: 'sha256', blake2b: 'blake2b512' };
const SHARDED = /^(.+):(\d{1,15}):(\d{1,15})$/s;
const hex = z.string().regex(/^(?:[0-9a-f]{2})+$/);
const serialization = z.object({
  method: z.enum(['files', 'shards']),
  hash_type: z.string(),
  shard_size: z.int().positive().optional(),
  allow_symlinks: z.boolean().optional(),
});
const document = z.object({
  _type: z.literal(STATEMENT_TYPE),
  subject: z.tuple([z.object({ name: z.string(), digest: z.object({ sha256: hex }) })]),
  predicateType: z.literal(PREDICATE_TYPE),
  predicate: z.object({
    resources: z.array(z.object({ name: z.string(), algorithm: z.string(), digest: hex })).min(1),
    serialization,
    sconce: z.object({ archive: hex }).optional(),
  }),
});

/** Reads the payload of a signature. What it says of files to leave out is not read: each file that is served must be signed. Throws NotAuthentic. */
export function parseStatement(payload: Uint8Array, maxResources: number): Statement {
  const json = parseJson(payload);
  if (z.object({ predicateType: z.literal(OLD_PREDICATE_TYPE) }).safeParse(json).success)
    throw new NotAuthentic('outdated', 'it was made by model-signing 0.x; re-sign the model with model-signing 1.0 or `sconce sign`');
  refuseTooMany(json, maxResources);
  const parsed = document.safeParse(json);
  if (!parsed.success) throw new NotAuthentic('unreadable', `it signs no model (${firstIssue(parsed.error)})`);
  const { subject, predicate } = parsed.data;
  const [{ name, digest }] = subject;
  const { method, hash_type: type } = predicate.serialization;
  const hash = HASHES[type];
  if (hash === undefined) throw new NotAuthentic('unreadable', `it uses the hash ${type.slice(0, 40)}; re-sign with sha256`);
  const algorithm = method === 'files' ? type : `${type}-sharded-${predicate.serialization.shard_size}`;
  const root = createHash('sha256');
  const resources = predicate.resources.map((resource): Resource => {
    if (resource.algorithm !== algorithm) throw new NotAuthentic('unreadable', 'its resources are not hashed as it says');
    root.update(Buffer.from(resource.digest, 'hex'));
    return { ...placeOf(resource.name, method), hash, digest: resource.digest };
  });
  if (root.digest('hex') !== digest.sha256) throw new NotAuthentic('invalid', 'its digest is not that of its resources');
  refuseOverlaps(resources);
  return { subject: name, digest: digest.sha256, resources, seal: predicate.sconce?.archive };
}

/** Before each is looked at. */
function refuseTooMany(json: unknown, max: number): void {
  const counted = z.object({ predicate: z.object({ resources: z.array(z.unknown()) }) }).safeParse(json);
  if (counted.success && counted.data.predicate.resources.length > max) throw new NotAuthentic('too_large', `it lists more than ${max} files`);
}

function placeOf(name: string, method: 'files' | 'shards'): Pick<Resource, 'path' | 'range'> {
  if (method === 'files') return { path: checkedPath(name), range: undefined };
  const [, path = '', from = '', to = ''] = SHARDED.exec(name) ?? [];
  if (path === '' || Number(from) >= Number(to)) throw new NotAuthentic('unreadable', `it names no part of a file: ${printable(name)}`);
  return { path: checkedPath(path), range: { from: Number(from), to: Number(to) } };
}

/** A path inside the model as the format writes it: relative, and with nothing that two systems could read differently. */
function checkedPath(path: string): string {
  const segments = path.split('/');
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
  const isOdd = path === '' || /[\u0000-\u001f\u007f\\]/.test(path) || segments.some((segment) => ['', '..'].includes(segment));
  if (isOdd || (path !== SINGLE_FILE && segments.includes('.'))) throw new NotAuthentic('unreadable', `it names a file as no model has it: ${printable(path)}`);
  return path;
}

/** Each file once, or in parts that follow one another from its first byte on. */
function refuseOverlaps(resources: readonly Resource[]): void {
  const covered = new Map<string, number>();
  for (const { path, range } of [...resources].sort((a, b) => (a.range?.from ?? 0) - (b.range?.from ?? 0))) {
    const before = covered.get(path);
    if (range === undefined ? before !== undefined : (before ?? 0) !== range.from)
      throw new NotAuthentic('unreadable', `it names ${printable(path)} twice, or in parts that do not follow one another`);
    covered.set(path, range?.to ?? 0);
  }
  if (covered.size > 1 && covered.has(SINGLE_FILE)) throw new NotAuthentic('unreadable', 'it signs a file and a folder');
}

function parseJson(payload: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(payload));
  } catch (error) {
    throw new NotAuthentic('unreadable', 'what it signs is no JSON', { cause: error });
  }
}

export function printable(text: string): string {
  return JSON.stringify(text.slice(0, 200)).slice(1, -1);
}
