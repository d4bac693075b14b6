import { isUtf8 } from 'node:buffer';
import { sep } from 'node:path';

// Where packages come from and how they are built is the operator's to say, and so is whom to trust. pip reads much as an option: cut short, quoted, in any order.
// So what a line may be is listed here, not what it may not be.
const SWITCHES = /^(?:--(?:pre|no-index|prefer-binary|require-hashes) ?)+$/;
/** Not `:none:`, which takes back what was said before. */
const BINARIES = /^--only-binary[ =](?:[\w.,-]|:all:)+$/;
/** Of one word: pip would take inner quotes and backslashes away, and end it at a blank. */
const FILE = /^(?:-[rc] ?|--(?:requirement|constraint)[ =])(["']?)[^\s"'\\:@[\]]+(?:\[[\w,.-]+\])?\1$/;
/** `name[extra]>=1` or a path; without what makes an address of it. */
const TARGET = /^[^-"'\\:@[\]][^"'\\:@[\]]*(?:\[[\w ,.-]+\][^"'\\:@[\]]*)?$/;
const HASHES = /^(?: --hash[ =]\w+:[0-9a-f]+)*$/i;
const VARIABLE = /\$\{[A-Z0-9_]+\}/;

/** What Python takes for white space, or JavaScript, and the other doesn't. */
const AMBIGUOUS = /(?![\t\n\r])[\p{Cc}\u2028\u2029\ufeff]/u;
const CODING = /coding[:=][ \t\n\r\f\v]*([-\w.]+)/;

/** Editing, source packages, and what an archive has in a folder: all that is built before it is installed, by code of its own. */
const BUILT = /^(?:-e\b|--(?:editable|no-binary)\b)/;
/** A wheel of the archive. Without what an address would end at. */
const WHEEL = /^[^#?%]+\.whl$/i;

/** A requirement of an archive that would have pip ask others than the operator named, read what is not the archive's, or run code of a package. */
export class LeadsOut extends Error {
  constructor(line: string, why = 'leads out of the archive') {
    super(`"${line.slice(0, 200)}" ${why}`);
  }
}

/** Whether a line is anything but a package by its name and version, a path, a file of more lines, or an option that changes nothing of where packages come from. */
export function leadsOut(line: string): boolean {
  if (VARIABLE.test(line)) return true;
  if (line.startsWith('-')) return !(SWITCHES.test(line) || BINARIES.test(line) || FILE.test(line));
  const end = line.indexOf(' -');
  const [requirement, options] = end === -1 ? [line, ''] : [line.slice(0, end), line.slice(end)];
  return !TARGET.test(requirement.replace(/;.*$/, '')) || !HASHES.test(options);
}

/** Whether pip would run code of a package for the line, as nothing that is built here is held by a sandbox. `local`: what it names lies in the archive. */
export function isBuilt(line: string, local?: string): boolean {
  return BUILT.test(line) || (local !== undefined && !WHEEL.test(local));
}

/** Whether pip, which may take another encoding for it, reads in a file what we do. */
export function readsAlike(bytes: Buffer): boolean {
  const text = bytes.toString();
  const codings = text.split('\n', 2).map((line) => (line.startsWith('#') ? CODING.exec(line)?.[1] : undefined));
  return isUtf8(bytes) && !AMBIGUOUS.test(text.replace(/^\ufeff/, '')) && codings.every((coding) => coding === undefined || /^utf-?8$/i.test(coding));
}

/** Whether a path is the folder's own. */
export function isWithin(path: string, folder: string): boolean {
  return path === folder || path.startsWith(folder + sep);
}
