import { basename, dirname, relative, resolve } from 'node:path';
import { digestOf } from '../authenticity/file-digest.js';
import type { Credentials } from '../authenticity/sign.js';
import { resolveSettings } from '../config/resolve.js';
import { SigningRefused } from '../errors/signature.js';
import type { UnpackLimits } from '../models/unpack/unpack-limits.js';
import { type Packed, pack } from '../packing/pack.js';
import type { PackWish } from '../packing/pack-wish.js';
import { signTarget } from '../packing/sign-model.js';
import { signingCredentials } from '../packing/signing-credentials.js';
import { TORCHSERVE_VERSION } from '../version.js';
import { findInterpreter } from './model-target.js';
import { FORMATS, type PackFlags } from './pack-flags.js';
import { unpackLimits } from './sign.js';
import { printTable } from './table.js';

/** `sconce pack`: makes an archive of a folder; exit code 1 comes by a PackRefused. Warnings on standard error, what was packed on standard output. */
export async function packModel(folder: string, flags: PackFlags): Promise<void> {
  const { settings } = resolveSettings({ flags: new Map(), env: process.env, cwd: process.cwd(), configFile: undefined });
  const { exportPath, output, format, modelVersion } = flags;
  const wish: PackWish = {
    folder,
    output: output ?? (exportPath === undefined ? undefined : `${exportPath}/`),
    format: format === undefined ? undefined : FORMATS[format],
    force: flags.force === true,
    name: flags.name,
    version: modelVersion,
    runtime: flags.runtime,
    handler: flags.handler,
    serializedFile: flags.serializedFile,
    modelFile: flags.modelFile,
    requirementsFile: flags.requirementsFile,
    configFile: flags.configFile,
    extraFiles: flags.extraFiles ?? [],
    exclude: flags.exclude ?? [],
    check: flags.check !== false,
    python: flags.python,
  };
  const credentials = credentialsOf(flags);
  // Exiting, and not just dying, takes half-written folders away.
  for (const [signal, code] of [
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const)
    process.once(signal, () => process.exit(code));
  const interpreter = findInterpreter({ path: resolve(folder), isFolder: true }, undefined, settings.python, process.env);
  const unsigned = await pack(wish, { cwd: process.cwd(), env: process.env, interpreter, settings, archiverVersion: TORCHSERVE_VERSION });
  const packed = credentials === undefined ? unsigned : await signed(unsigned, credentials, unpackLimits(settings));
  if (flags.json) return void process.stdout.write(`${JSON.stringify(asJson(packed), undefined, 2)}\n`);
  for (const { message } of packed.findings) process.stderr.write(`warning: ${message}\n`);
  if (!flags.quiet) printPacked(packed);
}

/** Before anything is packed: a wrong key is known at once. */
function credentialsOf({ signKey, signCert }: PackFlags): Credentials | undefined {
  if (signKey !== undefined)
    return signingCredentials({ key: signKey, certificate: signCert, chain: [], password: process.env.SCONCE_SIGN_PASSWORD || undefined });
  if (signCert !== undefined) throw SigningRefused({ message: '--sign-cert needs the key of that certificate: --sign-key.' });
  return undefined;
}

async function signed(packed: Packed, credentials: Credentials, limits: UnpackLimits): Promise<Packed> {
  const place = packed.format === 'tgz' ? 'beside' : 'inside';
  await signTarget({ path: packed.output, credentials, place, output: undefined, name: undefined, version: undefined }, limits);
  if (packed.format === 'folder' || packed.format === 'tgz') return packed;
  const { digest: sha256, sizeBytes } = await digestOf(packed.output);
  return { ...packed, sha256, sizeBytes };
}

function printPacked({ output, sizeBytes, sha256, model, entries, leftOut }: Packed): void {
  const runs = model.backend === 'onnx' ? `${model.serializedFile ?? ''} by ONNX Runtime` : (model.handler ?? 'no handler');
  const file = relative(process.cwd(), output) || output;
  process.stdout.write(`${file}: ${model.name} ${model.version}, ${runs}\n`);
  printTable(
    ['file', 'bytes', 'sha256'],
    [...entries, ...(sha256 === undefined ? [] : [{ name: file, sizeBytes: sizeBytes ?? 0, sha256 }])].map((entry) => [
      entry.name,
      String(entry.sizeBytes),
      entry.sha256,
    ]),
  );
  if (leftOut.length > 0) process.stdout.write(`left out: ${leftOut.join(', ')}\n`);
  process.stdout.write(
    `serve it:     ${serveLine(output, model.name)}\nregister it:  ${registerLine(output)}   (when it lies in the store of a running server)\n`,
  );
}

function asJson({ output, format, sizeBytes, sha256, model, entries, leftOut, findings }: Packed) {
  const { rest: _, sourceVocab: __, ...described } = model;
  return {
    ...{ archive: output, format, sizeBytes, sha256, model: described },
    files: entries.map(({ name, sizeBytes: size, sha256: hash }) => ({ name, sizeBytes: size, sha256: hash })),
    ...{ leftOut, warnings: findings, serve: serveLine(output, model.name), register: registerLine(output) },
  };
}

function serveLine(output: string, name: string): string {
  return `sconce serve --model-store ${quoted(relative(process.cwd(), dirname(output)) || '.')} --models ${name}=${quoted(basename(output))}`;
}

function registerLine(output: string): string {
  return `sconce models register ${quoted(basename(output))}`;
}

function quoted(word: string): string {
  return /^[\w./@%+=:,-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}
