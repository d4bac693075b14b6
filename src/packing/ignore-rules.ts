/** What is hardly ever meant to be served. `.sconceignore` brings it back with `!pattern`. */
export const LEFT_OUT_BY_DEFAULT: readonly string[] = [
  '.*',
  '__pycache__/',
  '__MACOSX/',
  'node_modules/',
  'venv/',
  'tests/',
  'test/',
  'test_*.py',
  '*_test.py',
  'conftest.py',
  '*.test.ts',
  '*.test.mts',
  '*.test.js',
  '*.test.mjs',
  '*.egg-info/',
  '*.pyc',
  '*.mar',
  '*.war',
  'Thumbs.db',
  // A server that was tried in the folder: its keys and logs.
  '/key_file.json',
  '/sconce_tokens.json',
  '/logs/',
];

interface Rule {
  readonly pattern: RegExp;
  readonly foldersOnly: boolean;
  readonly leavesOut: boolean;
}

/** Patterns as git knows them: the last that matches decides, `!` brings back, a slash inside ties a pattern to the root, one at the end means folders. */
export class IgnoreRules {
  readonly #rules: readonly Rule[];

  constructor(lines: readonly string[]) {
    this.#rules = lines.map((line) => line.trim()).flatMap((line) => (line === '' || line.startsWith('#') ? [] : [ruleOf(line)]));
  }

  /** `path` is relative to the root, with `/` between. Whether a folder above is left out is not looked at. */
  leavesOut(path: string, isFolder: boolean): boolean {
    return this.#rules.findLast(({ pattern, foldersOnly }) => (isFolder || !foldersOnly) && pattern.test(path))?.leavesOut ?? false;
  }
}

function ruleOf(line: string): Rule {
  const leavesOut = !line.startsWith('!');
  const given = leavesOut ? line : line.slice(1);
  const foldersOnly = given.endsWith('/');
  const body = foldersOnly ? given.slice(0, -1) : given;
  const isTied = body.includes('/');
  return { pattern: new RegExp(`${isTied ? '^' : '(?:^|/)'}${wildcards(body.replace(/^\//, ''))}$`), foldersOnly, leavesOut };
}

/** The regular expression of a wildcard: `*` and `?` stay within a name, `**` does not. */
export function wildcards(pattern: string): string {
  return pattern.replace(/\*\*\/|\*\*|[*?]|\[!?[^\]/]+\]|[\\^$+.()|{}[\]]/g, (found) => {
    if (found === '**/') return '(?:.*/)?';
    if (found === '**') return '.*';
    if (found === '*') return '[^/]*';
    if (found === '?') return '[^/]';
    if (found.length > 1) return found.replace('[!', '[^').replaceAll('\\', '\\\\');
    return `\\${found}`;
  });
}
