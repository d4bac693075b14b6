import { randomBytes } from 'node:crypto';
import { closeSync, fstatSync, fsyncSync, openSync, readFileSync, realpathSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { z } from 'zod';
import { TokensFileUnusable } from '../errors/admission.js';
import { PRINCIPAL_NAME } from '../inference/principal.js';
import { GRANT_FORM, readGrant } from './grants.js';

const name = z.string().regex(PRINCIPAL_NAME, 'a name has letters, digits, dot, hyphen and underscore, at most 64');
const sha256 = z.string().regex(/^[0-9a-f]{64}$/, 'sha256 is 64 hexadecimal digits');
const time = z.iso.datetime();
const token = z.strictObject({
  name,
  tenant: name,
  scopes: z.array(z.string().refine((text) => readGrant(text) !== undefined, `a scope is one of ${GRANT_FORM}`)).min(1),
  sha256,
  created: time,
  expires: time.optional(),
  /** The secret before this one, where its rotation granted it a while. */
  previous: z.strictObject({ sha256, until: time }).optional(),
});
const document = z
  .strictObject({ version: z.literal(1), tokens: z.array(token).max(10_000) })
  .refine(({ tokens }) => new Set(tokens.map((one) => one.name)).size === tokens.length, 'two tokens have one name');

/** A named token as the file holds it: its secret is not in there. */
export type StoredToken = z.infer<typeof token>;

/** What was read, and whether others than its owner may read the file. */
export interface ReadTokens {
  readonly tokens: readonly StoredToken[];
  readonly isReadableByOthers: boolean;
}

const MAX_FILE_BYTES = 16 * 1024 * 1024;
const WRITABLE_BY_OTHERS = 0o022;
const READABLE_BY_OTHERS = 0o044;
/** Somebody else changes the file. */
const LOCK_TRIES = 100;
const LOCK_PAUSE_MS = 50;

/** Throws TokensFileUnusable for a file that is none, or that others may write: whoever can would be let in. A file that isn't there holds no tokens. */
export function readTokensFile(path: string): ReadTokens {
  let fd: number;
  try {
    fd = openSync(path, 'r');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return { tokens: [], isReadableByOthers: false };
    throw unusable(path, error);
  }
  try {
    const { mode, size } = fstatSync(fd);
    if ((mode & WRITABLE_BY_OTHERS) !== 0) throw TokensFileUnusable({ path, why: 'others than its owner may write it; chmod 600' });
    if (size > MAX_FILE_BYTES) throw TokensFileUnusable({ path, why: `it is longer than ${MAX_FILE_BYTES} bytes` });
    return { tokens: parsed(path, readFileSync(fd, 'utf8')), isReadableByOthers: (mode & READABLE_BY_OTHERS) !== 0 };
  } catch (error) {
    throw unusable(path, error);
  } finally {
    closeSync(fd);
  }
}

/** Changes the file, one after another with whoever else does: it is whole at each moment, and its owner's alone. Rejects with TokensFileUnusable, and with what `change` throws. */
export async function changeTokensFile(path: string, change: (tokens: readonly StoredToken[]) => readonly StoredToken[]): Promise<void> {
  const lock = `${path}.lock`;
  await takeLock(path, lock);
  try {
    const tokens = change(readTokensFile(path).tokens);
    writeWhole(path, `${JSON.stringify({ version: 1, tokens }, undefined, 2)}\n`);
  } finally {
    rmSync(lock, { force: true });
  }
}

function parsed(path: string, text: string): readonly StoredToken[] {
  const read = document.safeParse(JSON.parse(text));
  if (read.success) return read.data.tokens;
  const [issue] = read.error.issues;
  throw TokensFileUnusable({ path, why: `${issue?.path.join('.') || 'the file'}: ${issue?.message ?? 'it is not understood'}` });
}

function unusable(path: string, error: unknown): Error {
  if (TokensFileUnusable.is(error)) return error;
  return TokensFileUnusable({ path, why: error instanceof Error ? error.message : String(error) }, error);
}

async function takeLock(path: string, lock: string): Promise<void> {
  for (let tries = 1; ; tries++) {
    try {
      writeFileSync(lock, `${process.pid}\n`, { flag: 'wx', mode: 0o600 });
      return;
    } catch (error) {
      const isTaken = error instanceof Error && 'code' in error && error.code === 'EEXIST';
      if (!isTaken) throw unusable(path, error);
      if (tries === LOCK_TRIES) throw TokensFileUnusable({ path, why: `somebody is changing it; remove ${lock} if nobody is` });
    }
    await pause(LOCK_PAUSE_MS);
  }
}

/** A link stays a link: what it leads to is replaced. */
function writeWhole(path: string, content: string): void {
  let target = path;
  try {
    target = realpathSync(path);
  } catch {
    // It is not there yet.
  }
  const draft = `${target}.${randomBytes(8).toString('hex')}`;
  try {
    const fd = openSync(draft, 'wx', 0o600);
    try {
      writeFileSync(fd, content);
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
    renameSync(draft, target);
  } catch (error) {
    rmSync(draft, { force: true });
    throw unusable(path, error);
  }
}
