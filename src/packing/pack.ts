import { existsSync, statSync } from 'node:fs';
import { readFile, realpath, stat } from 'node:fs/promises';
import { basename, join, resolve, sep } from 'node:path';
import { SIGNATURE_NAME } from '../authenticity/zip-seal.js';
import type { Settings } from '../config/settings.js';
import { PackRefused } from '../errors/packing.js';
import { noModelConfig } from '../models/model-config.js';
import type { UnpackLimits } from '../models/unpack/unpack-limits.js';
import { type ArchiveEntry, fileEntry, textEntry } from './archive-entry.js';
import { archiveTime, createdOn } from './archive-time.js';
import { readConfig } from './config-findings.js';
import { extraFiles } from './extra-files.js';
import type { Finding } from './finding.js';
import { handlerFindings } from './handler-findings.js';
import { IgnoreRules, LEFT_OUT_BY_DEFAULT } from './ignore-rules.js';
import { checkJavascriptHandler } from './javascript-check.js';
import { archiveSizeFindings, limitFindings } from './limit-findings.js';
import { describeModel, MANIFEST_NAME, type ModelDescription, manifestText } from './model-description.js';
import { namedParts } from './named-parts.js';
import type { ArchiveFormat, PackWish } from './pack-wish.js';
import { checkPythonHandler } from './python-check.js';
import { requiredNames, requirementsFindings } from './requirements-findings.js';
import { type SourceFile, sourceTree } from './source-tree.js';
import { stagedCopy } from './staged-copy.js';
import { writeArchive } from './write-archive.js';

export interface Packed {
  readonly output: string;
  readonly format: ArchiveFormat;
  /** Of the archive; undefined for a folder. */
  readonly sizeBytes: number | undefined;
  readonly sha256: string | undefined;
  readonly model: ModelDescription;
  readonly entries: readonly Pick<ArchiveEntry, 'name' | 'sizeBytes' | 'sha256'>[];
  readonly leftOut: readonly string[];
  readonly findings: readonly Finding[];
}

export interface PackSurroundings {
  readonly cwd: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** What the manifest says of it. */
  readonly archiverVersion: string;
  /** The interpreter for the check, where neither the wish nor the model names one. */
  readonly interpreter: string;
  readonly settings: Pick<Settings, 'pythons' | 'maxArchiveBytes' | 'maxUnpackedBytes' | 'maxArchiveEntries'>;
}

const ENDINGS: Readonly<Record<ArchiveFormat, string>> = { mar: '.mar', 'mar-store': '.mar', tgz: '.tar.gz', folder: '' };
/** Descriptions longer than this are no descriptions. */
const MAX_TEXT_BYTES = 4 * 2 ** 20;

/**
 * Makes an archive of a folder, a step a line: files → what they are → what won't work → does the handler import → bytes.
 * The same files make the same bytes. Rejects with PackRefused, and then nothing is written.
 */
export async function pack(wish: PackWish, { cwd, env, interpreter: usual, settings, archiverVersion }: PackSurroundings): Promise<Packed> {
  const root = await realFolder(wish.folder);
  const time = archiveTime(env);
  const tree = await sourceTree(root, await ignoreRules(root, wish.exclude));
  const files = new Map(tree.files);
  const extra = await extraFiles(wish.extraFiles, cwd);
  for (const file of extra.files) files.set(file.name, file);
  const named = await namedParts({ ...wish, folder: root }, cwd, files);
  const ownManifest = files.get(MANIFEST_NAME);
  files.delete(MANIFEST_NAME);
  // It is of what the folder was before, and the archive is signed as a whole.
  files.delete(SIGNATURE_NAME);

  const { model, findings: described } = await describeModel(root, files, named, ownManifest === undefined ? undefined : await boundedText(ownManifest));
  const place = outputPlace(wish, model.name, cwd);
  refuseExisting(place.output, wish.force);
  // The last archive, where it lies in the folder itself.
  for (const [name, { path }] of files) if (path === place.output || path.startsWith(place.output + sep)) files.delete(name);
  const manifest = manifestText(model, { createdOn: createdOn(time), archiverVersion });

  const limits: UnpackLimits = {
    maxArchiveBytes: settings.maxArchiveBytes,
    maxUnpackedBytes: settings.maxUnpackedBytes,
    maxEntries: settings.maxArchiveEntries,
  };
  const read = await readDescriptions(model, files);
  const findings = [
    ...[...tree.findings, ...extra.findings, ...described, ...read.findings],
    ...handlerFindings(model, read.config, (name) => files.has(name)),
    ...limitFindings(files.values(), limits),
  ];
  if (wish.check) {
    const missing = findings.find(({ code }) => code === 'handler-missing');
    if (missing !== undefined) throw PackRefused({ message: `${missing.message}, or pack all the same with --no-check` });
    const chosen = read.config.sconce.python;
    const interpreter = wish.python ?? (chosen === undefined ? undefined : settings.pythons.get(chosen)) ?? (model.runtime === 'python3' ? 'python3' : usual);
    findings.push(
      ...(await importHandler(model, files, manifest, {
        // The check starts it in another directory.
        interpreter: interpreter.includes('/') ? resolve(cwd, interpreter) : interpreter,
        isInterpreterNamed: wish.python !== undefined,
        required: read.required,
        env,
        leftOut: tree.leftOut,
      })),
    );
  }

  const sorted = [...files.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
  const entries: ArchiveEntry[] = [];
  for (const file of sorted) entries.push(await fileEntry(file));
  entries.push(await textEntry(MANIFEST_NAME, manifest));
  const { sizeBytes, sha256 } = await writeArchive({ ...place, name: model.name, time, entries });
  if (sizeBytes !== undefined) findings.push(...archiveSizeFindings(sizeBytes, limits));
  return { ...place, sizeBytes, sha256, model, entries, leftOut: tree.leftOut, findings };
}

async function realFolder(folder: string): Promise<string> {
  if (!existsSync(folder)) throw PackRefused({ message: `${folder} is not there.` });
  if (!(await stat(folder)).isDirectory()) throw PackRefused({ message: `${folder} is a file; pack takes the folder that the model lies in.` });
  return realpath(folder);
}

async function ignoreRules(root: string, exclude: readonly string[]): Promise<IgnoreRules> {
  const file = join(root, '.sconceignore');
  const own = existsSync(file) ? (await readFile(file, 'utf8')).split(/\r?\n/) : [];
  return new IgnoreRules([...LEFT_OUT_BY_DEFAULT, ...own, ...exclude]);
}

function outputPlace(wish: PackWish, name: string, cwd: string): { readonly output: string; readonly format: ArchiveFormat } {
  const given = wish.output === undefined ? undefined : resolve(cwd, wish.output);
  const isTar = given !== undefined && /\.(tar\.gz|tgz)$/.test(given);
  const format = wish.format ?? (isTar ? 'tgz' : 'mar');
  const isInto = wish.output?.endsWith('/') || (given !== undefined && format !== 'folder' && existsSync(given) && statSync(given).isDirectory());
  if (given === undefined || isInto) return { output: join(given ?? cwd, name + ENDINGS[format]), format };
  // The server tells the kinds of archive apart by their names.
  const isRight = format === 'folder' || (format === 'tgz' ? isTar : given.endsWith('.mar'));
  if (!isRight) throw PackRefused({ message: `${basename(given)} must end in ${ENDINGS[format]}: a server tells the format by it.` });
  return { output: given, format };
}

function refuseExisting(output: string, force: boolean): void {
  if (existsSync(output) && !force) throw PackRefused({ message: `${output} already exists. --force writes over it.` });
}

/** Reads model-config.yaml and requirements.txt, and what is to be said of them. */
async function readDescriptions(model: ModelDescription, files: ReadonlyMap<string, SourceFile>) {
  const text = async (name: string | undefined) => {
    const file = name === undefined ? undefined : files.get(name);
    return file === undefined ? undefined : boundedText(file);
  };
  const yaml = await text(model.configFile);
  const requirements = (await text(model.requirementsFile)) ?? '';
  const { config, findings } = yaml === undefined ? { config: noModelConfig(), findings: [] } : readConfig(yaml, model);
  return {
    config,
    findings: [...findings, ...requirementsFindings(requirements, model.requirementsFile ?? '')],
    required: requiredNames(requirements),
  };
}

async function boundedText({ name, path, sizeBytes }: SourceFile): Promise<string> {
  if (sizeBytes > MAX_TEXT_BYTES) throw PackRefused({ message: `${name} has more than ${MAX_TEXT_BYTES} bytes: it cannot be what its name says.` });
  return readFile(path, 'utf8');
}

interface Importing {
  readonly interpreter: string;
  readonly isInterpreterNamed: boolean;
  readonly required: ReadonlySet<string>;
  readonly env: PackSurroundings['env'];
  readonly leftOut: readonly string[];
}

async function importHandler(
  model: ModelDescription,
  files: ReadonlyMap<string, SourceFile>,
  manifest: string,
  importing: Importing,
): Promise<readonly Finding[]> {
  const { backend, handler, runtime } = model;
  if (backend === 'onnx' || handler === undefined || runtime === 'LSP') return [];
  const staged = await stagedCopy(files.values(), manifest);
  try {
    if (backend === 'python') {
      const topNames = [...new Set([...files.keys()].map((name) => (name.includes('/') ? name.slice(0, name.indexOf('/') + 1) : name)))];
      return await checkPythonHandler({ ...importing, model, directory: await realpath(staged.path), topNames });
    }
    await checkJavascriptHandler({ directory: staged.path, handler });
    return [];
  } catch (error) {
    const { leftOut } = importing;
    if (!PackRefused.is(error) || leftOut.length === 0) throw error;
    throw PackRefused({ message: `${error.message}\nLeft out of the archive: ${leftOut.join(', ')}. A line !PATTERN in .sconceignore brings it back.` });
  } finally {
    await staged.remove();
  }
}
