import { relative, resolve } from 'node:path';
import { resolveSettings } from '../config/resolve.js';
import type { Settings } from '../config/settings.js';
import type { UnpackLimits } from '../models/unpack/unpack-limits.js';
import { signTarget } from '../packing/sign-model.js';
import { signingCredentials } from '../packing/signing-credentials.js';

export interface SignFlags {
  readonly key: string;
  readonly cert?: string;
  readonly chain?: readonly string[];
  readonly output?: string;
  readonly inside?: boolean;
  readonly beside?: boolean;
  readonly name?: string;
  readonly modelVersion?: string;
  readonly json?: boolean;
  readonly quiet?: boolean;
}

/** `sconce sign`: signs a model on disk and says what it wrote. Throws SigningRefused. */
export async function signOnDisk(path: string, flags: SignFlags): Promise<void> {
  const { settings } = resolveSettings({ flags: new Map(), env: process.env, cwd: process.cwd(), configFile: undefined });
  const signed = await signTarget(
    {
      path: resolve(path),
      credentials: signingCredentials({
        key: flags.key,
        certificate: flags.cert,
        chain: flags.chain ?? [],
        password: process.env.SCONCE_SIGN_PASSWORD || undefined,
      }),
      place: flags.inside ? 'inside' : flags.beside ? 'beside' : undefined,
      output: flags.output === undefined ? undefined : resolve(flags.output),
      name: flags.name,
      version: flags.modelVersion,
    },
    unpackLimits(settings),
  );
  if (flags.json) return void process.stdout.write(`${JSON.stringify(signed, undefined, 2)}\n`);
  if (flags.quiet) return;
  const output = relative(process.cwd(), signed.output) || signed.output;
  process.stdout.write(
    `${output}: ${signed.place === 'inside' ? 'signed inside' : 'the signature'}, as ${signed.subject}, over ${signed.files} file${signed.files === 1 ? '' : 's'}\n`,
  );
}

/** The server's own: what it would not unpack need not be signed. */
export function unpackLimits({ maxArchiveBytes, maxUnpackedBytes, maxArchiveEntries: maxEntries }: Settings): UnpackLimits {
  return { maxArchiveBytes, maxUnpackedBytes, maxEntries };
}
