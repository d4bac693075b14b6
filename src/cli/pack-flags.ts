import { type Command, InvalidArgumentError } from 'commander';
import type { ArchiveFormat, PackWish } from '../packing/pack-wish.js';

export interface PackFlags extends Omit<Partial<PackWish>, 'folder' | 'version' | 'output' | 'format'> {
  readonly output?: string;
  readonly exportPath?: string;
  readonly format?: string;
  readonly modelVersion?: string;
  readonly signKey?: string;
  readonly signCert?: string;
  readonly json?: boolean;
  readonly quiet?: boolean;
}

/** TorchServe's words for formats count too. */
export const FORMATS: Readonly<Record<string, ArchiveFormat>> = {
  mar: 'mar',
  'mar-store': 'mar-store',
  tgz: 'tgz',
  folder: 'folder',
  default: 'mar',
  'zip-store': 'mar-store',
  'no-archive': 'folder',
};

/** Describes the command. Flags of torch-model-archiver count under its names as well. */
export function addPackFlags(command: Command): Command {
  return command
    .argument('[folder]', 'the folder that the model lies in', '.')
    .option('-o, --output <file>', 'archive to write; NAME.mar here unless given')
    .option('--export-path <folder>', 'folder to write the archive to')
    .option('--archive-format, --format <format>', 'mar, mar-store (not compressed), tgz or folder', knownFormat)
    .option('-f, --force', 'write over an archive that is there')
    .option('--model-name, --name <name>', "name of the model; the folder's unless given")
    .option('--version, --model-version <version>', 'version of the model; 1.0 unless given')
    .option('--handler <handler>', '`file`, `file:function`, or a built-in handler; handler.py, .mjs or .ts of the folder unless given')
    .option('--serialized-file <file>', 'weights; the one .pt, .pth, .onnx … of the folder unless given')
    .option('--model-file <file>', 'the architecture of weights that are a state dictionary; model.py')
    .option('--extra-files <files>', 'further files, folders (their contents) and wildcards, with commas between; may be repeated', collected, [])
    .option('-r, --requirements-file <file>', 'requirements.txt')
    .option('-c, --config-file <file>', 'model-config.yaml')
    .option('--runtime <runtime>', 'python, python3 or LSP', knownRuntime)
    .option('--exclude <pattern>', 'leave out what matches, as .sconceignore does; may be repeated', collected, [])
    .option('--python <interpreter>', "interpreter that the handler is imported with; the server's unless given")
    .option('--no-check', 'do not import the handler')
    .option('--sign-key <file>', 'sign the archive with this key, as `sconce sign --inside` does; a tar.gz beside')
    .option('--sign-cert <file>', "PEM of the signer's certificate and its chain, with --sign-key")
    .option('-q, --quiet', 'print warnings and errors only')
    .option('--json', 'as JSON, warnings included');
}

/** One value each time: what takes all words that follow would take the folder behind them too. */
export function collected(given: string, before: readonly string[] = []): readonly string[] {
  return [...before, given];
}

function knownFormat(given: string): string {
  if (given in FORMATS) return given;
  throw new InvalidArgumentError(`Allowed: ${Object.keys(FORMATS).join(', ')}.`);
}

function knownRuntime(given: string): string {
  if (['python', 'python3', 'LSP'].includes(given)) return given;
  throw new InvalidArgumentError('Allowed: python, python3, LSP.');
}
