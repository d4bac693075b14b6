import { sep } from 'node:path';

/** Where packages come from and how they are built is the operator's to say, and so is whom to trust. */
const OPTION = /^(?:-i|-f|--(?:index-url|extra-index-url|find-links|trusted-host|use-feature))\b|(?:^| )--(?:config-settings?|global-option|build-option)\b/i;
const ELSEWHERE = /(?:^|[ @=])(?:[a-z][a-z0-9+.-]*:\/\/|file:)/i;
const VARIABLE = /\$\{[A-Z0-9_]+\}/;

/** A requirement of an archive that would have pip ask others than the operator named, or read what is not the archive's. */
export class LeadsOut extends Error {
  constructor(readonly line: string) {
    super(`"${line}" leads out of the archive`);
  }
}

/** Whether a line asks for another index, an address, a variable of the server's environment or a way to build. */
export function leadsOut(line: string): boolean {
  return OPTION.test(line) || ELSEWHERE.test(line) || VARIABLE.test(line);
}

/** Whether a path is the folder's own. */
export function isWithin(path: string, folder: string): boolean {
  return path === folder || path.startsWith(folder + sep);
}
