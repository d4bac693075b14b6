import { requirementLines } from '../models/environment/requirements.js';
import type { Finding } from './finding.js';

const SHOWN = 5;

/** What is to be known of requirements.txt before it meets a server. */
export function requirementsFindings(content: string, file: string): readonly Finding[] {
  const wanted = wantedLines(content);
  if (wanted.length === 0) return [];
  const findings: Finding[] = [
    {
      code: 'requirements-need-setting',
      message: `${file} is installed only by a server with install_py_dep_per_model=true: set it there, or have the packages there already`,
    },
  ];
  const loose = wanted.filter((line) => !isPinned(line));
  if (loose.length > 0) {
    const names = loose.slice(0, SHOWN).join(', ') + (loose.length > SHOWN ? ` and ${loose.length - SHOWN} more` : '');
    findings.push({
      code: 'requirements-unpinned',
      message: `${file} leaves versions open, so that the model may change without you: write name==version (${names})`,
    });
  }
  return findings;
}

/** The distributions that are named, as pip compares names. */
export function requiredNames(content: string): ReadonlySet<string> {
  return new Set(
    wantedLines(content)
      .flatMap((line) => /^[A-Za-z0-9][\w.-]*/.exec(line)?.[0] ?? [])
      .map(normalizedName),
  );
}

export function normalizedName(name: string): string {
  return name.toLowerCase().replace(/[-_.]+/g, '-');
}

/** Without the lines that are options. */
function wantedLines(content: string): readonly string[] {
  return requirementLines(content).filter((line) => !/^-(?!e\b|-editable)/.test(line));
}

/** `name==1.2`, `name @ file-or-address`, a wheel or an address: the same thing each time. */
function isPinned(line: string): boolean {
  const [wish = ''] = line.split(';');
  return (
    /^[\w.-]+(\[[^\]]*\])?\s*={2,3}\s*[^*,\s]+(\s+--hash.*)?\s*$/.test(wish) ||
    /^[\w.-]+(\[[^\]]*\])?\s*@\s*\S/.test(wish) ||
    /\.(whl|tar\.gz|zip)(#\S+)?\s*$/.test(wish)
  );
}
