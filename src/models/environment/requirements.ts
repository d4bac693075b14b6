import { createHash, type Hash } from 'node:crypto';
import { readdir, readFile, stat } from 'node:fs/promises';
import { basename, dirname, isAbsolute, join, relative, resolve, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { isBuilt, isWithin, LeadsOut, leadsOut, readsAlike } from './leading-out.js';
import { requiredByWheel } from './wheel.js';

/** What decides which packages a requirements file brings. */
export interface Requirements {
  /** Absolute. */
  readonly file: string;
  /** Hash of all of it, hex; holds no secret. */
  readonly digest: string;
  /** What is installed points back into the model's folder (`-e`), so it cannot outlive that. */
  readonly isEditable: boolean;
}

export interface RequirementsOf {
  /** The model's folder, in which pip runs. */
  readonly directory: string;
  /** Of everything in that folder. */
  readonly contentHash: string;
  readonly environment: Readonly<Record<string, string>>;
  /** Only packages by their names and versions, and wheels that lie in the model's folder: what runs no code of theirs. */
  readonly confined?: boolean;
}

const BY_OWN_CODE = 'is built by code of its own';
const MAX_FILES = 50;
const MAX_BYTES = 4 * 2 ** 20;
const NESTED = /^(?:-r ?|-c ?|--requirement[ =]|--constraint[ =])(.+)$/;
const EDITABLE = /^(?:-e|--editable)\b/;
/** `name[extra]>=1; marker` and `name @ https://…`: what is nowhere on this machine. `name=/..` is a path. */
const PLAIN = /^[a-z0-9][\w.-]* ?(?:\[[^\]]*\])? ?(?:@ ?(?!file:)[a-z+]+:\/\/.*|(?:[=<>!~(][^/;]*)?(?:;.*)?)$/i;
const PLAIN_OPTION =
  /^(?:(?:--(?:pre|no-index|prefer-binary|require-hashes) ?)+|(?:-i|--(?:index-url|extra-index-url|trusted-host|no-binary|only-binary|use-feature))[ =].*)$/;
/** Where Python ends a line. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: so it does
const LINE_BREAK = /\r\n|[\n\v\f\r\x1c-\x1e\x85\u2028\u2029]/;
const ARCHIVE = /\.(?:whl|zip|tar|tgz|tbz|txz|tlz|gz|bz2|xz|lz|lzma)\b/i;

/**
 * Reads a requirements file and all that it names: further files by their text, the model's own files by the hash of the model, and files elsewhere on
 * this machine by size and time. Rejects with the file system's error when a file cannot be read, and with LeadsOut where a confined one asks for more.
 */
export async function readRequirements(file: string, of: RequirementsOf): Promise<Requirements> {
  const reading = new Reading(of);
  await reading.take(file);
  return { file, digest: reading.digest(), isEditable: reading.isEditable };
}

class Reading {
  isEditable = false;
  readonly #hash: Hash = createHash('sha256');
  readonly #seen = new Set<string>();
  #isLocal = false;
  #bytes = 0;

  constructor(private readonly of: RequirementsOf) {}

  async take(file: string): Promise<void> {
    if (this.#seen.has(file)) return;
    if (this.#seen.size >= MAX_FILES) throw new Error(`more than ${MAX_FILES} files of requirements`);
    this.#seen.add(file);
    const found = await stat(file);
    this.#bytes += found.size;
    if (!found.isFile() || this.#bytes > MAX_BYTES) throw new Error(`${file} is no file, or too long`);
    const bytes = await readFile(file);
    const written = bytes.toString();
    if (this.of.confined) {
      if (!readsAlike(bytes)) throw new LeadsOut(basename(file), 'is no plain UTF-8');
      for (const line of requirementLines(written)) {
        if (isBuilt(line)) throw new LeadsOut(withoutSecrets(line), BY_OWN_CODE);
        if (leadsOut(line)) throw new LeadsOut(withoutSecrets(line));
      }
    }
    const text = withoutSecrets(expanded(written, this.of.environment));
    this.#add('text', text);
    for (const line of requirementLines(text)) await this.#line(line, dirname(file));
  }

  digest(): string {
    if (this.#isLocal) this.#add('model', this.of.contentHash);
    return this.#hash.digest('hex');
  }

  async #line(line: string, folder: string): Promise<void> {
    const nested = NESTED.exec(line)?.[1];
    if (nested !== undefined) {
      const further = path(unquoted(nested), folder);
      if (this.of.confined && !isWithin(further, this.of.directory)) throw new LeadsOut(line);
      if (!/^["']?https?:/i.test(nested)) await this.take(further);
      return;
    }
    if (PLAIN_OPTION.test(line) || (PLAIN.test(line) && !(ARCHIVE.test(line) && !line.includes('://')))) return;
    this.#isLocal = true;
    this.isEditable ||= EDITABLE.test(line);
    const elsewhere = path(locationIn(line), this.of.directory);
    if (this.of.confined) await this.#assertWheelOfArchive(line, elsewhere);
    if (!elsewhere.startsWith(this.of.directory + sep)) this.#add('elsewhere', await description(elsewhere));
  }

  async #assertWheelOfArchive(line: string, path: string): Promise<void> {
    if (!isWithin(path, this.of.directory)) throw new LeadsOut(line);
    if (isBuilt(line, relative(this.of.directory, path))) throw new LeadsOut(line, BY_OWN_CODE);
    const address = (await requiredByWheel(path)).find((requirement) => requirement.includes('@'));
    if (address !== undefined) throw new LeadsOut(withoutSecrets(address), `of ${basename(path)} leads out of the archive`);
  }

  #add(kind: string, text: string): void {
    this.#hash.update(`${kind} ${Buffer.byteLength(text)}\n${text}`);
  }
}

/** As pip does: `${NAME}` in capitals, where the variable is set. */
function expanded(text: string, environment: Readonly<Record<string, string>>): string {
  return text.replace(/\$\{([A-Z0-9_]+)\}/g, (whole, name: string) => environment[name] ?? whole);
}

/** Names and passwords in URLs, which change without changing what is there, and are no one's to keep. */
export function withoutSecrets(text: string): string {
  return text.replace(/:\/\/[^/@\s]+@/g, '://');
}

/** Lines as pip reads them: joined at their backslashes, without comments. With one blank where there are several: no pattern here may take long over a hostile line. */
export function requirementLines(text: string): readonly string[] {
  const lines: string[] = [];
  let begun = '';
  for (const line of text.replace(/^\ufeff/, '').split(LINE_BREAK)) {
    const isComment = /^\s*#/.test(line);
    const goesOn = line.endsWith('\\') && !isComment;
    begun += goesOn ? withoutBackslashes(line) : `${isComment ? ' ' : ''}${line}`;
    if (goesOn) continue;
    lines.push(begun);
    begun = '';
  }
  return [...lines, begun]
    .map((line) =>
      line
        .replace(/(?:^|\s)#.*$/, '')
        .replace(/\s+/g, ' ')
        .trim(),
    )
    .filter((line) => line !== '');
}

/** At both ends, as pip does. */
function withoutBackslashes(line: string): string {
  let [from, to] = [0, line.length];
  while (line[from] === '\\') from += 1;
  while (to > from && line[to - 1] === '\\') to -= 1;
  return line.slice(from, to);
}

function unquoted(text: string): string {
  return text.replace(/^(["'])(.*)\1$/, '$2');
}

/** What is left of a line that names something local, without option, name, extras and marker. */
function locationIn(line: string): string {
  const location = unquoted(line.replace(/^(?:-e|--editable|-f|--find-links)[ =]?/, ''))
    .replace(/^[\w.-]+(?:\[[^\]]*\])? ?@ ?/, '')
    .replace(/ ?;.*$/, '')
    .replace(/ --.*$/, '');
  return location.endsWith(']') ? location.slice(0, location.lastIndexOf('[')) : location;
}

function path(location: string, folder: string): string {
  if (/^file:/i.test(location)) {
    try {
      return fileURLToPath(location);
    } catch {
      // file://./here and the like, which pip refuses or reads in its own way.
      return folder;
    }
  }
  return isAbsolute(location) ? location : resolve(folder, location);
}

/** Names, sizes and times of a file, or of what lies in a folder. */
export async function description(path: string): Promise<string> {
  const found = await stat(path).catch(() => undefined);
  if (found === undefined) return `${path} is not there`;
  if (!found.isDirectory()) return `${path} ${found.size} ${found.mtimeMs}`;
  const names = (await readdir(path)).sort();
  const each = await Promise.all(names.map(async (name) => ({ name, at: await stat(join(path, name)).catch(() => undefined) })));
  return [path, ...each.map(({ name, at }) => `${name} ${at?.size} ${at?.mtimeMs}`)].join('\n');
}
