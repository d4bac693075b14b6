import { basename, dirname, relative, resolve } from 'node:path';
import { resolveSettings } from '../config/resolve.js';
import { type Packed, pack } from '../packing/pack.js';
import type { PackWish } from '../packing/pack-wish.js';
import { TORCHSERVE_VERSION } from '../version.js';
import { findInterpreter } from './model-target.js';
import { FORMATS, type PackFlags } from './pack-flags.js';
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
  // Exiting, and not just dying, takes half-written folders away.
  for (const [signal, code] of [
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const)
    process.once(signal, () => process.exit(code));
  const interpreter = findInterpreter({ path: resolve(folder), isFolder: true }, undefined, settings.python, process.env);
  const packed = await pack(wish, { cwd: process.cwd(), env: process.env, interpreter, settings, archiverVersion: TORCHSERVE_VERSION });
  if (flags.json) return void process.stdout.write(`${JSON.stringify(asJson(packed), undefined, 2)}\n`);
  for (const { message } of packed.findings) process.stderr.write(`warning: ${message}\n`);
  if (!flags.quiet) printPacked(packed);
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
