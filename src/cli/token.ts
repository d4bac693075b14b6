import { randomBytes } from 'node:crypto';
import { digestOf } from '../admission/bearer-token.js';
import { GRANT_FORM, readGrant } from '../admission/grants.js';
import { changeTokensFile, readTokensFile, type StoredToken } from '../admission/tokens-file.js';
import { tokensFileOf } from '../composition/tokens.js';
import { resolveSettings } from '../config/resolve.js';
import { snapshotFolder } from '../config/snapshot-files.js';
import { defineError } from '../errors/sconce-error.js';
import { DEFAULT_TENANT, PRINCIPAL_NAME } from '../inference/principal.js';
import { lastingMs } from './lasting.js';
import { printTable } from './table.js';

const TokenWishRefused = defineError<{ message: string }>('TOKEN_WISH_REFUSED', { kind: 'invalid', says: ({ message }) => message });

/** By which the tokens file is found: the one given, else that of the settings. */
export interface TokenFlags {
  readonly config?: string;
  readonly file?: string;
  readonly json?: boolean;
}

const SECRET_BYTES = 32;

/** `sconce token create`: prints the secret, which nobody can read again. Throws TokenWishRefused, TokensFileUnusable. */
export async function createToken(name: string, flags: TokenFlags & { scope: readonly string[]; tenant?: string; expires: string }): Promise<void> {
  const { scope, tenant = DEFAULT_TENANT } = flags;
  for (const [what, text] of [['name', name] as const, ['tenant', tenant] as const])
    if (!PRINCIPAL_NAME.test(text)) throw TokenWishRefused({ message: `${what} ${text}; allowed: letters, digits, dot, hyphen and underscore, at most 64` });
  for (const text of scope) if (readGrant(text) === undefined) throw TokenWishRefused({ message: `--scope ${text}; allowed: ${GRANT_FORM}` });
  const now = Date.now();
  const secret = freshSecret();
  const expires = flags.expires === 'never' ? {} : { expires: new Date(now + lastingMs('--expires', flags.expires)).toISOString() };
  const made: StoredToken = { name, tenant, scopes: [...scope], sha256: hashOf(secret), created: new Date(now).toISOString(), ...expires };
  await changeTokensFile(fileOf(flags), (tokens) => {
    if (tokens.some((token) => token.name === name)) throw TokenWishRefused({ message: `there is a token ${name} already; rotate or revoke it` });
    return [...tokens, made];
  });
  tell(secret, made, flags);
}

/** `sconce token list`: never a secret. */
export function listTokens(flags: TokenFlags): void {
  const { tokens } = readTokensFile(fileOf(flags));
  const shown = tokens.map(({ name, tenant, scopes, created, expires, previous }) => ({ name, tenant, scopes, created, expires, oldUntil: previous?.until }));
  if (flags.json) return void process.stdout.write(`${JSON.stringify(shown, undefined, 2)}\n`);
  if (shown.length === 0) return void process.stdout.write('There are no named tokens.\n');
  const now = new Date().toISOString();
  printTable(
    ['name', 'tenant', 'scopes', 'created', 'expires'],
    shown.map(({ name, tenant, scopes, created, expires }) => [
      name,
      tenant,
      scopes.join(' '),
      created,
      expires === undefined ? 'never' : expires <= now ? `${expires} (is over)` : expires,
    ]),
  );
}

/** `sconce token revoke`: the token and, after a rotation, the old one are refused from the next call on. */
export async function revokeToken(name: string, flags: TokenFlags): Promise<void> {
  await changeTokensFile(fileOf(flags), (tokens) => {
    found(tokens, name);
    return tokens.filter((token) => token.name !== name);
  });
  process.stdout.write(`Token ${name} is revoked.\n`);
}

/** `sconce token rotate`: a new secret with the same rights and as long a life. The old one is refused at once, or when `grace` is over. */
export async function rotateToken(name: string, flags: TokenFlags & { grace?: string }): Promise<void> {
  const now = Date.now();
  const secret = freshSecret();
  const graceMs = flags.grace === undefined ? undefined : lastingMs('--grace', flags.grace);
  let rotated: StoredToken | undefined;
  await changeTokensFile(fileOf(flags), (tokens) => {
    const old = found(tokens, name);
    const { previous: _, created, expires, sha256, ...kept } = old;
    const lifeMs = expires === undefined ? undefined : Date.parse(expires) - Date.parse(created);
    const untilMs = graceMs === undefined ? undefined : Math.min(now + graceMs, expires === undefined ? Number.POSITIVE_INFINITY : Date.parse(expires));
    const made: StoredToken = {
      ...kept,
      sha256: hashOf(secret),
      created: new Date(now).toISOString(),
      ...(lifeMs === undefined ? {} : { expires: new Date(now + lifeMs).toISOString() }),
      ...(untilMs === undefined ? {} : { previous: { sha256, until: new Date(untilMs).toISOString() } }),
    };
    rotated = made;
    return tokens.map((token) => (token === old ? made : token));
  });
  if (rotated !== undefined) tell(secret, rotated, flags);
}

function found(tokens: readonly StoredToken[], name: string): StoredToken {
  const token = tokens.find((one) => one.name === name);
  if (token === undefined) throw TokenWishRefused({ message: `there is no token ${name}` });
  return token;
}

function freshSecret(): string {
  return `sconce_${randomBytes(SECRET_BYTES).toString('base64url')}`;
}

function hashOf(secret: string): string {
  return digestOf(secret).toString('hex');
}

function tell(secret: string, { name, tenant, scopes, expires }: StoredToken, flags: TokenFlags): void {
  if (flags.json) return void process.stdout.write(`${JSON.stringify({ name, tenant, scopes, expires, token: secret }, undefined, 2)}\n`);
  process.stderr.write(
    `Token ${name}: ${scopes.join(' ')}, tenant ${tenant}, ${expires === undefined ? 'no end' : `until ${expires}`}. It is shown this once:\n`,
  );
  process.stdout.write(`${secret}\n`);
}

function fileOf({ file, config }: TokenFlags): string {
  const cwd = process.cwd();
  const flags = new Map(file === undefined ? [] : [['sconce_tokens_file', { text: file, where: '--file' }] as const]);
  const { settings } = resolveSettings({ flags, env: process.env, cwd, configFile: config, snapshotFolder: snapshotFolder(process.env, cwd) });
  return tokensFileOf(settings, cwd);
}
